//! What a poster asks for: a directory, a market and a price.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use assay_content::{
    BlockSet, Budget, Cid, CidError, Entry, PackError, PackLimits, Package, UnpackError, digest_from_cid, pack_path,
    unpack,
};
use assay_metering::ModuleInfo;
use assay_protocol::{
    Hash32, METERED_HASH_UNSTATED, Mode, PROFILE_V1, TaskLimits, TaskSpec,
    fees::Price,
    limits::{CLOCK_UNIX_NS_DEFAULT, SEED_DEFAULT},
};
use solana_pubkey::Pubkey;
use thiserror::Error;

mod quote;

pub use quote::{Quote, QuoteInput};

use crate::{
    errors::NextStep,
    manifest::{JobManifest, MANIFEST_FILE_NAME, out_of_bounds},
    program::accounts::Market,
    task::{self, CheckedTask, InvalidTask},
};

/// Price of a job that states none: lamports per 10^12 gas.
pub const PRICE_DEFAULT: u64 = 1_000_000;

/// Base fee of a job that states none, and the least that a provider's bot asks for unless it is told otherwise: what the
/// transactions of a seat cost that is one of several (accept, behind the draw's record; commit; reveal; settle, and what
/// else ends the job; claim), so that no job, not even an invalid one, is a loss for whoever takes it. A seat alone takes one
/// less. One sum for both: a poster that asks for more seats later need not know.
pub const BASE_FEE_LAMPORTS_DEFAULT: u64 = 25_000;

/// What a poster asks for. Made by [`JobSpec::builder`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    directory: PathBuf,
    market: Pubkey,
    price: Price,
    limits: Option<TaskLimits>,
    gas_limit: Option<u64>,
    seed: Option<u64>,
    clock_unix_ns: Option<u64>,
    redundancy: u8,
    mode: Option<Mode>,
    min_trust_bps: u16,
    agreement_s: Option<u32>,
    expires_unix: i64,
    id: Option<u64>,
}

/// Builds a [`JobSpec`]. Everything but directory and market has a default.
#[derive(Clone, Debug)]
pub struct JobSpecBuilder {
    spec: JobSpec,
}

impl JobSpec {
    /// A job in this directory, posted in this market.
    #[must_use]
    pub fn builder(directory: impl Into<PathBuf>, market: Pubkey) -> JobSpecBuilder {
        JobSpecBuilder {
            spec: Self {
                directory: directory.into(),
                market,
                price: Price { base_fee_lamports: BASE_FEE_LAMPORTS_DEFAULT, price: PRICE_DEFAULT },
                limits: None,
                gas_limit: None,
                seed: None,
                clock_unix_ns: None,
                redundancy: 1,
                mode: None,
                min_trust_bps: 0,
                agreement_s: None,
                expires_unix: 0,
                id: None,
            },
        }
    }

    /// The job directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The market.
    #[must_use]
    pub const fn market(&self) -> Pubkey {
        self.market
    }

    /// What it pays for work.
    #[must_use]
    pub const fn price(&self) -> Price {
        self.price
    }

    /// Seats.
    #[must_use]
    pub const fn redundancy(&self) -> u8 {
        self.redundancy
    }

