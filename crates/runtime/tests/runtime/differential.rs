//! Programs that nobody wrote with engines in mind: every engine and variant must agree on all of it (W-09).

use std::collections::BTreeMap;

use assay_protocol::Trap;
use assay_runtime::End;

use super::{
    corpus::{
        generated::{self, Numbers},
        samples::sample,
    },
    guest::run_everywhere,
};

/// How many generated modules each of the tests below runs.
const MODULES: u64 = 250;

/// Runs the modules of one range and looks that they did something.
fn generated_modules_agree(range: u64) {
    let mut ends = BTreeMap::<&str, u32>::new();
    let mut seed = range << 32;
    let mut modules = 0;
    while modules < MODULES {
        let runs = generated::check(seed).unwrap();
        modules += u64::from(!runs.is_empty());
        for run in runs {
            let end = match run.report.end {
                End::Exited(_) => "exited",
                End::Trapped(_) => "trapped",
                End::OutOfGas => "out of gas",
                _ => "other",
            };
            *ends.entry(end).or_default() += 1;
        }
        seed += 1;
    }
    println!("{MODULES} modules of {} numbers: {ends:?}", seed - (range << 32));
    assert!(
        ["exited", "trapped", "out of gas"].iter().all(|end| ends.get(end).is_some_and(|count| *count > 10)),
        "{ends:?}"
    );
}

macro_rules! ranges {
    ($($name:ident: $range:literal),*) => {
        $(#[test]
        fn $name() {
            generated_modules_agree($range);
        })*
    };
}

ranges! {
    w_09_generated_modules_agree_in_both_engines_1: 1, w_09_generated_modules_agree_in_both_engines_2: 2,
    w_09_generated_modules_agree_in_both_engines_3: 3, w_09_generated_modules_agree_in_both_engines_4: 4,
    w_09_generated_modules_agree_in_both_engines_5: 5, w_09_generated_modules_agree_in_both_engines_6: 6,
    w_09_generated_modules_agree_in_both_engines_7: 7, w_09_generated_modules_agree_in_both_engines_8: 8
}

fn sample_agrees(name: &str) {
    let (mut request, gas_used) = sample(name);
    let report = run_everywhere(&request);
    assert_eq!((report.end, report.gas_used), (End::Exited(0), gas_used));
    let stack_peak_bytes = report.stack_peak_bytes;
    let mut numbers = Numbers::new(gas_used);
    let limits = [gas_used, gas_used - 1, numbers.below(gas_used / 4), numbers.below(gas_used / 20)];
    for gas_limit in limits {
        request.limits.gas_limit = gas_limit;
        let report = run_everywhere(&request);
        let expected = if gas_limit < gas_used { End::OutOfGas } else { End::Exited(0) };
        assert_eq!((report.end, report.gas_used), (expected, gas_limit), "{name}");
    }
    // Not enough stack for the deepest of the samples.
    (request.limits.gas_limit, request.limits.stack_bytes) = (gas_used, 4_096);
    let report = run_everywhere(&request);
    let expected = if stack_peak_bytes > 4_096 { End::Trapped(Trap::StackExhausted) } else { End::Exited(0) };
    assert_eq!(report.end, expected);
}

#[test]
fn w_09_word_count_agrees_in_both_engines_at_any_gas_limit() {
    sample_agrees("word-count");
}

#[test]
fn w_09_mandelbrot_agrees_in_both_engines_at_any_gas_limit() {
    sample_agrees("mandelbrot");
}

#[test]
fn w_09_customer_tiers_agrees_in_both_engines_at_any_gas_limit() {
    sample_agrees("customer-tiers");
}
