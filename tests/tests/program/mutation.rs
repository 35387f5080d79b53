//! The mutation suite: one fixture per instruction of the IDL, every cell against `mutations.txt`.
//!
//! After a change of the program that is meant, `ASSAY_BLESS=1 cargo test -p assay-tests --test program mutation` writes
//! the table anew; every changed line is then a line of the review. A cell that goes through is refused until a
//! reason stands behind it.

use std::{collections::BTreeMap, fs, path::Path};

use assay_protocol::Ballot;
use assay_tests::{
    assay::types::UpdateProviderArgs,
    call::Call,
    calls::create_sink,
    idl,
    mutate::{self, Fixture, HARMLESS, Table},
    party::{Party, exited, sink, terms},
    scenario::GAS_USED,
    world::{SOL, World},
};
use solana_pubkey::Pubkey;

use crate::dispute_fixtures;

/// How far a party has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Nothing,
    Market,
    Registered,
    Open,
    Assigned,
    Submitted,
}

/// Instructions that do another thing in another state.
const STATES: [&str; 5] =
    ["expire_job:open", "record_seed:entry", "record_seed:jury", "settle_execution:missed", "settle_execution:wrong"];

/// Instructions of disputes, and how far the dispute has come, see [`Disputed`].
const DISPUTED: [(&str, Disputed); 8] = [
    ("open_dispute", Disputed::Submitted),
    ("enter_dispute", Disputed::Opened),
    ("record_seed:entry", Disputed::EntryOver),
    ("record_seed:jury", Disputed::Drawing),
    ("commit_vote", Disputed::Voting),
    ("reveal_vote", Disputed::Voted),
    ("reveal_outcome", Disputed::Voted),
    ("tally_round", Disputed::Over),
];

/// How far a dispute has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Disputed {
    Submitted,
    Opened,
    EntryOver,
    Drawing,
    Voting,
    Voted,
    Over,
}

/// Instructions for a job of several seats, and how far it has come.
const SEVERAL: [(&str, usize); 5] = [
    ("record_seed", 0),
    ("commit_result", 1),
    ("reveal_result", 2),
    ("settle_execution:wrong", 3),
    ("record_collision", 3),
];

/// How the fixtures for one instruction are made.
struct Recipe {
    stage: Stage,
    /// After the stage, once for all parties.
    then: fn(&mut World, &Party),
    call: fn(&World, &Party) -> Call,
}

impl Recipe {
    fn at(stage: Stage, call: fn(&World, &Party) -> Call) -> Self {
        Self { stage, then: |_, _| (), call }
    }

    fn then(self, then: fn(&mut World, &Party)) -> Self {
        Self { then, ..self }
    }
}

fn heir(party: &Party) -> Pubkey {
    party.poster
}

/// Stake that left and may be withdrawn.
fn unbonded(world: &mut World, party: &Party) {
    world.ok(&party.unstake(assay_tests::party::STAKE));
}

