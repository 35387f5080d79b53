//! Names of all metrics; `docs/metrics.json` lists them with their meaning, and a test compares the two.

use std::{future::Future, time::Instant};

use crate::core::{Core, ProviderView, TxFate, TxKind};

/// Jobs that entered a phase.
pub(crate) const TRANSITIONS: &str = "assay_executor_job_transitions_total";
/// Jobs in a phase now.
pub(crate) const JOBS: &str = "assay_executor_jobs";
/// Transactions signed.
pub(crate) const TRANSACTIONS_SIGNED: &str = "assay_executor_transactions_signed_total";
/// Transactions whose fate is known.
pub(crate) const TRANSACTIONS_RESOLVED: &str = "assay_executor_transactions_resolved_total";
/// Host and network faults.
pub(crate) const FAULTS: &str = "assay_executor_work_faults_total";
/// Things a human must look at.
pub(crate) const ALERTS: &str = "assay_executor_alerts_total";
/// Balance of the node key.
pub(crate) const NODE_BALANCE: &str = "assay_executor_node_balance_lamports";
/// Stake reserved.
pub(crate) const LOCKED: &str = "assay_executor_locked_lamports";
/// Earnings to be claimed.
pub(crate) const EARNINGS: &str = "assay_executor_earnings_lamports";
/// Whether sandbox children can be started: 1 or 0.
pub(crate) const SANDBOX_WORKS: &str = "assay_executor_sandbox_works";
/// Time to fetch, validate and meter.
pub(crate) const PREPARE_SECONDS: &str = "assay_executor_prepare_seconds";
/// Time to fetch and run.
pub(crate) const RUN_SECONDS: &str = "assay_executor_run_seconds";
/// Time to publish.
pub(crate) const PUBLISH_SECONDS: &str = "assay_executor_publish_seconds";

const PHASES: [&str; 18] = [
    "seen",
    "fetching",
    "prepared",
    "accepting",
    "accepted",
    "running",
    "ran",
    "publishing",
    "published",
    "submitting",
    "submitted",
    "settling",
    "settled",
    "claiming",
    "claimed",
    "declining",
    "dropped",
    "halted",
];

pub(crate) fn gauge_jobs(core: &Core) {
    let mut counts = [0_u32; PHASES.len()];
    for job in core.jobs() {
        if let Some(index) = PHASES.iter().position(|name| *name == job.row.phase.name()) {
            counts[index] = counts[index].saturating_add(1);
        }
    }
    for (name, count) in PHASES.iter().zip(counts) {
        metrics::gauge!(JOBS, "phase" => *name).set(f64::from(count));
    }
}

#[expect(clippy::cast_precision_loss, reason = "a gauge of lamports may be off by a few above 9 million SOL")]
pub(crate) fn gauge_balances(provider: &ProviderView) {
    metrics::gauge!(NODE_BALANCE).set(provider.node_balance_lamports as f64);
    metrics::gauge!(LOCKED).set(provider.locked_lamports as f64);
    metrics::gauge!(EARNINGS).set(provider.earnings_lamports as f64);
}

pub(crate) fn count_fate(kind: TxKind, fate: &TxFate) {
    let fate = match fate {
        TxFate::Landed { .. } => "landed",
        TxFate::Failed { .. } => "failed",
        TxFate::Dead => "dead",
    };
    metrics::counter!(TRANSACTIONS_RESOLVED, "kind" => kind.name(), "fate" => fate).increment(1);
}

pub(crate) async fn timed<T>(name: &'static str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let result = work.await;
    metrics::histogram!(name).record(begun.elapsed().as_secs_f64());
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_listed_in_the_documentation() {
        let text = include_str!("../../docs/metrics.json");
        let listed: serde_json::Value = serde_json::from_str(text).expect("JSON");
        for name in [
            TRANSITIONS,
            JOBS,
            TRANSACTIONS_SIGNED,
            TRANSACTIONS_RESOLVED,
            FAULTS,
            ALERTS,
            NODE_BALANCE,
            LOCKED,
            EARNINGS,
            SANDBOX_WORKS,
            PREPARE_SECONDS,
            RUN_SECONDS,
            PUBLISH_SECONDS,
        ] {
            let found = listed["executor"].as_array().is_some_and(|list| list.iter().any(|item| item["name"] == name));
            assert!(found, "{name} is not in docs/metrics.json");
        }
    }
}
