//! The content crate from outside: golden CIDs, hostile content, stores, and real HTTP on loopback.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod car;
mod clients;
mod doubles;
mod fetching;
mod forge;
mod fuzzing;
mod hostile;
mod oracle;
mod packing;
mod serving;
mod stores;
mod verdicts;
