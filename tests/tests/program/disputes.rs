//! Opening a dispute, entering it, and how its rounds begin.

use assay_protocol::{
    Ballot, ChallengeStatus, DisputeStatus, DrawState, JobStatus, ballot_hash,
    limits::{SEED_DELAY_SLOTS, SEED_REARMS_MAX},
};
use assay_tests::{
    assay::accounts::{Challenge, Dispute, Job},
    court::{Court, lie, truth},
    invariants,
    scenario::Scenario,
    world::slot_hash,
};

#[test]
fn a_dispute_copies_what_its_rounds_depend_on_and_takes_a_challengers_bond() {
    let mut court = Court::submitted(2);
    let (before, job) = (court.panel.world.lamports(&court.challengers[0]), court.panel.job());
    court.open(&truth());
    let (dispute, challenge, party) = (court.dispute(), court.challenge(0), court.anybody());
    let (bond, rents) = (dispute.bond_lamports, dispute.rent_lamports + challenge.rent_lamports);
    assert_eq!(court.panel.world.lamports(&court.challengers[0]), before - bond - rents);
    assert_eq!((dispute.held_lamports, bond), (bond, job.bond_lamports));
    assert_eq!((dispute.job, dispute.market, dispute.poster), (party.job, party.market, party.poster));
    assert_eq!((dispute.job_uid, dispute.executors), (job.job_uid, job.executors));
    assert_eq!((dispute.standing_hash, dispute.gas_limit), (ballot_hash(&job.outcome), job.limits.gas_limit));
    assert_eq!((dispute.opened_unix, dispute.entry_deadline_unix), (court.panel.world.now(), job.window_deadline_unix));
    assert_eq!((dispute.lambda, dispute.quorum_bps), (job.jury_lambda, job.jury_quorum_bps));
    assert_eq!((dispute.execution_s, dispute.reveal_s), (job.execution_s, job.reveal_s));
    assert_eq!((dispute.duty_tickets_total, dispute.is_deadlock), (200, 0));
    assert_eq!((dispute.challenges, dispute.challenges_open, dispute.challenges_revealed), (1, 1, 0));
    assert_eq!(challenge.challenge_status(), Some(ChallengeStatus::Entered));
    assert_eq!((challenge.challenger, challenge.bond_lamports), (court.challengers[0], bond));
    assert_eq!(court.status(), DisputeStatus::Entry);
    let job = court.panel.job();
    assert_eq!((job.status, job.disputes_open), (JobStatus::Disputed.code(), 1));
    invariants::check(&court.panel.world);
}

#[test]
fn i_03_only_a_result_that_is_not_final_is_disputed() {
    for mut s in [Scenario::open(), Scenario::assigned(), Scenario::resolved()] {
        let call = s.party.open_dispute(&s.world, s.party.poster, Some([1; 32]));
        s.world.refuse(&call, "NotDisputable");
    }
    let mut court = Court::opened(1);
    // The address is taken, the job disputed: the second may enter.
    let again = court.open_call(1, &truth());
    court.panel.world.refuse(&again, "NotDisputable");
}

#[test]
fn p_06_in_the_second_in_which_the_window_ends_the_result_is_final() {
    let mut court = Court::submitted(1);
    let call = court.open_call(0, &truth());
    court.panel.world.advance_to(court.panel.job().window_deadline_unix);
    court.panel.world.refuse(&call, "DeadlinePassed");
    court.panel.world.ok(&court.anybody().finalize_job());
    court.panel.world.refuse(&call, "NotDisputable");
    let mut court = Court::submitted(1);
    court.panel.world.advance_to(court.panel.job().window_deadline_unix - 1);
    court.panel.world.refuse(&court.anybody().finalize_job(), "DeadlineNotReached");
    court.panel.world.ok(&call);
}

#[test]
fn a_result_is_contested_with_a_challenge_and_a_deadlock_without() {
    let mut court = Court::submitted(1);
    let party = court.anybody();
    let payer = court.challengers[0];
    court.panel.world.refuse(&party.open_dispute(&court.panel.world, payer, None), "AccountsMissing");
    court
        .panel
        .world
        .refuse(&court.open_call(0, &truth()).with("challenge", assay_tests::assay::ID), "AccountsMissing");
    court.panel.world.refuse(&party.open_dispute(&court.panel.world, payer, Some([0; 32])), "CommitmentZero");

    let mut court = Court::deadlocked();
    let payer = court.challengers[0];
    court
        .panel
        .world
        .refuse(&court.anybody().open_dispute(&court.panel.world, payer, Some([1; 32])), "AccountsMissing");
    let with = court
        .anybody()
        .open_dispute(&court.panel.world, payer, None)
        .with("challenge", court.anybody().challenge(payer));
    court.panel.world.refuse(&with, "AccountsMissing");
}

