//! Assay on chain: escrow, stake and settlement for verifiable WebAssembly jobs.
//!
//! A poster escrows payment for a job, a provider locks a bond, runs the job and submits its outcome; when nobody
//! objected in time the outcome is final, the provider is paid for the gas it proved, and the rest goes back to the
//! lamport. `docs/PROTOCOL.md` is normative. Read [`state`], then `instructions/` in the order of [`assay`].

pub mod arguments;
pub mod dispute_money;
pub mod errors;
pub mod events;
pub mod instructions;
pub mod invariants;
pub mod jury_rounds;
pub mod pda;
pub mod slot_hashes;
pub mod state;
pub mod tally_close;

use anchor_lang::prelude::*;

pub use instructions::*;

declare_id!("QB2fD7LN2ZFyLeQjPhs8aBLTKyfk6s8EqhQAMDvTif6");

#[cfg(not(feature = "no-entrypoint"))]
solana_security_txt::security_txt! {
    name: "Assay",
    // To be set before a public deployment, see SECURITY.md.
    project_url: "none yet",
    contacts: "other:private security advisory in that repository",
    policy: "SECURITY.md in that repository",
    preferred_languages: "en"
}

// Those of jobs and disputes come first: a call pays three compute units for every instruction above its own.
/// The instructions. Each one's contract stands at the head of its file.
#[program]
#[allow(missing_docs, reason = "Anchor's generated items")]
pub mod assay {
    use super::*;

    /// Posts a job and escrows its payment.
    pub fn create_job(ctx: Context<CreateJob>, args: CreateJobArgs) -> Result<()> {
        CreateJob::handler(ctx, args)
    }

    /// Withdraws a job while no provider holds a seat.
    pub fn cancel_job(ctx: Context<CancelJob>) -> Result<()> {
        CancelJob::handler(ctx)
    }

    /// Records the seed of a job's draw, or of its dispute's.
    pub fn record_seed(ctx: Context<RecordSeed>) -> Result<()> {
        RecordSeed::handler(ctx)
    }

    /// Takes a seat and locks its bond.
    pub fn accept_job(ctx: Context<AcceptJob>, args: AcceptJobArgs) -> Result<()> {
        AcceptJob::handler(ctx, args)
    }

    /// Gives a seat back in time, for a small fee.
    pub fn decline_job(ctx: Context<DeclineJob>, args: DeclineJobArgs) -> Result<()> {
        DeclineJob::handler(ctx, args)
    }

    /// Submits the outcome of an optimistic job; the challenge window opens.
    pub fn submit_results(ctx: Context<SubmitResults>, args: SubmitResultsArgs) -> Result<()> {
        SubmitResults::handler(ctx, args)
    }

    /// Commits to an outcome without showing it.
    pub fn commit_result(ctx: Context<CommitResult>, args: CommitResultArgs) -> Result<()> {
        CommitResult::handler(ctx, args)
    }

    /// Shows the outcome that a seat committed to.
    pub fn reveal_result(ctx: Context<RevealResult>, args: RevealResultArgs) -> Result<()> {
        RevealResult::handler(ctx, args)
    }

    /// Makes an unchallenged outcome final.
    pub fn finalize_job(ctx: Context<FinalizeJob>) -> Result<()> {
        FinalizeJob::handler(ctx)
    }

    /// Credits a seat's pay and fee, unlocks its bond and closes it.
    pub fn settle_execution(ctx: Context<SettleExecution>) -> Result<()> {
        SettleExecution::handler(ctx)
    }

    /// Ends a wait whose deadline has passed.
    pub fn expire_job(ctx: Context<ExpireJob>) -> Result<()> {
        ExpireJob::handler(ctx)
    }

    /// Contests a result, or asks a jury about a deadlock.
    pub fn open_dispute(ctx: Context<OpenDispute>, args: OpenDisputeArgs) -> Result<()> {
        OpenDispute::handler(ctx, args)
    }

    /// Joins a dispute with a hidden outcome of one's own.
    pub fn enter_dispute(ctx: Context<EnterDispute>, args: EnterDisputeArgs) -> Result<()> {
        EnterDispute::handler(ctx, args)
    }

    /// Votes in a dispute's round without showing it.
    pub fn commit_vote(ctx: Context<CommitVote>, args: CommitVoteArgs) -> Result<()> {
        CommitVote::handler(ctx, args)
    }

    /// Shows the ballot that a juror committed to.
    pub fn reveal_vote(ctx: Context<RevealVote>, args: RevealVoteArgs) -> Result<()> {
        RevealVote::handler(ctx, args)
    }

    /// Shows the outcome that a challenger committed to.
    pub fn reveal_outcome(ctx: Context<RevealOutcome>, args: RevealOutcomeArgs) -> Result<()> {
        RevealOutcome::handler(ctx, args)
    }

    /// Counts a dispute's round.
    pub fn tally_round(ctx: Context<TallyRound>) -> Result<()> {
        TallyRound::handler(ctx)
    }

