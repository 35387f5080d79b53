//! `assay job describe`.

use std::fmt;

use assay_protocol::{ExecutionStatus, JobStatus, Outcome};
use assay_sdk::{
    accounts::Keyed,
    job_handle::{JobHandle, JobView, NoResult, Posting},
    job_spec::BASE_FEE_LAMPORTS_DEFAULT,
    program::{accounts::Execution, result_cid},
};
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::{module::ModuleJson, state::seat_name, timeline::HistoryJson, view::JobJson};
use crate::{
    chain::Chain,
    context::Context,
    ended::outcome_text,
    error::{CliResult, Hint},
    output::lamports,
};

/// Stands for the provider when there is none.
const NOBODY: &str = "none";

/// Why a provider has not accepted a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Obstacle {
    /// The Provider account.
    pub provider: String,
    /// The first condition that fails.
    pub reason: String,
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.provider.as_str() {
            NOBODY => f.write_str(&self.reason),
            provider => write!(f, "provider {provider}: {}", self.reason),
        }
    }
}

/// One of several seats.
#[derive(Debug, Serialize)]
struct SeatJson {
    seat: u8,
    /// The Provider account.
    provider: String,
    /// `accepted`, `committed`, `revealed`, `missed`.
    state: &'static str,
    /// What it revealed.
    outcome: Option<String>,
    /// Result directory of that.
    result_cid: Option<String>,
    /// Whether that is what stands now; `None` as long as nothing stands.
    stands: Option<bool>,
}

impl SeatJson {
    /// The seats of a job that has several, as far as they are not settled yet.
    async fn all(handle: &JobHandle, view: &JobView) -> CliResult<Vec<Self>> {
        if view.account.as_ref().is_none_or(|job| job.redundancy < 2) {
            return Ok(Vec::new());
        }
        let mut seats: Vec<Execution> =
            handle.executions().await.hint()?.into_iter().map(|found| found.account).collect();
        seats.sort_unstable_by_key(|seat| seat.seat);
        Ok(seats.iter().map(|seat| Self::new(seat, view)).collect())
    }

    fn new(seat: &Execution, view: &JobView) -> Self {
        let status = seat.execution_status();
        let revealed = (status == Some(ExecutionStatus::Submitted))
            .then(|| Outcome::decode(&seat.outcome, view.task.limits.gas_limit).ok())
            .flatten();
        Self {
            seat: seat.seat,
            provider: seat.provider.to_string(),
            state: seat_name(status),
            outcome: revealed.as_ref().map(outcome_text),
            result_cid: revealed.as_ref().and_then(result_cid).map(|cid| cid.to_string()),
            stands: revealed.and_then(|outcome| Some(view.outcome? == outcome)),
        }
    }

    fn print(&self) {
        let Self { seat, provider, state, outcome, result_cid, stands } = self;
        let outcome = outcome.as_ref().map_or_else(String::new, |outcome| format!(" {outcome}"));
        let result = result_cid.as_ref().map_or_else(String::new, |cid| format!(", result {cid}"));
        let stands = if *stands == Some(false) { ", not what stands" } else { "" };
        println!("seat {seat}    {provider}: {state}{outcome}{result}{stands}");
    }
}

/// A job that had the address before.
#[derive(Debug, Serialize)]
struct EarlierJson {
    /// Unknown when the endpoint no longer has its beginning.
    job_uid: Option<String>,
    history: Vec<HistoryJson>,
}

#[derive(Debug, Serialize)]
struct DescribeJson {
    #[serde(flatten)]
    job: JobJson,
    /// What is on record of its module; `None`: nothing.
    module: Option<ModuleJson>,
    seats: Vec<SeatJson>,
    obstacles: Vec<Obstacle>,
    history: Vec<HistoryJson>,
    earlier: Vec<EarlierJson>,
}

