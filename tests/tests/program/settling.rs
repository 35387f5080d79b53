//! What the end of a dispute refuses, in which order it goes, and whom nobody can keep from being paid.

use assay_protocol::{Ballot, DisputeStatus, Mode, Verdict};
use assay_tests::{
    invariants,
    party::{STAKE, exited},
    scenario::GAS_USED,
    trial::{JURORS, PART, SALT, Trial, ballot, said},
};
use solana_account::Account;
use solana_pubkey::{Pubkey, pubkey};

/// A lie with a right challenger and a jury that says so, tallied.
fn tallied() -> Trial {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    court.vote(&ballot(1), &[(1, ballot(1))]);
    court
}

fn decided() -> Trial {
    let mut court = tallied();
    court.decide();
    court
}

/// A juror that voted in the first round.
fn voter(court: &Trial) -> usize {
    let voted = |juror: &usize| court.world().account(&court.party(*juror).vote(0)).is_some();
    JURORS.clone().find(voted).expect("somebody was drawn")
}

#[test]
fn case_17_money_is_counted_before_it_is_paid() {
    let mut court = tallied();
    let (seat, winner, juror) = (court.party(0), court.party(1), court.party(voter(&court)));
    court.panel.world.refuse(&winner.settle_challenge(), "DisputeNotFinal");
    court.panel.world.refuse(&juror.settle_vote(0), "DisputeNotFinal");
    court.panel.world.refuse(&winner.close_dispute(), "DisputeNotFinal");
    court.panel.world.refuse(&seat.settle_disputed(), "JobNotTerminal");
    court.decide();
    let world = &mut court.panel.world;
    world.refuse(&seat.settle_disputed(), "ChallengesUncounted");
    world.refuse(&seat.settle_execution(), "AccountsMissing");
    world.refuse(&juror.settle_vote(0), "ChallengesUncounted");
    world.refuse(&winner.close_dispute(), "ChallengesOpen");
    world.refuse(&winner.close_job(), "ExecutionsOpen");
    world.ok(&winner.settle_challenge());
    world.refuse(&winner.settle_challenge(), "ExecutionsOpen");
    world.refuse(&juror.settle_vote(0), "ExecutionsOpen");
    world.ok(&seat.settle_disputed());
    world.refuse(&winner.close_job(), "DisputesOpen");
    world.refuse(&winner.close_dispute(), "ChallengesOpen");
    world.ok(&winner.settle_challenge());
    world.refuse(&winner.close_dispute(), "VotesOpen");
    court.finish();
}

#[test]
fn i_02_nobody_is_paid_twice_by_a_dispute() {
    let mut court = decided();
    let (seat, winner) = (court.party(0), court.party(1));
    let index = voter(&court);
    let juror = court.party(index);
    let world = &mut court.panel.world;
    world.ok(&winner.settle_challenge());
    world.ok(&seat.settle_disputed());
    world.refuse(&seat.settle_disputed(), "execution.AccountNotInitialized");
    world.ok(&winner.settle_challenge());
    world.refuse(&winner.settle_challenge(), "challenge.AccountNotInitialized");
    world.ok(&juror.settle_vote(0));
    world.refuse(&juror.settle_vote(0), "vote.AccountNotInitialized");
    court.finish();
    let close = winner.close_dispute();
    court.panel.world.refuse(&close, "job.AccountNotInitialized");
}

#[test]
fn i_03_a_verdict_that_is_final_is_neither_appealed_nor_settled_nor_disputed_again() {
    let mut court = decided();
    let outcome = court.job().outcome;
    let party = court.party(2);
    let commitment = court.hidden(2, &ballot(7));
    for (call, error) in [
        (party.appeal(&ballot(9)), "NotAppealable"),
        (party.settle_dispute(), "DisputeNotTallied"),
        (party.open_dispute(court.world(), party.authority, Some(commitment)), "NotDisputable"),
        (party.tally_round(), "DisputeNotVoting"),
        (party.finalize_job(), "JobNotSubmitted"),
        (party.expire_open_job(), "JobNotExpirable"),
    ] {
        court.panel.world.refuse(&call, error);
    }
    assert_eq!(court.job().outcome, outcome);
}

