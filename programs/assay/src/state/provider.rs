use anchor_lang::prelude::*;
use assay_protocol::{
    duty::{jury_reserve, DutyView, ON_DUTY},
    limits::MISSES_IN_ROW_JAIL,
    tickets::tickets_of,
    MarketTerms, Settled, TrustVector,
};

use super::{deadline_unix, packed::account, sum_lamports, Ledger};
use crate::errors::{require, AssayError};

/// What a seat holds of its provider's.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    /// Stake reserved, lamports.
    pub lock_lamports: u64,
    /// Most pay of a result that nobody may ever check, lamports; zero unless the seat was taken alone.
    pub unaudited_lamports: u64,
}

/// One provider in one market. PDA("provider", market, authority).
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, InitSpace)]
pub struct Provider {
    /// Layout version, 1.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// Always 1.
    pub status: u8,
    /// The market it works in.
    pub market: Pubkey,
    /// Cold key: stakes, withdraws, receives rewards. Part of the address, never changes.
    pub authority: Pubkey,
    /// Hot key: accepts, declines, submits.
    pub node_key: Pubkey,
    /// Stake, locked part included, lamports.
    pub stake_lamports: u64,
    /// Part of the stake reserved by seats, by votes and by duty, lamports; never above the stake.
    pub locked_lamports: u64,
    /// Stake on its way out, lamports.
    pub unbonding_lamports: u64,
    /// From when that may be withdrawn.
    pub unbonding_until_unix: i64,
    /// Rewards to be claimed, lamports.
    pub earnings_lamports: u64,
    /// Most that may be locked at once. Every loss lowers it, so a stolen node key loses at most this in total (P-25).
    pub exposure_cap_lamports: u64,
    /// From when the stake counts for drawing seats.
    pub stake_mature_from_unix: i64,
    /// Most seats held at once.
    pub capacity: u16,
    /// Seats held: accepted or submitted, not yet settled.
    pub active: u16,
    /// Where peers reach it: UTF-8, zero padded. Opaque to the program.
    pub endpoint: [u8; 64],
    /// What it did.
    pub trust: TrustVector,
    /// When it registered.
    pub registered_unix: i64,
    /// Rent paid at registration, lamports.
    pub rent_lamports: u64,
    /// Execution and Vote accounts that name this provider, missed seats included; it cannot close before they did.
    pub children_open: u32,
    /// Seconds until new stake counts for drawing seats: the market's unbonding period at registration.
    pub maturing_s: u32,
    /// Tickets enrolled for draws, counted in the market's total.
    pub tickets: u32,
    /// When they last grew. A draw whose slot was fixed earlier does not know them (P-16).
    pub tickets_from_unix: i64,
    /// Part of the locked stake that stands for serving as juror, lamports; what an absence costs, once.
    pub duty_lock_lamports: u64,
    /// Since when it serves; zero before it ever did.
    pub duty_from_unix: i64,
    /// Until when it serves or served: the highest number while it does, zero before it ever did.
    pub duty_until_unix: i64,
    /// No seat may be taken before this moment; zero when it never was in jail.
    pub jailed_until_unix: i64,
    /// Deadlines missed since the last confirmed result, or since they led to jail.
    pub misses_in_row: u8,
    /// Votes cast and not settled; those that only excuse it are left out.
    pub votes_open: u16,
    /// Most pay of results that were found alone since the last confirmed one, lamports; with the next one's at most the stake.
    pub unaudited_lamports: u64,
    /// The market's unbonding period when its duty began; zero before it ever did.
    pub duty_unbonding_s: u32,
    /// Zero.
    pub reserved: [u8; 44],
}

account!(Provider, [164, 180, 71, 17, 75, 216, 80, 195], {
    version, bump, status, market, authority, node_key, stake_lamports, locked_lamports, unbonding_lamports,
    unbonding_until_unix, earnings_lamports, exposure_cap_lamports, stake_mature_from_unix, capacity, active, endpoint,
    trust, registered_unix, rent_lamports, children_open, maturing_s, tickets, tickets_from_unix, duty_lock_lamports,
    duty_from_unix, duty_until_unix, jailed_until_unix, misses_in_row, votes_open, unaudited_lamports,
    duty_unbonding_s, reserved,
});