#[test]
fn a_deadlock_goes_to_a_jury_at_once_and_for_nothing() {
    let mut court = Court::deadlocked();
    let (payer, party) = (court.challengers[0], court.anybody());
    let before = court.panel.world.lamports(&payer);
    court.panel.world.ok(&party.open_dispute(&court.panel.world, payer, None));
    let dispute = court.dispute();
    assert_eq!(court.panel.world.lamports(&payer), before - dispute.rent_lamports);
    assert_eq!((court.status(), dispute.is_deadlock, dispute.standing_hash), (DisputeStatus::Drawing, 1, [0; 32]));
    assert_eq!((dispute.challenges, dispute.held_lamports), (0, 0));
    let late = court.enter_call(1, &truth());
    court.panel.world.refuse(&late, "EntryClosed");
    court.draw();
    court.judge(&[(0, Ballot::Outcome(truth())), (1, Ballot::Outcome(truth()))]);
    assert_eq!(court.dispute().verdict_hash, truth().hash());
    invariants::check(&court.panel.world);
}

#[test]
fn p_06_a_deadlock_that_nobody_brought_to_a_jury_in_time_expires() {
    let mut court = Court::deadlocked();
    court.panel.world.advance_to(court.panel.job().window_deadline_unix);
    court
        .panel
        .world
        .refuse(&court.anybody().open_dispute(&court.panel.world, court.challengers[0], None), "DeadlinePassed");
    court.panel.world.ok(&court.anybody().expire_open_job());
}

/// A friend of the liar that comes first closes nothing to others.
#[test]
fn p_17_any_number_of_challengers_enter_each_with_an_account_and_a_bond() {
    let mut court = Court::opened(1);
    let call = court.enter_call(1, &lie());
    court.panel.world.ok(&call);
    let dispute = court.dispute();
    assert_eq!((dispute.challenges, dispute.held_lamports), (2, 2 * dispute.bond_lamports));
    let zero = court.anybody().enter_dispute(court.juror(0).authority, [0; 32]);
    court.panel.world.refuse(&zero, "CommitmentZero");
    court.panel.world.refuse(&call, "AccountInUse");
    invariants::check(&court.panel.world);

    let third = court.anybody().enter_dispute(court.juror(0).authority, [3; 32]);
    court.panel.world.advance_to(dispute.entry_deadline_unix);
    court.panel.world.refuse(&third, "DeadlinePassed");
    court.panel.world.ok(&court.anybody().record_jury_seed());
    court.panel.world.refuse(&third, "EntryClosed");
}

#[test]
fn p_17_the_executors_own_wallet_may_challenge_for_a_bond() {
    let mut court = Court::submitted(1);
    let party = court.anybody();
    let commitment = party.challenge_commitment(&court.panel.world, party.authority, (&truth(), Court::SALT));
    court.panel.world.ok(&party.open_dispute(&court.panel.world, party.authority, Some(commitment)));
    assert_eq!(court.dispute().held_lamports, court.dispute().bond_lamports);
    invariants::check(&court.panel.world);
}

#[test]
fn the_first_round_begins_when_entry_is_over_and_its_jury_is_drawn() {
    let mut court = Court::opened(2);
    let record = court.anybody().record_jury_seed();
    court.panel.world.advance_to(court.dispute().entry_deadline_unix - 1);
    court.panel.world.refuse(&record, "DeadlineNotReached");
    court.panel.world.advance(1);
    court.panel.world.ok(&record);
    let dispute = court.dispute();
    assert_eq!((court.status(), dispute.expected), (DisputeStatus::Drawing, 9));
    assert_eq!(dispute.draw.seed_slot, court.panel.world.slot() + SEED_DELAY_SLOTS);
    court.panel.world.list_slots();
    court.panel.world.refuse(&record, "SeedNotReady");
    court.panel.world.advance(10);
    court.panel.world.list_slots();
    court.panel.world.ok(&record);
    let dispute = court.dispute();
    assert_eq!(court.status(), DisputeStatus::Voting);
    assert_eq!(dispute.commit_deadline_unix, court.panel.world.now() + i64::from(dispute.execution_s));
    assert_eq!(dispute.reveal_deadline_unix, dispute.commit_deadline_unix + i64::from(dispute.reveal_s));
    let subject =
        assay_protocol::Subject { job_uid: &dispute.job_uid, purpose: assay_protocol::Purpose::Jury, round: 0 };
    assert_eq!(dispute.draw.seed, assay_protocol::draw::seed(&slot_hash(dispute.draw.seed_slot), &subject));
    // Whoever comes second changes nothing.
    let before = court.panel.world.snapshot();
    court.panel.world.ok(&record);
    court.panel.world.assert_unchanged(&before);
    invariants::check(&court.panel.world);
}

