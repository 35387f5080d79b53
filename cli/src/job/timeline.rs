//! What happened to a job and why, told from its events.

use assay_protocol::{Outcome, Verdict};
use assay_sdk::{Event, EventRecord, program::result_cid};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    ended::outcome_text,
    output::{duration, grouped, lamports},
};

/// One event.
#[derive(Debug, Serialize)]
pub struct HistoryJson {
    event: &'static str,
    /// The provider that it is about, if it is about one.
    provider: Option<String>,
    /// What it means, in words.
    what: String,
    unix: Option<i64>,
    slot: u64,
    signature: String,
}

impl HistoryJson {
    /// The events of one job, whose outcomes are within this gas limit.
    pub fn all(records: &[EventRecord], gas_limit: u64) -> Vec<Self> {
        let one = |record: &EventRecord| Self {
            event: record.event.name(),
            provider: provider(&record.event).map(|provider| provider.to_string()),
            what: what(&record.event, gas_limit),
            unix: record.block_time_unix,
            slot: record.slot,
            signature: record.signature.to_string(),
        };
        records.iter().map(one).collect()
    }

    /// Prints them for a person, oldest first.
    pub fn print_all(entries: &[Self], now_unix: i64) {
        for Self { event, provider, what, unix, slot, signature } in entries {
            let age = unix.map_or_else(String::new, |unix| format!("{} ago", duration(now_unix.saturating_sub(unix))));
            println!("  {event:<18} {age:<12} slot {slot}  {signature}");
            let who = provider.as_ref().map_or_else(String::new, |provider| format!("provider {provider} "));
            if !what.is_empty() {
                println!("      {who}{what}");
            }
        }
    }
}

fn provider(event: &Event) -> Option<Pubkey> {
    Some(match event {
        Event::JobAccepted(event) => event.provider,
        Event::JobDeclined(event) => event.provider,
        Event::ResultsSubmitted(event) => event.provider,
        Event::ResultCommitted(event) => event.provider,
        Event::ResultRevealed(event) => event.provider,
        Event::ExecutionSettled(event) => event.provider,
        Event::ExecutionMissed(event) => event.provider,
        Event::AbsentSlashed(event) => event.provider,
        Event::VoteCommitted(event) => event.provider,
        Event::VoteRevealed(event) => event.provider,
        Event::VoteSettled(event) => event.provider,
        _ => return None,
    })
}

/// A sentence, whose subject is the event's provider where it has one. Empty for an event of a later version.
fn what(event: &Event, gas_limit: u64) -> String {
    match event {
        Event::JobCreated(event) => format!(
            "its poster escrows {}; a seat locks {} of stake",
            lamports(event.escrow_lamports),
            lamports(event.bond_lamports)
        ),
        Event::SeedRecorded(event) if event.is_everybody => {
            "the seed of the draw was lost too often: every ticket wins, and no seat confirms anything".to_owned()
        }
        Event::SeedRecorded(event) => format!("the block of slot {} is the seed of the draw", event.seed_slot),
        Event::JobAccepted(event) => {
            let clock = if event.execution_deadline_unix == 0 { "" } else { "; the clock runs" };
            format!("takes seat {} and locks {}{clock}", event.seat, lamports(event.bond_lamports))
        }
        Event::JobDeclined(event) => {
            let left = if event.is_vacated { "which stays empty and counts as missed, " } else { "" };
            format!("gives its seat back, {left}{}: {} burned", reason(event.reason), lamports(event.fee_lamports))
        }
        Event::ResultsSubmitted(event) => format!("submits {}", outcome(&event.outcome, gas_limit)),
        Event::ResultCommitted(event) => {
            format!("commits to a hidden outcome; {}", still(event.pending_commits, "to commit"))
        }
        Event::ResultRevealed(event) => {
            let left = still(event.pending_reveals, "to reveal");
            format!("reveals {}; {left}", outcome(&event.outcome, gas_limit))
        }
        Event::SeatsAgreed(event) => {
            format!("of {} seats enough say the same: {}", event.seats, outcome(&event.outcome, gas_limit))
        }
        // The queue's deadline says nothing: that of the seats before stays in the job.
        Event::SeatsDisagreed(event) if event.seats_wanted > event.seats => {
            let more = event.seats_wanted.saturating_sub(event.seats);
            format!("too few of {} seats say the same: {more} more to be drawn", event.seats)
        }
        Event::SeatsDisagreed(event) => {
            format!("too few of {} seats say the same, and there may be no more: a deadlock", event.seats)
        }
        Event::CollisionSeen(event) => {
            let (whole, rest) = (event.entropy_millibits / 1_000, event.entropy_millibits % 1_000);
            format!("{} different outcomes were revealed, an entropy of {whole}.{rest:03} bits", event.distinct)
        }
        _ => dispute(event, gas_limit).unwrap_or_else(|| money(event)),
    }
}

