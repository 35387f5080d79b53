//! Who was absent from a jury: none of the ways in which a verdict is denied without voting saves the duty lock.

use assay_protocol::{DisputeStatus, MarketTerms, VoteStatus};
use assay_tests::{
    assay::{
        accounts::{Job, Provider, Vote},
        types::{CommitVoteArgs, UpdateProviderArgs},
    },
    call::Call,
    calls::job_args,
    invariants,
    panel::Panel,
    party::{PRICE, Party, STAKE, task, terms},
    trial::{JURORS, SALT, Trial, ballot, said},
    world::SOL,
};
use solana_pubkey::Pubkey;

/// A lie is contested, and the first round's jury votes.
fn voting() -> Trial {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    court.draw();
    court
}

/// A juror with at least so many tickets in the present round.
fn drawn(court: &Trial, least: usize) -> usize {
    let found = JURORS.clone().find(|juror| court.tickets(*juror).len() >= least);
    found.expect("of nine tickets among four somebody has two")
}

fn vote_with(court: &Trial, juror: usize, tickets: &[u32]) -> Call {
    let party = court.party(juror);
    let commitment = party.vote_commitment(court.world(), &ballot(1), SALT);
    party.commit_vote_with(court.world(), CommitVoteArgs { commitment, tickets: tickets.to_vec() })
}

/// The juror votes so, shows it, and the round is counted.
fn cast(court: &mut Trial, juror: usize, tickets: &[u32]) -> Vote {
    let vote = vote_with(court, juror, tickets);
    court.panel.world.ok(&vote);
    court.panel.world.advance_to(court.dispute().commit_deadline_unix);
    let reveal = court.party(juror).reveal_vote(court.world(), &ballot(1), SALT);
    court.panel.world.ok(&reveal);
    court.tally();
    court.world().read(&court.party(juror).vote(court.dispute().round))
}

fn set(court: &mut Trial, juror: usize, edit: impl FnOnce(&mut Provider)) {
    let at = court.party(juror).provider;
    court.panel.world.edit::<Provider>(&at, edit);
}

fn rotate(court: &mut Trial, juror: usize, key: Pubkey) -> Party {
    let args = UpdateProviderArgs { exposure_cap_lamports: None, capacity: None, endpoint: None };
    let update = court.party(juror).update_provider(args, Some(key));
    court.panel.world.ok(&update);
    Party { node_key: key, ..court.party(juror) }
}

#[test]
fn p_18_an_absence_is_shown_until_the_next_round_is_over_or_the_dispute() {
    let mut court = voting();
    let juror = drawn(&court, 1);
    let (party, all) = (court.party(juror), court.tickets(juror));
    let slash = party.slash_absent(0, all[0]);
    let losing = (0..100).find(|ticket| !all.contains(ticket)).expect("most lose");
    court.panel.world.refuse(&slash, "DisputeNotTallied");
    court.tally();
    court.panel.world.clone().ok(&slash);
    court.pass();
    assert_eq!((court.status(), court.dispute().round), (DisputeStatus::Drawing, 1));
    court.panel.world.refuse(&party.slash_absent(0, losing), "TicketLoses");
    let mut drawing = court.clone();
    drawing.panel.world.ok(&slash);
    assert_eq!(drawing.stake(juror), STAKE - STAKE / 20);
    assert_eq!((drawing.dispute().pot_lamports, drawing.panel.provider(juror).duty_lock_lamports), (STAKE / 20, 0));
    invariants::check(drawing.world());
    court.draw();
    court.panel.world.clone().ok(&slash);
    let now = court.tickets(juror)[0];
    court.panel.world.refuse(&party.slash_absent(1, now), "DisputeNotTallied");
    court.tally();
    let mut counted = court.clone();
    counted.panel.world.ok(&slash);
    counted.panel.world.refuse(&party.slash_absent(1, now), "NothingToSlash");
    court.pass();
    court.panel.world.refuse(&slash, "DisputeNotTallied");
    court.panel.world.clone().ok(&party.slash_absent(1, now));
    while court.dispute().round < 3 {
        court.draw();
        court.tally();
        court.pass();
    }
    court.tally();
    court.decide();
    for round in [2, 3, 4, u8::MAX] {
        court.panel.world.refuse(&party.slash_absent(round, 0), "DisputeNotTallied");
    }
}

