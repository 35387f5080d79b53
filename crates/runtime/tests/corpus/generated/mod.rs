//! Modules that a generator made up from a number, within the profile, and requests that run them.

pub mod activity;
mod kernel;
mod operators;
mod player;

use std::{collections::BTreeMap, sync::Arc};

use assay_metering::meter_with_fast;
use assay_protocol::{TaskLimits, limits::WASM_PAGE_BYTES};
use assay_runtime::{
    ArtifactStore, Engine, EntryPoint, FileTree, Handover, Run, RunOptions, RunRequest, Variant, run_with,
};
use sha2::{Digest, Sha256};
use wasm_smith::{Config, InstructionKind as Kind, InstructionKinds, MemoryOffsetChoices, Module};

/// Bytes that the generator decides by: as many as it can use for a module of this size.
const BYTES: usize = 2_000;
/// Gas of the full run.
const GAS_LIMIT: u64 = 400_000;

/// Numbers that follow from a seed.
pub struct Numbers {
    seed: u64,
    counter: u64,
}

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(self.counter.to_le_bytes()).finalize().into()
    }

    /// Below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        let block = self.block();
        u64::from_le_bytes(*block.first_chunk().unwrap()) % bound.max(1)
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let blocks = core::iter::repeat_with(|| self.block());
        let mut bytes: Vec<u8> = blocks.take(count.div_ceil(32)).flatten().collect();
        bytes.truncate(count);
        bytes
    }
}

/// Imports of most modules, in this order: kernels call them by their number.
const ALWAYS: [&str; 2] = [
    r#"(import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))"#,
    r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#,
];
/// Imports of some.
const SOMETIMES: [&str; 6] = [
    r#"(import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))"#,
    r#"(import "wasi_snapshot_preview1" "fd_read" (func (param i32 i32 i32 i32) (result i32)))"#,
    r#"(import "wasi_snapshot_preview1" "fd_seek" (func (param i32 i64 i32 i32) (result i32)))"#,
    r#"(import "wasi_snapshot_preview1" "path_open"
        (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"#,
    r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))"#,
    r#"(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))"#,
];

