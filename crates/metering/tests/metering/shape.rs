//! What metering leaves as it is, what it adds, and what is known about a module.

use assay_metering::{
    ExportKind, ValueType, export, meter,
    profile::{WASI_FUNCTIONS, WasiFunction},
    validate,
};
use sha2::{Digest, Sha256};

use super::behaviour::wat;

#[test]
fn equal_bytes_in_are_equal_bytes_out_and_the_hash_is_theirs() {
    let wasm = wat(r#"(module (memory 1) (func (export "_start") i32.const 1 memory.grow drop))"#);
    let (one, two) = (meter(&wasm).unwrap(), meter(&wasm).unwrap());
    assert_eq!(one, two);
    assert_eq!(one.hash, <[u8; 32]>::from(Sha256::digest(&one.wasm)));
    assert_eq!(validate(&wasm).unwrap(), one.info);
}

#[test]
fn the_metered_bytes_of_a_known_module_do_not_change_unnoticed() {
    let wasm = wat(r#"(module (memory (export "memory") 1) (func $g (param f32) (result f32) local.get 0 f32.sqrt)
            (func (export "_start") loop f32.const 2 call $g drop i32.const 0 br_if 0 end))"#);
    assert_eq!(hex::encode(Sha256::digest(&wasm)), "f14dfc214101f10e37db72c634ce918f0ee019341cbab0a999fd56ee7caace77");
    assert_eq!(
        hex::encode(meter(&wasm).unwrap().hash),
        "a57764b9436ce8a3b9015ed96fcbeef8f0cac52c1f9d704a3b25a57afdf0fc7a"
    );
}

/// docs/METERING-WASI.md is the list that others implement from.
#[test]
fn w_09_the_page_lists_every_host_function_with_its_type() {
    let page = include_str!("../../../../docs/METERING-WASI.md");
    let (_, page) = page.split_once("\n| Function | Parameters | Steps |\n").unwrap();
    let rows = page.lines().skip(1).take_while(|line| line.starts_with('|'));
    let listed = rows.map(|row| {
        let cells: Vec<_> = row.split(" | ").collect();
        (cells[0].trim_matches(['|', ' ', '`']).to_owned(), cells[1].trim().to_owned())
    });
    let name = |ty: &ValueType| ty.to_string();
    let provided = |function: &WasiFunction| {
        let results: &[ValueType] = if function.name == "proc_exit" { &[] } else { &[ValueType::I32] };
        assert_eq!(function.results, results, "{}", function.name);
        let params = function.params.iter().map(name).collect::<Vec<_>>().join(" ");
        (function.name.to_owned(), if params.is_empty() { "none".into() } else { params })
    };
    assert_eq!(listed.collect::<Vec<_>>(), WASI_FUNCTIONS.iter().map(provided).collect::<Vec<_>>());
}

#[test]
fn custom_sections_are_dropped() {
    let plain = wat(r#"(module (func (export "_start")))"#);
    let named = wat(r#"(module (@custom "name of a tool" "anything") (func $long_name (export "_start")))"#);
    assert_ne!(plain, named);
    assert_eq!(meter(&plain).unwrap().wasm, meter(&named).unwrap().wasm);
}

#[test]
fn a_metered_module_cannot_be_metered_again() {
    let metered = meter(&wat(r#"(module (func (export "_start")))"#)).unwrap();
    assert!(meter(&metered.wasm).is_err(), "its exports are reserved");
}

#[test]
fn the_module_is_described() {
    let info = validate(&wat(r#"(module (import "wasi_snapshot_preview1" "fd_close" (func (param i32) (result i32)))
            (memory (export "memory") 2 9) (table (export "t") 1 funcref) (global (export "g") i32 (i32.const 1))
            (func (export "_start")) (func (export "run") (result i32) i32.const 0)
            (func (export "alloc") (param i32) (result i32) local.get 0)
            (func (export "b") (param i32 i32) (result i64) i64.const 0)
            (func (export "a") (param i32 i32) (result i64) i64.const 0)
            (func $s) (start $s))"#))
    .unwrap();
    assert_eq!(info.functions, 6);
    assert_eq!(info.imports[0].name, "fd_close");
    assert_eq!(info.memory.map(|memory| (memory.initial_pages, memory.maximum_pages)), Some((2, Some(9))));
    assert!(info.entry_points.command && info.entry_points.reactor && info.has_start);
    assert_eq!(info.entry_points.functions, ["a", "b"]);
    assert_eq!(info.exports.len(), 8);
    assert_eq!(info.exports[0].kind, ExportKind::Memory);
}

#[test]
fn an_entry_point_needs_its_exact_type() {
    let info =
        validate(&wat(r#"(module (func (export "_start") (param i32)) (func (export "run") (result i64) i64.const 0)
            (func (export "f") (param i32 i32) (result i64) i64.const 0))"#))
        .unwrap();
    assert!(!info.entry_points.command && !info.entry_points.reactor);
    assert!(info.entry_points.functions.is_empty(), "there is no alloc");
}

#[test]
fn an_empty_module_has_nothing_but_what_is_added() {
    let metered = meter(&wat("(module)")).unwrap();
    let module = wasmi::Module::new(&wasmi::Engine::default(), &metered.wasm).unwrap();
    let names: Vec<_> = module.exports().map(|export| export.name().to_owned()).collect();
    let expected = [
        export::GAS_LEFT,
        export::STACK_LIMIT,
        export::STACK_PEAK,
        export::MEMORY_LIMIT_PAGES,
        export::TRAP_CODE,
        export::INSTANTIATION_GAS,
    ];
    assert!(names.iter().all(|name| expected.contains(&name.as_str())) && names.len() == expected.len());
}