fn recipe(instruction: &str) -> Recipe {
    match instruction {
        "create_sink" => Recipe::at(Stage::Nothing, |_, party| create_sink(party.poster)),
        "create_market" => Recipe::at(Stage::Nothing, |_, party| party.create_market(&terms())),
        "update_market" => Recipe::at(Stage::Market, |_, party| party.update_market(&terms())),
        "pause_market" => Recipe::at(Stage::Market, |world, party| party.pause_market(world.now() + 10)),
        "propose_market_authority" => Recipe::at(Stage::Market, |_, party| party.propose_market_authority(heir(party))),
        "accept_market_authority" => Recipe::at(Stage::Market, |_, party| party.accept_market_authority(heir(party)))
            .then(|world, party| drop(world.ok(&party.propose_market_authority(heir(party))))),
        "claim_market_fees" => Recipe::at(Stage::Submitted, |_, party| party.claim_market_fees()),
        "register_provider" => Recipe::at(Stage::Market, |_, party| party.register_provider()),
        "update_provider" => Recipe::at(Stage::Registered, |_, party| {
            let args = UpdateProviderArgs { exposure_cap_lamports: Some(5), capacity: Some(1), endpoint: None };
            party.update_provider(args, Some(party.poster))
        }),
        "stake" => Recipe::at(Stage::Registered, |_, party| party.stake(SOL)),
        "unstake" => Recipe::at(Stage::Registered, |_, party| party.unstake(SOL)),
        "withdraw_stake" => Recipe::at(Stage::Registered, |_, party| party.withdraw_stake()).then(unbonded),
        "close_provider" => Recipe::at(Stage::Registered, |_, party| party.close_provider()).then(unbonded),
        "create_job" => Recipe::at(Stage::Registered, |_, party| party.create_job()),
        "cancel_job" => Recipe::at(Stage::Open, |_, party| party.cancel_job()),
        "accept_job" => Recipe::at(Stage::Open, |world, party| party.accept_job(world)),
        "decline_job" => Recipe::at(Stage::Assigned, |_, party| party.decline_job(1)),
        "submit_results" => Recipe::at(Stage::Assigned, |_, party| party.submit_results(&exited(GAS_USED))),
        "finalize_job" => Recipe::at(Stage::Submitted, |_, party| party.finalize_job()),
        "settle_execution" => Recipe::at(Stage::Submitted, |_, party| party.settle_execution()),
        "expire_job" => Recipe::at(Stage::Assigned, |_, party| party.expire_assigned_job()),
        "expire_job:open" => Recipe::at(Stage::Open, |_, party| party.expire_open_job()),
        "settle_execution:missed" => Recipe::at(Stage::Assigned, |_, party| party.settle_execution()),
        "enroll_stake" => Recipe::at(Stage::Registered, |_, party| party.enroll_stake()),
        "record_seed" => Recipe::at(Stage::Registered, |_, party| party.record_seed()),
        "commit_result" => Recipe::at(Stage::Registered, |world, party| {
            party.commit_result(party.commitment(world, &exited(GAS_USED), SALT))
        }),
        "reveal_result" => Recipe::at(Stage::Registered, |_, party| party.reveal_result(&exited(GAS_USED), SALT)),
        "record_collision" => Recipe::at(Stage::Registered, |world, party| party.record_collision(world)),
        "settle_execution:wrong" => Recipe::at(Stage::Registered, |_, party| party.settle_execution()),
        "set_duty" => Recipe::at(Stage::Registered, |_, party| party.set_duty(true)),
        "open_dispute" => Recipe::at(Stage::Registered, |world, party| {
            party.open_dispute(party.poster, Some(challenge(world, party, party.poster)))
        }),
        "enter_dispute" => Recipe::at(Stage::Registered, |world, party| {
            party.enter_dispute(party.poster, challenge(world, party, party.poster))
        }),
        "record_seed:entry" | "record_seed:jury" => Recipe::at(Stage::Registered, |_, party| party.record_jury_seed()),
        "commit_vote" => Recipe::at(Stage::Registered, vote),
        "reveal_vote" => Recipe::at(Stage::Registered, |world, party| {
            party.reveal_vote(world, &Ballot::Outcome(exited(GAS_USED)), SALT)
        }),
        "reveal_outcome" => {
            Recipe::at(Stage::Registered, |_, party| party.reveal_outcome(party.poster, &exited(GAS_USED), SALT))
        }
        "tally_round" => Recipe::at(Stage::Registered, |_, party| party.tally_round()),
        "claim_reward" => Recipe::at(Stage::Submitted, |_, party| party.claim_reward()),
        "close_job" => Recipe::at(Stage::Submitted, |_, party| party.close_job()),
        other => panic!("the IDL has an instruction {other} and the mutation suite has no fixture for it"),
    }
}

/// A ledger on which the instruction would go through for three parties, two of one market and one of another, and in
/// which every type of account exists.
pub fn fixture(instruction: &str) -> Fixture {
    if let Some(fixture) = dispute_fixtures::fixture(instruction) {
        return fixture;
    }
    let recipe = recipe(instruction);
    let mut world = World::new();
    let payer = world.wallet(SOL);
    let party = Party::new(&mut world);
    let twin = party.another(&mut world);
    let foreign = Party::new(&mut world);
    // Stands still while the others move, so that an account of each type is there.
    let extra = Party::new(&mut world);
    let mut seat = extra.execution;
    if instruction != "create_sink" {
        world.ok(&create_sink(payer));
        reach(&mut world, &extra, Stage::Registered, true);
        seat = dispute(&mut world, &[extra], Disputed::Voted)[0].execution;
    }
    for (index, each) in [party, foreign, twin].iter().enumerate() {
        reach(&mut world, each, recipe.stage, index < 2);
    }
    advance(&mut world, instruction);
    for (index, each) in [party, foreign, twin].iter().enumerate() {
        // The twin shares the first party's market; what is done to a market is done once.
        if index < 2 || instruction != "accept_market_authority" {
            (recipe.then)(&mut world, each);
        }
    }
    if let Some((_, steps)) = SEVERAL.iter().find(|(name, _)| *name == instruction) {
        several(&mut world, &[party, foreign, twin], *steps);
    }
    if let Some((_, stage)) = DISPUTED.iter().find(|(name, _)| *name == instruction) {
        dispute(&mut world, &[party, foreign, twin], *stage);
    }
    finish(&mut world, instruction, &[party, foreign, twin]);
    let types = [
        ("market", extra.market),
        ("provider", extra.provider),
        ("job", extra.job),
        ("execution", seat),
        ("dispute", extra.dispute()),
        ("challenge", extra.challenge(extra.poster)),
        ("vote", extra.vote(0)),
        ("sink", sink()),
    ];
    let types = types.into_iter().filter(|(_, key)| world.account(key).is_some()).collect();
    let twin_call = if instruction == "accept_market_authority" { party } else { twin };
    let calls = [("same_market", (recipe.call)(&world, &twin_call)), ("other_market", (recipe.call)(&world, &foreign))];
    Fixture { name: instruction.to_owned(), call: (recipe.call)(&world, &party), twins: calls, world, types }
}

