//! Who serves as juror, and what that locks.

use assay_protocol::{Mode, duty::ON_DUTY, tickets::TICKET_SOLO};
use assay_tests::{
    assay::accounts::{Dispute, Market, Provider},
    invariants,
    panel::Panel,
    party::{STAKE, exited, terms},
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
    assert_eq!((provider.tickets, panel.market().duty_tickets_total), (TICKETS, u64::from(TICKETS)));
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
    assert_eq!((provider.tickets, panel.market().duty_tickets_total), (TICKETS, 0));
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
fn p_07_p_18_p_25_duty_locks_no_more_than_is_free_and_leaves_the_bonds_of_its_votes() {
    let mut panel = Panel::ready(1);
    let party = panel.parties[0];
    let whole = panel.provider(0);
    // With the bonds of votes of all its tickets: stake that is bound would excuse a juror, and a cap that cuts them make an absentee of it.
    let exposed = LOCK + u64::from(TICKETS) * terms().juror_bond_lamports;
    panel.world.edit::<Provider>(&party.provider, |provider| provider.locked_lamports = STAKE - LOCK + 1);
    panel.world.refuse(&party.set_duty(true), "FreeStakeTooSmall");
    panel.world.edit::<Provider>(&party.provider, |provider| {
        (provider.locked_lamports, provider.exposure_cap_lamports) = (STAKE - exposed + 1, STAKE);
    });
    panel.world.refuse(&party.set_duty(true), "JuryReserveTooSmall");
    panel.world.edit::<Provider>(&party.provider, |provider| {
        provider.locked_lamports = 0;
        provider.exposure_cap_lamports = LOCK - 1;
    });
    panel.world.refuse(&party.set_duty(true), "ExposureCapReached");
    panel.world.edit::<Provider>(&party.provider, |provider| provider.exposure_cap_lamports = exposed - 1);
    panel.world.refuse(&party.set_duty(true), "JuryReserveTooSmall");
    panel.world.edit::<Provider>(&party.provider, |provider| provider.exposure_cap_lamports = exposed);
    panel.world.ok(&party.set_duty(true));
    assert_eq!(panel.provider(0).stake_lamports, whole.stake_lamports);
}

/// However the seat is taken, and whether stake or exposure cap is short.
#[test]
fn p_18_a_seat_leaves_a_juror_the_bonds_of_all_its_votes() {
    let reserve = u64::from(TICKETS) * terms().juror_bond_lamports;
    for (mode, redundancy, is_alone) in
        [(Mode::Optimistic, 1, false), (Mode::Adaptive, 3, false), (Mode::Adaptive, 3, true)]
    {
        let mut panel = Panel::ready(3);
        let party = panel.parties[0];
        panel.world.ok(&party.set_duty(true));
        panel.world.edit::<Provider>(&party.provider, |provider| provider.trust.consecutive_valid = 50);
        panel.world.ok(&party.create_job_with(panel.args(mode, redundancy)));
        let ticket = match (mode, is_alone) {
            (Mode::Optimistic, _) => 0,
            (_, true) => TICKET_SOLO,
            (_, false) => {
                panel.draw();
                party.winning_ticket(&panel.world).expect("nearly all win")
            }
        };
        let accept = party.accept_job_by(&panel.world, ticket);
        let mut seated = panel.world.clone();
        seated.ok(&accept);
        let lock = seated.read::<Provider>(&party.provider).locked_lamports - LOCK;
        let short: [fn(&mut Provider, u64); 2] = [
            |provider, bound| (provider.locked_lamports, provider.exposure_cap_lamports) = (STAKE - bound, STAKE),
            |provider, bound| provider.exposure_cap_lamports = provider.locked_lamports + bound,
        ];
        for leave in short {
            let mut world = panel.world.clone();
            world.edit::<Provider>(&party.provider, |provider| leave(provider, lock + reserve - 1));
            world.refuse(&accept, "JuryReserveTooSmall");
            // Whoever leaves duty is a juror still of what was opened before, and keeps its lock so long.
            let mut leaving = world.clone();
            leaving.ok(&party.set_duty(false));
            leaving.refuse(&accept, "JuryReserveTooSmall");
            leaving.edit::<Provider>(&party.provider, |provider| provider.duty_lock_lamports = 0);
            leaving.ok(&accept);
            world.edit::<Provider>(&party.provider, |provider| leave(provider, lock + reserve));
            world.ok(&accept);
        }
    }
}

/// So does a withdrawal of what it has beyond its tickets.
#[test]
fn p_18_a_withdrawal_leaves_a_juror_the_bonds_of_all_its_votes() {
    let mut panel = Panel::ready(1);
    let party = panel.parties[0];
    panel.world.ok(&party.set_duty(true));
    panel.world.ok(&party.stake(SOL));
    let reserve = u64::from(TICKETS) * terms().juror_bond_lamports;
    panel.world.edit::<Provider>(&party.provider, |provider| provider.locked_lamports = STAKE - reserve + 1);
    panel.world.refuse(&party.unstake(SOL), "JuryReserveTooSmall");
    panel.world.ok(&party.unstake(SOL - 1));
    panel.world.ok(&party.set_duty(false));
    panel.world.refuse(&party.unstake(1), "JuryReserveTooSmall");
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

/// The unbonding period outlasts the disputes of jobs that were posted under the same terms: a shorter one that came since frees nothing.
#[test]
fn p_11_a_shorter_unbonding_period_releases_no_lock_earlier() {
    let mut panel = Panel::ready(1);
    let party = panel.parties[0];
    panel.world.ok(&party.set_duty(true));
    assert_eq!(panel.provider(0).duty_unbonding_s, terms().unbonding_s);
    panel.world.ok(&party.set_duty(false));
    let released_unix = panel.provider(0).duty_until_unix + i64::from(terms().unbonding_s);
    panel.world.edit::<Market>(&party.market, |market| market.terms.unbonding_s /= 2);
    panel.world.advance_to(released_unix - 1);
    panel.world.refuse(&party.set_duty(false), "StillOnDuty");
    // And a longer one holds it longer.
    let mut longer = panel.world.clone();
    longer.edit::<Market>(&party.market, |market| market.terms.unbonding_s = 2 * terms().unbonding_s);
    longer.advance_to(released_unix);
    longer.refuse(&party.set_duty(false), "StillOnDuty");
    panel.world.advance_to(released_unix);
    panel.world.ok(&party.set_duty(false));
}

/// A jury is counted without its job's executors by what they have on duty when the dispute is opened: nobody waits for a seat to begin
/// or end its duty, and no way of doing so takes tickets out twice, or leaves any that nobody can vote with.
#[test]
fn p_18_duty_begins_and_ends_under_seats_and_no_jury_is_counted_wrong() {
    for (leaves, joins, total) in [(false, false, 100), (true, false, 100), (false, true, 100), (true, true, 100)] {
        let mut panel = Panel::ready(3);
        let [leaver, joiner, juror] = [panel.parties[0], panel.parties[1], panel.parties[2]];
        panel.world.ok(&leaver.set_duty(true));
        panel.world.ok(&juror.set_duty(true));
        panel.world.ok(&leaver.create_job_with(panel.args(Mode::Redundant, 2)));
        panel.draw();
        for index in [0, 1] {
            panel.accept(index);
        }
        panel.run(&[(0, exited(1)), (1, exited(1))]);
        if leaves {
            panel.world.ok(&leaver.set_duty(false));
        }
        if joins {
            panel.world.ok(&joiner.set_duty(true));
        }
        let open = juror.open_dispute(&panel.world, juror.poster, Some([1; 32]));
        panel.world.ok(&open);
        assert_eq!(panel.world.read::<Dispute>(&juror.dispute()).duty_tickets_total, total);
        invariants::check(&panel.world);
    }
}

#[test]
fn p_18_duty_counts_and_locks_the_tickets_that_the_stake_still_bears() {
    let mut panel = Panel::ready(2);
    let party = panel.parties[0];
    // As a missed deadline leaves it, until somebody enrolls.
    panel.world.edit::<Provider>(&party.provider, |provider| provider.stake_lamports = STAKE - 1);
    panel.world.ok(&party.set_duty(true));
    let provider = panel.provider(0);
    assert_eq!(provider.tickets, TICKETS - 1);
    assert_eq!(provider.duty_lock_lamports, LOCK / 100 * 99);
    assert_eq!((panel.market().tickets_total, panel.market().duty_tickets_total), (199, 99));
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

/// Else a juror without a lock, as a duty rate that rounds to nothing leaves it, would leave a jury by letting its tickets grow young.
#[test]
fn p_16_tickets_of_a_juror_without_a_lock_do_not_grow_either() {
    let mut panel = Panel::ready(1);
    let party = panel.parties[0];
    panel.world.ok(&party.set_duty(true));
    panel.world.edit::<Provider>(&party.provider, |provider| {
        provider.locked_lamports -= provider.duty_lock_lamports;
        provider.duty_lock_lamports = 0;
    });
    panel.world.ok(&party.stake(SOL));
    panel.world.advance(2 * i64::from(terms().unbonding_s));
    panel.world.refuse(&party.enroll_stake(), "NothingToEnroll");
}
