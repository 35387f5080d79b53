//! `assay job wait`: follows a job, says every state, its age and its reason.

use std::time::{Duration, Instant};

use assay_protocol::JobStatus;
use assay_sdk::job_handle::{JobError, JobHandle, JobView, WaitOptions};
use solana_pubkey::Pubkey;

use super::{
    WaitArgs,
    describe::{obstacles, seat},
    view::JobJson,
};
use crate::{
    chain::Chain,
    context::Context,
    error::{CliError, CliResult, Exit, Hint},
    output::Output,
    progress::Progress,
};

/// How often the reasons of an unchanged state are looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Steps that anybody may take are taken after they were due this long.
const ADVANCE_AFTER_S: u32 = 5;

pub(super) async fn wait(context: &Context, args: &WaitArgs) -> CliResult {
    // With a keypair at hand the job is helped along when its provider is gone; without one it is only watched.
    let chain = match context.keypair() {
        Ok(_) => Chain::signing(context).await?,
        Err(_) => Chain::reading(context).await?,
    };
    let view = follow(&chain, context.output, args.job, args.timeout_s.map(Duration::from_secs)).await?;
    let now_unix = chain.now_unix().await?;
    let json = JobJson::new(&view, None, now_unix);
    context.output.result(&json, || json.print());
    require_result(&view)
}

/// Exit code 5 for a job that ended without a result.
pub(super) fn require_result(view: &JobView) -> CliResult {
    if view.status == JobStatus::Resolved {
        return Ok(());
    }
    let what = format!("job {} ended without a result: it is {}", view.address, super::state::status_name(view.status));
    let next = format!("see why: assay job describe {}", view.address);
    Err(CliError::new(what).with_exit(Exit::NoResult).with_next(next))
}

/// Follows a job to its end and prints every change on stderr.
pub(super) async fn follow(
    chain: &Chain,
    output: Output,
    job: Pubkey,
    timeout: Option<Duration>,
) -> CliResult<JobView> {
    let handle = JobHandle::new(chain.client().clone(), job);
    let mut progress = Progress::start(output, format!("following {job}"));
    let started = Instant::now();
    let mut said = String::new();
    loop {
        let now_unix = chain.now_unix().await?;
        let options = WaitOptions { timeout: Some(LOOK_AGAIN), advance_after_s: Some(ADVANCE_AFTER_S) };
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
            Err(JobError::Timeout { waited, .. })
                if timeout.is_some_and(|timeout| started.elapsed() + waited / 2 >= timeout) =>
            {
                let view = handle.status().await.hint()?;
                let reason = JobJson::new(&view, None, chain.now_unix().await?).state_line();
                return Err(CliError::new(format!("job {job} has not ended in time: {reason}"))
                    .with_next(format!("see what it waits for: assay job describe {job}")));
            }
            Err(JobError::Timeout { .. }) => progress.set(moving(chain, &handle).await?),
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
        text.push_str(&format!("\n    {}: {}", obstacle.provider, obstacle.reason));
    }
    Ok(text)
}
