//! Tests of the builders against the IDL: every instruction has one, with its accounts in order and its flags.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use anchor_lang::AnchorDeserialize;
use serde_json::Value;

use super::*;
use crate::pda::{ChallengeSeeds, ModuleSeeds, VoteSeeds};
use assay_protocol::Ballot;

fn key(byte: u8) -> Pubkey {
    Pubkey::from([byte; 32])
}

fn terms() -> MarketTerms {
    types::MarketTerms::deserialize(&mut [0; 256].as_slice()).unwrap().into()
}

fn job(executor: Pubkey) -> Job {
    let mut job = Job::deserialize(&mut [0; 4_096].as_slice()).unwrap();
    job.executors[0] = executor;
    (job.status, job.seats_wanted) = (JobStatus::Assigned.code(), 1);
    job
}

fn all() -> BTreeMap<&'static str, Instruction> {
    let market = MarketAuthority { authority: key(1), market: key(2) };
    let provider = ProviderAuthority { authority: key(3), market: key(2) };
    let seat = Seat { job: key(4), provider: key(5), node_key: key(6) };
    let poster = JobPoster { job: key(4), poster: key(7) };
    let outcome = Outcome::invalid(assay_protocol::InvalidReason::ManifestMissing);
    let register = RegisterProvider {
        authority: key(3),
        node_key: key(6),
        market: key(2),
        stake_lamports: 1,
        exposure_cap_lamports: 2,
        capacity: 3,
        endpoint: endpoint("http://127.0.0.1:1").unwrap(),
    };
    let create = CreateJob {
        seeds: JobSeeds { market: key(2), poster: key(7), id: 9 },
        job_cid_digest: [1; 32],
        metered_hash: [2; 32],
        profile: 1,
        limits: TaskLimits::default(),
        seed: 0,
        clock_unix_ns: 0,
        price: 1,
        base_fee_lamports: 0,
        mode: Mode::Optimistic,
        redundancy: 1,
        min_trust_bps: 0,
        escrow_lamports: 5,
        expires_unix: 0,
        agreement_s: None,
    };
    let settle =
        SettleExecution { job: key(4), market: key(2), provider: key(5), rent_payer: key(6), is_disputed: true };
    let changes = ProviderChanges { new_node_key: Some(key(8)), ..ProviderChanges::default() };
    let create_market_args = CreateMarket { authority: key(1), name: [1; 32], cluster: [2; 32], terms: terms() };
    BTreeMap::from([
        ("create_sink", create_sink(key(1))),
        ("create_market", create_market(&create_market_args)),
        ("update_market", update_market(&market, &terms())),
        ("pause_market", pause_market(&market, 5)),
        ("propose_market_authority", propose_market_authority(&market, key(8))),
        ("accept_market_authority", accept_market_authority(&market)),
        ("claim_market_fees", claim_market_fees(&market)),
        ("register_provider", register_provider(&register)),
        ("update_provider", update_provider(&provider, &changes)),
        ("stake", stake(&provider, 1)),
        ("unstake", unstake(&provider, 1)),
        ("withdraw_stake", withdraw_stake(&provider)),
        ("close_provider", close_provider(&provider)),
        ("claim_reward", claim_reward(&provider)),
        ("create_job", create_job(&create)),
        ("cancel_job", cancel_job(&poster)),
        ("close_job", close_job(&poster)),
        ("accept_job", accept_job(&AcceptJob { seat, market: key(2), job_uid: [7; 32], ticket: 0 })),
        ("decline_job", decline_job(&DeclineJob { seat, rent_payer: key(6), reason: 1 })),
        ("enroll_stake", enroll_stake(&EnrollStake { signer: key(6), market: key(2), provider: key(5) })),
        ("commit_result", commit_result(&seat, [1; 32])),
        ("reveal_result", reveal_result(&seat, &outcome, [1; 32])),
        ("submit_results", submit_results(&seat, &outcome)),
        ("finalize_job", finalize_job(key(4))),
        ("settle_execution", settle_execution(&settle)),
        ("expire_job", expire_job(key(4), &job(key(5)))),
    ])
}

