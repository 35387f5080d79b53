//! Voting in a dispute's round, revealing, and counting.

use assay_protocol::{
    Ballot, DisputeStatus, MarketTerms, Verdict, VoteStatus, ballot_hash, ids::VoteCommitmentInput,
    limits::VOTE_TICKETS_MAX, vote_commitment,
};
use assay_tests::{
    assay::{
        accounts::{Dispute, Job, Market, Provider},
        types::CommitVoteArgs,
    },
    court::{Court, lie, truth},
    invariants,
    panel::Panel,
    party::{EXPOSURE_CAP, STAKE, exited, terms},
    world::{SOL, World},
};
use solana_instruction::AccountMeta;
use solana_pubkey::Pubkey;

use crate::golden;

fn right() -> Ballot {
    Ballot::Outcome(truth())
}

/// One ticket is all that a provider's stake gives: there are never more than the first round expects.
fn one_ticket_each() -> MarketTerms {
    MarketTerms { ticket_lamports: STAKE, ..terms() }
}

fn args(court: &Court, tickets: Vec<u32>) -> CommitVoteArgs {
    let commitment = court.juror(0).vote_commitment(&court.panel.world, &right(), Panel::salt(0));
    CommitVoteArgs { commitment, tickets }
}

#[test]
fn a_juror_drawn_several_times_votes_once_with_all_its_tickets() {
    let mut court = Court::voting(2);
    let drawn = court.juror(0).drawn_tickets(&court.panel.world);
    let (weight, before) = (u64::try_from(drawn.len()).expect("few"), court.panel.provider(1));
    assert!(weight >= 2, "{drawn:?}");
    let call = court.vote_call(0, &right());
    court.panel.world.ok(&call);
    let (vote, dispute, provider) = (court.ballot(0), court.dispute(), court.panel.provider(1));
    assert_eq!((vote.weight, vote.lock_lamports), (weight, weight * dispute.juror_bond_lamports));
    assert_eq!(vote.vote_status(), Some(VoteStatus::Committed));
    assert_eq!((vote.dispute, vote.provider), (court.anybody().dispute(), court.juror(0).provider));
    assert_eq!((vote.round, vote.rent_payer), (0, court.juror(0).node_key));
    assert_eq!((dispute.votes_committed, dispute.votes_open, dispute.votes_revealed), (1, 1, 0));
    assert_eq!(provider.locked_lamports, before.locked_lamports + vote.lock_lamports);
    assert_eq!((provider.votes_open, provider.children_open), (1, 1));
    court.panel.world.refuse(&call, "AlreadyVoted");
    invariants::check(&court.panel.world);
}

#[test]
fn p_15_only_drawn_tickets_of_the_juror_count_and_each_once() {
    let mut court = Court::voting(2);
    let juror = court.juror(0);
    let drawn = juror.drawn_tickets(&court.panel.world);
    let (first, second) = (drawn[0], drawn[1]);
    let loser = (0..100).find(|ticket| !drawn.contains(ticket)).expect("nine of two hundred win");
    let cases: [(Vec<u32>, &str); 6] = [
        (vec![first, first], "TicketsUnordered"),
        (vec![second, first], "TicketsUnordered"),
        (vec![loser], "TicketLoses"),
        (vec![100], "TicketLoses"),
        (vec![], "WeightOutOfRange"),
        ((0..=VOTE_TICKETS_MAX).collect(), "WeightOutOfRange"),
    ];
    for (tickets, error) in cases {
        let call = juror.commit_vote_with(&court.panel.world, args(&court, tickets));
        court.panel.world.refuse(&call, error);
    }
    // What was lost since is borne by no stake.
    let mut poorer = court.clone();
    poorer
        .panel
        .world
        .edit::<Provider>(&juror.provider, |provider| provider.stake_lamports = u64::from(second) * SOL / 10);
    let call = juror.commit_vote_with(&court.panel.world, args(&court, vec![second]));
    poorer.panel.world.refuse(&call, "TicketLoses");
    court.panel.world.ok(&call);
}

#[test]
fn a_vote_is_committed_while_its_round_commits() {
    let mut court = Court::opened(1);
    let early = court.juror(0).commit_vote_with(&court.panel.world, args(&court, vec![0]));
    court.panel.world.refuse(&early, "DisputeNotVoting");
    court.begin();
    let call = court.vote_call(0, &right());
    let zero = court.juror(0).commit_vote(&court.panel.world, [0; 32]);
    court.panel.world.refuse(&zero, "CommitmentZero");
    court.panel.world.advance_to(court.dispute().commit_deadline_unix - 1);
    court.panel.world.clone().ok(&call);
    court.panel.world.advance(1);
    court.panel.world.refuse(&call, "DeadlinePassed");
}

