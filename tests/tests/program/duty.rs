//! Who serves as juror, and what that locks.

use assay_protocol::{Mode, duty::ON_DUTY};
use assay_tests::{
    assay::accounts::{Job, Provider},
    calls::job_args,
    invariants,
    panel::Panel,
    party::{STAKE, terms},
    world::SOL,
};

const TICKETS: u32 = 100;
/// 5 % of 100 tickets of 0.1 SOL.
const LOCK: u64 = SOL / 2;

#[test]
fn duty_locks_a_share_of_the_enrolled_stake_and_counts_its_tickets() {
    let mut panel = Panel::ready(2);
    let party = panel.parties[0];
    assert_eq!(LOCK, STAKE * u64::from(terms().duty_rate_bps) / 10_000);
    panel.world.refuse(&party.set_duty(false), "DutyUnchanged");
    panel.world.ok(&party.set_duty(true));
    let provider = panel.provider(0);
    assert_eq!((provider.locked_lamports, provider.duty_lock_lamports), (LOCK, LOCK));
    assert_eq!((provider.duty_from_unix, provider.duty_until_unix), (panel.world.now(), ON_DUTY));
    assert_eq!((provider.duty_tickets, panel.market().duty_tickets_total), (TICKETS, u64::from(TICKETS)));
    assert_eq!(panel.market().tickets_total, u64::from(2 * TICKETS));
    panel.world.refuse(&party.set_duty(true), "DutyUnchanged");
    panel.world.ok(&panel.parties[1].set_duty(true));
    assert_eq!(panel.market().duty_tickets_total, u64::from(2 * TICKETS));
    invariants::check(&panel.world);
}

#[test]
fn duty_ends_at_once_and_its_lock_is_released_an_unbonding_period_later() {
    let mut panel = Panel::ready(1);
    let party = panel.parties[0];
    panel.world.ok(&party.set_duty(true));
    panel.world.ok(&party.set_duty(false));
    let provider = panel.provider(0);
    assert_eq!((provider.duty_until_unix, provider.locked_lamports), (panel.world.now() + 1, LOCK));
    assert_eq!((provider.duty_tickets, panel.market().duty_tickets_total), (0, 0));
    // A dispute that was opened before may still judge it: the lock stays, and so do its tickets.
    panel.world.refuse(&party.set_duty(true), "DutyUnchanged");
    panel.world.refuse(&party.unstake(1), "StakeOnDuty");
    let released_unix = provider.duty_until_unix + i64::from(terms().unbonding_s);
    panel.world.advance_to(released_unix - 1);
    panel.world.refuse(&party.set_duty(false), "StillOnDuty");
    panel.world.advance_to(released_unix);
    panel.world.ok(&party.set_duty(false));
    assert_eq!((panel.provider(0).locked_lamports, panel.provider(0).duty_lock_lamports), (0, 0));
    panel.world.refuse(&party.set_duty(false), "DutyUnchanged");
    panel.world.ok(&party.unstake(1));
    panel.world.ok(&party.set_duty(true));
    assert_eq!(panel.market().duty_tickets_total, u64::from(TICKETS - 1));
    invariants::check(&panel.world);
}

#[test]
fn p_07_p_25_duty_locks_no_more_than_is_free_and_exposed() {
    let mut panel = Panel::ready(1);
    let party = panel.parties[0];
    let whole = panel.provider(0);
    // With the bonds of votes of all its tickets: a cap that cuts them would make an absentee of a juror that votes.
    let exposed = LOCK + u64::from(TICKETS) * terms().juror_bond_lamports;
    panel.world.edit::<Provider>(&party.provider, |provider| provider.locked_lamports = STAKE - LOCK + 1);
    panel.world.refuse(&party.set_duty(true), "FreeStakeTooSmall");
    panel.world.edit::<Provider>(&party.provider, |provider| {
        provider.locked_lamports = 0;
        provider.exposure_cap_lamports = exposed - 1;
    });
    panel.world.refuse(&party.set_duty(true), "ExposureCapReached");
    panel.world.edit::<Provider>(&party.provider, |provider| provider.exposure_cap_lamports = exposed);
    panel.world.ok(&party.set_duty(true));
    assert_eq!(panel.provider(0).stake_lamports, whole.stake_lamports);
}