fn of_disputes() -> BTreeMap<&'static str, Instruction> {
    let provider = ProviderAuthority { authority: key(3), market: key(2) };
    let challenge = ChallengeSeeds { dispute: key(9), challenger: key(10) };
    let vote = VoteSeeds { dispute: key(9), round: 0, provider: key(5) };
    let absent = SlashAbsent { seeds: vote, market: key(2), tickets: vec![1] };
    let juror = Juror { dispute: key(9), round: 0, provider: key(5), node_key: key(6) };
    let open = OpenDispute {
        payer: key(10),
        market: key(2),
        poster: key(3),
        job: key(4),
        executors: vec![key(5)],
        commitment: Some([1; 32]),
    };
    let outcome = Outcome::invalid(assay_protocol::InvalidReason::ManifestMissing);
    let module = ModuleSeeds { market: key(2), metered_hash: [1; 32] };
    let collision = RecordCollision { payer: key(1), job: key(4), module, is_new: true };
    BTreeMap::from([
        ("record_collision", record_collision(&collision)),
        ("set_duty", set_duty(&provider, Duty::Begin)),
        ("open_dispute", open_dispute(&open)),
        ("enter_dispute", enter_dispute(&challenge, [1; 32])),
        ("record_seed", record_jury_seed(key(4))),
        ("commit_vote", commit_vote(&juror, [1; 32], VoteTickets::All(1))),
        ("reveal_vote", reveal_vote(&juror, &Ballot::Unavailable, [1; 32])),
        ("reveal_outcome", reveal_outcome(&challenge, &outcome, [1; 32])),
        ("tally_round", tally_round(key(9))),
        ("slash_absent", slash_absent(&absent)),
        ("appeal", appeal(&challenge, &Ballot::Unavailable)),
        ("settle_dispute", settle_dispute(key(4))),
        ("settle_challenge", settle_challenge(&SettleChallenge { job: key(4), challenger: key(10) })),
        ("settle_vote", settle_vote(&SettleVote { job: key(4), seeds: vote, rent_payer: key(6) })),
        ("close_dispute", close_dispute(key(4), key(10))),
    ])
}

#[test]
fn a_27_every_instruction_has_a_builder_that_agrees_with_the_idl() {
    let idl: Value = serde_json::from_str(program::IDL_JSON).unwrap();
    let mut built = all();
    built.extend(of_disputes());
    let declared = idl["instructions"].as_array().unwrap();
    assert_eq!(declared.len(), built.len());
    for instruction in declared {
        let name = instruction["name"].as_str().unwrap();
        let found = built.get(name).unwrap_or_else(|| panic!("{name} has no builder"));
        let discriminator: Vec<u8> = serde_json::from_value(instruction["discriminator"].clone()).unwrap();
        assert!(found.data.starts_with(&discriminator), "{name}");
        assert_eq!(super::name(found), Some(name));
        let accounts = instruction["accounts"].as_array().unwrap();
        // Behind its own: the executors of the disputed job.
        let more = usize::from(name == "open_dispute");
        assert_eq!(found.accounts.len(), accounts.len() + more, "{name}");
        for (meta, declared) in found.accounts.iter().zip(accounts) {
            let flag = |flag: &str| declared[flag].as_bool().unwrap_or(false);
            let is_there = !flag("optional") || meta.pubkey != program::ID;
            let flags = (flag("signer"), flag("writable") && is_there);
            assert_eq!((meta.is_signer, meta.is_writable), flags, "{name}: {declared}");
        }
    }
}

#[test]
fn an_open_job_expires_without_the_accounts_of_a_seat() {
    let open = expire_job(key(4), &job(Pubkey::default()));
    // Anchor's placeholder for an absent optional account is the program itself.
    assert!(open.accounts.iter().skip(1).all(|meta| meta.pubkey == program::ID && !meta.is_writable));
    let assigned = expire_job(key(4), &job(key(5)));
    assert!(assigned.accounts.iter().all(|meta| meta.pubkey != program::ID && meta.is_writable));
}

#[test]
fn an_endpoint_is_at_most_64_bytes_long() {
    assert!(endpoint(&"x".repeat(64)).is_some());
    assert!(endpoint(&"x".repeat(65)).is_none());
}
