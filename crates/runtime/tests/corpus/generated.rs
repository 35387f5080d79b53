//! Modules that a generator made up from a number, within the profile, and requests that run them.

use std::{collections::BTreeMap, sync::Arc};

use assay_metering::meter_with_fast;
use assay_protocol::TaskLimits;
use assay_runtime::{
    ArtifactStore, Engine, EntryPoint, FileTree, Handover, Run, RunOptions, RunRequest, Variant, run_with,
};
use sha2::{Digest, Sha256};
use wasm_smith::{Config, Module};

/// Bytes that the generator decides by: as many as it can use for a module of this size.
const BYTES: usize = 6_000;
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

const IMPORTS: &str = r#"(module
    (import "wasi_snapshot_preview1" "clock_time_get" (func (param i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_read" (func (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_seek" (func (param i32 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
      (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func (param i32))))"#;

fn config(numbers: &mut Numbers) -> Config {
    let mut flip = || numbers.below(2) == 1;
    let exports = r#"(module (func (export "_start") unreachable) (memory (export "memory") 1 40))"#;
    Config {
        available_imports: flip().then(|| wat::parse_str(IMPORTS).unwrap()),
        exports: Some(wat::parse_str(exports).unwrap()),
        disallow_traps: flip(),
        // It also stands for externref, which the profile does not have; such modules are left out.
        reference_types_enabled: flip(),
        bulk_memory_enabled: true,
        max_imports: 4,
        max_funcs: 16,
        min_funcs: 3,
        max_instructions: 200,
        max_memories: 1,
        max_tables: 2,
        max_table_elements: 1_000,
        max_type_size: 100,
        max_elements: 20,
        max_data_segments: 5,
        max_element_segments: 5,
        allow_start_export: true,
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

/// A request for the module of this number; `None` when the generator made none that the profile accepts.
fn generated(seed: u64) -> Option<RunRequest> {
    let mut numbers = Numbers::new(seed);
    let config = config(&mut numbers);
    let bytes = numbers.bytes(BYTES);
    let module = Module::new(config, &mut arbitrary::Unstructured::new(&bytes)).ok()?;
    let metered = meter_with_fast(&module.to_bytes()).ok()?;
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
        let options = RunOptions { engine, variant, artifacts, hash_memory: true };
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

/// Runs the module of this number with full limits and with less gas; what all agreed on each time.
/// Nothing when there is no such module.
pub fn check(seed: u64) -> Result<Vec<Run>, String> {
    let Some(mut request) = generated(seed) else { return Ok(Vec::new()) };
    let explain = |limits: &TaskLimits, message| format!("module {seed} with {limits:?}: {message}");
    let store = Arc::new(Handover::default());
    let full = agreed(&request, &store).map_err(|message| explain(&request.limits, message))?;
    let mut numbers = Numbers::new(!seed);
    let used = full.report.gas_used;
    let mut runs = vec![full];
    request.limits.gas_limit = numbers.below(used.saturating_add(2)).max(1);
    runs.push(agreed(&request, &store).map_err(|message| explain(&request.limits, message))?);
    Ok(runs)
}