#[test]
fn an_appeal_contradicts_the_verdict_and_not_the_appellant() {
    let mut court = Trial::submitted(&said(9));
    let (liar, right, silent, stranger) = (court.party(0), court.party(1), court.party(2), court.party(3));
    court.dispute_with(1, &ballot(1));
    court.enter_with(2, &ballot(7));
    court.panel.world.refuse(&liar.appeal(&ballot(9)), "NotAppealable");
    court.draw();
    court.panel.world.refuse(&liar.appeal(&ballot(9)), "NotAppealable");
    let mut unheard = court.clone();
    unheard.tally();
    assert_eq!(unheard.dispute().found(), Verdict::None);
    unheard.panel.world.refuse(&liar.appeal(&ballot(9)), "NotAppealable");
    court.vote(&ballot(1), &[(1, ballot(1))]);
    let world = &mut court.panel.world;
    world.refuse(&liar.appeal(&ballot(1)), "OutcomeStands");
    let mut bytes = said(9).encode();
    bytes[0] = 0xff;
    world.refuse(&liar.appeal_bytes(bytes), "OutcomeNotCanonical");
    let limitless = exited(u64::MAX);
    world.refuse(&liar.appeal(&Ballot::Outcome(limitless)), "OutcomeNotCanonical");
    world.refuse(&right.appeal(&ballot(9)), "AppealContradicts");
    world.refuse(&silent.appeal(&ballot(7)), "AppealContradicts");
    world.refuse(&liar.appeal(&ballot(9)).with("challenge", right.challenge(right.authority)), "ChallengerMismatch");
    world.refuse(&liar.appeal(&ballot(9)).with("challenge", stranger.challenge(stranger.authority)), "AddressMismatch");
    let before = world.lamports(&liar.authority);
    world.ok(&liar.appeal(&ballot(9)));
    let paid = before - world.lamports(&liar.authority);
    assert_eq!(paid, 200 * PART + world.rent(195));
    invariants::check(world);
    world.refuse(&stranger.appeal(&Ballot::Unavailable), "NotAppealable");
    assert_eq!((court.status(), court.dispute().round), (DisputeStatus::Drawing, 1));
    assert_eq!((court.dispute().challenges, court.dispute().challenges_revealed), (3, 2));
}

#[test]
fn p_18_only_a_juror_that_was_drawn_and_stayed_away_loses_its_duty_lock() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    court.draw();
    let drawn = Trial::tickets;
    let mut jurors = JURORS.filter(|juror| !drawn(&court, *juror).is_empty());
    let (present, late) = (jurors.next().expect("drawn"), jurors.next().expect("drawn"));
    let (present_ticket, late_ticket) = (drawn(&court, present)[0], drawn(&court, late)[0]);
    let losing = (0..100).find(|ticket| !drawn(&court, late).contains(ticket)).expect("most lose");
    for juror in [present, late] {
        let vote = court.vote_call(juror, &ballot(1));
        court.panel.world.ok(&vote);
    }
    let (present, late) = (court.party(present), court.party(late));
    court.panel.world.advance_to(court.dispute().commit_deadline_unix);
    let reveal = present.reveal_vote(court.world(), &ballot(1), SALT);
    court.panel.world.ok(&reveal);
    court.panel.world.refuse(&late.slash_absent(0, late_ticket), "DisputeNotTallied");
    court.tally();
    let executor = court.party(0);
    let world = &mut court.panel.world;
    world.refuse(&present.slash_absent(0, present_ticket), "JurorWasPresent");
    world.refuse(&late.slash_absent(0, losing), "TicketLoses");
    world.refuse(&late.slash_absent(0, u32::MAX), "TicketLoses");
    world.refuse(&executor.slash_absent(0, 0), "NotAJuror");
    let hidden = late.slash_absent(0, late_ticket);
    world.refuse(&hidden.clone().with("vote", late.vote(1)), "AddressMismatch");
    world.refuse(&hidden.clone().with("vote", present.vote(0)), "AddressMismatch");
    // Committing without revealing is being absent.
    world.ok(&hidden);
    world.refuse(&hidden, "NothingToSlash");
    invariants::check(&court.panel.world);
    let dispute = court.dispute();
    assert_eq!((dispute.pot_lamports, dispute.held_lamports), (STAKE / 20, STAKE / 20 + 100 * PART));
}