/// Else many sham disputes at a time would drive honest jurors off duty.
#[test]
fn p_18_a_juror_with_two_votes_elsewhere_is_excused_if_it_asks_and_by_none_of_this_dispute() {
    let mut court = voting();
    let juror = drawn(&court, 1);
    for round in 0..2 {
        let (party, ticket) = (court.party(juror), court.tickets(juror)[0]);
        let ask = party.commit_vote_with(court.world(), CommitVoteArgs { commitment: [0; 32], tickets: Vec::new() });
        // One for each earlier round does not count, whether it voted there or not.
        let mut busy = court.clone();
        set(&mut busy, juror, |provider| provider.votes_open = 1 + u16::from(round));
        busy.panel.world.refuse(&ask, "CommitmentZero");
        set(&mut busy, juror, |provider| provider.votes_open = 2 + u16::from(round));
        busy.panel.world.ok(&ask);
        let (vote, after) = (busy.world().read::<Vote>(&party.vote(round)), busy.panel.provider(juror));
        assert_eq!((vote.weight, vote.lock_lamports, vote.is_full, vote.commitment), (0, 0, 1, [0; 32]));
        assert_eq!(vote.vote_status(), Some(VoteStatus::Revealed));
        assert_eq!(after.votes_open, 2 + u16::from(round), "an excuse excuses from nothing else");
        assert_eq!(after.children_open, court.panel.provider(juror).children_open + 1);
        assert_eq!((busy.dispute().votes_committed, busy.dispute().votes_open), (0, u32::from(round) + 1));
        // Where it has votes no more, it was excused all the same.
        set(&mut busy, juror, |provider| provider.votes_open = u16::from(round));
        busy.panel.world.advance_to(busy.dispute().commit_deadline_unix);
        let show = party.reveal_vote(busy.world(), &ballot(1), SALT);
        busy.panel.world.refuse(&show, "VoteNotCommitted");
        busy.tally();
        busy.panel.world.refuse(&party.slash_absent(round, ticket), "JurorWasPresent");
        invariants::check(busy.world());

        // Whoever votes in this dispute is not busy with it.
        let vote = court.vote_call(juror, &ballot(1));
        court.panel.world.ok(&vote);
        court.tally();
        court.pass();
        court.draw();
    }
}

/// Whoever has nothing free has nothing to withhold: the program says so when it votes, and nobody says otherwise later.
#[test]
fn p_18_a_juror_that_has_nothing_free_is_excused_when_it_votes() {
    let mut court = voting();
    let juror = drawn(&court, 1);
    let (party, ticket) = (court.party(juror), court.tickets(juror)[0]);
    let bond = terms().juror_bond_lamports;
    let vote = court.vote_call(juror, &ballot(1));
    let before = court.panel.provider(juror).locked_lamports;
    set(&mut court, juror, |provider| provider.locked_lamports = STAKE - bond + 1);
    court.panel.world.ok(&vote);
    set(&mut court, juror, |provider| provider.locked_lamports = before);
    let cast = court.world().read::<Vote>(&party.vote(0));
    assert_eq!((cast.weight, cast.lock_lamports, cast.commitment), (0, 0, [0; 32]));
    court.panel.world.advance_to(court.dispute().commit_deadline_unix);
    court.tally();
    court.panel.world.refuse(&party.slash_absent(0, ticket), "JurorWasPresent");
    invariants::check(court.world());
    // And it closes with the others, when the dispute is over.
    while court.dispute().round < 3 {
        court.pass();
        court.draw();
        court.tally();
    }
    court.decide();
    court.finish();
    assert_eq!((court.panel.provider(juror).votes_open, court.panel.provider(juror).children_open), (0, 0));
}

/// Everybody votes at once with two tickets, each with a bond of a hundredth of the stake.
fn all_vote() -> MarketTerms {
    MarketTerms { ticket_lamports: STAKE / 2, juror_bond_lamports: BOND, bond_rate_bps: 10_000, ..terms() }
}

/// A juror's bond under [`all_vote`].
const BOND: u64 = STAKE / 100;

/// An open job beside the trial's whose seat locks so much.
fn open_beside(court: &mut Trial, seat: &Party, lock_lamports: u64) {
    let mut args = job_args(seat.job_id);
    let gas_lamports = PRICE.pay(task().limits.gas_limit).expect("in bounds") - PRICE.base_fee_lamports;
    args.base_fee_lamports = lock_lamports - gas_lamports;
    args.escrow_lamports = 2 * lock_lamports;
    court.panel.world.ok(&seat.create_job_with(args));
    assert_eq!(court.world().read::<Job>(&seat.job).bond_lamports, lock_lamports);
}

/// The same people and another job, whose result is a lie as well: contested, and voted on.
fn voting_beside(court: Trial, id: u64) -> Trial {
    let Panel { world, parties } = court.panel;
    let parties = parties.iter().map(|party| party.with_job(id)).collect();
    let mut court = Trial { panel: Panel { world, parties } };
    let party = court.party(0);
    court.panel.world.ok(&party.create_job());
    let accept = party.accept_job(court.world());
    court.panel.world.ok(&accept);
    court.panel.world.ok(&party.submit_results(&said(9)));
    court.dispute_with(1, &ballot(1));
    court.draw();
    court
}

