//! Takes the duty lock of a juror that was drawn and did not vote, or with less than all its tickets.
//!
//! Who: anyone; of a round from its count on, and of the one before while the dispute goes on. State: the juror's duty ends, see
//! [`Market::end_duty`]. Money: the duty lock, stake → dispute.
//!
//! One winning ticket shows that a juror without a revealed vote was absent; one more than its vote weighs, that the vote was too
//! light, unless the juror's free stake or the size of a vote let it weigh no more. Where everybody votes no ticket is needed.
//!
//! `0 [writable] dispute: of the round · 1 [writable] provider: a juror of it · 2 [writable] market: the provider's · 3 [] vote:
//! PDA("vote", dispute, round, provider), unused, not revealed, or not full`
//!
//! Errors: `DisputeNotTallied`, `MarketMismatch`, `NotAJuror`, `TicketLoses`, `TicketsUnordered`, `AddressMismatch`, `JurorWasPresent`,
//! `NothingToSlash`, `AmountOverflow`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::VoteStatus;

use crate::{
    errors::{require, AssayError},
    events::AbsentSlashed,
    invariants::check_backed,
    pda::canonical_bump,
    state::{seeds, Dispute, Jury, Market, Provider, Vote},
};

/// Arguments of `slash_absent`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SlashAbsentArgs {
    /// The round in which it was absent.
    pub round: u8,
    /// Tickets of the juror that were drawn, strictly ascending: one, or one more than its vote weighs; none where everybody votes.
    #[cfg_attr(not(feature = "idl-build"), borsh(deserialize_with = "crate::arguments::read_tickets"))]
    pub tickets: Vec<u32>,
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
    /// Where its vote of the round would be.
    /// CHECK: nobody chooses it: it must be the canonical address of its seeds, and is then nothing or a Vote.
    pub vote: UncheckedAccount<'info>,
}

impl SlashAbsent<'_> {
    fn validate(&self, args: &SlashAbsentArgs) -> Result<()> {
        // market: bound by `has_one` of the provider, which the juror's check compares with the dispute's.
        // Deliberately absent: a signer. The juror's own record decides, and the recipient is fixed.
        // Deliberately absent: a deadline. Who was absent stays so until the round after the next step is over, or the dispute.
        let Self { dispute, provider, market: _, vote } = self;
        let (dispute_key, provider_key, round) = (dispute.key(), provider.key(), [args.round]);
        let jury = dispute.jury_called(args.round)?;
        dispute.check_juror(&provider_key, provider)?;
        canonical_bump(vote.key, &[seeds::VOTE, dispute_key.as_ref(), &round, provider_key.as_ref()])?;
        let cast = match *vote.owner == system_program::ID {
            true => None,
            false => Some(Vote::try_deserialize(&mut vote.try_borrow_data()?.as_ref())?),
        };
        self.validate_tickets(args, jury, cast.as_ref())?;
        require!(provider.duty_lock_lamports > 0, AssayError::NothingToSlash);
        Ok(())
    }

    /// That more of the juror's tickets were drawn than it showed a vote for.
    fn validate_tickets(&self, args: &SlashAbsentArgs, jury: Option<Jury>, cast: Option<&Vote>) -> Result<()> {
        let Self { dispute, provider, market: _, vote: _ } = self;
        let (mut weight, mut usable) = (0, provider.usable_tickets(dispute.ticket_lamports));
        let mut refusal = AssayError::TicketLoses;
        if let Some(cast) = cast {
            usable = usable.min(cast.tickets);
            if cast.status()? == VoteStatus::Revealed {
                require!(cast.is_full == 0, AssayError::JurorWasPresent);
                (weight, refusal) = (cast.weight, AssayError::JurorWasPresent);
            }
        }
        let Some(jury) = jury else {
            require!(usable > 0, AssayError::TicketLoses);
            return Ok(());
        };
        let shown = u64::try_from(args.tickets.len()).unwrap_or(u64::MAX);
        require!(weight.checked_add(1) == Some(shown), refusal);
        jury.check(&provider.key(), usable, &args.tickets)
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: SlashAbsentArgs) -> Result<()> {
        ctx.accounts.validate(&args)?;
        let now_unix = Clock::get()?.unix_timestamp;
        let Self { dispute, provider, market, vote: _ } = ctx.accounts;
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
            round: args.round,
            provider: provider.key(),
            lamports: lost_lamports,
        });
        Ok(())
    }
}