impl Provider {
    /// Stake that no seat reserves, lamports.
    ///
    /// # Errors
    /// [`AssayError::LockExceedsStake`] when the ledger is broken.
    pub fn free_stake_lamports(&self) -> Result<u64> {
        Ok(self.stake_lamports.checked_sub(self.locked_lamports).ok_or(AssayError::LockExceedsStake)?)
    }

    /// Whether it serves as juror.
    #[must_use]
    pub fn is_on_duty(&self) -> bool {
        self.duty_until_unix == ON_DUTY
    }

    /// Tickets that the market's sum for juries counts: all of them while it serves.
    #[must_use]
    pub fn duty_tickets(&self) -> u32 {
        if self.is_on_duty() {
            self.tickets
        } else {
            0
        }
    }

    /// Enrolled tickets that the stake still bears, at this many lamports each.
    #[must_use]
    pub fn usable_tickets(&self, ticket_lamports: u64) -> u32 {
        self.tickets.min(tickets_of(self.stake_lamports, ticket_lamports))
    }

    /// Reserves a seat and what it holds. Limits were checked by the caller.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a counter is full.
    pub fn lock_seat(&mut self, hold: &Hold) -> Result<()> {
        self.locked_lamports =
            self.locked_lamports.checked_add(hold.lock_lamports).ok_or(AssayError::AmountOverflow)?;
        let unaudited_lamports = self.unaudited_lamports.checked_add(hold.unaudited_lamports);
        self.unaudited_lamports = unaudited_lamports.ok_or(AssayError::AmountOverflow)?;
        self.active = self.active.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        self.remember_child()
    }

    /// Gives a seat's hold and place back. The Execution account stays counted, see [`Self::forget_child`].
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn unlock_seat(&mut self, hold: &Hold) -> Result<()> {
        self.locked_lamports =
            self.locked_lamports.checked_sub(hold.lock_lamports).ok_or(AssayError::AmountOverflow)?;
        // A result that was confirmed meanwhile made up for all that nobody had checked.
        self.unaudited_lamports = self.unaudited_lamports.saturating_sub(hold.unaudited_lamports);
        self.active = self.active.checked_sub(1).ok_or(AssayError::AmountOverflow)?;
        Ok(())
    }

    /// Counts a new Execution or Vote account.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the counter is full.
    pub fn remember_child(&mut self) -> Result<()> {
        self.children_open = self.children_open.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        Ok(())
    }