fn excuse(court: &Trial, juror: usize) -> Call {
    court.party(juror).commit_vote_with(court.world(), CommitVoteArgs { commitment: [0; 32], tickets: Vec::new() })
}

/// What a vote with everything comes to: its weight, what it locks, and whether nothing is missed in it.
fn voted(court: &mut Trial, juror: usize) -> (u64, u64, u8) {
    let vote = court.vote_call(juror, &ballot(1));
    court.panel.world.ok(&vote);
    let Vote { weight, lock_lamports, is_full, .. } = court.world().read(&court.party(juror).vote(0));
    (weight, lock_lamports, is_full)
}

/// The seats that a juror may take leave it the bonds of its votes. Only votes take those: then it lacks them really.
#[test]
fn p_18_no_seats_excuse_a_juror_and_votes_elsewhere_that_took_its_bonds_do() {
    let [bound, free, silent] = [4, 5, 6];
    let mut court = Trial::submitted_under(&all_vote(), &said(9));
    let args = UpdateProviderArgs { exposure_cap_lamports: Some(STAKE), capacity: None, endpoint: None };
    let update = court.party(bound).update_provider(args, None);
    court.panel.world.ok(&update);
    // It binds all that it can, with jobs of its own for instance.
    let spare = STAKE - STAKE / 20 - 2 * BOND;
    for (id, lock_lamports) in [(10, spare + 1), (11, spare)] {
        let seat = court.party(bound).with_job(id);
        open_beside(&mut court, &seat, lock_lamports);
        let accept = seat.accept_job(court.world());
        match lock_lamports > spare {
            true => court.panel.world.refuse(&accept, "JuryReserveTooSmall"),
            false => drop(court.panel.world.ok(&accept)),
        }
    }
    court.dispute_with(1, &ballot(1));
    court.draw();
    for juror in [bound, silent] {
        let ask = excuse(&court, juror);
        court.panel.world.refuse(&ask, "CommitmentZero");
        let mut absent = court.clone();
        absent.tally();
        absent.panel.world.ok(&absent.party(juror).slash_absent_with(0, Vec::new()));
    }
    assert_eq!([bound, free].map(|juror| voted(&mut court, juror)), [(2, 2 * BOND, 1); 2]);
    assert_eq!(court.panel.provider(bound).free_stake_lamports(), 0);

    let mut court = voting_beside(court, 2);
    let ask = excuse(&court, free);
    court.panel.world.refuse(&ask, "CommitmentZero");
    assert_eq!([bound, free].map(|juror| voted(&mut court, juror)), [(0, 0, 1), (2, 2 * BOND, 1)]);
    // Whoever has two votes open elsewhere is excused with all its stake free, if it asks.
    let mut third = voting_beside(court.clone(), 3);
    let ask = excuse(&third, free);
    third.panel.world.ok(&ask);
    assert!(third.panel.provider(free).free_stake_lamports() > 2 * BOND);
    for (mut court, excused) in [(court, bound), (third, free)] {
        court.tally();
        court.panel.world.refuse(&court.party(excused).slash_absent_with(0, Vec::new()), "JurorWasPresent");
        court.panel.world.ok(&court.party(silent).slash_absent_with(0, Vec::new()));
        invariants::check(court.world());
    }
}

#[test]
fn p_18_neither_a_challenge_nor_another_node_key_excuses_a_juror() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    for juror in JURORS {
        let party = court.party(juror);
        court.panel.world.donate(&party.node_key, SOL);
        court.panel.world.ok(&party.enter_dispute(party.node_key, [1; 32]));
    }
    assert_eq!(court.dispute().duty_tickets_total, 400);
    court.draw();
    let juror = drawn(&court, 1);
    let ticket = court.tickets(juror)[0];
    // The poster's key, that of another challenger, and a fresh one.
    let keys = [court.party(1).poster, court.party(1).authority, court.panel.world.wallet(SOL)];
    for key in [None].into_iter().chain(keys.map(Some)) {
        let mut court = court.clone();
        let party = key.map_or(court.party(juror), |key| rotate(&mut court, juror, key));
        court.tally();
        court.panel.world.ok(&party.slash_absent(0, ticket));
        invariants::check(court.world());
    }
}

