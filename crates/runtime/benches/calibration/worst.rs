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

/// What is measured: its name, the module's other parts, what comes first, what every turn does, and how many turns.
struct Case {
    name: String,
    module: String,
    start: String,
    body: String,
    turns: u32,
}

pub fn measure(measure: &Measure, filter: &str) -> Vec<Line> {
    let cases = memory().into_iter().chain(control()).filter(|case| case.name.contains(filter));
    cases.map(|case| turns(measure, &case.name, [&case.module, &case.start, &case.body], case.turns)).collect()
}

fn memory() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, module: String, start: String, body: String, turns| {
        cases.push(Case { name, module, start, body, turns });
    };
    for mebibytes in [1, 16, 64, 256, 1_024] {
        let bytes = (mebibytes << 20) - 1;
        let touch = format!("i32.const 0 i32.const 1 i32.const {bytes} memory.fill");
        // The next address depends on what was loaded.
        let address = format!("local.get $i i32.const {} i32.and", bytes & !7);
        let load = format!("{address} i64.load align=1 local.get $x i64.add local.set $x");
        let module = format!("(memory {})", mebibytes * 16);
        add(format!("random loads in {mebibytes} MiB"), module, touch, load, 400_000);
    }
    for pages in [64, 1_024] {
        let grow = "i32.const 1 memory.grow drop";
        // A store into each page of the host's.
        let uses = |end: &str| -> String {
            let offsets = (0..16).map(|page| 65_536 - page * 4_096);
            let store =
                |offset| format!("{end} i32.const 65536 i32.mul i32.const {offset} i32.sub local.get $x i64.store ");
            offsets.map(store).collect()
        };
        let (grown, initial) = (format!("(memory 0 {pages})"), format!("(memory {pages})"));
        add(format!("memory.grow by one page, to {pages} pages"), grown.clone(), String::new(), grow.to_owned(), pages);
        let both = format!("{grow} {}", uses("memory.size"));
        add(format!("memory.grow by one page and its first use, to {pages} pages"), grown, String::new(), both, pages);
        let first = uses("local.get $n");
        add(format!("first use of an initial page, of {pages} pages"), initial, String::new(), first, pages);
    }
    let touch = "i32.const 0 i32.const 1 i32.const 67108864 memory.fill";
    let (there, from) = ("i32.const 0", "i32.const 33554432");
    for (name, operands) in [("memory.copy", from), ("memory.fill", "i32.const 1")] {
        let body = format!("{there} {operands} i32.const 33554432 {name}");
        add(format!("{name} of 32 MiB"), "(memory 1024)".to_owned(), touch.to_owned(), body, 21);
    }
    let partial = "i32.const 64 local.get $sum i32.store8 i32.const 65 local.get $x i64.store8
        i32.const 64 i64.load align=1 i32.wrap_i64 local.set $sum";
    add("load of two stores' bytes".to_owned(), "(memory 1)".to_owned(), String::new(), partial.to_owned(), 1_000_000);
    cases
}

fn control() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut add = |name: String, module: &str, body: String, turns| {
        cases.push(Case { name, module: module.to_owned(), start: String::new(), body, turns });
    };
    for (way, bit) in [("always the same", 0), ("at random", 1)] {
        let work = "local.get $sum i32.const 3 i32.mul local.get $i i32.add local.set $sum";
        let branch = format!("block local.get $i i32.const {bit} i32.and br_if 0 {work} end");
        add(format!("br_if taken {way}"), "", branch, 2_000_000);
    }
    let all = |text: &dyn Fn(u32) -> String| (0..64).map(text).collect::<String>();
    let (blocks, targets) = ("block ".repeat(65), all(&|target| format!("{target} ")));
    let work = "i32.xor i32.const 7 i32.mul local.set $sum";
    let arms = all(&|arm| format!("end local.get $sum i32.const {arm} {work} br {} ", 63 - arm));
    let functions =
        all(&|index| format!("(func $f{index} (param i32) (result i32) local.get 0 i32.const {index} i32.xor) "));
    let names = all(&|index| format!("$f{index} "));
    let table = format!(
        "(type $t (func (param i32) (result i32))) (table 64 funcref) {functions} (elem (i32.const 0) {names})"
    );
    for (way, mask) in [("always the same", 0), ("at random", 63)] {
        let index = format!("local.get $i i32.const {mask} i32.and");
        let select = format!("{blocks} {index} br_table {targets} 63 {arms} end");
        add(format!("br_table of 64, {way}"), "", select, 1_000_000);
        let call = format!("local.get $sum {index} call_indirect (type $t) local.set $sum");
        add(format!("call_indirect of 64, {way}"), &table, call, 2_000_000);
    }
    for locals in [100, 9_998] {
        let each = |text: &dyn Fn(usize) -> String| (1..locals).map(text).collect::<String>();
        let set = each(&|local| format!("i64.const 7 local.set {local} "));
        let uses = each(&|local| format!("local.get {local} i64.add "));
        let function = format!(
            "(func $wide (param i32) (local {}) local.get 0 br_if 0 i32.const 1 if {set} end i64.const 0 {uses} drop)",
            "i64 ".repeat(locals - 1)
        );
        add(format!("call of a function with {locals} locals"), &function, "i32.const 1 call $wide".to_owned(), 20_000);
    }
    cases
}
