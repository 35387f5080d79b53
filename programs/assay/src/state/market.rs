use anchor_lang::prelude::*;
use assay_protocol::MarketTerms;

use super::{sum_lamports, Ledger, Provider};
use crate::errors::AssayError;

/// A place where jobs are posted. PDA("market", creator, name).
#[account]
#[derive(Debug, InitSpace)]
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
    /// Those of them whose providers are on duty as jurors.
    pub duty_tickets_total: u64,
    /// Zero.
    pub reserved: [u8; 64],
}

impl Market {
    /// Bytes of the account, discriminator included.
    pub const SIZE_BYTES: usize = Self::DISCRIMINATOR.len() + Self::INIT_SPACE;

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
        let moved = |total: u64| total.checked_sub(old).and_then(|rest| rest.checked_add(new));
        self.tickets_total = moved(self.tickets_total).ok_or(AssayError::AmountOverflow)?;
        if provider.is_on_duty() {
            self.duty_tickets_total = moved(self.duty_tickets_total).ok_or(AssayError::AmountOverflow)?;
        }
        provider.tickets = tickets;
        Ok(())
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
