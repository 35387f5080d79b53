//! Takes the duty lock of a juror that was drawn and did not vote.
//!
//! Who: anyone, from the count of a round until the next step of the dispute. State: the juror's duty ends, see
//! [`Market::end_duty`]. Money: the duty lock, stake → dispute.
//!
//! `0 [writable] dispute: Tallied · 1 [writable] provider: a juror of it · 2 [writable] market: the provider's · 3 [] vote:
//! PDA("vote", dispute, round, provider), unused or not revealed · 4 [] challenge: PDA("challenge", dispute, node key), unused`
//!
//! Errors: `DisputeNotTallied`, `MarketMismatch`, `NotAJuror`, `TicketLoses`, `AddressMismatch`, `JurorWasPresent`, `JurorWasBusy`,
//! `NothingToSlash`, `AmountOverflow`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::{tickets::wins, DisputeStatus, VoteStatus};

use crate::{
    errors::{require, require_keys_eq, AssayError},
    events::AbsentSlashed,
    invariants::check_backed,
    pda::canonical_bump,
    state::{seeds, Dispute, Market, Provider, Vote},
};

/// Arguments of `slash_absent`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SlashAbsentArgs {
    /// A ticket of the juror that was drawn; means nothing where everybody votes.
    pub ticket: u32,
}

/// Accounts of `slash_absent`.
#[derive(Accounts)]
pub struct SlashAbsent<'info> {
    /// The dispute.
    #[account(mut, dup)]
    pub dispute: Box<Account<'info, Dispute>>,
    /// The juror.
    #[account(mut, dup, has_one = market @ AssayError::MarketMismatch)]
    pub provider: Box<Account<'info, Provider>>,
    /// Its market, for the sums of tickets.
    #[account(mut, dup)]
    pub market: Box<Account<'info, Market>>,
    /// Where its vote of this round would be.
    /// CHECK: nobody chooses it: it must be the canonical address of its seeds, and is then nothing or a Vote.
    pub vote: UncheckedAccount<'info>,
    /// Where its challenge would be.
    /// CHECK: nobody chooses it: it must be the canonical address of its seeds, and must be nothing.
    pub challenge: UncheckedAccount<'info>,
}

impl SlashAbsent<'_> {
    fn validate(&self, args: &SlashAbsentArgs) -> Result<()> {
        // market: bound by `has_one` of the provider, which the juror's check compares with the dispute's.
        // Deliberately absent: a signer. The juror's own record decides, and the recipient is fixed.
        // Deliberately absent: a deadline. What was absent stays absent until a step ends the round.
        let Self { dispute, provider, market: _, vote, challenge } = self;
        require!(dispute.status()? == DisputeStatus::Tallied, AssayError::DisputeNotTallied);
        let (dispute_key, provider_key, round) = (dispute.key(), provider.key(), [dispute.round]);
        dispute.check_juror(&provider_key, provider)?;
        let node_key = provider.node_key;
        canonical_bump(challenge.key, &[seeds::CHALLENGE, dispute_key.as_ref(), node_key.as_ref(), &[]])?;
        require_keys_eq!(*challenge.owner, system_program::ID, AssayError::NotAJuror);

        let usable = provider.usable_tickets(dispute.ticket_lamports);
        if dispute.is_last() {
            require!(usable > 0, AssayError::TicketLoses);
        } else {
            let is_drawn = wins(&dispute.draw.seed, provider_key.as_array(), args.ticket, dispute.threshold());
            require!(args.ticket < usable && is_drawn, AssayError::TicketLoses);
        }

        canonical_bump(vote.key, &[seeds::VOTE, dispute_key.as_ref(), &round, provider_key.as_ref()])?;
        if *vote.owner != system_program::ID {
            let cast = Vote::try_deserialize(&mut vote.try_borrow_data()?.as_ref())?;
            require!(cast.status()? != VoteStatus::Revealed, AssayError::JurorWasPresent);
        }
        // Else many sham disputes at a time would drive honest jurors off duty.
        require!(provider.votes_open < 2, AssayError::JurorWasBusy);
        require!(provider.duty_lock_lamports > 0, AssayError::NothingToSlash);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: SlashAbsentArgs) -> Result<()> {
        ctx.accounts.validate(&args)?;
        let now_unix = Clock::get()?.unix_timestamp;
        let Self { dispute, provider, market, vote: _, challenge: _ } = ctx.accounts;
        let lost_lamports = provider.duty_lock_lamports;
        if provider.is_on_duty() {
            market.end_duty(provider, now_unix)?;
        }
        provider.duty_lock_lamports = 0;
        provider.locked_lamports =
            provider.locked_lamports.checked_sub(lost_lamports).ok_or(AssayError::AmountOverflow)?;
        provider.lose_stake(lost_lamports)?;
        let tickets = provider.usable_tickets(market.terms.ticket_lamports);
        market.count_tickets(provider, tickets)?;
        dispute.take_into_pot(lost_lamports)?;
        provider.sub_lamports(lost_lamports)?;
        dispute.add_lamports(lost_lamports)?;
        check_backed(provider)?;
        check_backed(dispute)?;
        emit!(AbsentSlashed {
            market: market.key(),
            job: dispute.job,
            round: dispute.round,
            provider: provider.key(),
            lamports: lost_lamports,
        });
        Ok(())
    }
}
