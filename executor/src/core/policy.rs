//! Which jobs this provider takes. Everything here is known before a byte is fetched.

use std::{collections::BTreeSet, fmt};

use assay_protocol::{Hash32, PROFILE_V1};
use solana_pubkey::Pubkey;

use super::event::JobView;

/// The provider's own rules.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    /// Least price, lamports per 10^12 gas.
    pub price_min: u64,
    /// Least base fee, lamports.
    pub base_fee_min_lamports: u64,
    /// Highest gas limit.
    pub gas_limit_max: u64,
    /// Most linear memory, bytes.
    pub memory_max_bytes: u64,
    /// Only these posters; empty means everybody.
    pub posters_allowed: BTreeSet<Pubkey>,
    /// Never these posters.
    pub posters_denied: BTreeSet<Pubkey>,
    /// Only these metered modules; empty means all.
    pub modules_allowed: BTreeSet<Hash32>,
    /// Never these metered modules.
    pub modules_denied: BTreeSet<Hash32>,
    /// Take a task that is Invalid, for its base fee.
    pub accept_invalid: bool,
}

/// Why the policy refuses a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Kind, profile or redundancy that this release does not run.
    Unsupported,
    /// Price or base fee under the minimum.
    Price,
    /// Gas limit over the maximum.
    Gas,
    /// Memory over the maximum.
    Memory,
    /// Poster denied or not allowed.
    Poster,
    /// Module denied or not allowed.
    Module,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsupported => "unsupported",
            Self::Price => "price",
            Self::Gas => "gas",
            Self::Memory => "memory",
            Self::Poster => "poster",
            Self::Module => "module",
        })
    }
}

impl Policy {
    /// Whether the job may be taken.
    ///
    /// # Errors
    /// The first rule that refuses it.
    pub fn admit(&self, job: &JobView) -> Result<(), Refusal> {
        let ensure = |holds: bool, refusal| if holds { Ok(()) } else { Err(refusal) };
        ensure(job.kind == 0 && job.redundancy == 1 && job.profile == PROFILE_V1, Refusal::Unsupported)?;
        ensure(job.min_trust_bps == 0 && job.limits.is_within_bounds(), Refusal::Unsupported)?;
        ensure(job.price >= self.price_min && job.base_fee_lamports >= self.base_fee_min_lamports, Refusal::Price)?;
        ensure(job.limits.gas_limit <= self.gas_limit_max, Refusal::Gas)?;
        ensure(job.limits.memory_bytes <= self.memory_max_bytes, Refusal::Memory)?;
        ensure(is_listed(&job.poster, &self.posters_allowed, &self.posters_denied), Refusal::Poster)?;
        ensure(is_listed(&job.metered_hash, &self.modules_allowed, &self.modules_denied), Refusal::Module)
    }
}

fn is_listed<T: Ord>(value: &T, allowed: &BTreeSet<T>, denied: &BTreeSet<T>) -> bool {
    !denied.contains(value) && (allowed.is_empty() || allowed.contains(value))
}
