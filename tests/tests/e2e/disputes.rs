//! Wrong results that are watched, contested, judged: real bots as challenger and as jury, and a provider that lies.

use assay_protocol::{DisputeStatus, JobStatus};
use assay_sdk::{Event, PostedJob, program::accounts::Provider};

use crate::{
    court::{Court, LIAR, WATCHER, drain, events},
    support::{EXECUTOR, EXECUTOR_WITH_FAULTS, Process, until},
};

/// Jurors.
const JURORS: [usize; 3] = [2, 3, 4];

/// The liar's bond is gone, the challenger and right jurors were paid from it, nobody else lost anything, and the poster has the
/// right result.
async fn assert_judged(court: &Court, job: &PostedJob, before: &[Provider], challenger_lamports: u64) {
    let view = job.handle.status().await.expect("a view of a closed job");
    assert_eq!(view.status, JobStatus::Resolved);
    assert_ne!(view.outcome.expect("an outcome").result_cid_digest, [7; 32]);
    let lost = events(court, job, |event| match event {
        Event::ExecutionSettled(event) => Some(event.lost_lamports),
        _ => None,
    });
    let [bond_lamports] = lost.await[..] else { panic!("one seat") };
    let liar = court.provider(LIAR).await;
    assert_eq!(before[LIAR].stake_lamports - liar.stake_lamports, bond_lamports);
    assert_eq!((liar.trust.failed, liar.active, liar.locked_lamports), (1, 0, 0));
    for juror in JURORS {
        let after = court.provider(juror).await;
        assert_eq!((after.stake_lamports, after.votes_open), (before[juror].stake_lamports, 0));
        assert_eq!(after.locked_lamports, after.duty_lock_lamports, "only its duty lock is left");
    }
    let after = court.balance(WATCHER).await;
    // Half of the bond, less the fees of its transactions; bond and rents came back.
    let won = after.checked_sub(challenger_lamports).expect("it won");
    assert!(won > bond_lamports / 2 - 200_000 && won <= bond_lamports / 2, "{won} of {bond_lamports}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p_03_i_03_a_wrong_result_is_challenged_by_a_watching_bot_judged_by_bots_and_costs_the_liar_its_bond() {
    let mut court = Court::start_watched(5, &JURORS).await;
    let before = court.providers().await;
    let balance = court.balance(WATCHER).await;
    let job = court.lie().await;
    let processes: Vec<Process> = court.executors[1..].iter_mut().map(|bot| bot.start(EXECUTOR, &[])).collect();
    court.drive(&job).await;
    assert_judged(&court, &job, &before, balance).await;
    drain(processes).await;
    court.net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i_07_e_01_bots_that_die_around_their_votes_and_their_challenge_show_what_they_committed_to() {
    let mut court = Court::start_watched(5, &JURORS).await;
    let before = court.providers().await;
    let balance = court.balance(WATCHER).await;
    let job = court.lie().await;
    // The watcher dies once its challenge is sent, each juror once its vote is; all come back and show what they hid.
    let points = ["tx.challenge.sent#1", "tx.vote.sent#1", "tx.vote.sent#1", "tx.vote.sent#1"];
    let mut processes: Vec<Process> = court.executors[1..]
        .iter_mut()
        .zip(points)
        .map(|(bot, point)| bot.start(EXECUTOR_WITH_FAULTS, &[("ASSAY_CRASH_AT", point.to_owned())]))
        .collect();
    processes[0].killed_at(points[0]).await;
    processes[0] = court.executors[WATCHER].start(EXECUTOR, &[]);
    let dispute = until("the dispute to be opened", || async { court.dispute(&job).await }).await;
    court.travel_past(dispute.entry_deadline_unix).await;
    let voting = court.dispute_in(&job, 0, DisputeStatus::Voting).await;
    let drawn = court.drawn(&voting, &JURORS).await;
    for number in JURORS {
        let process = &mut processes[number - 1];
        if drawn.contains(&number) {
            process.killed_at("tx.vote.sent#1").await;
        } else {
            // In a later round it would die of its first vote.
            process.terminate();
            process.ended().await;
        }
        *process = court.executors[number].start(EXECUTOR, &[]);
    }
    court.drive(&job).await;
    assert_judged(&court, &job, &before, balance).await;
    drain(processes).await;
    court.net.stop().await;
}
