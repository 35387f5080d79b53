//! Settles one seat of a job that is over.
//!
//! Who: anyone. State: the Execution closes, which makes a second settlement impossible (I-02). Money, besides the Execution's rent →
//! who paid it:
//!
//! | Seat | Job Resolved | Job Cancelled or Expired |
//! |---|---|---|
//! | Submitted, what is final | pay: escrow → provider's earnings; fee: escrow → market's fees; lock free; where a dispute found it and no challenger was right, also an equal part of half of what those lost: dispute → earnings | lock free |
//! | Submitted, anything else | lock: stake → Sink, where a dispute found it → dispute | lock free |
//! | Committed, never revealed | lock: stake → Sink, where a dispute found it → dispute | lock: stake → Sink |
//! | Accepted, its clock ran | miss penalty: stake → job's compensation, until that is one delay fee, the rest → Sink | the same |
//! | Accepted, its clock never ran | lock free | the same |
//! | Missed | nothing | nothing |
//!
//! `0 [writable] job: Resolved, Cancelled or Expired · 1 [writable] execution: the job's, closed · 2 [writable] provider: the
//! execution's · 3 [writable] market: the job's · 4 [writable] rent_payer: the execution's · 5 [writable, optional] sink: where
//! something is burned · 6 [writable, optional] dispute: the job's, where it has one, all challenges counted`
//!
//! Errors: `MarketMismatch`, `JobMismatch`, `ProviderMismatch`, `RentPayerMismatch`, `JobNotTerminal`, `AccountsMissing`,
//! `ChallengesUncounted`, `ExecutionNotSettleable`.

use anchor_lang::prelude::*;
use assay_protocol::{fees::Penalty, ExecutionStatus, JobStatus, Settled};

use crate::{
    errors::{err, require, require_keys_eq, AssayError},
    events::ExecutionSettled,
    invariants::check_backed,
    state::{Dispute, Execution, Job, Market, Provider, Sink, AUDIT_DRAWN},
};

/// Accounts of `settle_execution`.
#[derive(Accounts)]
pub struct SettleExecution<'info> {
    /// The job.
    #[account(mut, dup)]
    pub job: Box<Account<'info, Job>>,
    /// The seat.
    #[account(
        mut,
        dup,
        close = rent_payer,
        has_one = job @ AssayError::JobMismatch,
        has_one = provider @ AssayError::ProviderMismatch,
        has_one = rent_payer @ AssayError::RentPayerMismatch
    )]
    pub execution: Box<Account<'info, Execution>>,
    /// The provider.
    #[account(mut, dup)]
    pub provider: Box<Account<'info, Provider>>,
    /// The market, for its fee.
    #[account(mut, dup)]
    pub market: Box<Account<'info, Market>>,
    /// Who paid the seat's rent.
    /// CHECK: whoever signed `accept_job` controls it; bound by `has_one`, it only receives lamports.
    #[account(mut)]
    pub rent_payer: UncheckedAccount<'info>,
    /// Receives what is burned.
    #[account(mut, dup)]
    pub sink: Option<Account<'info, Sink>>,
    /// The job's dispute: receives what wrong seats lose, rewards right ones.
    #[account(mut, dup, has_one = job @ AssayError::JobMismatch)]
    pub dispute: Option<Box<Account<'info, Dispute>>>,
}

/// What a seat comes to.
enum Due {
    /// It is right.
    Pay,
    /// It owes and is owed nothing.
    Free,
    /// It is wrong, or hid what it committed to.
    Lose,
    /// It was silent.
    Miss,
    /// It was settled when it was given up.
    Nothing,
}

/// What was moved, lamports.
#[derive(Default)]
struct Moved {
    pay: u64,
    fee: u64,
    share: u64,
    unlocked: u64,
    lost: u64,
}

