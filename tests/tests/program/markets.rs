//! Creating, changing, handing over and emptying a market.

use assay_protocol::MarketTerms;
use assay_tests::{
    assay::accounts::Market,
    calls::create_sink,
    party::{Party, sink, terms},
    scenario::Scenario,
    world::{SOL, World},
};
use solana_pubkey::Pubkey;

use crate::golden;

fn market(s: &Scenario) -> Market {
    s.world.read(&s.party.market)
}

/// Terms that cost stakers more.
fn worse() -> MarketTerms {
    MarketTerms { stake_min_lamports: 2 * SOL, ..terms() }
}

#[test]
fn the_sink_is_created_once_by_anybody() {
    let mut world = World::new();
    let (first, second) = (world.wallet(SOL), world.wallet(SOL));
    world.ok(&create_sink(first));
    world.refuse(&create_sink(second), "AccountInUse");
    assert!(world.account(&sink()).is_some());
}

#[test]
fn a_05_a_market_is_created_once() {
    let mut s = Scenario::ready();
    s.world.refuse(&s.party.create_market(&terms()), "AccountInUse");
}

#[test]
fn a_28_nobody_creates_a_market_under_anothers_key() {
    let mut world = World::new();
    let party = Party::new(&mut world);
    let attacker = world.wallet(10 * SOL);
    let call = party.create_market(&terms());
    world.refuse(&call.clone().with("authority", attacker), "AddressMismatch");
    world.refuse(&call.unsigned("authority"), "authority.AccountNotSigner");
}

#[test]
fn a_market_pays_in_lamports_and_knows_its_cluster() {
    use assay_tests::{assay, call::Call};
    let mut world = World::new();
    let party = Party::new(&mut world);
    let accounts = assay::client::accounts::CreateMarket {
        authority: party.market_authority,
        market: party.market,
        system_program: assay_tests::party::SYSTEM_PROGRAM,
    };
    let args = assay::types::CreateMarketArgs {
        name: party.market_name,
        cluster: [1; 32],
        mint: Pubkey::default(),
        terms: terms().into(),
    };
    let call = |args| Call::new("create_market", &accounts, &assay::client::args::CreateMarket { args });
    let mint = Pubkey::new_from_array([1; 32]);
    world.refuse(&call(assay::types::CreateMarketArgs { mint, ..args }), "MintUnsupported");
    world.refuse(&call(assay::types::CreateMarketArgs { cluster: [0; 32], ..args }), "DigestZero");
    world.ok(&call(args));
}

#[test]
fn p_22_every_bound_of_the_terms_is_held_on_creation_and_on_update() {
    let mut s = Scenario::ready();
    for (terms, error) in golden::terms_checks() {
        let mut world = World::new();
        let party = Party::new(&mut world);
        match error {
            None => {
                world.ok(&party.create_market(&terms));
            }
            Some(error) => {
                world.refuse(&party.create_market(&terms), &format!("Terms{error}"));
                s.world.refuse(&s.party.update_market(&terms), &format!("Terms{error}"));
            }
        }
    }
}

#[test]
fn p_22_no_terms_change_under_a_job_that_is_on_its_way() {
    // Whatever the change, and whoever it favours: a job that arrives right after it gets the terms that were to be seen.
    let base = terms();
    for (changed, error) in golden::terms_checks() {
        // Another ticket is never taken, see the next test.
        if error.is_some() || changed == base || changed.ticket_lamports != base.ticket_lamports {
            continue;
        }
        let mut s = Scenario::ready();
        s.world.ok(&s.party.update_market(&changed));
        let from = s.world.now() + i64::from(base.unbonding_s);
        assert_eq!(market(&s).pending_from_unix, from);
        s.world.ok(&s.party.create_job());
        let job = s.job();
        assert_eq!(
            (job.fee_bps, job.miss_rate_bps, job.attempts_max),
            (base.fee_bps, base.miss_rate_bps, base.attempts_max)
        );
        assert_eq!((job.execution_s, job.challenge_s, job.queue_timeout_s), (160, 160, base.queue_timeout_s));
        assert_eq!((job.reveal_s, job.widen_s, job.quorum_bps), (base.reveal_s, base.widen_s, base.quorum_bps));
        assert_eq!(
            (job.jury_lambda, job.jury_quorum_bps, job.juror_bond_lamports),
            (base.jury_lambda, base.jury_quorum_bps, base.juror_bond_lamports)
        );
        assert_eq!(job.total_deadline_unix, s.world.now() + i64::from(base.job_total_s));
        s.world.advance_to(from);
        s.world.ok(&s.party.update_market(&changed));
        assert_eq!((MarketTerms::from(market(&s).terms), market(&s).pending_from_unix), (changed, 0));
    }
}

#[test]
fn p_15_a_ticket_stays_what_it_was() {
    let mut s = Scenario::ready();
    let changed = MarketTerms { ticket_lamports: 2 * terms().ticket_lamports, ..terms() };
    assert_eq!(changed.check(), Ok(()));
    s.world.refuse(&s.party.update_market(&changed), "TermsTicket");
}

