//! What disputes came to, and what happened in the very seconds of deadlines: stories that reach none of it prove little.

use crate::{
    act::{Act, AtSeat},
    draw::DrawState,
    rules::{UNAVAILABLE, Verdict as Answer},
    state::{Audit, ChallengeStatus, Dispute, DisputeStatus, JobStatus, Key, Mode, Model, Provider, Verdict, Vote},
};

/// What every set of stories has to come to, seconds of deadlines apart.
pub const MILESTONES: &[&str] = &[
    "a dispute over one seat's result",
    "a dispute over the result of several seats",
    "a dispute over the result of a seat that was taken alone",
    "a deadlock before a jury",
    "a second challenger",
    "a challenge by the poster",
    "a challenge by an executor",
    "a challenge with another's commitment",
    "a vote with another's commitment",
    "round 0 drawn",
    "round 1 drawn",
    "round 2 drawn",
    "round 0 of everybody",
    "round 1 of everybody",
    "round 2 of everybody",
    "round 3 of everybody",
    "a round of nobody",
    "a jury's seed that expired after 0 others",
    "a jury's seed that expired after 1 others",
    "a jury's seed that expired after 2 others",
    "a jury's seed that expired after 3 others",
    "a round that found an outcome",
    "a round that found nothing to be had",
    "a round with too few votes",
    "a round without a majority",
    "a round after one without a verdict",
    "an appeal against round 0",
    "an appeal against round 1",
    "an appeal against round 2",
    "an appeal by a challenger",
    "an appeal by somebody new",
    "an appeal for nothing to be had",
    "an appeal that won",
    "an absent juror that did not vote",
    "an absent juror that did not reveal",
    "an absent juror that held a seat",
    "an absent juror that had left its duty",
    "an absent juror of the round before",
    "an absent juror that voted before",
    "a vote that weighs too little",
    "a vote whose cap kept it light",
    "a dispute over the result of a provider on duty",
    "a dispute over a job whose poster's provider is on duty",
    "a vote of a challenger",
    "an excuse of a juror with nothing free",
    "an excuse of a busy juror",
    "an excuse, settled",
    "an end in which the result stood",
    "an end in which a challenger was right",
    "an end in which nobody was right",
    "an end in which nothing was to be had",
    "an end without a verdict",
    "an end of a deadlock with a result",
    "a challenge counted as right",
    "a challenge paid",
    "a challenge lost",
    "a challenge lost that showed nothing",
    "a challenge that got its bond back",
    "a challenge that paid for the delay",
    "a vote for the verdict",
    "a vote against the verdict",
    "a hidden vote beside a verdict",
    "a vote beside no outcome",
    "a right seat's part of what challengers lost",
    "a module that collided",
    "a module that collided again",
];

/// Instructions that have to come before a moment, and after one; the moment's own second belongs to what comes after.
const BEFORE: &[&str] = &[
    "accept_job",
    "submit_results",
    "commit_result",
    "reveal_result",
    "open_dispute",
    "enter_dispute",
    "commit_vote",
    "reveal_vote",
    "reveal_outcome",
    "appeal",
];
const AFTER: &[&str] = &[
    "expire_job",
    "finalize_job",
    "record_seed",
    "reveal_vote",
    "reveal_outcome",
    "tally_round",
    "settle_dispute",
    "withdraw_stake",
    "set_duty",
];

/// Whether an instruction came in time, in the last and the first second that count.
#[must_use]
pub fn edges_wanted() -> Vec<String> {
    let before = BEFORE.iter().flat_map(|act| [format!("{act} in the last second"), format!("{act} a second late")]);
    let after = AFTER.iter().flat_map(|act| [format!("{act} a second early"), format!("{act} in the first second")]);
    before.chain(after).collect()
}

/// The seconds before and of a deadline that decided about an act.
#[must_use]
pub fn edges(before: &Model, act: &Act, answer: &Answer) -> Vec<String> {
    let (name, now) = (act.name(), before.now_unix);
    let late = refused_as(answer, &["DeadlinePassed"]);
    let early = refused_as(answer, &["DeadlineNotReached", "TooEarly", "StillUnbonding", "StillOnDuty"]);
    let (until, from) = moments(before, act);
    let mut met = Vec::new();
    match until {
        Some(until) if now == until - 1 && answer.is_ok() => met.push(format!("{name} in the last second")),
        Some(until) if now == until && late => met.push(format!("{name} a second late")),
        _ => {}
    }
    match from {
        Some(from) if now == from - 1 && early => met.push(format!("{name} a second early")),
        Some(from) if now == from && answer.is_ok() => met.push(format!("{name} in the first second")),
        _ => {}
    }
    met
}