#[test]
fn p_16_without_tickets_nobody_serves() {
    let mut panel = Panel::ready(1);
    let party = panel.parties[0];
    panel.world.ok(&party.unstake(STAKE));
    panel.world.refuse(&party.set_duty(true), "WeightOutOfRange");
}

#[test]
fn i_10_a_pause_keeps_nobody_on_duty_or_off() {
    let mut panel = Panel::ready(1);
    let party = panel.parties[0];
    panel.world.ok(&party.pause_market(panel.world.now() + 1_000));
    panel.world.ok(&party.set_duty(true));
    panel.world.ok(&party.set_duty(false));
}

/// A jury is counted without its job's executors, by their tickets when they took their seats.
#[test]
fn p_18_neither_duty_begins_nor_ends_while_a_seat_is_held() {
    let mut panel = Panel::ready(2);
    let (juror, other) = (panel.parties[0], panel.parties[1]);
    panel.world.ok(&juror.set_duty(true));
    panel.world.ok(&juror.create_job_with(panel.args(Mode::Redundant, 2)));
    panel.draw();
    for index in [0, 1] {
        panel.accept(index);
    }
    assert_eq!(panel.job().executors_duty_tickets, TICKETS);
    assert_eq!((panel.seat(0).duty_tickets, panel.seat(1).duty_tickets), (TICKETS, 0));
    panel.world.refuse(&juror.set_duty(false), "SeatsHeld");
    panel.world.refuse(&other.set_duty(true), "SeatsHeld");
    assert_eq!(panel.market().duty_tickets_total, u64::from(TICKETS));
    invariants::check(&panel.world);
}

/// A seat that was given up under the clock, or missed, makes its provider a party as before: else its tickets would be counted in a
/// jury that it is no part of, or be taken out of it twice, down to a jury of nobody.
#[test]
fn p_18_neither_duty_begins_nor_ends_while_an_execution_that_was_given_up_is_open() {
    let mut panel = Panel::ready(3);
    let (juror, other) = (panel.parties[0], panel.parties[1]);
    for index in [0, 2] {
        let on = panel.parties[index].set_duty(true);
        panel.world.ok(&on);
    }
    panel.world.ok(&juror.create_job_with(panel.args(Mode::Redundant, 2)));
    panel.draw();
    for index in [0, 1] {
        panel.accept(index);
    }
    for party in [juror, other] {
        panel.world.ok(&party.decline_job(1));
    }
    assert_eq!([0, 1].map(|index| panel.provider(index).active), [0, 0]);
    assert_eq!(panel.job().executors[..2], [juror.provider, other.provider]);
    panel.world.refuse(&juror.set_duty(false), "SeatsHeld");
    panel.world.refuse(&other.set_duty(true), "SeatsHeld");
    assert_eq!((panel.market().duty_tickets_total, panel.job().executors_duty_tickets), (200, TICKETS));
    invariants::check(&panel.world);
}

#[test]
fn p_18_duty_counts_and_locks_the_tickets_that_the_stake_still_bears() {
    let mut panel = Panel::ready(2);
    let party = panel.parties[0];
    // As a missed deadline leaves it, until somebody enrolls.
    panel.world.edit::<Provider>(&party.provider, |provider| provider.stake_lamports = STAKE - 1);
    panel.world.ok(&party.set_duty(true));
    let provider = panel.provider(0);
    assert_eq!((provider.tickets, provider.duty_tickets), (TICKETS - 1, TICKETS - 1));
    assert_eq!(provider.duty_lock_lamports, LOCK / 100 * 99);
    assert_eq!((panel.market().tickets_total, panel.market().duty_tickets_total), (199, 99));
    invariants::check(&panel.world);
}

#[test]
fn a_seat_that_is_given_back_takes_its_duty_tickets_along() {
    let mut panel = Panel::ready(1);
    let party = panel.parties[0];
    panel.world.ok(&party.set_duty(true));
    panel.world.ok(&party.create_job_with(job_args(party.job_id)));
    let accept = party.accept_job(&panel.world);
    panel.world.ok(&accept);
    assert_eq!(panel.job().executors_duty_tickets, TICKETS);
    panel.world.ok(&party.decline_job(1));
    assert_eq!(panel.job().executors_duty_tickets, 0);
    // Missed, the only seat is free again: whoever held it is no executor any more.
    panel.world.ok(&accept);
    panel.world.advance_to(panel.job().execution_deadline_unix);
    panel.world.ok(&party.expire_assigned_job());
    assert_eq!(panel.world.read::<Job>(&party.job).executors_duty_tickets, 0);
    invariants::check(&panel.world);
}

