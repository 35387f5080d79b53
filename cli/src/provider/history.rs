//! What a provider earned and lost over time, by the events of the transactions that touched it.

use assay_sdk::{ClientError, Event, EventHistory, events::SIGNATURES_MAX};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    chain::Chain,
    error::{CliResult, Hint},
    output::{grouped, lamports},
};

/// What one kind of work came to.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Sum {
    earned_lamports: u64,
    slashed_lamports: u64,
    /// How many were paid, and how many lost something.
    paid: usize,
    slashed: usize,
}

impl Sum {
    fn add(&mut self, earned_lamports: u64, slashed_lamports: u64) {
        self.earned_lamports = self.earned_lamports.saturating_add(earned_lamports);
        self.slashed_lamports = self.slashed_lamports.saturating_add(slashed_lamports);
        self.paid = self.paid.saturating_add(usize::from(earned_lamports > 0));
        self.slashed = self.slashed.saturating_add(usize::from(slashed_lamports > 0));
    }
}

/// What the events say.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct History {
    /// Everything below, together.
    earned_lamports: u64,
    slashed_lamports: u64,
    /// Results: pay, and what challengers of right ones lost; wrong, hidden, late and given back ones.
    seats: Sum,
    /// Votes as a juror: shares of what the wrong lost; wrong and hidden ones.
    votes: Sum,
    /// Juries that it was drawn into and did not vote in: duty locks.
    absences: Sum,
    /// Transactions that were read.
    transactions: usize,
    /// Whether some are missing, so that the sums are of a part.
    is_partial: bool,
    /// Why.
    missing: Vec<String>,
}

impl History {
    /// Reads it, as far as the endpoint gives it.
    pub(super) async fn read(chain: &Chain, provider: &Pubkey) -> CliResult<Self> {
        let found = chain.client().latest_events(provider, SIGNATURES_MAX).await.hint()?;
        Ok(Self::sum(&found, provider))
    }

    fn sum(found: &EventHistory, provider: &Pubkey) -> Self {
        let mut sums = Self { transactions: found.transactions, ..Self::default() };
        for record in &found.records {
            let (sum, earned_lamports, slashed_lamports) = match &record.event {
                Event::ExecutionSettled(event) if event.provider == *provider => {
                    (&mut sums.seats, event.pay_lamports.saturating_add(event.share_lamports), event.lost_lamports)
                }
                Event::ExecutionMissed(event) if event.provider == *provider => {
                    (&mut sums.seats, 0, event.poster_lamports.saturating_add(event.sink_lamports))
                }
                Event::JobDeclined(event) if event.provider == *provider => (&mut sums.seats, 0, event.fee_lamports),
                Event::VoteSettled(event) if event.provider == *provider => {
                    (&mut sums.votes, event.earned_lamports, event.lost_lamports)
                }
                Event::AbsentSlashed(event) if event.provider == *provider => (&mut sums.absences, 0, event.lamports),
                _ => continue,
            };
            sum.add(earned_lamports, slashed_lamports);
            sums.earned_lamports = sums.earned_lamports.saturating_add(earned_lamports);
            sums.slashed_lamports = sums.slashed_lamports.saturating_add(slashed_lamports);
        }
        sums.missing = missing(found, provider);
        sums.is_partial = !sums.missing.is_empty();
        sums
    }

    pub(super) fn print(&self) {
        let (earned, lost) = (lamports(self.earned_lamports), lamports(self.slashed_lamports));
        let part = if self.is_partial { "PARTIAL: at least " } else { "" };
        println!(
            "history    {part}{earned} earned, {lost} lost, by {} transactions",
            grouped(self.transactions as u64)
        );
        for (name, Sum { earned_lamports, slashed_lamports, paid, slashed }) in
            [("seats", &self.seats), ("votes", &self.votes)]
        {
            let (earned, lost) = (lamports(*earned_lamports), lamports(*slashed_lamports));
            println!("  {name}    {earned} earned by {paid}, {lost} lost by {slashed}");
        }
        let Sum { slashed_lamports, slashed, .. } = &self.absences;
        println!("  absent   {} lost, {slashed} times", lamports(*slashed_lamports));
        for why in &self.missing {
            println!("  missing  {why}");
        }
    }
}