fn refused_as(answer: &Answer, names: &[&str]) -> bool {
    answer.as_ref().is_err_and(|reasons| reasons.len() == 1 && names.iter().any(|name| reasons.contains(name)))
}

/// Whether this second decides about an act, as too late or as early enough.
#[must_use]
pub fn depends_on(model: &Model, act: &Act, deadline_unix: i64) -> bool {
    let (until, from) = moments(model, act);
    [until, from].contains(&Some(deadline_unix))
}

/// The second in which an act comes too late, and the first in which it is not too early.
fn moments(model: &Model, act: &Act) -> (Option<i64>, Option<i64>) {
    let job = |key: Key, of: fn(&crate::state::Job) -> i64| model.jobs.get(&key).map(of);
    let dispute = |key: Key, of: fn(&Dispute) -> i64| model.disputes.get(&key).map(of);
    match *act {
        Act::AcceptJob { at, .. } => (job(at.job, |job| job.queue_deadline_unix), None),
        Act::SubmitResults { at, .. } | Act::CommitResult { at, .. } => {
            (job(at.job, |job| job.execution_deadline_unix), None)
        }
        Act::RevealResult { at, .. } => (job(at.job, |job| job.reveal_deadline_unix), None),
        Act::ExpireJob { job: key, .. } => (None, model.jobs.get(&key).and_then(|job| model.due_unix(job))),
        Act::FinalizeJob { job: key } => (None, job(key, |job| job.window_deadline_unix)),
        Act::OpenDispute { job: key, .. } => (job(key, |job| job.window_deadline_unix), None),
        Act::EnterDispute { job, .. } => (dispute(job, |dispute| dispute.entry_deadline_unix), None),
        Act::RecordJury { job } => {
            let enters = model.disputes.get(&job).filter(|dispute| dispute.status == DisputeStatus::Entry);
            (None, enters.map(|dispute| dispute.entry_deadline_unix))
        }
        Act::CommitVote { at, .. } => (dispute(at.job, |dispute| dispute.commit_deadline_unix), None),
        Act::RevealVote { at: AtSeat { job, .. }, .. } | Act::RevealOutcome { job, .. } => {
            (dispute(job, |dispute| dispute.reveal_deadline_unix), dispute(job, |dispute| dispute.commit_deadline_unix))
        }
        Act::TallyRound { job } => (None, dispute(job, |dispute| dispute.reveal_deadline_unix)),
        Act::Appeal { job, .. } => (dispute(job, |dispute| dispute.verdict_deadline_unix), None),
        Act::SettleDispute { job } => (None, dispute(job, |dispute| dispute.verdict_deadline_unix)),
        Act::WithdrawStake { provider, .. } => {
            (None, model.providers.get(&provider).map(|provider| provider.unbonding_until_unix))
        }
        Act::SetDuty { provider, on: false, .. } => (None, model.released_unix(provider)),
        _ => (None, None),
    }
}

/// What an act that went through was for the story's disputes.
#[must_use]
pub fn milestones(before: &Model, act: &Act, after: &Model) -> Vec<String> {
    let mut met: Vec<&str> = Vec::new();
    let named = match *act {
        Act::OpenDispute { payer, job, .. } => {
            met.extend(opened(before, job));
            met.extend(by_whom(after, job, payer));
            began(before, after, job)
        }
        Act::EnterDispute { challenger, job, commitment } => {
            met.push("a second challenger");
            met.extend(by_whom(after, job, challenger));
            let mut own = before.challenges.iter().filter(|((of, _), _)| *of == job);
            met.extend(
                own.any(|(_, own)| own.commitment == commitment).then_some("a challenge with another's commitment"),
            );
            None
        }
        Act::RecordJury { job } | Act::SettleDispute { job } => {
            let unanswered = before.disputes[&job].status == DisputeStatus::Tallied;
            let next = began(before, after, job);
            met.extend((unanswered && next.is_some()).then_some("a round after one without a verdict"));
            next.or_else(|| expired(before, after, job))
        }
        Act::CommitVote { at, commitment, .. } => {
            met.extend(cast(before, after, at, commitment));
            None
        }
        Act::TallyRound { job } => {
            met.extend(found(after, job));
            None
        }
        Act::Appeal { appellant, job, ballot } => {
            met.extend(appealed(before, (job, appellant), &ballot));
            let round = format!("an appeal against round {}", before.disputes[&job].round);
            return met.into_iter().map(str::to_owned).chain(began(before, after, job)).chain([round]).collect();
        }
        Act::SlashAbsent { job, provider, round, .. } => {
            met.extend(absent(before, (job, round), provider));
            None
        }
        Act::SettleExecution { job, .. } => {
            let shared = before.disputes.get(&job).is_some_and(|old| gave_part(old, &after.disputes[&job]));
            met.extend(shared.then_some("a right seat's part of what challengers lost"));
            None
        }
        Act::SettleChallenge { job, challenger } => {
            met.push(challenge_end(before, after, job, challenger));
            None
        }
        Act::SettleVote { job, round, provider } => {
            met.push(vote_end(&before.disputes[&job], &before.votes[&(job, round, provider)]));
            None
        }
        Act::RecordCollision { job, .. } => {
            let job = &after.jobs[&job];
            let module = &after.modules[&after.module_key(job.market, &job.metered_hash)];
            met.push(if module.collisions > 1 { "a module that collided again" } else { "a module that collided" });
            None
        }
        Act::CloseDispute { job } => {
            met.extend(dispute_end(&before.disputes[&job]));
            None
        }
        _ => None,
    };
    met.into_iter().map(str::to_owned).chain(named).collect()
}