/// Everybody's salt: commitments differ by provider and job.
const SALT: [u8; 32] = [5; 32];

/// A job of two seats for each party, the other seat held by somebody who takes no further part: posted, then assigned, then
/// committed, then revealed, judged against the party and final.
fn several(world: &mut World, parties: &[Party], steps: usize) {
    let others = parties.iter().map(|party| {
        let other = party.another(world);
        world.ok(&other.register_provider());
        let again = party.another(world);
        world.ok(&again.register_provider());
        [party.with_provider_of(&other), party.with_provider_of(&again)]
    });
    let others: Vec<[Party; 2]> = others.collect();
    world.advance(i64::from(terms().unbonding_s));
    for (party, others) in parties.iter().zip(&others) {
        for each in std::iter::once(party).chain(others) {
            world.ok(&each.enroll_stake());
        }
        let mut args = assay_tests::calls::job_args(party.job_id);
        (args.mode, args.redundancy) = (assay_protocol::Mode::Redundant.code(), 3);
        args.escrow_lamports *= 3;
        args.agreement_s = Some(0);
        world.ok(&party.create_job_with(args));
    }
    world.advance(60);
    world.list_slots();
    for (party, others) in parties.iter().zip(&others) {
        let seats = [*party, others[0], others[1]];
        if steps >= 1 {
            world.ok(&party.record_seed());
            for seat in seats {
                let call = seat.accept_job(world);
                world.ok(&call);
            }
        }
        let lies = if steps >= 3 { exited(1) } else { exited(GAS_USED) };
        let outcomes = [lies, exited(GAS_USED), exited(GAS_USED)];
        if steps >= 2 {
            for (seat, outcome) in seats.iter().zip(&outcomes) {
                let call = seat.commit_result(seat.commitment(world, outcome, SALT));
                world.ok(&call);
            }
        }
        if steps >= 3 {
            for (seat, outcome) in seats.iter().zip(&outcomes) {
                world.ok(&seat.reveal_result(outcome, SALT));
            }
            world.ok(&party.finalize_job());
        }
    }
}

fn challenge(world: &World, party: &Party, challenger: Pubkey) -> [u8; 32] {
    party.challenge_commitment(world, challenger, (&exited(GAS_USED), SALT))
}

fn vote(world: &World, party: &Party) -> Call {
    party.commit_vote(world, party.vote_commitment(world, &Ballot::Outcome(exited(GAS_USED)), SALT))
}

/// Another provider has submitted a lie for each party's job, and each party is on duty; then the dispute is opened by that other's
/// cold key, entered by the poster, its first jury drawn, and the party votes. Who ran the jobs is returned.
fn dispute(world: &mut World, parties: &[Party], stage: Disputed) -> Vec<Party> {
    let runners = parties.iter().map(|party| {
        let other = party.another(world);
        world.ok(&other.register_provider());
        party.with_provider_of(&other)
    });
    let runners: Vec<Party> = runners.collect();
    world.advance(i64::from(terms().unbonding_s));
    for (party, runner) in parties.iter().zip(&runners) {
        world.ok(&party.enroll_stake());
        world.ok(&party.set_duty(true));
        world.ok(&party.create_job());
        let accept = runner.accept_job(world);
        world.ok(&accept);
        world.ok(&runner.submit_results(&exited(1)));
        if stage >= Disputed::Opened {
            let opener = runner.authority;
            let commitment = challenge(world, party, opener);
            world.ok(&party.open_dispute(opener, Some(commitment)));
        }
        if stage >= Disputed::EntryOver {
            let commitment = challenge(world, party, party.poster);
            world.ok(&party.enter_dispute(party.poster, commitment));
        }
    }
    let each = |world: &mut World, call: fn(&World, &Party) -> Call| {
        for party in parties {
            let call = call(world, party);
            world.ok(&call);
        }
    };
    if stage >= Disputed::EntryOver {
        world.advance(160);
    }
    if stage >= Disputed::Drawing {
        each(world, |_, party| party.record_jury_seed());
        world.advance(10);
        world.list_slots();
    }
    if stage >= Disputed::Voting {
        each(world, |_, party| party.record_jury_seed());
    }
    if stage >= Disputed::Voted {
        each(world, vote);
        world.advance(160);
    }
    if stage >= Disputed::Over {
        world.advance(60);
    }
    runners
}

