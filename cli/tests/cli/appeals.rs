//! Appeals by hand where content is not to be had, or is said not to be, and jurors who stay away.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use std::path::Path;

use assay_sdk::{crank::Disputed, instructions, program::DisputeStage};
use serde_json::Value;

use crate::{
    court::{Court, WRONG},
    disputes::{JURORS, LIAR, court, honestly, right, told_without_result},
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
    let node = court.empty_node();
    let content = node.rpc_url().to_string();
    let mut is_appealed = false;
    court.drive(&job, |_, stage| match stage {
        // The next jury has it from where the appellant published it, and from nowhere else.
        DisputeStage::Committing if is_appealed => {
            JURORS.iter().for_each(|juror| drop(court.try_vote(&job, (*juror, &content), &[])));
        }
        DisputeStage::Committing => {
            let more = ["--unavailable"];
            JURORS.iter().for_each(|juror| drop(court.try_vote(&job, (*juror, &content), &more)));
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
    let nobodys = court.empty_node();
    let empty = nobodys.rpc_url().to_string();
    let without = [&appeal[..], &["--content", &empty]].concat();
    let unasked = [&appeal[..], &["--content", NOWHERE]].concat();
    is_refused(&mut court.assay(&doubter), &unasked, (1, &["is not known", "says nothing of the content"]));
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

/// Takes the locks of jurors who did not vote by `assay dispute settle`; how many.
fn settle_absences(court: &Court, job: &str, disputed: &Disputed) -> usize {
    let absences = court.run(court.handle(job).absences(disputed)).unwrap();
    if absences.is_empty() {
        return 0;
    }
    let taken: u64 = absences.iter().map(|absence| absence.lock_lamports).sum();
    let before = JURORS.map(|juror| court.provider(juror));
    let told = json(&mut court.poster(), &["dispute", "show", job]);
    let next = told["next"].as_array().unwrap();
    assert!(next.iter().any(|next| says(&next["what"], "take the duty locks of")), "{told}");
    let settled = json(&mut court.poster(), &["dispute", "settle", job]);
    let steps = settled["sent"].as_array().unwrap();
    assert_eq!(steps.iter().filter(|step| step["what"] == "slash_absent").count(), absences.len(), "{settled}");
    let mut lost = 0;
    for (before, juror) in before.iter().zip(JURORS) {
        let after = court.provider(juror);
        if absences.iter().any(|absence| absence.slash.seeds.provider == court.address(juror)) {
            lost += before.stake_lamports - after.stake_lamports;
            assert_eq!((after.duty_lock_lamports, after.locked_lamports), (0, 0));
        } else {
            assert_eq!(
                (after.stake_lamports, after.duty_lock_lamports),
                (before.stake_lamports, before.duty_lock_lamports)
            );
        }
    }
    let pot = court.disputed(job).unwrap().dispute.account.pot_lamports;
    assert_eq!((lost, pot - disputed.dispute.account.pot_lamports), (taken, taken));
    let again = json(&mut court.poster(), &["dispute", "settle", job]);
    assert!(!again["sent"].to_string().contains("slash_absent"), "a lock is taken once: {again}");
    absences.len()
}

#[test]
fn p_18_settle_takes_the_locks_of_absent_jurors_and_a_jury_that_never_comes_is_told_as_that() {
    let court = court();
    let challenger = court.wallet("challenger.json");
    let job = dispute(&court, &challenger);
    let mut absent = 0;
    court.drive(&job, |disputed, stage| match stage {
        DisputeStage::Committing | DisputeStage::Revealing | DisputeStage::Entering => {}
        // `settle` would count the round and take the locks at once.
        DisputeStage::RevealsOver => court.send(&challenger, &[instructions::tally_round(disputed.dispute.address)]),
        DisputeStage::Counted => absent += settle_absences(&court, &job, disputed),
        DisputeStage::CountOver if disputed.dispute.account.is_last() => {
            court.send(&challenger, &[instructions::settle_dispute(disputed.job.address)]);
            let told = json(&mut court.poster(), &["job", "describe", &job]);
            assert!(told["closed"] == false && says(&told["reason"], "no jury reached a verdict"), "{told}");
            assert!(says(&told["reason"], "goes back to the poster"), "{told}");
        }
        _ => drop(json(&mut court.poster(), &["dispute", "settle", &job])),
    });
    assert_eq!(absent, JURORS.len(), "each is taken once, in whichever round it was drawn first");
    told_without_result(&court, &job, ("no jury reached a verdict", "no verdict"));
    let told = json(&mut court.assay(&challenger), &["dispute", "open", &job]);
    let received = told["received_lamports"].as_u64().unwrap();
    assert!(received > 0 && received < 10_000_000, "less a part: {told}");
    assert_eq!((&told["challenge"], &told["is_right"]), (&"settled".into(), &Value::Null), "{told}");
    court.stop();
}
