//! What a poster asks for: a directory, a market and a price.

use std::path::{Path, PathBuf};

use assay_content::{Cid, PackError, PackLimits, Package, digest_from_cid, pack_path};
use assay_metering::{MeterError, ModuleInfo};
use assay_protocol::{
    FeeError, Hash32, MarketTerms, PROFILE_V1, TaskLimits, TaskSpec, fees,
    fees::Price,
    limits::{CLOCK_UNIX_NS_DEFAULT, SEED_DEFAULT},
};
use solana_pubkey::Pubkey;
use thiserror::Error;

use crate::{
    errors::NextStep,
    manifest::{JobManifest, MANIFEST_BYTES_MAX, MANIFEST_FILE_NAME, ManifestError, TaskMismatch, out_of_bounds},
};

/// Price of a job that states none: lamports per 10^12 gas.
pub const PRICE_DEFAULT: u64 = 1_000_000;

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
    min_trust_bps: u16,
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
                price: Price { base_fee_lamports: 0, price: PRICE_DEFAULT },
                limits: None,
                gas_limit: None,
                seed: None,
                clock_unix_ns: None,
                redundancy: 1,
                min_trust_bps: 0,
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

    /// Least trust score of a provider, basis points.
    #[must_use]
    pub const fn min_trust_bps(&self) -> u16 {
        self.min_trust_bps
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

    /// Reads the directory, checks the manifest, meters the module and packs everything. Nothing leaves this machine.
    /// Takes processor time and reads files: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`SpecError`] says what a provider would find wrong with the job.
    pub fn prepare(&self) -> Result<PreparedJob, SpecError> {
        let manifest = self.read_manifest()?;
        let limits = self.resolve_limits(&manifest)?;
        let seed = self.seed.or(manifest.seed).unwrap_or(SEED_DEFAULT);
        let clock_unix_ns = self.clock_unix_ns.or(manifest.clock_unix_ns).unwrap_or(CLOCK_UNIX_NS_DEFAULT);
        if let Some(mismatch) = manifest.mismatch(&limits, seed, clock_unix_ns) {
            return Err(SpecError::Mismatch(mismatch));
        }
        let package = pack_path(&self.directory, PackLimits::default())?;
        let module = self.read_module(&manifest)?;
        let metered = assay_metering::meter(&module)?;
        if let Some(path) = &manifest.stdin {
            self.require_file("stdin", path)?;
        }
        let job_cid_digest =
            digest_from_cid(&package.root).map_err(|error| SpecError::Cid { problem: error.to_string() })?;
        let task = TaskSpec { profile: PROFILE_V1, job_cid_digest, limits, seed, clock_unix_ns };
        Ok(PreparedJob { package, manifest, task, metered_hash: metered.hash, module: metered.info })
    }

    fn read_manifest(&self) -> Result<JobManifest, SpecError> {
        let path = self.require_file("manifest", MANIFEST_FILE_NAME)?;
        let bytes = read_at_most(&path, MANIFEST_BYTES_MAX)?;
        Ok(JobManifest::from_json(&bytes)?)
    }

    fn read_module(&self, manifest: &JobManifest) -> Result<Vec<u8>, SpecError> {
        let path = self.require_file("executable", &manifest.executable)?;
        // One byte more than allowed is read, so that metering itself names the bound.
        read_at_most(&path, usize::try_from(assay_protocol::limits::MODULE_BYTES_MAX).unwrap_or(usize::MAX))
    }

    fn require_file(&self, field: &'static str, relative: &str) -> Result<PathBuf, SpecError> {
        let path = self.directory.join(relative);
        // A symbolic link is refused by packing; here it only must not pass for a file that is there.
        match std::fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => Ok(path),
            _ => Err(SpecError::FileMissing { field, path }),
        }
    }

    /// Limits asked for here, else the manifest's, else the defaults.
    fn resolve_limits(&self, manifest: &JobManifest) -> Result<TaskLimits, SpecError> {
        let base = match self.limits {
            Some(limits) => limits,
            None => manifest.limits.unwrap_or_default().resolve(&TaskLimits::default()),
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

    /// Least trust score of a provider, basis points.
    #[must_use]
    pub const fn min_trust_bps(mut self, min_trust_bps: u16) -> Self {
        self.spec.min_trust_bps = min_trust_bps;
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
    /// [`SpecError`] when price or seats are out of the protocol's bounds.
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
    /// SHA-256 of the metered module.
    pub metered_hash: Hash32,
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

/// The most that a job can cost, component by component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Paid for any outcome, all seats.
    pub base_fee_lamports: u64,
    /// Gas limit at the price, all seats.
    pub gas_lamports: u64,
    /// The market's fee on both.
    pub market_fee_lamports: u64,
    /// What is paid in: the three above. What is not used comes back.
    pub escrow_lamports: u64,
    /// Rent of the job account; comes back when the job is closed.
    pub rent_lamports: u64,
    /// Fee of the transaction that posts the job.
    pub transaction_fee_lamports: u64,
    /// What the poster's balance needs.
    pub total_lamports: u64,
}

/// What a quote depends on.
#[derive(Clone, Copy, Debug)]
pub struct QuoteInput<'a> {
    /// Price and base fee.
    pub price: Price,
    /// Most gas.
    pub gas_limit: u64,
    /// Seats.
    pub redundancy: u8,
    /// The market's terms.
    pub terms: &'a MarketTerms,
    /// Rent of a job account.
    pub rent_lamports: u64,
    /// Fee of one transaction.
    pub transaction_fee_lamports: u64,
}

impl Quote {
    /// Computes a quote as the program does.
    ///
    /// # Errors
    /// [`FeeError`] when a sum leaves 64 bits of lamports.
    pub fn new(input: &QuoteInput<'_>) -> Result<Self, FeeError> {
        let seats = u64::from(input.redundancy);
        let max_pay_lamports = input.price.pay(input.gas_limit)?;
        let escrow_lamports = fees::escrow_required(max_pay_lamports, input.redundancy, input.terms.fee_bps)?;
        let pay_lamports = max_pay_lamports.checked_mul(seats).ok_or(FeeError)?;
        let base_fee_lamports = input.price.base_fee_lamports.checked_mul(seats).ok_or(FeeError)?;
        let total_lamports = escrow_lamports
            .checked_add(input.rent_lamports)
            .and_then(|sum| sum.checked_add(input.transaction_fee_lamports))
            .ok_or(FeeError)?;
        Ok(Self {
            base_fee_lamports,
            gas_lamports: pay_lamports.checked_sub(base_fee_lamports).ok_or(FeeError)?,
            market_fee_lamports: escrow_lamports.checked_sub(pay_lamports).ok_or(FeeError)?,
            escrow_lamports,
            rent_lamports: input.rent_lamports,
            transaction_fee_lamports: input.transaction_fee_lamports,
            total_lamports,
        })
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
    /// The manifest is not valid.
    #[error("read the job: {0}")]
    Manifest(#[from] ManifestError),
    /// A file that the manifest names, or the manifest, is not there.
    #[error("read the job: the {field} {path} is not a file")]
    FileMissing {
        /// What names it.
        field: &'static str,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The manifest pins another value than the one asked for.
    #[error("use the limits, seed or clock given: {0}")]
    Mismatch(TaskMismatch),
    /// The directory cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The module is refused.
    #[error(transparent)]
    Meter(#[from] MeterError),
    /// The package's root is not a directory's canonical CID.
    #[error("pack the job: {problem}")]
    Cid {
        /// The cause.
        problem: String,
    },
    /// A file cannot be read.
    #[error("read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}

impl NextStep for SpecError {
    fn next_step(&self) -> Option<std::borrow::Cow<'static, str>> {
        Some(std::borrow::Cow::Borrowed(match self {
            Self::Range { .. } | Self::Limits { .. } => "give a value inside the bounds",
            Self::Manifest(_) => "correct manifest.json; its schema is printed by `assay job schema`",
            Self::FileMissing { .. } => "correct the path, which is relative to the job directory, or add the file",
            Self::Mismatch(_) => "leave it out here or in manifest.json; a job in which they differ is Invalid",
            Self::Pack(_) | Self::Meter(_) | Self::Cid { .. } | Self::Io { .. } => return None,
        }))
    }
}

/// A file's bytes, at most one more than `bytes_max`, so that the caller's own check can name the bound.
fn read_at_most(path: &Path, bytes_max: usize) -> Result<Vec<u8>, SpecError> {
    use std::io::Read;
    let io = |source| SpecError::Io { path: path.to_path_buf(), source };
    let bound = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(io)?.take(bound).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}

#[cfg(test)]
#[path = "job_spec_tests.rs"]
mod tests;
