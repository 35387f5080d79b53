//! Variant L: equal to G whenever the guest returns with gas left, and without an answer otherwise.

use assay_metering::{bounds, export, meter, meter_with_fast};
use proptest::prelude::*;
use wasmi::Val;

use super::behaviour::{Run, wat};

/// What can be seen of a run that returned with gas left.
#[derive(Debug, PartialEq)]
struct Seen {
    results: Vec<i64>,
    gas_left: i64,
    stack_peak: i32,
    memory: Vec<u8>,
}

/// `None` when it trapped or went below zero: there L has nothing to say.
fn run(wasm: &[u8], gas: i64, argument: i32) -> Option<Seen> {
    let mut run = Run::new(wasm, gas);
    let results = run.call("f", &[Val::I32(argument)]).ok()?;
    let results = results.iter().map(|value| value.i64().or(value.i32().map(i64::from)).unwrap()).collect();
    let gas_left = run.i64(export::GAS_LEFT);
    let memory = run.instance.get_memory(&run.store, "memory").map(|memory| memory.data(&run.store).to_vec());
    let seen = Seen { results, gas_left, stack_peak: run.i32(export::STACK_PEAK), memory: memory.unwrap_or_default() };
    (gas_left >= 0).then_some(seen)
}

/// Everything that looks at the counter, and every way out of a function.
const PROGRAM: &str = r#"(module
    (memory (export "memory") 1 4) (table $t 4 8 funcref) (elem (i32.const 0) $leaf $many $deep $exits)
    (type $unary (func (param i32) (result i32)))
    (func $leaf (type $unary)
      local.get 0 i32.const 1 i32.and if i32.const 7 return end
      local.get 0 local.get 0 br_if 0 drop i32.const 9)
    (func $many (type $unary) (local $sum i32)
      loop $turn
        local.get $sum local.get 0 call $leaf i32.add local.set $sum
        local.get 0 i32.const 1 i32.sub local.tee 0 i32.const 0 i32.gt_s br_if $turn
      end
      local.get $sum)
    (func $deep (type $unary)
      local.get 0 i32.eqz if (result i32) i32.const 3 return else local.get 0 i32.const 1 i32.sub call $deep end
      i32.const 2 i32.mul)
    (func $exits (type $unary)
      block (result i32) block (result i32)
        i32.const 5 local.get 0 i32.const 7 i32.and br_table 2 2 2 0 1 2
      end drop i32.const 1 local.get 0 i32.const 11 i32.rem_u i32.div_u return
      end drop unreachable)
    (func $pair (param i32) (result i32 i64)
      local.get 0 i64.const 6 local.get 0 i32.const 3 i32.eq br_if 0 return)
    (func $spin (param i32) (local i32)
      loop local.get 1 i32.const 1 i32.add local.tee 1 local.get 0 i32.lt_s br_if 0 end)
    (func $seldom (type $unary)
      block
        local.get 0 i32.const 5 i32.lt_u br_if 0
        local.get 0 i32.const 11 i32.eq br_if 0
        i32.const 128 local.get 0 local.get 0 i32.const 31 i32.and memory.fill
        local.get 0 i32.const 14 i32.gt_u br_if 0
        local.get 0 call $deep return
      end
      local.get 0 i32.const 12 i32.mul)
    (func $nine (param i64 i32) (result i64)
      local.get 1 i32.const 1 i32.eq if i64.const 2 return end
      local.get 1 i32.const 2 i32.eq if local.get 0 return end
      local.get 1 i32.const 3 i32.eq if local.get 0 local.get 0 i64.mul return end
      local.get 1 i32.const 4 i32.eq if i64.const 3 local.get 1 call $deep i64.extend_i32_s return end
      local.get 1 i32.const 5 i32.eq if i64.const 4 return end
      local.get 1 i32.const 6 i32.eq if i64.const 5 return end
      local.get 1 i32.const 7 i32.eq if i64.const 6 return end
      local.get 1 i32.const 8 i32.eq if i64.const 7 return end
      local.get 1 i32.const 9 i32.eq if i64.const 8 return end
      local.get 1 call $many i64.extend_i32_s)
    (func $calls (type $unary) (local $sum i32)
      loop $turn
        local.get 0 call $leaf local.set $sum
        local.get $sum i32.const 7 i32.eq if
          local.get $sum i32.const 3 i32.mul local.set $sum
        else
          local.get $sum call $leaf local.get $sum i32.add local.set $sum
        end
        local.get 0 i32.const 1 i32.sub local.tee 0 i32.const 0 i32.gt_s br_if $turn
      end
      local.get $sum)
    (func (export "f") (param i32) (result i64)
      i32.const 16 local.get 0 i32.const 64 memory.fill
      ref.null func i32.const 1 table.grow $t drop
      local.get 0 call $spin
      i32.const 1 memory.grow
      local.get 0 local.get 0 i32.const 3 i32.and call_indirect $t (type $unary)
      i32.add i32.const 32 i32.const 0 local.get 0 memory.copy
      local.get 0 call $seldom i32.add
      i64.const 77 local.get 0 call $nine i32.wrap_i64 i32.add
      local.get 0 call $calls i32.add
      call $pair drop i64.extend_i32_s))"#;