fn opened(before: &Model, key: Key) -> Vec<&'static str> {
    let job = &before.jobs[&key];
    let what = match job.status {
        JobStatus::Deadlocked => "a deadlock before a jury",
        _ if job.mode == Mode::Adaptive && job.audit != Audit::None => {
            "a dispute over the result of a seat that was taken alone"
        }
        _ if job.seats == 1 => "a dispute over one seat's result",
        _ => "a dispute over the result of several seats",
    };
    let on_duty = |is: &dyn Fn(&Key, &Provider) -> bool| {
        before.providers.iter().any(|(key, own)| own.market == job.market && own.duty_tickets() > 0 && is(key, own))
    };
    let also = [
        (on_duty(&|key, _| job.executors.contains(key)), "a dispute over the result of a provider on duty"),
        (on_duty(&|_, own| own.authority == job.poster), "a dispute over a job whose poster's provider is on duty"),
    ];
    [what].into_iter().chain(also.into_iter().filter(|(is, _)| *is).map(|(_, what)| what)).collect()
}

fn by_whom(after: &Model, job: Key, challenger: Key) -> Option<&'static str> {
    let dispute = &after.disputes[&job];
    let executor = after
        .providers
        .iter()
        .any(|(key, own)| dispute.executors.contains(key) && [own.authority, own.node_key].contains(&challenger));
    match challenger {
        _ if dispute.is_deadlock => None,
        _ if challenger == dispute.poster => Some("a challenge by the poster"),
        _ if executor => Some("a challenge by an executor"),
        _ => None,
    }
}

fn gave_part(old: &Dispute, new: &Dispute) -> bool {
    old.executors_share() > 0 && old.held_lamports > new.held_lamports
}

fn appealed(before: &Model, place: (Key, Key), ballot: &[u8; 79]) -> Vec<&'static str> {
    let new = !before.challenges.contains_key(&place);
    let who = if new { "an appeal by somebody new" } else { "an appeal by a challenger" };
    let what = (*ballot == UNAVAILABLE).then_some("an appeal for nothing to be had");
    [who].into_iter().chain(what).collect()
}

/// A round that began with this act.
fn began(before: &Model, after: &Model, job: Key) -> Option<String> {
    let new = &after.disputes[&job];
    let old = before.disputes.get(&job);
    let begins = match old {
        Some(old) => (old.status, old.round) != (new.status, new.round) && old.status != DisputeStatus::Drawing,
        None => new.status != DisputeStatus::Entry,
    };
    match new.status {
        _ if !begins => None,
        DisputeStatus::Drawing => Some(format!("round {} drawn", new.round)),
        DisputeStatus::Voting if new.duty_tickets_total == 0 => Some("a round of nobody".to_owned()),
        DisputeStatus::Voting => Some(format!("round {} of everybody", new.round)),
        _ => None,
    }
}

/// The seed of a jury that came too late.
fn expired(before: &Model, after: &Model, job: Key) -> Option<String> {
    let (old, new) = (&before.disputes[&job], &after.disputes[&job]);
    let late = new.draw.rearmed > old.draw.rearmed || new.draw.state == DrawState::Everybody;
    (old.status == DisputeStatus::Drawing && late)
        .then(|| format!("a jury's seed that expired after {} others", old.draw.rearmed))
}

