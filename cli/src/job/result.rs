//! `assay job logs` and `assay job get`.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::PathBuf,
};

use assay_content::write_entries;
use assay_sdk::job_handle::JobHandle;
use solana_pubkey::Pubkey;

use super::{GetArgs, state::outcome_text};
use crate::{
    chain::Chain,
    context::Context,
    error::{CliError, CliResult, Context as _, Hint},
    output::printable,
    progress::Progress,
};

pub(super) async fn logs(context: &Context, job: Pubkey) -> CliResult {
    let chain = Chain::reading(context).await?.with_content(context)?;
    let logs = JobHandle::new(chain.client().clone(), job).logs().await.hint()?;
    if context.output.json {
        let json = serde_json::json!({
            "stdout": String::from_utf8_lossy(&logs.stdout),
            "stderr": String::from_utf8_lossy(&logs.stderr),
            "stdout_cut": logs.stdout_cut,
            "stderr_cut": logs.stderr_cut,
        });
        println!("{json}");
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

/// Bytes as they are for a pipe, made harmless for a terminal (W-08).
fn print_bytes(to: &mut (impl Write + IsTerminal), bytes: &[u8]) -> CliResult {
    let result = if to.is_terminal() { to.write_all(printable(bytes).as_bytes()) } else { to.write_all(bytes) };
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

pub(super) async fn get(context: &Context, args: &GetArgs) -> CliResult {
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("result-{}", args.job)));
    if fs::read_dir(&out).is_ok_and(|mut found| found.next().is_some()) {
        return Err(CliError::new(format!("{} exists and is not empty", out.display()))
            .with_next("name another directory with --out, or move it away"));
    }
    let chain = Chain::reading(context).await?.with_content(context)?;
    let result = {
        let _progress = Progress::quiet_start(context.output, "fetching the result");
        JobHandle::new(chain.client().clone(), args.job).result().await.hint()?
    };
    write_entries(&out, &result.entries).context(format!("cannot write the result to {}", out.display()))?;
    let files = result.entries.iter().filter(|entry| entry.bytes().is_some()).count();
    let json = serde_json::json!({
        "job": args.job.to_string(),
        "outcome": format!("{:?}", result.outcome.kind),
        "result_cid": result.cid.to_string(),
        "path": out.display().to_string(),
        "files": files,
    });
    context.output.result(&json, || {
        println!("{}: {files} files of {} in {}", outcome_text(&result.outcome), result.cid, out.display());
    });
    Ok(())
}
