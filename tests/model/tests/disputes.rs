//! The named cases of disputes, told in the model alone. A bond, of a seat as of a challenge, is 100 parts.

use assay_model::{
    act::{Act, AtSeat, Tickets},
    cast::{Cast, SOL, TERMS, exited, posting},
    draw::wins,
    rules::UNAVAILABLE,
    state::{DisputeStatus, JobStatus, Key, Mode, Terms, Verdict},
};
use assay_protocol::ids::{ChallengeCommitmentInput, VoteCommitmentInput, challenge_commitment, vote_commitment};

/// One part: a hundredth of a bond.
const PART: u64 = 100_000;
const BOND: u64 = 100 * PART;
const GAS: u64 = 400_000_000;
/// Providers that judge, of 100 tickets each.
const JURORS: std::ops::Range<usize> = 4..8;
const SALT: [u8; 32] = [5; 32];

fn result(which: u8) -> [u8; 79] {
    exited(which, GAS)
}

fn hash(ballot: &[u8; 79]) -> [u8; 32] {
    assay_model::outcome_hash(ballot)
}

/// A job and its dispute. Providers 0 to 3 may take seats and challenge by their cold keys, 4 to 7 judge.
struct Court {
    cast: Cast,
    job: Key,
}

impl Court {
    fn new(mode: Mode, redundancy: u8) -> Self {
        Self::under(TERMS, mode, redundancy)
    }

    fn under(terms: Terms, mode: Mode, redundancy: u8) -> Self {
        let mut cast = Cast::with(assay_model::cast::plain_address, terms, &[10; 8]);
        for index in JURORS {
            let name = cast.names[index];
            cast.ok(&Act::SetDuty { signer: name.authority, provider: name.provider, on: true });
        }
        cast.create(posting(1, mode, redundancy));
        let job = cast.key(1);
        Self { cast, job }
    }

    /// One seat that says this.
    fn submitted(outcome: [u8; 79]) -> Self {
        let mut court = Self::new(Mode::Optimistic, 1);
        let accept = court.cast.accept(1, 0, 0);
        court.cast.ok(&accept);
        let at = court.cast.seat(1, 0);
        court.cast.ok(&Act::SubmitResults { at, outcome });
        court
    }

    /// The key by which this provider's owner challenges.
    fn owner(&self, index: usize) -> Key {
        self.cast.names[index].authority
    }

    fn hidden(&self, challenger: usize, outcome: &[u8; 79]) -> [u8; 32] {
        challenge_commitment(&ChallengeCommitmentInput {
            job_uid: &self.cast.job(1).uid,
            challenger: &self.owner(challenger).0,
            outcome_hash: &hash(outcome),
            trace_root: &[0; 32],
            salt: &SALT,
        })
    }

    fn open(&mut self, challenger: usize, outcome: [u8; 79]) {
        let commitment = Some(self.hidden(challenger, &outcome));
        self.cast.ok(&Act::OpenDispute { payer: self.owner(challenger), job: self.job, commitment });
    }

    fn enter(&mut self, challenger: usize, outcome: [u8; 79]) {
        let commitment = self.hidden(challenger, &outcome);
        self.cast.ok(&Act::EnterDispute { challenger: self.owner(challenger), job: self.job, commitment });
    }

    fn dispute(&self) -> &assay_model::state::Dispute {
        &self.cast.model.disputes[&self.job]
    }

    /// Entry is over, or a round begins: until votes may be committed.
    fn draw(&mut self) {
        if self.dispute().status == DisputeStatus::Entry {
            let entry = self.dispute().entry_deadline_unix;
            self.cast.refuse(&Act::RecordJury { job: self.job }, "DeadlineNotReached");
            self.cast.wait_until(entry);
            self.cast.ok(&Act::RecordJury { job: self.job });
        }
        if self.dispute().status == DisputeStatus::Drawing {
            self.cast.refuse(&Act::RecordJury { job: self.job }, "SeedNotReady");
            self.cast.slots(5);
            self.cast.ok(&Act::RecordJury { job: self.job });
        }
        assert_eq!(self.dispute().status, DisputeStatus::Voting);
    }

    fn seat(&self, juror: usize) -> AtSeat {
        self.cast.seat(1, juror)
    }

    fn ballot(&self, juror: usize, ballot: &[u8; 79]) -> Act {
        let (at, dispute) = (self.seat(juror), self.dispute());
        let everybody = dispute.is_last();
        let holder = at.provider.0;
        let winning = (0..100).filter(|index| wins(&dispute.draw.seed, &holder, *index, dispute.threshold()));
        let tickets = if everybody { Tickets::NONE } else { Tickets::of(winning) };
        let commitment = vote_commitment(&VoteCommitmentInput {
            job_uid: &dispute.uid,
            round: dispute.round,
            provider: &holder,
            ballot_hash: &hash(ballot),
            trace_root: &[0; 32],
            salt: &SALT,
        });
        Act::CommitVote { at, commitment, tickets }
    }

