//! The client against an endpoint that fails in every way that endpoints fail.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

#[path = "faults/endpoint.rs"]
mod endpoint;
#[path = "faults/history.rs"]
mod history;
#[path = "faults/reads.rs"]
mod reads;
#[path = "faults/sends.rs"]
mod sends;
#[path = "faults/watches.rs"]
mod watches;
