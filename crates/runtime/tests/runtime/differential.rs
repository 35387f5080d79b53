//! Programs that nobody wrote with engines in mind: every engine and variant must agree on all of it (W-09).

use std::{collections::BTreeMap, fs, path::Path};

use assay_metering::meter;
use assay_protocol::TaskLimits;
use assay_runtime::{End, EntryPoint, FileTree, RunRequest};

use super::{
    corpus::generated::{self, Numbers},
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

/// A sample job as a provider runs it, and the recorded gas.
fn sample(name: &str) -> (RunRequest, u64) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/jobs").join(name);
    let json = |path: &Path| -> serde_json::Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let manifest = json(&directory.join("job/manifest.json"));
    let mut root = FileTree::new();
    insert(&mut root, &directory.join("job"), "");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let gas_limit = manifest["limits"]["gas_limit"].as_u64();
    let executable = text(&manifest["executable"]);
    let request = RunRequest {
        metered: meter(&fs::read(directory.join("job").join(&executable)).unwrap()).unwrap(),
        program_name: executable,
        args: manifest["args"].as_array().unwrap().iter().map(text).collect(),
        env: BTreeMap::new(),
        stdin: vec![],
        root,
        output_path: Some(text(&manifest["output_path"])),
        limits: TaskLimits { gas_limit: gas_limit.unwrap_or(1_000_000_000), ..TaskLimits::default() },
        seed: 0,
        clock_unix_ns: assay_protocol::limits::CLOCK_UNIX_NS_DEFAULT,
        entry: EntryPoint::Command,
    };
    let expected = json(&directory.join("expected.json"));
    assert_eq!(hex::encode(request.metered.hash), text(&expected["metered_hash"]));
    (request, expected["gas_used"].as_u64().unwrap())
}

fn insert(root: &mut FileTree, directory: &Path, prefix: &str) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            insert(root, &entry.path(), &format!("{path}/"));
        } else {
            root.insert_file(&path, fs::read(entry.path()).unwrap()).unwrap();
        }
    }
}

fn sample_agrees(name: &str) {
    let (mut request, gas_used) = sample(name);
    let report = run_everywhere(&request);
    assert_eq!((report.end, report.gas_used), (End::Exited(0), gas_used));
    let mut numbers = Numbers::new(gas_used);
    let limits = [gas_used, gas_used - 1, numbers.below(gas_used / 4), numbers.below(gas_used / 20)];
    for gas_limit in limits {
        request.limits.gas_limit = gas_limit;
        let report = run_everywhere(&request);
        let expected = if gas_limit < gas_used { End::OutOfGas } else { End::Exited(0) };
        assert_eq!((report.end, report.gas_used), (expected, gas_limit), "{name}");
    }
    request.limits.gas_limit = gas_used * 2;
    request.limits.stack_bytes = 4_096.min(report.stack_peak_bytes - 1).max(4_096);
    run_everywhere(&request);
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
