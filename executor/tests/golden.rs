//! The linked protocol agrees with the golden vectors.

#[allow(dead_code, reason = "this crate checks all vectors at once")]
#[rustfmt::skip]
#[path = "../../crates/protocol/golden/vectors.rs"]
mod golden;

#[test]
fn the_linked_protocol_agrees_with_the_golden_vectors() {
    golden::check_all();
}