    /// How the result is found. Unless said otherwise one seat's stands, and of several what more than half say.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        match self.mode {
            Some(mode) => mode,
            None if self.redundancy == 1 => Mode::Optimistic,
            None => Mode::Redundant,
        }
    }

    /// Least trust score of a provider, basis points.
    #[must_use]
    pub const fn min_trust_bps(&self) -> u16 {
        self.min_trust_bps
    }

    /// Seconds in which what several seats agreed on may be disputed; `None` is as long as the challenge window.
    #[must_use]
    pub const fn agreement_s(&self) -> Option<u32> {
        self.agreement_s
    }

    /// The job expires when nobody accepted it before this moment; 0 is the market's queue timeout.
    #[must_use]
    pub const fn expires_unix(&self) -> i64 {
        self.expires_unix
    }

    /// The id asked for, if one was.
    #[must_use]
    pub const fn id(&self) -> Option<u64> {
        self.id
    }

    /// Whether the market takes the job at this moment: what `create_job` checks, with the numbers.
    ///
    /// # Errors
    /// [`SpecError::MarketPaused`], [`SpecError::GasAboveMarket`], [`SpecError::SeatsAboveMarket`],
    /// [`SpecError::AgreementAboveMarket`], [`SpecError::Expiry`].
    pub fn check_market(&self, task: &TaskSpec, market: &Market, now_unix: i64) -> Result<(), SpecError> {
        if market.is_paused(now_unix) {
            let left_s = market.paused_until_unix.saturating_sub(now_unix);
            return Err(SpecError::MarketPaused { left_s });
        }
        let terms = market.current_terms(now_unix);
        let (gas_limit, gas_limit_max) = (task.limits.gas_limit, terms.gas_limit_max);
        if gas_limit > gas_limit_max {
            return Err(SpecError::GasAboveMarket { gas_limit, gas_limit_max });
        }
        let (seats, seats_max) = (self.redundancy, terms.executions_max);
        if seats > seats_max {
            return Err(SpecError::SeatsAboveMarket { seats, seats_max });
        }
        let (agreement_s, most_s) = (self.agreement_s.unwrap_or(0), terms.challenge_s(gas_limit_max));
        if u64::from(agreement_s) > most_s {
            return Err(SpecError::AgreementAboveMarket { agreement_s, most_s });
        }
        let in_s = self.expires_unix.saturating_sub(now_unix);
        if self.expires_unix != 0 && !(1..=i64::from(terms.job_total_s)).contains(&in_s) {
            return Err(SpecError::Expiry { in_s, total_s: terms.job_total_s });
        }
        Ok(())
    }

    /// Packs the directory, checks it as a provider will, and meters the module. Nothing leaves this machine. Takes
    /// processor time and reads files: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`SpecError`] says what a provider would find wrong with the job.
    pub fn prepare(&self) -> Result<PreparedJob, SpecError> {
        let package = pack_path(&self.directory, PackLimits::default())?;
        // From here on only what was packed counts: the directory may change at any time.
        let blocks = BlockSet::from_blocks(package.blocks.iter().cloned())?;
        let entries = unpack(package.root, &blocks, &Budget::PROFILE)?;
        let job_cid_digest = digest_from_cid(&package.root)?;
        let mut task = self.task(&entries, job_cid_digest)?;
        let CheckedTask { manifest, metered, .. } = task::check(&task, &entries)?;
        task.metered_hash = metered.hash;
        Ok(PreparedJob { package, manifest, task, module: metered.info })
    }

    /// The task: what was asked for here, else what the manifest says, else the defaults; its module is metered later. A
    /// directory without a valid manifest is left to the check, which names what is wrong.
    fn task(&self, entries: &[Entry], job_cid_digest: Hash32) -> Result<TaskSpec, SpecError> {
        let manifest = entries.iter().find(|entry| entry.path == MANIFEST_FILE_NAME).and_then(Entry::bytes);
        let manifest = manifest.and_then(|bytes| JobManifest::from_json(bytes).ok());
        let pinned = manifest.as_ref();
        Ok(TaskSpec {
            profile: PROFILE_V1,
            job_cid_digest,
            metered_hash: METERED_HASH_UNSTATED,
            limits: self.resolve_limits(pinned)?,
            seed: self.seed.or(pinned.and_then(|manifest| manifest.seed)).unwrap_or(SEED_DEFAULT),
            clock_unix_ns: self
                .clock_unix_ns
                .or(pinned.and_then(|manifest| manifest.clock_unix_ns))
                .unwrap_or(CLOCK_UNIX_NS_DEFAULT),
        })
    }

    /// Limits asked for here, else the manifest's, else the defaults.
    fn resolve_limits(&self, manifest: Option<&JobManifest>) -> Result<TaskLimits, SpecError> {
        let base = match self.limits {
            Some(limits) => limits,
            None => {
                let pinned = manifest.and_then(|manifest| manifest.limits).unwrap_or_default();
                pinned.resolve(&TaskLimits::default())
            }
        };
        let limits = TaskLimits { gas_limit: self.gas_limit.unwrap_or(base.gas_limit), ..base };
        if limits.is_within_bounds() { Ok(limits) } else { Err(SpecError::Limits { problem: out_of_bounds(&limits) }) }
    }
}

impl JobSpecBuilder {
    /// Lamports per 10^12 gas.
    #[must_use]
    pub const fn price(mut self, lamports_per_tera_gas: u64) -> Self {
        self.spec.price.price = lamports_per_tera_gas;
        self
    }

    /// Paid for any outcome, lamports.
    #[must_use]
    pub const fn base_fee_lamports(mut self, lamports: u64) -> Self {
        self.spec.price.base_fee_lamports = lamports;
        self
    }

    /// All limits; without it the manifest's, or the defaults.
    #[must_use]
    pub const fn limits(mut self, limits: TaskLimits) -> Self {
        self.spec.limits = Some(limits);
        self
    }

