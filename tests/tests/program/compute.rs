//! compute units over random keys, bounded for each step of a job's life.

use assay_tests::{compute, mutate::Fixture, party::Party, world::World};

use crate::fixtures;

#[test]
fn a_24_every_step_of_a_job_stays_within_its_compute_units() {
    for sample in compute::measure(25) {
        assert!(sample.max() <= sample.goal, "{}: {} of {} compute units", sample.name, sample.max(), sample.goal);
    }
}

/// What no instruction reaches.
const EVERY_BOUND: u64 = 30_000;

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
