//! Appeals by hand where content is not to be had or is said not to be.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use std::path::Path;

use assay_content::{BlockStore, ContentNode, NodeConfig, StoreLimits};
use assay_sdk::program::DisputeStage;
use serde_json::Value;

use crate::{
    court::{Court, WRONG},
    disputes::{JURORS, LIAR, court, honestly, right},
    network::{job_directory, json, says},
    provider::is_refused,
    stderr,
};

/// A content node that is not there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Opens a dispute over a wrong result; the job.
fn dispute(court: &Court, challenger: &Path) -> String {
    let job = court.post(&[]);
    court.answer(&job, LIAR, &WRONG);
    json(&mut court.assay(challenger), &["dispute", "open", &job, "--yes"]);
    job
}

/// What is said before anybody is asked.
fn plan(command: &mut assert_cmd::Command, arguments: &[&str]) -> String {
    let unconfirmed = command.args(arguments).output().unwrap();
    assert_eq!(unconfirmed.status.code(), Some(4), "{}", stderr(&unconfirmed));
    stderr(&unconfirmed)
}

/// Appeals against the verdict that content is not to be had, from a machine that has the directory and a node without it.
fn appeal_with_directory(court: &Court, (job, wallet): (&str, &Path), node: &str) {
    let dir = job_directory(court.home.path());
    let assay = || court.assay(wallet);
    let appeal = ["dispute", "appeal", job, "--yes", "--content"];
    let missing = (1, &["is not to be had here either", "--dir", "the next jury"][..]);
    is_refused(&mut assay(), &[&appeal[..], &[NOWHERE]].concat(), missing);
    is_refused(&mut assay(), &[&appeal[..], &[node]].concat(), missing);
    let same = ["dispute", "appeal", job, "--yes", "--unavailable"];
    is_refused(&mut assay(), &same, (1, &["nothing to appeal against", "it is what you hold"]));
    is_refused(&mut assay(), &[&same[..], &["--dir", "."]].concat(), (2, &["--dir"]));
    let by_hand = ["dispute", "appeal", job, "--content", node, "--dir", dir.to_str().unwrap()];
    let plan = plan(&mut assay(), &by_hand);
    for part in
        ["holds Exited(3)", "the verdict that the content is not to be had", "nothing if it is that the content"]
    {
        assert!(plan.contains(part), "{part} is not in\n{plan}");
    }
    let appealed = json(&mut assay(), &[&by_hand[..], &["--yes"]].concat());
    assert!(says(&appealed["holds"], "Exited(3)") && appealed["sent"][0]["what"] == "appeal", "{appealed}");
}

#[test]
fn p_26_a_verdict_that_content_is_not_to_be_had_is_appealed_against_by_who_has_it_and_publishes_it() {
    let court = court();
    let challenger = court.wallet("challenger.json");
    let job = dispute(&court, &challenger);
    let before = court.balance(&challenger);
    let store = BlockStore::open(&court.home.path().join("blocks"), StoreLimits::default()).unwrap();
    let node = court.run(ContentNode::start(NodeConfig::loopback(store))).unwrap();
    let content = node.rpc_url().to_string();
    let mut is_appealed = false;
    court.drive(&job, |_, stage| match stage {
        // The next jury has it from where the appellant published it, and from nowhere else.
        DisputeStage::Committing if is_appealed => {
            JURORS.iter().for_each(|juror| drop(court.vote(&job, *juror, &["--content", &content])));
        }
        DisputeStage::Committing => {
            let more = ["--unavailable", "--content", NOWHERE];
            JURORS.iter().for_each(|juror| drop(court.vote(&job, *juror, &more)));
        }
        DisputeStage::Appealing if !is_appealed => {
            appeal_with_directory(&court, (&job, &challenger), &content);
            is_appealed = true;
        }
        _ => honestly(&court, &job, &challenger, stage),
    });
    assert!(is_appealed, "a jury found that the content was not to be had");
    let view = court.run(court.handle(&job).status()).unwrap();
    assert_eq!(view.outcome, Some(right(&court, &job)));
    assert!(court.balance(&challenger) > before, "both bonds are back with half of the liar's");
    court.run(node.shutdown()).unwrap();
    court.stop();
}

#[test]
fn i_07_who_could_not_have_the_content_appeals_against_an_outcome_and_who_ran_the_job_does_not() {
    let court = court();
    let (challenger, doubter) = (court.wallet("challenger.json"), court.wallet("doubter.json"));
    let job = dispute(&court, &challenger);
    court.drive_until(&job, |_, stage| {
        honestly(&court, &job, &challenger, stage);
        stage == DisputeStage::Appealing
    });
    let appeal = ["dispute", "appeal", &job, "--unavailable"];
    let without = [&appeal[..], &["--content", NOWHERE]].concat();
    is_refused(&mut court.assay(&challenger), &without, (1, &["was run here", "leave out --unavailable"]));
    is_refused(&mut court.assay(&doubter), &appeal, (1, &["is to be had: it was just fetched", "loses its bond"]));
    let plan = plan(&mut court.assay(&doubter), &without);
    for part in ["holds that the content is not to be had", "if the last verdict is an outcome", "nobody is paid"] {
        assert!(plan.contains(part), "{part} is not in\n{plan}");
    }
    let confirmed = [&without[..], &["--yes"]].concat();
    let appealed = json(&mut court.assay(&doubter), &confirmed);
    assert_eq!((&appealed["sent"][0]["what"], &appealed["bond_lamports"]), (&"appeal".into(), &bond(&court, &job)));
    // Typed again, it does not appeal again.
    let again = json(&mut court.assay(&doubter), &confirmed);
    assert_eq!(again["sent"], Value::Array(Vec::new()), "{again}");
    assert_eq!((&again["holds"], &again["bond_lamports"]), (&appealed["holds"], &appealed["bond_lamports"]), "{again}");
    assert!(says(&again["holds"], "not to be had"), "{again}");
    let late = ["dispute", "appeal", &job, "--yes"];
    is_refused(&mut court.assay(&challenger), &late, (1, &["nothing can be held against a verdict", "dispute show"]));
    court.stop();
}

/// The bond of the appeal against the round before the present one.
fn bond(court: &Court, job: &str) -> Value {
    let dispute = court.disputed(job).unwrap().dispute.account;
    assay_protocol::pot::appeal_bond(dispute.bond_lamports, dispute.round - 1).unwrap().into()
}
