//! `assay job wait`: follows a job, says every state, its age and its reason.

use std::time::{Duration, Instant};

use assay_protocol::JobStatus;
use assay_sdk::job_handle::{JobError, JobHandle, JobView, WaitOptions};
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::{
    WaitArgs,
    describe::{Obstacle, obstacles, seat},
    state::no_result,
    view::JobJson,
};
use crate::{
    chain::Chain,
    context::Context,
    error::{CliError, CliResult, Context as _, Exit, Hint},
    output::Output,
    progress::Progress,
};

/// How often the reasons of an unchanged state are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// A cluster that does not answer is waited for as long.
const PATIENCE: Duration = Duration::from_secs(30);
/// Steps that anybody may take are taken after they were due this long.
const ADVANCE_AFTER_S: u32 = 5;

pub(super) async fn wait(context: &Context, args: &WaitArgs) -> CliResult {
    // With a keypair at hand the job is helped along when its provider is gone; without one it is only watched.
    let chain = match context.keypair() {
        Ok(_) => Chain::signing(context).await?,
        Err(_) => Chain::reading(context).await?,
    };
    to_its_end(&chain, context.output, args.job, args.timeout_s).await
}

/// A job as `wait` and `submit --wait` end with it.
#[derive(Debug, Serialize)]
struct WaitJson {
    #[serde(flatten)]
    job: JobJson,
    /// Why no provider has taken it, while it is open.
    obstacles: Vec<Obstacle>,
}

/// Follows a job and shows what became of it. Exit code 5 when it ended without a result, 6 when the time was over.
pub(super) async fn to_its_end(chain: &Chain, output: Output, job: Pubkey, timeout_s: Option<u32>) -> CliResult {
    let timeout = timeout_s.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let view = tokio::select! {
        view = follow(chain, output, job, timeout) => view?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            return Err(CliError::new(format!("interrupted; job {job} goes on without you"))
                .with_exit(Exit::Interrupted)
                .with_next(format!(
                    "follow it again: assay job wait {job}; take it back while nobody holds it: assay job cancel {job}"
                )));
        }
    };
    // It has ended, whatever an endpoint without its history fails to say about why.
    let known = JobHandle::new(chain.client().clone(), job).no_result(&view).await.unwrap_or_default();
    let view = JobView { no_result: known, ..view };
    let now_unix = chain.now_unix().await?;
    let json = WaitJson { job: JobJson::new(&view, None, now_unix), obstacles: Vec::new() };
    let checked = if view.status == JobStatus::Resolved { Ok(()) } else { Err(no_result(&view, now_unix)) };
    output.result_and(&json, checked, || json.job.print())
}

/// The time to wait is over and nothing failed: where the job stands, who holds it up, how to go on.
async fn out_of_time(chain: &Chain, handle: &JobHandle, waited: Duration) -> CliResult<CliError> {
    let job = handle.address();
    let view = handle.status().await.hint()?;
    let seat = seat(handle, &view).await?;
    let json = WaitJson {
        job: JobJson::new(&view, seat.as_ref(), chain.now_unix().await?),
        obstacles: obstacles(chain, handle, &view).await?,
    };
    let what = format!("job {job} had not ended after {} s: {}", waited.as_secs(), json.job.state_line());
    let error = CliError::new(what).with_exit(Exit::NotEnded).with_result(&json);
    let error = json.obstacles.iter().fold(error, |error, obstacle| error.with_cause(obstacle.to_string()));
    Ok(error.with_next(format!("it goes on; follow it again: assay job wait {job}")))
}

/// Follows a job to its end and prints every change on stderr.
async fn follow(chain: &Chain, output: Output, job: Pubkey, timeout: Option<Duration>) -> CliResult<JobView> {
    let handle = JobHandle::new(chain.client().clone(), job);
    let mut progress = Progress::start(output, format!("following {job}"));
    let started = Instant::now();
    let is_over = || timeout.is_some_and(|timeout| started.elapsed() >= timeout);
    let mut answered = started;
    let mut said = String::new();
    loop {
        // Asking backs off by itself, so this loop has no pause of its own.
        let now_unix = match chain.now_unix().await {
            Err(error) if error.is_unreachable() && answered.elapsed() < PATIENCE && !is_over() => {
                progress.set("the cluster does not answer; waiting for it");
                continue;
            }
            now => now.context(format!("lost sight of job {job}, which goes on"))?,
        };
        answered = Instant::now();
        let left = timeout.map_or(LOOK_AGAIN, |timeout| timeout.saturating_sub(started.elapsed()).min(LOOK_AGAIN));
        let options = WaitOptions { timeout: Some(left), advance_after_s: Some(ADVANCE_AFTER_S) };
        let mut lines = Vec::new();
        let ended = handle.wait(options, |view| lines.push(JobJson::new(view, None, now_unix))).await;
        for line in lines {
            if line.state != said {
                said = line.state.to_owned();
                progress.line(format!("  {}", line.state_line()));
            }
        }
        match ended {
            Ok(view) => return Ok(view),
            Err(JobError::Timeout { .. }) if is_over() => {
                return Err(out_of_time(chain, &handle, started.elapsed()).await?);
            }
            Err(JobError::Timeout { .. }) => match moving(chain, &handle).await {
                Err(error) if error.is_unreachable() => {}
                text => progress.set(text?),
            },
            Err(error) => return Err(error).hint(),
        }
    }
}

/// The moving line: state, age, reason, and who holds back why.
async fn moving(chain: &Chain, handle: &JobHandle) -> CliResult<String> {
    let view = handle.status().await.hint()?;
    let seat = seat(handle, &view).await?;
    let mut text = JobJson::new(&view, seat.as_ref(), chain.now_unix().await?).state_line();
    for obstacle in obstacles(chain, handle, &view).await? {
        text.push_str(&format!("\n    {obstacle}"));
    }
    Ok(text)
}
