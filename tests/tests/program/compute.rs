//! compute units over random keys, bounded for each step of a job's life.

use assay_tests::{compute, mutate::Fixture, party::Party, world::World};

use crate::fixtures;

/// Bounds of docs/benchmarks.md, measured with the kit build.
const BOUNDS: [(&str, u64); 32] = [
    ("create_job", 20_000),
    ("accept_job", 16_000),
    ("decline_job", 12_000),
    ("submit_results", 12_000),
    ("finalize_job + settle_execution + close_job", 40_000),
    ("claim_reward", 10_000),
    ("accept_job by ticket", 20_000),
    ("record_seed", 12_000),
    ("commit_result", 15_000),
    ("reveal_result", 15_000),
    ("finalize_job, 9 seats", 30_000),
    ("settle_execution, right", 12_000),
    ("settle_execution, wrong", 12_000),
    ("set_duty", 12_000),
    ("open_dispute", 25_000),
    ("enter_dispute", 16_000),
    ("record_seed, a round begins", 12_000),
    ("record_seed, its jury", 12_000),
    ("commit_vote, first two rounds", 15_000),
    ("commit_vote, third round", 15_000),
    ("commit_vote, 64 tickets", 15_000),
    ("reveal_vote", 12_000),
    ("reveal_outcome", 12_000),
    ("tally_round", 12_000),
    ("appeal", 15_000),
    ("slash_absent", 15_000),
    ("slash_absent, 64 tickets", 15_000),
    ("settle_dispute", 12_000),
    ("settle_challenge, counted", 12_000),
    ("settle_execution, judged", 12_000),
    ("settle_challenge, paid", 12_000),
    ("settle_vote", 12_000),
];

#[test]
fn a_24_every_step_of_a_job_stays_within_its_compute_units() {
    let samples = compute::measure(25);
    for (name, bound) in BOUNDS {
        let sample = samples.iter().find(|sample| sample.name == name).expect("measured");
        assert!(sample.max() <= bound, "{name}: {} of {bound} compute units", sample.max());
    }
}

/// What no instruction reaches, in whichever of the states that the mutation suite starts it from.
const EVERY_BOUND: u64 = 20_000;

#[test]
fn a_24_every_instruction_of_the_program_stays_below_one_bound() {
    for name in fixtures::names() {
        let Fixture { mut world, call, .. } = fixtures::fixture(&name);
        let units = world.ok(&call).compute_units;
        assert!(units <= EVERY_BOUND, "{name}: {units} of {EVERY_BOUND} compute units");
    }
}

#[test]
fn a_24_worlds_of_different_salts_have_different_addresses() {
    let keys = [1, 2].map(|salt| Party::new(&mut World::salted(salt)).provider);
    assert_ne!(keys[0], keys[1]);
}
