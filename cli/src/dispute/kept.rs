//! What is hidden in disputes, on disk before it is sent: in the bot's own form of a journal, which never takes a second outcome
//! of one job (I-07), and of a provider in its bot's own journal.

use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use assay_executor::{
    Config, InstanceLock,
    core::{JobRow, JobUid, Spent},
    journal::Journal,
};
use assay_protocol::limits::UNBONDING_S_MAX;
use assay_sdk::{JobView, Sent, program::accounts::Job};
use solana_pubkey::Pubkey;

use crate::{
    chain::{Action, Chain},
    config::state_home,
    context::Context,
    error::{CliResult, Context as _, Hint},
    output::shown_path,
};

const WALLET_NEXT: &str = "if another `assay dispute` is at it, run this again when it is through; a damaged file is replaced by a copy \
                           of it: what is lost cannot be shown, and its bond is lost";
/// Days after which nothing that a wallet said can be due any more: longer than any market's unbonding period, which outlasts every
/// result's window and every dispute over it with all its rounds. Two more, since days begin and end at any hour.
const KEPT_DAYS: i64 = UNBONDING_S_MAX as i64 / Spent::DAY_S + 2;
/// Most rows that one command looks up to forget them: one request.
const FORGOTTEN_AT_ONCE_MAX: usize = 100;

const BOT_NEXT: &str = "a bot that runs votes by itself, and shows what it hid; stop it to vote by hand";

/// A folder with a journal. Locked only while it is read or written.
pub(super) struct Kept {
    dir: PathBuf,
    /// What to do when it cannot be used.
    next: &'static str,
    /// Beside running the command again, what else sends what is on record.
    or_else: &'static str,
    /// Whether nobody else forgets what is over.
    forgets: bool,
}

impl Kept {
    /// Of a wallet that challenges and appeals.
    pub(super) fn of_wallet(wallet: &Pubkey) -> CliResult<Self> {
        let dir = state_home()?.join("assay").join("disputes").join(wallet.to_string());
        Ok(Self { dir, next: WALLET_NEXT, or_else: "", forgets: true })
    }

    /// Of a provider that votes: its bot's.
    pub(super) fn of_bot(config: &Config) -> Self {
        Self { dir: config.provider.data_dir.clone(), next: BOT_NEXT, or_else: ", or start the bot", forgets: false }
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
        let sent = chain.send(context, action).await.next(again)?;
        if self.forgets
            && let Err(error) = self.forget_what_is_over(chain, today()).await
        {
            // Only old rows stay; the next command tries again.
            tracing::debug!(causes = ?error.causes(), "rows not forgotten: {}", error.what());
        }
        Ok(sent)
    }

    /// Drops the rows of jobs that are gone from the chain and with which nothing can be due any more by this machine's own clock. An
    /// endpoint that is behind, lies, or is of another cluster takes no salt away that could be needed.
    async fn forget_what_is_over(&self, chain: &Chain, today: i64) -> CliResult {
        let old: Vec<(JobUid, Pubkey)> = {
            let (journal, _lock) = self.open()?;
            let old = journal.rows().filter(|row| is_past(row, today)).map(|row| (row.uid, row.job));
            old.take(FORGOTTEN_AT_ONCE_MAX).collect()
        };
        if old.is_empty() {
            return Ok(());
        }
        let addresses: Vec<Pubkey> = old.iter().map(|(_, job)| *job).collect();
        let accounts = chain.client().fetch_many::<Job>(&addresses).await.hint()?;
        let (mut journal, _lock) = self.open()?;
        for ((uid, _), account) in old.iter().zip(accounts) {
            // At the address of a job that was closed another may be.
            let is_gone = account.is_none_or(|job| job.job_uid != uid.0);
            // Another command may have written the row meanwhile.
            if is_gone && journal.row(*uid).is_some_and(|row| is_past(row, today)) {
                let slot = journal.seen_slot();
                journal.forget(*uid, slot).context("a row that is over could not be forgotten").next(self.next)?;
            }
        }
        Ok(())
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

/// Puts on record when a bond was put in: the later of the chain's clock and this machine's, as no endpoint may make a row older than
/// it is.
pub(super) fn spend(row: &mut JobRow, (bonds_lamports, now_unix): (u64, i64)) {
    let day = Spent::day_of(now_unix).max(today());
    let more = Spent { day, gas: 0, bonds_lamports };
    row.spent = Some(row.spent.unwrap_or_default().plus(more));
}

/// Whether nothing that this row says can be due any more. One that does not say how old it is stays.
fn is_past(row: &JobRow, today: i64) -> bool {
    row.spent.is_some_and(|spent| today.saturating_sub(spent.day) > KEPT_DAYS)
}

/// By this machine's clock.
fn today() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Spent::day_of(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_past_only_when_every_dispute_of_its_time_is_over_and_never_when_its_age_is_unknown() {
        let mut row = JobRow::new(JobUid([1; 32]), Pubkey::new_unique(), 7);
        assert!(!is_past(&row, i64::MAX));
        row.spent = Some(Spent { day: 100, ..Spent::default() });
        assert!(!is_past(&row, 0) && !is_past(&row, 100 + KEPT_DAYS) && is_past(&row, 101 + KEPT_DAYS));
        assert!((KEPT_DAYS - 1) * Spent::DAY_S > i64::from(UNBONDING_S_MAX));
    }

    #[test]
    fn an_endpoint_that_is_behind_does_not_make_a_row_older_than_it_is() {
        let mut row = JobRow::new(JobUid([1; 32]), Pubkey::new_unique(), 7);
        let before = today();
        spend(&mut row, (5, 0));
        assert!(row.spent.is_some_and(|spent| spent.day >= before && spent.bonds_lamports == 5));
        let later = (before + 9) * Spent::DAY_S;
        spend(&mut row, (6, later));
        assert_eq!(row.spent, Some(Spent { day: before + 9, gas: 0, bonds_lamports: 6 }));
    }
}