/// What happens to a job that is disputed.
fn dispute(event: &Event, gas_limit: u64) -> Option<String> {
    let ballot = |bytes: &[u8]| {
        let is_unavailable = bytes.iter().all(|byte| *byte == 0);
        if is_unavailable { "that the content was not to be had".to_owned() } else { outcome(bytes, gas_limit) }
    };
    let verdict = |code: u8, bytes: &[u8]| {
        let says_something = code == Verdict::Outcome as u8 || code == Verdict::Unavailable as u8;
        if says_something { format!("the verdict {}", ballot(bytes)) } else { "no verdict".to_owned() }
    };
    Some(match event {
        Event::DisputeOpened(event) if event.is_deadlock => {
            format!("{} asks a jury, since the seats did not agree", event.payer)
        }
        Event::DisputeOpened(event) => format!("{} disputes what stands", event.payer),
        Event::DisputeEntered(event) => {
            format!("{} holds another outcome against it and bets {}", event.challenger, lamports(event.bond_lamports))
        }
        Event::RoundStarted(event) if event.is_everybody => format!("round {}: all jurors vote", event.round),
        Event::RoundStarted(event) => {
            format!("round {}: the jury is drawn by the block of slot {}", event.round, event.seed_slot)
        }
        Event::VotingOpened(event) => {
            format!("round {}: the votes of {} tickets are expected", event.round, event.expected)
        }
        Event::VerdictAppealed(event) => {
            let bet = lamports(event.bond_lamports);
            format!("{} appeals, holds {} against the verdict and bets {bet}", event.appellant, ballot(&event.ballot))
        }
        Event::AbsentSlashed(event) => format!("did not vote and loses {} of its stake", lamports(event.lamports)),
        Event::VoteCommitted(event) => format!("commits to a hidden ballot of {} tickets", event.weight),
        Event::VoteRevealed(event) => format!("votes {}", ballot(&event.ballot)),
        Event::OutcomeRevealed(event) => format!("{} shows {}", event.challenger, outcome(&event.outcome, gas_limit)),
        Event::RoundTallied(event) => format!(
            "round {}: {} tickets of {} voted; {}",
            event.round,
            event.revealed,
            event.expected,
            verdict(event.verdict, &event.outcome)
        ),
        Event::DisputeSettled(event) => {
            format!("decided in {} rounds: {}", event.rounds, verdict(event.verdict, &event.outcome))
        }
        Event::ChallengeSettled(event) => {
            let (how, sum) = (if event.has_won { "was right" } else { "was not right" }, lamports(event.lamports));
            format!("{} {how} and gets {sum}", event.challenger)
        }
        Event::VoteSettled(event) => {
            format!("earns {} as juror, loses {}", lamports(event.earned_lamports), lamports(event.lost_lamports))
        }
        Event::DisputeClosed(event) => format!("of the bonds {} are burned", lamports(event.sink_lamports)),
        _ => return None,
    })
}