#[test]
fn p_16_tickets_do_not_grow_while_duty_locks_stake() {
    let mut panel = Panel::ready(1);
    let party = panel.parties[0];
    panel.world.ok(&party.set_duty(true));
    panel.world.ok(&party.stake(SOL));
    panel.world.advance(2 * i64::from(terms().unbonding_s));
    // On duty, and off duty until the lock is released: every vote has a lock behind it.
    panel.world.refuse(&party.enroll_stake(), "NothingToEnroll");
    panel.world.ok(&party.set_duty(false));
    panel.world.refuse(&party.enroll_stake(), "NothingToEnroll");
    panel.world.advance(i64::from(terms().unbonding_s) + 1);
    panel.world.ok(&party.set_duty(false));
    panel.world.ok(&party.enroll_stake());
    assert_eq!(panel.provider(0).tickets, TICKETS + 10);
    assert_eq!(panel.market().duty_tickets_total, 0);
}

/// Else a liar would let itself be put off duty and so empty the jury that is to judge it.
#[test]
fn p_18_tickets_of_a_juror_put_off_duty_over_its_executions_leave_with_the_last_one() {
    let mut panel = Panel::ready(2);
    let (juror, stranger) = (panel.parties[0], panel.parties[1]);
    panel.world.ok(&juror.set_duty(true));
    let off = |provider: &mut Provider| {
        // As an absence leaves it.
        (provider.duty_until_unix, provider.duty_lock_lamports, provider.locked_lamports) = (1, 0, 0);
    };
    panel.world.edit::<Provider>(&juror.provider, |provider| {
        off(provider);
        provider.children_open = 1;
    });
    let shrink = juror.enroll_stake().with("signer", stranger.node_key);
    panel.world.refuse(&shrink, "NothingToEnroll");
    assert_eq!(panel.market().duty_tickets_total, u64::from(TICKETS));
    panel.world.edit::<Provider>(&juror.provider, |provider| provider.children_open = 0);
    panel.world.ok(&shrink);
    assert_eq!((panel.provider(0).tickets, panel.provider(0).duty_tickets), (TICKETS, 0));
    assert_eq!(panel.market().duty_tickets_total, 0);
    panel.world.refuse(&shrink, "NothingToEnroll");
    panel.world.ok(&juror.set_duty(true));
    assert_eq!(panel.market().duty_tickets_total, u64::from(TICKETS));
}

/// Nor would it by taking out the stake behind them, which its absence made free: its seats took these tickets out of the juries of
/// their jobs already.
#[test]
fn p_18_stake_behind_tickets_that_stay_counted_for_seats_stays() {
    let mut panel = Panel::ready(2);
    let juror = panel.parties[0];
    panel.world.ok(&juror.set_duty(true));
    panel.world.ok(&juror.create_job_with(panel.args(Mode::Redundant, 2)));
    panel.draw();
    panel.accept(0);
    assert_eq!(panel.job().executors_duty_tickets, TICKETS);
    panel.world.edit::<Provider>(&juror.provider, |provider| {
        // As an absence leaves it.
        provider.locked_lamports -= provider.duty_lock_lamports;
        (provider.duty_until_unix, provider.duty_lock_lamports) = (1, 0);
    });
    panel.world.refuse(&juror.unstake(SOL), "StakeOnDuty");
    panel.world.ok(&juror.decline_job(1));
    panel.world.ok(&juror.unstake(SOL));
    // The decline cost a little of the stake too.
    assert_eq!((panel.provider(0).tickets, panel.market().duty_tickets_total), (TICKETS - 11, u64::from(TICKETS - 11)));
    panel.world.ok(&juror.enroll_stake());
    assert_eq!((panel.provider(0).tickets, panel.market().duty_tickets_total), (TICKETS - 11, 0));
    invariants::check(&panel.world);
}
