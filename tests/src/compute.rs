//! Compute units of each step of a job's life, over many keys: addresses have different bumps, so costs differ.

use assay_protocol::{Mode, limits::REDUNDANCY_MAX};

use crate::{
    call::Call,
    calls::{create_sink, job_args},
    dispute_compute,
    party::{Party, exited, terms},
    scenario::GAS_USED,
    world::{SOL, World},
};

/// Each step, and the most compute units that it may take.
const GOALS: [(&str, u64); 38] = [
    ("create_market", 20_000),
    ("register_provider", 20_000),
    ("decline_job", 12_000),
    ("create_job", 20_000),
    ("accept_job", 16_000),
    ("submit_results", 12_000),
    ("finalize_job + settle_execution + close_job", 40_000),
    ("claim_reward", 10_000),
    ("enroll_stake", 12_000),
    ("create_job, 9 seats", 20_000),
    ("record_seed", 12_000),
    ("accept_job by ticket", 20_000),
    ("commit_result", 15_000),
    ("reveal_result", 15_000),
    ("open_dispute, 9 seats", 30_000),
    ("finalize_job, 9 seats", 30_000),
    ("settle_execution, right", 12_000),
    ("settle_execution, wrong", 12_000),
    ("open_dispute", 30_000),
    ("enter_dispute", 20_000),
    ("record_seed, a round begins", 12_000),
    ("record_seed, its jury", 12_000),
    ("commit_vote, first two rounds", 15_000),
    ("reveal_vote", 15_000),
    ("reveal_outcome", 15_000),
    ("tally_round", 15_000),
    ("appeal", 15_000),
    ("slash_absent", 15_000),
    ("commit_vote, third round", 15_000),
    ("settle_dispute", 12_000),
    ("settle_challenge, counted", 12_000),
    ("settle_execution, judged", 12_000),
    ("settle_challenge, paid", 12_000),
    ("settle_vote", 12_000),
    ("close_dispute", 12_000),
    ("set_duty", 12_000),
    ("commit_vote, 64 tickets", 15_000),
    ("slash_absent, 64 tickets", 15_000),
];

/// What one step took.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Instruction, or the instructions of the transaction.
    pub name: &'static str,
    /// The most that it may take.
    pub goal: u64,
    units: Vec<u64>,
}

impl Sample {
    /// The middle one.
    #[must_use]
    pub fn median(&self) -> u64 {
        self.units.get(self.units.len() / 2).copied().unwrap_or(0)
    }

    /// The most.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.units.last().copied().unwrap_or(0)
    }
}

/// Plays a whole life of a job with each of `keys` sets of keys. As the SDK does, the poster picks a job id whose
/// address has the highest bump. Every step that has a goal is among the samples.
#[must_use]
pub fn measure(keys: u64) -> Vec<Sample> {
    let mut samples: Vec<Sample> = Vec::new();
    for salt in 0..keys {
        let salted = salt.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let alone = [dispute_compute::full(salted), dispute_compute::light(salted)];
        let disputed = dispute_compute::life(salted).into_iter().chain(alone);
        for (name, units) in life(salted).into_iter().chain(disputed) {
            match samples.iter_mut().find(|sample| sample.name == name) {
                Some(sample) => sample.units.push(units),
                None => samples.push(Sample { name, goal: goal(name), units: vec![units] }),
            }
        }
    }
    for sample in &mut samples {
        sample.units.sort_unstable();
    }
    assert_eq!(samples.len(), GOALS.len(), "a step that has a goal was not played");
    samples
}

fn goal(name: &str) -> u64 {
    GOALS.iter().find(|(step, _)| *step == name).unwrap_or_else(|| panic!("{name} has no goal")).1
}

fn life(salt: u64) -> Vec<(&'static str, u64)> {
    let mut world = World::salted(salt);
    let payer = world.wallet(SOL);
    world.ok(&create_sink(payer));
    let mut party = Party::new(&mut world);
    let mut units = Vec::new();
    for call in [party.create_market(&terms()), party.register_provider()] {
        units.push((call.name, world.ok(&call).compute_units));
    }
    party = (1..).map(|id| party.with_job(id)).find(Party::job_bump_is_highest).expect("half of all ids do");
    units.push(decline(&mut world, &party.with_job(u64::MAX)));
    let steps: [fn(&Party, &World) -> Call; 3] = [
        |party, _| party.create_job(),
        |party, world| party.accept_job(world),
        |party, _| party.submit_results(&exited(GAS_USED)),
    ];
    for step in steps {
        let call = step(&party, &world);
        units.push((call.name, world.ok(&call).compute_units));
    }
    world.advance(160);
    let last = [party.finalize_job(), party.settle_execution(), party.close_job()].map(|call| call.instruction);
    let receipt = world.send_all(&last).expect("the end of a job");
    units.push(("finalize_job + settle_execution + close_job", receipt.compute_units));
    let claim = party.claim_reward();
    units.push((claim.name, world.ok(&claim).compute_units));
    several(&mut world, &party, &mut units);
    units
}

/// A job with as many seats as there may be, of which one is wrong.
fn several(world: &mut World, party: &Party, units: &mut Vec<(&'static str, u64)>) {
    let party = (party.job_id + 1..).map(|id| party.with_job(id)).find(Party::job_bump_is_highest);
    let first = party.expect("half of all ids do");
    let mut seats = vec![first];
    for _ in 1..REDUNDANCY_MAX {
        let other = first.another(world);
        world.ok(&other.register_provider());
        seats.push(first.with_provider_of(&other));
    }
    world.advance(i64::from(terms().unbonding_s));
    let mut take =
        |world: &mut World, name: &'static str, call: &Call| units.push((name, world.ok(call).compute_units));
    for seat in &seats {
        take(world, "enroll_stake", &seat.enroll_stake());
    }
    let mut args = job_args(first.job_id);
    (args.mode, args.redundancy) = (Mode::Redundant.code(), REDUNDANCY_MAX);
    args.escrow_lamports *= u64::from(REDUNDANCY_MAX);
    take(world, "create_job, 9 seats", &first.create_job_with(args));
    world.advance(60);
    world.list_slots();
    take(world, "record_seed", &first.record_seed());
    for seat in &seats {
        let call = seat.accept_job(world);
        take(world, "accept_job by ticket", &call);
    }
    let (wrong, right) = seats.split_last().expect("nine");
    let outcomes = right.iter().map(|_| exited(GAS_USED)).chain([exited(1)]).collect::<Vec<_>>();
    for (seat, outcome) in seats.iter().zip(&outcomes) {
        let call = seat.commit_result(seat.commitment(world, outcome, [7; 32]));
        take(world, "commit_result", &call);
    }
    for (seat, outcome) in seats.iter().zip(&outcomes) {
        take(world, "reveal_result", &seat.reveal_result(outcome, [7; 32]));
    }
    let mut contested = world.clone();
    let dispute = wrong.open_dispute(&contested, wrong.authority, Some([7; 32]));
    take(&mut contested, "open_dispute, 9 seats", &dispute);
    world.advance(160);
    take(world, "finalize_job, 9 seats", &first.finalize_job());
    take(world, "settle_execution, right", &right[0].settle_execution());
    take(world, "settle_execution, wrong", &wrong.settle_execution());
}

/// Another job, accepted and given back.
fn decline(world: &mut World, party: &Party) -> (&'static str, u64) {
    world.ok(&party.create_job());
    let accept = party.accept_job(world);
    world.ok(&accept);
    let call = party.decline_job(1);
    (call.name, world.ok(&call).compute_units)
}
