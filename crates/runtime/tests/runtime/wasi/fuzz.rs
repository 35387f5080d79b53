//! Host calls that nobody would make: whatever the arguments are, the host neither panics nor loses its determinism.

use assay_runtime::{End, run};
use proptest::prelude::*;

use crate::{corpus::host_calls, guest::run_everywhere};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn w_07_no_calls_make_the_host_panic_or_waver(bytes in proptest::collection::vec(any::<u8>(), 1..500)) {
        let request = host_calls::script(&bytes).request();
        let report = run(&request).unwrap();
        prop_assert!(!matches!(report.end, End::Invalid(_)));
        prop_assert!(report.gas_used <= request.limits.gas_limit);
        prop_assert_eq!(run(&request).unwrap(), report);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn w_07_the_engines_agree_on_any_calls(bytes in proptest::collection::vec(any::<u8>(), 1..500)) {
        let _report = run_everywhere(&host_calls::script(&bytes).request());
    }
}
