//! What only jobs of several seats need: tickets, seeds, hidden results.

use assay_protocol::{Hash32, Outcome};
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::{SYSTEM_PROGRAM, Seat, build};
use crate::{
    pda::ModuleSeeds,
    program::{client, types},
};

/// What [`enroll_stake`] needs.
#[derive(Clone, Copy, Debug)]
pub struct EnrollStake {
    /// The provider's node key, which lets tickets grow; anybody else only takes away those that the stake does not bear.
    pub signer: Pubkey,
    /// The provider's market.
    pub market: Pubkey,
    /// The Provider account.
    pub provider: Pubkey,
}

/// Counts mature stake as tickets for draws, or stops counting what is gone.
#[must_use]
pub fn enroll_stake(enroll: &EnrollStake) -> Instruction {
    let EnrollStake { signer, market, provider } = *enroll;
    build(client::accounts::EnrollStake { signer, market, provider }, client::args::EnrollStake {})
}

/// What [`record_collision`] needs.
#[derive(Clone, Copy, Debug)]
pub struct RecordCollision {
    /// Pays the rent of the module's account when there is none.
    pub payer: Pubkey,
    /// The job whose seats gave different outcomes.
    pub job: Pubkey,
    /// Its market and metered module.
    pub module: ModuleSeeds,
    /// Whether the module has no account yet.
    pub is_new: bool,
}

/// Records with a metered module that its results differed.
#[must_use]
pub fn record_collision(collision: &RecordCollision) -> Instruction {
    let RecordCollision { payer, job, module, is_new } = *collision;
    let address = module.address();
    let accounts = client::accounts::RecordCollision {
        payer,
        job,
        module: (!is_new).then_some(address),
        new_module: is_new.then_some(address),
        system_program: SYSTEM_PROGRAM,
    };
    build(accounts, client::args::RecordCollision {})
}

/// Commits to a seat's outcome without showing it.
#[must_use]
pub fn commit_result(seat: &Seat, commitment: Hash32) -> Instruction {
    let accounts = client::accounts::CommitResult {
        node_key: seat.node_key,
        provider: seat.provider,
        job: seat.job,
        execution: seat.execution(),
    };
    build(accounts, client::args::CommitResult { args: types::CommitResultArgs { commitment } })
}

/// Shows the outcome that a seat committed to, and the salt that kept it hidden.
#[must_use]
pub fn reveal_result(seat: &Seat, outcome: &Outcome, salt: Hash32) -> Instruction {
    let accounts = client::accounts::RevealResult {
        node_key: seat.node_key,
        provider: seat.provider,
        job: seat.job,
        execution: seat.execution(),
    };
    let args = types::RevealResultArgs { outcome: outcome.encode(), salt };
    build(accounts, client::args::RevealResult { args })
}

/// Records the seed of a job's draw, once its block is there. Anybody may send it; a second time it changes nothing.
#[must_use]
pub fn record_seed(job: Pubkey) -> Instruction {
    build(client::accounts::RecordSeed { job, dispute: None }, client::args::RecordSeed {})
}
