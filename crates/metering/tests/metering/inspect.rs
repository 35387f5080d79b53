//! What is said about modules to the people who write them.

use assay_metering::{
    MeterError,
    inspect::{FunctionSize, Inspection, Item, findings, inspect, sections},
    meter,
};

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn an_accepted_module_shows_sections_features_frames_and_names() {
    let wasm = wat(r#"(module
        (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
        (memory 1) (data (i32.const 0) "abc")
        (func $one (param i64) (local f64) (drop (i32.extend8_s (i32.const 200))))
        (func (export "_start")))"#);
    let found = inspect(&wasm);
    let names: Vec<_> = found.sections.iter().map(|section| (section.name.as_str(), section.is_custom)).collect();
    let standard = ["type", "import", "function", "memory", "export", "code", "data"].map(|name| (name, false));
    assert_eq!(names, [&standard[..], &[("name", true)]].concat());
    assert_eq!(sections(&wasm), found.sections);
    let bytes: u64 = found.sections.iter().map(|section| section.size_bytes).sum();
    // A header of eight bytes, and two of each section.
    assert_eq!(bytes, u64::try_from(wasm.len()).unwrap() - 8 - 2 * 8);
    assert_eq!(found.features, ["floating point", "sign extension"]);
    let frames: Vec<_> = found.functions.iter().map(|function| (function.index, function.frame_bytes)).collect();
    // A parameter, a local and an operand; nothing.
    assert_eq!(frames, [(1, Some(64 + 3 * 8)), (2, Some(64))]);
    assert_eq!(found.functions[1], FunctionSize { index: 2, code_bytes: 1, frame_bytes: Some(64) });
    assert!(found.is_valid && found.refused_features.is_empty());
    assert_eq!(found.function_names.get(&1).map(String::as_str), Some("one"));
    assert!(findings(&wasm).is_empty());
}

#[test]
fn everything_that_is_wrong_is_found_and_the_first_as_a_provider_finds_it() {
    let wasm = wat(r#"(module
        (import "env" "abort" (func (param i32)))
        (import "env" "memory" (memory 1))
        (import "wasi_snapshot_preview1" "sched_yield" (func (param i32)))
        (func (export "assay:x") (drop (v128.const i64x2 0 0)) return_call 2))"#);
    let found = findings(&wasm);
    assert_eq!(found.first(), meter(&wasm).err().as_ref());
    let features: Vec<_> = found
        .iter()
        .filter_map(|error| match error {
            MeterError::Feature { feature, .. } => Some(*feature),
            _ => None,
        })
        .collect();
    assert_eq!(features, ["SIMD", "tail calls"]);
    let imports = found.iter().filter(|error| matches!(error, MeterError::UnknownImport { .. })).count();
    let exports = found.iter().filter(|error| matches!(error, MeterError::ReservedExport { .. })).count();
    assert_eq!((imports, exports, found.len()), (3, 1, 6), "{found:?}");
}

#[test]
fn a_refused_module_is_listed_as_far_as_it_can_be_read() {
    let wasm = wat(r#"(module
        (import "env" "abort" (func (param i32 v128)))
        (import "env" "memory" (memory 1))
        (func (export "one") (param externref) (result i64) (drop (v128.const i64x2 0 0)) (i64.const 1))
        (func (export "two"))
        (global (export "g") i32 (i32.const 0)))"#);
    let whole = inspect(&wasm);
    let text = |items: &[Item]| {
        items.iter().map(|item| format!("{} {} {}", item.module, item.name, item.ty)).collect::<Vec<_>>()
    };
    assert_eq!(text(&whole.imports), ["env abort (i32, v128) -> ()", "env memory memory"]);
    assert_eq!(text(&whole.exports), [" one (externref) -> (i64)", " two () -> ()", " g global"]);
    let sizes = |found: &Inspection| found.functions.iter().map(|one| (one.index, one.code_bytes)).collect::<Vec<_>>();
    assert_eq!(sizes(&whole), [(1, 22), (2, 1)]);
    assert!(whole.functions.iter().all(|function| function.frame_bytes.is_none()));
    assert!(whole.is_valid && whole.refused_features.contains(&"SIMD"), "{:?}", whole.refused_features);
    // Not valid, but still a file of sections.
    let broken = inspect(&wat(r#"(module (import "env" "f" (func)) (func (export "bad") (result i32)))"#));
    assert!(!broken.is_valid && broken.features.is_empty() && broken.refused_features.is_empty());
    assert_eq!(
        (text(&broken.imports).len(), text(&broken.exports), sizes(&broken).len()),
        (1, vec![" bad () -> (i32)".to_owned()], 1)
    );
}

#[test]
fn w_03_bytes_that_are_no_module_are_one_finding_and_no_panic() {
    let module = wat(r#"(module (func $f (export "_start") nop) (memory 1))"#);
    for end in 0..module.len() {
        let cut = &module[..end];
        assert_eq!(findings(cut).len(), usize::from(meter(cut).is_err()), "{end}");
        assert!(inspect(cut).functions.len() <= 1);
    }
    assert!(inspect(b"no module at all").sections.is_empty());
}
