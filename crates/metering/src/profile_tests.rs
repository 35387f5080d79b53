#![allow(clippy::unwrap_used, reason = "tests")]
use std::{cell::Cell, fs, path::Path};

use super::*;

/// The definition, and what it cost: one validation of the whole module for each feature there is.
fn used_by_definition(wasm: &[u8]) -> Option<(Vec<&'static str>, Vec<MeterError>)> {
    let without = |bit: WasmFeatures| {
        let features = WasmFeatures::all().difference(bit);
        Validator::new_with_features(features).validate_all(wasm).err()
    };
    if without(WasmFeatures::empty()).is_some() {
        return None;
    }
    let accepted = ACCEPTED.iter().filter(|(bit, _)| without(*bit).is_some()).map(|(_, name)| *name);
    let refused = REFUSED.iter().filter_map(|(bit, feature, flag)| {
        let error = without(*bit)?;
        Some(MeterError::Feature { feature, flag, message: error.message().to_owned(), offset: error.offset() })
    });
    Some((accepted.collect(), refused.collect()))
}

/// What needs each feature, by itself and in company.
const TEXTS: &[&str] = &[
    "(module)",
    "(module (func (export \"a\") (result i64) i64.const 1) (memory 1) (data (i32.const 0) \"x\"))",
    "(module (func (param f32)))",
    "(module (func (drop (f64.const 1))))",
    "(module (func (local f64)))",
    "(module (global (export \"g\") (mut i32) (i32.const 0)))",
    "(module (func (drop (i32.trunc_sat_f64_s (f64.const 1)))))",
    "(module (func (drop (i64.extend8_s (i64.const 1)))))",
    "(module (func (result i32 i32) i32.const 1 i32.const 2))",
    "(module (func (drop (block (param i32) (result i32)) (i32.const 1))))",
    "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))",
    "(module (memory 1) (data \"x\") (func (data.drop 0)))",
    "(module (memory 1) (data \"x\"))",
    "(module (table 1 funcref) (table 1 funcref) (func (drop (table.get 1 (i32.const 0)))))",
    "(module (table 1 funcref) (elem (i32.const 0) funcref (ref.null func)))",
    "(module (func (drop (select (result i32) (i32.const 0) (i32.const 0) (i32.const 0)))))",
    "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
    "(module (func (drop (ref.null func))) (func (drop (i32.extend8_s (i32.const 1)))))",
    "(module (func (param externref)))",
    "(module (func (drop (v128.const i64x2 0 0))))",
    "(module (func (param v128)) (func (drop (i32x4.relaxed_trunc_f32x4_s (v128.const i64x2 0 0)))))",
    "(module (memory 1 1 shared) (func (drop (i32.atomic.load (i32.const 0)))))",
    "(module (memory i64 1) (func (drop (i32.load (i64.const 0)))))",
    "(module (memory 1) (memory 1))",
    "(module (func $f (return_call $f)))",
    "(module (tag $t) (func (throw $t)))",
    "(module (tag $t) (func try catch $t end))",
    "(module (type $f (func)) (func (param (ref null $f)) (call_ref $f (local.get 0))))",
    "(module (type $s (struct (field i32))) (func (drop (struct.new $s (i32.const 1)))))",
    "(module (type $a (array i8)) (func (param (ref $a))))",
    "(module (func (param i64 i64 i64 i64) (result i64 i64)
        (i64.add128 (local.get 0) (local.get 1) (local.get 2) (local.get 3))))",
    "(module (memory 1 (pagesize 1)))",
    "(module (type $f (func)) (type $c (cont $f)) (elem declare func $g) (func $g)
        (func (result (ref $c)) (cont.new $c (ref.func $g))))",
    // Several in one function, in another order than that of the lists.
    "(module (memory 1) (memory 1) (func (drop (i32x4.splat (i32.const 0))) (drop (i64.extend8_s (i64.const 1)))
        (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)) return_call 0))",
    // A body that is not valid, behind one that needs something.
    "(module (func (drop (v128.const i64x2 0 0))) (func (result i32)))",
    "(module (func (param f32)) (func (result i32)))",
    "(module (import \"e\" \"f\" (func)) (export \"a\" (func 7)))",
];

fn committed_modules() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut directories = vec![root.join("examples"), root.join("cli/templates/modules")];
    let mut modules = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "wasm") {
                modules.push(fs::read(path).unwrap());
            }
        }
    }
    modules
}

#[test]
fn w_03_the_features_that_a_module_uses_are_those_that_it_is_not_valid_without() {
    let mut modules: Vec<_> = TEXTS.iter().map(|text| wat::parse_str(text).unwrap()).collect();
    modules.push(b"no module".to_vec());
    modules.extend(committed_modules().into_iter().filter(|module| module.len() < 200_000));
    assert!(modules.len() > TEXTS.len() + 10, "{}", modules.len());
    let mut named = std::collections::BTreeSet::new();
    for (place, wasm) in modules.iter().enumerate() {
        let found = used(wasm);
        assert_eq!(found, used_by_definition(wasm), "{place}");
        let (accepted, refused) = found.unwrap_or_default();
        named.extend(accepted);
        named.extend(refused.iter().map(|error| match error {
            MeterError::Feature { feature, .. } => *feature,
            other => panic!("{other}"),
        }));
    }
    assert!(ACCEPTED.iter().all(|(_, name)| named.contains(name)), "{named:?}");
    // Texts cannot be written that need the others.
    let rare = ["memory control", "shared-everything threads", "compact import sections"];
    let missing = REFUSED.iter().map(|(_, name, _)| *name).filter(|name| !named.contains(name) && !rare.contains(name));
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn w_03_a_part_that_needs_nothing_new_is_validated_once() {
    let mut needs = Needs::new();
    let mut validations = |text: &str| {
        let (wasm, count) = (wat::parse_str(text).unwrap(), Cell::new(0));
        let counted = |features| {
            count.set(count.get() + 1);
            validate_declarations(&wasm, features)
        };
        needs.narrow(counted).unwrap();
        count.get()
    };
    assert_eq!(validations("(module (func (param i32)))"), 1);
    // Without everything, with everything, without the one that is missed, without the others.
    let vector = "(module (func (param v128)))";
    assert_eq!(validations(vector), 4);
    assert_eq!(validations(vector), 1);
    let two = "(module (func (param f32) (result i32 i32) unreachable))";
    assert_eq!(validations(two), 2 + 2 * 2);
}