    /// Most gas, whatever the other limits are.
    #[must_use]
    pub const fn gas_limit(mut self, gas: u64) -> Self {
        self.spec.gas_limit = Some(gas);
        self
    }

    /// Seed of the guest's randomness.
    #[must_use]
    pub const fn seed(mut self, seed: u64) -> Self {
        self.spec.seed = Some(seed);
        self
    }

    /// Start of the guest's clock, nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn clock_unix_ns(mut self, clock_unix_ns: u64) -> Self {
        self.spec.clock_unix_ns = Some(clock_unix_ns);
        self
    }

    /// Seats; 1 unless said otherwise.
    #[must_use]
    pub const fn redundancy(mut self, seats: u8) -> Self {
        self.spec.redundancy = seats;
        self
    }

    /// How the result is found, see [`JobSpec::mode`].
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.spec.mode = Some(mode);
        self
    }

    /// A provider that proved itself may run the job alone, and is audited by chance; else so many seats run it, and an audit
    /// has as many.
    #[must_use]
    pub const fn adaptive(self, seats: u8) -> Self {
        self.redundancy(seats).mode(Mode::Adaptive)
    }

    /// Least trust score of a provider, basis points.
    #[must_use]
    pub const fn min_trust_bps(mut self, min_trust_bps: u16) -> Self {
        self.spec.min_trust_bps = min_trust_bps;
        self
    }

    /// Seconds in which what several seats agreed on may be disputed; by default as long as the challenge window. With 0 it is
    /// final at once, whoever colludes, and providers are paid a window earlier.
    #[must_use]
    pub const fn agreement_s(mut self, seconds: u32) -> Self {
        self.spec.agreement_s = Some(seconds);
        self
    }

    /// The job expires when nobody accepted it before this moment, by the chain's clock.
    #[must_use]
    pub const fn expires_unix(mut self, expires_unix: i64) -> Self {
        self.spec.expires_unix = expires_unix;
        self
    }

    /// A chosen id instead of a random one. Posting the same id twice is refused, which makes a retry safe.
    #[must_use]
    pub const fn id(mut self, id: u64) -> Self {
        self.spec.id = Some(id);
        self
    }

    /// The spec.
    ///
    /// # Errors
    /// [`SpecError`] when price or seats are out of the protocol's bounds, or the mode is for another number of seats.
    pub fn build(self) -> Result<JobSpec, SpecError> {
        use assay_protocol::limits::{BASE_FEE_LAMPORTS_MAX, PRICE_MAX, REDUNDANCY_MAX};
        let JobSpec { price: Price { base_fee_lamports, price }, redundancy, min_trust_bps, .. } = self.spec;
        let range = |field, value: u64, least: u64, most: u64| {
            let inside = (least..=most).contains(&value);
            if inside { Ok(()) } else { Err(SpecError::Range { field, value, least, most }) }
        };
        range("price", price, 1, PRICE_MAX)?;
        range("base fee", base_fee_lamports, 0, BASE_FEE_LAMPORTS_MAX)?;
        range("redundancy", u64::from(redundancy), 1, u64::from(REDUNDANCY_MAX))?;
        let mode = self.spec.mode();
        let fits = match mode {
            Mode::Optimistic => redundancy == 1,
            Mode::Redundant | Mode::Quorum | Mode::Adaptive => redundancy > 1,
            _ => false,
        };
        if !fits {
            return Err(SpecError::Mode { mode, redundancy });
        }
        if self.spec.agreement_s.is_some() && redundancy == 1 {
            return Err(SpecError::NothingToAgree);
        }
        range("least trust", u64::from(min_trust_bps), 0, u64::from(assay_protocol::limits::BPS_ONE))?;
        Ok(self.spec)
    }
}

/// A job that is packed and metered, ready to be uploaded and posted.
#[derive(Clone, Debug)]
pub struct PreparedJob {
    /// The packed directory.
    pub package: Package,
    /// The manifest.
    pub manifest: JobManifest,
    /// Everything that determines the outcome.
    pub task: TaskSpec,
    /// What is known about the module.
    pub module: ModuleInfo,
}

impl PreparedJob {
    /// The content identifier of the job directory.
    #[must_use]
    pub fn cid(&self) -> Cid {
        self.package.root
    }
}

