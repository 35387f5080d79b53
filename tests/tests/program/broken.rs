//! States that no instruction writes. Were one there all the same, it is refused by name, never repaired or paid from.

use std::{collections::BTreeSet, process::Command};

use assay_protocol::{Ballot, JobStatus};
use assay_tests::{
    assay::accounts::{Challenge, Dispute, Execution, Job, Provider, Vote},
    court::{Court, truth},
    idl,
    refusal::REFUSALS_FILE,
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

/// What takes long and provokes nothing that others do not, and this itself. The mutation suite's refusals are in its table.
const NOT_AGAIN: [&str; 6] = ["stateful::", "stories::", "mutation::", "every::", "compute::", "broken::a_25"];

/// The refusals that this binary's tests met and asserted: they run once more, in a process that writes them down.
fn provoked() -> BTreeSet<String> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let mut tests = Command::new(std::env::current_exe().expect("this binary"));
    tests.args(NOT_AGAIN.iter().flat_map(|name| ["--skip", name])).arg("--quiet");
    let output = tests.env(REFUSALS_FILE, file.path()).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let met = std::fs::read_to_string(file.path()).expect("text");
    let table = crate::mutation::table();
    let all = met.lines().map(str::to_owned).chain(table.into_values());
    // Behind the account that a refusal names.
    all.map(|name| name.rsplit('.').next().unwrap_or_default().to_owned()).collect()
}

/// A check whose result nobody looks at refuses nothing: each refusal that the program knows is met.
#[test]
fn a_25_every_refusal_of_the_program_is_provoked_by_a_test() {
    let provoked = provoked();
    assert!(provoked.len() > UNREACHABLE.len());
    let missing = idl::error_names().into_iter().filter(|name| !provoked.contains(name));
    let known: Vec<&str> = UNREACHABLE.iter().map(|(name, _)| *name).collect();
    let missing: Vec<String> = missing.filter(|name| !known.contains(&name.as_str())).collect();
    assert!(missing.is_empty(), "no test provokes {missing:?}");
    let met: Vec<&&str> = known.iter().filter(|name| provoked.contains(**name)).collect();
    assert!(met.is_empty(), "provoked, and called unreachable: {met:?}");
}