/// What a module imports and exports.
fn shape(numbers: &mut Numbers) -> Vec<u8> {
    let mut imports = String::new();
    if numbers.below(4) > 0 {
        imports.extend(ALWAYS);
        imports.extend(SOMETIMES.into_iter().filter(|_| numbers.below(4) == 0));
    }
    wat::parse_str(format!(r#"(module {imports} (memory (export "memory") 1 40))"#)).unwrap()
}

/// Which operators there are: usually all, now and then a few kinds, which then meet each other more often.
fn kinds(numbers: &mut Numbers) -> InstructionKinds {
    let always = [Kind::Control, Kind::Variable, Kind::Parametric];
    match numbers.below(6) {
        0 => InstructionKinds::new(&[always.as_slice(), &[Kind::Numeric]].concat()),
        1 => InstructionKinds::new(&[always.as_slice(), &[Kind::NumericInt, Kind::Table, Kind::Reference]].concat()),
        2 => InstructionKinds::new(&[always.as_slice(), &[Kind::Numeric, Kind::Memory]].concat()),
        _ => InstructionKinds::all(),
    }
}

fn config(numbers: &mut Numbers) -> Config {
    let allowed_instructions = kinds(numbers);
    let module_shape = Some(shape(numbers));
    let mut one_in = |count: u64| numbers.below(count) == 0;
    Config {
        module_shape,
        allowed_instructions,
        disallow_traps: one_in(2),
        reference_types_enabled: one_in(2),
        bulk_memory_enabled: true,
        min_types: 4,
        min_funcs: 4,
        max_funcs: 8,
        min_globals: 2,
        max_globals: 12,
        max_instructions: 80,
        // But for the exported one.
        max_memories: 0,
        max_tables: 2,
        max_table_elements: 1_000,
        max_type_size: 100,
        max_elements: 20,
        max_data_segments: 5,
        max_element_segments: 5,
        memory_offset_choices: MemoryOffsetChoices(95, 4, 1),
        allow_start_export: one_in(8),
        gc_enabled: false,
        exceptions_enabled: false,
        memory64_enabled: false,
        relaxed_simd_enabled: false,
        simd_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        compact_imports_enabled: false,
        ..Config::default()
    }
}

/// The program of a number; `None` when the generator made none that the profile accepts.
pub fn program(seed: u64) -> Option<Vec<u8>> {
    let bytes = Numbers::new(seed.swap_bytes()).bytes(BYTES);
    program_of(&[seed.to_le_bytes().as_slice(), &bytes].concat())
}

/// The program of bytes: the first eight are the number that kernels, calls and arguments follow from, the others are
/// what the module generator decides by.
pub fn program_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let (seed, bytes) = bytes.split_first_chunk()?;
    let mut numbers = Numbers::new(u64::from_le_bytes(*seed));
    let config = config(&mut numbers);
    let module = Module::new(config, &mut arbitrary::Unstructured::new(bytes)).ok()?;
    let program = player::program(&module.to_bytes(), numbers);
    assay_metering::validate(&program).is_ok().then_some(program)
}

/// A request for the program of this number; `None` as [`program`].
fn request(seed: u64) -> Option<RunRequest> {
    let metered = meter_with_fast(&program(seed)?).ok()?;
    let mut numbers = Numbers::new(seed.rotate_left(32));
    let mut root = FileTree::new();
    root.insert_file("data.txt", *b"some bytes").unwrap();
    let limits = TaskLimits {
        gas_limit: metered.instantiation_gas + GAS_LIMIT,
        stack_bytes: 4_096 << numbers.below(4),
        memory_bytes: 65_536 << numbers.below(7),
        ..TaskLimits::default()
    };
    Some(RunRequest {
        metered,
        program_name: "job.wasm".into(),
        args: vec!["one".into()],
        env: BTreeMap::new(),
        stdin: b"standard input".to_vec(),
        root,
        output_path: Some("output/".into()),
        limits,
        seed,
        clock_unix_ns: 1_000_000_000,
        entry: EntryPoint::Command,
    })
}

/// Runs it in every way there is; the reference's answer, if all agree. What is compiled comes from the store if it
/// is there.
fn agreed(request: &RunRequest, store: &Arc<Handover>) -> Result<Run, String> {
    let run = |engine, variant| {
        let artifacts: Option<Arc<dyn ArtifactStore>> = Some(store.clone());
        let options = RunOptions { engine, variant, artifacts, hash_memory: true, ..RunOptions::default() };
        run_with(request, &options).map_err(|fault| format!("{engine:?}, {variant:?}: {fault}"))
    };
    let reference = run(Engine::Wasmi, Variant::Canonical)?;
    for (engine, variant) in
        [(Engine::Wasmi, Variant::Fast), (Engine::Wasmtime, Variant::Fast), (Engine::Wasmtime, Variant::Canonical)]
    {
        let other = run(engine, variant)?;
        if (&other.report, other.memory_hash) != (&reference.report, reference.memory_hash) {
            return Err(format!("{engine:?}, {variant:?}: {other:?}\nreference: {reference:?}"));
        }
    }
    Ok(reference)
}

/// What all agreed on about one program.
pub struct Agreed {
    /// With full limits.
    pub full: Run,
    /// With a gas limit up to what that used.
    pub less_gas: Run,
    /// What instantiation cost.
    pub instantiation_gas: u64,
    /// Its memory when it began.
    pub initial_memory_bytes: u64,
}

/// Runs the program of this number with full limits and with less gas, in every way.
/// `None` when there is no such program.
pub fn check(seed: u64) -> Result<Option<Agreed>, String> {
    let Some(mut request) = request(seed) else { return Ok(None) };
    let explain = |limits: &TaskLimits, message| format!("program {seed} with {limits:?}: {message}");
    let store = Arc::new(Handover::default());
    let full = agreed(&request, &store).map_err(|message| explain(&request.limits, message))?;
    let mut numbers = Numbers::new(!seed);
    // Instantiation is paid first; what the program itself used is where a limit can fall.
    let paid = request.metered.instantiation_gas;
    let used = full.report.gas_used.saturating_sub(paid);
    request.limits.gas_limit = match numbers.below(16) {
        0 => numbers.below(paid).max(1),
        _ => paid + numbers.below(used + 2),
    };
    let less_gas = agreed(&request, &store).map_err(|message| explain(&request.limits, message))?;
    let pages = request.metered.info.memory.map_or(0, |memory| memory.initial_pages);
    Ok(Some(Agreed { full, less_gas, instantiation_gas: paid, initial_memory_bytes: pages * WASM_PAGE_BYTES }))
}