    /// Whether a juror has a vote in the present round.
    fn is_drawn(&self, juror: usize) -> bool {
        let Act::CommitVote { tickets, .. } = self.ballot(juror, &result(1)) else { unreachable!() };
        self.dispute().is_last() || tickets.count > 0
    }

    /// Every juror with a winning ticket votes so, and every challenger named reveals.
    fn vote(&mut self, ballot: [u8; 79], revealing: &[(usize, [u8; 79])]) -> u64 {
        self.draw();
        let mut voted = Vec::new();
        for juror in JURORS {
            let act = self.ballot(juror, &ballot);
            if self.is_drawn(juror) {
                self.cast.ok(&act);
                voted.push(juror);
            }
        }
        let commit = self.dispute().commit_deadline_unix;
        self.cast.wait_until(commit);
        let round = self.dispute().round;
        for juror in voted {
            self.cast.ok(&Act::RevealVote { at: self.seat(juror), round, ballot, salt: SALT });
        }
        for (challenger, outcome) in revealing {
            let challenger = self.owner(*challenger);
            self.cast.ok(&Act::RevealOutcome { challenger, job: self.job, outcome: *outcome, salt: SALT });
        }
        let reveals = self.dispute().reveal_deadline_unix;
        if self.cast.act(&Act::TallyRound { job: self.job }).is_err() {
            self.cast.wait_until(reveals);
            self.cast.ok(&Act::TallyRound { job: self.job });
        }
        self.dispute().revealed_weight[usize::from(round)]
    }

    /// Nobody appeals: the verdict is final.
    fn decide(&mut self) -> Verdict {
        let deadline = self.dispute().verdict_deadline_unix;
        self.cast.wait_until(deadline - 1);
        self.cast.refuse(&Act::SettleDispute { job: self.job }, "DeadlineNotReached");
        self.cast.wait_until(deadline);
        self.cast.ok(&Act::SettleDispute { job: self.job });
        self.dispute().verdict
    }

    fn challengers(&self) -> Vec<Key> {
        self.cast.model.challenges.keys().map(|(_, challenger)| *challenger).collect()
    }

    /// Everything is paid and closed; what the Sink got of it, and what the poster got back.
    fn settle(&mut self) -> (u64, u64) {
        let (job, burned) = (self.job, self.cast.model.sink_lamports.expect("it is there"));
        let poster = self.cast.model.balance(self.cast.poster);
        for challenger in self.challengers() {
            self.cast.ok(&Act::SettleChallenge { job, challenger });
        }
        let seats: Vec<Key> = self.cast.model.executions.keys().map(|(_, provider)| *provider).collect();
        for provider in seats {
            self.cast.ok(&Act::SettleExecution { job, provider });
        }
        for challenger in self.challengers() {
            self.cast.ok(&Act::SettleChallenge { job, challenger });
        }
        let votes: Vec<_> = self.cast.model.votes.keys().copied().collect();
        for (_, round, provider) in votes {
            self.cast.ok(&Act::SettleVote { job, round, provider });
        }
        self.cast.slots(1);
        self.cast.refuse(&Act::CloseJob { job }, "DisputesOpen");
        self.cast.ok(&Act::CloseDispute { job });
        self.cast.ok(&Act::CloseJob { job });
        let sunk = self.cast.model.sink_lamports.expect("it is there") - burned;
        (sunk, self.cast.model.balance(self.cast.poster) - poster)
    }

    /// Each challenger's balance before and after everything is settled.
    fn gains(&mut self, challengers: &[usize]) -> (Vec<u64>, u64) {
        let before: Vec<u64> = challengers.iter().map(|index| self.cast.model.balance(self.owner(*index))).collect();
        let (sunk, _) = self.settle();
        let after = challengers.iter().map(|index| self.cast.model.balance(self.owner(*index)));
        (after.zip(before).map(|(after, before)| after - before).collect(), sunk)
    }

    fn stake(&self, index: usize) -> u64 {
        self.cast.provider(index).stake_lamports
    }

    fn jurors_earned(&self) -> u64 {
        JURORS.map(|index| self.cast.provider(index).earnings_lamports).sum()
    }
}

fn absent(job: Key, provider: Key, round: u8, tickets: impl IntoIterator<Item = u32>) -> Act {
    Act::SlashAbsent { job, provider, round, tickets: Tickets::of(tickets) }
}

/// Rent of a Challenge and of a Dispute, which come back on top of the bonds.
fn rents(challenges: u64, disputes: u64) -> u64 {
    use assay_model::state::{rent_lamports, size};
    challenges * rent_lamports(size::CHALLENGE) + disputes * rent_lamports(size::DISPUTE)
}

