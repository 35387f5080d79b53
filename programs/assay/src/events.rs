//! One event per transition, named after its instruction in the past tense. Amounts are lamports, times Clock seconds.

mod disputes;

use anchor_lang::prelude::*;
use assay_protocol::outcome::OUTCOME_BYTES;

pub use disputes::*;

/// `create_sink` ran.
#[event]
pub struct SinkCreated {
    /// Its address.
    pub sink: Pubkey,
}

/// `create_market` ran.
#[event]
pub struct MarketCreated {
    /// The market.
    pub market: Pubkey,
    /// Its creator and first authority.
    pub authority: Pubkey,
    /// Its name.
    pub name: [u8; 32],
}

/// `update_market` ran.
#[event]
pub struct MarketUpdated {
    /// The market.
    pub market: Pubkey,
    /// From when the new terms are in force; now, when they are in force already.
    pub terms_from_unix: i64,
}

/// `pause_market` ran.
#[event]
pub struct MarketPaused {
    /// The market.
    pub market: Pubkey,
    /// End of the pause; not later than now when the pause was ended.
    pub paused_until_unix: i64,
}

/// `propose_market_authority` ran.
#[event]
pub struct MarketAuthorityProposed {
    /// The market.
    pub market: Pubkey,
    /// Who may accept; zero when the proposal was withdrawn.
    pub pending_authority: Pubkey,
}

/// `accept_market_authority` ran.
#[event]
pub struct MarketAuthorityAccepted {
    /// The market.
    pub market: Pubkey,
    /// The new authority.
    pub authority: Pubkey,
}

/// `claim_market_fees` ran.
#[event]
pub struct MarketFeesClaimed {
    /// The market.
    pub market: Pubkey,
    /// Who received the fees.
    pub authority: Pubkey,
    /// How much.
    pub lamports: u64,
}

/// `register_provider` ran.
#[event]
pub struct ProviderRegistered {
    /// The market.
    pub market: Pubkey,
    /// The provider.
    pub provider: Pubkey,
    /// Its cold key.
    pub authority: Pubkey,
    /// Its hot key.
    pub node_key: Pubkey,
    /// Its first stake.
    pub stake_lamports: u64,
}

/// `update_provider` ran.
#[event]
pub struct ProviderUpdated {
    /// The provider.
    pub provider: Pubkey,
    /// Its hot key from now on.
    pub node_key: Pubkey,
    /// Its exposure cap from now on.
    pub exposure_cap_lamports: u64,
    /// Its places from now on.
    pub capacity: u16,
}

/// `stake` ran.
#[event]
pub struct Staked {
    /// The provider.
    pub provider: Pubkey,
    /// How much was added.
    pub lamports: u64,
    /// The stake now.
    pub stake_lamports: u64,
}

/// `unstake` ran.
#[event]
pub struct Unstaked {
    /// The provider.
    pub provider: Pubkey,
    /// How much began to unbond.
    pub lamports: u64,
    /// From when everything unbonding may be withdrawn.
    pub unbonding_until_unix: i64,
}

/// `enroll_stake` ran.
#[event]
pub struct StakeEnrolled {
    /// The provider.
    pub provider: Pubkey,
    /// Its tickets now.
    pub tickets: u32,
    /// All tickets of the market now.
    pub tickets_total: u64,
}

/// `withdraw_stake` ran.
#[event]
pub struct StakeWithdrawn {
    /// The provider.
    pub provider: Pubkey,
    /// How much was paid to its authority.
    pub lamports: u64,
}

/// `close_provider` ran.
#[event]
pub struct ProviderClosed {
    /// The market.
    pub market: Pubkey,
    /// The provider.
    pub provider: Pubkey,
    /// What its authority received: rent, and donations if there were any.
    pub lamports: u64,
}

/// `create_job` ran.
#[event]
pub struct JobCreated {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Who pays.
    pub poster: Pubkey,
    /// Its uid.
    pub job_uid: [u8; 32],
    /// Digest of the job directory's CID.
    pub job_cid_digest: [u8; 32],
    /// Most gas.
    pub gas_limit: u64,
    /// Lamports per 10^12 gas.
    pub price: u64,
    /// Paid for any outcome.
    pub base_fee_lamports: u64,
    /// Paid in.
    pub escrow_lamports: u64,
    /// Bond of a seat.
    pub bond_lamports: u64,
    /// Accept before this moment.
    pub queue_deadline_unix: i64,
}

/// `cancel_job` ran.
#[event]
pub struct JobCancelled {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Who gets everything back by `close_job`.
    pub poster: Pubkey,
}

/// `accept_job` ran.
#[event]
pub struct JobAccepted {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Who took the seat.
    pub provider: Pubkey,
    /// The seat's account.
    pub execution: Pubkey,
    /// Number of the seat.
    pub seat: u8,
    /// Stake reserved.
    pub bond_lamports: u64,
    /// Submit or commit before this moment; zero while other seats are free.
    pub execution_deadline_unix: i64,
}

/// `record_seed` ran.
#[event]
pub struct SeedRecorded {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// What is drawn: 1 seats, 2 an audit, 3 a jury.
    pub purpose: u8,
    /// Which time: the job's attempt, or the dispute's round.
    pub round: u8,
    /// The seed; zero when the block was lost.
    pub seed: [u8; 32],
    /// The slot whose block gave it, or is to give it next.
    pub seed_slot: u64,
    /// Whether the block was lost so often that every ticket wins.
    pub is_everybody: bool,
}

