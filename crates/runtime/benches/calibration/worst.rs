//! What the rule is not about: prices that depend on amounts, and programs that work against caches and predictors.

use assay_runtime::RunRequest;

use super::{
    Line,
    measure::{ENGINES, Measure, ROUNDS, least},
    request::request_wasm,
};

/// A program that counts `$n` down from a number of turns, and its random number `$x`, in which every bit is needed.
fn program(module: &str, start: &str, body: &str, turns: u32) -> RunRequest {
    let text = format!(
        r#"(module {module} (func (export "_start") (local $n i32) (local $x i64) (local $i i32) (local $sum i32)
        i32.const {turns} local.set $n i64.const 0x243f6a8885a308d3 local.set $x {start}
        loop $turn {RANDOM} {body} local.get $n i32.const 1 i32.sub local.tee $n br_if $turn end))"#
    );
    let mut request = request_wasm(&wat::parse_str(text).unwrap());
    (request.limits.gas_limit, request.limits.memory_bytes) = (1 << 40, 1 << 30);
    request
}

/// The next number of a linear congruence, and its upper half in `$i`.
const RANDOM: &str =
    "local.get $x i64.const 6364136223846793005 i64.mul i64.const 1442695040888963407 i64.add local.tee $x
    i64.const 33 i64.shr_u i32.wrap_i64 local.set $i";

/// The time and gas of a number of turns, shared among them.
fn turns(measure: &Measure, name: &str, parts: [&str; 3], turns: u32) -> Line {
    let [module, start, body] = parts;
    let (few, many) = (program(module, start, body, 1), program(module, start, body, turns));
    let gas = measure.gas(&many, ENGINES[0].0) - measure.gas(&few, ENGINES[0].0);
    let ns = ENGINES.map(|(engine, _)| {
        measure.gas(&few, engine);
        measure.gas(&many, engine);
        let least = |request| least((0..ROUNDS.min(3)).map(|_| measure.ns(request, engine)));
        (least(&many) - least(&few)) / f64::from(turns - 1)
    });
    Line { name: name.to_owned(), gas: gas as f64 / f64::from(turns - 1), ns }
}

pub fn measure(measure: &Measure, filter: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut add = |name: &str, parts: [&str; 3], count| {
        if name.contains(filter) {
            lines.push(turns(measure, name, parts, count));
        }
    };
    for mebibytes in [1, 16, 64, 256, 1_024] {
        let module = format!("(memory {})", mebibytes * 16);
        let bytes = (mebibytes << 20) - 1;
        let touch = format!("i32.const 0 i32.const 1 i32.const {bytes} memory.fill");
        // The next address depends on what was loaded.
        let load =
            format!("local.get $i i32.const {} i32.and i64.load align=1 local.get $x i64.add local.set $x", bytes & !7);
        add(&format!("random loads in {mebibytes} MiB"), [&module, &touch, &load], 400_000);
    }
    for pages in [64, 1_024] {
        let module = format!("(memory 0 {pages})");
        let grow = "i32.const 1 memory.grow drop";
        add(&format!("memory.grow by one page, to {pages} pages"), [&module, "", grow], pages);
        let store = (0..16).map(|page| {
            format!(
                "memory.size i32.const 65536 i32.mul i32.const {} i32.sub local.get $x i64.store ",
                65_536 - page * 4_096
            )
        });
        let both = format!("{grow} {}", store.collect::<String>());
        add(&format!("memory.grow by one page and its first use, to {pages} pages"), [&module, "", &both], pages);
        let module = format!("(memory {pages})");
        let first = (0..16).map(|page| {
            format!(
                "local.get $n i32.const 65536 i32.mul i32.const {} i32.sub local.get $x i64.store ",
                65_536 - page * 4_096
            )
        });
        add(
            &format!("first use of an initial page, of {pages} pages"),
            [&module, "", &first.collect::<String>()],
            pages,
        );
    }
    let bits = [("always the same", "i32.const 0 i32.and"), ("at random", "i32.const 1 i32.and")];
    for (way, bit) in bits {
        let branch = format!(
            "block local.get $i {bit} br_if 0 local.get $sum i32.const 3 i32.mul local.get $i i32.add local.set $sum end"
        );
        add(&format!("br_if taken {way}"), ["", "", &branch], 2_000_000);
    }
    let blocks = "block ".repeat(65);
    let targets: String = (0..64).map(|target| format!("{target} ")).collect();
    let arms: String = (0..64)
        .map(|arm| {
            format!("end local.get $sum i32.const {arm} i32.xor i32.const 7 i32.mul local.set $sum br {} ", 63 - arm)
        })
        .collect();
    let functions: String = (0..64)
        .map(|index| format!("(func $f{index} (param i32) (result i32) local.get 0 i32.const {index} i32.xor) "))
        .collect();
    let names: String = (0..64).map(|index| format!("$f{index} ")).collect();
    let table = format!(
        "(type $t (func (param i32) (result i32))) (table 64 funcref) {functions} (elem (i32.const 0) {names})"
    );
    for (way, mask) in [("always the same", 0), ("at random", 63)] {
        let select = format!("{blocks} local.get $i i32.const {mask} i32.and br_table {targets} 63 {arms} end");
        add(&format!("br_table of 64, {way}"), ["", "", &select], 1_000_000);
        let call =
            format!("local.get $sum local.get $i i32.const {mask} i32.and call_indirect (type $t) local.set $sum");
        add(&format!("call_indirect of 64, {way}"), [&table, "", &call], 2_000_000);
    }
    let partial = "i32.const 64 local.get $sum i32.store8 i32.const 65 local.get $x i64.store8 i32.const 64 i64.load align=1 i32.wrap_i64 local.set $sum";
    add("load of two stores' bytes", ["(memory 1)", "", partial], 1_000_000);
    for (name, size) in [("1 MiB", 1 << 20), ("32 MiB", 32 << 20)] {
        let touch = "i32.const 0 i32.const 1 i32.const 67108864 memory.fill";
        let copy = format!("i32.const 0 i32.const 33554432 i32.const {size} memory.copy");
        add(&format!("memory.copy of {name}"), ["(memory 1024)", touch, &copy], 21);
        let fill = format!("i32.const 0 i32.const 1 i32.const {size} memory.fill");
        add(&format!("memory.fill of {name}"), ["(memory 1024)", touch, &fill], 21);
    }
    for locals in [100, 9_998] {
        let uses: String = (0..locals).map(|local| format!("local.get {local} i64.add ")).collect();
        let set: String = (0..locals).map(|local| format!("local.get 0 local.set {local} ")).collect();
        let function = format!(
            "(func $wide (param i32) (local {}) local.get 0 br_if 0 i32.const 1 if {} end i64.const 0 {} drop)",
            "i64 ".repeat(locals - 1),
            set.replace("local.get 0", "i64.const 7").replacen("i64.const 7 local.set 0", "", 1),
            uses.replacen("local.get 0 i64.add", "", 1)
        );
        add(&format!("call of a function with {locals} locals"), [&function, "", "i32.const 1 call $wide"], 20_000);
    }
    lines
}
