//! What may be asked of the program: each instruction with the parties and arguments that matter.

use assay_protocol::TaskSpec;

use crate::state::{Key, Mode, Terms};

/// `AcceptJob::ticket` of a provider that means to run alone.
pub const TICKET_SOLO: u32 = u32::MAX;

/// What `create_job` is told.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Posting {
    pub id: u64,
    pub task: TaskSpec,
    pub price: u64,
    pub base_fee_lamports: u64,
    pub redundancy: u8,
    pub mode: Mode,
    pub min_trust_bps: u16,
    pub escrow_lamports: u64,
    pub expires_unix: i64,
    pub agreement_s: Option<u32>,
}

/// A seat and who signs for it.
#[derive(Clone, Copy, Debug)]
pub struct AtSeat {
    /// Who signs as node key.
    pub signer: Key,
    /// The job.
    pub job: Key,
    /// Whose seat it is.
    pub provider: Key,
}

/// The winning tickets of a vote, or those that show what it lacks: the first so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tickets {
    /// In order; what is behind `count` means nothing.
    pub indices: [u32; 65],
    /// How many.
    pub count: usize,
}

impl Tickets {
    /// Of a round in which everybody votes.
    pub const NONE: Self = Self { indices: [0; 65], count: 0 };

    /// The first 65 of these: one more than a vote names.
    #[must_use]
    pub fn of(indices: impl IntoIterator<Item = u32>) -> Self {
        let mut made = Self::NONE;
        for (place, index) in made.indices.iter_mut().zip(indices) {
            *place = index;
            made.count += 1;
        }
        made
    }

    /// As they stand.
    #[must_use]
    pub fn as_slice(&self) -> &[u32] {
        &self.indices[..self.count]
    }
}

/// One instruction. `signer` is whoever signs in the place of the key that has to.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub enum Act {
    CreateSink {
        payer: Key,
    },
    CreateMarket {
        authority: Key,
        name: [u8; 32],
        cluster: [u8; 32],
        terms: Terms,
    },
    UpdateMarket {
        signer: Key,
        market: Key,
        terms: Terms,
    },
    PauseMarket {
        signer: Key,
        market: Key,
        until_unix: i64,
    },
    ProposeMarketAuthority {
        signer: Key,
        market: Key,
        new_authority: Key,
    },
    AcceptMarketAuthority {
        signer: Key,
        market: Key,
    },
    ClaimMarketFees {
        signer: Key,
        market: Key,
    },
    RegisterProvider {
        authority: Key,
        node_key: Key,
        market: Key,
        stake_lamports: u64,
        cap_lamports: u64,
        capacity: u16,
    },
    Stake {
        signer: Key,
        provider: Key,
        lamports: u64,
    },
    Unstake {
        signer: Key,
        provider: Key,
        lamports: u64,
    },
    WithdrawStake {
        signer: Key,
        provider: Key,
    },
    ClaimReward {
        provider: Key,
    },
    CloseProvider {
        signer: Key,
        provider: Key,
    },
    UpdateProvider {
        signer: Key,
        provider: Key,
        new_node_key: Option<Key>,
        cap_lamports: Option<u64>,
    },
    EnrollStake {
        signer: Key,
        provider: Key,
    },
    CreateJob {
        poster: Key,
        market: Key,
        posting: Posting,
    },
    CancelJob {
        signer: Key,
        job: Key,
    },
    AcceptJob {
        at: AtSeat,
        uid: [u8; 32],
        ticket: u32,
    },
    DeclineJob {
        at: AtSeat,
    },
    SubmitResults {
        at: AtSeat,
        outcome: [u8; 79],
    },
    CommitResult {
        at: AtSeat,
        commitment: [u8; 32],
    },
    RevealResult {
        at: AtSeat,
        outcome: [u8; 79],
        salt: [u8; 32],
    },
    RecordSeed {
        job: Key,
    },
    /// With the seat whose deadline passed, where one provider runs alone.
    ExpireJob {
        job: Key,
        provider: Option<Key>,
    },
    FinalizeJob {
        job: Key,
    },
    SettleExecution {
        job: Key,
        provider: Key,
    },
    RecordCollision {
        payer: Key,
        job: Key,
    },
    CloseJob {
        job: Key,
    },
    SetDuty {
        signer: Key,
        provider: Key,
        on: bool,
    },
    OpenDispute {
        payer: Key,
        job: Key,
        commitment: Option<[u8; 32]>,
    },
    EnterDispute {
        challenger: Key,
        job: Key,
        commitment: [u8; 32],
    },
    /// `record_seed` with the dispute.
    RecordJury {
        job: Key,
    },
    CommitVote {
        at: AtSeat,
        commitment: [u8; 32],
        tickets: Tickets,
    },
    RevealVote {
        at: AtSeat,
        round: u8,
        ballot: [u8; 79],
        salt: [u8; 32],
    },
    RevealOutcome {
        challenger: Key,
        job: Key,
        outcome: [u8; 79],
        salt: [u8; 32],
    },
    TallyRound {
        job: Key,
    },
    SlashAbsent {
        job: Key,
        provider: Key,
        round: u8,
        tickets: Tickets,
    },
    Appeal {
        appellant: Key,
        job: Key,
        ballot: [u8; 79],
    },
    SettleDispute {
        job: Key,
    },
    SettleChallenge {
        job: Key,
        challenger: Key,
    },
    SettleVote {
        job: Key,
        round: u8,
        provider: Key,
    },
    CloseDispute {
        job: Key,
    },
}

