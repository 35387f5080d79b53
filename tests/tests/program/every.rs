//! What holds of every instruction, in every state that the mutation suite has.

use assay_protocol::MarketTerms;
use assay_tests::{
    assay::{self, accounts::Market},
    idl, invariants,
    mutate::Fixture,
    party::{SYSTEM_PROGRAM, terms},
    world::{Receipt, SOL, Snapshot, World},
};
use solana_account::Account;
use solana_instruction::AccountMeta;
use solana_pubkey::Pubkey;
use solana_system_interface::instruction::transfer;

use crate::fixtures;

/// Numbers of the system program's instructions.
const CREATE_ACCOUNT: u32 = 0;
const ASSIGN: u32 = 1;
const TRANSFER: u32 = 2;
const ALLOCATE: u32 = 8;

fn all() -> impl Iterator<Item = Fixture> {
    fixtures::names().map(|name| fixtures::fixture(&name))
}

fn is_ours(account: Option<&Account>) -> bool {
    account.is_some_and(|account| account.owner == assay::ID)
}

/// All accounts, but for when rent would be due, which the ledger writes into whatever it loads.
fn look(world: &World) -> Snapshot {
    let mut all = world.snapshot();
    all.values_mut().for_each(|account| account.rent_epoch = 0);
    all
}

/// What the instruction alone does.
fn alone(fixture: &Fixture) -> (Snapshot, Snapshot, Receipt) {
    let mut world = fixture.world.clone();
    let before = look(&world);
    let receipt = world.ok(&fixture.call);
    (before, look(&world), receipt)
}

fn assert_same(found: &Snapshot, expected: &Snapshot, what: &str) {
    let differ = found.iter().filter(|(key, account)| expected.get(key) != Some(account)).map(|(key, _)| key);
    let missing = expected.keys().filter(|key| !found.contains_key(key));
    let differ: Vec<&Pubkey> = differ.chain(missing).collect();
    assert!(differ.is_empty(), "{what}: {differ:?}");
}

/// Addresses of the program's accounts that are in one look and not in the other.
fn only_in(there: &Snapshot, elsewhere: &Snapshot) -> Vec<Pubkey> {
    let ours = there.iter().filter(|(key, account)| is_ours(Some(account)) && !is_ours(elsewhere.get(key)));
    ours.map(|(key, _)| *key).collect()
}

#[test]
fn a_11_no_instruction_takes_a_sysvar_account() {
    for name in idl::instruction_names() {
        for slot in idl::account_slots(&name) {
            let sysvars = ["clock", "rent", "slot_hashes", "instructions", "epoch_schedule", "recent_blockhashes"];
            assert!(!sysvars.contains(&slot.name.as_str()), "{name} takes {}", slot.name);
        }
    }
}

/// The only calls out make an account of the program from nothing, under the address's own signature, or move lamports from whoever
/// signed to one: no signature is of use to anybody else, nobody is there to call back, and no balance that was read before is
/// written after.
#[test]
fn a_06_a_09_a_13_a_16_a_18_a_19_an_instruction_calls_the_system_program_alone_to_make_and_to_fund_what_it_creates() {
    let (mut made, mut funded) = (0, 0);
    for fixture in all() {
        let name = &fixture.name;
        let (before, after, receipt) = alone(&fixture);
        let signed = |key: &Pubkey| {
            let mut metas = fixture.call.instruction.accounts.iter();
            metas.any(|meta| meta.pubkey == *key && meta.is_signer) && !is_ours(before.get(key))
        };
        let created = only_in(&after, &before);
        for call in &receipt.calls {
            assert_eq!(call.program_id, SYSTEM_PROGRAM, "{name}");
            let keys: Vec<Pubkey> = call.accounts.iter().map(|meta| meta.pubkey).collect();
            let (code, args) = call.data.split_first_chunk::<4>().expect("an instruction of the system program");
            match u32::from_le_bytes(*code) {
                CREATE_ACCOUNT => {
                    assert!(args.ends_with(&assay::ID.to_bytes()), "{name}");
                    assert!(signed(&keys[0]) && created.contains(&keys[1]), "{name}");
                    made += 1;
                }
                ASSIGN => {
                    assert!(args.ends_with(&assay::ID.to_bytes()) && created.contains(&keys[0]), "{name}");
                    made += 1;
                }
                ALLOCATE => assert!(created.contains(&keys[0]), "{name}"),
                TRANSFER => {
                    assert!(signed(&keys[0]) && is_ours(after.get(&keys[1])), "{name}");
                    let lamports = u64::from_le_bytes(args.try_into().expect("an amount"));
                    if let Some(had) = before.get(&keys[1]) {
                        assert_eq!(after[&keys[1]].lamports, had.lamports + lamports, "{name}: what arrived stays");
                        funded += 1;
                    }
                }
                other => panic!("{name} calls number {other} of the system program"),
            }
        }
    }
    assert!(made >= 10 && funded >= 3, "{made} accounts made, {funded} funded");
}

