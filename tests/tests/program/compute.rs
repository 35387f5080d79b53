//! compute units over random keys, bounded for each step of a job's life.

use assay_tests::{compute, party::Party, world::World};

/// Bounds of docs/benchmarks.md, measured with the kit build.
const BOUNDS: [(&str, u64); 22] = [
    ("create_job", 20_000),
    ("accept_job", 20_000),
    ("decline_job", 15_000),
    ("submit_results", 12_000),
    ("finalize_job + settle_execution + close_job", 40_000),
    ("claim_reward", 10_000),
    ("accept_job by ticket", 22_000),
    ("record_seed", 12_000),
    ("commit_result", 15_000),
    ("reveal_result", 18_000),
    ("finalize_job, 3 seats", 30_000),
    ("settle_execution, right", 19_000),
    ("settle_execution, wrong", 19_000),
    ("set_duty", 12_000),
    ("open_dispute", 30_000),
    ("enter_dispute", 18_000),
    ("record_seed, a round begins", 15_000),
    ("record_seed, its jury", 15_000),
    // Two searches for addresses, each over several candidates for some keys: 15,000 in the middle.
    ("commit_vote, 5 tickets at most", 20_000),
    ("reveal_vote", 15_000),
    ("reveal_outcome", 15_000),
    ("tally_round", 15_000),
];

#[test]
fn a_24_every_step_of_a_job_stays_within_its_compute_units() {
    let samples = compute::measure(25);
    for (name, bound) in BOUNDS {
        let sample = samples.iter().find(|sample| sample.name == name).expect("measured");
        assert!(sample.max() <= bound, "{name}: {} of {bound} compute units", sample.max());
    }
}

#[test]
fn a_24_worlds_of_different_salts_have_different_addresses() {
    let keys = [1, 2].map(|salt| Party::new(&mut World::salted(salt)).provider);
    assert_ne!(keys[0], keys[1]);
}
