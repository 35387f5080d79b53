//! Events of the program, decoded from transaction logs, and cursors to read them in order without a gap.

use anchor_lang::{AnchorDeserialize, Discriminator};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use solana_signature::Signature;

use crate::{
    errors::ClientError,
    program::{self, events},
};

/// Most signatures that one read looks through to find its cursor.
pub const SIGNATURES_MAX: usize = 10_000;
/// Most events taken from one transaction.
const EVENTS_PER_TRANSACTION_MAX: usize = 64;
/// Deepest nesting of program calls that the runtime allows, with room.
const CALL_DEPTH_MAX: usize = 16;
/// Longest encoded event that is decoded, in characters.
const EVENT_TEXT_MAX: usize = 4_096;

macro_rules! event_enum {
    ($($name:ident),+ $(,)?) => {
        /// One event of the program. Every transition of an account emits one.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Event {
            $(#[doc = concat!("See the IDL's `", stringify!($name), "`.")] $name(events::$name),)+
        }

        impl Event {
            /// Name of the event in the IDL.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => stringify!($name),)+ }
            }

            /// Names of all events that are decoded.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)+];

            /// Decodes discriminator and fields; `None` for anything else.
            #[must_use]
            pub fn decode(bytes: &[u8]) -> Option<Self> {
                $(
                    if let Some(mut fields) = bytes.strip_prefix(<events::$name as Discriminator>::DISCRIMINATOR) {
                        let event = events::$name::deserialize(&mut fields).ok()?;
                        return fields.is_empty().then_some(Self::$name(event));
                    }
                )+
                None
            }
        }
    };
}

event_enum!(
    SinkCreated,
    MarketCreated,
    MarketUpdated,
    MarketPaused,
    MarketAuthorityProposed,
    MarketAuthorityAccepted,
    MarketFeesClaimed,
    ProviderRegistered,
    ProviderUpdated,
    Staked,
    Unstaked,
    StakeEnrolled,
    StakeWithdrawn,
    ProviderClosed,
    JobCreated,
    JobCancelled,
    JobAccepted,
    SeedRecorded,
    AuditDecided,
    JobDeclined,
    ResultsSubmitted,
    ResultCommitted,
    ResultRevealed,
    SeatsAgreed,
    SeatsDisagreed,
    CollisionSeen,
    CollisionRecorded,
    JobFinalized,
    ExecutionSettled,
    ExecutionMissed,
    JobExpired,
    DutySet,
    DisputeOpened,
    DisputeEntered,
    RoundStarted,
    VotingOpened,
    VoteCommitted,
    VoteRevealed,
    OutcomeRevealed,
    RoundTallied,
    AbsentSlashed,
    VerdictAppealed,
    DisputeSettled,
    ChallengeSettled,
    VoteSettled,
    DisputeClosed,
    RewardClaimed,
    JobClosed,
);

