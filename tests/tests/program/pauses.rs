//! A pause stops new promises and nothing else, and ends.

use assay_protocol::limits::{PAUSE_PERIOD_S, PAUSE_S_MAX};
use assay_tests::{
    assay::{accounts::Market, types::UpdateProviderArgs},
    calls::job_args,
    party::exited,
    scenario::Scenario,
};

const LONGEST: i64 = PAUSE_S_MAX as i64;
const PERIOD: i64 = PAUSE_PERIOD_S as i64;

fn pause(s: &mut Scenario) {
    let until = s.world.now() + LONGEST;
    s.world.ok(&s.party.pause_market(until));
}

#[test]
fn a_pause_refuses_new_jobs_acceptances_and_registrations_until_it_ends() {
    let mut s = Scenario::open();
    let newcomer = s.party.another(&mut s.world);
    s.world.ok(&s.party.pause_market(s.world.now() + 100));
    let second = s.party.with_job(2);
    let refused = [s.party.accept_job(&s.world), second.create_job(), newcomer.register_provider()];
    for call in &refused {
        s.world.refuse(call, "MarketPaused");
    }
    s.world.advance(99);
    s.world.refuse(&refused[0], "MarketPaused");
    // the pause ends at its very second.
    s.world.advance(1);
    for call in &refused {
        s.world.ok(call);
    }
}

#[test]
fn i_10_a_pause_never_blocks_a_way_out() {
    let mut s = Scenario::open();
    pause(&mut s);
    s.world.ok(&s.party.cancel_job());
    s.world.ok(&s.party.close_job());

    let mut s = Scenario::assigned();
    pause(&mut s);
    s.world.clone().ok(&s.party.decline_job(1));
    s.world.ok(&s.party.submit_results(&exited(1)));
    s.world.advance_to(s.job().window_deadline_unix);
    for call in [
        s.party.finalize_job(),
        s.party.settle_execution(),
        s.party.close_job(),
        s.party.claim_reward(),
        s.party.claim_market_fees(),
        s.party.stake(5),
        s.party.unstake(1_000),
        s.party.update_provider(
            UpdateProviderArgs { exposure_cap_lamports: None, capacity: Some(1), endpoint: None },
            None,
        ),
    ] {
        s.world.ok(&call);
    }
    s.world.advance_to(s.provider().unbonding_until_unix);
    assert!(s.world.now() < s.world.read::<Market>(&s.party.market).paused_until_unix, "still paused");
    s.world.ok(&s.party.withdraw_stake());

    let mut s = Scenario::open();
    pause(&mut s);
    s.world.advance_to(s.job().queue_deadline_unix);
    s.world.ok(&s.party.expire_open_job());
}

#[test]
fn p_22_a_pause_lasts_at_most_72_hours() {
    let mut s = Scenario::ready();
    let now = s.world.now();
    s.world.refuse(&s.party.pause_market(now + LONGEST + 1), "PauseTooLong");
    s.world.refuse(&s.party.pause_market(i64::MAX), "PauseTooLong");
    s.world.ok(&s.party.pause_market(now + LONGEST));
}

#[test]
fn p_22_a_pause_begins_once_in_7_days() {
    let mut s = Scenario::ready();
    let now = s.world.now();
    s.world.ok(&s.party.pause_market(now + 10));
    s.world.refuse(&s.party.pause_market(now + 20), "PauseTooSoon");
    s.world.advance(PERIOD - 1);
    s.world.refuse(&s.party.pause_market(s.world.now() + 10), "PauseTooSoon");
    s.world.advance(1);
    s.world.ok(&s.party.pause_market(s.world.now() + 10));
}

#[test]
fn a_pause_can_be_ended_early_and_that_is_no_new_one() {
    let mut s = Scenario::ready();
    let now = s.world.now();
    s.world.ok(&s.party.pause_market(now + 100));
    s.world.ok(&s.party.pause_market(now));
    s.world.ok(&s.party.create_job_with(job_args(1)));
    s.world.ok(&s.party.pause_market(i64::MIN));
    s.world.refuse(&s.party.pause_market(now + 1), "PauseTooSoon");
}

#[test]
fn a_29_only_the_authority_pauses() {
    let mut s = Scenario::ready();
    for key in [s.party.poster, s.party.authority, s.party.node_key] {
        let call = s.party.pause_market(s.world.now() + 10).with("authority", key);
        s.world.refuse(&call, "market.AuthorityMismatch");
    }
}
