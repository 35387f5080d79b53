//! Disputes as the chain plays them with one provider of ours, others who vote, and others who move things on.

use assay_protocol::{
    ChallengeStatus, DisputeStatus, Draw, DrawNow, DrawState, Expected, Hash32, Verdict, ballot_hash,
    duty::{ON_DUTY, is_busy},
    ids::{ChallengeCommitmentInput, VoteCommitmentInput, challenge_commitment, vote_commitment},
    round_expected,
    tickets::{TicketDraw, threshold},
};

use solana_instruction::Instruction;

use super::{world::*, *};

/// What somebody wrong says.
pub(super) const WRONG: OutcomeBytes = [5; 79];
/// Tickets of all jurors; ours are 40 of them.
const TICKETS: u64 = 400;

/// What draws a round's jury: the first seed of the round that draws one of our tickets at least.
pub(super) fn jury_seed(round: u8) -> Hash32 {
    let (holder, level) = (settings().provider.to_bytes(), threshold(9 << (2 * round), TICKETS));
    let draws_us = |seed: &Hash32| TicketDraw::new(seed, &holder).winning(40, level).next().is_some();
    (round + 4..=u8::MAX).step_by(4).map(|byte| [byte; 32]).find(draws_us).expect("one of sixty")
}

/// Seconds after which others do what is due.
const OTHERS_S: i64 = 20;
/// Jobs whose number is at least this are played here.
pub(super) const FIRST: u8 = 150;

impl World {
    /// Posts a job whose only seat is another's, and whose result stands for half a minute.
    pub(super) fn post_result(&mut self, byte: u8, standing: OutcomeBytes) {
        let job = JobView {
            status: JobStatus::Submitted,
            standing_hash: ballot_hash(&standing),
            window_deadline_unix: self.now.chain_unix + 30,
            created_slot: self.slot,
            executions_open: 1,
            execution_s: 30,
            reveal_s: 10,
            ..view(byte)
        };
        self.jobs.insert(job.uid, job);
    }

    /// As [`Self::post_result`], and somebody disputes it at once.
    pub(super) fn post_dispute(&mut self, byte: u8, standing: OutcomeBytes) {
        self.post_result(byte, standing);
        let job = self.jobs.get_mut(&JobUid([byte; 32])).expect("posted");
        open(job, self.now.chain_unix);
    }

    /// Makes us a juror, from the beginning.
    pub(super) fn enlist(&mut self) {
        self.duty = DutyView { duty_from_unix: 1, duty_until_unix: ON_DUTY, tickets_from_unix: 0 };
    }

    /// What a message of ours carries.
    pub(super) fn court_payload(&self, uid: JobUid, kind: TxKind) -> Vec<u8> {
        let job = self.core.job(uid).expect("known");
        let row = &job.row;
        match kind {
            TxKind::Challenge => {
                row.challenge_commitment(&settings().node_key).expect("outcome and salt are recorded").to_vec()
            }
            TxKind::Vote(round) if row.ballot(round).is_none() => Vec::new(),
            TxKind::Vote(round) => {
                let ballot = row.ballot(round).expect("recorded");
                let indices = ballot.tickets.iter().flat_map(|ticket| ticket.to_le_bytes());
                let commitment = row.vote_commitment(&settings().provider, round).expect("recorded");
                commitment.into_iter().chain(ballot.weight.to_le_bytes()).chain(indices).collect()
            }
            TxKind::RevealVote(round) => {
                let ballot = row.ballot(round).expect("recorded");
                [&ballot.ballot[..], &ballot.salt].concat()
            }
            TxKind::RevealOutcome => {
                [&row.outcome.expect("recorded")[..], &row.challenge.expect("recorded").salt].concat()
            }
            TxKind::Appeal(_) => row.outcome.expect("recorded").to_vec(),
            TxKind::Advance => vec![job.step().map_or(0, |step| step as u8)],
            _ => Vec::new(),
        }
    }

