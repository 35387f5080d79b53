//! Programs that more than one test, benchmark or command runs.

pub mod generated;
pub mod operators;
pub mod request;
pub mod samples;
