//! States that no instruction writes. Were one there all the same, it is refused by name, never repaired or paid from.

use assay_protocol::{Ballot, JobStatus};
use assay_tests::{
    assay::accounts::{Challenge, Dispute, Execution, Job, Provider, Vote},
    court::{Court, truth},
    idl,
    scenario::Scenario,
};

/// Refusals that no account can provoke, each with the reason.
const UNREACHABLE: [(&str, &str); 2] = [
    ("TransitionForbidden", "every handler asks for the status by its own name before it asks for the transition"),
    ("ExecutionNotSettleable", "every status of a seat that the protocol knows is settled in one way or another"),
];

#[test]
fn a_status_byte_that_no_version_wrote_is_refused() {
    for status in [0, 10, u8::MAX] {
        let mut s = Scenario::assigned();
        s.world.edit::<Job>(&s.party.job, |job| job.status = status);
        for call in [
            s.party.accept_job(&s.world).with("execution", s.party.with_job(2).execution),
            s.party.submit_results(&assay_tests::party::exited(1)),
            s.party.decline_job(1),
            s.party.cancel_job(),
            s.party.finalize_job(),
            s.party.settle_execution(),
            s.party.expire_assigned_job(),
            s.party.close_job(),
        ] {
            s.world.refuse(&call, "StatusUnknown");
        }
        let mut s = Scenario::assigned();
        s.world.edit::<Execution>(&s.party.execution, |execution| execution.status = status);
        s.world.refuse(&s.party.submit_results(&assay_tests::party::exited(1)), "StatusUnknown");
        of_a_dispute(status);
    }
}

fn of_a_dispute(status: u8) {
    let ballot = Ballot::Unavailable;
    let mut court = Court::voting(1);
    court.vote(&[(0, ballot)]);
    let at = court.anybody().dispute();
    let (vote, challenge) = (court.juror(0).vote(0), court.anybody().challenge(court.challengers[0]));
    let calls = [court.reveal_call(0, &ballot), court.show_call(0, &truth()), court.anybody().tally_round()];
    let mut broken = court.panel.world.clone();
    broken.edit::<Dispute>(&at, |dispute| dispute.status = status);
    for call in calls.iter().chain([&court.enter_call(1, &truth()), &court.anybody().record_jury_seed()]) {
        broken.refuse(call, "StatusUnknown");
    }
    let world = &mut court.panel.world;
    world.edit::<Vote>(&vote, |vote| vote.status = status);
    world.edit::<Challenge>(&challenge, |challenge| challenge.status = status);
    world.refuse(&calls[0], "StatusUnknown");
    world.refuse(&calls[1], "StatusUnknown");
}

#[test]
fn a_disputed_job_ends_by_its_dispute_and_in_no_other_way() {
    let mut s = Scenario::submitted();
    s.world.edit::<Job>(&s.party.job, |job| job.status = JobStatus::Disputed.code());
    s.world.advance(10_000_000);
    s.world.refuse(&s.party.finalize_job(), "JobNotSubmitted");
    s.world.refuse(&s.party.settle_execution(), "JobNotTerminal");
    s.world.refuse(&s.party.expire_open_job(), "JobNotExpirable");
    s.world.refuse(&s.party.close_job(), "JobNotTerminal");
}

#[test]
fn an_open_job_with_a_seat_taken_is_not_cancelled() {
    let mut s = Scenario::open();
    s.world.edit::<Job>(&s.party.job, |job| job.seats_filled = 1);
    s.world.refuse(&s.party.cancel_job(), "SeatTaken");
}

#[test]
fn a_seat_whose_result_came_to_nothing_is_set_free_unpaid() {
    for status in [JobStatus::Expired, JobStatus::Cancelled] {
        let mut s = Scenario::resolved();
        s.world.edit::<Job>(&s.party.job, |job| job.status = status.code());
        s.world.ok(&s.party.settle_execution());
        let provider = s.provider();
        assert_eq!((provider.earnings_lamports, provider.locked_lamports, provider.active), (0, 0, 0));
    }
}

#[test]
fn i_01_more_locked_than_staked_is_refused() {
    let mut s = Scenario::open();
    s.world.edit::<Provider>(&s.party.provider, |provider| provider.locked_lamports = provider.stake_lamports + 1);
    s.world.refuse(&s.party.accept_job(&s.world), "LockExceedsStake");
    s.world.refuse(&s.party.unstake(1), "LockExceedsStake");
}

#[test]
fn i_01_an_account_that_holds_less_than_it_owes_pays_nobody() {
    let mut s = Scenario::settled();
    let mut account = s.world.account(&s.party.provider).expect("a provider");
    account.lamports -= 1;
    s.world.set_account(s.party.provider, account);
    s.world.refuse(&s.party.claim_reward(), "LedgerNotBacked");
    let mut account = s.world.account(&s.party.job).expect("a job");
    account.lamports -= 1;
    s.world.set_account(s.party.job, account);
    s.world.refuse(&s.party.close_job(), "LedgerNotBacked");
}

#[test]
fn every_refusal_of_the_program_is_provoked_by_a_test() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program");
    let sources: String = std::fs::read_dir(directory)
        .expect("the tests' own sources")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file())
        .map(|path| std::fs::read_to_string(path).expect("text"))
        .collect();
    for name in idl::error_names() {
        // The terms' refusals are named by the golden vectors.
        let provoked = name.starts_with("Terms")
            || [format!("\"{name}\""), format!(".{name}\""), format!("-> {name}\n"), format!(".{name}\n")]
                .iter()
                .any(|text| sources.contains(text));
        let unreachable = UNREACHABLE.iter().any(|(known, reason)| *known == name && !reason.is_empty());
        assert!(provoked || unreachable, "no test provokes {name}");
    }
}