impl Event {
    /// The job that the event is about, if it is about one.
    #[must_use]
    pub const fn job(&self) -> Option<Pubkey> {
        Some(match self {
            Self::JobCreated(event) => event.job,
            Self::JobCancelled(event) => event.job,
            Self::JobAccepted(event) => event.job,
            Self::SeedRecorded(event) => event.job,
            Self::AuditDecided(event) => event.job,
            Self::JobDeclined(event) => event.job,
            Self::ResultsSubmitted(event) => event.job,
            Self::ResultCommitted(event) => event.job,
            Self::ResultRevealed(event) => event.job,
            Self::SeatsAgreed(event) => event.job,
            Self::SeatsDisagreed(event) => event.job,
            Self::CollisionSeen(event) => event.job,
            Self::CollisionRecorded(event) => event.job,
            Self::JobFinalized(event) => event.job,
            Self::ExecutionSettled(event) => event.job,
            Self::ExecutionMissed(event) => event.job,
            Self::JobExpired(event) => event.job,
            Self::JobClosed(event) => event.job,
            Self::DisputeOpened(event) => event.job,
            Self::DisputeEntered(event) => event.job,
            Self::RoundStarted(event) => event.job,
            Self::VotingOpened(event) => event.job,
            Self::VoteCommitted(event) => event.job,
            Self::VoteRevealed(event) => event.job,
            Self::OutcomeRevealed(event) => event.job,
            Self::RoundTallied(event) => event.job,
            Self::AbsentSlashed(event) => event.job,
            Self::VerdictAppealed(event) => event.job,
            Self::DisputeSettled(event) => event.job,
            Self::ChallengeSettled(event) => event.job,
            Self::VoteSettled(event) => event.job,
            Self::DisputeClosed(event) => event.job,
            Self::SinkCreated(_)
            | Self::MarketCreated(_)
            | Self::MarketUpdated(_)
            | Self::MarketPaused(_)
            | Self::MarketAuthorityProposed(_)
            | Self::MarketAuthorityAccepted(_)
            | Self::MarketFeesClaimed(_)
            | Self::ProviderRegistered(_)
            | Self::ProviderUpdated(_)
            | Self::Staked(_)
            | Self::Unstaked(_)
            | Self::StakeEnrolled(_)
            | Self::StakeWithdrawn(_)
            | Self::ProviderClosed(_)
            | Self::DutySet(_)
            | Self::RewardClaimed(_) => return None,
        })
    }
}

/// What a transaction's log holds.
#[derive(Clone, Debug, Default)]
pub struct LogEvents {
    /// The events, in order.
    pub events: Vec<Event>,
    /// The log was cut by the runtime or by a bound here: events may be missing, the accounts tell the truth.
    pub truncated: bool,
}

/// Decodes the events of this program from a transaction's log. Only lines written while this program runs count: any
/// program may print bytes that look like an event.
#[must_use]
pub fn events_in_log(lines: &[String]) -> LogEvents {
    let own = program::ID.to_string();
    let mut found = LogEvents::default();
    // Per running program, innermost last: whether it is ours.
    let mut calls: Vec<bool> = Vec::new();
    for line in lines {
        if line == "Log truncated" {
            found.truncated = true;
        } else if let Some(text) = line.strip_prefix("Program data: ") {
            if calls.last() != Some(&true) {
                continue;
            }
            if found.events.len() >= EVENTS_PER_TRANSACTION_MAX || text.len() > EVENT_TEXT_MAX {
                found.truncated = true;
                continue;
            }
            found.events.extend(BASE64_STANDARD.decode(text).ok().and_then(|bytes| Event::decode(&bytes)));
        } else if let Some(rest) = line.strip_prefix("Program ") {
            match rest.split_once(' ') {
                Some((program, tail)) if is_invocation(tail) && calls.len() < CALL_DEPTH_MAX => {
                    calls.push(program == own);
                }
                Some((_, tail)) if tail == "success" || tail.starts_with("failed") => {
                    // An unmatched end leaves the stack empty, and then nothing counts.
                    calls.pop();
                }
                _ => {}
            }
        }
    }
    found
}

/// `invoke [1]`. `Program log: …` and `Program data: …` have a colon after their first word and never match.
fn is_invocation(tail: &str) -> bool {
    tail.strip_prefix("invoke [").is_some_and(|depth| depth.ends_with(']'))
}

/// Where a reader of events stands. Store it after handling a page; the next read goes on behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventCursor {
    /// The last transaction that was read; `None` starts at the oldest one that the endpoint still has.
    #[serde(default, with = "optional_text")]
    pub after: Option<Signature>,
}

/// One event and where it stands.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// The transaction.
    pub signature: Signature,
    /// Its slot.
    pub slot: u64,
    /// When, if the endpoint knows.
    pub block_time_unix: Option<i64>,
    /// Position among the transaction's events.
    pub index: usize,
    /// The event.
    pub event: Event,
}

/// Events in order, oldest first, and the cursor behind them.
#[derive(Clone, Debug, Default)]
pub struct EventPage {
    /// The events.
    pub records: Vec<EventRecord>,
    /// Pass it to the next read.
    pub cursor: EventCursor,
    /// Transactions of the page whose log was cut; their events may be missing.
    pub truncated: usize,
    /// Whether more is known to be waiting.
    pub more: bool,
}

