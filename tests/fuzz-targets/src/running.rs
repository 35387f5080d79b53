//! Host calls.

use assay_runtime::{End, Engine, RunOptions, Variant, run_with};

use crate::generators::host_calls;

/// Calls with arguments that nobody would give: no panic, no fault, and twice the same.
pub fn host_calls(bytes: &[u8]) {
    let request = host_calls::script(bytes).request();
    let [canonical, fast] = [Variant::Canonical, Variant::Fast].map(|variant| {
        let options = RunOptions { engine: Engine::Wasmi, variant, hash_memory: true, ..RunOptions::default() };
        run_with(&request, &options).expect("no call is a fault of the host")
    });
    assert!(!matches!(canonical.report.end, End::Invalid(_)), "{:?}", canonical.report.end);
    assert!(canonical.report.gas_used <= request.limits.gas_limit);
    assert_eq!((fast.report, fast.memory_hash), (canonical.report, canonical.memory_hash));
}
