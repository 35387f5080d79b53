//! Taking a seat, giving it back, submitting.

use assay_protocol::JobStatus;
use assay_tests::{
    assay::{
        accounts::{Execution, Provider, Sink},
        types::UpdateProviderArgs,
    },
    party::{CAPACITY, STAKE, exited, sink, terms},
    scenario::Scenario,
    world::SOL,
};

use crate::golden;

const BOND: u64 = 10_000_000;
/// 10 of 160 seconds of a miss, which costs half of the bond.
const DECLINE_COST: u64 = 312_500;

fn capped(cap: u64) -> UpdateProviderArgs {
    UpdateProviderArgs { exposure_cap_lamports: Some(cap), capacity: None, endpoint: None }
}

#[test]
fn p_06_the_first_to_accept_wins_and_the_second_loses_nothing() {
    for first_is_rival in [false, true] {
        let mut s = Scenario::open();
        let rival = s.rival();
        let (first, second) = if first_is_rival { (rival, s.party) } else { (s.party, rival) };
        s.world.ok(&first.accept_job(&s.world));
        s.world.refuse(&second.accept_job(&s.world), "JobNotOpen");
        assert_eq!(s.job().executors[0], first.provider);
    }
}

#[test]
fn only_an_open_job_is_accepted() {
    for stage in [
        Scenario::assigned(),
        Scenario::submitted(),
        Scenario::resolved(),
        Scenario::settled(),
        Scenario::cancelled(),
        Scenario::expired(),
    ] {
        let mut s = stage;
        let rival = s.rival();
        s.world.refuse(&rival.accept_job(&s.world), "JobNotOpen");
    }
}

#[test]
fn a_31_an_open_job_is_accepted_until_the_second_before_its_deadline() {
    let mut s = Scenario::open();
    let deadline = s.job().queue_deadline_unix;
    s.world.advance_to(deadline - 1);
    s.world.clone().ok(&s.party.accept_job(&s.world));
    s.world.refuse(&s.party.expire_open_job(), "DeadlineNotReached");
    s.world.advance_to(deadline);
    s.world.refuse(&s.party.accept_job(&s.world), "DeadlinePassed");
    s.world.ok(&s.party.expire_open_job());
}