/// Else one lost lock would deny later verdicts too: tickets that count and have no lock behind them.
#[test]
fn p_18_a_juror_slashed_while_it_holds_a_seat_is_counted_in_no_later_jury() {
    let mut court = Trial::submitted(&said(9));
    court.dispute_with(1, &ballot(1));
    court.draw();
    let juror = JURORS.clone().find(|juror| !court.tickets(*juror).is_empty());
    let juror = juror.expect("somebody was drawn");
    let (ticket, juror) = (court.tickets(juror)[0], court.party(juror));
    // Another job of the same poster.
    let seat = juror.with_job(2);
    court.panel.world.ok(&seat.create_job());
    court.panel.world.next_slot();
    let accept = seat.accept_job(court.world());
    court.panel.world.ok(&accept);
    court.panel.world.ok(&seat.submit_results(&exited(GAS_USED)));
    court.tally();
    court.panel.world.ok(&juror.slash_absent(0, ticket));
    invariants::check(court.world());
    assert_eq!(court.panel.market().duty_tickets_total, 300);
    assert_eq!(court.dispute().duty_tickets_total, 400, "this jury is what it was");
    court.panel.world.ok(&seat.finalize_job());
    court.panel.world.ok(&seat.settle_execution());
    assert_eq!(court.panel.market().duty_tickets_total, 300);
    invariants::check(court.world());
}

#[test]
fn p_11_case_18_neither_a_bond_nor_the_stake_behind_a_jurors_tickets_can_leave() {
    let mut court = tallied();
    let (executor, juror) = (court.party(0), court.party(voter(&court)));
    let world = &mut court.panel.world;
    world.refuse(&juror.unstake(1), "StakeOnDuty");
    world.ok(&juror.set_duty(false));
    world.refuse(&juror.unstake(1), "StakeOnDuty");
    world.refuse(&juror.set_duty(false), "StillOnDuty");
    world.refuse(&executor.unstake(STAKE), "FreeStakeTooSmall");
    world.ok(&executor.unstake(STAKE - 100 * PART));
    world.refuse(&executor.close_provider(), "ProviderInUse");
    world.refuse(&juror.close_provider(), "ProviderInUse");
    court.decide();
    court.finish();
    assert_eq!(court.stake(0), 0, "the lie cost what was locked");
}

/// Makes a wallet an account of the loader, one that runs.
fn deploy(court: &mut Trial, key: &Pubkey) {
    let lamports = court.world().lamports(key) + court.world().rent(36);
    let owner = pubkey!("BPFLoaderUpgradeab1e11111111111111111111111");
    let data = [vec![2, 0, 0, 0], vec![7; 32]].concat();
    court.panel.world.set_account(*key, Account { lamports, data, owner, executable: true, rent_epoch: 0 });
}

#[test]
fn p_21_wallets_that_became_programs_or_are_empty_keep_nobody_from_being_paid() {
    let mut court = decided();
    let (seat, winner) = (court.party(0), court.party(1));
    let before = court.wallet(1);
    // Whoever paid for the seat and for a vote, the challenger who opened: keys that signed, and may become anything since.
    let rent = court.world().rent(36);
    deploy(&mut court, &winner.authority);
    deploy(&mut court, &seat.node_key);
    let juror = court.party(voter(&court));
    court.panel.world.set_account(juror.node_key, Account::default());
    court.send_due();
    assert!(court.world().account(&winner.job).is_none(), "the job is closed");
    let rents = court.world().rent(1_310) + court.world().rent(195);
    assert_eq!(court.wallet(1) - before - rent, 150 * PART + rents);
    assert_eq!(court.world().lamports(&juror.node_key), court.world().rent(212));
}

#[test]
fn p_21_donations_to_a_dispute_and_its_parts_go_where_their_rents_go() {
    let mut court = decided();
    let (winner, juror) = (court.party(1), court.party(voter(&court)));
    let (before, node) = (court.wallet(1), court.world().lamports(&juror.node_key));
    for (key, lamports) in [(winner.dispute(), 11), (winner.challenge(winner.authority), 22), (juror.vote(0), 33)] {
        court.panel.world.donate(&key, lamports);
    }
    court.finish();
    let rents = court.world().rent(1_310) + court.world().rent(195);
    assert_eq!(court.wallet(1) - before, 150 * PART + rents + 11 + 22);
    assert_eq!(court.world().lamports(&juror.node_key) - node, court.world().rent(212) + 33);
}

#[test]
fn i_04_one_look_at_a_dispute_that_is_due_ends_it_in_few_transactions() {
    let mut court = tallied();
    court.panel.world.advance_to(court.dispute().verdict_deadline_unix);
    let votes = court.disputed().votes.len();
    let (transactions, _, _) = court.finish();
    assert!((3..=4).contains(&votes) && transactions <= 3, "{votes} votes, {transactions} transactions");
}

