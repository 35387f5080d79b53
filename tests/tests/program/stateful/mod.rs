//! Random calls by random people with jumps in time: after every step the promises hold. What is tried, where and by
//! whom are drawn each on its own; a call that somebody else signed must be refused and change nothing. A failing play
//! prints its steps, and proptest shrinks it.

mod cast;
mod play;
mod step;

use std::{cell::RefCell, collections::BTreeMap};

use assay_tests::idl;
use proptest::{
    prelude::*,
    test_runner::{RngSeed, TestRunner},
};

use play::{Play, Tally};

/// Plays in an ordinary run; `PROPTEST_CASES` asks for more.
const CASES: u32 = 64;
/// Most steps of a play.
const STEPS_MAX: usize = 160;
/// How often each instruction goes through and is refused, at the least, in an ordinary run. What is played is fixed
/// (`PROPTEST_RNG_SEED` asks for other plays), so that a step that lost its effect is noticed and nothing flickers.
const LEAST: u32 = 3;

fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    let rng_seed = if std::env::var_os("PROPTEST_RNG_SEED").is_some() { asked.rng_seed } else { RngSeed::Fixed(2_026) };
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..asked }
}

/// What only jobs of several seats and disputes need; those are played against the model, see `assay-model`.
const ELSEWHERE: [&str; 18] = [
    "enroll_stake",
    "record_seed",
    "record_collision",
    "commit_result",
    "reveal_result",
    "set_duty",
    "open_dispute",
    "enter_dispute",
    "commit_vote",
    "reveal_vote",
    "reveal_outcome",
    "tally_round",
    "appeal",
    "slash_absent",
    "settle_dispute",
    "settle_challenge",
    "settle_vote",
    "close_dispute",
];

#[test]
fn i_01_i_02_i_03_i_04_i_05_i_06_promises_hold_after_every_step_of_any_play() {
    let tally = RefCell::new(Tally::default());
    let plays = prop::collection::vec(step::step(), 1..STEPS_MAX);
    let result = TestRunner::new(config()).run(&plays, |steps| {
        let mut play = Play::new();
        for step in steps {
            play.step(&step);
        }
        play.end_by_a_stranger();
        tally.borrow_mut().add(&play.tally);
        Ok(())
    });
    let tally = tally.into_inner();
    println!("{tally}");
    if let Err(failure) = result {
        panic!("{failure}");
    }
    let counts: BTreeMap<&str, _> = tally.calls.iter().map(|(name, count)| (*name, count)).collect();
    for name in idl::instruction_names().into_iter().filter(|name| !ELSEWHERE.contains(&name.as_str())) {
        let count = counts.get(name.as_str()).unwrap_or_else(|| panic!("{name} was never tried"));
        assert!(count.done >= LEAST, "{name} went through {} times: {tally}", count.done);
        assert!(count.refused >= LEAST, "{name} was refused {} times: {tally}", count.refused);
        assert!(count.impostors >= LEAST || !count.is_privileged, "{name} had too few impostors: {tally}");
    }
}