    /// Asks a larger jury than the one that found a verdict.
    pub fn appeal(ctx: Context<Appeal>, args: AppealArgs) -> Result<()> {
        Appeal::handler(ctx, args)
    }

    /// Takes the duty lock of a juror that was drawn and did not vote.
    pub fn slash_absent(ctx: Context<SlashAbsent>, args: SlashAbsentArgs) -> Result<()> {
        SlashAbsent::handler(ctx, args)
    }

    /// Ends a round against which nobody appealed in time.
    pub fn settle_dispute(ctx: Context<SettleDispute>) -> Result<()> {
        SettleDispute::handler(ctx)
    }

    /// Counts a challenge of a dispute that is over, then pays it.
    pub fn settle_challenge(ctx: Context<SettleChallenge>) -> Result<()> {
        SettleChallenge::handler(ctx)
    }

    /// Unlocks a juror's vote, and pays or takes what it comes to.
    pub fn settle_vote(ctx: Context<SettleVote>) -> Result<()> {
        SettleVote::handler(ctx)
    }

    /// Closes a dispute in which everybody has got what was due.
    pub fn close_dispute(ctx: Context<CloseDispute>) -> Result<()> {
        CloseDispute::handler(ctx)
    }

    /// Records with a module that its results differed.
    pub fn record_collision(ctx: Context<RecordCollision>) -> Result<()> {
        RecordCollision::handler(ctx)
    }

    /// Pays a provider's earnings to its authority.
    pub fn claim_reward(ctx: Context<ClaimReward>) -> Result<()> {
        ClaimReward::handler(ctx)
    }

    /// Closes a job that is over and pays everything left to its poster.
    pub fn close_job(ctx: Context<CloseJob>) -> Result<()> {
        CloseJob::handler(ctx)
    }

    /// Registers a provider; its node key signs too.
    pub fn register_provider(ctx: Context<RegisterProvider>, args: RegisterProviderArgs) -> Result<()> {
        RegisterProvider::handler(ctx, args)
    }

    /// Changes a provider's node key, exposure cap, capacity or endpoint.
    pub fn update_provider(ctx: Context<UpdateProvider>, args: UpdateProviderArgs) -> Result<()> {
        UpdateProvider::handler(ctx, args)
    }

    /// Adds stake.
    pub fn stake(ctx: Context<Stake>, args: StakeArgs) -> Result<()> {
        Stake::handler(ctx, args)
    }

    /// Begins to take stake out.
    pub fn unstake(ctx: Context<Unstake>, args: UnstakeArgs) -> Result<()> {
        Unstake::handler(ctx, args)
    }

    /// Counts stake as tickets for draws.
    pub fn enroll_stake(ctx: Context<EnrollStake>) -> Result<()> {
        EnrollStake::handler(ctx)
    }

    /// Pays out stake whose unbonding period is over.
    pub fn withdraw_stake(ctx: Context<WithdrawStake>) -> Result<()> {
        WithdrawStake::handler(ctx)
    }

    /// Closes a provider that owes and is owed nothing.
    pub fn close_provider(ctx: Context<CloseProvider>) -> Result<()> {
        CloseProvider::handler(ctx)
    }

    /// Begins or ends a provider's service as juror.
    pub fn set_duty(ctx: Context<SetDuty>, args: SetDutyArgs) -> Result<()> {
        SetDuty::handler(ctx, args)
    }

    /// Creates the account that burned shares go to. Anyone, once per program.
    pub fn create_sink(ctx: Context<CreateSink>) -> Result<()> {
        CreateSink::handler(ctx)
    }

    /// Creates a market under the signer's own key.
    pub fn create_market(ctx: Context<CreateMarket>, args: CreateMarketArgs) -> Result<()> {
        CreateMarket::handler(ctx, args)
    }

    /// Announces a market's new terms, which wait one unbonding period.
    pub fn update_market(ctx: Context<UpdateMarket>, args: UpdateMarketArgs) -> Result<()> {
        UpdateMarket::handler(ctx, args)
    }

    /// Stops creating, accepting and registering for at most 72 hours, once in 7 days.
    pub fn pause_market(ctx: Context<PauseMarket>, args: PauseMarketArgs) -> Result<()> {
        PauseMarket::handler(ctx, args)
    }

    /// First half of handing a market over.
    pub fn propose_market_authority(
        ctx: Context<ProposeMarketAuthority>,
        args: ProposeMarketAuthorityArgs,
    ) -> Result<()> {
        ProposeMarketAuthority::handler(ctx, args)
    }

    /// Second half of handing a market over.
    pub fn accept_market_authority(ctx: Context<AcceptMarketAuthority>) -> Result<()> {
        AcceptMarketAuthority::handler(ctx)
    }

    /// Pays a market's fees to its authority.
    pub fn claim_market_fees(ctx: Context<ClaimMarketFees>) -> Result<()> {
        ClaimMarketFees::handler(ctx)
    }
}