impl SettleExecution<'_> {
    fn validate(&self) -> Result<Due> {
        // job, provider, rent_payer: bound by `has_one` of the execution.
        // sink: only `create_sink` makes one, at one address, so owner and discriminator identify it.
        // Deliberately absent: a signer. Every amount and every recipient is fixed.
        // dispute: the job's, by `has_one`; it is over, for the job is.
        let Self { job, execution, provider: _, market, rent_payer: _, sink, dispute } = self;
        require_keys_eq!(job.market, market.key(), AssayError::MarketMismatch);
        let status = job.status()?;
        require!(status.is_terminal(), AssayError::JobNotTerminal);
        if job.disputes_open > 0 {
            dispute.as_ref().ok_or(AssayError::AccountsMissing)?.check_counted()?;
        }
        let due = match execution.status()? {
            ExecutionStatus::Missed => Due::Nothing,
            ExecutionStatus::Submitted if status != JobStatus::Resolved => Due::Free,
            ExecutionStatus::Submitted if execution.outcome == job.outcome => Due::Pay,
            ExecutionStatus::Submitted | ExecutionStatus::Committed => Due::Lose,
            ExecutionStatus::Accepted if job.seats > 0 => Due::Miss, // A clock ran, and it runs for all seats.
            ExecutionStatus::Accepted => Due::Free,
            _ => return err!(AssayError::ExecutionNotSettleable),
        };
        let is_burned = matches!(due, Due::Miss) || (matches!(due, Due::Lose) && !is_judged(job)?);
        require!(!is_burned || sink.is_some(), AssayError::AccountsMissing);
        Ok(due)
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>) -> Result<()> {
        let accounts = ctx.accounts;
        let moved = match accounts.validate()? {
            Due::Pay => accounts.pay()?,
            Due::Free => {
                let hold = accounts.job.hold_of(&accounts.execution)?;
                accounts.provider.unlock_seat(&hold)?;
                Moved { unlocked: hold.lock_lamports, ..Moved::default() }
            }
            Due::Lose => {
                accounts.provider.record_wrong(Clock::get()?.unix_timestamp, accounts.job.jail_s)?;
                accounts.forfeit()?
            }
            Due::Miss => {
                accounts.provider.record_missed(Clock::get()?.unix_timestamp, accounts.job.jail_s)?;
                accounts.lose(accounts.job.silence_penalty()?)?
            }
            Due::Nothing => Moved::default(),
        };
        let Self { job, execution: _, provider, market, rent_payer: _, sink: _, dispute } = accounts;
        job.forget_execution()?;
        provider.forget_child()?;
        if let Some(dispute) = dispute {
            check_backed(dispute)?;
        }
        check_backed(job)?;
        check_backed(market)?;
        check_backed(provider)?;
        emit!(ExecutionSettled {
            market: market.key(),
            job: job.key(),
            provider: provider.key(),
            pay_lamports: moved.pay,
            fee_lamports: moved.fee,
            share_lamports: moved.share,
            unlocked_lamports: moved.unlocked,
            lost_lamports: moved.lost,
        });
        Ok(())
    }

    fn pay(&mut self) -> Result<Moved> {
        let share = if is_judged(&self.job)? { self.share()? } else { 0 };
        let Self { job, execution, provider, market, rent_payer: _, sink: _, dispute: _ } = self;
        let (pay, fee, unlocked) = (job.pay_lamports, job.fee_lamports, execution.lock_lamports);
        let spent = pay.checked_add(fee).ok_or(AssayError::AmountOverflow)?;
        job.escrow_lamports = job.escrow_lamports.checked_sub(spent).ok_or(AssayError::AmountOverflow)?;
        provider.earnings_lamports = provider.earnings_lamports.checked_add(pay).ok_or(AssayError::AmountOverflow)?;
        market.fees_lamports = market.fees_lamports.checked_add(fee).ok_or(AssayError::AmountOverflow)?;
        let hold = job.hold_of(execution)?;
        provider.unlock_seat(&hold)?;
        let outcome = job.standing_outcome()?;
        let settled = Settled {
            gas_used: outcome.gas_used,
            elapsed_s: execution.elapsed_s,
            fee_lamports: fee,
            is_drawn: execution.drawn == 1,
            is_audited: job.audit == AUDIT_DRAWN && job.is_solo(execution),
            drawn_equal: job.tally.entry(&outcome.hash()).map_or(0, |entry| entry.drawn),
        };
        provider.record_right(&settled, &hold);
        job.sub_lamports(spent)?;
        provider.add_lamports(pay)?;
        market.add_lamports(fee)?;
        Ok(Moved { pay, fee, share, unlocked, lost: 0 })
    }

    /// What a seat gets for having stood against challengers who were all wrong.
    fn share(&mut self) -> Result<u64> {
        let Self { job: _, execution: _, provider, market: _, rent_payer: _, sink: _, dispute } = self;
        let dispute = dispute.as_mut().ok_or(AssayError::AccountsMissing)?;
        let share = dispute.pot().executor().map_err(AssayError::from)?;
        dispute.give(share)?;
        provider.earnings_lamports = provider.earnings_lamports.checked_add(share).ok_or(AssayError::AmountOverflow)?;
        provider.trust.record_dispute_won();
        dispute.sub_lamports(share)?;
        provider.add_lamports(share)?;
        Ok(share)
    }

    /// Takes the whole lock: for the dispute that found something else, or the Sink.
    fn forfeit(&mut self) -> Result<Moved> {
        let lost = self.execution.lock_lamports;
        if !is_judged(&self.job)? {
            return self.lose(Penalty { poster_lamports: 0, sink_lamports: lost });
        }
        self.take_stake(lost)?;
        let Self { job: _, execution: _, provider, market: _, rent_payer: _, sink: _, dispute } = self;
        let dispute = dispute.as_mut().ok_or(AssayError::AccountsMissing)?;
        provider.trust.record_dispute_lost();
        dispute.take_into_pot(lost)?;
        provider.sub_lamports(lost)?;
        dispute.add_lamports(lost)?;
        Ok(Moved { lost, ..Moved::default() })
    }

    /// Takes a penalty for poster and Sink.
    fn lose(&mut self, penalty: Penalty) -> Result<Moved> {
        let Penalty { poster_lamports, sink_lamports } = penalty;
        let lost = poster_lamports.checked_add(sink_lamports).ok_or(AssayError::AmountOverflow)?;
        let unlocked = self.take_stake(lost)?;
        let Self { job, execution: _, provider, market: _, rent_payer: _, sink, dispute: _ } = self;
        let sink = sink.as_mut().ok_or(AssayError::AccountsMissing)?;
        job.compensation_lamports =
            job.compensation_lamports.checked_add(poster_lamports).ok_or(AssayError::AmountOverflow)?;
        sink.burned_lamports = sink.burned_lamports.checked_add(sink_lamports).ok_or(AssayError::AmountOverflow)?;
        provider.sub_lamports(lost)?;
        job.add_lamports(poster_lamports)?;
        sink.add_lamports(sink_lamports)?;
        Ok(Moved { unlocked, lost, ..Moved::default() })
    }

    /// Ends the seat's lock, of which so much is lost, and with it the tickets that the rest of the stake does not bear. Says how
    /// much is free.
    fn take_stake(&mut self, lost: u64) -> Result<u64> {
        let Self { job, execution, provider, market, rent_payer: _, sink: _, dispute: _ } = self;
        let unlocked = execution.lock_lamports.checked_sub(lost).ok_or(AssayError::AmountOverflow)?;
        provider.unlock_seat(&job.hold_of(execution)?)?;
        provider.lose_stake(lost)?;
        let tickets = provider.usable_tickets(market.terms.ticket_lamports);
        market.count_tickets(provider, tickets)?;
        Ok(unlocked)
    }
}

/// Whether a dispute found what is final.
fn is_judged(job: &Job) -> Result<bool> {
    Ok(job.disputes_open > 0 && job.status()? == JobStatus::Resolved)
}