#[test]
fn case_1_two_right_challengers_share_half_of_the_liars_bond() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    court.enter(2, result(1));
    let weight = court.vote(result(1), &[(1, result(1)), (2, result(1))]);
    assert_eq!((court.dispute().verdict, court.dispute().status), (Verdict::Outcome, DisputeStatus::Tallied));
    assert_eq!(court.decide(), Verdict::Outcome);
    let escrow = court.cast.job(1).escrow_lamports;
    let (before, poster) = (court.stake(0), court.cast.model.balance(court.cast.poster));
    let (gains, sunk) = court.gains(&[1, 2]);
    assert_eq!(gains, [125 * PART + rents(1, 1), 125 * PART + rents(1, 0)]);
    let jurors = weight * (30 * PART / weight);
    assert_eq!((court.jurors_earned(), sunk), (jurors, 50 * PART - jurors));
    assert_eq!(before - court.stake(0), BOND);
    let back = court.cast.model.balance(court.cast.poster) - poster;
    assert!(back > escrow, "the poster has all its escrow and the rent");
}

#[test]
fn p_17_a_sham_challenge_first_loses_its_bond_to_the_honest_one_behind_it() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(7));
    court.enter(2, result(1));
    court.vote(result(1), &[(2, result(1))]);
    court.decide();
    let (gains, sunk) = court.gains(&[1, 2]);
    assert_eq!(gains, [rents(1, 1), 200 * PART + rents(1, 0)]);
    assert!(sunk >= 40 * PART && sunk + court.jurors_earned() == 100 * PART, "{sunk}");
}

#[test]
fn p_17_whoever_challenges_itself_loses_at_least_a_fifth_of_a_bond() {
    // Its own lie, contested by its cold key.
    let mut court = Court::submitted(result(9));
    court.open(0, result(1));
    court.vote(result(1), &[(0, result(1))]);
    court.decide();
    let before = court.stake(0);
    let (gains, _) = court.gains(&[0]);
    assert_eq!((gains[0], before - court.stake(0)), (150 * PART + rents(1, 1), BOND));
    // Its own right result, contested with nothing behind it.
    let mut court = Court::submitted(result(1));
    court.open(0, result(7));
    court.vote(result(1), &[]);
    court.decide();
    let (gains, sunk) = court.gains(&[0]);
    let trust = court.cast.provider(0).trust;
    assert_eq!([trust.completed, trust.disputes_won, trust.confirmed, trust.consecutive_valid], [1, 1, 0, 0]);
    assert_eq!(trust.score_bps(), 0, "a jury that somebody calls to its own result buys no trust");
    let pay = 5_000 + 400_000;
    assert_eq!(gains, [rents(1, 1)]);
    assert_eq!(court.cast.provider(0).earnings_lamports, 50 * PART + pay);
    assert!(sunk >= 20 * PART);
}

#[test]
fn p_18_executors_do_not_judge_and_challengers_do() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    // A juror's bot challenges with its node key.
    let at = court.seat(4);
    let commitment = challenge_commitment(&ChallengeCommitmentInput {
        job_uid: &court.cast.job(1).uid,
        challenger: &at.signer.0,
        outcome_hash: &hash(&result(1)),
        trace_root: &[0; 32],
        salt: &SALT,
    });
    court.cast.ok(&Act::EnterDispute { challenger: at.signer, job: court.job, commitment });
    court.draw();
    for index in [0, 1] {
        let act = court.ballot(index, &result(1));
        let refusal = court.cast.act(&act).expect_err("it ran the job, or is not on duty");
        assert!(refusal.contains("NotAJuror"), "{index}: {refusal:?}");
    }
    assert!(court.cast.model.is_juror(court.job, at.provider, court.cast.provider(4)));
    assert_eq!(court.dispute().duty_tickets_total, 400);
}

#[test]
fn case_4_where_executor_and_challenger_lie_the_jury_is_paid_and_the_poster_refunded() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(7));
    court.vote(result(1), &[(1, result(7))]);
    assert_eq!(court.decide(), Verdict::Outcome);
    let (gains, sunk) = court.gains(&[1]);
    assert_eq!((gains[0], sunk + court.jurors_earned()), (rents(1, 1), 200 * PART));
    assert!(sunk >= 140 * PART);
}

#[test]
fn case_5_without_votes_every_round_is_asked_and_the_challenger_pays_what_it_blocked() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    for round in 0..=3 {
        court.draw();
        assert_eq!(court.dispute().round, round);
        let reveals = court.dispute().reveal_deadline_unix;
        court.cast.wait_until(reveals);
        court.cast.ok(&Act::TallyRound { job: court.job });
        assert_eq!(court.dispute().verdict, Verdict::None);
        if round == 0 {
            // Absence costs the duty lock, once.
            let juror = court.cast.names[4].provider;
            let holder = juror.0;
            let dispute = court.dispute();
            let ticket = (0..100).find(|index| wins(&dispute.draw.seed, &holder, *index, dispute.threshold()));
            let act = absent(court.job, juror, 0, [ticket.unwrap_or(0)]);
            if ticket.is_some() {
                court.cast.ok(&act);
                assert_eq!(court.stake(4), 10 * SOL - SOL / 2);
                court.cast.refuse(&act, "NothingToSlash");
            } else {
                court.cast.refuse(&act, "TicketLoses");
            }
        }
        if round < 3 {
            let deadline = court.dispute().verdict_deadline_unix;
            court.cast.wait_until(deadline);
            court.cast.ok(&Act::SettleDispute { job: court.job });
        }
    }
    assert_eq!(court.decide(), Verdict::NoQuorum);
    assert_eq!(court.cast.job(1).status, JobStatus::Expired);
    let (gains, sunk) = court.gains(&[1]);
    assert_eq!(gains[0], 50 * PART + rents(1, 1));
    assert!(sunk >= 50 * PART);
    assert_eq!((court.stake(0), court.cast.provider(0).locked_lamports), (10 * SOL, 0));
}

