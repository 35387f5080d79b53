//! What `provider status` says about stake, duties, earnings and slashes, held against what the chain does.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use assay_protocol::Outcome;
use assay_sdk::program::DisputeStage;
use serde_json::Value;

use crate::{
    court::{Court, WRONG},
    disputes::right,
    network::json,
};

/// The provider that lies, one on duty that never votes, and the others on duty.
const LIAR: usize = 0;
const ABSENT: usize = 1;
const JURORS: [usize; 3] = [2, 3, 4];
const PROVIDERS: usize = 5;

fn status(court: &Court, provider: usize, more: &[&str]) -> Value {
    json(&mut court.assay(&court.keys(provider).0), &[&["provider", "status"], more].concat())
}

fn text(court: &Court, provider: usize, more: &[&str]) -> String {
    let mut command = court.assay(&court.keys(provider).0);
    String::from_utf8(command.args(["provider", "status"]).args(more).output().unwrap().stdout).unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Every locked lamport is explained, and each part by the seats and votes that it is of.
fn is_explained(status: &Value) {
    let held = &status["held"];
    let parts = ["seats_lamports", "votes_lamports", "duty_lamports"].map(|part| number(&held[part]));
    assert_eq!(
        (number(&status["locked_lamports"]), number(&held["rest_lamports"])),
        (parts.iter().sum(), 0),
        "{status}"
    );
    for (list, sum) in [("seats", parts[0]), ("votes", parts[1])] {
        let locks = held[list].as_array().unwrap().iter().map(|lock| number(&lock["lock_lamports"]));
        assert_eq!(locks.sum::<u64>(), sum, "{held}");
    }
    assert_eq!(number(&status["votes_open"]), held["votes"].as_array().unwrap().len() as u64, "{status}");
}

#[test]
fn a_status_explains_every_locked_lamport_and_with_its_history_every_slash_and_share() {
    let court = Court::start(PROVIDERS);
    JURORS.iter().chain([&ABSENT]).for_each(|juror| court.set_on_duty(*juror));
    let stakes: Vec<u64> = (0..PROVIDERS).map(|provider| court.provider(provider).stake_lamports).collect();
    a_paid_seat_is_in_the_history(&court, &right(&court, "paid"));

    let job = court.post(&[]);
    court.answer(&job, LIAR, &WRONG);
    let challenger = court.wallet("challenger.json");
    json(&mut court.assay(&challenger), &["dispute", "open", &job, "--yes"]);
    let mut voted = 0;
    court.drive(&job, |disputed, stage| {
        match stage {
            DisputeStage::Committing => {
                let due = |provider: usize| status(&court, provider, &[])["held"]["duties"].clone();
                for juror in JURORS {
                    let before = due(juror);
                    let vote = court.vote(&job, juror, &[]);
                    let (what, of_job) = (&before[0]["what"], &before[0]["job"]);
                    assert_eq!(vote.is_some(), what == "vote" && *of_job == *job, "drawn, so due: {before} {vote:?}");
                    assert_eq!(due(juror), Value::Array(Vec::new()));
                    if vote.is_some() {
                        voted += 1;
                        let said = text(&court, juror, &[]);
                        assert!(said.contains(&format!("of the dispute over {job}, hidden")), "{said}");
                        // A round that found nothing leaves its votes open in the next.
                        let open = match number(&status(&court, juror, &[])["votes_open"]) {
                            1 => "1 vote is not settled".to_owned(),
                            votes => format!("{votes} votes are not settled"),
                        };
                        assert!(said.contains("by jury duty") && said.contains(&open), "{said}");
                    }
                }
            }
            DisputeStage::Revealing => {
                for juror in disputed.votes.iter().filter(|vote| vote.account.round == disputed.dispute.account.round) {
                    let juror = JURORS.into_iter().find(|one| court.address(*one) == juror.account.provider).unwrap();
                    assert_eq!(status(&court, juror, &[])["held"]["duties"][0]["what"], "show");
                    court.vote(&job, juror, &[]);
                }
                json(&mut court.assay(&challenger), &["dispute", "open", &job]);
            }
            DisputeStage::Entering => {}
            _ => drop(json(&mut court.poster(), &["dispute", "settle", &job])),
        }
        [LIAR, ABSENT, JURORS[0]].iter().for_each(|provider| is_explained(&status(&court, *provider, &[])));
    });
    assert!(voted > 0, "some juror was drawn");
    settled(&court, &stakes);
    court.stop();
}

/// The liar is paid for a right result before.
fn a_paid_seat_is_in_the_history(court: &Court, right: &Outcome) {
    let job = court.post(&["--seed", "7"]);
    court.accept(&job, LIAR);
    let held = status(court, LIAR, &[]);
    is_explained(&held);
    let seat = &held["held"]["seats"][0];
    assert_eq!(
        (&seat["job"], &seat["state"], &seat["lock_lamports"]),
        (&job.as_str().into(), &"accepted".into(), &10_000_000.into())
    );
    court.submit(&job, LIAR, right);
    court.travel_to(court.now_unix() + 700);
    while court.provider(LIAR).locked_lamports > 0 {
        court.run(court.handle(&job).advance()).unwrap();
    }
    let told = status(court, LIAR, &["--history"]);
    let (seats, earned) = (&told["history"]["seats"], number(&told["earnings_lamports"]));
    assert!(earned > 0 && seats["paid"] == 1 && number(&seats["earned_lamports"]) == earned, "{told}");
    let (latency_ms, score) = (number(&told["latency_ms_per_gigagas"]), &told["latency_score_bps"]);
    assert!(score.as_u64().map_or(latency_ms == 0, |score| latency_ms > 0 && score <= 10_000), "{told}");
    assert_eq!(
        (&told["history"]["is_partial"], &told["history"]["slashed_lamports"]),
        (&false.into(), &0.into()),
        "{told}"
    );
}

/// What the history adds up is what left the stake and what came to the earnings.
fn settled(court: &Court, stakes: &[u64]) {
    for (provider, stake) in stakes.iter().enumerate() {
        let told = status(court, provider, &["--history"]);
        let history = &told["history"];
        assert_eq!(stake - number(&told["stake_lamports"]), number(&history["slashed_lamports"]), "{told}");
        assert_eq!(number(&told["earnings_lamports"]), number(&history["earned_lamports"]), "{told}");
        assert_eq!(history["is_partial"], false, "{told}");
    }
    let liar = status(court, LIAR, &["--history"]);
    assert_eq!(
        (&liar["disputes_lost"], &liar["disputes_won"], &liar["failed"]),
        (&1.into(), &0.into(), &1.into()),
        "{liar}"
    );
    assert_eq!(
        (&liar["history"]["seats"]["slashed_lamports"], &liar["history"]["seats"]["slashed"]),
        (&10_000_000.into(), &1.into())
    );
    let sums =
        |provider: usize, kind: &str, of: &str| number(&status(court, provider, &["--history"])["history"][kind][of]);
    assert!(JURORS.iter().any(|juror| sums(*juror, "votes", "earned_lamports") > 0), "jurors share what the liar lost");
    let absent = court.provider(ABSENT);
    assert_eq!(sums(ABSENT, "absences", "slashed_lamports"), 250_000_000 - absent.duty_lock_lamports);
    let said = text(court, LIAR, &["--history"]);
    for part in ["0 of its results found right, 1 found wrong", "0.01 SOL lost by 1", "absent   0 SOL lost"] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    assert!(text(court, LIAR, &[]).contains("--history adds them up"));
    let all = json(&mut court.poster(), &["provider", "status", "--all"]);
    let lost: u64 = all.as_array().unwrap().iter().map(|one| number(&one["disputes_lost"])).sum();
    assert_eq!(lost, 1, "{all}");
}
