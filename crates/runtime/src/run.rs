//! One run, from request to report.

use std::time::{Duration, Instant};

use assay_metering::export;
use assay_protocol::{
    Hash32, InvalidReason, Trap,
    limits::{INPUT_BYTES_MAX, WASM_PAGE_BYTES},
};
use sha2::{Digest, Sha256};

use crate::{
    End, EngineKind, EntryPoint, FileTree, HostFault, Run, RunOptions, RunReport, RunRequest, Variant,
    engine::{Figures, Halt, Hooks, Interruption, Machine, Program, WasmiInstance, WasmtimeInstance},
    fs::store::{Files, INODES_MAX},
    trace::Trace,
    wasi::{self, Wasi},
};

/// Most bytes of arguments and environment together.
const ARGS_BYTES_MAX: usize = 1 << 20;

/// Runs a metered module itself in the reference engine. What [`run_with`] gives with any options.
///
/// # Errors
/// [`HostFault`] when this host could not run it to its end. Not a property of the program: never signed.
pub fn run(request: &RunRequest) -> Result<RunReport, HostFault> {
    run_with(request, &RunOptions::default()).map(|run| run.report)
}

/// Runs a metered module.
///
/// # Errors
/// [`HostFault`] when this host could not run it to its end. Not a property of the program: never signed.
pub fn run_with(request: &RunRequest, options: &RunOptions) -> Result<Run, HostFault> {
    if !request.limits.is_within_bounds() {
        return Err(HostFault::Request("its limits are outside the protocol's bounds"));
    }
    if let Some(report) = without_engine(request) {
        let (variant, guest_time) = (Variant::Canonical, Duration::ZERO);
        return Ok(Run { report, engine: None, variant, memory_hash: None, guest_time });
    }
    let engine = options.choose(&request.metered, &request.limits);
    // What the compiler cannot do, for lack of stack, address space or anything else, the reference may.
    let stands_in = options.engine.falls_back() && engine == EngineKind::Wasmtime;
    let compiles_no_more = options.before_guest.is_some() || options.compiled_elsewhere;
    let run = |engine, program| on_own_thread(engine, || attempt(engine, program, request, options));
    match options.fast(&request.metered).map(|program| run(engine, program)) {
        Some(Ok(run)) if matches!(run.report.end, End::Exited(_) | End::OutputTooLarge(_)) => return Ok(run),
        Some(Err(fault @ (HostFault::Unconfined(_) | HostFault::NotCompiled(_)))) => return Err(fault),
        Some(Err(_)) if stands_in => {}
        Some(_) if engine == EngineKind::Wasmtime && compiles_no_more => return Err(HostFault::Repeat),
        // The fast variant gave no answer (docs/METERING.md, 11), or there is none.
        _ => match run(engine, options.canonical(&request.metered)) {
            Err(fault) if stands_in && !matches!(fault, HostFault::Unconfined(_) | HostFault::NotCompiled(_)) => {}
            ended => return ended,
        },
    }
    run(EngineKind::Wasmi, options.canonical(&request.metered))
}

/// A thread of its own, because the caller's stack may be small and because a panic must not become a result.
pub(crate) fn on_own_thread<T: Send>(
    engine: EngineKind,
    work: impl FnOnce() -> Result<T, HostFault> + Send,
) -> Result<T, HostFault> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("guest".into()).stack_size(engine.native_stack_bytes());
        let thread = thread.spawn_scoped(scope, work).map_err(|_| HostFault::Thread)?;
        thread.join().unwrap_or_else(|_| Err(HostFault::Engine("the engine panicked".into())))
    })
}

/// The report of a task that does not come so far that an engine is needed.
fn without_engine(request: &RunRequest) -> Option<RunReport> {
    if let Some(reason) = check(request) {
        return Some(report(End::Invalid(reason), 0));
    }
    if Files::new(&request.root, request.output_path.as_deref()).is_err() {
        return Some(report(End::Invalid(InvalidReason::ManifestInvalid), 0));
    }
    if request.limits.gas_limit < request.metered.instantiation_gas {
        return Some(report(End::OutOfGas, request.limits.gas_limit));
    }
    let pages = request.metered.info.memory.map_or(0, |memory| memory.initial_pages);
    let fits = pages.saturating_mul(WASM_PAGE_BYTES) <= request.limits.memory_bytes;
    (!fits).then(|| report(End::Trapped(Trap::MemoryLimit), request.metered.instantiation_gas))
}