#[test]
fn case_6_out_of_gas_and_traps_are_outcomes_like_any_other() {
    use assay_protocol::{Outcome, OutcomeKind, Trap};
    let limit = posting(1, Mode::Optimistic, 1).task.limits.gas_limit;
    let of = |kind, detail, gas_used| {
        let result_cid_digest = [1; 32];
        Outcome { kind, detail, exit_code: 0, gas_used, result_cid_digest, state_root: [0; 32] }.encode()
    };
    let pairs = [
        (exited(1, limit), of(OutcomeKind::OutOfGas, 0, limit)),
        (of(OutcomeKind::OutOfGas, 0, limit), result(1)),
        (
            of(OutcomeKind::Trapped, Trap::StackExhausted.code(), GAS),
            of(OutcomeKind::Trapped, Trap::Unreachable.code(), GAS),
        ),
        (
            of(OutcomeKind::Trapped, Trap::Unreachable.code(), GAS),
            of(OutcomeKind::Trapped, Trap::Unreachable.code(), GAS - 1),
        ),
    ];
    for (lie, truth) in pairs {
        let mut court = Court::submitted(lie);
        court.open(1, truth);
        court.vote(truth, &[(1, truth)]);
        assert_eq!(court.decide(), Verdict::Outcome);
        assert_eq!(court.cast.job(1).outcome, Some(truth));
        court.settle();
    }
}

#[test]
fn a_31_case_7_in_the_second_of_a_deadline_exactly_one_of_each_pair_goes_through() {
    let mut court = Court::submitted(result(9));
    let window = court.cast.job(1).window_deadline_unix;
    let (job, owner) = (court.job, court.owner(1));
    let commitment = court.hidden(1, &result(1));
    let mut late = court.cast.clone();
    late.wait_until(window);
    late.refuse(&Act::OpenDispute { payer: owner, job, commitment: Some(commitment) }, "DeadlinePassed");
    late.ok(&Act::FinalizeJob { job });
    court.cast.wait_until(window - 1);
    court.cast.refuse(&Act::FinalizeJob { job }, "DeadlineNotReached");
    court.open(1, result(1));
    court.draw();
    let juror = JURORS.clone().find(|juror| court.is_drawn(*juror));
    let juror = juror.expect("nine tickets win");
    let vote = court.ballot(juror, &result(1));
    let commit = court.dispute().commit_deadline_unix;
    court.cast.wait_until(commit - 1);
    court.cast.ok(&vote);
    let reveal = Act::RevealVote { at: court.seat(juror), round: 0, ballot: result(1), salt: SALT };
    court.cast.refuse(&reveal, "TooEarly");
    court.cast.wait_until(commit);
    let other = JURORS.clone().find(|other| *other != juror && court.is_drawn(*other));
    let second = court.ballot(other.expect("nine tickets win"), &result(1));
    court.cast.refuse(&second, "DeadlinePassed");
    court.cast.ok(&reveal);
    let reveals = court.dispute().reveal_deadline_unix;
    court.cast.refuse(&Act::TallyRound { job }, "DeadlineNotReached");
    court.cast.wait_until(reveals);
    court.cast.refuse(&Act::RevealOutcome { challenger: owner, job, outcome: result(1), salt: SALT }, "DeadlinePassed");
    court.cast.ok(&Act::TallyRound { job });
}

#[test]
fn p_19_case_8_a_jury_whose_seed_expires_four_times_is_everybody_and_the_last() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    let entry = court.dispute().entry_deadline_unix;
    court.cast.wait_until(entry);
    court.cast.ok(&Act::RecordJury { job: court.job });
    for _ in 0..4 {
        assert_eq!(court.dispute().status, DisputeStatus::Drawing);
        court.cast.slots(600);
        court.cast.ok(&Act::RecordJury { job: court.job });
    }
    assert!(court.dispute().is_last());
    let weight = court.vote(result(1), &[(1, result(1))]);
    assert_eq!(weight, 400);
    court.cast.refuse(&Act::Appeal { appellant: court.owner(2), job: court.job, ballot: result(9) }, "NotAppealable");
    court.decide();
    court.settle();
}