#[test]
fn p_07_p_25_a_votes_bonds_are_free_stake_under_the_cap() {
    let mut court = Court::voting(2);
    let (juror, call) = (court.juror(0), court.vote_call(0, &right()));
    let lock = court.juror(0).drawn_tickets(&court.panel.world).len() as u64 * terms().juror_bond_lamports;
    let set = |court: &mut Court, locked: u64, cap: u64| {
        court.panel.world.edit::<Provider>(&juror.provider, |provider| {
            (provider.locked_lamports, provider.exposure_cap_lamports) = (locked, cap);
        });
    };
    let bond = terms().juror_bond_lamports;
    // With nothing free it is excused: absences.rs.
    set(&mut court, STAKE - bond, STAKE);
    court.panel.world.clone().ok(&call);
    set(&mut court, EXPOSURE_CAP - bond + 1, EXPOSURE_CAP);
    court.panel.world.refuse(&call, "ExposureCapReached");
    set(&mut court, EXPOSURE_CAP - lock, EXPOSURE_CAP);
    court.panel.world.ok(&call);
}

/// P-16: whoever joins, or lets its tickets grow, after the opening has no say; whoever leaves still has.
#[test]
fn p_16_a_jury_is_who_was_on_duty_when_the_dispute_was_opened() {
    let mut court = Court::voting(2);
    let (juror, opened) = (court.juror(0), court.dispute().opened_unix);
    let call = court.vote_call(0, &right());
    let changes: [fn(&mut Provider, i64); 4] = [
        |provider, opened| provider.duty_from_unix = opened + 1,
        |provider, opened| provider.tickets_from_unix = opened + 1,
        |provider, opened| provider.duty_until_unix = opened,
        |provider, _| (provider.duty_from_unix, provider.duty_until_unix) = (0, 0),
    ];
    for change in changes {
        let mut other = court.clone();
        other.panel.world.edit::<Provider>(&juror.provider, |provider| change(provider, opened));
        other.panel.world.refuse(&call, "NotAJuror");
    }
    court.panel.world.ok(&juror.set_duty(false));
    court.panel.world.ok(&call);
}

/// Else it would be counted in a jury and owe it nothing.
#[test]
fn p_18_whoever_leaves_in_the_second_of_the_opening_is_still_a_juror() {
    for leaves_first in [true, false] {
        let mut court = Court::submitted(2);
        let juror = court.juror(0);
        if leaves_first {
            court.panel.world.ok(&juror.set_duty(false));
        }
        court.open(&truth());
        if !leaves_first {
            court.panel.world.ok(&juror.set_duty(false));
        }
        assert_eq!(court.dispute().duty_tickets_total, if leaves_first { 100 } else { 200 });
        assert_eq!(court.panel.provider(1).duty_until_unix, court.dispute().opened_unix + 1);
        court.begin();
        let call = court.vote_call(0, &right());
        court.panel.world.clone().ok(&call);
        let drawn = juror.drawn_tickets(&court.panel.world);
        court.panel.world.advance_to(court.dispute().commit_deadline_unix);
        court.panel.world.advance_to(court.dispute().reveal_deadline_unix);
        court.panel.world.ok(&court.anybody().tally_round());
        court.panel.world.ok(&juror.slash_absent(0, drawn[0]));
        invariants::check(&court.panel.world);
    }
}

#[test]
fn p_17_neither_an_executor_nor_the_posters_provider_is_a_juror() {
    // Its executor, on duty all the while.
    let mut court = Court::voting(2);
    let (juror, runner) = (court.juror(0), court.anybody());
    let call = court.vote_call(0, &right());
    court.panel.world.edit::<Dispute>(&runner.dispute(), |dispute| dispute.executors[8] = juror.provider);
    court.panel.world.refuse(&call, "NotAJuror");
    court.panel.world.edit::<Dispute>(&runner.dispute(), |dispute| {
        dispute.executors[8] = Pubkey::default();
        dispute.poster = juror.authority;
    });
    court.panel.world.refuse(&call, "NotAJuror");
}

