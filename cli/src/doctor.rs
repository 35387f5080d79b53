//! `assay doctor`: checks everything that the other commands need, and says what to do about what is missing.

use std::time::Duration;

use assay_executor::worker::{ChildSettings, Fence, Manner, MissingFence, Work, probe_child};
use assay_sdk::NextStep;
use serde::Serialize;
use solana_signer::Signer;

use crate::{
    chain::Chain,
    context::Context,
    error::{CliError, CliResult},
    output::{duration, lamports},
    progress::Progress,
};

/// A wallet with less cannot even pay for a few transactions.
const BALANCE_LOW_LAMPORTS: u64 = 10_000_000;
/// The chain's clock may differ this much from this machine's before it is worth a remark.
const CLOCK_SKEW_S: i64 = 60;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Fail,
    /// Not looked at, because something that it needs failed.
    Skip,
}

#[derive(Debug, Serialize)]
struct Check {
    check: &'static str,
    state: State,
    found: String,
    next: Option<String>,
}

impl Check {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, state: State::Ok, found: found.into(), next: None }
    }

    fn bad(check: &'static str, found: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, state: State::Fail, found: found.into(), next: Some(next.into()) }
    }

    fn skipped(check: &'static str, because: impl Into<String>) -> Self {
        Self { check, state: State::Skip, found: because.into(), next: None }
    }

    fn from_error(check: &'static str, error: &(impl std::error::Error + NextStep)) -> Self {
        let next = error.next_step().map(std::borrow::Cow::into_owned);
        Self { check, state: State::Fail, found: error.to_string(), next }
    }
}

/// Runs `assay doctor`. Exit code 1 when a check fails.
pub async fn run(context: &Context) -> CliResult {
    let mut checks = Vec::new();
    {
        let mut progress = Progress::quiet_start(context.output, "checking the sandbox");
        checks.extend(sandbox_checks().await);
        progress.set("checking the cluster");
        checks.extend(chain_checks(context).await);
        progress.set("checking the content node");
        checks.extend(content_checks(context).await);
    }
    let failed = checks.iter().filter(|check| check.state == State::Fail).count();
    context.output.result(&checks, || {
        for Check { check, state, found, next } in &checks {
            let state = match state {
                State::Ok => "ok  ",
                State::Fail => "FAIL",
                State::Skip => "skip",
            };
            println!("{state} {check:<14} {found}");
            if let Some(next) = next {
                println!("     next: {next}");
            }
        }
    });
    match failed {
        0 => Ok(()),
        failed if context.output.json => Err(CliError::silent(format!("{failed} checks failed"))),
        failed => Err(CliError::new(format!("{failed} of {} checks failed", checks.len()))),
    }
}

/// One row when all is well, else one for everything that is missing.
async fn sandbox_checks() -> Vec<Check> {
    let next = "use a Linux kernel, or a container profile, that allows it; providers refuse to start without, unless \
        worker.require_isolation = false";
    let settings = ChildSettings { require_isolation: false, ..ChildSettings::default() };
    let fences = match tokio::task::spawn_blocking(move || probe_child(Work::Run(Manner::QUICKEST), &settings)).await {
        Ok(Ok(fences)) => fences,
        Ok(Err(fault)) => return vec![Check::bad("sandbox", fault.to_string(), "guests cannot run here at all")],
        Err(error) => return vec![Check::bad("sandbox", error.to_string(), "report this")],
    };
    let mut checks: Vec<Check> = fences.missing().map(|missing| missing_fence(missing, next)).collect();
    if checks.is_empty() {
        checks.push(Check::good("sandbox", format!("guests run behind all {} fences", Fence::ALL.len())));
    }
    checks
}

fn missing_fence(missing: &MissingFence, next: &str) -> Check {
    if missing.fence.is_required() {
        Check::bad("sandbox", format!("guests would run without {missing}"), next)
    } else {
        Check::good("sandbox", format!("guests run without {missing}; the required fences hold what it would hold"))
    }
}

async fn chain_checks(context: &Context) -> Vec<Check> {
    let settings = &context.settings;
    let chain = Chain::unchecked(context);
    let client = chain.client();
    let time = match client.chain_time().await {
        Ok(time) => time,
        Err(error) => {
            let next = "check --cluster, or start a local network: `assay localnet`";
            let cluster = Check::bad("cluster", error.to_string(), next);
            let skip = |check| Check::skipped(check, "the cluster did not answer");
            return vec![cluster, skip("program"), skip("market"), wallet_check(context, None).await];
        }
    };
    let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let skew = time.unix.saturating_sub(i64::try_from(here.as_secs()).unwrap_or(i64::MAX)).saturating_abs();
    let remark = if skew > CLOCK_SKEW_S { format!(", its clock differs by {}", duration(skew)) } else { String::new() };
    let mut checks = vec![Check::good("cluster", format!("{} at slot {}{remark}", settings.cluster.value, time.slot))];
    match client.check_program().await {
        Ok(()) => {
            checks.push(Check::good("program", assay_sdk::program::ID.to_string()));
            checks.push(market_check(&chain).await);
        }
        Err(error) => {
            checks.push(Check::from_error("program", &error));
            checks.push(Check::skipped("market", "there is none without the program"));
        }
    }
    checks.push(wallet_check(context, Some(&chain)).await);
    checks
}

async fn market_check(chain: &Chain) -> Check {
    match chain.market().await {
        Ok((address, market)) => Check::good("market", format!("{address} ({})", market.name_text())),
        Err(error) => {
            let next = error.next_step().unwrap_or("name one with --market; `assay market list` lists them").to_owned();
            Check::bad("market", error.what(), next)
        }
    }
}

/// Without a chain only the keypair is looked at.
async fn wallet_check(context: &Context, chain: Option<&Chain>) -> Check {
    let keypair = match assay_sdk::load_keypair(&context.settings.keypair.value) {
        Ok(keypair) => keypair,
        Err(error) => {
            return Check::bad(
                "wallet",
                error.to_string(),
                "create one with `assay wallet new`, or name yours with --keypair",
            );
        }
    };
    let address = keypair.pubkey();
    let Some(chain) = chain else {
        return Check::skipped("wallet", format!("{address}; what it holds is not known: the cluster did not answer"));
    };
    match chain.client().balance(&address).await {
        Ok(balance) if balance < BALANCE_LOW_LAMPORTS => {
            let next = format!("send SOL to {address}; on a local or test network: assay wallet airdrop 1");
            Check::bad("wallet", format!("{address} holds only {}", lamports(balance)), next)
        }
        Ok(balance) => Check::good("wallet", format!("{address} holds {}", lamports(balance))),
        Err(error) => Check::from_error("wallet", &error),
    }
}

async fn content_checks(context: &Context) -> Vec<Check> {
    let url = assay_sdk::cluster::redacted(&context.settings.content.value);
    let kubo = match context.kubo() {
        Ok(kubo) => kubo,
        Err(error) => return vec![Check::bad("content node", error.what(), "correct --content")],
    };
    let next = "start Kubo (`ipfs daemon`) or a local network (`assay localnet`), or name another node with --content";
    match tokio::time::timeout(Duration::from_secs(10), kubo.version()).await {
        Ok(Ok(version)) => vec![Check::good("content node", format!("{url} speaks as {}", version.version))],
        Ok(Err(error)) => vec![Check::bad("content node", format!("{url}: {error}"), next)],
        Err(_) => vec![Check::bad("content node", format!("{url}: no answer within 10 s"), next)],
    }
}