    /// Lets a transaction of ours about a result of others meet the program.
    pub(super) fn apply_court(&mut self, uid: JobUid, kind: TxKind, signature: Signature) -> bool {
        let payload = self.messages[&signature][10..].to_vec();
        let (now, slot, elsewhere) = (self.now.chain_unix, self.slot, (self.is_bound, self.votes_elsewhere));
        let Some(job) = self.jobs.get_mut(&uid) else { return false };
        let hash = |bytes: &[u8]| ballot_hash(bytes.try_into().expect("an outcome"));
        if job.dispute.is_none() {
            return match kind {
                TxKind::Challenge => challenge_first(job, payload, now),
                TxKind::Advance => job.status.is_terminal() && self.jobs.remove(&uid).is_some(),
                _ => false,
            };
        }
        let verdict = self.verdict;
        let dispute = job.dispute.as_mut().expect("looked at");
        let (round, reveals) = (dispute.round, dispute.takes_reveals(self.now));
        let place = usize::from(round);
        match kind {
            TxKind::Vote(of) if of == round && dispute.takes_votes(self.now) && dispute.votes[place].is_none() => {
                let Some(vote) = cast(dispute, &payload, elsewhere) else { return false };
                dispute.is_complete = vote == OwnVote::Excused;
                dispute.votes[place] = Some(vote);
            }
            TxKind::RevealVote(of) if of == round && reveals => {
                let Some(OwnVote::Committed(hidden)) = dispute.votes[place] else { return false };
                assert_eq!(opened_vote(uid, round, &payload), hidden, "what was committed to");
                dispute.votes[place] = Some(OwnVote::Revealed(hash(&payload[..79])));
                dispute.is_complete = !is_hidden(dispute.challenge);
                self.revealed += 1;
            }
            TxKind::RevealOutcome if reveals && round == 0 => {
                let Some(challenge) = dispute.challenge.as_mut() else { return false };
                assert_eq!(opened_challenge(uid, &payload), challenge.commitment, "what was committed to");
                (challenge.status, challenge.outcome_hash) = (ChallengeStatus::Revealed, hash(&payload[..79]));
                dispute.is_complete = !matches!(dispute.votes[place], Some(OwnVote::Committed(_)));
                self.revealed += 1;
            }
            TxKind::Appeal(of) if of == round && dispute.takes_appeals(self.now) => {
                let revealed = OwnChallenge {
                    status: ChallengeStatus::Revealed,
                    commitment: [0; 32],
                    outcome_hash: hash(&payload),
                };
                let held = dispute.challenge.get_or_insert(revealed).outcome_hash;
                assert_eq!(held, hash(&payload), "one who appeals does not change its mind");
                self.appealed += 1;
                start(dispute, round + 1, (slot, now), job.execution_s, job.reveal_s);
            }
            TxKind::Challenge if dispute.takes_challenges(self.now) && dispute.challenge.is_none() => {
                dispute.challenge = Some(entered(payload));
                dispute.is_complete = false;
            }
            TxKind::Advance if payload == [Step::SlashAbsent as u8] => {
                let was_absent = !dispute.absences.is_empty();
                dispute.absences.truncate(dispute.absences.len().saturating_sub(1));
                self.slashed += u32::from(was_absent);
                return was_absent;
            }
            TxKind::Advance => return self.advance_court(uid, payload == [Step::SettleRest as u8], 0),
            TxKind::Settle if dispute.status == DisputeStatus::Final => {
                let is_right = |hash: Hash32| verdict.as_ref().is_some_and(|verdict| ballot_hash(verdict) == hash);
                let votes = dispute.votes.iter().flatten();
                let paid = votes.filter(|vote| matches!(vote, OwnVote::Revealed(hash) if is_right(*hash))).count();
                self.earnings += u64::try_from(paid).expect("few");
                self.won += u32::from(dispute.challenge.is_some_and(|challenge| is_right(challenge.outcome_hash)));
                (dispute.votes, dispute.challenge) = ([None; ROUNDS], None);
            }
            _ => return false,
        }
        true
    }