/// Why the sums are of a part, if they are.
fn missing(found: &EventHistory, provider: &Pubkey) -> Vec<String> {
    let mut missing = Vec::new();
    let is_beginning = |event: &Event| matches!(event, Event::ProviderRegistered(event) if event.provider == *provider);
    match &found.missing {
        Some(ClientError::CursorTooOld { signatures_max, .. }) => missing.push(format!(
            "everything before the newest {} transactions: no more of them are read",
            grouped(*signatures_max as u64)
        )),
        Some(error) => missing.push(format!("what is older than that: {error}")),
        None if !found.records.iter().any(|record| is_beginning(&record.event)) => {
            missing.push("its beginning: the endpoint no longer has it; another --cluster may".to_owned());
        }
        None => {}
    }
    if found.truncated > 0 {
        missing.push(format!("what the logs of {} transactions do not hold: they were cut", found.truncated));
    }
    missing
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use anchor_lang::AnchorDeserialize;
    use assay_sdk::{EventRecord, program::events};

    use super::*;

    const OWN: Pubkey = Pubkey::new_from_array([1; 32]);

    fn zeroed<T: AnchorDeserialize>() -> T {
        T::deserialize(&mut [0; 4_096].as_slice()).unwrap()
    }

    fn history(events: Vec<Event>) -> EventHistory {
        let record =
            |event| EventRecord { signature: Default::default(), slot: 1, block_time_unix: None, index: 0, event };
        let (transactions, records) = (events.len(), events.into_iter().map(record).collect());
        EventHistory { records, transactions, ..EventHistory::default() }
    }

    fn registered() -> Event {
        Event::ProviderRegistered(events::ProviderRegistered { provider: OWN, ..zeroed() })
    }

    #[test]
    fn seats_votes_and_absences_are_added_up_each_for_itself_and_together() {
        let seat = |provider, pay_lamports, share_lamports, lost_lamports| {
            let event = events::ExecutionSettled { provider, pay_lamports, share_lamports, lost_lamports, ..zeroed() };
            Event::ExecutionSettled(event)
        };
        let vote = |earned_lamports, lost_lamports| {
            Event::VoteSettled(events::VoteSettled { provider: OWN, earned_lamports, lost_lamports, ..zeroed() })
        };
        let missed = events::ExecutionMissed { provider: OWN, poster_lamports: 1, sink_lamports: 2, ..zeroed() };
        let sums = History::sum(
            &history(vec![
                registered(),
                seat(OWN, 10, 5, 0),
                seat(OWN, 0, 0, 100),
                seat(Pubkey::new_from_array([2; 32]), 7, 7, 7),
                Event::ExecutionMissed(missed),
                Event::JobDeclined(events::JobDeclined { provider: OWN, fee_lamports: 4, ..zeroed() }),
                vote(20, 0),
                vote(0, 30),
                vote(0, 0),
                Event::AbsentSlashed(events::AbsentSlashed { provider: OWN, lamports: 1_000, ..zeroed() }),
            ]),
            &OWN,
        );
        let sum =
            |earned_lamports, slashed_lamports, paid, slashed| Sum { earned_lamports, slashed_lamports, paid, slashed };
        assert_eq!((sums.seats, sums.votes), (sum(15, 107, 1, 3), sum(20, 30, 1, 1)));
        assert_eq!(sums.absences, sum(0, 1_000, 0, 1));
        assert_eq!((sums.earned_lamports, sums.slashed_lamports, sums.is_partial), (35, 1_137, false));
    }

    #[test]
    fn sums_of_a_part_say_so_and_why() {
        let sums = |found: &EventHistory| {
            let sums = History::sum(found, &OWN);
            assert_eq!(sums.is_partial, !sums.missing.is_empty());
            sums.missing.join("; ")
        };
        assert_eq!(sums(&history(vec![registered()])), "");
        assert!(sums(&history(vec![])).contains("the endpoint no longer has it"));
        let too_long = ClientError::CursorTooOld { address: OWN, signatures_max: 10_000 };
        let cut = EventHistory { missing: Some(too_long), truncated: 2, ..history(vec![registered()]) };
        let said = sums(&cut);
        assert!(
            said.contains("before the newest 10,000 transactions") && said.contains("logs of 2 transactions"),
            "{said}"
        );
        let failed = ClientError::NotFound { kind: "transaction", address: OWN };
        let said = sums(&EventHistory { missing: Some(failed), ..history(vec![registered()]) });
        assert!(said.contains("what is older than that: "), "{said}");
    }
}
