//! Programs that more than one test, benchmark or command runs.

pub mod agreement;
mod bomb_parts;
pub mod bombs;
pub mod generated;
pub mod host_calls;
pub mod operators;
pub mod programs;
pub mod request;
pub mod samples;
pub mod script;
