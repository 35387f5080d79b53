//! Modules that nobody may be hurt by (HAZARDS W-03, W-05, W-09).

use assay_metering::{MeterError, bounds, meter, validate};
use assay_protocol::InvalidReason;
use proptest::prelude::*;

use super::behaviour::wat;

fn refusal(wasm: &[u8]) -> MeterError {
    let error = meter(wasm).unwrap_err();
    assert_eq!(validate(wasm).unwrap_err(), error);
    error
}

fn over_bounds(text: &str, what: &str) {
    let error = refusal(&wat(text));
    assert!(matches!(&error, MeterError::OverBounds { what: found, .. } if *found == what), "{error}");
    assert_eq!(error.reason(), InvalidReason::ModuleInvalid);
}

#[test]
fn w_03_bombs_are_refused_by_name() {
    let many = |count: u64, text: &str| text.repeat(usize::try_from(count).unwrap() + 1);
    over_bounds(&format!("(module {})", many(bounds::TYPES_MAX, "(type (func))")), "number of types");
    let params = many(bounds::PARAMS_MAX, "i32 ");
    over_bounds(&format!("(module (type (func (param {params}))))"), "number of a function's parameters");
    let results = many(bounds::RESULTS_MAX, "i32 ");
    over_bounds(&format!("(module (type (func (result {results}))))"), "number of a function's results");
    over_bounds(&format!("(module {})", many(bounds::FUNCTIONS_MAX, "(func)")), "number of functions");
    over_bounds(&format!("(module {})", many(bounds::GLOBALS_MAX, "(global i32 (i32.const 0))")), "number of globals");
    over_bounds(&format!("(module {})", many(bounds::TABLES_MAX, "(table 0 funcref)")), "number of tables");
    over_bounds("(module (table 100001 funcref))", "number of a table's elements");
    over_bounds(
        &format!("(module (memory 1) {})", many(bounds::DATA_SEGMENTS_MAX, r#"(data "")"#)),
        "number of data segments",
    );
    over_bounds(
        &format!("(module {})", many(bounds::ELEMENT_SEGMENTS_MAX, "(elem func)")),
        "number of element segments",
    );
    let elements = many(bounds::ELEMENTS_MAX, "$f ");
    over_bounds(&format!("(module (func $f) (elem func {elements}))"), "number of elements in all segments");
    let exports: String = (0..=bounds::EXPORTS_MAX).map(|n| format!(r#"(export "{n}" (func 0))"#)).collect();
    over_bounds(&format!("(module (func) {exports})"), "number of exports");
    let name = "n".repeat(1_025);
    over_bounds(&format!(r#"(module (func (export "{name}")))"#), "length of an export's name in bytes");
    let exported: String = (0..3_473).map(|n| format!(r#"(export "{n}" (func 0))"#)).collect();
    let signature = format!("(param {}) (result {})", "i32 ".repeat(128), "i32 ".repeat(16));
    let what = "number of parameters and results of all exported functions";
    over_bounds(&format!("(module (func {signature} unreachable) {exported})"), what);
    over_bounds(&format!(r#"(module (@custom "{name}" ""))"#), "length of a custom section's name in bytes");
    let import = r#"(import "wasi_snapshot_preview1" "sched_yield" (func (result i32)))"#;
    over_bounds(&format!("(module {})", many(bounds::IMPORTS_MAX, import)), "number of imports");
}

#[test]
fn w_03_function_bombs_are_refused_by_name() {
    let many = |count: u64, text: &str| text.repeat(usize::try_from(count).unwrap() + 1);
    let locals = many(bounds::LOCALS_MAX, "i64 ");
    over_bounds(&format!("(module (func (local {locals})))"), "number of a function's locals");
    let blocks = many(bounds::NESTING_MAX, "block ");
    let ends = many(bounds::NESTING_MAX, "end ");
    over_bounds(&format!("(module (func {blocks}{ends}))"), "depth of nested blocks");
    let operands = many(bounds::OPERANDS_MAX, "i32.const 0 ");
    over_bounds(&format!("(module (func {operands} unreachable))"), "number of values on a function's operand stack");
    let targets = many(bounds::BR_TABLE_MAX, "0 ");
    over_bounds(&format!("(module (func i32.const 0 br_table {targets} 0))"), "number of a br_table's targets");
    let tables = many(20, &format!("i32.const 0 br_table {} ", "0 ".repeat(5_000)));
    over_bounds(&format!("(module (func {tables}))"), "number of a function's br_table targets");
}

/// A module of functions with this body, written in bytes: text of this size is slow to read.
fn functions(count: u32, body: &[u8]) -> Vec<u8> {
    use wasm_encoder::{CodeSection, Function, FunctionSection, Module, TypeSection};
    let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    let mut function = Function::new([]);
    function.raw(body.iter().copied()).raw([0x0b]);
    for _ in 0..count {
        functions.function(0);
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    module.finish()
}

#[test]
fn w_03_code_bombs_are_refused_by_name() {
    const NOP: u8 = 0x01;
    const LOOP_NOP_END: [u8; 4] = [0x03, 0x40, 0x01, 0x0b];
    const SQRT_NEG: [u8; 2] = [0x9f, 0x9a];
    let body = usize::try_from(bounds::BODY_BYTES_MAX).unwrap();
    let zero = [&[0x44; 1][..], &[0; 8]].concat();
    let floats = [zero, SQRT_NEG.repeat(400_000), vec![0x1a]].concat();
    for (wasm, expected) in [
        (functions(1, &vec![NOP; body]), "size of a function's body in bytes"),
        (functions(1, &floats), "size of a function's metered body in bytes"),
        (functions(14, &LOOP_NOP_END.repeat(120_000)), "size of the metered code in bytes"),
    ] {
        let error = refusal(&wasm);
        assert!(matches!(&error, MeterError::OverBounds { what, .. } if *what == expected), "{error}");
    }
}

/// A module whose global, data offset, element offset or element item, by the index, has so many operators.
fn constant(place: usize, operators: usize) -> Vec<u8> {
    use wasm_encoder::{
        CodeSection, ConstExpr, DataSection, ElementSection, Elements, Function, FunctionSection, GlobalSection,
        GlobalType, MemorySection, MemoryType, Module, RefType, TableSection, TableType, TypeSection, ValType,
    };
    const ZERO: [u8; 2] = [0x41, 0];
    const ADD_ZERO: [u8; 3] = [0x41, 0, 0x6a];
    let short = || ConstExpr::i32_const(0);
    let long = || ConstExpr::raw([&ZERO[..], &ADD_ZERO.repeat(operators / 2)].concat());
    let at = |here: usize| if here == place { long() } else { short() };
    let (mut types, mut functions, mut code) = (TypeSection::new(), FunctionSection::new(), CodeSection::new());
    types.ty().function([], []);
    functions.function(0);
    code.function(Function::new([]).raw([0x0b]));
    let (mut tables, mut memories, mut globals) = (TableSection::new(), MemorySection::new(), GlobalSection::new());
    let element_type = RefType::FUNCREF;
    tables.table(TableType { element_type, table64: false, minimum: 1, maximum: None, shared: false });
    memories.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
    globals.global(GlobalType { val_type: ValType::I32, mutable: false, shared: false }, &at(0));
    let (mut elements, mut data) = (ElementSection::new(), DataSection::new());
    data.active(0, &at(1), [1]);
    let item = if place == 3 { long() } else { ConstExpr::ref_func(0) };
    elements.active(None, &at(2), Elements::Expressions(element_type, [item].as_slice().into()));
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&tables).section(&memories).section(&globals);
    module.section(&elements).section(&code).section(&data);
    module.finish()
}

/// The reference's own stack does not hold a million: the process would end.
#[test]
fn w_03_w_14_deep_constant_expressions_are_refused_by_name() {
    const PLACES: [&str; 4] = ["global", "data offset", "element offset", "element item"];
    let most = usize::try_from(bounds::CONSTANT_OPERATORS_MAX).unwrap();
    for (place, name) in PLACES.into_iter().enumerate() {
        for operators in [most + 1, 1_000_001, 6_000_001] {
            let found = meter(&constant(place, operators)).unwrap_err();
            let expected = MeterError::OverBounds {
                what: "number of a constant expression's operators",
                found: u64::try_from(operators).unwrap(),
                limit: bounds::CONSTANT_OPERATORS_MAX,
            };
            assert_eq!(found, expected, "{name}");
            assert_eq!(found.reason(), InvalidReason::ModuleInvalid, "{name}");
        }
        // Items have no operators that take others.
        if name != "element item" {
            let metered = meter(&constant(place, most - 1)).unwrap();
            wasmi::Module::new(&wasmi::Engine::default(), &metered.wasm).unwrap();
        }
    }
}

/// The header of a declaration of 4 billion locals, by hand: text would not write it.
#[test]
fn w_03_declared_counts_are_never_believed() {
    let head = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0";
    let body = b"\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7f\x0b";
    let error = refusal(&[head.as_slice(), body.as_slice()].concat());
    assert!(matches!(error, MeterError::OverBounds { .. }), "{error}");
    // Sections that claim more entries than they have bytes.
    for section in [1_u8, 2, 3, 4, 5, 6, 7, 9, 10, 11] {
        let wasm = [b"\0asm\x01\0\0\0".as_slice(), &[section, 5, 0xff, 0xff, 0xff, 0xff, 0x0f]].concat();
        assert!(meter(&wasm).is_err(), "section {section}");
    }
}

#[test]
fn w_03_more_than_a_thousand_custom_sections_are_refused_by_name() {
    let header = b"\0asm\x01\0\0\0".to_vec();
    // Id, length, length of the name, the name.
    let section = [0, 2, 1, b'x'];
    let most = usize::try_from(bounds::CUSTOM_SECTIONS_MAX).unwrap();
    let module = |count: usize| [header.clone(), section.repeat(count)].concat();
    meter(&module(most)).unwrap();
    let expected = MeterError::OverBounds {
        what: "number of custom sections",
        found: bounds::CUSTOM_SECTIONS_MAX + 1,
        limit: bounds::CUSTOM_SECTIONS_MAX,
    };
    assert_eq!(refusal(&module(most + 1)), expected);
}

#[test]
fn w_03_a_module_over_ten_mebibytes_is_refused_before_it_is_read() {
    let error = refusal(&vec![0; (10 << 20) + 1]);
    // Names of functions stay, which `assay meter` shows.
    assert!(error.to_string().contains("-Wl,--strip-debug"), "{error}");
    assert_eq!(error.reason(), InvalidReason::ModuleTooLarge);
}

#[test]
fn w_05_nothing_is_decompressed() {
    for magic in [&[0x1f, 0x8b, 8, 0][..], &[0x28, 0xb5, 0x2f, 0xfd]] {
        let error = refusal(magic);
        assert_eq!(error.reason(), InvalidReason::ModuleInvalid);
        assert!(error.to_string().contains("compressed"), "{error}");
    }
}

#[test]
fn what_is_no_module_is_told_what_it_is_and_what_to_do() {
    for (bytes, found, next) in [
        (&b""[..], "an empty file", "build"),
        (b"\x7fELF\x02\x01\x01\0", "Linux", "--target wasm32-wasip1"),
        (b"MZ\x90\0", "Windows", "--target wasm32-wasip1"),
        (b"PK\x03\x04", "zip", "unpack"),
        (b"#!/bin/sh\n", "script", "--target wasm32-wasip1"),
        (b"\n  (module (func))", ".wat", "wat2wasm"),
        (b";; a comment\n(module)", ".wat", "wat2wasm"),
        ("fn main() { println!(\"hé\") }".as_bytes(), "text", "compiled"),
        (b"\0\x01\x02\x03", "no kind", "--target wasm32-wasip1"),
        (b"\0as", "no kind", "--target wasm32-wasip1"),
    ] {
        let error = refusal(bytes);
        assert_eq!(error.reason(), InvalidReason::ModuleInvalid);
        let text = error.to_string();
        assert!(text.contains(found) && text.contains(next) && text.contains("not a WebAssembly module"), "{text}");
    }
    let cut = refusal(b"\0asm\x01\0\0\0\x01");
    assert!(matches!(cut, MeterError::Invalid { .. }), "{cut}");
}

#[test]
fn w_09_every_feature_outside_the_profile_is_named_with_its_flag() {
    let cases = [
        ("(module (func (param v128)))", "SIMD", "-simd128"),
        ("(module (func v128.const i64x2 0 0 drop))", "SIMD", "-simd128"),
        (
            "(module (func (result v128) v128.const i64x2 0 0 v128.const i64x2 0 0 i8x16.relaxed_swizzle v128.const i64x2 0 0))",
            "SIMD",
            "simd",
        ),
        ("(module (memory 1 1 shared))", "threads", "-atomics"),
        ("(module (memory 1) (func i32.const 0 i32.const 0 i32.atomic.rmw.add drop))", "threads", "-atomics"),
        ("(module (memory i64 1))", "memory64", "wasm32-wasip1"),
        ("(module (memory 1) (memory 1))", "multiple memories", "-multimemory"),
        ("(module (func return_call 0))", "tail calls", "-tail-call"),
        ("(module (tag) (func throw 0))", "exception handling", "panic=abort"),
        ("(module (func try end))", "exception handling", "panic=abort"),
        ("(module (table 1 externref))", "externref", "-reference-types"),
        ("(module (func (param externref)))", "externref", "-reference-types"),
        ("(module (type (struct (field i32))))", "garbage collection", "-mno-gc"),
        ("(module (type $f (func)) (func (param (ref $f))))", "function references", "-mno-gc"),
        (
            "(module (func (param i64 i64 i64 i64) (result i64 i64) local.get 0 local.get 1 local.get 2 local.get 3 i64.add128))",
            "wide arithmetic",
            "wide-arithmetic",
        ),
        ("(component)", "component model", "wasm32-wasip1"),
    ];
    for (text, feature, flag) in cases {
        let error = refusal(&wat(text));
        assert!(matches!(error, MeterError::Feature { .. }), "{text}: {error}");
        assert_eq!(error.reason(), InvalidReason::ModuleInvalid);
        let message = error.to_string();
        assert!(message.contains(feature) && message.contains(flag), "{text}: {message}");
    }
}

#[test]
fn what_compilers_emit_is_accepted() {
    for text in [
        "(module (func (result i32) i32.const 200 i32.extend8_s))",
        "(module (func (result i32) f32.const 1e30 i32.trunc_sat_f32_s))",
        "(module (func (result i32 i64) i32.const 1 i64.const 2))",
        r#"(module (memory 1) (data $d "x") (func i32.const 0 i32.const 0 i32.const 1 memory.init $d data.drop $d))"#,
        "(module (global (export \"g\") (mut i32) (i32.const 0)))",
        "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))",
        "(module (table 4 funcref) (table 2 funcref) (func ref.null func i32.const 1 table.grow 1 drop))",
        "(module (type $t (func)) (table 1 funcref) (func i32.const 0 call_indirect (type $t)))",
    ] {
        let metered = meter(&wat(text)).unwrap();
        wasmi::Module::new(&wasmi::Engine::default(), &metered.wasm).unwrap();
    }
}

#[test]
fn imports_outside_the_list_are_refused_by_name() {
    for (import, problem) in [
        (r#"(import "env" "f" (func))"#, "no such module"),
        (r#"(import "wasi_snapshot_preview1" "sock_open" (func))"#, "no such function"),
        (r#"(import "wasi_snapshot_preview1" "fd_close" (func (param i64) (result i32)))"#, "signature"),
        (r#"(import "env" "memory" (memory 1))"#, "define and export"),
        (r#"(import "env" "g" (global i32))"#, "define and export"),
        (r#"(import "env" "t" (table 1 funcref))"#, "define and export"),
    ] {
        let error = refusal(&wat(&format!("(module {import})")));
        assert_eq!(error.reason(), InvalidReason::UnknownImport);
        assert!(error.to_string().contains(problem), "{error}");
    }
}

#[test]
fn reserved_names_cannot_be_exported() {
    let error = refusal(&wat(r#"(module (func (export "assay:gas_left")))"#));
    assert!(matches!(error, MeterError::ReservedExport { .. }));
}

/// A module with something of everything the rewriting touches.
const MIXED: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $w (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1 3) (table 3 10 funcref) (global $g (mut i64) (i64.const 1))
    (global $h i32 (i32.mul (i32.const 3) (i32.const 5))) (table $u 2 funcref) (elem declare func $two)
    (elem $exprs funcref (ref.func $fac) (ref.null func)) (data $passive "passive")
    (data (i32.const 8) "abc") (elem (i32.const 0) $fac $two)
    (type $pair (func (param i32) (result i32 i32)))
    (func $two (type $pair) local.get 0 if (result i32 i32) i32.const 1 i32.const 2 return else i32.const 3 i32.const 4 end)
    (func $fac (export "fac") (param i64) (result i64)
      local.get 0 i64.eqz if (result i64) i64.const 1 else local.get 0 local.get 0 i64.const 1 i64.sub call $fac i64.mul end)
    (func (export "f") (param f64) (result f64) (local i32)
      block $out loop $in
        local.get 1 i32.const 5 i32.ge_u br_if $out
        local.get 1 i32.const 1 i32.add local.set 1
        local.get 0 f64.sqrt local.get 0 f64.div local.set 0
        i32.const 0 i32.const 16 i32.const 3 memory.copy
        local.get 1 br_table $in $out $in
      end end
      i32.const 1 memory.grow drop ref.null func i32.const 1 table.grow 0 drop
      i32.const 0 i32.const 0 i32.const 2 table.init $u $exprs elem.drop $exprs
      i32.const 0 i32.const 0 i32.const 2 memory.init $passive data.drop $passive
      i32.const 0 i32.const 0 i32.const 1 table.copy $u 0 i32.const 0 ref.func $two i32.const 1 table.fill $u
      i32.const 0 table.get $u ref.is_null i32.const 1 i32.extend8_s i32.add drop f32.const 1 i64.trunc_sat_f32_u drop
      i32.const 1 i32.const 1 call_indirect (type $pair) drop drop local.get 0)
    (func $s nop) (start $s) (func (export "_start")))"#;

/// docs/METERING.md, 2: the binary format of WebAssembly 2.0, where later texts allow more.
#[test]
fn indices_that_can_only_be_zero_are_one_byte_where_the_profile_says_so() {
    const OPERANDS: [u8; 6] = [0x41, 0, 0x41, 0, 0x41, 0];
    let memory = |code: &[u8]| {
        let body = [&[0][..], code, &[0x0b]].concat();
        let length = u8::try_from(body.len()).unwrap();
        let head = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x05\x03\x01\0\x01\x0c\x01\x01\x0a".as_slice();
        meter(&[head, &[length + 2, 1, length], &body, b"\x0b\x03\x01\x01\0"].concat())
    };
    let bulk = |code: &[u8]| [&OPERANDS, code].concat();
    for (code, is_accepted, what) in [
        (vec![0x3f, 0, 0x1a], true, "memory.size"),
        (vec![0x3f, 0x80, 0, 0x1a], false, "memory.size of a longer zero"),
        (vec![0x41, 0, 0x40, 0, 0x1a], true, "memory.grow"),
        (vec![0x41, 0, 0x40, 0x80, 0, 0x1a], false, "memory.grow of a longer zero"),
        (vec![0x41, 0, 0x28, 0x82, 0, 0, 0x1a], true, "an alignment in two bytes"),
        (vec![0x41, 0, 0x28, 0x42, 0, 0, 0x1a], false, "an alignment with a memory's index"),
        (bulk(&[0xfc, 0x0b, 0]), true, "memory.fill"),
        (bulk(&[0xfc, 0x0b, 0x80, 0]), true, "memory.fill of a longer zero"),
        (bulk(&[0xfc, 0x0b, 1]), false, "memory.fill of another memory"),
        (bulk(&[0xfc, 0x0a, 0x80, 0, 0x80, 0x80, 0]), true, "memory.copy of longer zeros"),
        (bulk(&[0xfc, 0x0a, 0, 1]), false, "memory.copy from another memory"),
        (bulk(&[0xfc, 0x08, 0, 0x80, 0]), true, "memory.init of a longer zero"),
        (bulk(&[0xfc, 0x08, 0, 1]), false, "memory.init of another memory"),
    ] {
        let metered = memory(&code);
        assert_eq!(metered.is_ok(), is_accepted, "{what}: {:?}", metered.err());
    }
    // Linkers leave room for the table's index, which may be any.
    let call = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x03\x02\x01\0\x04\x07\x02\x70\0\x01\x70\0\x01\
        \x0a\x0d\x01\x0b\0\x41\0\x11\0\x81\x80\x80\x80\0\x0b";
    assert!(meter(call).is_ok(), "call_indirect of table 1 in five bytes: {:?}", meter(call).err());
}

/// Later texts write `funcref` in two bytes, too, and have others that the profile does not.
#[test]
fn references_are_to_functions_and_may_be_null() {
    for (ty, is_accepted) in [
        (&[0x70][..], true),
        (&[0x63, 0x70], true),
        (&[0x64, 0x70], false),
        (&[0x65, 0x70], false),
        (&[0x63, 0], false),
        (&[0x6f], false),
        (&[0x73], false),
    ] {
        let types = [&[1, 0x60, 1][..], ty, &[0]].concat();
        let module = [b"\0asm\x01\0\0\0\x01".as_slice(), &[u8::try_from(types.len()).unwrap()], &types].concat();
        assert_eq!(meter(&module).is_ok(), is_accepted, "{ty:x?}: {:?}", meter(&module).err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn w_03_no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _error = meter(&bytes).err();
        let with_header = [b"\0asm\x01\0\0\0".as_slice(), &bytes].concat();
        let _error = meter(&with_header).err();
    }

    #[test]
    fn w_03_no_mutation_of_a_module_makes_it_panic_or_gives_an_invalid_one(
        mutations in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::weighted(0.1, any::<proptest::sample::Index>()),
    ) {
        let mut wasm = wat(MIXED);
        for (index, byte) in mutations {
            let at = index.index(wasm.len());
            wasm[at] = byte;
        }
        if let Some(cut) = cut {
            wasm.truncate(cut.index(wasm.len()));
        }
        if let Ok(metered) = meter(&wasm) {
            prop_assert_eq!(&meter(&wasm).unwrap(), &metered);
            wasmi::Module::new(&wasmi::Engine::default(), &metered.wasm).unwrap();
        }
    }
}
