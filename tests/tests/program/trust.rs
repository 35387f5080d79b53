//! What a provider's record lets it do: least trust, arbiters' floors, jail and its way out.

use assay_protocol::{ExecutionStatus, JobStatus, Mode, limits::MISSES_IN_ROW_JAIL, tickets::TICKET_SOLO};
use assay_tests::{
    assay::accounts::Provider,
    calls::job_args,
    panel::Panel,
    party::{Party, exited, terms},
    scenario::{GAS_USED, Scenario},
    world::World,
};

/// An optimistic job of this number that the provider took.
fn taken(world: &mut World, party: &Party, id: u64) -> Party {
    let party = party.with_job(id);
    world.ok(&party.create_job());
    let accept = party.accept_job(world);
    world.ok(&accept);
    party
}

/// The provider takes a job and lets its deadline pass.
fn miss(world: &mut World, party: &Party, id: u64) {
    let party = taken(world, party, id);
    world.advance(160);
    world.ok(&party.expire_assigned_job());
}

/// The provider takes a job, is right and is paid, to the very end.
fn deliver(world: &mut World, party: &Party, id: u64) {
    let party = taken(world, party, id);
    world.ok(&party.submit_results(&exited(GAS_USED)));
    world.advance(160);
    for call in [party.finalize_job(), party.settle_execution(), party.close_job()] {
        world.ok(&call);
    }
}

fn provider(world: &World, party: &Party) -> Provider {
    world.read(&party.provider)
}

#[test]
fn p_03_p_07_three_missed_deadlines_in_a_row_lead_to_jail_and_time_leads_out() {
    let Scenario { mut world, party } = Scenario::ready();
    for id in 1..u64::from(MISSES_IN_ROW_JAIL) {
        miss(&mut world, &party, id);
        assert_eq!(
            (u64::from(provider(&world, &party).misses_in_row), provider(&world, &party).jailed_until_unix),
            (id, 0)
        );
    }
    // A result that nobody confirmed makes up for nothing.
    deliver(&mut world, &party, 10);
    let last = taken(&mut world, &party, 11);
    world.advance(160);
    world.ok(&last.expire_assigned_job());
    let jailed = provider(&world, &party);
    assert_eq!((jailed.misses_in_row, jailed.trust.missed), (0, 3));
    assert_eq!(jailed.jailed_until_unix, world.now() + i64::from(terms().jail_s));

    let next = party.with_job(12);
    world.ok(&next.create_job());
    world.refuse(&next.accept_job(&world), "Jailed");
    // Its stake and its earnings are its own all the while (I-10).
    for call in [party.unstake(1), party.claim_reward(), party.stake(1)] {
        world.ok(&call);
    }
    world.advance_to(jailed.jailed_until_unix - 1);
    let again = party.with_job(13);
    world.ok(&again.create_job());
    world.refuse(&again.accept_job(&world), "Jailed");
    world.advance(1);
    world.ok(&again.accept_job(&world));
}

#[test]
fn p_03_whoever_is_in_jail_takes_no_seat_of_any_kind() {
    for (mode, redundancy, is_alone) in
        [(Mode::Optimistic, 1, false), (Mode::Redundant, 3, false), (Mode::Quorum, 3, false), (Mode::Adaptive, 3, true)]
    {
        let mut panel = Panel::ready(3);
        panel.world.ok(&panel.parties[0].create_job_with(panel.args(mode, redundancy)));
        if matches!(mode, Mode::Redundant | Mode::Quorum) {
            panel.draw();
        }
        let has_ticket = |party: &&Party| is_alone || party.winning_ticket(&panel.world).is_some();
        let party = *panel.parties.iter().find(has_ticket).expect("one of three");
        let until_unix = panel.world.now() + 10;
        panel.world.edit::<Provider>(&party.provider, |provider| {
            (provider.jailed_until_unix, provider.trust.consecutive_valid) = (until_unix, 50);
        });
        panel.world.advance_to(until_unix - 1);
        let ticket = if is_alone { TICKET_SOLO } else { party.winning_ticket(&panel.world).expect("it wins for ever") };
        let accept = party.accept_job_by(&panel.world, ticket);
        panel.world.refuse(&accept, "Jailed");
        panel.world.advance(1);
        panel.world.ok(&accept);
    }
}