#[test]
fn case_9_without_any_juror_the_dispute_ends_at_once_without_a_verdict() {
    let mut court = Court::submitted(result(9));
    for index in JURORS {
        let (signer, provider) = (court.owner(index), court.cast.names[index].provider);
        court.cast.ok(&Act::SetDuty { signer, provider, on: false });
    }
    court.open(1, result(1));
    court.draw();
    assert_eq!(court.dispute().reveal_deadline_unix, court.cast.model.now_unix);
    court.cast.ok(&Act::TallyRound { job: court.job });
    assert_eq!(court.decide(), Verdict::NoQuorum);
    let (gains, _) = court.gains(&[1]);
    assert_eq!(gains[0], 50 * PART + rents(1, 1));
}

#[test]
fn case_10_a_juror_drawn_twice_casts_one_vote_of_twice_the_weight() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    court.draw();
    let of = |court: &Court, juror| match court.ballot(juror, &result(1)) {
        Act::CommitVote { tickets, .. } => (tickets.count, tickets),
        _ => unreachable!(),
    };
    let juror = JURORS.clone().max_by_key(|juror| of(&court, *juror).0).expect("there are four");
    let (weight, tickets) = of(&court, juror);
    assert!(weight >= 2, "of nine tickets among four somebody has two");
    let Act::CommitVote { at, commitment, .. } = court.ballot(juror, &result(1)) else { unreachable!() };
    let [first, ..] = *tickets.as_slice() else { unreachable!() };
    let twice = Act::CommitVote { at, commitment, tickets: Tickets::of([first, first]) };
    court.cast.refuse(&twice, "TicketsUnordered");
    let vote = court.ballot(juror, &result(1));
    let before = court.cast.provider(juror).locked_lamports;
    court.cast.ok(&vote);
    let locked = court.cast.provider(juror).locked_lamports - before;
    assert_eq!(locked, weight as u64 * TERMS.juror_bond_lamports);
    court.cast.refuse(&vote, "AlreadyVoted");
}

#[test]
fn p_26_case_11_a_majority_for_unavailable_returns_everything_and_pays_nobody() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    court.vote(UNAVAILABLE, &[(1, result(1))]);
    assert_eq!(court.decide(), Verdict::Unavailable);
    assert_eq!(court.cast.job(1).status, JobStatus::Expired);
    let (gains, sunk) = court.gains(&[1]);
    assert_eq!((gains[0], sunk, court.jurors_earned()), (BOND + rents(1, 1), 0, 0));
    assert_eq!((court.stake(0), court.cast.provider(0).earnings_lamports), (10 * SOL, 0));
}

#[test]
fn case_12_each_side_appeals_until_everybody_decides() {
    let lie = result(9);
    let mut court = Court::submitted(lie);
    court.open(1, result(1));
    let weights = [
        court.vote(result(1), &[(1, result(1))]),
        {
            court.cast.ok(&Act::Appeal { appellant: court.owner(0), job: court.job, ballot: lie });
            court.vote(lie, &[])
        },
        {
            court.cast.refuse(&Act::Appeal { appellant: court.owner(0), job: court.job, ballot: lie }, "OutcomeStands");
            court.cast.ok(&Act::Appeal { appellant: court.owner(1), job: court.job, ballot: result(1) });
            court.vote(lie, &[])
        },
        {
            court.cast.ok(&Act::Appeal { appellant: court.owner(1), job: court.job, ballot: result(1) });
            court.vote(result(1), &[])
        },
    ];
    assert_eq!((court.dispute().round, weights[3]), (3, 400));
    assert_eq!(court.decide(), Verdict::Outcome);
    let (gains, sunk) = court.gains(&[0, 1]);
    // Won 100 + 400 + 800, lost 200 and the seat's 100.
    assert_eq!(gains, [rents(1, 0), 1_300 * PART + 150 * PART + rents(1, 1)]);
    let pool = 90 * PART / 4;
    let shares: u64 = [weights[0], weights[3]].map(|weight| weight * (pool / weight)).iter().sum();
    assert_eq!(court.jurors_earned(), shares);
    let wrong = (weights[1] + weights[2]) * TERMS.juror_bond_lamports;
    assert_eq!(sunk, 150 * PART - shares + wrong);
}

#[test]
fn case_13_where_a_round_expects_all_tickets_everybody_votes_once_and_for_good() {
    let terms = Terms { ticket_lamports: 5 * SOL, juror_bond_lamports: 10_000, ..TERMS };
    let mut court = Court::under(terms, Mode::Optimistic, 1);
    let accept = court.cast.accept(1, 0, 0);
    court.cast.ok(&accept);
    court.cast.ok(&Act::SubmitResults { at: court.cast.seat(1, 0), outcome: result(9) });
    court.open(1, result(1));
    court.draw();
    // Eight tickets in all, of which nine are expected.
    assert!(court.dispute().is_last() && court.dispute().expected == 8);
    let Act::CommitVote { at, commitment, tickets, .. } = court.ballot(4, &result(1)) else { unreachable!() };
    let named = Act::CommitVote { at, commitment, tickets: Tickets::of([0]) };
    court.cast.refuse(&named, "WeightOutOfRange");
    court.cast.ok(&Act::CommitVote { at, commitment, tickets });
    let weights: Vec<u64> = court.cast.model.votes.values().map(|vote| vote.weight).collect();
    assert_eq!(weights, [2], "all its tickets");
}

