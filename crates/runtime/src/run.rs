//! One run, from request to report.

use assay_metering::export;
use assay_protocol::{
    InvalidReason, Trap,
    limits::{INPUT_BYTES_MAX, WASM_PAGE_BYTES},
};
use wasmi::Val;

use crate::{
    End, EntryPoint, FileTree, HostFault, RunReport, RunRequest,
    engine::{Figures, Halt, Interruption, Machine},
    fs::store::{Files, INODES_MAX},
    wasi::{self, Wasi},
};

/// Native stack of the thread that runs the engine. The engine leaves a frame of about 200 bytes behind at each
/// `memory.grow`, of which the metered module allows one per page: 3 MiB at most.
const NATIVE_STACK_BYTES: usize = 32 << 20;
/// Most bytes of arguments and environment together.
const ARGS_BYTES_MAX: usize = 1 << 20;

/// Runs a metered module.
///
/// # Errors
/// [`HostFault`] when this host could not run it to its end. Not a property of the program: never signed.
pub fn run(request: &RunRequest) -> Result<RunReport, HostFault> {
    // A thread of its own, because the caller's stack may be small and because a panic must not become a result.
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("guest".into()).stack_size(NATIVE_STACK_BYTES);
        let thread = thread.spawn_scoped(scope, || run_here(request)).map_err(|_| HostFault::Thread)?;
        thread.join().unwrap_or_else(|_| Err(HostFault::Engine("the engine panicked".into())))
    })
}

fn run_here(request: &RunRequest) -> Result<RunReport, HostFault> {
    if !request.limits.is_within_bounds() {
        return Err(HostFault::Request("its limits are outside the protocol's bounds"));
    }
    if let Some(reason) = check(request) {
        return Ok(report(End::Invalid(reason), 0));
    }
    let output_path = request.output_path.as_deref();
    let Ok(files) = Files::new(&request.root, output_path) else {
        return Ok(report(End::Invalid(InvalidReason::ManifestInvalid), 0));
    };
    let gas_limit = request.limits.gas_limit;
    let Some(gas_left) = gas_limit.checked_sub(request.metered.instantiation_gas) else {
        return Ok(report(End::OutOfGas, gas_limit));
    };
    let pages = request.metered.info.memory.map_or(0, |memory| memory.initial_pages);
    if pages.saturating_mul(WASM_PAGE_BYTES) > request.limits.memory_bytes {
        return Ok(report(End::Trapped(Trap::MemoryLimit), request.metered.instantiation_gas));
    }
    let wasi = Wasi::new(start(request, files));
    match Machine::new(&request.metered, &request.limits, wasi, gas_left) {
        Ok(mut machine) => {
            let ended = enter(&mut machine, request);
            let figures = machine.figures()?;
            finish(request, ended, figures, machine.into_wasi())
        }
        Err(failed) => {
            let (interruption, wasi) = *failed;
            let gas_left = i64::try_from(gas_left).unwrap_or(i64::MAX);
            let figures = Figures { gas_left, stack_peak_bytes: 0, memory_bytes: 0 };
            finish(request, Err(interruption), figures, wasi)
        }
    }
}

/// Why the task cannot run, if it cannot.
fn check(request: &RunRequest) -> Option<InvalidReason> {
    let entry_points = &request.metered.info.entry_points;
    let entry_exists = match &request.entry {
        EntryPoint::Command => entry_points.command,
        EntryPoint::Reactor => entry_points.reactor,
        EntryPoint::Function(name) => entry_points.functions.contains(name),
    };
    if !entry_exists {
        return Some(InvalidReason::EntryPointMissing);
    }
    let strings = request.args.iter().chain(request.env.keys()).chain(request.env.values());
    let mut strings = strings.chain([&request.program_name]);
    if strings.any(|text| text.contains('\0')) || request.env.keys().any(|name| name.is_empty() || name.contains('=')) {
        return Some(InvalidReason::ManifestInvalid);
    }
    let lengths = request.args.iter().map(String::len);
    let lengths = lengths.chain(request.env.iter().map(|(name, value)| name.len().saturating_add(value.len())));
    if lengths.fold(0, usize::saturating_add) > ARGS_BYTES_MAX {
        return Some(InvalidReason::ManifestInvalid);
    }
    let too_large = request.root.len() >= INODES_MAX || request.root.file_bytes() > INPUT_BYTES_MAX;
    too_large.then_some(InvalidReason::InputTooLarge)
}

fn start(request: &RunRequest, files: Files) -> wasi::Start {
    let program = core::iter::once(&request.program_name);
    wasi::Start {
        args: program.chain(&request.args).cloned().collect(),
        env: request.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        // With a function entry the input arrives in memory.
        stdin: match request.entry {
            EntryPoint::Function(_) => Vec::new(),
            _ => request.stdin.clone(),
        },
        files,
        stdio_bytes: request.limits.stdio_bytes,
        seed: request.seed,
        clock_unix_ns: request.clock_unix_ns,
        gas_limit: request.limits.gas_limit,
    }
}

