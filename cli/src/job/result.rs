//! `assay job logs` and `assay job get`.

use std::{fs, io, path::PathBuf};

use assay_content::write_entries;
use assay_sdk::job_handle::{JobError, JobHandle, JobResult};
use solana_pubkey::Pubkey;

use super::{GetArgs, state::no_result};
use crate::{
    chain::Chain,
    context::Context,
    ended::outcome_text,
    error::{CliError, CliResult, Context as _, Exit, Hint},
    output::{print_bytes, print_json, shown_path},
    progress::Progress,
};

pub(super) async fn logs(context: &Context, job: Pubkey) -> CliResult {
    let chain = Chain::reading(context).await?.with_content(context)?;
    let handle = JobHandle::new(chain.client().clone(), job);
    let logs = result_of(&chain, &handle).await?.logs().hint()?;
    if context.output.json {
        print_json(&serde_json::json!({
            "stdout": String::from_utf8_lossy(&logs.stdout),
            "stderr": String::from_utf8_lossy(&logs.stderr),
            "stdout_cut": logs.stdout_cut,
            "stderr_cut": logs.stderr_cut,
        }));
        return Ok(());
    }
    print_bytes(&mut io::stdout().lock(), &logs.stdout)?;
    print_bytes(&mut io::stderr().lock(), &logs.stderr)?;
    for (name, cut) in [("stdout", logs.stdout_cut), ("stderr", logs.stderr_cut)] {
        if cut {
            context.output.note(format!("{name} was cut at the job's limit"));
        }
    }
    Ok(())
}

/// The result's files; the error says whether there will ever be any.
async fn result_of(chain: &Chain, handle: &JobHandle) -> CliResult<JobResult> {
    let view = handle.status().await.hint()?;
    if view.outcome.is_none() {
        return Err(no_result(&view, chain.now_unix().await?));
    }
    match handle.result_of(&view).await {
        Err(error @ JobError::NoPackage { .. }) => Err(error).hint().map_err(|error| error.with_exit(Exit::NoResult)),
        result => result.hint(),
    }
}

pub(super) async fn get(context: &Context, args: &GetArgs) -> CliResult {
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("result-{}", args.job)));
    if fs::read_dir(&out).is_ok_and(|mut found| found.next().is_some()) {
        return Err(CliError::new(format!("{} exists and is not empty", shown_path(&out)))
            .with_next("name another directory with --out, or move it away"));
    }
    let chain = Chain::reading(context).await?.with_content(context)?;
    let result = {
        let _progress = Progress::quiet_start(context.output, "fetching the result");
        result_of(&chain, &JobHandle::new(chain.client().clone(), args.job)).await?
    };
    write_entries(&out, &result.entries).context(format!("cannot write the result to {}", shown_path(&out)))?;
    let files = result.entries.iter().filter(|entry| entry.bytes().is_some()).count();
    let json = serde_json::json!({
        "job": args.job.to_string(),
        "outcome": result.outcome.kind.name(),
        "result_cid": result.cid.to_string(),
        "path": out.display().to_string(),
        "files": files,
    });
    context.output.result(&json, || {
        println!("{}: {files} files of {} in {}", outcome_text(&result.outcome), result.cid, shown_path(&out));
    });
    Ok(())
}
