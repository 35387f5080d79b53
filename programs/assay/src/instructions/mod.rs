//! One file per instruction: who may call, state before and after, money, accounts, errors; then arguments, accounts,
//! checks, effects.
//!
//! Typed accounts that are written carry `dup`. It turns off Anchor's check that no account is passed twice, which
//! hashes every key at about 700 compute units each and is not needed here: inside one instruction all typed accounts
//! differ in type, so an account passed twice fails its discriminator in one of the two places. An instruction
//! with two accounts of one type must leave `dup` out. Untyped recipients are bound by `has_one`.

pub mod accept_job;
pub mod accept_market_authority;
pub mod cancel_job;
pub mod claim_market_fees;
pub mod claim_reward;
pub mod close_job;
pub mod close_provider;
pub mod commit_result;
pub mod commit_vote;
pub mod create_job;
pub mod create_market;
pub mod create_sink;
pub mod decline_job;
pub mod enroll_stake;
pub mod enter_dispute;
pub mod expire_job;
pub mod finalize_job;
pub mod open_dispute;
pub mod pause_market;
pub mod propose_market_authority;
pub mod record_seed;
pub mod register_provider;
pub mod reveal_outcome;
pub mod reveal_result;
pub mod reveal_vote;
pub mod set_duty;
pub mod settle_execution;
pub mod stake;
pub mod submit_results;
pub mod tally_round;
pub mod unstake;
pub mod update_market;
pub mod update_provider;
pub mod withdraw_stake;

pub use accept_job::*;
pub use accept_market_authority::*;
pub use cancel_job::*;
pub use claim_market_fees::*;
pub use claim_reward::*;
pub use close_job::*;
pub use close_provider::*;
pub use commit_result::*;
pub use commit_vote::*;
pub use create_job::*;
pub use create_market::*;
pub use create_sink::*;
pub use decline_job::*;
pub use enroll_stake::*;
pub use enter_dispute::*;
pub use expire_job::*;
pub use finalize_job::*;
pub use open_dispute::*;
pub use pause_market::*;
pub use propose_market_authority::*;
pub use record_seed::*;
pub use register_provider::*;
pub use reveal_outcome::*;
pub use reveal_result::*;
pub use reveal_vote::*;
pub use set_duty::*;
pub use settle_execution::*;
pub use stake::*;
pub use submit_results::*;
pub use tally_round::*;
pub use unstake::*;
pub use update_market::*;
pub use update_provider::*;
pub use withdraw_stake::*;