    /// Whoever takes the step that is due since so many seconds.
    fn advance_court(&mut self, uid: JobUid, closes: bool, patience_s: i64) -> bool {
        let (slot, now, verdict) = (self.slot, self.now.chain_unix, self.verdict);
        let (absent, lock_lamports) = (self.absent, self.duty_lock_lamports);
        let slash = |juror| Instruction::new_with_bytes(Pubkey::default(), &[juror], Vec::new());
        let Some(job) = self.jobs.get_mut(&uid) else { return false };
        let (execution_s, reveal_s) = (job.execution_s, job.reveal_s);
        let Some(dispute) = job.dispute.as_mut() else { return false };
        let is_due = dispute.due_from_unix().is_none_or(|due| now >= due + patience_s);
        match dispute.status {
            DisputeStatus::Entry if is_due => start(dispute, 0, (slot, now), execution_s, reveal_s),
            DisputeStatus::Drawing if slot > dispute.draw.seed_slot => {
                dispute.draw.seed = jury_seed(dispute.round);
                dispute.draw.state = DrawState::Recorded;
                vote(dispute, now, execution_s, reveal_s);
            }
            DisputeStatus::Voting if is_due => {
                dispute.status = DisputeStatus::Tallied;
                dispute.absences = (0..absent).map(|juror| Absence { lock_lamports, slash: slash(juror) }).collect();
                dispute.verdict = verdict.map_or(Verdict::None, |_| Verdict::Outcome);
                dispute.verdict_hash = verdict.map_or([0; 32], |verdict| ballot_hash(&verdict));
                // Whoever lies has no voice but in the first round.
                let decided = dispute.verdict != Verdict::None && !dispute.is_last();
                dispute.verdict_deadline_unix = now + i64::from(if decided { execution_s } else { reveal_s });
            }
            DisputeStatus::Tallied if is_due && dispute.verdict == Verdict::None && !dispute.is_last() => {
                start(dispute, dispute.round + 1, (slot, now), execution_s, reveal_s);
            }
            DisputeStatus::Tallied if is_due => {
                dispute.status = DisputeStatus::Final;
                dispute.absences.clear();
                job.status = if verdict.is_some() { JobStatus::Resolved } else { JobStatus::Expired };
                job.executions_open = 0;
            }
            DisputeStatus::Final if closes && !dispute.has_part_of_ours() => return self.jobs.remove(&uid).is_some(),
            _ => return false,
        }
        true
    }

    /// Somebody else moves disputes on, and the jury that was captured at first is not in the next round.
    pub(super) fn court_moves(&mut self, patience_s: i64) {
        let uids: Vec<JobUid> = self.jobs.keys().copied().filter(|uid| uid.0[0] >= FIRST).collect();
        for uid in uids {
            self.remember();
            let closes = self.jobs[&uid].dispute.as_ref().is_none_or(|dispute| !dispute.has_part_of_ours());
            if self.advance_court(uid, closes && patience_s > 0, patience_s) {
                self.slot += 1;
            }
            let now = self.now.chain_unix;
            let Some(job) = self.jobs.get_mut(&uid).filter(|job| job.dispute.is_none()) else { continue };
            if job.status == JobStatus::Submitted && now >= job.window_deadline_unix {
                self.slot += 1;
                self.jobs.remove(&uid);
            }
        }
    }

    /// Somebody else acts, in a job with several seats and in disputes.
    pub(super) fn others_and_court_move(&mut self, index: usize) {
        self.others_move(index);
        self.court_moves(i64::try_from(index % 8).expect("small"));
    }

    /// As [`Self::court_moves`], when nobody did it for a while.
    pub(super) fn court_moves_late(&mut self) {
        self.court_moves(OTHERS_S);
    }

    /// Nothing is drawn for seats in it.
    pub(super) fn is_court(&self, uid: JobUid) -> bool {
        uid.0[0] >= FIRST && !self.others.contains_key(&uid)
    }
}

fn is_hidden(challenge: Option<OwnChallenge>) -> bool {
    challenge.is_some_and(|challenge| challenge.status == ChallengeStatus::Entered)
}

/// A challenge of ours, still hidden.
fn entered(payload: Vec<u8>) -> OwnChallenge {
    let commitment = payload.try_into().expect("a hash");
    OwnChallenge { status: ChallengeStatus::Entered, commitment, outcome_hash: [0; 32] }
}

/// Whoever disputes a result that stands, in time.
fn challenge_first(job: &mut JobView, payload: Vec<u8>, now: i64) -> bool {
    if job.status != JobStatus::Submitted || now >= job.window_deadline_unix {
        return false;
    }
    open(job, now);
    job.dispute.as_mut().expect("just opened").challenge = Some(entered(payload));
    true
}

/// A vote of ours, or an excuse, which says nothing; `None` of one that asks for it and is not busy.
fn cast(dispute: &DisputeView, payload: &[u8], (is_bound, votes_elsewhere): (bool, u16)) -> Option<OwnVote> {
    match payload.is_empty() {
        _ if is_bound => Some(OwnVote::Excused),
        true => is_busy(votes_elsewhere, dispute.round).then_some(OwnVote::Excused),
        false => Some(OwnVote::Committed(voted(dispute, payload))),
    }
}

