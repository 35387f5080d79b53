use anchor_lang::prelude::*;
use assay_protocol::{duty::ON_DUTY, MarketTerms};

use super::{deadline_unix, packed::account, sum_lamports, Ledger, Provider};
use crate::errors::AssayError;

/// A place where jobs are posted. PDA("market", creator, name).
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, InitSpace)]
pub struct Market {
    /// Layout version, 1.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Always 1.
    pub status: u8,
    /// Who created it; part of the address, never changes.
    pub creator: Pubkey,
    /// Who changes terms, pauses and claims fees.
    pub authority: Pubkey,
    /// Who may take the authority over; zero when nobody was proposed.
    pub pending_authority: Pubkey,
    /// Reserved for token markets; zero means lamports.
    pub mint: Pubkey,
    /// Chosen by the creator; part of the address.
    pub name: [u8; 32],
    /// `cluster_tag` of the cluster's genesis hash; enters every `job_uid`.
    pub cluster: [u8; 32],
    /// Fees to be claimed by the authority, lamports.
    pub fees_lamports: u64,
    /// Creating and accepting jobs and registering providers are refused before this moment.
    pub paused_until_unix: i64,
    /// The next pause may begin from this moment.
    pub pause_allowed_from_unix: i64,
    /// Terms in force, unless the pending ones have taken over.
    pub terms: MarketTerms,
    /// Announced terms; mean nothing while `pending_from_unix` is zero.
    pub pending_terms: MarketTerms,
    /// From when the announced terms are in force; zero when there are none.
    pub pending_from_unix: i64,
    /// Rent paid at creation, lamports.
    pub rent_lamports: u64,
    /// Tickets that the market's providers have enrolled, together.
    pub tickets_total: u64,
    /// Those of them that juries are counted by, see [`Provider::duty_tickets`].
    pub duty_tickets_total: u64,
    /// Zero.
    pub reserved: [u8; 64],
}

account!(Market, [219, 190, 213, 55, 0, 227, 198, 154], {
    version, bump, status, creator, authority, pending_authority, mint, name, cluster, fees_lamports, paused_until_unix,
    pause_allowed_from_unix, terms, pending_terms, pending_from_unix, rent_lamports, tickets_total, duty_tickets_total,
    reserved,
});

impl Market {
    /// The terms in force at this moment.
    #[must_use]
    pub fn current_terms(&self, now_unix: i64) -> &MarketTerms {
        if self.pending_from_unix != 0 && now_unix >= self.pending_from_unix {
            &self.pending_terms
        } else {
            &self.terms
        }
    }

    /// Gives one of the market's providers so many tickets, and keeps the totals.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn count_tickets(&mut self, provider: &mut Provider, tickets: u32) -> Result<()> {
        let counted = provider.duty_tickets();
        self.tickets_total = moved(self.tickets_total, provider.tickets, tickets)?;
        provider.tickets = tickets;
        self.duty_tickets_total = moved(self.duty_tickets_total, counted, provider.duty_tickets())?;
        Ok(())
    }

    /// Begins a provider's service as juror: juries count its tickets.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn begin_duty(&mut self, provider: &mut Provider, now_unix: i64) -> Result<()> {
        let counted = provider.duty_tickets();
        provider.duty_from_unix = now_unix;
        provider.duty_until_unix = ON_DUTY;
        self.duty_tickets_total = moved(self.duty_tickets_total, counted, provider.duty_tickets())?;
        Ok(())
    }

    /// Ends a provider's service as juror with this second: of a dispute that is opened in it the provider is still a juror, so that
    /// nobody leaves a jury that is counted.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn end_duty(&mut self, provider: &mut Provider, now_unix: i64) -> Result<()> {
        self.duty_tickets_total = moved(self.duty_tickets_total, provider.duty_tickets(), 0)?;
        provider.duty_until_unix = deadline_unix(now_unix, 1)?;
        Ok(())
    }

    /// Whether creating, accepting and registering are refused at this moment.
    #[must_use]
    pub fn is_paused(&self, now_unix: i64) -> bool {
        now_unix < self.paused_until_unix
    }
}

/// A total in which one provider's tickets changed.
fn moved(total: u64, old: u32, new: u32) -> Result<u64> {
    let total = total.checked_sub(u64::from(old)).and_then(|rest| rest.checked_add(u64::from(new)));
    Ok(total.ok_or(AssayError::AmountOverflow)?)
}

impl Ledger for Market {
    fn owed_lamports(&self) -> Result<u64> {
        sum_lamports(&[self.rent_lamports, self.fees_lamports])
    }
}