#[test]
fn p_04_case_15_an_honest_minority_appeals_and_the_majority_that_lied_pays() {
    let mut court = Court::new(Mode::Redundant, 3);
    court.cast.seed(1);
    court.cast.fill(1, &[0, 1, 2]);
    court.cast.run(1, &[(0, result(9)), (1, result(9)), (2, result(1))]);
    court.open(3, result(1));
    court.vote(result(1), &[(3, result(1))]);
    assert_eq!((court.decide(), court.dispute().right), (Verdict::Outcome, 1));
    let (gains, sunk) = court.gains(&[3]);
    assert_eq!(gains[0], 200 * PART + rents(1, 1));
    assert_eq!([0, 1, 2].map(|index| court.stake(index)), [10 * SOL - BOND, 10 * SOL - BOND, 10 * SOL]);
    assert_eq!(court.cast.provider(2).earnings_lamports, 405_000);
    assert!(sunk >= 40 * PART && sunk + court.jurors_earned() == 100 * PART);
}

#[test]
fn p_13_case_16_a_jury_ends_a_deadlock_of_three_results() {
    let mut court = Court::under(Terms { executions_max: 3, ..TERMS }, Mode::Redundant, 3);
    court.cast.seed(1);
    court.cast.fill(1, &[0, 1, 2]);
    court.cast.run(1, &[(0, result(7)), (1, result(8)), (2, result(1))]);
    assert_eq!(court.cast.job(1).status, JobStatus::Deadlocked);
    let act = Act::OpenDispute { payer: court.owner(3), job: court.job, commitment: Some([1; 32]) };
    court.cast.refuse(&act, "AccountsMissing");
    court.cast.ok(&Act::OpenDispute { payer: court.owner(3), job: court.job, commitment: None });
    court.vote(result(1), &[]);
    assert_eq!(court.decide(), Verdict::Outcome);
    let (sunk, _) = court.settle();
    assert_eq!(sunk + court.jurors_earned(), 200 * PART);
    assert_eq!(court.cast.provider(2).earnings_lamports, 405_000);
}

#[test]
fn case_17_money_is_counted_before_it_is_paid() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    court.vote(result(1), &[(1, result(1))]);
    let (job, challenger) = (court.job, court.owner(1));
    court.cast.refuse(&Act::SettleChallenge { job, challenger }, "DisputeNotFinal");
    court.decide();
    let (_, round, juror) = *court.cast.model.votes.keys().next().expect("they voted");
    let provider = court.cast.names[0].provider;
    court.cast.refuse(&Act::SettleExecution { job, provider }, "ChallengesUncounted");
    let early = court.cast.act(&Act::SettleVote { job, round, provider: juror }).expect_err("nothing is counted");
    assert_eq!(early.into_iter().collect::<Vec<_>>(), ["ChallengesUncounted", "ExecutionsOpen"]);
    court.cast.ok(&Act::SettleChallenge { job, challenger });
    court.cast.refuse(&Act::SettleChallenge { job, challenger }, "ExecutionsOpen");
    court.cast.ok(&Act::SettleExecution { job, provider });
    court.cast.ok(&Act::SettleChallenge { job, challenger });
    court.cast.refuse(&Act::SettleChallenge { job, challenger }, "AccountNotInitialized");
}

#[test]
fn p_11_case_18_neither_a_bond_nor_the_stake_behind_a_jurors_tickets_can_leave() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    let (signer, provider) = (court.owner(4), court.cast.names[4].provider);
    court.cast.refuse(&Act::Unstake { signer, provider, lamports: 1 }, "StakeOnDuty");
    court.cast.ok(&Act::SetDuty { signer, provider, on: false });
    court.cast.refuse(&Act::Unstake { signer, provider, lamports: 1 }, "StakeOnDuty");
    court.cast.refuse(&Act::SetDuty { signer, provider, on: false }, "StillOnDuty");
    let (signer, provider) = (court.owner(0), court.cast.names[0].provider);
    court.cast.refuse(&Act::Unstake { signer, provider, lamports: 10 * SOL }, "FreeStakeTooSmall");
    court.cast.refuse(&Act::CloseProvider { signer, provider }, "ProviderInUse");
}