/// Any number of names may have one node key, and any wallet may challenge: to keep challengers out of the jury would keep out those
/// who looked, and let the others withhold tickets for one bond.
#[test]
fn p_18_a_challenger_is_a_juror_and_counts_as_one() {
    let mut court = Court::opened(2);
    let (juror, runner) = (court.juror(0), court.anybody());
    court.panel.world.donate(&juror.node_key, SOL);
    court.panel.world.ok(&runner.enter_dispute(juror.node_key, [7; 32]));
    assert_eq!(court.dispute().duty_tickets_total, 200);
    court.begin();
    let call = court.vote_call(0, &right());
    court.panel.world.ok(&call);
    invariants::check(&court.panel.world);
}

/// A jury is counted without those who may not vote in it, by what they have on duty at that moment.
#[test]
fn p_17_tickets_of_executors_and_of_the_posters_provider_are_no_part_of_the_jurys_total() {
    let mut panel = Panel::ready(4);
    let [runner, other, posts, juror] = [0, 1, 2, 3].map(|index| panel.parties[index]);
    for party in [runner, posts, juror] {
        panel.world.ok(&party.set_duty(true));
    }
    panel.world.donate(&posts.authority, SOL);
    panel.world.ok(&runner.create_job());
    let accept = runner.accept_job(&panel.world);
    panel.world.ok(&accept);
    panel.world.ok(&runner.submit_results(&lie()));
    let total = |world: &World| world.read::<Dispute>(&runner.dispute()).duty_tickets_total;
    let open = runner.open_dispute(&panel.world, runner.poster, Some([1; 32]));
    let mut opened = panel.world.clone();
    opened.ok(&open);
    assert_eq!(opened.read::<Market>(&runner.market).duty_tickets_total, 300);
    assert_eq!(total(&opened), 200);
    invariants::check(&opened);

    // The list is the job's: nobody left out, added or exchanged.
    let listed = |keys: &[Pubkey]| {
        let mut call = open.clone();
        call.instruction.accounts.pop();
        call.instruction.accounts.extend(keys.iter().map(|key| AccountMeta::new_readonly(*key, false)));
        call
    };
    panel.world.refuse(&listed(&[]), "AccountsMissing");
    panel.world.refuse(&listed(&[juror.provider]), "ProviderMismatch");
    panel.world.refuse(&listed(&[runner.provider, juror.provider]), "AccountsUnexpected");
    panel.world.refuse(&listed(&[runner.provider, runner.provider]), "AccountsUnexpected");
    panel.world.refuse(&open.clone().with("poster_provider", other.provider), "AddressMismatch");

    // Who left its duty is counted by nobody, and who never served neither.
    let mut left = panel.world.clone();
    left.ok(&runner.set_duty(false));
    left.ok(&open);
    assert_eq!(total(&left), 200);

    // A provider that posted; and one that holds a seat besides, which counts once.
    for (poster, expected) in [(posts.authority, 100), (runner.authority, 200), (other.authority, 200)] {
        let mut world = panel.world.clone();
        world.edit::<Job>(&runner.job, |job| job.poster = poster);
        let open = runner.open_dispute(&world, juror.poster, Some([1; 32]));
        world.ok(&open);
        assert_eq!(total(&world), expected);
    }
}

#[test]
fn a_02_a_juror_comes_from_the_disputes_market() {
    let mut court = Court::voting(1);
    let call = court.vote_call(0, &right());
    let at = court.anybody().dispute();
    court.panel.world.edit::<Dispute>(&at, |dispute| dispute.market = at);
    court.panel.world.refuse(&call, "MarketMismatch");
}

#[test]
fn p_01_votes_are_revealed_between_the_end_of_commits_and_of_reveals() {
    let mut court = Court::voting(2);
    let call = court.vote_call(0, &right());
    court.panel.world.ok(&call);
    let reveal = court.reveal_call(0, &right());
    let (commit, end) = (court.dispute().commit_deadline_unix, court.dispute().reveal_deadline_unix);
    court.panel.world.advance_to(commit - 1);
    court.panel.world.refuse(&reveal, "TooEarly");
    court.panel.world.advance_to(commit);
    let mut late = court.clone();
    late.panel.world.advance_to(end);
    late.panel.world.refuse(&reveal, "DeadlinePassed");
    late.panel.world.ok(&court.anybody().tally_round());
    late.panel.world.refuse(&reveal, "DisputeNotVoting");
    court.panel.world.advance_to(end - 1);
    court.panel.world.ok(&reveal);
    let (vote, dispute) = (court.ballot(0), court.dispute());
    assert_eq!((vote.vote_status(), vote.ballot_hash), (Some(VoteStatus::Revealed), truth().hash()));
    assert_eq!((dispute.votes_revealed, dispute.revealed_weight), (1, [vote.weight, 0, 0, 0]));
    assert_eq!(dispute.outcome, truth().encode());
    court.panel.world.refuse(&reveal, "VoteNotCommitted");
    invariants::check(&court.panel.world);
}

