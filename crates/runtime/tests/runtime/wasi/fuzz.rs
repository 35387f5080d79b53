//! Host calls that nobody would make: whatever the arguments are, the host neither panics nor loses its determinism.

use assay_metering::profile::WASI_FUNCTIONS;
use assay_runtime::{End, run};
use proptest::{prelude::*, sample::select};

use super::script::{RIGHTS, Script};

/// Arguments at and around everything that is checked.
fn argument() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0_u64..12,
        3 => select(vec![10_000, 10_016, 10_032, 10_048, 10_064, 10_080]),
        2 => select(vec![16, 32, 64, 127, 255, 256, 1_024, 4_096, 59_999, 65_535, 65_536, 65_537]),
        1 => select(vec![0x7fff_ffff, 0x8000_0000, 0xffff_fff0, 0xffff_ffff]),
        1 => Just(RIGHTS),
        1 => any::<u32>().prop_map(u64::from),
    ]
}

fn wide_argument() -> impl Strategy<Value = u64> {
    prop_oneof![3 => argument(), 1 => any::<u64>(), 1 => select(vec![1 << 63, (1 << 63) - 1, u64::MAX, 1 << 32])]
}

fn call() -> impl Strategy<Value = (&'static str, Vec<u64>)> {
    let callable: Vec<_> = WASI_FUNCTIONS.iter().filter(|function| function.name != "proc_exit").collect();
    (select(callable), proptest::collection::vec((argument(), wide_argument()), 9)).prop_map(|(function, values)| {
        let args = function.params.iter().zip(values).map(|(ty, (narrow, wide))| match ty {
            assay_metering::ValueType::I64 => wide,
            _ => narrow,
        });
        (function.name, args.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn w_07_no_calls_make_the_host_panic_or_waver(calls in proptest::collection::vec(call(), 1..40)) {
        let mut script = Script::new();
        for bytes in [&b"output/file"[..], b"data/hello.txt", b"data/sub/..", b"output", b"/../x\0", &[100, 0, 0, 0, 64, 0, 0, 0]] {
            script.bytes(bytes);
        }
        script.open("output/open", 1, RIGHTS).open("data", 2, RIGHTS & !(1 << 6)).open("tmp/open", 1, RIGHTS);
        for (name, args) in &calls {
            script.call(name, args);
        }
        let request = script.request();
        let report = run(&request).unwrap();
        prop_assert!(!matches!(report.end, End::Invalid(_)));
        prop_assert!(report.gas_used <= request.limits.gas_limit);
        prop_assert_eq!(run(&request).unwrap(), report);
    }
}