#[test]
fn p_19_a_seed_that_nobody_records_thrice_lets_everybody_vote() {
    let mut court = Court::opened(2);
    let record = court.anybody().record_jury_seed();
    court.panel.world.advance_to(court.dispute().entry_deadline_unix);
    court.panel.world.ok(&record);
    for rearmed in 1..=SEED_REARMS_MAX {
        court.panel.world.advance(1_000);
        court.panel.world.list_slots();
        court.panel.world.ok(&record);
        let dispute = court.dispute();
        assert_eq!((court.status(), dispute.draw.rearmed), (DisputeStatus::Drawing, rearmed));
        assert_eq!(dispute.draw.seed_slot, court.panel.world.slot() + SEED_DELAY_SLOTS);
    }
    court.panel.world.advance(1_000);
    court.panel.world.list_slots();
    court.panel.world.ok(&record);
    let dispute = court.dispute();
    assert_eq!((court.status(), dispute.expected), (DisputeStatus::Voting, 200));
    assert_eq!(assay_protocol::Draw::from(dispute.draw).state, DrawState::Everybody);
    let vote = court.vote_call(0, &Ballot::Unavailable);
    court.panel.world.ok(&vote);
    assert_eq!(court.ballot(0).weight, 100);
    invariants::check(&court.panel.world);
}

#[test]
fn a_jury_is_recorded_for_the_job_that_it_judges() {
    let mut court = Court::opened(1);
    let other = court.anybody().with_job(2);
    court.panel.world.ok(&other.create_job());
    let call = court.anybody().record_jury_seed().with("job", other.job);
    court.panel.world.refuse(&call, "dispute.JobMismatch");
}

#[test]
fn p_01_a_challenger_reveals_once_votes_are_committed_and_before_the_round_ends() {
    let mut court = Court::opened(1);
    let call = court.show_call(0, &truth());
    court.panel.world.refuse(&call, "DisputeNotVoting");
    court.begin();
    court.panel.world.advance_to(court.dispute().commit_deadline_unix - 1);
    court.panel.world.refuse(&call, "TooEarly");
    court.panel.world.advance(1);
    let mut late = court.clone();
    late.panel.world.advance_to(court.dispute().reveal_deadline_unix);
    late.panel.world.refuse(&call, "DeadlinePassed");
    court.panel.world.ok(&call);
    let challenge = court.challenge(0);
    assert_eq!(challenge.challenge_status(), Some(ChallengeStatus::Revealed));
    assert_eq!((challenge.outcome_hash, court.dispute().challenges_revealed), (truth().hash(), 1));
    court.panel.world.refuse(&call, "ChallengeNotEntered");
    invariants::check(&court.panel.world);
}

#[test]
fn p_01_a_challenge_opens_for_its_outcome_salt_and_key_alone() {
    let mut court = Court::submitted(1);
    court.open(&truth());
    // The other challenger copies the commitment, and reveals what the first one does.
    let commitment = court.challenge(0).commitment;
    court.panel.world.ok(&court.anybody().enter_dispute(court.challengers[1], commitment));
    court.begin();
    court.panel.world.advance_to(court.dispute().commit_deadline_unix);
    let (party, world) = (court.anybody(), &mut court.panel.world);
    let [first, second] = court.challengers;
    world.refuse(&party.reveal_outcome(first, &truth(), [9; 32]), "CommitmentMismatch");
    world.refuse(&party.reveal_outcome(second, &truth(), Court::SALT), "CommitmentMismatch");
    world.refuse(&party.reveal_outcome(first, &lie(), Court::SALT), "OutcomeStands");
    world.refuse(&party.reveal_outcome_bytes(first, [0xff; 79], Court::SALT), "OutcomeNotCanonical");
    // Nor is it an outcome that the content cannot be had.
    world.refuse(&party.reveal_outcome_bytes(first, [0; 79], Court::SALT), "OutcomeNotCanonical");
    world.edit::<Dispute>(&party.dispute(), |dispute| dispute.round = 1);
    world.refuse(&party.reveal_outcome(first, &truth(), Court::SALT), "RoundOver");
}

#[test]
fn p_17_who_challenges_with_the_standing_result_cannot_reveal_it() {
    let mut court = Court::submitted(1);
    court.open(&lie());
    court.begin();
    court.panel.world.advance_to(court.dispute().commit_deadline_unix);
    let call = court.show_call(0, &lie());
    court.panel.world.refuse(&call, "OutcomeStands");
}

#[test]
fn p_24_a_job_stays_while_its_dispute_does() {
    let mut court = Court::opened(1);
    let party = court.anybody();
    court.panel.world.edit::<Job>(&party.job, |job| {
        job.status = JobStatus::Expired.code();
        job.executions_open = 0;
    });
    court.panel.world.refuse(&party.close_job(), "DisputesOpen");
}

#[test]
fn lamports_that_lie_at_a_challenges_address_pay_its_rent_and_no_bond() {
    let mut court = Court::opened(1);
    let at = court.anybody().challenge(court.challengers[1]);
    court.panel.world.donate(&at, 1);
    let (before, rent) = (court.panel.world.lamports(&court.challengers[1]), court.challenge(0).rent_lamports);
    let call = court.enter_call(1, &truth());
    court.panel.world.ok(&call);
    let paid = before - court.panel.world.lamports(&court.challengers[1]);
    assert_eq!(paid, rent - 1 + court.dispute().bond_lamports);
    assert_eq!(court.panel.world.read::<Challenge>(&at).rent_lamports, rent);
}
