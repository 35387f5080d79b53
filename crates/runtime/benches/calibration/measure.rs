//! Processor time of runs. Everything happens in one thread at a time, so that the process's is the run's, and whatever
//! else the machine does matters little.

use std::sync::Arc;

use assay_runtime::{ArtifactCache, CacheLimits, End, Engine, RunOptions, RunRequest, Variant, run_with};
use rustix::time::{ClockId, clock_gettime};

/// The engines, in the order of every table.
pub const ENGINES: [(Engine, &str); 2] = [(Engine::Wasmi, "wasmi"), (Engine::Wasmtime, "wasmtime")];
/// Every figure is the least of so many.
pub const ROUNDS: usize = 5;

/// As a provider runs: variant L, compiled code from a store.
pub struct Measure {
    store: Arc<ArtifactCache>,
}

impl Measure {
    pub fn new() -> Self {
        Self { store: Arc::new(ArtifactCache::open(None, CacheLimits::default()).unwrap()) }
    }

    fn options(&self, engine: Engine, variant: Variant) -> RunOptions {
        RunOptions { engine, variant, artifacts: Some(self.store.clone()), ..RunOptions::default() }
    }

    /// Gas of a run, instantiation not counted. Compiles for the measurements that follow.
    pub fn gas(&self, request: &RunRequest, engine: Engine) -> u64 {
        let run = run_with(request, &self.options(engine, Variant::Fast)).unwrap();
        assert_eq!((run.report.end, run.variant), (End::Exited(0), Variant::Fast));
        run.report.gas_used - request.metered.instantiation_gas
    }

    /// Nanoseconds of one run.
    pub fn ns(&self, request: &RunRequest, engine: Engine) -> f64 {
        let options = self.options(engine, Variant::Fast);
        let began = now_ns();
        run_with(request, &options).unwrap();
        now_ns() - began
    }

    /// Nanoseconds that a run takes before the guest does anything: the same code without gas.
    pub fn set_up_ns(&self, request: &RunRequest, engine: Engine) -> f64 {
        let mut stopped = request.clone();
        let fast = stopped.metered.fast.take().unwrap();
        (stopped.metered.wasm, stopped.metered.hash) = (fast.wasm, fast.hash);
        stopped.limits.gas_limit = stopped.metered.instantiation_gas;
        let options = self.options(engine, Variant::Canonical);
        let once = || {
            let began = now_ns();
            assert!(!matches!(run_with(&stopped, &options).unwrap().report.end, End::Exited(_)));
            now_ns() - began
        };
        least((0..=ROUNDS).map(|_| once()))
    }
}

pub fn least(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::MAX, f64::min)
}

pub fn now_ns() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u32::try_from(now.tv_sec).unwrap();
    f64::from(seconds) * 1e9 + f64::from(u32::try_from(now.tv_nsec).unwrap())
}