#[test]
fn p_22_new_terms_wait_one_unbonding_period_to_the_second() {
    let mut s = Scenario::open();
    // A stake between the old minimum and the new one.
    s.world.edit::<assay_tests::assay::accounts::Provider>(&s.party.provider, |provider| {
        provider.stake_lamports = SOL;
    });
    s.world.ok(&s.party.update_market(&worse()));
    let from = market(&s).pending_from_unix;
    assert_eq!(from, s.world.now() + i64::from(terms().unbonding_s));
    assert_eq!(market(&s).terms.stake_min_lamports, SOL);

    // A job keeps the terms of the second in which it was posted.
    let (before, after) = (s.party.with_job(2), s.party.with_job(3));
    s.world.advance_to(from - 1);
    s.world.ok(&before.create_job());
    s.world.advance_to(from);
    s.world.ok(&after.create_job());
    s.world.refuse(&after.accept_job(&s.world), "StakeTooSmall");
    s.world.ok(&before.accept_job(&s.world));
}

#[test]
fn a_new_announcement_replaces_the_pending_one_and_waits_anew() {
    let mut s = Scenario::ready();
    s.world.ok(&s.party.update_market(&worse()));
    s.world.advance(1_000);
    let next = MarketTerms { stake_min_lamports: 3 * SOL, ..terms() };
    s.world.ok(&s.party.update_market(&next));
    assert_eq!(market(&s).pending_from_unix, s.world.now() + i64::from(terms().unbonding_s));
    assert_eq!(market(&s).pending_terms.stake_min_lamports, 3 * SOL);
    // Going back to what is in force takes the announcement away.
    s.world.ok(&s.party.update_market(&terms()));
    assert_eq!(market(&s).pending_from_unix, 0);
}

#[test]
fn p_22_a_job_keeps_the_terms_it_was_created_under() {
    let mut s = Scenario::open();
    let next = MarketTerms { fee_bps: 1_000, challenge_base_s: 1, queue_timeout_s: 1, widen_s: 1, ..terms() };
    s.world.ok(&s.party.update_market(&next));
    s.world.advance(5);
    s.world.ok(&s.party.accept_job(&s.world));
    s.world.ok(&s.party.submit_results(&assay_tests::party::exited(1_000)));
    assert_eq!(s.job().window_deadline_unix, s.world.now() + 160);
    s.world.advance_to(s.job().window_deadline_unix);
    s.world.ok(&s.party.finalize_job());
    assert_eq!(s.job().fee_lamports, 5_001 * 250 / 10_000);
}

#[test]
fn i_06_a_market_changes_hands_in_two_steps() {
    let mut s = Scenario::ready();
    let (heir, stranger) = (s.world.wallet(SOL), s.world.wallet(SOL));
    s.world.refuse(&s.party.accept_market_authority(heir), "PendingAuthorityMismatch");
    s.world.ok(&s.party.propose_market_authority(heir));
    s.world.refuse(&s.party.accept_market_authority(stranger), "PendingAuthorityMismatch");
    s.world.ok(&s.party.update_market(&terms()));
    s.world.ok(&s.party.accept_market_authority(heir));
    // The old key is nobody now, the new one everything, and the address stays.
    for call in [
        s.party.update_market(&terms()),
        s.party.pause_market(s.world.now() + 10),
        s.party.propose_market_authority(stranger),
        s.party.claim_market_fees(),
    ] {
        s.world.refuse(&call, "market.AuthorityMismatch");
        if call.name != "claim_market_fees" {
            s.world.clone().ok(&call.with("authority", heir));
        }
    }
    assert_eq!(market(&s).creator, s.party.market_authority);
    s.world.refuse(&s.party.accept_market_authority(heir), "PendingAuthorityMismatch");
}

#[test]
fn i_06_a_proposal_can_be_withdrawn() {
    let mut s = Scenario::ready();
    let heir = s.world.wallet(SOL);
    s.world.ok(&s.party.propose_market_authority(heir));
    s.world.ok(&s.party.propose_market_authority(Pubkey::default()));
    s.world.refuse(&s.party.accept_market_authority(heir), "PendingAuthorityMismatch");
}

#[test]
fn p_09_fees_are_claimed_once_and_only_by_the_authority() {
    let mut s = Scenario::settled();
    let fees = market(&s).fees_lamports;
    assert!(fees > 0);
    let thief = s.world.wallet(SOL);
    s.world.refuse(&s.party.claim_market_fees().with("authority", thief), "market.AuthorityMismatch");
    let before = s.lamports(&s.party.market_authority);
    s.world.ok(&s.party.claim_market_fees());
    assert_eq!(s.lamports(&s.party.market_authority), before + fees);
    s.world.refuse(&s.party.claim_market_fees(), "NothingToClaim");
}
