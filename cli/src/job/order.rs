//! What a job asks for, as flags say it.

use std::{path::PathBuf, sync::LazyLock};

use assay_protocol::Mode;
use assay_sdk::job_spec::{BASE_FEE_LAMPORTS_DEFAULT, PRICE_DEFAULT};
use clap::{Args, ValueEnum};
use solana_pubkey::Pubkey;

use crate::parse;

/// The SDK's default as the flag takes it.
static BASE_FEE_DEFAULT: LazyLock<String> = LazyLock::new(|| format!("{BASE_FEE_LAMPORTS_DEFAULT}lamports"));

/// The flags of commands that post a job, or say what one would cost.
#[derive(Debug, Args)]
pub struct OrderArgs {
    /// The job directory.
    pub dir: PathBuf,
    /// Lamports per 10^12 gas.
    #[arg(long, value_name = "LAMPORTS", default_value_t = PRICE_DEFAULT, value_parser = parse::price,
        allow_negative_numbers = true)]
    pub price: u64,
    /// Paid for any outcome, such as 0.0001sol or 500lamports; providers ask for 25000lamports unless they say otherwise.
    #[arg(long, default_value = BASE_FEE_DEFAULT.as_str(), value_parser = parse::base_fee, value_name = "AMOUNT",
        allow_negative_numbers = true)]
    pub base_fee: u64,
    /// Most gas; by default the manifest's, or 1,000,000,000.
    #[arg(long, value_name = "N", value_parser = parse::gas_limit, allow_negative_numbers = true)]
    pub gas_limit: Option<u64>,
    /// Seed of the guest's randomness.
    #[arg(long, value_name = "N", value_parser = parse::number, allow_negative_numbers = true)]
    pub seed: Option<u64>,
    /// Seats: providers that each run the job and hide their results until all are in [default: 1; 3 where --mode needs several].
    #[arg(long, value_name = "N", value_parser = parse::seats, allow_negative_numbers = true)]
    pub redundancy: Option<u8>,
    /// How the result is found; by default optimistic for one seat, redundant for several.
    #[arg(long, value_name = "MODE")]
    pub mode: Option<ModeArg>,
    /// Least trust of a provider, 0 to 10,000: what others confirmed of its work, see `assay provider status`.
    #[arg(long, value_name = "BPS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub min_trust: u16,
    /// Seconds in which anybody may dispute what several seats agreed on; by default as long as a challenge window. With 0 it is
    /// final at once, and only providers with `policy.accept_without_appeal` take the job.
    #[arg(long = "agreement-window", value_name = "SECONDS", value_parser = parse::window, allow_negative_numbers = true)]
    pub agreement_s: Option<u32>,
    /// Seconds until the job expires when nobody takes it; by default the market's.
    #[arg(long, value_name = "SECONDS", value_parser = parse::seconds, allow_negative_numbers = true)]
    pub expires_in_s: Option<u32>,
}

impl OrderArgs {
    /// The order, in this market, without an id of its own.
    pub fn order(&self, market: Pubkey, now_unix: i64) -> Order {
        Order {
            dir: self.dir.clone(),
            market,
            price: self.price,
            base_fee_lamports: self.base_fee,
            gas_limit: self.gas_limit,
            seed: self.seed,
            redundancy: self.redundancy.unwrap_or_else(|| seats_default(self.mode)),
            mode: self.mode.map(Mode::from),
            min_trust_bps: self.min_trust,
            agreement_s: self.agreement_s,
            expires_unix: self.expires_in_s.map_or(0, |seconds| now_unix.saturating_add(i64::from(seconds))),
            id: None,
        }
    }
}

/// Seats of a job whose poster names none.
const fn seats_default(mode: Option<ModeArg>) -> u8 {
    match mode {
        None | Some(ModeArg::Optimistic) => 1,
        Some(ModeArg::Redundant | ModeArg::Quorum | ModeArg::Adaptive) => 3,
    }
}

/// How the result of a job is found.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ModeArg {
    /// One seat; its result stands after the challenge window.
    Optimistic,
    /// Two seats or more; what more than half of them say.
    Redundant,
    /// Two seats or more; what the market's share of their stake says.
    Quorum,
    /// One seat of a provider with ten confirmed results in a row, audited by chance; of others two seats or more, as redundant.
    Adaptive,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Optimistic => Self::Optimistic,
            ModeArg::Redundant => Self::Redundant,
            ModeArg::Quorum => Self::Quorum,
            ModeArg::Adaptive => Self::Adaptive,
        }
    }
}

/// What to post.
#[derive(Clone, Debug)]
pub struct Order {
    /// The job directory.
    pub dir: PathBuf,
    /// The market.
    pub market: Pubkey,
    /// Lamports per 10^12 gas.
    pub price: u64,
    /// Paid for any outcome.
    pub base_fee_lamports: u64,
    /// Most gas.
    pub gas_limit: Option<u64>,
    /// Seed.
    pub seed: Option<u64>,
    /// Seats.
    pub redundancy: u8,
    /// How the result is found, if that was said.
    pub mode: Option<Mode>,
    /// Least trust of a provider, basis points.
    pub min_trust_bps: u16,
    /// Seconds in which an agreement may be disputed, if that was said.
    pub agreement_s: Option<u32>,
    /// When it expires; 0 is the market's queue timeout.
    pub expires_unix: i64,
    /// Chosen id.
    pub id: Option<u64>,
}
