//! The metrics: their names, and what is counted at more than one place. `docs/metrics.json` lists the same names with their
//! meaning; tests hold the two together.

use std::{future::Future, time::Instant};

use assay_runtime::ArtifactCache;

use crate::core::{Core, ProviderView, TxFate, TxKind};

/// Declares the names, and [`ALL`] of them, so that none is left out of what the test compares.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $value:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = $value;)*
        #[cfg(test)]
        const ALL: &[&str] = &[$($name),*];
    };
}

names! {
    /// Jobs that entered a phase.
    TRANSITIONS = "assay_executor_job_transitions_total";
    /// Jobs in a phase now.
    JOBS = "assay_executor_jobs";
    /// Transactions signed.
    TRANSACTIONS_SIGNED = "assay_executor_transactions_signed_total";
    /// Transactions whose fate is known.
    TRANSACTIONS_RESOLVED = "assay_executor_transactions_resolved_total";
    /// Host and network faults.
    FAULTS = "assay_executor_work_faults_total";
    /// Things a human must look at.
    ALERTS = "assay_executor_alerts_total";
    /// Balance of the node key.
    NODE_BALANCE = "assay_executor_node_balance_lamports";
    /// Stake reserved.
    LOCKED = "assay_executor_locked_lamports";
    /// Earnings to be claimed.
    EARNINGS = "assay_executor_earnings_lamports";
    /// Whether sandbox children can be started: 1 or 0.
    SANDBOX_WORKS = "assay_executor_sandbox_works";
    /// Receipts that no content node has yet.
    RECEIPTS_WAITING = "assay_executor_receipts_waiting";
    /// Time to fetch, validate and meter, and to run what is small.
    PREPARE_SECONDS = "assay_executor_prepare_seconds";
    /// Time to fetch and run, or to keep what was run with its preparation.
    RUN_SECONDS = "assay_executor_run_seconds";
    /// Runs with a preparation.
    RUNS_AHEAD = "assay_executor_runs_ahead_total";
    /// Of those, runs that were of use.
    RUNS_AHEAD_USED = "assay_executor_runs_ahead_used_total";
    /// Time to publish.
    PUBLISH_SECONDS = "assay_executor_publish_seconds";
    /// Compiled modules found.
    COMPILED_HITS = "assay_executor_compiled_hits_total";
    /// Compiled modules not found.
    COMPILED_MISSES = "assay_executor_compiled_misses_total";
    /// Compiled modules that were of no use.
    COMPILED_REJECTED = "assay_executor_compiled_rejected_total";
    /// Compiled modules that could not be written.
    COMPILED_WRITE_FAILURES = "assay_executor_compiled_write_failures_total";
    /// Bytes of compiled modules.
    COMPILED_BYTES = "assay_executor_compiled_bytes";
    /// JSON-RPC requests.
    RPC_REQUESTS = "assay_executor_rpc_requests_total";
    /// JSON-RPC requests that failed.
    RPC_FAILURES = "assay_executor_rpc_failures_total";
    /// Times another endpoint contradicted what money depends on.
    RPC_DISPUTES = "assay_executor_rpc_disputes_total";
    /// Account changes heard of over the WebSocket.
    HINTS = "assay_executor_hints_total";
    /// Times the WebSocket subscription was lost.
    SUBSCRIPTION_FAILURES = "assay_executor_subscription_failures_total";
}

const PHASES: [&str; 32] = [
    "seen",
    "fetching",
    "prepared",
    "accepting",
    "accepted",
    "running",
    "ran",
    "committing",
    "committed",
    "publishing",
    "published",
    "revealing",
    "submitting",
    "submitted",
    "settling",
    "settled",
    "claiming",
    "claimed",
    "declining",
    "drawn",
    "voting",
    "voted",
    "revealing_vote",
    "vote_revealed",
    "settling_vote",
    "sampled",
    "challenging",
    "challenged",
    "revealing_outcome",
    "appealing",
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

/// Nothing is counted where nothing is kept.
#[expect(clippy::cast_precision_loss, reason = "a gauge of bytes may be off by a few above 9 petabytes")]
pub(crate) fn count_compiled(cache: Option<&ArtifactCache>) {
    let Some(cache) = cache else { return };
    let (counts, bytes) = (cache.counts(), cache.bytes());
    metrics::counter!(COMPILED_HITS, "from" => "memory").absolute(counts.memory_hits);
    metrics::counter!(COMPILED_HITS, "from" => "disk").absolute(counts.disk_hits);
    metrics::counter!(COMPILED_MISSES).absolute(counts.misses);
    metrics::counter!(COMPILED_REJECTED).absolute(counts.rejected);
    metrics::counter!(COMPILED_WRITE_FAILURES).absolute(counts.write_failures);
    metrics::gauge!(COMPILED_BYTES, "in" => "memory").set(bytes.memory as f64);
    metrics::gauge!(COMPILED_BYTES, "in" => "disk").set(bytes.disk as f64);
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
    fn the_documentation_lists_exactly_these_metrics() {
        let text = include_str!("../../docs/metrics.json");
        let listed: serde_json::Value = serde_json::from_str(text).expect("JSON");
        let listed = listed["executor"].as_array().expect("a list of the executor's metrics");
        let mut listed: Vec<&str> = listed.iter().filter_map(|metric| metric["name"].as_str()).collect();
        let mut named = ALL.to_vec();
        listed.sort_unstable();
        named.sort_unstable();
        assert_eq!(named, listed);
    }

    #[test]
    fn no_metric_is_named_anywhere_else() {
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("the sources") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if !path.ends_with("metrics_list.rs") {
                    let text = std::fs::read_to_string(&path).expect("a source");
                    for metric in ["counter!(\"", "gauge!(\"", "histogram!(\"", "\"assay_executor_"] {
                        assert!(!text.contains(metric), "{metric} is in {}", path.display());
                    }
                }
            }
        }
    }
}