fn found(after: &Model, job: Key) -> Vec<&'static str> {
    let dispute = &after.disputes[&job];
    let mut own = after.challenges.iter().filter(|((of, _), _)| *of == job);
    // Whoever appealed put in more than the bond of a seat.
    let won = own.any(|(_, own)| own.outcome_hash == dispute.verdict_hash && own.bond_lamports > dispute.bond_lamports);
    let revealed = u128::from(dispute.revealed_weight[usize::from(dispute.round)]);
    let enough = revealed * 10_000 >= u128::from(dispute.expected) * u128::from(dispute.quorum_bps);
    let said = match dispute.verdict {
        Verdict::Outcome => "a round that found an outcome",
        Verdict::Unavailable => "a round that found nothing to be had",
        _ if enough && revealed > 0 => "a round without a majority",
        _ => "a round with too few votes",
    };
    let turned = won && dispute.verdict != Verdict::None && dispute.round > 0;
    [said].into_iter().chain(turned.then_some("an appeal that won")).collect()
}

fn absent(before: &Model, (job, round): (Key, u8), juror: Key) -> Vec<&'static str> {
    let (dispute, provider) = (&before.disputes[&job], &before.providers[&juror]);
    let how = match before.votes.get(&(job, round, juror)) {
        None => "an absent juror that did not vote",
        Some(vote) if !vote.is_revealed => "an absent juror that did not reveal",
        Some(_) if dispute.is_last() => "a vote whose cap kept it light",
        Some(_) => "a vote that weighs too little",
    };
    let also = [
        (provider.active > 0, "an absent juror that held a seat"),
        (!provider.is_on_duty(), "an absent juror that had left its duty"),
        (round < dispute.round, "an absent juror of the round before"),
        (
            before.votes.keys().any(|(of, at, who)| (*of, *who) == (job, juror) && *at != round),
            "an absent juror that voted before",
        ),
    ];
    [how].into_iter().chain(also.into_iter().filter(|(is, _)| *is).map(|(_, what)| what)).collect()
}

fn challenge_end(before: &Model, after: &Model, job: Key, challenger: Key) -> &'static str {
    let (dispute, own) = (&before.disputes[&job], &before.challenges[&(job, challenger)]);
    match (dispute.verdict, own.status) {
        (_, ChallengeStatus::Won) => "a challenge paid",
        (Verdict::Unavailable, _) => "a challenge that got its bond back",
        (Verdict::NoQuorum | Verdict::None, _) => "a challenge that paid for the delay",
        _ if after.challenges.contains_key(&(job, challenger)) => "a challenge counted as right",
        (Verdict::Outcome, ChallengeStatus::Entered) => "a challenge lost that showed nothing",
        (Verdict::Outcome, _) => "a challenge lost",
    }
}

fn cast(before: &Model, after: &Model, at: AtSeat, commitment: [u8; 32]) -> Vec<&'static str> {
    let round = before.disputes[&at.job].round;
    if after.votes[&(at.job, round, at.provider)].weight == 0 {
        let asks = commitment == [0; 32];
        return vec![if asks { "an excuse of a busy juror" } else { "an excuse of a juror with nothing free" }];
    }
    let mut others = before.votes.iter().filter(|((job, _, _), _)| *job == at.job);
    let is = [
        (others.any(|(_, vote)| vote.commitment == commitment), "a vote with another's commitment"),
        (before.challenges.contains_key(&(at.job, at.signer)), "a vote of a challenger"),
    ];
    is.into_iter().filter(|(is, _)| *is).map(|(_, what)| what).collect()
}

fn vote_end(dispute: &Dispute, vote: &Vote) -> &'static str {
    match dispute.verdict {
        _ if vote.weight == 0 => "an excuse, settled",
        Verdict::Outcome if !vote.is_revealed => "a hidden vote beside a verdict",
        Verdict::Outcome if vote.ballot_hash == dispute.verdict_hash => "a vote for the verdict",
        Verdict::Outcome => "a vote against the verdict",
        _ => "a vote beside no outcome",
    }
}

fn dispute_end(dispute: &Dispute) -> Vec<&'static str> {
    let deadlock = (dispute.is_deadlock && dispute.verdict == Verdict::Outcome && dispute.right > 0)
        .then_some("an end of a deadlock with a result");
    let end = match dispute.verdict {
        Verdict::Outcome if dispute.won_lamports > 0 => "an end in which a challenger was right",
        Verdict::Outcome if dispute.right > 0 && !dispute.is_deadlock => "an end in which the result stood",
        Verdict::Outcome if dispute.right == 0 => "an end in which nobody was right",
        Verdict::Outcome => return deadlock.into_iter().collect(),
        Verdict::Unavailable => "an end in which nothing was to be had",
        Verdict::None | Verdict::NoQuorum => "an end without a verdict",
    };
    [end].into_iter().chain(deadlock).collect()
}