#[test]
fn p_01_a_vote_opens_for_its_ballot_salt_juror_and_round_alone() {
    let mut court = Court::voting(2);
    let (first, second) = (court.juror(0), court.juror(1));
    // The second juror copies the first one's commitment, salt and ballot.
    let commitment = first.vote_commitment(&court.panel.world, &right(), Panel::salt(0));
    for juror in [first, second] {
        let call = juror.commit_vote(&court.panel.world, commitment);
        court.panel.world.ok(&call);
    }
    court.panel.world.advance_to(court.dispute().commit_deadline_unix);
    let copied = second.reveal_vote(&court.panel.world, &right(), Panel::salt(0));
    court.panel.world.refuse(&copied, "CommitmentMismatch");
    let other = first.reveal_vote(&court.panel.world, &Ballot::Outcome(lie()), Panel::salt(0));
    court.panel.world.refuse(&other, "CommitmentMismatch");
    let bytes = first.reveal_vote_bytes(&court.panel.world, [0xff; 79], Panel::salt(0));
    court.panel.world.refuse(&bytes, "OutcomeNotCanonical");
    let call = court.reveal_call(0, &right());
    let mut later = court.clone();
    later.panel.world.edit::<Dispute>(&first.dispute(), |dispute| dispute.round = 1);
    later.panel.world.refuse(&call, "RoundOver");
    court.panel.world.ok(&call);
}

/// Also to what its juror committed to.
#[test]
fn a_vote_opens_to_an_outcome_of_this_job_or_to_none_and_to_no_other_bytes() {
    let court = Court::voting(1);
    let (juror, salt) = (court.juror(0), Panel::salt(0));
    let shown = |ballot: [u8; 79]| {
        let mut court = court.clone();
        let commitment = vote_commitment(&VoteCommitmentInput {
            job_uid: &court.dispute().job_uid,
            round: 0,
            provider: &juror.provider.to_bytes(),
            ballot_hash: &ballot_hash(&ballot),
            trace_root: &[0; 32],
            salt: &salt,
        });
        let commit = juror.commit_vote(&court.panel.world, commitment);
        court.panel.world.ok(&commit);
        court.panel.world.advance_to(court.dispute().commit_deadline_unix);
        let reveal = juror.reveal_vote_bytes(&court.panel.world, ballot, salt);
        (court, reveal)
    };
    let gas_limit = court.dispute().gas_limit;
    let refused =
        golden::refused_outcomes().into_iter().filter_map(|bytes| <[u8; 79]>::try_from(bytes.as_slice()).ok());
    // The vectors' gas limit is another: what they refuse for their gas alone is not refused here.
    let refused = refused.filter(|bytes| Ballot::decode(bytes, gas_limit).is_err());
    let refused: Vec<[u8; 79]> = refused.chain([[0xff; 79], exited(gas_limit + 1).encode()]).collect();
    assert!(refused.len() > 10, "{}", refused.len());
    for ballot in refused {
        let (mut court, reveal) = shown(ballot);
        court.panel.world.refuse(&reveal, "OutcomeNotCanonical");
    }
    for ballot in [exited(gas_limit).encode(), Ballot::Unavailable.encode()] {
        let (mut court, reveal) = shown(ballot);
        court.panel.world.ok(&reveal);
        assert_eq!(court.ballot(0).ballot_hash, ballot_hash(&ballot));
    }
}

#[test]
fn a_round_is_counted_as_soon_as_nobody_is_missing() {
    let mut court = Court::voting(2);
    let tally = court.anybody().tally_round();
    court.panel.world.refuse(&tally, "DeadlineNotReached");
    court.vote(&[(0, right()), (1, right())]);
    court.reveal(&[(0, right())]);
    let show = court.show_call(0, &truth());
    court.panel.world.ok(&show);
    // A vote is missing; then, in another story, a challenger.
    court.panel.world.refuse(&tally, "DeadlineNotReached");
    court.reveal(&[(1, right())]);
    court.panel.world.ok(&tally);
    let dispute = court.dispute();
    assert_eq!((court.status(), dispute.found()), (DisputeStatus::Tallied, Verdict::Outcome));
    assert_eq!((dispute.verdict_hash, dispute.outcome), (truth().hash(), truth().encode()));
    assert_eq!(dispute.verdict_deadline_unix, court.panel.world.now() + i64::from(dispute.execution_s));
    court.panel.world.refuse(&tally, "DisputeNotVoting");
    invariants::check(&court.panel.world);

    let mut court = Court::voting(2);
    court.vote(&[(0, right())]);
    court.reveal(&[(0, right())]);
    court.panel.world.refuse(&tally, "DeadlineNotReached");
    court.panel.world.advance_to(court.dispute().reveal_deadline_unix - 1);
    court.panel.world.refuse(&tally, "DeadlineNotReached");
    court.panel.world.advance(1);
    court.panel.world.ok(&tally);
}

