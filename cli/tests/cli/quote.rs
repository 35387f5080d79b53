//! What a job would cost and who could take it, before it is posted.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use serde_json::Value;

use crate::{
    court::Court,
    network::{job_directory, json, says},
};

fn obstacles(quote: &Value) -> Vec<&Value> {
    quote["providers"].as_array().unwrap().iter().map(|provider| &provider["obstacle"]).collect()
}

#[test]
fn a_quote_says_what_a_job_costs_who_could_take_it_and_what_keeps_the_others_from_it() {
    let court = Court::start(3);
    let dir = job_directory(court.home.path());
    let dir = dir.to_str().unwrap();
    let quote = |more: &[&str]| json(&mut court.poster(), &[&["job", "quote", dir], more].concat());

    let one = quote(&["--base-fee", "1000lamports", "--price", "1000000000000"]);
    // A million gas at one lamport each, and the market's 2.5 % of that and the base fee.
    assert_eq!((&one["escrow_lamports"], &one["market_fee_lamports"]), (&1_026_025.into(), &25_025.into()), "{one}");
    let total =
        ["escrow_lamports", "rent_lamports", "transaction_fee_lamports"].map(|part| one[part].as_u64().unwrap());
    assert_eq!(one["total_lamports"], total.iter().sum::<u64>());
    assert_eq!((&one["eligible"], &one["fill"]["most_s"], &one["job"]), (&3.into(), &0.into(), &Value::Null), "{one}");
    assert!(says(&one["remarks"][0], "the base fee is less than"), "{one}");
    let three = quote(&["--redundancy", "3", "--base-fee", "1000lamports", "--price", "1000000000000"]);
    assert_eq!(three["escrow_lamports"], 3 * 1_026_025, "of all seats");
    assert!(three["eligible"] == 3 && three["fill"]["most_s"].as_u64() >= three["fill"]["half_s"].as_u64(), "{three}");
    assert!(obstacles(&three).iter().all(|why| why.is_null()), "{three}");

    // Nobody's results were confirmed.
    let trusted = quote(&["--redundancy", "3", "--min-trust", "9000"]);
    assert_eq!((&trusted["eligible"], &trusted["fill"]), (&0.into(), &Value::Null), "{trusted}");
    let untrusted = "the provider's trust is 0 of 10,000, this seat needs 9000";
    assert!(obstacles(&trusted).iter().all(|why| *why == untrusted), "{trusted}");
    assert!(
        trusted["remarks"].to_string().contains("0 of 3 providers could take a seat, and 3 are wanted"),
        "{trusted}"
    );
    let text = court.poster().args(["job", "quote", dir, "--min-trust", "1"]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("no: the provider's trust is 0") && text.contains("it would expire"), "{text}");

    let adaptive = quote(&["--mode", "adaptive"]);
    assert_eq!((&adaptive["redundancy"], &adaptive["mode"]), (&3.into(), &"adaptive".into()), "{adaptive}");
    assert_eq!((&adaptive["eligible"], &adaptive["eligible_alone"]), (&3.into(), &0.into()), "{adaptive}");
    assert!(adaptive["remarks"].to_string().contains("no provider may take it alone now"), "{adaptive}");
    let refused = ["job", "quote", dir, "--mode", "adaptive", "--redundancy", "1"];
    let refused = court.poster().args(refused).output().unwrap();
    assert!(
        crate::stderr(&refused).contains("use the mode adaptive with redundancy 1: "),
        "{}",
        crate::stderr(&refused)
    );
    court.stop();
}
