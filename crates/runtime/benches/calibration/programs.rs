//! Real programs: the corpus and the sample jobs.

use assay_runtime::RunRequest;

use super::{
    Line,
    corpus::{self, Size},
    measure::{ENGINES, Measure, least},
    samples::sample,
};

/// Every figure of a program is the least of so many.
const ROUNDS: usize = 3;

/// What whole programs take.
pub struct Programs {
    /// Gas per program and engine, and the time from its first to its last operator.
    pub running: Vec<Line>,
    /// Instantiation gas and the time before the first operator.
    pub setting_up: Vec<Line>,
}

/// Compiling is not in it where a store keeps what it gives.
pub fn measure(measure: &Measure) -> Programs {
    let (mut running, mut setting_up) = (Vec::new(), Vec::new());
    for (name, request) in programs() {
        let gas = ENGINES.map(|(engine, _)| measure.gas(&request, engine))[0];
        let before = ENGINES.map(|(engine, _)| measure.set_up_ns(&request, engine));
        let all = ENGINES.map(|(engine, _)| least((0..ROUNDS).map(|_| measure.ns(&request, engine))));
        let ns = [0, 1].map(|engine| all[engine] - before[engine]);
        running.push(Line { name: name.clone(), gas: gas as f64, ns });
        setting_up.push(Line { name, gas: request.metered.instantiation_gas as f64, ns: before });
    }
    Programs { running, setting_up }
}

fn programs() -> Vec<(String, RunRequest)> {
    let corpus = corpus::programs().into_iter().map(|program| (program.name.to_owned(), program.request(Size::Large)));
    let samples = ["customer-tiers", "mandelbrot", "word-count"].map(|name| (name.to_owned(), sample(name).0));
    corpus.chain(samples).collect()
}