#[test]
fn p_18_a_vote_that_names_less_than_its_juror_won_is_an_absence() {
    let mut court = voting();
    let juror = drawn(&court, 2);
    let (party, all) = (court.party(juror), court.tickets(juror));
    let (few, weight) = (&all[..all.len() - 1], u32::try_from(all.len() - 1).expect("few"));
    let losing = (all[all.len() - 2]..100).find(|ticket| !all.contains(ticket)).expect("most lose");
    let mut whole = court.clone();
    let vote = cast(&mut whole, juror, &all);
    assert_eq!((vote.is_full, vote.tickets), (0, 100), "it had stake for more");
    whole.panel.world.refuse(&party.slash_absent_with(0, all.clone()), "JurorWasPresent");
    let mut more = all.clone();
    more.push(all[all.len() - 1]);
    whole.panel.world.refuse(&party.slash_absent_with(0, more), "TicketsUnordered");

    let vote = cast(&mut court, juror, few);
    assert_eq!((vote.weight, vote.is_full), (u64::from(weight), 0));
    let world = &mut court.panel.world;
    let too_long = [all.as_slice(), &[99]].concat();
    for tickets in [vec![], few.to_vec(), too_long] {
        world.refuse(&party.slash_absent_with(0, tickets), "JurorWasPresent");
    }
    world.refuse(&party.slash_absent_with(0, [few, &[losing]].concat()), "TicketLoses");
    world.refuse(&party.slash_absent_with(0, all.iter().rev().copied().collect()), "TicketsUnordered");
    world.ok(&party.slash_absent_with(0, all));
    invariants::check(court.world());
}

#[test]
fn p_18_stake_that_is_bound_excuses_a_light_vote_and_a_low_cap_does_not() {
    let bond = terms().juror_bond_lamports;
    let court = voting();
    let juror = drawn(&court, 2);
    let (party, all) = (court.party(juror), court.tickets(juror));
    let (few, weight) = (&all[..all.len() - 1], u32::try_from(all.len() - 1).expect("few"));
    let slash = party.slash_absent_with(0, all.clone());

    let mut bound = court.clone();
    set(&mut bound, juror, |provider| {
        provider.locked_lamports = STAKE - u64::from(weight) * bond;
        provider.exposure_cap_lamports = STAKE;
    });
    // It names all that it won, and what it cannot bear is cut.
    let vote = cast(&mut bound, juror, &all);
    assert_eq!((vote.weight, vote.lock_lamports, vote.is_full), (weight.into(), u64::from(weight) * bond, 1));
    bound.panel.world.refuse(&slash, "JurorWasPresent");

    let mut capped = court.clone();
    set(&mut capped, juror, |provider| {
        provider.exposure_cap_lamports = provider.locked_lamports + u64::from(weight) * bond;
    });
    let vote = cast(&mut capped, juror, &all);
    assert_eq!((vote.weight, vote.lock_lamports, vote.is_full), (weight.into(), u64::from(weight) * bond, 0));
    capped.panel.world.ok(&slash);

    // Stake that came after the vote bears a ticket again that it did not bear then.
    let mut later = court;
    let last = u64::from(all[all.len() - 1]);
    set(&mut later, juror, |provider| provider.stake_lamports = last * SOL / 10);
    assert_eq!(u64::from(cast(&mut later, juror, few).tickets), last);
    set(&mut later, juror, |provider| provider.stake_lamports = STAKE);
    later.panel.world.refuse(&slash, "TicketLoses");
}

#[test]
fn p_18_where_everybody_votes_a_vote_weighs_all_that_its_juror_can_put_behind_it() {
    let bond = 10_000;
    let terms = MarketTerms { ticket_lamports: STAKE / 2, juror_bond_lamports: bond, ..terms() };
    let mut court = Trial::submitted_under(&terms, &said(9));
    court.dispute_with(1, &ballot(1));
    court.draw();
    assert!(court.dispute().is_last(), "eight tickets in all, nine are expected");
    let (juror, slash) = (4, court.party(4).slash_absent_with(0, Vec::new()));
    let named = vote_with(&court, juror, &[0, 1]);
    court.panel.world.refuse(&named, "WeightOutOfRange");
    let mut whole = court.clone();
    let vote = cast(&mut whole, juror, &[]);
    assert_eq!((vote.weight, vote.is_full), (2, 1));
    whole.panel.world.refuse(&slash, "JurorWasPresent");

    let mut bound = court.clone();
    set(&mut bound, juror, |provider| {
        (provider.locked_lamports, provider.exposure_cap_lamports) = (STAKE - 2 * bond + 1, STAKE);
    });
    let vote = cast(&mut bound, juror, &[]);
    assert_eq!((vote.weight, vote.is_full), (1, 1));
    bound.panel.world.refuse(&slash, "JurorWasPresent");

    let mut capped = court;
    set(&mut capped, juror, |provider| provider.exposure_cap_lamports = provider.locked_lamports + bond);
    let vote = cast(&mut capped, juror, &[]);
    assert_eq!((vote.weight, vote.is_full), (1, 0));
    capped.panel.world.ok(&slash);
    invariants::check(capped.world());
}