/// Why a job directory cannot be posted. Nothing was uploaded or paid.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SpecError {
    /// A number is out of the protocol's bounds.
    #[error("use the {field} {value}: {least} to {most} are allowed")]
    Range {
        /// Which number.
        field: &'static str,
        /// What was given.
        value: u64,
        /// Least allowed.
        least: u64,
        /// Most allowed.
        most: u64,
    },
    /// A limit is out of the protocol's bounds.
    #[error("use the limits: {problem}")]
    Limits {
        /// Which, and what is allowed.
        problem: String,
    },
    /// The market takes no jobs for a while.
    #[error("post the job: the market is paused for another {left_s} s")]
    MarketPaused {
        /// Seconds until it goes on.
        left_s: i64,
    },
    /// The market takes only smaller jobs.
    #[error("post the job: its gas limit is {gas_limit}; the market takes at most {gas_limit_max}")]
    GasAboveMarket {
        /// What was asked for.
        gas_limit: u64,
        /// The market's maximum.
        gas_limit_max: u64,
    },
    /// The mode is for another number of seats.
    #[error("use the mode {} with redundancy {redundancy}: optimistic has one seat, every other mode two or more",
        format!("{mode:?}").to_lowercase())]
    Mode {
        /// What was asked for.
        mode: Mode,
        /// Seats.
        redundancy: u8,
    },
    /// The market fills fewer seats.
    #[error("post the job: it wants {seats} seats; the market has at most {seats_max} for a job")]
    SeatsAboveMarket {
        /// What was asked for.
        seats: u8,
        /// The market's maximum.
        seats_max: u8,
    },
    /// One seat agrees with nobody.
    #[error("use the agreement window: it is for two seats or more; a single result has the market's challenge window")]
    NothingToAgree,
    /// The market's windows are shorter.
    #[error("post the job: its agreement window is {agreement_s} s; the market takes at most {most_s} s")]
    AgreementAboveMarket {
        /// What was asked for.
        agreement_s: u32,
        /// The market's longest challenge window.
        most_s: u64,
    },
    /// The job would expire at once, or too late.
    #[error("post the job: it would expire in {in_s} s; the market takes 1 to {total_s} s")]
    Expiry {
        /// Seconds from now by the chain's clock; negative in the past.
        in_s: i64,
        /// The market's total time.
        total_s: u32,
    },
    /// A provider would find the task invalid.
    #[error("post the job: {0}")]
    Invalid(#[from] InvalidTask),
    /// The directory cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// What was packed cannot be read back.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The package's root is not a directory's canonical CID.
    #[error(transparent)]
    Cid(#[from] CidError),
}

impl NextStep for SpecError {
    fn next_step(&self) -> Option<Cow<'static, str>> {
        use assay_protocol::InvalidReason as Reason;
        let Self::Invalid(InvalidTask { reason, .. }) = self else {
            return match self {
                Self::Pack(PackError::NotDirectory { .. } | PackError::Io { .. }) => Some(Cow::Borrowed(
                    "name the job directory, the one with manifest.json in it; `assay run` tries a module alone",
                )),
                Self::Range { .. } | Self::Limits { .. } => Some(Cow::Borrowed("give a value inside the bounds")),
                Self::MarketPaused { .. } => Some(Cow::Borrowed("wait, or choose another market: `assay market list`")),
                Self::GasAboveMarket { .. } => Some(Cow::Borrowed(
                    "lower the gas limit (--gas-limit, or `limits` in manifest.json), or choose another market: --market",
                )),
                Self::NothingToAgree | Self::AgreementAboveMarket { .. } => Some(Cow::Borrowed(
                    "leave --agreement-window away: the window is then as long as the market's challenge window",
                )),
                Self::Mode { .. } | Self::SeatsAboveMarket { .. } => {
                    Some(Cow::Borrowed("give another number of seats, or another mode: --redundancy, --mode"))
                }
                Self::Expiry { .. } => Some(Cow::Borrowed("give a time inside these bounds, or none: --expires-in-s")),
                _ => None,
            };
        };
        Some(Cow::Borrowed(match reason {
            Reason::ManifestMissing => "write a manifest.json in the job directory: executable, args and output_path",
            Reason::ManifestInvalid => "correct manifest.json; its schema is printed by `assay job schema`",
            Reason::TaskMismatch => "leave it out here or in manifest.json; a job in which they differ is Invalid",
            Reason::ExecutableMissing => {
                "add the module, or correct `executable`, which is relative to the job directory"
            }
            Reason::InputTooLarge => "leave out what the job does not read",
            Reason::DirectoryInvalid => "rename or remove it",
            Reason::EntryPointMissing => {
                "export an entry point: `_start`, `run`, or the function that `function_name` names"
            }
            _ => return None,
        }))
    }
}

#[cfg(test)]
#[path = "job_spec_tests.rs"]
mod tests;