#[test]
fn l_returns_what_g_returns_at_every_gas_limit() {
    let metered = meter_with_fast(&wat(PROGRAM)).unwrap();
    let fast = metered.fast.as_ref().unwrap();
    for argument in 0..24 {
        let Some(full) = run(&metered.wasm, 1_000_000, argument) else {
            assert_eq!(run(&fast.wasm, 1_000_000, argument), None, "{argument}");
            continue;
        };
        assert_eq!(run(&fast.wasm, 1_000_000, argument), Some(full), "{argument}");
        let used = 1_000_000 - run(&metered.wasm, 1_000_000, argument).unwrap().gas_left;
        let step = usize::try_from(used / 400 + 1).unwrap();
        for gas in (0..used).rev().step_by(step).chain([used, used + 1]) {
            assert_eq!(run(&fast.wasm, gas, argument), run(&metered.wasm, gas, argument), "{argument} with {gas}");
        }
        assert!(run(&fast.wasm, used - 1, argument).is_none());
    }
}

proptest! {
    #[test]
    fn l_returns_what_g_returns_for_any_argument_and_gas(argument in any::<i32>(), gas in 0_i64..200_000) {
        let metered = meter_with_fast(&wat(PROGRAM)).unwrap();
        prop_assert_eq!(run(&metered.fast.unwrap().wasm, gas, argument), run(&metered.wasm, gas, argument));
    }
}

#[test]
fn l_ends_in_every_loop_and_recursion() {
    for text in [
        r#"(module (func (export "f") (param i32) loop br 0 end))"#,
        r#"(module (func $f (export "f") (param i32) local.get 0 call $f))"#,
        r#"(module (table 1 funcref) (elem (i32.const 0) $f) (type $t (func (param i32)))
            (func $f (export "f") (type $t) local.get 0 i32.const 0 call_indirect (type $t)))"#,
        r#"(module (func (export "f") (param i32) loop (param) loop block br 2 end end end))"#,
    ] {
        let metered = meter_with_fast(&wat(text)).unwrap();
        assert_eq!(run(&metered.fast.unwrap().wasm, 100_000, 0), None, "{text}");
    }
}

#[test]
fn both_variants_export_the_same_and_cost_the_same_to_instantiate() {
    let metered = meter_with_fast(&wat(PROGRAM)).unwrap();
    let fast = metered.fast.unwrap();
    assert_ne!(fast.hash, metered.hash);
    let exports = |wasm: &[u8]| {
        let module = wasmi::Module::new(&wasmi::Engine::default(), wasm).unwrap();
        module.exports().map(|export| (export.name().to_owned(), export.ty().clone())).collect::<Vec<_>>()
    };
    assert_eq!(format!("{:?}", exports(&fast.wasm)), format!("{:?}", exports(&metered.wasm)));
    let gas = Run::new(&fast.wasm, 0).i64(export::INSTANTIATION_GAS);
    assert_eq!(u64::try_from(gas).unwrap(), metered.instantiation_gas);
}

