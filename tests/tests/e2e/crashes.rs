//! A real SIGKILL at every point of a run, enumerated from a clean one, and a restart: settled exactly once.

use std::time::Duration;

use assay_sdk::Client;
use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use crate::support::{EXECUTOR, EXECUTOR_WITH_FAULTS, Executor, Net, assert_settled_once, status, until_paid};

/// Providers that crash at the same time, each with a poster of its own.
const AT_ONCE: usize = 6;
/// A run passes a few dozen points; more than this is a loop.
const POINTS_MAX: usize = 200;
/// Longest time from the restart to the pay.
const RECOVERY: Duration = Duration::from_secs(60);

/// Kills an executor at one point of one job's life and starts it again. False when the run was over before.
async fn crash(net: &Net, executor: &mut Executor, poster: &Client, (point, name): (usize, &str)) -> bool {
    let before = poster.balance(&executor.authority).await.expect("a balance");
    let at = [("ASSAY_CRASH_AT", point.to_string())];
    // Each crash is a life of its own: no journal of an earlier one.
    executor.config.provider.data_dir = executor.path(&format!("data-{point}"));
    let mut process = executor.start(EXECUTOR_WITH_FAULTS, &at);
    let posted = net.post(poster, u64::try_from(point).expect("a small number")).await;
    let provider = executor.address();
    let killed = process.killed_before(until_paid(poster, &posted.handle, &provider)).await;
    let first = process.log();
    drop(process);
    let process = executor.start(EXECUTOR, &[]);
    if timeout(RECOVERY, until_paid(poster, &posted.handle, &provider)).await.is_err() {
        let reached = status(poster, &posted.handle).await;
        panic!("killed at {name}, it stays {reached:?}\n{first}\n--- started again\n{}", process.log());
    }
    let settled = assert_settled_once(poster, &posted.handle, &provider).await;
    let after = poster.balance(&executor.authority).await.expect("a balance");
    assert_eq!(after, before + settled.pay_lamports, "{name}: the pay arrived once");
    process.drain().await;
    killed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_01_i_11_a_kill_at_any_point_changes_nothing_but_time() {
    let net = Net::start(AT_ONCE).await;
    let mut seats = Vec::new();
    for number in 0..AT_ONCE {
        let (mut executor, poster) = (net.executor(number), net.poster().await);
        executor.only_for(&poster);
        seats.push((executor, poster));
    }
    let (executor, poster) = &mut seats[0];
    let points = net.crash_points(executor, poster).await;
    assert!((10..POINTS_MAX).contains(&points.len()), "{points:?}");

    let mut killed = vec![false; points.len()];
    let lanes = seats.into_iter().enumerate().map(|(lane, (mut executor, poster))| {
        let (net, points) = (&net, &points);
        async move {
            let mut results = Vec::new();
            for index in (lane..points.len()).step_by(AT_ONCE) {
                results.push((index, crash(net, &mut executor, &poster, (index + 1, &points[index])).await));
            }
            results
        }
    });
    let results: Vec<_> = stream::iter(lanes).buffer_unordered(AT_ONCE).collect().await;
    for (index, was_killed) in results.into_iter().flatten() {
        killed[index] = was_killed;
    }
    let survived: Vec<_> = points.iter().zip(&killed).filter(|(_, killed)| !**killed).map(|(name, _)| name).collect();
    println!("crash points: {}, killed at {}", points.len(), killed.iter().filter(|killed| **killed).count());
    // A run passes a point more or less, as transactions confirm sooner or later; nearly all must have been real.
    assert!(survived.len() * 5 <= points.len(), "never killed at {survived:?}");
    net.stop().await;
}
