//! Tickets and seeds: who may take a seat, and what nobody can choose.

use assay_protocol::{
    DrawState, Mode,
    draw::{self, Subject},
    limits::{SEED_DELAY_SLOTS, SEED_REARMS_MAX},
};
use assay_tests::{
    assay::{
        accounts::{Job, Provider},
        types,
    },
    panel::Panel,
    party::{STAKE, terms},
    scenario::Scenario,
    world::{SOL, slot_hash},
};

const TICKETS: u32 = 100;

fn posted(providers: usize) -> Panel {
    let mut panel = Panel::ready(providers);
    let args = panel.args(Mode::Redundant, 3);
    panel.world.ok(&panel.parties[0].create_job_with(args));
    panel
}

fn state(panel: &Panel) -> DrawState {
    assay_protocol::Draw::from(panel.job().draw).state
}

#[test]
fn tickets_are_enrolled_by_the_node_key_once_the_stake_is_mature() {
    let mut s = Scenario::ready();
    s.world.refuse(&s.party.enroll_stake(), "NothingToEnroll");
    s.world.advance_to(s.provider().stake_mature_from_unix - 1);
    s.world.refuse(&s.party.enroll_stake(), "NothingToEnroll");
    s.world.advance(1);
    s.world.refuse(&s.party.enroll_stake().with("signer", s.party.authority), "NothingToEnroll");
    s.world.ok(&s.party.enroll_stake());
    let provider = s.provider();
    assert_eq!((provider.tickets, provider.tickets_from_unix), (TICKETS, s.world.now()));
    let market: assay_tests::assay::accounts::Market = s.world.read(&s.party.market);
    assert_eq!((market.tickets_total, market.duty_tickets_total), (u64::from(TICKETS), 0));
    s.world.refuse(&s.party.enroll_stake(), "NothingToEnroll");
    assert_eq!(u64::from(TICKETS), STAKE / terms().ticket_lamports);
}

#[test]
fn anybody_may_take_away_tickets_that_the_stake_does_not_bear_and_nobody_else() {
    let mut panel = Panel::ready(2);
    let (party, stranger) = (panel.parties[0], panel.parties[1].node_key);
    panel.world.edit::<Provider>(&party.provider, |provider| provider.stake_lamports -= 1);
    panel.world.ok(&party.enroll_stake().with("signer", stranger));
    let provider = panel.provider(0);
    // Tickets that shrink stay as old as they are.
    assert_eq!((provider.tickets, provider.tickets_from_unix), (TICKETS - 1, panel.world.now()));
    assert_eq!(panel.market().tickets_total, u64::from(2 * TICKETS - 1));
}

#[test]
fn stake_that_leaves_takes_its_tickets_along_and_a_jurors_does_not_leave() {
    let mut panel = Panel::ready(1);
    let party = panel.parties[0];
    panel.world.ok(&party.unstake(SOL));
    assert_eq!(panel.provider(0).tickets, TICKETS - 10);
    assert_eq!(panel.market().tickets_total, u64::from(TICKETS - 10));
    panel.world.edit::<Provider>(&party.provider, |provider| provider.duty_lock_lamports = 1);
    panel.world.refuse(&party.unstake(1), "StakeOnDuty");
    panel.world.edit::<Provider>(&party.provider, |provider| provider.duty_lock_lamports = 0);
    panel.world.ok(&party.unstake(9 * SOL));
    panel.world.advance(i64::from(terms().unbonding_s));
    panel.world.ok(&party.withdraw_stake());
    panel.world.edit::<Provider>(&party.provider, |provider| provider.tickets = 1);
    panel.world.refuse(&party.close_provider(), "ProviderInUse");
    panel.world.edit::<Provider>(&party.provider, |provider| provider.tickets = 0);
    panel.world.ok(&party.close_provider());
}

#[test]
fn p_19_a_seed_is_recorded_once_its_block_is_there_and_never_changes() {
    let mut panel = posted(1);
    let (party, slot) = (panel.parties[0], panel.world.slot());
    assert_eq!(panel.job().draw.seed_slot, slot + SEED_DELAY_SLOTS);
    panel.world.set_slot_hashes((1..slot + SEED_DELAY_SLOTS).rev().take(512));
    panel.world.refuse(&party.record_seed(), "SeedNotReady");
    // The seed's slot was skipped: the first block after it counts.
    let slots = [slot + SEED_DELAY_SLOTS + 3, slot + SEED_DELAY_SLOTS + 1, slot];
    panel.world.set_slot_hashes(slots);
    panel.world.ok(&party.record_seed());
    let job = panel.job();
    let subject = Subject { job_uid: &job.job_uid, purpose: draw::Purpose::Seats, round: 0 };
    assert_eq!(job.draw.seed, draw::seed(&slot_hash(slots[1]), &subject));
    panel.world.set_slot_hashes([slot + 40, slot]);
    panel.world.ok(&party.record_seed());
    assert_eq!(panel.job().draw.seed, job.draw.seed);
}

#[test]
fn an_optimistic_job_has_no_draw() {
    let mut s = Scenario::open();
    s.world.refuse(&s.party.record_seed(), "NoDraw");
}