/// A liar may leave its duty under its seat: a jury is counted without what its executors have on duty when it is asked.
#[test]
fn p_03_a_liar_on_duty_cannot_shrink_the_jury_by_leaving_it() {
    for leaves in [false, true] {
        let mut cast = Cast::new(&[10, 10, 10]);
        for index in [0, 1] {
            let name = cast.names[index];
            cast.ok(&Act::SetDuty { signer: name.authority, provider: name.provider, on: true });
        }
        cast.create(posting(1, Mode::Optimistic, 1));
        let accept = cast.accept(1, 0, 0);
        cast.ok(&accept);
        let (signer, provider) = (cast.names[0].authority, cast.names[0].provider);
        if leaves {
            cast.ok(&Act::SetDuty { signer, provider, on: false });
        }
        cast.ok(&Act::SubmitResults { at: cast.seat(1, 0), outcome: result(9) });
        let (job, payer) = (cast.key(1), cast.names[2].authority);
        cast.ok(&Act::OpenDispute { payer, job, commitment: Some([1; 32]) });
        assert_eq!(cast.model.disputes[&job].duty_tickets_total, 100);
    }
}

/// Whoever gave a seat up under the clock is still one of the executors: no juror, and not counted, whether it serves or not.
#[test]
fn p_18_whoever_gave_a_seat_up_is_neither_in_the_jury_of_that_job_nor_counted_in_it() {
    for serves in [false, true] {
        let mut cast = Cast::new(&[10, 10, 10, 10, 10]);
        let duty = |cast: &mut Cast, index: usize, on: bool| {
            let name = cast.names[index];
            cast.ok(&Act::SetDuty { signer: name.authority, provider: name.provider, on });
        };
        for index in [2, 3] {
            duty(&mut cast, index, true);
        }
        if !serves {
            duty(&mut cast, 0, true);
        }
        cast.create(posting(1, Mode::Redundant, 3));
        cast.seed(1);
        cast.fill(1, &[0, 1, 4]);
        cast.ok(&Act::DeclineJob { at: cast.seat(1, 0) });
        duty(&mut cast, 0, serves);
        cast.run(1, &[(1, result(9)), (4, result(9))]);
        let (job, payer) = (cast.key(1), cast.names[2].authority);
        cast.ok(&Act::OpenDispute { payer, job, commitment: Some([1; 32]) });
        assert_eq!(cast.model.disputes[&job].duty_tickets_total, 200);
        let asks = |index: usize| cast.model.is_juror(job, cast.names[index].provider, cast.provider(index));
        assert_eq!([0, 1, 2, 3].map(asks), [false, false, true, true]);
    }
}

/// A juror that leaves in the second in which a dispute is opened was counted, so it is one of its jury.
#[test]
fn p_18_whoever_leaves_in_the_second_of_the_opening_is_still_a_juror() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    let (signer, provider) = (court.owner(4), court.cast.names[4].provider);
    court.cast.ok(&Act::SetDuty { signer, provider, on: false });
    assert!(court.cast.model.is_juror(court.job, provider, court.cast.provider(4)));
    assert_eq!(court.vote(result(1), &[(1, result(1))]), court.dispute().revealed_weight[0]);
    assert!(court.cast.model.votes.contains_key(&(court.job, 0, provider)), "nine of four hundred tickets");
}

/// Its absence from one jury ends its duty and frees its stake, and it denies no other verdict, though it holds a seat.
#[test]
fn p_18_whoever_was_put_off_duty_is_counted_in_no_later_jury() {
    let mut court = Court::submitted(result(9));
    let (juror, signer) = (court.cast.names[4].provider, court.owner(4));
    court.cast.create(posting(2, Mode::Optimistic, 1));
    let accept = court.cast.accept(2, 4, 0);
    court.cast.ok(&accept);
    court.open(1, result(1));
    court.cast.wait_until(court.cast.model.disputes[&court.job].entry_deadline_unix);
    court.cast.ok(&Act::RecordJury { job: court.job });
    court.cast.slots(5);
    court.cast.ok(&Act::RecordJury { job: court.job });
    court.cast.wait_until(court.cast.model.disputes[&court.job].reveal_deadline_unix);
    court.cast.ok(&Act::TallyRound { job: court.job });
    let dispute = &court.cast.model.disputes[&court.job];
    let drawn = |ticket: &u32| wins(&dispute.draw.seed, &juror.0, *ticket, dispute.threshold());
    let ticket = (0..100).find(drawn).expect("a jury of nine among four has it");
    court.cast.ok(&absent(court.job, juror, 0, [ticket]));
    let provider = &court.cast.model.providers[&juror];
    assert!(!provider.is_on_duty() && provider.duty_lock_lamports == 0);
    // Later juries do not count it, over its own seat or any other; this one is what it was.
    court.cast.ok(&Act::Unstake { signer, provider: juror, lamports: SOL });
    let market = court.cast.model.markets.values().next().expect("there is one");
    assert_eq!((market.duty_tickets_total, court.dispute().duty_tickets_total), (300, 400));
}

