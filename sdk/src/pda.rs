//! Addresses of the program's accounts. Seeds have fixed widths, so no two accounts share one preimage.

use solana_pubkey::Pubkey;
use thiserror::Error;

use crate::program;

/// Bytes of a market's name.
pub const MARKET_NAME_BYTES: usize = 32;
/// Most ids that [`job_id_with_highest_bump`] tries; each succeeds with a chance of about one half.
const JOB_ID_TRIES_MAX: u32 = 256;

/// Why a text is no market name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("\"{given}\" is no market name: give 1 to 32 bytes of text without a NUL character")]
pub struct MarketNameError {
    /// What was given.
    pub given: String,
}

/// A market's name as the account stores it: UTF-8, zero padded.
///
/// # Errors
/// [`MarketNameError`] when it is empty, longer than 32 bytes or has a NUL character.
pub fn market_name(text: &str) -> Result<[u8; MARKET_NAME_BYTES], MarketNameError> {
    let mut name = [0; MARKET_NAME_BYTES];
    match name.get_mut(..text.len()) {
        Some(head) if !text.is_empty() && !text.contains('\0') => head.copy_from_slice(text.as_bytes()),
        _ => return Err(MarketNameError { given: text.chars().take(64).collect() }),
    }
    Ok(name)
}

/// The text of a zero-padded field, with control and replacement characters made visible.
#[must_use]
pub fn padded_text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).escape_debug().to_string()
}

/// Address of a market: its creator and its name.
#[must_use]
pub fn market_address(creator: &Pubkey, name: &[u8; MARKET_NAME_BYTES]) -> Pubkey {
    find(&[b"market", creator.as_ref(), name]).0
}

/// Address of a provider: its market and its authority.
#[must_use]
pub fn provider_address(market: &Pubkey, authority: &Pubkey) -> Pubkey {
    find(&[b"provider", market.as_ref(), authority.as_ref()]).0
}

/// What a job's address is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobSeeds {
    /// The market.
    pub market: Pubkey,
    /// Who posts it.
    pub poster: Pubkey,
    /// Chosen by the poster.
    pub id: u64,
}

impl JobSeeds {
    /// Address of the job.
    #[must_use]
    pub fn address(&self) -> Pubkey {
        self.address_and_bump().0
    }

    /// Address of the job, and its canonical bump.
    #[must_use]
    pub fn address_and_bump(&self) -> (Pubkey, u8) {
        find(&[b"job", self.market.as_ref(), self.poster.as_ref(), &self.id.to_le_bytes()])
    }
}

/// What an execution's address is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionSeeds {
    /// The job.
    pub job: Pubkey,
    /// The Provider account.
    pub provider: Pubkey,
}

impl ExecutionSeeds {
    /// Address of the execution.
    #[must_use]
    pub fn address(&self) -> Pubkey {
        find(&[b"execution", self.job.as_ref(), self.provider.as_ref()]).0
    }
}

/// Address of a job's dispute; a job has one at most.
#[must_use]
pub fn dispute_address(job: &Pubkey) -> Pubkey {
    find(&[b"dispute", job.as_ref(), &[0]]).0
}

/// What a challenge's address is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengeSeeds {
    /// The dispute.
    pub dispute: Pubkey,
    /// The wallet that challenges.
    pub challenger: Pubkey,
}

impl ChallengeSeeds {
    /// Address of the challenge.
    #[must_use]
    pub fn address(&self) -> Pubkey {
        find(&[b"challenge", self.dispute.as_ref(), self.challenger.as_ref()]).0
    }
}

/// What a vote's address is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoteSeeds {
    /// The dispute.
    pub dispute: Pubkey,
    /// The round.
    pub round: u8,
    /// The Provider account of the juror.
    pub provider: Pubkey,
}

impl VoteSeeds {
    /// Address of the vote.
    #[must_use]
    pub fn address(&self) -> Pubkey {
        find(&[b"vote", self.dispute.as_ref(), &[self.round], self.provider.as_ref()]).0
    }
}

/// What a module's address is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleSeeds {
    /// The market.
    pub market: Pubkey,
    /// SHA-256 of the metered module.
    pub metered_hash: [u8; 32],
}

impl ModuleSeeds {
    /// Address of what is known of the module.
    #[must_use]
    pub fn address(&self) -> Pubkey {
        find(&[b"module", self.market.as_ref(), &self.metered_hash]).0
    }
}

/// Address of the sink, one for the whole program.
#[must_use]
pub fn sink_address() -> Pubkey {
    find(&[b"sink"]).0
}

/// A random job id whose address has bump 255, so that `create_job` finds it at the first try and costs the same for
/// everybody. Random, so that two posts of one poster never meet.
#[must_use]
pub fn job_id_with_highest_bump(market: &Pubkey, poster: &Pubkey) -> u64 {
    let mut seeds = JobSeeds { market: *market, poster: *poster, id: rand::random() };
    for _ in 0..JOB_ID_TRIES_MAX {
        if seeds.address_and_bump().1 == u8::MAX {
            break;
        }
        seeds.id = rand::random();
    }
    // After 256 misses, a chance of one in 2^256, the last id is as good as any: only the compute units differ.
    seeds.id
}

fn find(seeds: &[&[u8]]) -> (Pubkey, u8) {
    Pubkey::find_program_address(seeds, &program::ID)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_random_job_id_has_the_highest_bump() {
        let (market, poster) = (Pubkey::new_unique(), Pubkey::new_unique());
        let id = job_id_with_highest_bump(&market, &poster);
        assert_eq!(JobSeeds { market, poster, id }.address_and_bump().1, u8::MAX);
        assert_ne!(id, job_id_with_highest_bump(&market, &poster));
    }

    #[test]
    fn market_names_are_bounded_and_readable() {
        let name = market_name("demo").unwrap();
        assert_eq!(padded_text(&name), "demo");
        assert!(market_name(&"x".repeat(32)).is_ok());
        for bad in ["", "a\0b", &"x".repeat(33)] {
            assert!(market_name(bad).is_err(), "{bad:?}");
        }
        assert_eq!(padded_text(b"a\x1b[31mb\0\0"), "a\\u{1b}[31mb");
    }

    #[test]
    fn different_seeds_give_different_addresses() {
        let (a, b) = (Pubkey::new_unique(), Pubkey::new_unique());
        let addresses = [
            provider_address(&a, &b),
            provider_address(&b, &a),
            ExecutionSeeds { job: a, provider: b }.address(),
            JobSeeds { market: a, poster: b, id: 0 }.address(),
            JobSeeds { market: a, poster: b, id: 1 }.address(),
            market_address(&a, &b.to_bytes()),
            dispute_address(&a),
            ChallengeSeeds { dispute: a, challenger: b }.address(),
            VoteSeeds { dispute: a, round: 0, provider: b }.address(),
            VoteSeeds { dispute: a, round: 1, provider: b }.address(),
            sink_address(),
        ];
        let unique: std::collections::BTreeSet<_> = addresses.iter().collect();
        assert_eq!(unique.len(), addresses.len());
    }
}