#[test]
fn p_07_a_seat_needs_stake_free_stake_exposure_and_capacity() {
    type Edit = (fn(&mut Provider), &'static str);
    let edits: [Edit; 6] = [
        (|provider| provider.stake_lamports = SOL - 1, "StakeTooSmall"),
        (|provider| provider.locked_lamports = STAKE, "FreeStakeTooSmall"),
        (|provider| provider.locked_lamports = STAKE - BOND + 1, "FreeStakeTooSmall"),
        (|provider| provider.exposure_cap_lamports = BOND - 1, "ExposureCapReached"),
        (|provider| provider.active = CAPACITY, "CapacityReached"),
        (|provider| provider.capacity = 0, "CapacityReached"),
    ];
    for (edit, error) in edits {
        let mut s = Scenario::open();
        s.world.edit::<Provider>(&s.party.provider, edit);
        s.world.refuse(&s.party.accept_job(&s.world), error);
    }
    // Each at its very bound.
    let mut s = Scenario::open();
    s.world.edit::<Provider>(&s.party.provider, |provider| {
        provider.stake_lamports = SOL;
        provider.locked_lamports = SOL - BOND;
        provider.exposure_cap_lamports = SOL;
        provider.capacity = 1;
    });
    s.world.ok(&s.party.accept_job(&s.world));
}

#[test]
fn p_07_every_seat_held_costs_a_bond_until_the_stake_is_used_up() {
    let mut s = Scenario::ready();
    let cap = 2 * BOND + BOND / 2;
    s.world.ok(&s.party.update_provider(capped(cap), None));
    for id in 1..=3 {
        let party = s.party.with_job(id);
        s.world.ok(&party.create_job());
        if id <= 2 {
            s.world.ok(&party.accept_job(&s.world));
        } else {
            s.world.refuse(&party.accept_job(&s.world), "ExposureCapReached");
        }
    }
    assert_eq!(s.provider().locked_lamports, 2 * BOND);
}

#[test]
fn a_provider_of_another_market_or_another_key_is_refused() {
    let mut s = Scenario::open();
    let mut foreign = assay_tests::party::Party::new(&mut s.world);
    s.world.ok(&foreign.create_market(&terms()));
    s.world.ok(&foreign.register_provider());
    (foreign.job, foreign.poster) = (s.party.job, s.party.poster);
    s.world.refuse(&foreign.accept_job(&s.world), "job.MarketMismatch");
    s.world.refuse(&foreign.accept_job(&s.world).with("market", s.party.market), "provider.MarketMismatch");
    s.world.refuse(&s.party.accept_job(&s.world).with("node_key", s.party.authority), "provider.NodeKeyMismatch");
    s.world.refuse(&s.party.accept_job(&s.world).with("node_key", foreign.node_key), "provider.NodeKeyMismatch");
}

#[test]
fn a_provider_that_missed_a_job_cannot_take_it_again() {
    let mut s = Scenario::requeued();
    s.world.refuse(&s.party.accept_job(&s.world), "ExecutionExists");
    let rival = s.rival();
    s.world.ok(&rival.accept_job(&s.world));
}

#[test]
fn declining_frees_the_job_counts_no_attempt_and_costs_the_time() {
    let mut s = Scenario::assigned();
    s.world.advance(10);
    let node_before = s.lamports(&s.party.node_key);
    let rent = s.lamports(&s.party.execution);
    s.world.ok(&s.party.decline_job(7));
    let (job, provider) = (s.job(), s.provider());
    assert_eq!(s.status(), JobStatus::Open);
    assert_eq!((job.attempt, job.seats_filled, job.executions_open), (0, 0, 0));
    assert_eq!(job.executors[0], solana_pubkey::Pubkey::default());
    assert_eq!(job.queue_deadline_unix, s.world.now() + 600);
    assert_eq!(provider.stake_lamports, STAKE - DECLINE_COST);
    assert_eq!((provider.locked_lamports, provider.active, provider.trust.declined), (0, 0, 1));
    assert_eq!(s.world.read::<Sink>(&sink()).burned_lamports, DECLINE_COST);
    assert_eq!(s.lamports(&s.party.node_key), node_before + rent);
    assay_tests::invariants::check(&s.world);
    // Nobody is excluded by declining.
    s.world.ok(&s.party.accept_job(&s.world));
}

#[test]
fn a_31_declining_is_possible_until_the_second_before_the_deadline() {
    let mut s = Scenario::assigned();
    let deadline = s.job().execution_deadline_unix;
    s.world.advance_to(deadline - 1);
    s.world.clone().ok(&s.party.decline_job(1));
    s.world.advance_to(deadline);
    s.world.refuse(&s.party.decline_job(1), "DeadlinePassed");
}

#[test]
fn only_the_holder_declines_and_only_while_it_works() {
    let mut s = Scenario::assigned();
    let rival = s.rival();
    let call = rival.decline_job(1).with("execution", s.party.execution);
    s.world.refuse(&call, "execution.ProviderMismatch");
    s.world.refuse(&s.party.decline_job(1).with("rent_payer", rival.node_key), "execution.RentPayerMismatch");
    s.world.ok(&s.party.submit_results(&exited(1)));
    s.world.refuse(&s.party.decline_job(1), "JobNotAssigned");
    let mut s = Scenario::resolved();
    s.world.refuse(&s.party.decline_job(1), "JobNotAssigned");
}

#[test]
fn a_missed_seat_cannot_be_declined_or_submitted_while_another_works() {
    let mut s = Scenario::requeued();
    let rival = s.rival();
    s.world.ok(&rival.accept_job(&s.world));
    s.world.refuse(&s.party.decline_job(1), "ExecutionNotAccepted");
    s.world.refuse(&s.party.submit_results(&exited(1)), "ExecutionNotAccepted");
    s.world.ok(&rival.submit_results(&exited(1)));
}

#[test]
fn i_07_a_second_result_is_refused_whether_equal_or_not() {
    let mut s = Scenario::submitted();
    s.world.refuse(&s.party.submit_results(&exited(assay_tests::scenario::GAS_USED)), "JobNotAssigned");
    s.world.refuse(&s.party.submit_results(&exited(1)), "JobNotAssigned");
    let mut s = Scenario::resolved();
    s.world.refuse(&s.party.submit_results(&exited(1)), "JobNotAssigned");
}

#[test]
fn a_31_a_result_after_the_deadline_is_refused() {
    let mut s = Scenario::assigned();
    let deadline = s.job().execution_deadline_unix;
    s.world.advance_to(deadline - 1);
    s.world.clone().ok(&s.party.submit_results(&exited(1)));
    s.world.advance_to(deadline);
    s.world.refuse(&s.party.submit_results(&exited(1)), "DeadlinePassed");
}

#[test]
fn only_the_holder_submits() {
    let mut s = Scenario::assigned();
    let rival = s.rival();
    let outcome = exited(1);
    s.world.refuse(&rival.submit_results(&outcome).with("execution", s.party.execution), "execution.ProviderMismatch");
    s.world.refuse(&s.party.submit_results(&outcome).with("node_key", rival.node_key), "provider.NodeKeyMismatch");
    s.world.refuse(&s.party.submit_results(&outcome).unsigned("node_key"), "node_key.AccountNotSigner");
}

#[test]
fn only_canonical_outcomes_of_this_job_are_taken() {
    let mut s = Scenario::assigned();
    for encoding in golden::refused_outcomes() {
        // The vectors' gas limit is a million; here it is what the job says, so gas rows are built below.
        let Ok(bytes) = <[u8; 79]>::try_from(encoding.as_slice()) else { continue };
        if assay_protocol::Outcome::decode(&bytes, 1_000_000_000).is_err() {
            s.world.refuse(&s.party.submit_bytes(bytes), "OutcomeNotCanonical");
        }
    }
    s.world.refuse(&s.party.submit_bytes([0; 79]), "OutcomeNotCanonical");
    s.world.refuse(&s.party.submit_bytes([255; 79]), "OutcomeNotCanonical");
    s.world.refuse(&s.party.submit_results(&exited(1_000_000_001)), "OutcomeNotCanonical");
    s.world.ok(&s.party.submit_results(&exited(1_000_000_000)));
}

#[test]
fn p_14_another_providers_acceptance_between_two_calls_changes_nothing_for_others() {
    let mut s = Scenario::open();
    let rival = s.rival();
    let other_job = s.party.with_job(2);
    s.world.ok(&other_job.create_job());
    s.world.ok(&rival.with_job(2).accept_job(&s.world));
    s.world.ok(&s.party.accept_job(&s.world));
    let held: Execution = s.world.read(&s.party.execution);
    assert_eq!(held.lock_lamports, BOND);
}
