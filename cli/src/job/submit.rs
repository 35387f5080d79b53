//! `assay job submit`: what it can cost, ask, upload, post, follow.

use std::fmt;

use assay_protocol::{Mode, OutcomeKind};
use assay_runtime::Engine;
use assay_sdk::{
    client::{CheckedJob, PostedJob},
    job_spec::{BASE_FEE_LAMPORTS_DEFAULT, JobSpec, PreparedJob, Quote},
};
use clap::Args;
use serde::Serialize;

use super::{
    order::{Order, OrderArgs},
    state::mode_name,
    wait,
};
use crate::{
    chain::Chain,
    context::Context,
    engine::{EngineArgs, TimeoutArgs},
    error::{CliError, CliResult, Context as _, Hint},
    output::{grouped, lamports, shown_path},
    parse,
    progress::Progress,
    sandbox::{self, JobDirectory},
};

/// `assay job submit`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 posted; with --wait: its result is final · 1 refused or failed, nothing was paid unless it says \
so · 2 wrong usage · 4 not confirmed · with --wait as `assay job wait`: 5, 6, 130"
)]
pub struct SubmitArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// A number of your own; it is refused as long as your job with the same number is not closed.
    #[arg(long, value_name = "N", value_parser = parse::number, allow_negative_numbers = true)]
    id: Option<u64>,
    /// Check everything and show what it would cost; upload and post nothing.
    #[arg(long)]
    dry_run: bool,
    /// Run it here first; unless --gas-limit or the manifest states one, the gas that it used, and a little, becomes the
    /// limit.
    #[arg(long)]
    estimate: bool,
    /// Follow the job until its result is final.
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Stop following after this many seconds; the job goes on.
    #[arg(long, alias = "timeout", value_name = "SECONDS", requires = "wait", value_parser = parse::seconds,
        allow_negative_numbers = true)]
    timeout_s: Option<u32>,
}

/// A job that is packed, checked and priced.
#[derive(Debug)]
pub struct Plan {
    /// What is asked for.
    pub spec: JobSpec,
    /// What is uploaded.
    pub prepared: PreparedJob,
    /// The most that it can cost.
    pub quote: Quote,
}

/// A posted job.
pub type Posted = PostedJob;

impl Plan {
    /// Packs, checks and prices. Nothing leaves this machine.
    pub async fn make(chain: &Chain, order: &Order) -> CliResult<Self> {
        let mut builder = JobSpec::builder(&order.dir, order.market)
            .price(order.price)
            .base_fee_lamports(order.base_fee_lamports)
            .redundancy(order.redundancy)
            .min_trust_bps(order.min_trust_bps)
            .expires_unix(order.expires_unix);
        if let Some(gas_limit) = order.gas_limit {
            builder = builder.gas_limit(gas_limit);
        }
        if let Some(seed) = order.seed {
            builder = builder.seed(seed);
        }
        if let Some(mode) = order.mode {
            builder = builder.mode(mode);
        }
        if let Some(seconds) = order.agreement_s {
            builder = builder.agreement_s(seconds);
        }
        if let Some(id) = order.id {
            builder = builder.id(id);
        }
        let spec = builder.build().hint()?;
        let prepared = chain.client().prepare_job(&spec).await.hint()?;
        let quote = chain.client().quote(&spec, &prepared).await.hint()?;
        Ok(Self { spec, prepared, quote })
    }

    /// Checks everything that can be checked before anything leaves this machine.
    pub async fn check(self, chain: &Chain) -> CliResult<CheckedJob> {
        chain.client().check_job(&self.spec, self.prepared, self.quote).await.hint()
    }

    /// Checks, uploads and posts.
    pub async fn post(self, chain: &Chain) -> CliResult<Posted> {
        let checked = self.check(chain).await?;
        chain.client().post_checked(checked).await.hint()
    }