#[test]
fn p_19_a_block_that_is_lost_is_replaced_three_times_and_then_every_ticket_wins() {
    let mut panel = posted(2);
    let (party, created) = (panel.parties[0], panel.world.now());
    for rearmed in 1..=SEED_REARMS_MAX {
        panel.world.advance(1);
        let slot = panel.world.slot() + 600;
        panel.world.set_clock(slot, panel.world.now());
        panel.world.list_slots();
        panel.world.ok(&party.record_seed());
        let draw = panel.job().draw;
        assert_eq!((draw.rearmed, draw.seed_slot), (rearmed, slot + SEED_DELAY_SLOTS));
        // Whoever enrols while a seed is waited for counts only from the next slot that is fixed.
        assert_eq!(draw.fixed_unix, created + i64::from(rearmed));
        panel.world.refuse(&party.accept_job_by(&panel.world, 0), "SeedMissing");
    }
    let slot = panel.world.slot() + 600;
    panel.world.set_clock(slot, panel.world.now());
    panel.world.list_slots();
    panel.world.ok(&party.record_seed());
    assert_eq!(state(&panel), DrawState::Everybody);
    panel.world.refuse(&party.accept_job_by(&panel.world, TICKETS), "TicketLoses");
    panel.world.ok(&party.accept_job_by(&panel.world, TICKETS - 1));
    assert_eq!(panel.seat(0).drawn, 0, "what everybody could take confirms nothing");
}

#[test]
fn p_15_a_seat_goes_to_a_ticket_that_is_enrolled_borne_and_drawn() {
    let mut panel = posted(5);
    let party = panel.parties[0];
    panel.world.refuse(&party.accept_job_by(&panel.world, 0), "SeedMissing");
    panel.world.advance(10);
    panel.world.list_slots();
    panel.world.ok(&party.record_seed());
    // Six of 500 tickets are expected to win, twelve by now: most lose.
    let all =
        (0..TICKETS).filter(|ticket| panel.world.clone().send(&party.accept_job_by(&panel.world, *ticket)).is_ok());
    let won: Vec<u32> = all.collect();
    assert!(won.len() < 10, "{won:?}");
    let lost = (0..TICKETS).find(|ticket| !won.contains(ticket)).expect("most lose");
    panel.world.refuse(&party.accept_job_by(&panel.world, lost), "TicketLoses");
    panel.world.advance(50);
    let ticket = party.winning_ticket(&panel.world).expect("nearly all win");
    panel.world.refuse(&party.accept_job_by(&panel.world, TICKETS), "TicketLoses");
    panel.world.refuse(&party.accept_job_by(&panel.world, u32::MAX), "TicketLoses");
    let mut poorer = panel.clone();
    poorer.world.edit::<Provider>(&party.provider, |provider| provider.stake_lamports = SOL);
    for high in 10..TICKETS {
        poorer.world.refuse(&party.accept_job_by(&poorer.world, high), "TicketLoses");
    }
    panel.world.ok(&party.accept_job_by(&panel.world, ticket));
    assert_eq!((panel.seat(0).drawn, panel.seat(0).weight_lamports), (1, STAKE));
    // One seat per provider, however many of its tickets win.
    panel.world.refuse(&party.accept_job_by(&panel.world, ticket), "ExecutionExists");
}

#[test]
fn p_15_every_ticket_wins_from_half_of_the_queue_on() {
    let mut panel = posted(1);
    panel.draw();
    panel.world.advance_to(panel.job().fill_unix + 300);
    for ticket in [0, TICKETS - 1] {
        panel.world.clone().ok(&panel.parties[0].accept_job_by(&panel.world, ticket));
    }
    panel.world.ok(&panel.parties[0].accept_job_by(&panel.world, 7));
    assert_eq!(panel.seat(0).drawn, 0);
}

#[test]
fn p_16_tickets_that_are_younger_than_the_draw_do_not_count() {
    let mut panel = posted(2);
    let (party, late) = (panel.parties[0], panel.parties[1]);
    panel.world.advance(1);
    // More stake, enrolled a second after the slot was fixed and long before anybody knows the seed.
    panel.world.ok(&late.stake(SOL));
    panel.world.advance(i64::from(terms().unbonding_s));
    panel.world.ok(&late.enroll_stake());
    panel.world.edit::<Job>(&party.job, |job| job.queue_deadline_unix += 200_000);
    panel.world.set_slot_hashes([panel.job().draw.seed_slot]);
    panel.world.ok(&party.record_seed());
    panel.world.advance_to(panel.job().queue_deadline_unix - 1);
    panel.world.refuse(&late.accept_job_by(&panel.world, 0), "TicketImmature");
    panel.world.ok(&party.accept_job_by(&panel.world, 0));
}

#[test]
fn p_16_two_jobs_and_two_providers_have_draws_of_their_own() {
    let mut panel = posted(1);
    panel.draw();
    let first = panel.job().draw.seed;
    let other = panel.parties[0].with_job(2);
    let args = types::CreateJobArgs { id: 2, ..panel.args(Mode::Redundant, 3) };
    panel.world.ok(&other.create_job_with(args));
    panel.world.set_slot_hashes([panel.world.read::<Job>(&other.job).draw.seed_slot]);
    panel.world.ok(&other.record_seed());
    assert_ne!(panel.world.read::<Job>(&other.job).draw.seed, first);
}