/// No round is over for its absentees before the next one is.
#[test]
fn p_18_neither_the_next_round_nor_a_challengers_key_nor_votes_of_the_same_dispute_excuse_an_absence() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    let winning = |court: &Court, juror: usize| match court.ballot(juror, &result(1)) {
        Act::CommitVote { tickets, .. } => tickets.as_slice().to_vec(),
        _ => unreachable!(),
    };
    let next = |court: &mut Court| {
        let reveals = court.dispute().reveal_deadline_unix;
        court.cast.wait_until(reveals);
        court.cast.ok(&Act::TallyRound { job: court.job });
        let deadline = court.dispute().verdict_deadline_unix;
        court.cast.wait_until(deadline);
        court.cast.ok(&Act::SettleDispute { job: court.job });
        court.draw();
    };
    court.draw();
    let juror = JURORS.clone().find(|juror| !winning(&court, *juror).is_empty()).expect("nine tickets win");
    let (provider, job) = (court.cast.names[juror].provider, court.job);
    let first = absent(job, provider, 0, [winning(&court, juror)[0]]);
    let hidden = court.ballot(juror, &result(1));
    court.cast.refuse(&first, "DisputeNotTallied");
    court.cast.ok(&hidden);
    next(&mut court);
    let mut early = court.cast.clone();
    early.ok(&first);
    assert_eq!(early.provider(juror).stake_lamports, 10 * SOL - SOL / 2);
    let again = court.ballot(juror, &result(1));
    court.cast.ok(&again);
    next(&mut court);
    let late = court.cast.act(&first).expect_err("two rounds ago");
    assert!(late.contains("DisputeNotTallied"), "{late:?}");
    // Two votes of this dispute, and the key of its challenger.
    let (signer, new_node_key) = (court.owner(juror), Some(court.owner(1)));
    court.cast.ok(&Act::UpdateProvider { signer, provider, new_node_key, cap_lamports: None });
    let second = absent(job, provider, 2, [winning(&court, juror)[0]]);
    let reveals = court.dispute().reveal_deadline_unix;
    court.cast.wait_until(reveals);
    court.cast.ok(&Act::TallyRound { job });
    court.cast.ok(&second);
}

#[test]
fn p_18_a_juror_with_two_votes_elsewhere_is_excused_if_it_asks_and_none_of_its_excuses_counts() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    court.draw();
    let juror = JURORS.clone().find(|juror| court.is_drawn(*juror)).expect("nine tickets win");
    let (at, job, key) = (court.seat(juror), court.job, court.cast.names[juror].provider);
    let ticket = (0..100).find(|ticket| {
        let dispute = court.dispute();
        wins(&dispute.draw.seed, &key.0, *ticket, dispute.threshold())
    });
    let excuse = Act::CommitVote { at, commitment: [0; 32], tickets: Tickets::NONE };
    assert!(court.cast.act(&excuse).expect_err("not busy").contains("CommitmentZero"));
    court.cast.model.providers.get_mut(&key).expect("a juror").votes_open = 2;
    court.cast.model.apply(&excuse).expect("two votes elsewhere");
    let vote = &court.cast.model.votes[&(job, 0, key)];
    assert_eq!((vote.weight, vote.lock_lamports, vote.is_revealed, vote.is_full), (0, 0, true, true));
    assert_eq!((court.cast.provider(juror).votes_open, court.dispute().votes_committed), (2, 0));
    court.cast.model.providers.get_mut(&key).expect("a juror").votes_open = 0;
    let reveals = court.dispute().reveal_deadline_unix;
    court.cast.wait_until(reveals);
    court.cast.ok(&Act::TallyRound { job });
    court.cast.refuse(&absent(job, key, 0, ticket), "JurorWasPresent");
}

#[test]
fn p_18_a_vote_lighter_than_its_juror_could_cast_is_an_absence() {
    let mut court = Court::submitted(result(9));
    court.open(1, result(1));
    court.draw();
    let all = |court: &Court, juror: usize| match court.ballot(juror, &result(1)) {
        Act::CommitVote { tickets, .. } => tickets.as_slice().to_vec(),
        _ => unreachable!(),
    };
    let juror = JURORS.clone().find(|juror| all(&court, *juror).len() > 1).expect("nine tickets among four");
    let (provider, job, all) = (court.cast.names[juror].provider, court.job, all(&court, juror));
    let few = &all[..all.len() - 1];
    let Act::CommitVote { at, commitment, .. } = court.ballot(juror, &result(1)) else { unreachable!() };
    let tickets = Tickets::of(few.iter().copied());
    court.cast.ok(&Act::CommitVote { at, commitment, tickets });
    let commits = court.dispute().commit_deadline_unix;
    court.cast.wait_until(commits);
    court.cast.ok(&Act::RevealVote { at, round: 0, ballot: result(1), salt: SALT });
    let reveals = court.dispute().reveal_deadline_unix;
    court.cast.wait_until(reveals);
    court.cast.ok(&Act::TallyRound { job });
    court.cast.refuse(&absent(job, provider, 0, few.iter().copied()), "JurorWasPresent");
    court.cast.ok(&absent(job, provider, 0, all));
}