    /// Why providers may leave the job alone, if its price is a reason.
    pub(super) fn remark(&self, order: &Order) -> Option<String> {
        let most_lamports = self.quote.base_fee_lamports.saturating_add(self.quote.gas_lamports);
        if most_lamports == 0 {
            return Some(
                "the job pays nothing, even if it uses all of its gas; raise --base-fee or --price".to_owned(),
            );
        }
        (order.base_fee_lamports < BASE_FEE_LAMPORTS_DEFAULT).then(|| {
            format!(
                "the base fee is less than the {} that a provider asks for by default, what its transactions cost; it may \
                 find no taker",
                lamports(BASE_FEE_LAMPORTS_DEFAULT)
            )
        })
    }

    /// What will happen to whose money.
    pub(super) fn text(&self, order: &Order, poster: impl fmt::Display) -> String {
        let Quote {
            base_fee_lamports,
            gas_lamports,
            market_fee_lamports,
            escrow_lamports,
            rent_lamports,
            transaction_fee_lamports,
            total_lamports,
        } = self.quote;
        let seats = match self.spec.mode() {
            Mode::Optimistic => String::new(),
            mode => format!("of all seats: {}, {}", self.spec.redundancy(), mode_name(mode)),
        };
        let gas = format!("at most {} gas", grouped(self.prepared.task.limits.gas_limit));
        let rows = [
            ("base fee", base_fee_lamports, seats),
            (gas.as_str(), gas_lamports, format!("{} lamports per 10^12 gas", grouped(order.price))),
            ("market fee", market_fee_lamports, String::new()),
            ("= escrow", escrow_lamports, "what is not used comes back".to_owned()),
            ("rent of the job's account", rent_lamports, "comes back when the job is closed".to_owned()),
            ("transaction", transaction_fee_lamports, String::new()),
        ];
        let mut text = format!(
            "Posts {} ({})\n  in the market {}, paid by {poster}:\n",
            shown_path(&order.dir),
            self.prepared.cid(),
            order.market
        );
        for (name, sum, remark) in rows {
            let line = format!("  {name:<32} {:<18} {remark}", lamports(sum));
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.push_str(&format!("At most {} in all.", lamports(total_lamports)));
        if let Some(remark) = self.remark(order) {
            text.push_str(&format!("\nRemark: {remark}."));
        }
        text
    }
}

/// The costs as `--json` shows them.
#[derive(Debug, Serialize)]
pub(super) struct PlanJson {
    job_cid: String,
    metered_hash: String,
    gas_limit: u64,
    mode: &'static str,
    redundancy: u8,
    price: u64,
    base_fee_lamports: u64,
    escrow_lamports: u64,
    market_fee_lamports: u64,
    rent_lamports: u64,
    transaction_fee_lamports: u64,
    total_lamports: u64,
    estimated_gas: Option<u64>,
    /// Why providers may leave the job alone.
    pub(super) remark: Option<String>,
    job: Option<String>,
    signature: Option<String>,
}

pub(super) async fn submit(context: &Context, args: &SubmitArgs) -> CliResult {
    let chain = Chain::signing(context).await?.with_content(context)?;
    let (market, _) = chain.market().await?;
    let mut order = Order { id: args.id, ..args.order.order(market, chain.now_unix().await?) };
    let mut plan = Plan::make(&chain, &order).await?;
    let mut estimated_gas = None;
    if args.estimate {
        let gas = estimate(context, &order, &plan).await?;
        estimated_gas = Some(gas);
        if order.gas_limit.is_none() && plan.prepared.manifest.limits.and_then(|limits| limits.gas_limit).is_none() {
            order.gas_limit = Some(proposed_limit(gas));
            plan = Plan::make(&chain, &order).await?;
        }
    }
    let mut json = plan_json(&plan, &order, estimated_gas);
    let text = plan.text(&order, chain.signer()?);
    // Everything that can be checked is, before anybody is asked.
    let checked = match check(context, &chain, plan).await {
        Ok(checked) => checked,
        Err(error) => {
            return context.output.result_and(&json, Err(error), || {
                if args.dry_run {
                    println!("{text}");
                }
            });
        }
    };
    if args.dry_run {
        context
            .output
            .result(&json, || println!("{text}\nDry run: it could be posted; nothing was uploaded or posted."));
        return Ok(());
    }
    context.confirm(&text)?;
    let posted = {
        let _progress = Progress::start(context.output, "uploading and posting");
        chain.client().post_checked(checked).await.hint()?
    };
    let job = posted.handle.address();
    (json.job, json.signature) = (Some(job.to_string()), Some(posted.created.signature.to_string()));
    if !args.wait {
        context.output.result(&json, || {
            println!("job {job}");
            println!("next: assay job wait {job}");
        });
        return Ok(());
    }
    context.output.note(format!("job {job}"));
    wait::to_its_end(&chain, context.output, job, args.timeout_s).await
}

/// What the chain would say, and whether the content node is there.
async fn check(context: &Context, chain: &Chain, plan: Plan) -> CliResult<CheckedJob> {
    let _progress = Progress::quiet_start(context.output, "checking");
    let checked = plan.check(chain).await?;
    context
        .kubo()?
        .version()
        .await
        .context("the job could not be uploaded: the content node does not answer")
        .next("start it, or name another with --content: `assay doctor` checks it")?;
    Ok(checked)
}

pub(super) fn plan_json(plan: &Plan, order: &Order, estimated_gas: Option<u64>) -> PlanJson {
    PlanJson {
        job_cid: plan.prepared.cid().to_string(),
        metered_hash: hex::encode(plan.prepared.task.metered_hash),
        gas_limit: plan.prepared.task.limits.gas_limit,
        mode: mode_name(plan.spec.mode()),
        redundancy: plan.spec.redundancy(),
        price: order.price,
        base_fee_lamports: order.base_fee_lamports,
        escrow_lamports: plan.quote.escrow_lamports,
        market_fee_lamports: plan.quote.market_fee_lamports,
        rent_lamports: plan.quote.rent_lamports,
        transaction_fee_lamports: plan.quote.transaction_fee_lamports,
        total_lamports: plan.quote.total_lamports,
        estimated_gas,
        remark: plan.remark(order),
        job: None,
        signature: None,
    }
}

/// Runs the job here, as a provider would, and says what it used.
async fn estimate(context: &Context, order: &Order, plan: &Plan) -> CliResult<u64> {
    let directory = JobDirectory::read(&order.dir)?;
    let ran = {
        let _progress = Progress::start(context.output, "running the job here");
        let engine = EngineArgs { engine: Engine::Auto, no_cache: false, timeout: TimeoutArgs::default() };
        let (manner, compiled) = (engine.provider_manner(), engine.cache(context.output));
        let (task, entries) = (plan.prepared.task, directory.entries);
        sandbox::run(sandbox::Order { task, entries, deadline: None, manner, compiled }).await?
    };
    let gas = ran.outcome.gas_used;
    match ran.outcome.kind {
        OutcomeKind::OutOfGas => Err(CliError::new(format!("the job does not finish within {} gas", grouped(gas)))
            .with_next("estimate again with a higher --gas-limit")),
        OutcomeKind::Invalid => Err(CliError::new(format!("no provider can run the job: {}", ran.text()))
            .with_next("correct the job directory")),
        _ => {
            context.output.note(format!(
                "estimate: {}, {} gas; a gas limit of {} is enough",
                ran.text(),
                grouped(gas),
                grouped(proposed_limit(gas))
            ));
            Ok(gas)
        }
    }
}

/// Gas is the same everywhere, so a hundredth more is plenty; rounded up to be readable.
fn proposed_limit(gas: u64) -> u64 {
    const STEP: u64 = 10_000;
    gas.saturating_add(gas / 100).div_ceil(STEP).max(1).saturating_mul(STEP)
}