#[test]
fn i_04_the_crank_goes_on_from_wherever_somebody_else_stopped() {
    let whole = decided();
    let now = assay_sdk::ChainTime { slot: whole.world().slot(), unix: whole.world().now() };
    let steps: Vec<_> = whole.disputed().due_transactions(now).concat();
    for taken in 0..steps.len() {
        let mut court = whole.clone();
        court.panel.world.next_slot();
        if taken > 0 {
            court.panel.world.send_all(&steps[..1]).expect("the first step");
            for step in &steps[1..taken] {
                court.panel.world.send_all(std::slice::from_ref(step)).expect("the next step");
            }
        }
        if court.world().account(&court.party(0).dispute()).is_some() {
            court.finish();
        }
    }
}

/// Everybody that takes part gets the same whoever was first: in entering, and in being paid.
#[test]
fn p_09_p_14_neither_the_order_of_challengers_nor_that_of_payments_changes_what_anybody_gets() {
    let mut ends = Vec::new();
    for (first, second) in [(1, 2), (2, 1)] {
        let mut court = Trial::submitted(&said(9));
        court.dispute_with(first, &ballot(1));
        court.enter_with(second, &ballot(1));
        court.vote(&ballot(1), &[(second, ballot(1)), (first, ballot(1))]);
        court.decide();
        court.panel.world.next_slot();
        let (seat, party) = (court.party(0), court.party(first));
        let close = party.close_dispute();
        let votes = JURORS.map(|juror| court.party(juror).settle_vote(0));
        let challenges = [1, 2].map(|index| court.party(index).settle_challenge());
        let calls: Vec<_> = challenges.into_iter().chain([seat.settle_disputed()]).chain(votes).collect();
        let calls: Vec<_> = calls.into_iter().chain([close, seat.close_job()]).collect();
        let backwards = (0..calls.len()).rev().collect();
        let inside_out = (0..calls.len()).map(|index| (index * 5 + 3) % calls.len()).collect();
        for order in [(0..calls.len()).collect::<Vec<usize>>(), backwards, inside_out] {
            let mut court = court.clone();
            // What is too early is refused and comes again.
            for _ in 0..calls.len() {
                for index in &order {
                    drop(court.panel.world.send(&calls[*index]));
                    invariants::check(court.world());
                }
            }
            assert!(court.world().account(&seat.job).is_none(), "{order:?} did not finish");
            let wallets = [1, 2].map(|index| court.wallet(index));
            let earned: Vec<u64> = JURORS.map(|juror| court.earned(juror)).collect();
            ends.push((wallets, earned, court.stake(0), court.panel.burned(), court.world().lamports(&seat.poster)));
        }
    }
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{ends:?}");
}

#[test]
fn p_24_what_was_hidden_in_the_dispute_of_a_closed_job_opens_in_none_of_its_successor() {
    let mut court = decided();
    let challenge = court.hidden(1, &ballot(1));
    let juror_commitment =
        |court: &Trial, juror: usize| court.party(juror).vote_commitment(court.world(), &ballot(1), SALT);
    let votes: Vec<_> = JURORS.map(|juror| juror_commitment(&court, juror)).collect();
    court.finish();
    let args = court.panel.args(Mode::Optimistic, 1);
    let liar = court.party(3);
    court.panel.world.ok(&liar.create_job_with(args));
    court.panel.world.next_slot();
    let accept = liar.accept_job(court.world());
    for call in [accept, liar.submit_results(&said(9))] {
        court.panel.world.ok(&call);
    }
    let challenger = court.party(1);
    court.panel.world.ok(&challenger.open_dispute(court.world(), challenger.authority, Some(challenge)));
    court.draw();
    let drawn = JURORS.clone().zip(votes).find(|(juror, _)| !court.tickets(*juror).is_empty());
    let (index, commitment) = drawn.expect("somebody was drawn");
    let juror = court.party(index);
    assert_ne!(juror_commitment(&court, index), commitment, "of this job's dispute");
    let vote = juror.commit_vote(court.world(), commitment);
    court.panel.world.ok(&vote);
    court.panel.world.advance_to(court.dispute().commit_deadline_unix);
    let reveal = juror.reveal_vote(court.world(), &ballot(1), SALT);
    court.panel.world.refuse(&reveal, "CommitmentMismatch");
    let show = court.show_call(1, &ballot(1));
    court.panel.world.refuse(&show, "CommitmentMismatch");
}
