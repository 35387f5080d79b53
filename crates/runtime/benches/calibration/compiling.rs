//! What the compiler takes, by what its budget counts (`GAS_PER_COMPILED_BYTE` and `GAS_PER_FLOW_SQUARE`).

use assay_runtime::{Engine, RunOptions, Variant};

use super::{
    corpus,
    measure::{least, now_ns},
};

/// Processor time of compiling real programs, and control flow that compilers do not like, beside what is counted.
pub fn print() {
    println!(
        "\n{:<40}{:>12}{:>20}{:>12}{:>14}{:>14}",
        "compiling", "bytes", "flow squares", "ms", "ns/byte", "ns/flow square"
    );
    let mut modules: Vec<_> =
        corpus::programs().iter().map(|program| (program.name.to_owned(), program.wasm())).collect();
    for (name, text) in bombs() {
        modules.push((name, wat::parse_str(text).unwrap()));
    }
    for (name, wasm) in modules {
        let metered = assay_metering::meter_with_fast(&wasm).unwrap();
        let options = RunOptions { engine: Engine::Wasmtime, variant: Variant::Fast, ..RunOptions::default() };
        let once = || {
            let began = now_ns();
            options.compile(&metered).map(|()| now_ns() - began)
        };
        let (bytes, squares) = (metered.wasm.len(), metered.info.flow_squares);
        match once() {
            Ok(first) => {
                let ns = if first > 1e9 { first } else { least([first, once().unwrap()].into_iter()) };
                println!(
                    "{name:<40}{bytes:>12}{squares:>20}{:>12.1}{:>14.1}{:>14.4}",
                    ns / 1e6,
                    ns / bytes as f64,
                    ns / squares as f64
                );
            }
            Err(fault) => println!("{name:<40}{bytes:>12}{squares:>20}  {fault}"),
        }
    }
}

/// Many places where many values meet: what compilers of control flow are not linear in.
fn bombs() -> Vec<(String, String)> {
    let locals = "i32 ".repeat(1_000);
    let touch: String = (0..1_000).map(|n| format!("local.get {n} i32.const 1 i32.add local.set {n} ")).collect();
    let values = "i32 ".repeat(16);
    let mut bombs = Vec::new();
    for loops in [3, 6, 12] {
        let (begin, end) = ("loop ".repeat(loops), "local.get 0 br_if 0 end ".repeat(loops));
        let text = format!("(module (func (local {locals}) {begin} {touch} {end}))");
        bombs.push((format!("{loops} nested loops, 1,000 locals"), text));
    }
    for count in [1_000, 4_000, 8_000] {
        let diamond = |n: usize| format!("local.get {} if local.get {} local.set {} end ", n % 900, n % 800, n % 700);
        let diamonds: String = (0..count).map(diamond).collect();
        bombs.push((format!("{count} ifs, 1,000 locals"), format!("(module (func (local {locals}) {diamonds}))")));
    }
    for count in [250, 500, 1_000] {
        let carried = "block (type $many) i32.const 0 br_if 0 end ".repeat(count);
        let start = "i32.const 1 ".repeat(16);
        let ty = format!("(type $many (func (param {values}) (result {values})))");
        bombs.push((
            format!("{count} blocks that carry 16 values"),
            format!("(module {ty} (func (result {values}) {start} {carried}))"),
        ));
    }
    bombs
}
