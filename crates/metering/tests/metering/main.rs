//! What metered modules do, seen through the reference engine.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod behaviour;
mod fast;
mod hostile;
mod inspect;
mod shape;
