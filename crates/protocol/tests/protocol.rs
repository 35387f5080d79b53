//! The protocol against its golden vectors and against its own promises.

#[path = "../golden/vectors.rs"]
#[allow(dead_code, reason = "some of it is for the tests of dependants")]
mod golden;
mod properties;

#[test]
fn tasks_agree_with_the_golden_vectors() {
    golden::check_tasks();
}

#[test]
fn ids_agree_with_the_golden_vectors() {
    golden::check_ids();
}

#[test]
fn outcomes_agree_with_the_golden_vectors() {
    golden::check_outcomes();
}

#[test]
fn fees_agree_with_the_golden_vectors() {
    golden::check_fees();
}

#[test]
fn statuses_agree_with_the_golden_vectors() {
    golden::check_statuses();
}

#[test]
fn terms_agree_with_the_golden_vectors() {
    golden::check_terms();
}

#[test]
fn receipts_agree_with_the_golden_vectors() {
    golden::check_receipts();
}

#[test]
fn draws_agree_with_the_golden_vectors() {
    golden::check_draws();
}

#[test]
fn tickets_agree_with_the_golden_vectors() {
    golden::check_tickets();
}

#[test]
fn tallies_agree_with_the_golden_vectors() {
    golden::check_tallies();
}

#[test]
fn trust_agrees_with_the_golden_vectors() {
    golden::check_trust();
}

#[test]
fn pots_agree_with_the_golden_vectors() {
    golden::check_pots();
}

#[test]
fn the_whole_set_is_one_call_for_dependants() {
    golden::check_all();
}