/// Takes the executors of a job behind its own accounts, and refuses everything else there: see juries.rs.
const TAKES_MORE: &str = "open_dispute";

#[test]
fn a_14_a_17_neither_accounts_behind_an_instructions_own_nor_instructions_beside_it_change_what_it_does() {
    for fixture in all() {
        let (_, expected, _) = alone(&fixture);
        // Everything that might be taken for a vote, a signature or a recipient, some of it twice.
        let mut world = fixture.world.clone();
        let types = fixture.types.iter().map(|(_, key)| AccountMeta::new(*key, false));
        let twins = fixture.twins.iter().flat_map(|(_, call)| call.instruction.accounts.clone());
        let mut call = fixture.call.clone();
        let own = call.instruction.accounts.clone();
        call.instruction.accounts.extend(types.chain(twins).chain(own));
        if call.name == TAKES_MORE {
            world.refuse(&call, "AccountsUnexpected");
        } else {
            world.ok(&call);
            assert_same(&look(&world), &expected, &format!("{} with more accounts", fixture.name));
        }
        // First, last, and in the middle of a transaction.
        let mut world = fixture.world.clone();
        let (from, to) = (world.wallet(SOL), Pubkey::new_from_array([0xab; 32]));
        let beside = transfer(&from, &to, SOL);
        let around = [transfer(&from, &to, 0), fixture.call.instruction.clone(), beside];
        world.send_all(&around).unwrap_or_else(|refusal| panic!("{}: {refusal}", fixture.name));
        let mut around = look(&world);
        assert_eq!(around.remove(&to).map(|account| account.lamports), Some(SOL));
        around.remove(&from);
        assert_same(&around, &expected, &format!("{} among others", fixture.name));
    }
}

/// Instructions that go through again at once: each sets what is to be, or does once more what its signer may do as often as it likes.
const AGAIN: [&str; 7] = [
    "propose_market_authority",
    "record_seed",
    "stake",
    "unstake",
    "update_market",
    "update_provider",
    "record_seed:jury",
];

#[test]
fn a_05_a_10_a_20_p_09_accounts_are_made_once_whatever_lies_at_their_address_and_stay_closed() {
    let (mut created, mut closed, mut again) = (0, 0, Vec::new());
    for fixture in all() {
        let (before, after, _) = alone(&fixture);
        let call = &fixture.call.instruction;
        // Lamports at an address do not keep an account from being made there.
        for key in only_in(&after, &before) {
            created += 1;
            for gift in [1, 10 * SOL] {
                let mut world = fixture.world.clone();
                world.donate(&key, gift);
                world.ok(&fixture.call);
                assert_eq!(world.account(&key).expect("made").data, after[&key].data, "{}", fixture.name);
                invariants::check(&world);
            }
        }
        // Sent again, in the same transaction and in the next.
        let mut world = fixture.world.clone();
        let is_refused = world.send_all(&[call.clone(), call.clone()]).is_err();
        if is_refused {
            assert_same(&look(&world), &before, &fixture.name);
        }
        let mut world = fixture.world.clone();
        world.ok(&fixture.call);
        world.next_slot();
        let once = look(&world);
        assert_eq!(world.send(&fixture.call).is_err(), is_refused, "{}", fixture.name);
        if is_refused {
            assert_same(&look(&world), &once, &fixture.name);
        } else {
            assert!(only_in(&after, &before).is_empty(), "{} makes an account twice", fixture.name);
            invariants::check(&world);
            again.push(fixture.name.clone());
        }
        // Whoever refills a closed account, before the transaction is over or after, has made a wallet of nobody.
        for key in only_in(&before, &after) {
            closed += 1;
            let mut world = fixture.world.clone();
            let thief = world.wallet(20 * SOL);
            let refill = transfer(&thief, &key, 10 * SOL);
            let before = world.snapshot();
            let revived = [call.clone(), refill.clone(), call.clone()];
            let refusal = world.send_all(&revived).expect_err("revived").to_string();
            assert!(refusal.ends_with(".AccountOwnedByWrongProgram"), "{}: {refusal}", fixture.name);
            world.assert_unchanged(&before);
            world.send_all(&[call.clone(), refill]).expect("closing and a gift");
            let left = world.account(&key).expect("the gift");
            assert!(left.data.is_empty() && left.owner == SYSTEM_PROGRAM, "{} left {left:?}", fixture.name);
            assert!(world.send(&fixture.call).is_err(), "{} twice", fixture.name);
        }
    }
    assert!(created >= 12 && closed >= 10, "{created} made, {closed} closed");
    assert_eq!(again, AGAIN);
}