#[test]
fn p_03_a_wrong_and_a_hidden_result_lead_to_jail_and_a_silent_seat_counts_as_missed() {
    let mut panel = Panel::assigned(Mode::Redundant, 5);
    for (index, gas_used) in [(0, GAS_USED), (1, GAS_USED), (2, GAS_USED), (3, 1), (4, GAS_USED)] {
        if index != 4 {
            panel.commit(index, &exited(gas_used));
        }
    }
    panel.world.advance_to(panel.job().execution_deadline_unix);
    (0..2).for_each(|index| panel.reveal(index, &exited(GAS_USED)));
    panel.reveal(3, &exited(1));
    panel.world.advance_to(panel.job().reveal_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    assert_eq!(panel.status(), JobStatus::Open, "two of five are no majority: an arbiter is asked");
    panel.world.advance_to(panel.job().queue_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    panel.world.advance_to(panel.job().window_deadline_unix);
    panel.world.ok(&panel.parties[0].expire_open_job());
    assert_eq!((panel.status(), panel.seat(2).status), (JobStatus::Expired, ExecutionStatus::Committed.code()));
    panel.settle(&[0, 1, 2, 3, 4]);
    let until_unix = panel.world.now() + i64::from(terms().jail_s);
    // Nobody is right where nobody judged; who hid its result stands apart from them.
    assert_eq!([0, 1, 3].map(|index| panel.provider(index).jailed_until_unix), [0; 3]);
    let (hidden, silent) = (panel.provider(2), panel.provider(4));
    assert_eq!((hidden.jailed_until_unix, hidden.trust.failed), (until_unix, 1));
    assert_eq!((silent.jailed_until_unix, silent.trust.missed, silent.misses_in_row), (0, 1, 1));

    let mut judged = Panel::assigned(Mode::Redundant, 3);
    judged.run(&[(0, exited(GAS_USED)), (1, exited(1)), (2, exited(GAS_USED))]);
    judged.finish(&[0, 1, 2]);
    let until_unix = judged.world.now() + i64::from(terms().jail_s);
    assert_eq!([0, 1, 2].map(|index| judged.provider(index).jailed_until_unix), [0, until_unix, 0]);
    assert_eq!(judged.provider(1).trust.consecutive_valid, 0);
}

#[test]
fn p_07_p_23_giving_a_seat_back_while_others_wait_for_it_ends_a_streak_and_the_third_time_leads_to_jail() {
    let mut panel = Panel::assigned(Mode::Redundant, 3);
    panel.world.edit::<Provider>(&panel.parties[2].provider, |provider| {
        (provider.trust.consecutive_valid, provider.misses_in_row) = (12, MISSES_IN_ROW_JAIL - 1);
    });
    panel.world.ok(&panel.parties[2].decline_job(1));
    let until_unix = panel.world.now() + i64::from(terms().jail_s);
    let record = |provider: Provider| {
        let trust = provider.trust;
        (trust.missed, trust.declined, trust.consecutive_valid, provider.misses_in_row, provider.jailed_until_unix)
    };
    assert_eq!(record(panel.provider(2)), (1, 0, 0, 0, until_unix));
    panel.run(&[0, 1].map(|index| (index, exited(GAS_USED))));
    panel.finish(&[0, 1, 2]);
    assert_eq!(record(panel.provider(2)), (1, 0, 0, 0, until_unix), "its settlement counts nothing again");
}

#[test]
fn seats_drawn_by_ticket_confirm_each_other_and_results_posted_to_oneself_buy_nothing() {
    let Scenario { mut world, party } = Scenario::ready();
    (1..=10).for_each(|id| deliver(&mut world, &party, id));
    let own = provider(&world, &party).trust;
    assert_eq!((own.completed, own.confirmed, own.consecutive_valid, own.confirmed_fee_lamports), (10, 0, 0, 0));

    for (waits_s, confirmed) in [(0, 1), (300, 0)] {
        let mut panel = Panel::open(5, Mode::Redundant, 3);
        panel.world.edit::<Provider>(&panel.parties[0].provider, |provider| provider.misses_in_row = 2);
        // From half of the queue's time on every ticket wins: who comes then may have chosen itself.
        panel.world.advance(waits_s);
        (0..3).for_each(|index| panel.accept(index));
        panel.run(&[0, 1, 2].map(|index| (index, exited(GAS_USED))));
        panel.finish(&[0, 1, 2]);
        let fee = u64::from(confirmed) * panel.market().fees_lamports / 3;
        for index in 0..3 {
            let trust = panel.provider(index).trust;
            assert_eq!((trust.completed, trust.confirmed, trust.consecutive_valid), (1, confirmed, confirmed));
            assert_eq!(trust.confirmed_fee_lamports, fee);
        }
        assert_eq!(panel.provider(0).misses_in_row, 2 - 2 * u8::try_from(confirmed).expect("small"));
    }
}

#[test]
fn a_job_asks_for_its_least_trust_whoever_takes_a_seat() {
    let mut panel = Panel::ready(2);
    let party = panel.parties[0];
    let mut args = job_args(1);
    args.min_trust_bps = 10_001;
    panel.world.refuse(&party.create_job_with(args), "TrustUnsupported");
    args.min_trust_bps = 5_000;
    panel.world.ok(&party.create_job_with(args));
    assert_eq!(panel.job().min_trust_bps, 5_000);
    panel.world.refuse(&party.accept_job(&panel.world), "TrustTooLow");
    panel.trust(0, 4_999);
    panel.world.refuse(&party.accept_job(&panel.world), "TrustTooLow");
    panel.trust(0, 5_000);
    panel.world.ok(&party.accept_job(&panel.world));
}

#[test]
fn p_03_a_deadline_that_a_runner_missed_alone_asks_no_more_trust_of_the_first_arbiter() {
    let mut panel = Panel::ready(6);
    let runner = panel.parties[5];
    panel.world.edit::<Provider>(&runner.provider, |provider| provider.trust.consecutive_valid = 10);
    let args = panel.args(Mode::Adaptive, 3);
    panel.world.ok(&runner.create_job_with(args));
    panel.draw();
    panel.world.ok(&runner.accept_job_by(&panel.world, TICKET_SOLO));
    panel.world.advance_to(panel.job().execution_deadline_unix);
    panel.world.ok(&runner.expire_assigned_job());
    // The draw is still the one of the posting; nearly every ticket wins, and not yet all.
    panel.world.advance(60);
    (0..3).for_each(|index| panel.accept(index));
    panel.run(&[(0, exited(1)), (1, exited(2)), (2, exited(3))]);
    assert_eq!((panel.status(), panel.job().attempt, panel.job().arbiters), (JobStatus::Open, 2, 1));
    panel.draw();
    panel.trust(3, 499);
    panel.world.refuse(&panel.parties[3].accept_job(&panel.world), "TrustTooLow");
    panel.trust(3, 500);
    panel.accept(3);
    panel.run(&[(3, exited(4))]);
    // The second one needs 500 more.
    assert_eq!((panel.job().attempt, panel.job().arbiters), (3, 2));
    panel.draw();
    panel.trust(4, 999);
    panel.world.refuse(&panel.parties[4].accept_job(&panel.world), "TrustTooLow");
    panel.trust(4, 1_000);
    panel.accept(4);
}

#[test]
fn an_arbiter_needs_more_trust_until_every_ticket_wins() {
    let mut panel = Panel::assigned(Mode::Redundant, 3);
    panel.run(&[(0, exited(1)), (1, exited(2)), (2, exited(3))]);
    assert_eq!((panel.status(), panel.job().attempt), (JobStatus::Open, 1));
    panel.draw();
    let arbiter = panel.parties[3];
    panel.world.refuse(&arbiter.accept_job(&panel.world), "TrustTooLow");
    panel.trust(3, 499);
    panel.world.refuse(&arbiter.accept_job(&panel.world), "TrustTooLow");
    let mut trusted = panel.clone();
    trusted.trust(3, 500);
    trusted.accept(3);
    // Better anybody than nobody, but such a seat confirms nothing.
    panel.world.advance_to(panel.job().fill_unix + 300);
    panel.accept(3);
    assert_eq!((panel.seat(3).drawn, trusted.seat(3).drawn), (0, 1));
}
