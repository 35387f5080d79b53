//! accounts written by earlier releases still decode and still settle. Three ledgers are kept as the first release wrote them:
//! `accounts-v1.json` has a job of one seat at every stage, `seats-v1.json` one of three seats whose results are still hidden,
//! `court-v1.json` a dispute whose votes are, over a job of a module that collided. A layout that is changed on purpose gets fixtures of its own; the old ones stay.
//! `ASSAY_BLESS=1` writes the current ones, and only while they are unreleased.

use std::{fs, path::PathBuf};

use assay_protocol::{DisputeStatus, ExecutionStatus, JobStatus, Mode, Verdict};
use assay_tests::{
    assay::{
        self,
        accounts::{Job, Module},
    },
    calls::create_sink,
    invariants,
    panel::Panel,
    party::{Party, exited, sink, terms},
    trial::{Trial, ballot},
    world::{SOL, World},
};
use serde_json::{Value, json};
use solana_account::Account;
use solana_pubkey::Pubkey;

const STAGES: u64 = 6;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/program/{name}-v1.json"))
}

/// The people, whose keys depend on nothing but the order in which they are made.
fn people(world: &mut World) -> (Pubkey, Party) {
    let payer = world.wallet(SOL);
    (payer, Party::new(world))
}

/// One job at each stage: open, assigned, submitted, resolved, missed and open again, cancelled.
fn play(world: &mut World, payer: Pubkey, party: &Party) {
    for call in [create_sink(payer), party.create_market(&terms()), party.register_provider()] {
        world.ok(&call);
    }
    for id in 1..=STAGES {
        world.ok(&party.with_job(id).create_job());
    }
    world.next_slot();
    world.ok(&party.with_job(4).accept_job(world));
    world.ok(&party.with_job(5).accept_job(world));
    world.ok(&party.with_job(4).submit_results(&exited(4)));
    world.advance(160);
    world.ok(&party.with_job(4).finalize_job());
    world.ok(&party.with_job(5).expire_assigned_job());
    world.ok(&party.with_job(6).cancel_job());
    world.ok(&party.with_job(2).accept_job(world));
    world.ok(&party.with_job(3).accept_job(world));
    world.ok(&party.with_job(3).submit_results(&exited(3)));
    world.ok(&party.unstake(SOL));
}

fn save(name: &str, world: &World) {
    let mut accounts = world.program_accounts();
    accounts.sort_by_key(|(key, _)| *key);
    let accounts: Vec<Value> = accounts
        .iter()
        .map(|(key, account)| {
            json!({"key": key.to_string(), "lamports": account.lamports, "data": hex::encode(&account.data)})
        })
        .collect();
    let file =
        json!({"program": assay::ID.to_string(), "slot": world.slot(), "unix": world.now(), "accounts": accounts});
    let text = serde_json::to_string_pretty(&file).expect("JSON") + "\n";
    fs::write(path(name), text).expect("the fixture is writable");
}

fn load(name: &str, world: &mut World) {
    let file: Value = serde_json::from_str(&fs::read_to_string(path(name)).expect("the fixture")).expect("JSON");
    assert_eq!(file["program"], assay::ID.to_string());
    let number = |value: &Value| value.as_u64().expect("a number");
    world.set_clock(number(&file["slot"]), i64::try_from(number(&file["unix"])).expect("a time"));
    for account in file["accounts"].as_array().expect("accounts") {
        let key = account["key"].as_str().expect("a key").parse().expect("a key");
        let data = hex::decode(account["data"].as_str().expect("data")).expect("hexadecimal");
        let lamports = number(&account["lamports"]);
        world.set_account(key, Account { lamports, data, owner: assay::ID, ..Account::default() });
    }
}

/// Puts what was kept in the place of all accounts of the program.
fn replace(name: &str, world: &mut World) {
    if is_blessing() {
        save(name, world);
    }
    for (key, _) in world.program_accounts() {
        world.set_account(key, Account::default());
    }
    load(name, world);
    invariants::check(world);
}

fn is_blessing() -> bool {
    std::env::var_os("ASSAY_BLESS").is_some()
}