fn reach(world: &mut World, party: &Party, stage: Stage, own_market: bool) {
    type Step = (Stage, fn(&World, &Party) -> Call);
    let steps: [Step; 5] = [
        (Stage::Market, |_, party| party.create_market(&terms())),
        (Stage::Registered, |_, party| party.register_provider()),
        (Stage::Open, |_, party| party.create_job()),
        (Stage::Assigned, |world, party| party.accept_job(world)),
        (Stage::Submitted, |_, party| party.submit_results(&exited(GAS_USED))),
    ];
    for (at, call) in steps {
        let shared = at == Stage::Market && !own_market;
        if at <= stage && !shared {
            world.ok(&call(world, party));
        }
    }
}

/// Time that all parties wait for together.
fn advance(world: &mut World, instruction: &str) {
    match instruction {
        "finalize_job"
        | "settle_execution"
        | "claim_reward"
        | "claim_market_fees"
        | "close_job"
        | "expire_job"
        | "settle_execution:missed" => world.advance(160),
        "enroll_stake" | "set_duty" => world.advance(86_400),
        "expire_job:open" => world.advance(600),
        _ => world.next_slot(),
    }
}

fn finish(world: &mut World, instruction: &str, parties: &[Party]) {
    for party in parties {
        if instruction == "set_duty" {
            world.ok(&party.enroll_stake());
        }
        if matches!(instruction, "settle_execution" | "claim_reward" | "claim_market_fees" | "close_job") {
            world.ok(&party.finalize_job());
        }
        if matches!(instruction, "claim_reward" | "claim_market_fees" | "close_job") {
            world.ok(&party.settle_execution());
        }
    }
    if instruction == "settle_execution:missed" {
        for party in parties {
            world.ok(&party.expire_assigned_job());
        }
        world.advance(600);
        for party in parties {
            world.ok(&party.expire_open_job());
        }
    }
    if matches!(instruction, "withdraw_stake" | "close_provider") {
        world.advance(86_400);
    }
    if instruction == "close_provider" {
        for party in parties {
            world.ok(&party.withdraw_stake());
        }
    }
}

#[test]
fn a_01_a_02_a_03_a_04_a_06_a_07_every_account_of_every_instruction_is_checked() {
    let mut found = Table::new();
    let states = STATES.iter().chain(&dispute_fixtures::STATES).map(|name| (*name).to_owned());
    for name in idl::instruction_names().into_iter().chain(states) {
        found.extend(mutate::run(&fixture(&name)));
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/mutations.txt");
    let expected = read(&fs::read_to_string(&path).unwrap_or_default());
    if std::env::var_os("ASSAY_BLESS").is_some() {
        fs::write(&path, write(&found, &expected)).expect("the table is writable");
    }
    let expected = read(&fs::read_to_string(&path).expect("tests/program/mutations.txt"));
    let harmless = found.values().filter(|result| *result == HARMLESS).count();
    println!("mutation suite: {} cells, {} refused, {harmless} harmless", found.len(), found.len() - harmless);
    let mut wrong = Vec::new();
    for (cell, result) in &found {
        match expected.get(cell) {
            None => wrong.push(format!("{cell}: {result}, not in the table")),
            Some(line) if result == HARMLESS => {
                let reason = line.strip_prefix(HARMLESS).unwrap_or("").trim();
                if reason.is_empty() || reason == "?" {
                    wrong.push(format!("{cell}: went through and no reason says why that is harmless"));
                }
            }
            Some(line) if line != result => wrong.push(format!("{cell}: {result}, expected {line}")),
            Some(_) => {}
        }
    }
    wrong.extend(expected.keys().filter(|cell| !found.contains_key(*cell)).map(|cell| format!("{cell}: no such cell")));
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
}

fn read(text: &str) -> Table {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (cell, result) = line.split_once(" -> ").unwrap_or_else(|| panic!("no cell: {line}"));
            (cell.to_owned(), result.to_owned())
        })
        .collect()
}

fn write(found: &Table, old: &Table) -> String {
    let mut text = String::from("# instruction account mutation -> error, or why going through is harmless\n");
    let mut by_instruction: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (cell, result) in found {
        let reason = old.get(cell).filter(|line| line.starts_with(HARMLESS)).map(String::as_str);
        let result = if result == HARMLESS { reason.unwrap_or("harmless: ?") } else { result };
        let name = cell.split(' ').next().unwrap_or_default();
        by_instruction.entry(name).or_default().push(format!("{cell} -> {result}"));
    }
    for lines in by_instruction.values() {
        text.push('\n');
        text.push_str(&lines.join("\n"));
        text.push('\n');
    }
    text
}