/// The commitment of a vote, which names tickets that are ours and drawn.
fn voted(dispute: &DisputeView, payload: &[u8]) -> Hash32 {
    let (commitment, rest) = payload.split_at(32);
    let (weight, tickets) = rest.split_at(4);
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let (weight, tickets): (u32, Vec<u32>) = (number(weight), tickets.chunks(4).map(number).collect());
    let level = threshold(dispute.expected, dispute.duty_tickets_total);
    let draw = TicketDraw::new(&dispute.draw.seed, &settings().provider.to_bytes());
    let win = |index: &u32| *index < 40 && draw.wins(*index, level);
    let is_drawn = match dispute.is_last() {
        true => tickets.is_empty() && (1..=40).contains(&weight),
        false => tickets.len() == weight as usize && tickets.is_sorted() && tickets.iter().all(win),
    };
    assert!(is_drawn && weight > 0, "{weight} {tickets:?}");
    commitment.try_into().expect("a hash")
}

/// What a ballot and its salt open.
fn opened_vote(uid: JobUid, round: u8, shown: &[u8]) -> Hash32 {
    let (ballot, salt) = shown.split_at(79);
    vote_commitment(&VoteCommitmentInput {
        job_uid: &uid.0,
        round,
        provider: &settings().provider.to_bytes(),
        ballot_hash: &ballot_hash(ballot.try_into().expect("a ballot")),
        trace_root: &[0; 32],
        salt: salt.try_into().expect("a salt"),
    })
}

/// What a challenge's outcome and its salt open.
fn opened_challenge(uid: JobUid, shown: &[u8]) -> Hash32 {
    let (outcome, salt) = shown.split_at(79);
    challenge_commitment(&ChallengeCommitmentInput {
        job_uid: &uid.0,
        challenger: &settings().node_key.to_bytes(),
        outcome_hash: &ballot_hash(outcome.try_into().expect("an outcome")),
        trace_root: &[0; 32],
        salt: salt.try_into().expect("a salt"),
    })
}

fn open(job: &mut JobView, now: i64) {
    (job.status, job.disputes_open) = (JobStatus::Disputed, 1);
    job.dispute = Some(Box::new(DisputeView {
        status: DisputeStatus::Entry,
        round: 0,
        verdict: Verdict::None,
        verdict_hash: [0; 32],
        standing_hash: job.standing_hash,
        is_party: false,
        bond_lamports: job.bond_lamports,
        juror_bond_lamports: 10,
        expected: 0,
        duty_tickets_total: TICKETS,
        opened_unix: now,
        entry_deadline_unix: job.window_deadline_unix,
        commit_deadline_unix: 0,
        reveal_deadline_unix: 0,
        verdict_deadline_unix: 0,
        draw: Draw::default(),
        is_complete: true,
        votes: [None; ROUNDS],
        challenge: None,
        absences: Vec::new(),
        settlement: Vec::new(),
    }));
}

fn start(dispute: &mut DisputeView, round: u8, (slot, unix): (u64, i64), execution_s: u32, reveal_s: u32) {
    (dispute.round, dispute.verdict, dispute.verdict_hash) = (round, Verdict::None, [0; 32]);
    dispute.absences.clear();
    dispute.is_complete = true;
    match round_expected(9, round, dispute.duty_tickets_total) {
        Expected::Tickets(expected) => {
            (dispute.expected, dispute.status) = (expected, DisputeStatus::Drawing);
            dispute.draw = Draw::arm(DrawNow { slot, unix });
        }
        Expected::Everybody => {
            dispute.expected = dispute.duty_tickets_total;
            dispute.draw = Draw::everybody(DrawNow { slot, unix });
            vote(dispute, unix, execution_s, reveal_s);
        }
    }
}

fn vote(dispute: &mut DisputeView, now: i64, execution_s: u32, reveal_s: u32) {
    dispute.status = DisputeStatus::Voting;
    dispute.commit_deadline_unix = now + i64::from(execution_s);
    dispute.reveal_deadline_unix = dispute.commit_deadline_unix + i64::from(reveal_s);
}
