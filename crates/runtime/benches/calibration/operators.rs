//! Every operator, by itself as far as that is possible.

use std::collections::BTreeMap;

use assay_runtime::RunRequest;

use super::{
    Line,
    cases::{COPIES, Case, cases, program},
    measure::{ENGINES, Measure, ROUNDS, least},
    request::request_wasm,
};

/// Gas that one measurement is about.
const GAS: u64 = 30_000_000;
const TURNS_MAX: u64 = 60_000;

/// A program of so many turns.
fn turns(code: &str, turns: u64) -> RunRequest {
    let mut request = request_wasm(&wat::parse_str(program(code, u32::try_from(turns).unwrap())).unwrap());
    request.limits.gas_limit = 1 << 40;
    request
}

/// One copy of some operators.
struct Measured {
    gas: u64,
    ns: [f64; 2],
}

struct Operators<'a> {
    measure: &'a Measure,
    /// What a program takes that does nothing: once, and for every turn.
    once: [f64; 2],
    turn: [f64; 2],
    turn_gas: u64,
}

impl<'a> Operators<'a> {
    fn new(measure: &'a Measure) -> Self {
        let mut empty = Self { measure, once: [0.0; 2], turn: [0.0; 2], turn_gas: 0 };
        empty.turn_gas = empty.gas_of_turn("");
        empty.once = empty.least_ns(&turns("", 1));
        let many = empty.least_ns(&turns("", TURNS_MAX));
        empty.turn = [0, 1].map(|engine| (many[engine] - empty.once[engine]) / TURNS_MAX as f64);
        empty
    }

    fn gas_of_turn(&self, code: &str) -> u64 {
        let gas = |count| self.measure.gas(&turns(code, count), ENGINES[0].0);
        (gas(11) - gas(1)) / 10
    }

    fn least_ns(&self, request: &RunRequest) -> [f64; 2] {
        ENGINES.map(|(engine, _)| {
            self.measure.gas(request, engine);
            least((0..ROUNDS).map(|_| self.measure.ns(request, engine)))
        })
    }

    fn copy(&self, code: &str) -> Measured {
        let gas = self.gas_of_turn(code);
        let count = (GAS / gas).clamp(20, TURNS_MAX);
        let ns = self.least_ns(&turns(code, count));
        let copies = count as f64 * f64::from(COPIES);
        let ns = [0, 1].map(|engine| (ns[engine] - self.once[engine] - count as f64 * self.turn[engine]) / copies);
        let all = (gas - self.turn_gas) / u64::from(COPIES);
        let own = if code.contains("call ") { all } else { all - companions(code) };
        Measured { gas: if own == 0 { all } else { own }, ns }
    }
}

/// What only brings operands and takes results: a unit each, and no time on engines that work with registers, except
/// before calls, where arguments are really moved.
fn companions(code: &str) -> u64 {
    let words = code.split_whitespace().filter(|word| word.starts_with("local.") || word.ends_with(".const"));
    u64::try_from(words.count()).unwrap()
}

/// All the time of a case less its frame's, over the price of its operators alone: without locals and constants, unless
/// there is nothing else.
pub fn measure(measure: &Measure, filter: &str) -> Vec<Line> {
    let operators = Operators::new(measure);
    let mut frames = BTreeMap::new();
    let cases = cases().into_iter().filter(|case| case.name.contains(filter));
    let line = |Case { name, code, frame }: Case| {
        let frame = &*frames.entry(frame).or_insert_with(|| match frame {
            "" => Measured { gas: 0, ns: [0.0; 2] },
            frame => operators.copy(frame),
        });
        let whole = operators.copy(&code);
        let ns = [0, 1].map(|engine| (whole.ns[engine] - frame.ns[engine]).max(0.0));
        Line { name, gas: (whole.gas - frame.gas) as f64, ns }
    };
    cases.map(line).collect()
}
