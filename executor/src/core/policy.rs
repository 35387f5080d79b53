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
    /// Take a seat where what several agree on is final at once: whoever is right in the minority cannot dispute it.
    pub accept_without_appeal: bool,
}

/// Why the policy refuses a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Kind, profile or limits that this release does not run.
    Unsupported,
    /// What several seats agree on could not be disputed.
    Appeal,
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
            Self::Appeal => "appeal",
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
        ensure(job.kind == 0 && job.profile == PROFILE_V1, Refusal::Unsupported)?;
        ensure(job.limits.is_within_bounds(), Refusal::Unsupported)?;
        let has_appeal = !job.is_drawn() || job.agreement_s > 0;
        ensure(has_appeal || self.accept_without_appeal, Refusal::Appeal)?;
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

#[cfg(test)]
mod tests {
    use assay_protocol::Mode;

    use super::*;
    use crate::core::tests::view;

    fn open() -> Policy {
        Policy { gas_limit_max: u64::MAX, memory_max_bytes: u64::MAX, ..Policy::default() }
    }

    #[test]
    fn every_rule_refuses_by_its_own_name() {
        let job = view(1);
        assert_eq!(open().admit(&job), Ok(()));
        let refusals = [
            (Policy { price_min: job.price + 1, ..open() }, Refusal::Price),
            (Policy { base_fee_min_lamports: job.base_fee_lamports + 1, ..open() }, Refusal::Price),
            (Policy { gas_limit_max: job.limits.gas_limit - 1, ..open() }, Refusal::Gas),
            (Policy { memory_max_bytes: job.limits.memory_bytes - 1, ..open() }, Refusal::Memory),
            (Policy { posters_denied: [job.poster].into(), ..open() }, Refusal::Poster),
            (Policy { posters_allowed: [job.job].into(), ..open() }, Refusal::Poster),
            (Policy { modules_denied: [job.metered_hash].into(), ..open() }, Refusal::Module),
            (Policy { modules_allowed: [[0; 32]].into(), ..open() }, Refusal::Module),
        ];
        for (policy, refusal) in refusals {
            assert_eq!(policy.admit(&job), Err(refusal));
        }
    }

    #[test]
    fn a_seat_whose_minority_cannot_appeal_is_taken_only_by_those_who_say_so() {
        let job = JobView { mode: Mode::Redundant, agreement_s: 0, ..view(1) };
        assert_eq!(open().admit(&job), Err(Refusal::Appeal));
        assert_eq!(open().admit(&JobView { mode: Mode::Adaptive, ..job.clone() }), Err(Refusal::Appeal));
        assert_eq!(open().admit(&JobView { agreement_s: 1, ..job.clone() }), Ok(()));
        assert_eq!(Policy { accept_without_appeal: true, ..open() }.admit(&job), Ok(()));
    }

    #[test]
    fn what_this_release_cannot_run_is_refused() {
        let mut jobs = vec![view(1); 3];
        (jobs[0].kind, jobs[1].profile) = (1, 2);
        jobs[2].limits.gas_limit = 0;
        assert!(jobs.iter().all(|job| open().admit(job) == Err(Refusal::Unsupported)));
    }
}