/// Enters the guest by its convention; the exit code.
fn enter(machine: &mut Machine, request: &RunRequest) -> Result<u32, Interruption> {
    if machine.has(export::START) {
        machine.call(export::START, &[])?;
    }
    match &request.entry {
        EntryPoint::Command => machine.call("_start", &[]).map(|_| 0),
        EntryPoint::Reactor => {
            initialize(machine, request)?;
            let code = machine.call("run", &[])?.unwrap_or_default();
            Ok(u32::try_from(code).unwrap_or(u32::MAX))
        }
        EntryPoint::Function(name) => {
            initialize(machine, request)?;
            call_function(machine, name, &request.stdin).map(|()| 0)
        }
    }
}

/// Reactors may export `_initialize`, which runs once, first.
fn initialize(machine: &mut Machine, request: &RunRequest) -> Result<(), Interruption> {
    let exported = request.metered.info.exports.iter().any(|export| {
        export.name == "_initialize"
            && matches!(&export.kind, assay_metering::ExportKind::Function(signature) if signature.is(&[], &[]))
    });
    if exported {
        machine.call("_initialize", &[])?;
    }
    Ok(())
}

/// `alloc(len) -> ptr`, the input is put there, `name(ptr, len) -> ptr << 32 | len`, the output is there.
fn call_function(machine: &mut Machine, name: &str, input: &[u8]) -> Result<(), Interruption> {
    const BROKEN: Interruption = Interruption::Halt(Halt::Trap(Trap::AbiViolation));
    let length = u32::try_from(input.len()).map_err(|_| BROKEN)?;
    let bits = |value: u32| Val::I32(value.cast_signed());
    let pointer = machine.call("alloc", &[bits(length)])?.unwrap_or_default();
    let pointer = u32::try_from(pointer).map_err(|_| BROKEN)?;
    machine.charge_bytes(u64::from(length))?;
    machine.write(pointer, input).ok_or(BROKEN)?;
    let packed = machine.call(name, &[bits(pointer), bits(length)])?.unwrap_or_default();
    let low = u32::try_from(packed & u64::from(u32::MAX)).map_err(|_| BROKEN)?;
    let high = u32::try_from(packed >> 32).map_err(|_| BROKEN)?;
    machine.charge_bytes(u64::from(low))?;
    let output = machine.read(high, low).ok_or(BROKEN)?.to_vec();
    machine.wasi_mut().stdout.append(&output);
    Ok(())
}

/// Puts the report together; the output only counts when the guest exited.
fn finish(
    request: &RunRequest,
    ended: Result<u32, Interruption>,
    figures: Figures,
    wasi: Wasi,
) -> Result<RunReport, HostFault> {
    let end = match ended {
        Ok(code) | Err(Interruption::Halt(Halt::Exit(code))) => End::Exited(code),
        Err(Interruption::Halt(Halt::Trap(trap))) => End::Trapped(trap),
        Err(Interruption::Halt(Halt::OutOfGas)) => End::OutOfGas,
        Err(Interruption::Fault(fault)) => return Err(fault),
    };
    let gas_limit = request.limits.gas_limit;
    let gas_used = match u64::try_from(figures.gas_left) {
        Ok(left) if end != End::OutOfGas => gas_limit.saturating_sub(left),
        _ => gas_limit,
    };
    let mut report = report(end, gas_used);
    report.stack_peak_bytes = figures.stack_peak_bytes;
    report.memory_peak_bytes = figures.memory_bytes;
    if let End::Exited(code) = end {
        let output = output(request, &wasi);
        let stdio = wasi.stdout.bytes.len().saturating_add(wasi.stderr.bytes.len());
        let total = output.file_bytes().saturating_add(u64::try_from(stdio).unwrap_or(u64::MAX));
        if total > request.limits.output_bytes {
            report.end = End::OutputTooLarge(code);
        } else {
            report.output = output;
        }
    }
    (report.stdout, report.stdout_cut) = (wasi.stdout.bytes, wasi.stdout.cut);
    (report.stderr, report.stderr_cut) = (wasi.stderr.bytes, wasi.stderr.cut);
    Ok(report)
}

fn output(request: &RunRequest, wasi: &Wasi) -> FileTree {
    let path = request.output_path.as_deref().map(crate::fs::trim_output_path);
    let directory = path.and_then(|path| wasi.files.at(path));
    directory.map_or_else(FileTree::new, |directory| wasi.files.export(directory))
}

const fn report(end: End, gas_used: u64) -> RunReport {
    RunReport {
        end,
        gas_used,
        stack_peak_bytes: 0,
        memory_peak_bytes: 0,
        stdout: Vec::new(),
        stderr: Vec::new(),
        stdout_cut: false,
        stderr_cut: false,
        output: FileTree::new(),
    }
}