/// Where another may sign: who pays for what is everybody's, and a key that itself agrees to be a provider's.
const ANYBODY: [&str; 6] = [
    "create_sink payer",
    "record_collision payer",
    "register_provider node_key",
    "update_provider new_node_key",
    "open_dispute:deadlock payer",
    "record_collision:known payer",
];

/// Every signature but the right one is refused: a market's authority, a provider's two keys, posters, challengers, of this and of
/// every other party.
#[test]
fn i_06_a_29_nobody_else_signs_for_anybody() {
    let mut anybody = Vec::new();
    for fixture in all() {
        for slot in idl::account_slots(fixture.call.name).iter().filter(|slot| slot.signer) {
            let own = fixture.call.key(&slot.name);
            let mut wallets: Vec<Pubkey> = fixture.world.wallets().filter(|key| *key != own).collect();
            wallets.sort();
            let passes = |wallet: &Pubkey| {
                let call = fixture.call.clone().with(&slot.name, *wallet);
                fixture.world.clone().send(&call).is_ok()
            };
            let through = wallets.iter().filter(|wallet| passes(wallet)).count();
            if through > 0 {
                anybody.push(format!("{} {}", fixture.name, slot.name));
            }
        }
    }
    assert_eq!(anybody, ANYBODY);
}

#[test]
fn a_26_too_few_accounts_or_bytes_are_an_error_and_no_panic() {
    for Fixture { name, world, call, .. } in all() {
        for keep in 0..call.instruction.accounts.len() {
            let mut short = call.clone();
            short.instruction.accounts.truncate(keep);
            let refusal = world.clone().send(&short).expect_err("too few accounts").to_string();
            assert!(!refusal.contains("ProgramFailedToComplete"), "{name} with {keep} accounts: {refusal}");
        }
        for keep in [0, 7, 8, call.instruction.data.len() - 1] {
            let mut short = call.clone();
            if keep >= short.instruction.data.len() {
                continue;
            }
            short.instruction.data.truncate(keep);
            let refusal = world.clone().send(&short).expect_err("too few bytes").to_string();
            assert!(!refusal.contains("ProgramFailedToComplete"), "{name} with {keep} bytes: {refusal}");
        }
    }
}

/// Instructions that begin something, and so ask for the terms of today.
const BEGINS: [&str; 8] = [
    "accept_job",
    "create_job",
    "register_provider",
    "set_duty",
    "unstake",
    "accept_job:alone",
    "accept_job:audit",
    "accept_job:drawn",
];

/// Whatever the market's terms have become meanwhile, and whether it is paused: what was begun goes on and ends as if nothing had
/// changed.
#[test]
fn i_10_p_22_what_was_begun_goes_on_and_ends_by_the_terms_it_was_begun_under() {
    let mut begins = Vec::new();
    for fixture in all() {
        let (_, mut expected, _) = alone(&fixture);
        let mut world = fixture.world.clone();
        let markets = invariants::Ledgers::read(&world).markets;
        for (key, _) in &markets {
            world.edit::<Market>(key, |market| {
                let terms = MarketTerms { ticket_lamports: market.terms.ticket_lamports, ..other_terms() };
                market.terms = terms.into();
                market.paused_until_unix = i64::MAX;
            });
        }
        let is_taken = world.send(&fixture.call).is_ok();
        let mut after = look(&world);
        // Of the markets, what the instruction did to them.
        for (key, _) in &markets {
            after.remove(key);
            expected.remove(key);
        }
        if !is_taken || after != expected {
            begins.push(fixture.name.clone());
        }
    }
    assert_eq!(begins, BEGINS);
}

/// Terms in which everything is another.
fn other_terms() -> MarketTerms {
    let terms = MarketTerms {
        fee_bps: 1_000,
        stake_min_lamports: 50 * SOL,
        bond_min_lamports: 20_000_000,
        bond_rate_bps: 20_000,
        miss_rate_bps: 10_000,
        delay_fee_lamports: 2_000_000,
        decline_fee_lamports: 20_000,
        attempts_max: 1,
        queue_timeout_s: 60,
        execution_base_s: 1,
        challenge_base_s: 2,
        job_total_s: 7_200,
        unbonding_s: 200_000,
        verify_rate_gas_per_s: 20_000_000,
        gas_limit_max: 9_000_000_000,
        quorum_bps: 5_001,
        executions_max: 3,
        widen_s: 1,
        reveal_s: 1,
        jury_lambda: 16,
        jury_quorum_bps: 6_667,
        juror_bond_lamports: 6_000_000,
        duty_rate_bps: 5_000,
        audit_one_in_min: 2,
        audit_one_in_max: 3,
        jail_s: 1,
        ..terms()
    };
    assert_eq!(terms.check(), Ok(()));
    terms
}