/// The newest events of an address, oldest first, as far back as they were read.
#[derive(Debug, Default)]
pub struct EventHistory {
    /// The events.
    pub records: Vec<EventRecord>,
    /// Transactions that were read.
    pub transactions: usize,
    /// Those of them whose log was cut; their events may be missing.
    pub truncated: usize,
    /// Why older ones were not read; `None` when that is all that the endpoint has.
    pub missing: Option<ClientError>,
}

mod optional_text {
    use super::Signature;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "the signature that serde asks for")]
    pub fn serialize<S: Serializer>(value: &Option<Signature>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(signature) => serializer.collect_str(signature),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Signature>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use anchor_lang::Event as _;

    fn closed() -> events::JobClosed {
        let key = Pubkey::new_unique();
        events::JobClosed {
            market: key,
            job: key,
            poster: key,
            refund_lamports: 1,
            compensation_lamports: 2,
            lamports: 3,
        }
    }

    fn data_line(event: &events::JobClosed) -> String {
        format!("Program data: {}", BASE64_STANDARD.encode(event.data()))
    }

    fn log(lines: &[String]) -> LogEvents {
        events_in_log(lines)
    }

    #[test]
    fn events_of_this_program_are_decoded_in_order() {
        let (own, first, second) = (program::ID, closed(), closed());
        let found = log(&[
            format!("Program {own} invoke [1]"),
            "Program log: Instruction: CloseJob".to_owned(),
            data_line(&first),
            "Program 11111111111111111111111111111111 invoke [2]".to_owned(),
            "Program 11111111111111111111111111111111 success".to_owned(),
            data_line(&second),
            format!("Program {own} consumed 5000 of 200000 compute units"),
            format!("Program {own} success"),
        ]);
        let jobs: Vec<_> = found.events.iter().filter_map(Event::job).collect();
        assert_eq!(jobs, [first.job, second.job]);
        assert_eq!(found.events.first().unwrap().name(), "JobClosed");
        assert!(!found.truncated);
    }

    #[test]
    fn an_event_printed_by_another_program_does_not_count() {
        let (own, other, event) = (program::ID, Pubkey::new_unique(), closed());
        let found = log(&[
            data_line(&event),
            format!("Program {other} invoke [1]"),
            format!("Program log: Program {own} invoke [1]"),
            data_line(&event),
            format!("Program {own} invoke [2]"),
            format!("Program {own} success"),
            data_line(&event),
            format!("Program {other} success"),
            data_line(&event),
        ]);
        assert!(found.events.is_empty(), "{:?}", found.events);
    }

    #[test]
    fn a_cut_log_is_reported() {
        let own = program::ID;
        let found = log(&[format!("Program {own} invoke [1]"), "Log truncated".to_owned()]);
        assert!(found.truncated);
    }

    #[test]
    fn bytes_that_are_no_event_are_ignored() {
        let mut bytes = closed().data();
        assert!(Event::decode(&bytes).is_some());
        bytes.push(0);
        assert!(Event::decode(&bytes).is_none());
        assert!(Event::decode(&[1, 2, 3]).is_none());
    }

    #[test]
    fn every_event_of_the_idl_is_decoded() {
        let idl: serde_json::Value = serde_json::from_str(program::IDL_JSON).unwrap();
        let mut declared: Vec<_> =
            idl["events"].as_array().unwrap().iter().map(|event| event["name"].as_str().unwrap()).collect();
        let mut decoded = Event::NAMES.to_vec();
        declared.sort_unstable();
        decoded.sort_unstable();
        assert_eq!(declared, decoded);
    }

    #[test]
    fn a_cursor_survives_storage() {
        for cursor in [EventCursor::default(), EventCursor { after: Some(Signature::from([7; 64])) }] {
            let text = serde_json::to_string(&cursor).unwrap();
            assert_eq!(serde_json::from_str::<EventCursor>(&text).unwrap(), cursor);
        }
    }
}
