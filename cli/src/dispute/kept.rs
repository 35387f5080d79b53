//! What is hidden in disputes, on disk before it is sent: in the bot's own form of a journal, which never takes a second outcome
//! of one job (I-07), and of a provider in its bot's own journal.

use std::path::{Path, PathBuf};

use assay_executor::{
    Config, InstanceLock,
    core::{JobRow, JobUid},
    journal::Journal,
};
use assay_sdk::{JobView, Sent};
use solana_pubkey::Pubkey;

use crate::{
    chain::{Action, Chain},
    config::state_home,
    context::Context,
    error::{CliResult, Context as _},
    output::shown_path,
};

const WALLET_NEXT: &str = "if another `assay dispute` is at it, run this again when it is through; a damaged file is replaced by a copy \
                           of it: what is lost cannot be shown, and its bond is lost";
const BOT_NEXT: &str = "a bot that runs votes by itself, and shows what it hid; stop it to vote by hand";

/// A folder with a journal. Locked only while it is read or written.
pub(super) struct Kept {
    dir: PathBuf,
    /// What to do when it cannot be used.
    next: &'static str,
    /// Beside running the command again, what else sends what is on record.
    or_else: &'static str,
}

impl Kept {
    /// Of a wallet that challenges and appeals.
    pub(super) fn of_wallet(wallet: &Pubkey) -> CliResult<Self> {
        let dir = state_home()?.join("assay").join("disputes").join(wallet.to_string());
        Ok(Self { dir, next: WALLET_NEXT, or_else: "" })
    }

    /// Of a provider that votes: its bot's.
    pub(super) fn of_bot(config: &Config) -> Self {
        Self { dir: config.provider.data_dir.clone(), next: BOT_NEXT, or_else: ", or start the bot" }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.dir
    }

    /// What is known of a job.
    pub(super) fn row(&self, view: &JobView) -> CliResult<JobRow> {
        let (journal, _lock) = self.open()?;
        let uid = JobUid(view.job_uid);
        Ok(journal.row(uid).cloned().unwrap_or_else(|| JobRow::new(uid, view.address, view.created_slot)))
    }

    /// Asks, records the row, and only then sends what it says.
    pub(super) async fn say(
        &self,
        (chain, context): (&Chain, &Context),
        (row, slot): (&JobRow, u64),
        action: &Action<'_>,
    ) -> CliResult<Sent> {
        chain.ask(context, action).await?;
        self.record(row, slot)?;
        let (path, or_else) = (shown_path(&self.dir), self.or_else);
        let again = format!("what you hold is on record in {path}: run the same command again to send it{or_else}");
        chain.send(context, action).await.next(again)
    }

    /// When this returns, the row is on disk and what it says may be sent.
    fn record(&self, row: &JobRow, slot: u64) -> CliResult {
        let (mut journal, _lock) = self.open()?;
        let slot = journal.seen_slot().max(slot);
        journal.put(row, slot).context("nothing was sent: what is to be said could not be recorded").next(self.next)
    }

    fn open(&self) -> CliResult<(Journal, InstanceLock)> {
        let problem =
            || format!("what is hidden in disputes is kept in {}, which cannot be used", shown_path(&self.dir));
        let lock = InstanceLock::acquire(&self.dir).context(problem()).next(self.next)?;
        let journal = Journal::open(&self.dir).context(problem()).next(self.next)?;
        Ok((journal, lock))
    }
}