/// `record_seed` said whether a result that was found alone is audited.
#[event]
pub struct AuditDecided {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// One in so many results is audited.
    pub one_in: u16,
    /// Whether this one is.
    pub is_drawn: bool,
    /// When it is: the other seats are taken before this moment.
    pub queue_deadline_unix: i64,
    /// When it is not: reveal before this moment.
    pub reveal_deadline_unix: i64,
}

/// `decline_job` ran; a job of one seat is open again.
#[event]
pub struct JobDeclined {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Who gave the seat back.
    pub provider: Pubkey,
    /// Why, see docs/PROTOCOL.md.
    pub reason: u16,
    /// What it cost the provider; burned.
    pub fee_lamports: u64,
    /// Whether nobody can take the seat any more: the clock of several seats runs.
    pub is_vacated: bool,
    /// Accept before this moment.
    pub queue_deadline_unix: i64,
}

/// `submit_results` ran.
#[event]
pub struct ResultsSubmitted {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Whose result it is.
    pub provider: Pubkey,
    /// Encoded outcome.
    pub outcome: [u8; OUTCOME_BYTES],
    /// Final from this moment.
    pub window_deadline_unix: i64,
}

/// `commit_result` ran.
#[event]
pub struct ResultCommitted {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Whose commitment it is.
    pub provider: Pubkey,
    /// The commitment.
    pub commitment: [u8; 32],
    /// Seats that are still waited for.
    pub pending_commits: u8,
    /// Reveal before this moment.
    pub reveal_deadline_unix: i64,
}

/// `reveal_result` ran.
#[event]
pub struct ResultRevealed {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Whose outcome it is.
    pub provider: Pubkey,
    /// Encoded outcome.
    pub outcome: [u8; OUTCOME_BYTES],
    /// Seats that are still waited for.
    pub pending_reveals: u8,
}

/// Enough seats agree.
#[event]
pub struct SeatsAgreed {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Encoded outcome on which they agree.
    pub outcome: [u8; OUTCOME_BYTES],
    /// Seats whose clock ran.
    pub seats: u8,
    /// Final from this moment.
    pub window_deadline_unix: i64,
}

/// Not enough seats agree.
#[event]
pub struct SeatsDisagreed {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Arbitrations so far, the one that begins included.
    pub attempt: u8,
    /// Seats whose clock ran.
    pub seats: u8,
    /// One more than that while another seat is to decide; else the job is deadlocked.
    pub seats_wanted: u8,
    /// When another seat is to decide: it is taken before this moment.
    pub queue_deadline_unix: i64,
    /// When the job is deadlocked: it expires from this moment.
    pub window_deadline_unix: i64,
}

/// Seats of one job gave different outcomes: a fact about its module, whoever is right.
#[event]
pub struct CollisionSeen {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// SHA-256 of the metered module.
    pub metered_hash: [u8; 32],
    /// Different outcomes.
    pub distinct: u8,
    /// How much they differ, 1/1,000 bit.
    pub entropy_millibits: u16,
}

/// `record_collision` ran.
#[event]
pub struct CollisionRecorded {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// The module's account.
    pub module: Pubkey,
    /// SHA-256 of the metered module.
    pub metered_hash: [u8; 32],
    /// Different outcomes of the job.
    pub distinct: u8,
    /// How much they differ, 1/1,000 bit.
    pub entropy_millibits: u16,
    /// Jobs of this module that were recorded, this one included.
    pub collisions: u32,
}

/// `finalize_job` ran; the result is final.
#[event]
pub struct JobFinalized {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Pay of each right seat.
    pub pay_lamports: u64,
    /// Market fee of each right seat.
    pub fee_lamports: u64,
}

/// `settle_execution` ran; the seat's account is closed.
#[event]
pub struct ExecutionSettled {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Whose seat it was.
    pub provider: Pubkey,
    /// Credited to the provider; zero for a seat that is not paid.
    pub pay_lamports: u64,
    /// Credited to the market; zero for a seat that is not paid.
    pub fee_lamports: u64,
    /// Credited to the provider out of what challengers lost; zero unless the seat was right and none of them.
    pub share_lamports: u64,
    /// Stake set free.
    pub unlocked_lamports: u64,
    /// Stake lost.
    pub lost_lamports: u64,
}

/// `expire_job` ran on a job of one seat: the provider let its deadline pass.
#[event]
pub struct ExecutionMissed {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Who lost part of its bond.
    pub provider: Pubkey,
    /// Part of the penalty that goes to the poster.
    pub poster_lamports: u64,
    /// Part of the penalty that was burned.
    pub sink_lamports: u64,
    /// Deadlines missed so far.
    pub attempt: u8,
    /// Whether the job is open again; else it has expired.
    pub requeued: bool,
}

/// `expire_job` ended a job without a result.
#[event]
pub struct JobExpired {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Who gets everything back by `close_job`.
    pub poster: Pubkey,
}

/// `claim_reward` ran.
#[event]
pub struct RewardClaimed {
    /// The provider.
    pub provider: Pubkey,
    /// Who was paid.
    pub authority: Pubkey,
    /// How much.
    pub lamports: u64,
}

/// `close_job` ran.
#[event]
pub struct JobClosed {
    /// The market.
    pub market: Pubkey,
    /// The job.
    pub job: Pubkey,
    /// Who was paid.
    pub poster: Pubkey,
    /// What was left of the escrow.
    pub refund_lamports: u64,
    /// Delay fees.
    pub compensation_lamports: u64,
    /// Everything paid out: refund, compensation, rent, and donations if there were any.
    pub lamports: u64,
}