/// The events that end something.
fn money(event: &Event) -> String {
    match event {
        Event::JobFinalized(event) => format!(
            "the result is final: {} to each seat that is right, {} to the market",
            lamports(event.pay_lamports),
            lamports(event.fee_lamports)
        ),
        Event::ExecutionSettled(event) => {
            let lost = lamports(event.lost_lamports);
            let back = lamports(event.unlocked_lamports);
            let earned_lamports = event.pay_lamports.saturating_add(event.share_lamports);
            match (earned_lamports, event.lost_lamports) {
                (0, 0) => format!("has its {back} free again, without pay"),
                (0, _) => format!("loses {lost} of its stake; {back} are free again"),
                (earned, _) => format!("earns {}; its {back} are free again", lamports(earned)),
            }
        }
        Event::ExecutionMissed(event) => {
            let next = if event.requeued { "the seat is free again" } else { "there is no further attempt" };
            format!(
                "let its deadline pass: {} of its stake to the poster, {} burned; {next}",
                lamports(event.poster_lamports),
                lamports(event.sink_lamports)
            )
        }
        Event::JobCancelled(_) => "its poster took it back".to_owned(),
        Event::JobExpired(_) => "it ended without a result; the escrow goes back".to_owned(),
        Event::JobClosed(event) => format!(
            "{} of its escrow came back, {} of compensation, {} in all with the rent",
            lamports(event.refund_lamports),
            lamports(event.compensation_lamports),
            lamports(event.lamports)
        ),
        _ => String::new(),
    }
}

fn still(count: u8, what: &str) -> String {
    match count {
        0 => format!("nobody is left {what}"),
        1 => format!("1 seat is still {what}"),
        count => format!("{count} seats are still {what}"),
    }
}

/// As `decline_job` carries it.
const fn reason(code: u16) -> &'static str {
    match code {
        1 => "because of a fault of its host",
        2 => "because content was not to be had",
        3 => "because it would be late",
        _ => "without saying why",
    }
}

fn outcome(bytes: &[u8], gas_limit: u64) -> String {
    match Outcome::decode(bytes, gas_limit) {
        Ok(outcome) => {
            let result = result_cid(&outcome).map_or_else(String::new, |cid| format!(", result {cid}"));
            format!("{}, {} gas{result}", outcome_text(&outcome), grouped(outcome.gas_used))
        }
        Err(_) => "an outcome that this version cannot read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use assay_sdk::program::events;

    use super::*;

    const KEY: Pubkey = Pubkey::new_from_array([1; 32]);

    fn settled(pay_lamports: u64, lost_lamports: u64) -> String {
        let (fee_lamports, share_lamports, unlocked_lamports) = (0, 0, 10);
        let event = events::ExecutionSettled {
            market: KEY,
            job: KEY,
            provider: KEY,
            pay_lamports,
            fee_lamports,
            share_lamports,
            unlocked_lamports,
            lost_lamports,
        };
        what(&Event::ExecutionSettled(event), 1)
    }

    #[test]
    fn what_a_seat_comes_to_is_said_in_words() {
        assert!(settled(5, 0).starts_with("earns") && settled(0, 5).starts_with("loses"));
        assert!(settled(0, 0).ends_with("without pay"));
    }

    #[test]
    fn a_disagreement_says_what_follows() {
        // As the program emits it: the deadline of the queue that is over stays.
        let disagreed = |seats_wanted, window_deadline_unix| {
            let event = events::SeatsDisagreed {
                market: KEY,
                job: KEY,
                attempt: 1,
                seats: 3,
                seats_wanted,
                queue_deadline_unix: 9,
                window_deadline_unix,
            };
            what(&Event::SeatsDisagreed(event), 1)
        };
        assert!(disagreed(4, 0).ends_with("1 more to be drawn"));
        assert!(disagreed(3, 20).ends_with("a deadlock"));
    }

    #[test]
    fn a_dispute_that_found_nothing_does_not_say_that_the_content_was_not_to_be_had() {
        let said = |verdict: Verdict| {
            let (outcome, rounds, right) = ([0; 79], 4, 0);
            let event =
                events::DisputeSettled { market: KEY, job: KEY, verdict: verdict as u8, outcome, rounds, right };
            what(&Event::DisputeSettled(event), 1)
        };
        assert!(said(Verdict::NoQuorum).ends_with("no verdict") && said(Verdict::None).ends_with("no verdict"));
        assert!(said(Verdict::Unavailable).ends_with("the verdict that the content was not to be had"));
    }

    #[test]
    fn an_outcome_that_cannot_be_read_is_said_and_no_panic() {
        assert!(outcome(&[0; 79], 1).contains("cannot read"));
    }
}