#[test]
fn p_26_a_jury_may_find_that_the_content_cannot_be_had() {
    let mut court = Court::voting(2);
    court.judge(&[(0, Ballot::Unavailable), (1, Ballot::Unavailable)]);
    let dispute = court.dispute();
    assert_eq!((dispute.found(), dispute.outcome), (Verdict::Unavailable, [0; 79]));
    assert_eq!(dispute.verdict_hash, Ballot::Unavailable.hash());
    invariants::check(&court.panel.world);
}

#[test]
fn p_18_too_few_votes_and_no_majority_are_no_verdict() {
    // Nobody votes.
    let mut court = Court::voting(2);
    court.judge(&[]);
    let dispute = court.dispute();
    assert_eq!((dispute.found(), dispute.verdict_hash), (Verdict::None, [0; 32]));
    // Nothing to appeal against: only the time to show who was absent.
    assert_eq!(dispute.verdict_deadline_unix, court.panel.world.now() + i64::from(dispute.reveal_s));
    // Two that weigh the same say different things.
    let mut court = Court::submitted_with(2, &one_ticket_each());
    court.open(&truth());
    court.begin();
    court.judge(&[(0, right()), (1, Ballot::Outcome(lie()))]);
    assert_eq!(court.dispute().found(), Verdict::None);
    invariants::check(&court.panel.world);
}

#[test]
fn p_18_where_no_more_tickets_are_than_a_round_expects_everybody_votes_at_once_and_last() {
    let mut court = Court::submitted_with(3, &one_ticket_each());
    court.open(&truth());
    court.panel.world.advance_to(court.dispute().entry_deadline_unix);
    court.panel.world.ok(&court.anybody().record_jury_seed());
    let dispute = court.dispute();
    assert_eq!((court.status(), dispute.expected, dispute.is_last()), (DisputeStatus::Voting, 3, true));
    let named = court.juror(0).commit_vote_with(&court.panel.world, args(&court, vec![0]));
    court.panel.world.refuse(&named, "WeightOutOfRange");
    // Two of three are a majority of enough.
    court.judge(&[(0, right()), (1, right())]);
    let dispute = court.dispute();
    assert_eq!((dispute.found(), dispute.revealed_weight), (Verdict::Outcome, [2, 0, 0, 0]));
    assert_eq!(dispute.verdict_deadline_unix, court.panel.world.now() + i64::from(dispute.reveal_s));
    invariants::check(&court.panel.world);
}

#[test]
fn p_18_without_any_juror_nothing_is_waited_for_and_nothing_found() {
    let mut court = Court::opened(0);
    court.begin();
    let dispute = court.dispute();
    let now = court.panel.world.now();
    assert_eq!((dispute.commit_deadline_unix, dispute.reveal_deadline_unix), (now, now));
    let show = court.show_call(0, &truth());
    court.panel.world.refuse(&show, "DeadlinePassed");
    court.panel.world.ok(&court.anybody().tally_round());
    assert_eq!((court.dispute().found(), court.dispute().is_last()), (Verdict::None, true));
    invariants::check(&court.panel.world);
}

#[test]
fn p_06_each_second_belongs_to_one_side() {
    let mut court = Court::voting(2);
    let vote = court.vote_call(0, &right());
    court.panel.world.ok(&vote);
    let late = court.vote_call(1, &right());
    let (reveal, tally) = (court.reveal_call(0, &right()), court.anybody().tally_round());
    court.panel.world.advance_to(court.dispute().commit_deadline_unix);
    court.panel.world.refuse(&late, "DeadlinePassed");
    court.panel.world.clone().ok(&reveal);
    court.panel.world.refuse(&tally, "DeadlineNotReached");
    court.panel.world.advance_to(court.dispute().reveal_deadline_unix);
    court.panel.world.refuse(&reveal, "DeadlinePassed");
    court.panel.world.ok(&tally);
}