impl Act {
    /// The instruction's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::CreateSink { .. } => "create_sink",
            Self::CreateMarket { .. } => "create_market",
            Self::UpdateMarket { .. } => "update_market",
            Self::PauseMarket { .. } => "pause_market",
            Self::ProposeMarketAuthority { .. } => "propose_market_authority",
            Self::AcceptMarketAuthority { .. } => "accept_market_authority",
            Self::ClaimMarketFees { .. } => "claim_market_fees",
            Self::RegisterProvider { .. } => "register_provider",
            Self::Stake { .. } => "stake",
            Self::Unstake { .. } => "unstake",
            Self::WithdrawStake { .. } => "withdraw_stake",
            Self::ClaimReward { .. } => "claim_reward",
            Self::CloseProvider { .. } => "close_provider",
            Self::UpdateProvider { .. } => "update_provider",
            Self::EnrollStake { .. } => "enroll_stake",
            Self::CreateJob { .. } => "create_job",
            Self::CancelJob { .. } => "cancel_job",
            Self::AcceptJob { .. } => "accept_job",
            Self::DeclineJob { .. } => "decline_job",
            Self::SubmitResults { .. } => "submit_results",
            Self::CommitResult { .. } => "commit_result",
            Self::RevealResult { .. } => "reveal_result",
            Self::RecordSeed { .. } => "record_seed",
            Self::ExpireJob { .. } => "expire_job",
            Self::FinalizeJob { .. } => "finalize_job",
            Self::SettleExecution { .. } => "settle_execution",
            Self::RecordCollision { .. } => "record_collision",
            Self::CloseJob { .. } => "close_job",
            Self::SetDuty { .. } => "set_duty",
            Self::OpenDispute { .. } => "open_dispute",
            Self::EnterDispute { .. } => "enter_dispute",
            Self::RecordJury { .. } => "record_seed",
            Self::CommitVote { .. } => "commit_vote",
            Self::RevealVote { .. } => "reveal_vote",
            Self::RevealOutcome { .. } => "reveal_outcome",
            Self::TallyRound { .. } => "tally_round",
            Self::SlashAbsent { .. } => "slash_absent",
            Self::Appeal { .. } => "appeal",
            Self::SettleDispute { .. } => "settle_dispute",
            Self::SettleChallenge { .. } => "settle_challenge",
            Self::SettleVote { .. } => "settle_vote",
            Self::CloseDispute { .. } => "close_dispute",
        }
    }
}