/// The Execution of whoever holds the seat.
pub(super) async fn seat(handle: &JobHandle, view: &JobView) -> CliResult<Option<Execution>> {
    if view.account.is_none() || view.provider.is_none() {
        return Ok(None);
    }
    let found = handle.executions().await.hint()?;
    Ok(found.into_iter().map(|Keyed { account, .. }| account).find(|seat| Some(seat.provider) == view.provider))
}

/// For each provider of the market, why it has not accepted an open job.
pub(super) async fn obstacles(chain: &Chain, handle: &JobHandle, view: &JobView) -> CliResult<Vec<Obstacle>> {
    if view.status != JobStatus::Open || view.account.is_none() {
        return Ok(Vec::new());
    }
    let providers: Vec<Pubkey> = chain.providers(view.market).await?.iter().map(|found| found.address).collect();
    if providers.is_empty() {
        let reason = "the market has no provider at all".to_owned();
        return Ok(vec![Obstacle { provider: NOBODY.to_owned(), reason }]);
    }
    let is_drawn = view.account.as_ref().is_some_and(|job| job.redundancy > 1);
    let checks = handle.explain(&providers).await.hint()?;
    let reason = |check: Option<assay_sdk::explain::AcceptCheck>| match check {
        Some(check) => check.detail,
        None if view.price.base_fee_lamports < BASE_FEE_LAMPORTS_DEFAULT => format!(
            "nothing on chain; the base fee is less than the {} that providers ask for by default",
            lamports(BASE_FEE_LAMPORTS_DEFAULT)
        ),
        None if is_drawn => {
            "nothing on chain; none of its tickets has won yet, more win every moment; or it has not looked yet, \
                             is down, or its own policy refuses the job"
                .to_owned()
        }
        None => "nothing on chain; it has not looked yet, is down, or its own policy refuses the job".to_owned(),
    };
    Ok(providers
        .iter()
        .zip(checks)
        .map(|(provider, check)| Obstacle { provider: provider.to_string(), reason: reason(check) })
        .collect())
}

pub(super) async fn describe(context: &Context, job: Pubkey) -> CliResult {
    let chain = Chain::reading(context).await?;
    let handle = JobHandle::new(chain.client().clone(), job);
    let mut view = handle.status().await.hint()?;
    let now_unix = chain.now_unix().await?;
    let seat = seat(&handle, &view).await?;
    let (own, earlier): (Vec<Posting>, Vec<Posting>) =
        handle.postings().await.hint()?.into_iter().partition(|posting| posting.job_uid == Some(view.job_uid));
    if view.status == JobStatus::Expired {
        view.no_result = own.first().and_then(|posting| NoResult::of_history(&posting.records));
    }
    let all = DescribeJson {
        job: JobJson::new(&view, seat.as_ref(), now_unix),
        module: ModuleJson::read(chain.client(), view.market, view.task.metered_hash).await?,
        seats: SeatJson::all(&handle, &view).await?,
        obstacles: obstacles(&chain, &handle, &view).await?,
        history: own
            .iter()
            .flat_map(|posting| HistoryJson::all(&posting.records, view.task.limits.gas_limit))
            .collect(),
        earlier: earlier
            .iter()
            .map(|Posting { job_uid, records }| EarlierJson {
                job_uid: job_uid.map(hex::encode),
                history: HistoryJson::all(records, u64::MAX),
            })
            .collect(),
    };
    context.output.result(&all, || {
        all.job.print();
        all.module.iter().for_each(|module| println!("module    {}", module.text()));
        all.seats.iter().for_each(SeatJson::print);
        for obstacle in &all.obstacles {
            println!("waits     {obstacle}");
        }
        println!("history");
        HistoryJson::print_all(&all.history, now_unix);
        for EarlierJson { job_uid, history } in &all.earlier {
            let uid = job_uid.as_deref().unwrap_or("unknown, its beginning is no longer to be had");
            println!("an earlier job at this address, closed since: uid {uid}");
            HistoryJson::print_all(history, now_unix);
        }
    });
    Ok(())
}