    /// Stops counting an Execution or Vote account that is being closed.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn forget_child(&mut self) -> Result<()> {
        self.children_open = self.children_open.checked_sub(1).ok_or(AssayError::AmountOverflow)?;
        Ok(())
    }

    /// Reserves a vote's bonds. Limits were checked by the caller.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a counter is full.
    pub fn lock_vote(&mut self, lock_lamports: u64) -> Result<()> {
        self.locked_lamports = self.locked_lamports.checked_add(lock_lamports).ok_or(AssayError::AmountOverflow)?;
        self.votes_open = self.votes_open.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        self.remember_child()
    }

    /// Gives a vote's bonds back. The Vote account stays counted, see [`Self::forget_child`].
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the ledger is broken.
    pub fn unlock_vote(&mut self, lock_lamports: u64) -> Result<()> {
        self.locked_lamports = self.locked_lamports.checked_sub(lock_lamports).ok_or(AssayError::AmountOverflow)?;
        self.votes_open = self.votes_open.checked_sub(1).ok_or(AssayError::AmountOverflow)?;
        Ok(())
    }

    /// How many bonds of this size its free stake bears.
    ///
    /// # Errors
    /// [`AssayError::LockExceedsStake`] when the ledger is broken.
    pub fn bonds_borne(&self, bond_lamports: u64) -> Result<u32> {
        Ok(bonds_in(self.free_stake_lamports()?, bond_lamports))
    }

    /// How many bonds of this size its exposure cap leaves room for.
    #[must_use]
    pub fn bonds_exposable(&self, bond_lamports: u64) -> u32 {
        bonds_in(self.exposure_cap_lamports.saturating_sub(self.locked_lamports), bond_lamports)
    }

    /// Refuses a lock that the free stake does not cover (P-07), or that the exposure cap forbids (P-25).
    ///
    /// # Errors
    /// [`AssayError::FreeStakeTooSmall`], [`AssayError::ExposureCapReached`].
    pub fn check_lockable(&self, lamports: u64) -> Result<()> {
        require!(self.free_stake_lamports()? >= lamports, AssayError::FreeStakeTooSmall);
        let exposed_lamports = self.locked_lamports.checked_add(lamports).ok_or(AssayError::AmountOverflow)?;
        require!(exposed_lamports <= self.exposure_cap_lamports, AssayError::ExposureCapReached);
        Ok(())
    }

    /// Refuses a lock beside which stake or exposure cap would not bear the bonds of all its tickets: a juror that binds its stake
    /// elsewhere would be excused from its votes (P-18).
    ///
    /// # Errors
    /// [`AssayError::JuryReserveTooSmall`].
    pub fn check_reserve(&self, lock_lamports: u64, terms: &MarketTerms) -> Result<()> {
        let reserve_lamports = self.jury_reserve_lamports(terms);
        let bound_lamports = self.locked_lamports.saturating_add(lock_lamports).saturating_add(reserve_lamports);
        let bearable_lamports = self.stake_lamports.min(self.exposure_cap_lamports);
        require!(bound_lamports <= bearable_lamports, AssayError::JuryReserveTooSmall);
        Ok(())
    }

    /// The bonds of votes with all its tickets, lamports.
    #[must_use]
    pub fn jury_reserve_lamports(&self, terms: &MarketTerms) -> u64 {
        jury_reserve(self.usable_tickets(terms.ticket_lamports), terms.juror_bond_lamports)
    }

    /// When it serves or served, and since when it has its tickets.
    #[must_use]
    pub const fn duty(&self) -> DutyView {
        DutyView {
            duty_from_unix: self.duty_from_unix,
            duty_until_unix: self.duty_until_unix,
            tickets_from_unix: self.tickets_from_unix,
        }
    }

    /// Takes a loss out of the stake and out of the exposure cap. The caller unlocked the bond it comes from and
    /// moves the lamports.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the loss is above the stake.
    pub fn lose_stake(&mut self, lamports: u64) -> Result<()> {
        self.stake_lamports = self.stake_lamports.checked_sub(lamports).ok_or(AssayError::AmountOverflow)?;
        self.exposure_cap_lamports = self.exposure_cap_lamports.saturating_sub(lamports); // P-25
        Ok(())
    }

    /// Whether its score reaches the floor, basis points.
    #[must_use]
    pub fn is_trusted(&self, floor_bps: u16) -> bool {
        floor_bps == 0 || self.trust.score_bps() >= floor_bps
    }

    /// Counts a right result. A confirmed one makes up for the misses before it, and for all that nobody checked; another that
    /// was found alone stays unchecked.
    pub fn record_right(&mut self, settled: &Settled, hold: &Hold) {
        self.trust.record_right(settled);
        if settled.confirms() {
            (self.misses_in_row, self.unaudited_lamports) = (0, 0);
        } else {
            self.unaudited_lamports = self.unaudited_lamports.saturating_add(hold.unaudited_lamports);
        }
    }

    /// Counts a result that was wrong or hidden, for which it goes to jail.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a time leaves its range.
    pub fn record_wrong(&mut self, now_unix: i64, jail_s: u32) -> Result<()> {
        self.trust.record_wrong();
        self.jail(now_unix, jail_s)
    }

    /// Counts a missed deadline; several since the last confirmed result lead to jail.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a time leaves its range.
    pub fn record_missed(&mut self, now_unix: i64, jail_s: u32) -> Result<()> {
        self.trust.record_missed();
        self.misses_in_row = self.misses_in_row.saturating_add(1);
        if self.misses_in_row < MISSES_IN_ROW_JAIL {
            return Ok(());
        }
        self.misses_in_row = 0;
        self.jail(now_unix, jail_s)
    }

    /// Time is the way out; stake, duty and claims go on meanwhile.
    fn jail(&mut self, now_unix: i64, jail_s: u32) -> Result<()> {
        self.jailed_until_unix = self.jailed_until_unix.max(deadline_unix(now_unix, jail_s)?);
        Ok(())
    }
}

fn bonds_in(lamports: u64, bond_lamports: u64) -> u32 {
    let bonds = lamports.checked_div(bond_lamports).unwrap_or(u64::MAX);
    u32::try_from(bonds).unwrap_or(u32::MAX)
}

impl Ledger for Provider {
    fn owed_lamports(&self) -> Result<u64> {
        require!(self.locked_lamports <= self.stake_lamports, AssayError::LockExceedsStake);
        sum_lamports(&[self.rent_lamports, self.stake_lamports, self.unbonding_lamports, self.earnings_lamports])
    }
}
