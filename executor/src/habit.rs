//! Bots with one bad habit, for tests and demonstrations of what it costs them. Without the feature `habits`, which no
//! released binary has, the hooks below are empty functions, and nothing is asked of the environment.
//!
//! With it, `ASSAY_HABIT=name` gives this process the [`Habit`] of that name. Everything else is the real bot: its
//! journal, its guards, its retries. Each habit is a hook where the core meets the world, and none is in the core.

use std::{fmt, str::FromStr};

/// What a bot does that it should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Habit {
    /// Runs every job, and flips a bit of the result's digest before the outcome is recorded.
    Wrong,
    /// Runs no job: says what it last saw on chain for the same module, or makes something up.
    Lazy,
    /// Commits to what another seat committed to, which it cannot reveal.
    Copycat,
    /// Takes seats, and neither commits nor submits.
    Silent,
    /// Commits, and never reveals.
    NoReveal,
}

impl Habit {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Wrong, Self::Lazy, Self::Copycat, Self::Silent, Self::NoReveal];

    /// Its name on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Lazy => "lazy",
            Self::Copycat => "copycat",
            Self::Silent => "silent",
            Self::NoReveal => "no-reveal",
        }
    }
}

impl fmt::Display for Habit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Habit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|habit| habit.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text} is no habit; there are {names}")
        })
    }
}

/// Environment variable that names the habit of a binary that can have one.
pub const HABIT_VARIABLE: &str = "ASSAY_HABIT";

#[cfg(not(feature = "habits"))]
mod hooks {
    use solana_pubkey::Pubkey;

    use crate::core::{JobView, OutcomeBytes, TxKind, WorkFault};
    use assay_protocol::Hash32;

    /// Whether this process may start: it has no habit, or one that there is.
    ///
    /// # Errors
    /// Never, here.
    #[inline]
    pub const fn check() -> Result<(), String> {
        Ok(())
    }

    /// What is recorded of a run, which is what it gave.
    ///
    /// # Errors
    /// Those of the run.
    #[inline]
    pub async fn recorded(
        _job: &JobView,
        run: impl Future<Output = Result<OutcomeBytes, WorkFault>>,
    ) -> Result<OutcomeBytes, WorkFault> {
        run.await
    }

    /// Whether a result is passed off as published that there is not.
    #[inline]
    pub const fn feigns_results() -> bool {
        false
    }

    /// Whether a transaction is not sent that is due.
    #[inline]
    pub const fn withholds(_kind: TxKind, _job: &Pubkey) -> bool {
        false
    }

    /// What is committed to, instead of this.
    #[inline]
    pub const fn committed(_job: &Pubkey, commitment: Hash32) -> Hash32 {
        commitment
    }
}

#[cfg(feature = "habits")]
mod hooks {
    use std::{
        collections::BTreeMap,
        sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    };

    use assay_protocol::{Hash32, Outcome, OutcomeKind};
    use assay_sdk::program::accounts::{Execution, Job};
    use solana_pubkey::Pubkey;

    use super::{HABIT_VARIABLE, Habit};
    use crate::core::{JobView, OutcomeBytes, TxKind, WorkFault};

    /// Most modules and jobs that are remembered; beyond it all are forgotten.
    const REMEMBERED_MAX: usize = 4_096;

    static HABIT: LazyLock<Result<Option<Habit>, String>> = LazyLock::new(|| match std::env::var(HABIT_VARIABLE) {
        Ok(name) => name.parse().map(Some).map_err(|problem| format!("start with {HABIT_VARIABLE}: {problem}")),
        Err(_) => Ok(None),
    });

    static SEEN: Mutex<Seen> = Mutex::new(Seen { outcomes: BTreeMap::new(), commitments: BTreeMap::new() });

    /// What others showed on chain.
    struct Seen {
        /// The last outcome of each module.
        outcomes: BTreeMap<Hash32, OutcomeBytes>,
        /// The first commitment of another seat, by job.
        commitments: BTreeMap<Pubkey, Hash32>,
    }