/// One run of one variant, from a state that nothing was done to.
fn attempt(
    engine: EngineKind,
    program: Program<'_>,
    request: &RunRequest,
    options: &RunOptions,
) -> Result<Run, HostFault> {
    const CHECKED: HostFault = HostFault::Request("its files changed since they were checked");
    let files = Files::new(&request.root, request.output_path.as_deref()).map_err(|_| CHECKED)?;
    let wasi = Wasi::new(start(request, files));
    let limits = &request.limits;
    let gas_left = limits.gas_limit.saturating_sub(request.metered.instantiation_gas);
    let machine = match engine {
        EngineKind::Wasmi => Machine::new(WasmiInstance::new(program, limits, wasi), limits, gas_left),
        EngineKind::Wasmtime => Machine::new(WasmtimeInstance::new(program, limits, wasi), limits, gas_left),
    };
    if machine.is_ok()
        && let Some(give_up) = options.before_guest
    {
        give_up().map_err(|error| HostFault::Unconfined(error.to_string()))?;
    }
    let Driven { report, memory_hash, guest_time } = drive(machine, request, options.hash_memory)?;
    Ok(Run { report, engine: Some(engine), variant: program.variant, memory_hash, guest_time })
}

/// The program with hooks, in the reference engine.
pub(crate) fn run_with_hooks(request: &RunRequest, trace: &Trace) -> Result<RunReport, HostFault> {
    if !request.limits.is_within_bounds() {
        return Err(HostFault::Request("its limits are outside the protocol's bounds"));
    }
    if let Some(report) = without_engine(request) {
        return Ok(report);
    }
    let wasm = assay_metering::trace::traced(&request.metered);
    let wasm = wasm.ok_or_else(|| HostFault::Engine("the program takes no hooks".into()))?;
    let program = Program {
        wasm: &wasm,
        hash: &request.metered.hash,
        variant: Variant::Canonical,
        compile_effort: 0,
        compiled: None,
        compiled_elsewhere: false,
    };
    let limits = &request.limits;
    let files = Files::new(&request.root, request.output_path.as_deref());
    let files = files.map_err(|_| HostFault::Request("its files changed since they were checked"))?;
    let wasi = Wasi::new(start(request, files));
    let gas_left = limits.gas_limit.saturating_sub(request.metered.instantiation_gas);
    let imports = &request.metered.info.imports;
    on_own_thread(EngineKind::Wasmi, || {
        let instance = WasmiInstance::with_hooks(program, limits, wasi, Hooks { trace, imports });
        drive(Machine::new(instance, limits, gas_left), request, false).map(|driven| driven.report)
    })
}

/// What driving an instance to its end gives.
struct Driven {
    report: RunReport,
    memory_hash: Option<Hash32>,
    guest_time: Duration,
}

/// From an instance, or none, to a report.
fn drive(
    machine: Result<Machine, Box<(Interruption, Wasi)>>,
    request: &RunRequest,
    hash_memory: bool,
) -> Result<Driven, HostFault> {
    match machine {
        Ok(mut machine) => {
            let began = Instant::now();
            let ended = enter(&mut machine, request);
            let guest_time = began.elapsed();
            let figures = machine.figures()?;
            let memory_hash = hash_memory.then(|| Sha256::digest(machine.memory()).into());
            let report = finish(request, ended, figures, machine.into_wasi())?;
            Ok(Driven { report, memory_hash, guest_time })
        }
        Err(failed) => {
            let (interruption, wasi) = *failed;
            let gas_left = request.limits.gas_limit.saturating_sub(request.metered.instantiation_gas);
            let gas_left = i64::try_from(gas_left).unwrap_or(i64::MAX);
            let figures = Figures { gas_left, stack_peak_bytes: 0, memory_bytes: 0 };
            let report = finish(request, Err(interruption), figures, wasi)?;
            Ok(Driven { report, memory_hash: None, guest_time: Duration::ZERO })
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
            let code = first(&machine.call("run", &[])?);
            Ok(u32::try_from(code).unwrap_or(u32::MAX))
        }
        EntryPoint::Function(name) => {
            initialize(machine, request)?;
            call_function(machine, name, &request.stdin).map(|()| 0)
        }
    }
}

fn first(results: &[u64]) -> u64 {
    results.first().copied().unwrap_or_default()
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
    let pointer = first(&machine.call("alloc", &[length.into()])?);
    let pointer = u32::try_from(pointer).map_err(|_| BROKEN)?;
    machine.charge_bytes(u64::from(length))?;
    machine.write(pointer, input).ok_or(BROKEN)?;
    let packed = first(&machine.call(name, &[pointer.into(), length.into()])?);
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
        // Only the fast variant can come so far: it does not look at the counter everywhere.
        Ok(_) if figures.gas_left < 0 => End::OutOfGas,
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
