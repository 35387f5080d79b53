//! Programs that nobody wrote with engines in mind: every engine and variant must agree on all of it (W-09).

use std::collections::BTreeMap;

use assay_protocol::Trap;
use assay_runtime::End;

use super::{
    corpus::{
        generated::{self, Numbers, activity},
        samples::sample,
    },
    guest::run_everywhere,
};

/// How many generated programs each of the tests below runs.
const PROGRAMS: u64 = 250;
/// What every so manieth program does is looked at.
const LOOKED_AT: u64 = 2;

/// Runs the programs of one range and looks that they did something.
fn generated_programs_agree(range: u64) {
    let mut ends = BTreeMap::<&str, u32>::new();
    let mut activities = BTreeMap::<&str, u32>::new();
    let mut seed = range << 32;
    let (mut programs, mut busy, mut grown) = (0, 0, 0);
    while programs < PROGRAMS {
        if let Some(agreed) = generated::check(seed).unwrap() {
            programs += 1;
            let report = &agreed.full.report;
            busy += u64::from(report.gas_used > agreed.instantiation_gas + 1_000);
            grown += u64::from(report.memory_peak_bytes > agreed.initial_memory_bytes);
            for run in [agreed.full, agreed.less_gas] {
                let end = match run.report.end {
                    End::Exited(_) => "exited",
                    End::Trapped(_) => "trapped",
                    End::OutOfGas => "out of gas",
                    _ => "other",
                };
                *ends.entry(end).or_default() += 1;
            }
            if programs % LOOKED_AT == 0 {
                for activity in activity::of(&generated::program(seed).unwrap_or_default()) {
                    *activities.entry(activity).or_default() += 1;
                }
            }
        }
        seed += 1;
    }
    println!("{PROGRAMS} programs of {} numbers: {ends:?}, {activities:?}", seed - (range << 32));
    assert!(busy > PROGRAMS / 2 && grown > 0, "{busy} did something, the memory of {grown} grew");
    let often = |end| ends.get(end).is_some_and(|count| *count > 10);
    assert!(["exited", "trapped", "out of gas"].into_iter().all(often), "{ends:?}");
    let done = |activity: &&str| activities.contains_key(activity);
    assert!(activity::ACTIVITIES.iter().all(done), "{activities:?}");
}

macro_rules! ranges {
    ($($name:ident: $range:literal),*) => {
        $(#[test]
        fn $name() {
            generated_programs_agree($range);
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
