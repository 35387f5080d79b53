//! Enrolling stake and jury duty, whose waits take longer than a test: on a chain whose clock is moved.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use crate::{court::Court, network::json, provider::is_refused};

/// A market's unbonding period at most, and a little.
fn past_unbonding(court: &Court) {
    court.travel_to(court.now_unix() + 10_000);
}

#[test]
fn p_16_stake_counts_in_draws_once_it_has_matured_and_is_enrolled() {
    let court = Court::start(0);
    let assay = || court.poster();
    let dir = court.home.path().join("provider");
    let dir = dir.to_str().unwrap();
    let enroll = ["provider", "enroll", "--dir", dir, "--yes"];
    is_refused(&mut assay(), &enroll, (1, &["node.json", "provider init"]));
    json(&mut assay(), &["provider", "init", "--dir", dir]);
    is_refused(&mut assay(), &enroll, (1, &["is no provider in the market"]));
    json(&mut assay(), &["provider", "register", "--dir", dir, "--stake", "2", "--yes"]);
    is_refused(&mut assay(), &enroll, (1, &["it matures for another", "run this again then"]));
    is_refused(&mut assay(), &["provider", "duty", "on", "--yes"], (1, &["enroll stake first"]));
    past_unbonding(&court);
    let other = court.home.path().join("other");
    let other = other.to_str().unwrap();
    json(&mut assay(), &["provider", "init", "--dir", other]);
    is_refused(
        &mut assay(),
        &["provider", "enroll", "--dir", other, "--yes"],
        (1, &["is not the hot key of", "--dir"]),
    );
    let unconfirmed = assay().args(&enroll[..4]).output().unwrap();
    let plan = crate::stderr(&unconfirmed);
    assert!(unconfirmed.status.code() == Some(4) && plan.contains("Counts 40 tickets of 0.05 SOL each"), "{plan}");
    assert!(json(&mut assay(), &enroll)["signature"].is_string());
    let status = json(&mut assay(), &["provider", "status"]);
    assert_eq!((&status["tickets"], &status["tickets_total"]), (&40.into(), &40.into()), "{status}");
    is_refused(&mut assay(), &enroll, (1, &["all of it is counted: 40 tickets", "provider stake"]));
    // What leaves counts no more at once; what comes waits again.
    json(&mut assay(), &["provider", "unstake", "0.5", "--yes"]);
    assert_eq!(json(&mut assay(), &["provider", "status"])["tickets"], 30);
    json(&mut assay(), &["provider", "stake", "1", "--yes"]);
    is_refused(&mut assay(), &enroll, (1, &["it matures for another"]));
    past_unbonding(&court);
    json(&mut assay(), &enroll);
    assert_eq!(json(&mut assay(), &["provider", "status"])["tickets"], 50);
    court.stop();
}

#[test]
fn jury_duty_locks_a_part_of_the_stake_until_the_disputes_of_its_time_are_over() {
    let court = Court::start(1);
    let (cold, _) = court.keys(0);
    let dir = court.bot_directory(0);
    let dir = dir.to_str().unwrap();
    let assay = || court.assay(&cold);
    let duty = |switch: &'static str| ["provider", "duty", switch, "--yes"];
    let status = || json(&mut assay(), &["provider", "status"]);
    is_refused(&mut assay(), &duty("off"), (1, &["nothing is to be done"]));
    is_refused(&mut assay(), &["provider", "duty", "on"], (4, &["--yes"]));
    json(&mut assay(), &duty("on"));
    let on = status();
    // 100 tickets of 0.05 SOL, 5 % of that.
    assert_eq!((&on["is_on_duty"], &on["duty_lock_lamports"]), (&true.into(), &250_000_000.into()), "{on}");
    assert_eq!(on["locked_lamports"], on["duty_lock_lamports"]);
    is_refused(&mut assay(), &duty("on"), (1, &["nothing is to be done"]));
    is_refused(&mut assay(), &["provider", "unstake", "1", "--yes"], (1, &["end duty first"]));
    json(&mut assay(), &["provider", "stake", "1", "--yes"]);
    past_unbonding(&court);
    let enroll = ["provider", "enroll", "--dir", dir, "--yes"];
    is_refused(&mut assay(), &enroll, (1, &["it stands for jury duty", "end the duty first"]));

    json(&mut assay(), &duty("off"));
    let off = status();
    assert_eq!((&off["is_on_duty"], &off["duty_lock_lamports"]), (&false.into(), &on["duty_lock_lamports"]), "{off}");
    is_refused(&mut assay(), &duty("off"), (1, &["locked for another", "duty off` again then"]));
    is_refused(&mut assay(), &duty("on"), (1, &["nothing is to be done"]));
    past_unbonding(&court);
    json(&mut assay(), &duty("off"));
    assert_eq!(status()["locked_lamports"], 0);
    json(&mut assay(), &enroll);
    assert_eq!(status()["tickets"], 120);

    let job = court.post(&[]);
    court.accept(&job, 0);
    // A seat keeps nobody on duty or off it: its own jury is counted without it.
    json(&mut assay(), &duty("on"));
    assert_eq!(status()["is_on_duty"], true);
    json(&mut assay(), &duty("off"));
    assert_eq!(status()["is_on_duty"], false);
    court.stop();
}
