use anchor_lang::prelude::*;
use assay_protocol::MarketTerms;

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
        let (old, new) = (u64::from(provider.tickets), u64::from(tickets));
        let moved = self.tickets_total.checked_sub(old).and_then(|rest| rest.checked_add(new));
        self.tickets_total = moved.ok_or(AssayError::AmountOverflow)?;
        provider.tickets = tickets;
        self.count_duty_tickets(provider, provider.duty_tickets.min(tickets))
    }

    /// Counts so many of one of the market's providers' tickets for juries, and keeps the total.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn count_duty_tickets(&mut self, provider: &mut Provider, tickets: u32) -> Result<()> {
        let (old, new) = (u64::from(provider.duty_tickets), u64::from(tickets));
        let moved = self.duty_tickets_total.checked_sub(old).and_then(|rest| rest.checked_add(new));
        self.duty_tickets_total = moved.ok_or(AssayError::AmountOverflow)?;
        provider.duty_tickets = tickets;
        Ok(())
    }

    /// Ends a provider's service as juror with this second: of a dispute that is opened in it the provider is still a juror, so that
    /// nobody leaves a jury that is counted. Its tickets stay counted while executions of its own are open: the juries of those jobs
    /// are counted without them as they were when the seats were taken, and a liar could otherwise empty the jury that is to judge it.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn end_duty(&mut self, provider: &mut Provider, now_unix: i64) -> Result<()> {
        provider.duty_until_unix = deadline_unix(now_unix, 1)?;
        self.release_duty_tickets(provider)
    }

    /// Stops counting for juries the tickets of a provider that neither serves nor has an execution open.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn release_duty_tickets(&mut self, provider: &mut Provider) -> Result<()> {
        match provider.has_lingering_tickets() {
            true => self.count_duty_tickets(provider, 0),
            false => Ok(()),
        }
    }

    /// Whether creating, accepting and registering are refused at this moment.
    #[must_use]
    pub fn is_paused(&self, now_unix: i64) -> bool {
        now_unix < self.paused_until_unix
    }
}

impl Ledger for Market {
    fn owed_lamports(&self) -> Result<u64> {
        sum_lamports(&[self.rent_lamports, self.fees_lamports])
    }
}
