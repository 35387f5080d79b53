//! `assay doctor`: checks everything that the other commands need, and says what to do about what is missing.

use std::time::Duration;

use assay_executor::{
    config::WorkerConfig,
    worker::{ChildSettings, Fence, Fences, ISOLATION_VARIABLE, Isolation, Manner, MissingFence, Work, probe_child},
};
use assay_sdk::NextStep;
use serde::Serialize;
use solana_signer::Signer;

use crate::{
    chain::Chain,
    context::Context,
    error::{CliError, CliResult},
    output::{duration, lamports},
    progress::Progress,
    sandbox::told_isolation,
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

/// What guests would run behind, and whether whoever runs them goes on with that.
async fn sandbox_checks() -> Vec<Check> {
    let told = match told_isolation() {
        Ok(told) => told,
        Err(error) => return vec![Check::bad("sandbox", error.what(), error.causes().join(": "))],
    };
    let settings = ChildSettings { isolation: Isolation::None, ..ChildSettings::default() };
    match tokio::task::spawn_blocking(move || probe_child(Work::Run(Manner::QUICKEST), &settings)).await {
        Ok(Ok(fences)) => judged(&fences, told),
        Ok(Err(fault)) => vec![Check::bad("sandbox", fault.to_string(), "guests cannot run here at all")],
        Err(error) => vec![Check::bad("sandbox", error.to_string(), "report this")],
    }
}

/// One row when all is well, else one for each fence that is missing and one for what follows. A failure is only what
/// the commands would refuse: a bot that needs every fence is no matter of who only posts and checks.
fn judged(fences: &Fences, told: Option<Isolation>) -> Vec<Check> {
    let enough = fences.isolation();
    if enough == Isolation::Full {
        return vec![Check::good("sandbox", format!("guests run behind all {} fences", Fence::ALL.len()))];
    }
    let [commands, bots] =
        [ChildSettings::default().isolation, WorkerConfig::default().isolation].map(|default| told.unwrap_or(default));
    let row = |is_needed, found, next| {
        let state = if is_needed { State::Fail } else { State::Ok };
        Check { check: "sandbox", state, found, next }
    };
    let without = |missing: &MissingFence| format!("guests would run without {missing}");
    let missing = fences.missing().map(|missing| row(commands.needs(missing.fence), without(missing), None));
    let verdict = |wanted| if wanted <= enough { "go on" } else { "refuse" };
    let found = format!(
        "with that `assay run`, `verify` and local networks {} (isolation \"{commands}\"), and a provider's bot would {} at its \
         start (isolation \"{bots}\", unless its configuration says otherwise)",
        verdict(commands),
        verdict(bots)
    );
    let next = format!(
        "use a Linux kernel, or a container profile, that allows what is missing; or go on without: worker.isolation = \
         \"{enough}\" in a provider's configuration, {ISOLATION_VARIABLE}={enough} in the environment of any command"
    );
    let next = (commands.max(bots) > enough).then_some(next);
    missing.chain([row(commands > enough, found, next)]).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said about a child that lacks these, and whether it is a failure.
    fn said(missing: &[Fence], told: Option<Isolation>) -> (String, bool) {
        let fences = missing.iter().map(|fence| MissingFence { fence: *fence, errno: 38 }).collect();
        let rows = judged(&fences, told);
        let fails = rows.iter().any(|row| row.state == State::Fail);
        let texts = rows.into_iter().map(|row| format!("{} {}", row.found, row.next.unwrap_or_default()));
        (texts.collect::<Vec<_>>().join("\n"), fails)
    }

    #[test]
    fn w_12_the_doctor_names_what_is_missing_and_says_who_would_refuse() {
        let (text, fails) = said(&[], None);
        assert!(text.contains("all 15 fences") && !fails, "{text}");

        let (text, fails) = said(&[Fence::UserNamespace, Fence::Landlock], None);
        assert!(text.contains("without user namespace: ") && text.contains("without landlock: "), "{text}");
        assert!(text.contains("a provider's bot would refuse") && text.contains("local networks go on"), "{text}");
        assert!(text.contains("worker.isolation = \"required\"") && !fails, "{text}");

        let (text, fails) = said(&[Fence::Landlock], Some(Isolation::Required));
        assert!(
            text.contains("a provider's bot would go on") && !text.contains("worker.isolation") && !fails,
            "{text}"
        );
        let (text, fails) = said(&[Fence::Landlock], Some(Isolation::Full));
        assert!(text.contains("local networks refuse") && fails, "{text}");
        let (text, fails) = said(&[Fence::SystemCalls], Some(Isolation::Required));
        assert!(text.contains(&format!("{ISOLATION_VARIABLE}=none")) && fails, "{text}");
    }
}