#[test]
fn w_03_a_module_whose_l_is_over_the_bounds_has_none_and_is_accepted() {
    // Behind loops that make a local the better place for the counter, a call of two bytes has ten in L.
    let (loops, ends) = ("loop ".repeat(9), "end ".repeat(9));
    let calls = "call 0 ".repeat(usize::try_from(bounds::BODY_BYTES_MAX / 2 - 10_000).unwrap());
    let metered = meter_with_fast(&wat(&format!("(module (func) (func {loops} {ends} {calls}))"))).unwrap();
    assert!(metered.fast.is_none());
    assert!(meter_with_fast(&wat("(module (func) (func call 0))")).unwrap().fast.is_some());
}

#[test]
fn the_program_is_the_same_whether_or_not_the_fast_variant_is_written_too() {
    let (plain, both) = (meter(&wat(PROGRAM)).unwrap(), meter_with_fast(&wat(PROGRAM)).unwrap());
    assert!(plain.fast.is_none());
    assert_eq!((plain.wasm, plain.hash), (both.wasm, both.hash));
}

/// How often L makes a NaN canonical: what it compares with itself.
fn made_canonical(body: &str) -> usize {
    let text = format!(
        r#"(module (memory 1) (func (export "f") (param f64) (result i32) (local $x f64) (local $y f64) {body}))"#
    );
    let fast = meter_with_fast(&wat(&text)).unwrap().fast.unwrap();
    let bodies = wasmparser::Parser::new(0).parse_all(&fast.wasm).filter_map(|payload| match payload.unwrap() {
        wasmparser::Payload::CodeSectionEntry(body) => Some(body),
        _ => None,
    });
    let operators = bodies.flat_map(|body| body.get_operators_reader().unwrap().into_iter());
    operators.filter(|op| matches!(op, Ok(wasmparser::Operator::F64Ne))).count()
}

#[test]
fn w_09_l_makes_nans_canonical_exactly_where_somebody_could_tell() {
    let sum = "local.get 0 local.get 0 f64.add local.set $x";
    let store = "i32.const 0 local.get $x f64.store";
    for (times, body) in [
        (0, format!("{sum} local.get $x f64.abs local.get $x f64.lt")),
        (1, format!("{sum} {store} i32.const 0")),
        (1, format!("{sum} local.get $x local.set $y i32.const 0 local.get $y f64.neg f64.store i32.const 0")),
        (1, format!("{sum} f64.const 1 local.get $x f64.copysign local.set $y i32.const 0")),
        // Two sources and one place that looks.
        (1, format!("{sum} {sum} {store} i32.const 0")),
        // The loaded value must be left alone.
        (2, format!("{sum} {sum} i32.const 8 f64.load local.set $x {store} i32.const 0")),
        // Code that is never run takes what waits below it.
        (1, format!("i32.const 0 {sum} local.get $x block br 0 drop drop end f64.store i32.const 0")),
    ] {
        assert_eq!(made_canonical(&body), times, "{body}");
    }
}

/// How seldom a place is guessed to be reached says nothing about whether it is.
#[test]
fn w_09_l_makes_a_nan_canonical_however_deep_in_branches() {
    for look in ["i32.const 0 local.get $x f64.store", "local.get $x i64.reinterpret_f64 drop"] {
        for way in ["i32.const 1 if", "i32.const 0 if else"] {
            for depth in [0, 1, 15, 16, 17, 18, 40, 64, 65, 120] {
                let (begins, ends) = (format!("{way} ").repeat(depth), "end ".repeat(depth));
                let body = format!("{begins} local.get 0 local.get 0 f64.add local.set $x {look} {ends} i32.const 0");
                assert_eq!(made_canonical(&body), 1, "{look}, {depth} times {way}");
            }
        }
    }
}
