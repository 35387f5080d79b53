//! The programs of examples/corpus in every way there is, whole and with limits that stop them.

use std::sync::Arc;

use assay_protocol::{Trap, limits::STACK_BYTES_MIN};
use assay_runtime::{
    ArtifactStore, End, Engine, Handover, HostFault, Run, RunOptions, RunReport, RunRequest, Variant, run_with,
};

use super::{
    generated::Numbers,
    programs::{Program, Size},
};

/// A program, and the ways it runs in on this host.
pub struct Subject {
    /// What is run; limits may be changed.
    pub request: RunRequest,
    /// The engines; the reference is always the first.
    pub engines: Vec<Engine>,
    store: Arc<Handover>,
}

/// How often something was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs that exited, each in every way.
    pub exited: u32,
    /// Runs that reached the gas limit.
    pub out_of_gas: u32,
    /// Runs that reached the stack limit.
    pub stack_exhausted: u32,
}

impl Subject {
    /// A request with every engine that takes it. What is too intricate for the compiler runs in the reference alone.
    pub fn new(request: RunRequest) -> Self {
        let store = Arc::new(Handover::default());
        let mut subject = Self { request, engines: vec![Engine::Wasmi], store };
        match subject.options(Engine::Wasmtime, Variant::Fast).compile(&subject.request.metered) {
            Ok(()) => subject.engines.push(Engine::Wasmtime),
            Err(HostFault::CompileEffort) => {}
            Err(fault) => panic!("{fault}"),
        }
        subject
    }

    fn options(&self, engine: Engine, variant: Variant) -> RunOptions {
        let artifacts: Option<Arc<dyn ArtifactStore>> = Some(self.store.clone());
        RunOptions { engine, variant, artifacts, hash_memory: true, ..RunOptions::default() }
    }

    /// Runs it in every way: the whole report, output files included, and the hash of the memory must be the same.
    pub fn run(&self) -> Run {
        let run = |engine, variant| run_with(&self.request, &self.options(engine, variant)).unwrap();
        let reference = run(Engine::Wasmi, Variant::Canonical);
        for engine in self.engines.iter().copied() {
            for variant in [Variant::Canonical, Variant::Fast] {
                if (engine, variant) == (Engine::Wasmi, Variant::Canonical) {
                    continue;
                }
                let other = run(engine, variant);
                let way = (&self.request.program_name, &self.request.limits, engine, variant);
                assert_eq!(other.report, reference.report, "{way:?}");
                assert_eq!(other.memory_hash, reference.memory_hash, "memory: {way:?}");
            }
        }
        reference
    }
}

/// Runs a program whole, then so often with less gas and with less stack. The report of the whole
/// run, and how the others ended.
pub fn check(program: &Program, size: Size, rounds: u64, seed: u64) -> (Subject, RunReport, Counts) {
    let mut subject = Subject::new(program.request(size));
    let full = subject.run().report;
    let name = program.name;
    assert_eq!(full.end, End::Exited(0), "{name}: {}", String::from_utf8_lossy(&full.stderr));
    if size == Size::Small {
        let expected = program.expected_stdout();
        assert_eq!(full.stdout, expected, "{name} does not print what the native program prints");
    }
    let mut counts = Counts { exited: 1, ..Counts::default() };
    let limits = subject.request.limits;
    let mut numbers = Numbers::new(seed ^ full.gas_used);
    // Exactly enough, one too little, and anything below.
    for round in 0..rounds + 2 {
        subject.request.limits.gas_limit = match round {
            0 => full.gas_used,
            1 => full.gas_used - 1,
            _ => 1 + numbers.below(full.gas_used - 1),
        };
        let run = subject.run().report;
        if round == 0 {
            assert_eq!(run, full, "{name}");
            counts.exited += 1;
        } else {
            assert_eq!((run.end, run.gas_used), (End::OutOfGas, subject.request.limits.gas_limit), "{name}");
            assert!(full.stdout.starts_with(&run.stdout), "{name}");
            counts.out_of_gas += 1;
        }
    }
    subject.request.limits = limits;
    let above = full.stack_peak_bytes.saturating_sub(STACK_BYTES_MIN);
    for round in 0..rounds + 2 {
        subject.request.limits.stack_bytes = match round {
            0 => full.stack_peak_bytes.max(STACK_BYTES_MIN),
            1 => full.stack_peak_bytes.saturating_sub(1).max(STACK_BYTES_MIN),
            _ => STACK_BYTES_MIN + numbers.below(above),
        };
        let run = subject.run().report;
        if full.stack_peak_bytes <= subject.request.limits.stack_bytes {
            assert_eq!(run, full, "{name}");
            counts.exited += 1;
            if round > 0 {
                // It needs less than the least limit there is.
                break;
            }
        } else {
            assert_eq!(run.end, End::Trapped(Trap::StackExhausted), "{name}");
            assert!(run.gas_used < full.gas_used, "{name}");
            counts.stack_exhausted += 1;
        }
    }
    subject.request.limits = limits;
    (subject, full, counts)
}