    fn seen() -> MutexGuard<'static, Seen> {
        SEEN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(habit: Habit) -> bool {
        matches!(&*HABIT, Ok(Some(own)) if *own == habit)
    }

    /// Whether this process may start: it has no habit, or one that there is.
    ///
    /// # Errors
    /// When there is no habit of that name.
    pub fn check() -> Result<(), String> {
        if let Some(habit) = HABIT.clone()? {
            tracing::warn!(%habit, "habit_in_force");
        }
        Ok(())
    }

    /// What is recorded of a run: of `wrong` another result, of `lazy` what was never run.
    ///
    /// # Errors
    /// Those of the run.
    pub async fn recorded(
        job: &JobView,
        run: impl Future<Output = Result<OutcomeBytes, WorkFault>>,
    ) -> Result<OutcomeBytes, WorkFault> {
        if has(Habit::Lazy) {
            return Ok(guessed(job));
        }
        let outcome = run.await?;
        Ok(if has(Habit::Wrong) { falsified(outcome, job) } else { outcome })
    }

    fn guessed(job: &JobView) -> OutcomeBytes {
        let last = seen().outcomes.get(&job.metered_hash).copied();
        let fits = |bytes: &OutcomeBytes| Outcome::decode(bytes, job.limits.gas_limit).is_ok();
        let made_up = Outcome {
            kind: OutcomeKind::Exited,
            detail: 0,
            exit_code: 0,
            gas_used: 0,
            // Some directory that there is.
            result_cid_digest: job.job_cid_digest,
            state_root: [0; 32],
        };
        last.filter(fits).unwrap_or_else(|| made_up.encode())
    }

    fn falsified(outcome: OutcomeBytes, job: &JobView) -> OutcomeBytes {
        match Outcome::decode(&outcome, job.limits.gas_limit) {
            Ok(mut outcome) if outcome.kind != OutcomeKind::Invalid => {
                outcome.result_cid_digest[0] ^= 1;
                outcome.encode()
            }
            // There is no other outcome of this kind to pass it off as.
            _ => outcome,
        }
    }

    /// Whether a result is passed off as published that there is not.
    pub fn feigns_results() -> bool {
        has(Habit::Wrong) || has(Habit::Lazy)
    }

    /// Whether a transaction is not sent that is due. `copycat` waits for something to copy; who lied defends no lie.
    pub fn withholds(kind: TxKind, job: &Pubkey) -> bool {
        match kind {
            TxKind::Commit => has(Habit::Silent) || (has(Habit::Copycat) && !seen().commitments.contains_key(job)),
            TxKind::Submit => has(Habit::Silent),
            TxKind::Reveal => has(Habit::NoReveal),
            // It knows that it lied, and bets nothing on it.
            TxKind::Challenge | TxKind::Appeal(_) => feigns_results(),
            _ => false,
        }
    }

    /// What is committed to, instead of this.
    pub fn committed(job: &Pubkey, commitment: Hash32) -> Hash32 {
        let copied = has(Habit::Copycat).then(|| seen().commitments.get(job).copied()).flatten();
        copied.unwrap_or(commitment)
    }

    /// Whether other seats' commitments are of interest.
    pub fn copies() -> bool {
        has(Habit::Copycat)
    }

    /// Takes in another seat.
    pub fn saw_seat(seat: &Execution) {
        if seat.commitment == [0; 32] {
            return;
        }
        let mut seen = seen();
        if seen.commitments.len() >= REMEMBERED_MAX {
            seen.commitments.clear();
        }
        seen.commitments.entry(seat.job).or_insert(seat.commitment);
    }

    /// Takes in what stands for a job.
    pub fn saw_job(job: &Job) {
        if !has(Habit::Lazy) || job.outcome[0] == 0 {
            return;
        }
        let mut seen = seen();
        if seen.outcomes.len() >= REMEMBERED_MAX {
            seen.outcomes.clear();
        }
        seen.outcomes.insert(job.metered_hash, job.outcome);
    }
}

pub use hooks::*;