#[test]
fn a_30_hidden_results_of_the_first_release_are_revealed_and_settle() {
    let mut panel = Panel::assigned(Mode::Redundant, 3);
    (0..2).for_each(|seat| panel.commit(seat, &exited(9)));
    replace("seats", &mut panel.world);
    let held = [0, 1, 2].map(|seat| panel.seat(seat).status);
    assert_eq!(
        held,
        [ExecutionStatus::Committed, ExecutionStatus::Committed, ExecutionStatus::Accepted].map(|status| status.code())
    );
    panel.commit(2, &exited(8));
    for (seat, gas_used) in [(0, 9), (1, 9), (2, 8)] {
        panel.reveal(seat, &exited(gas_used));
    }
    panel.finish(&[0, 1, 2]);
    invariants::check(&panel.world);
    let [right, same, wrong] = [0, 1, 2].map(|seat| panel.provider(seat));
    assert!(right.earnings_lamports > 0 && right.earnings_lamports == same.earnings_lamports);
    assert!(wrong.earnings_lamports == 0 && wrong.stake_lamports < right.stake_lamports);
}

#[test]
fn a_30_a_dispute_of_the_first_release_is_judged_and_settles() {
    let mut court = Trial::revealed(&terms(), [9, 9, 1]);
    let party = court.party(0);
    let collision = party.record_collision(court.world());
    court.panel.world.ok(&collision);
    court.dispute_with(3, &ballot(1));
    court.draw();
    court.hide_votes(&ballot(1));
    replace("court", &mut court.panel.world);
    assert_eq!((court.status(), court.dispute().challenges_open), (DisputeStatus::Voting, 1));
    assert!(court.dispute().votes_open > 0);
    let module: Module = court.world().read(&party.module());
    assert_eq!((module.collisions, module.distinct_max, module.last_job), (1, 2, party.job));
    court.show(&ballot(1), &[(3, ballot(1))]);
    assert_eq!(court.decide(), Verdict::Outcome);
    court.finish();
    assert!(court.stake(0) < court.stake(2) && court.earned(2) > 0 && court.jurors_earned() > 0);
}

#[test]
fn a_30_accounts_of_the_first_release_decode_and_settle() {
    if is_blessing() {
        let mut world = World::new();
        let (payer, party) = people(&mut world);
        play(&mut world, payer, &party);
        save("accounts", &world);
    }
    let mut world = World::new();
    let (_, party) = people(&mut world);
    load("accounts", &mut world);
    invariants::check(&world);
    let status = |world: &World, id| {
        let job: Job = world.read(&party.with_job(id).job);
        JobStatus::from_code(job.status).expect("a known status")
    };
    use JobStatus::{Assigned, Cancelled, Open, Resolved, Submitted};
    let reached = [Open, Assigned, Submitted, Resolved, Open, Cancelled];
    for (id, expected) in (1..=STAGES).zip(reached) {
        assert_eq!(status(&world, id), expected, "job {id}");
    }

    // Each goes on from where it stood.
    world.ok(&party.with_job(1).accept_job(&world));
    for id in [1, 2] {
        world.ok(&party.with_job(id).submit_results(&exited(id)));
    }
    world.advance(700);
    world.ok(&party.with_job(5).expire_open_job());
    for id in [1, 2, 3] {
        world.ok(&party.with_job(id).finalize_job());
    }
    for id in 1..=STAGES {
        if id != 6 {
            world.ok(&party.with_job(id).settle_execution());
        }
        world.ok(&party.with_job(id).close_job());
        invariants::check(&world);
    }
    world.ok(&party.claim_reward());
    world.ok(&party.claim_market_fees());
    world.advance(i64::from(terms().unbonding_s));
    world.ok(&party.withdraw_stake());
    assert!(world.account(&sink()).is_some());
}

#[test]
fn a_23_no_account_has_a_field_that_grows() {
    let idl: serde_json::Value = serde_json::from_str(include_str!("../../../idls/assay.json")).expect("the IDL");
    let array = |key: &str| idl[key].as_array().expect("a list").clone();
    let accounts: Vec<_> = array("accounts").iter().map(|account| account["name"].clone()).collect();
    assert!(accounts.len() >= 5);
    let nested = ["Draw", "MarketTerms", "Tally", "TaskLimits", "TrustVector"];
    for definition in array("types") {
        if accounts.contains(&definition["name"]) || nested.iter().any(|name| definition["name"] == *name) {
            let text = definition["type"].to_string();
            for growing in ["\"vec\":", "\"type\":\"string\"", "\"type\":\"bytes\"", "\"option\":"] {
                assert!(!text.contains(growing), "{} has a {growing}", definition["name"]);
            }
        }
    }
}
