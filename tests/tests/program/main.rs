//! The committed program, without a network: every instruction, every refusal, every attack of docs/THREATS.md that
//! the program must answer.

#[rustfmt::skip] // The protocol formats it, in its own edition.
#[path = "../../../crates/protocol/golden/vectors.rs"]
#[allow(dead_code, reason = "shared with other suites")]
mod golden;

mod absences;
mod adaptive;
mod attacks;
mod broken;
mod closing;
mod compute;
mod disputes;
mod draws;
mod duty;
mod every;
mod expiry;
mod fixtures;
mod jobs;
mod juries;
mod lifecycle;
mod markets;
mod mutation;
mod pauses;
mod providers;
mod redundancy;
mod releases;
mod seats;
mod second_ledger;
mod seeds;
mod settlement;
mod settling;
mod stateful;
mod stories;
mod trust;
mod verdicts;

#[test]
fn the_linked_protocol_agrees_with_the_golden_vectors() {
    golden::check_all();
}
