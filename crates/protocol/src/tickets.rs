//! Tickets: what stake counts for in a draw. Each ticket wins or loses alone, so splitting stake over many names changes
//! nobody's chance (P-15).

use solana_sha256_hasher::hashv;

use crate::{
    ids::{Domain, Hash32},
    limits::{SEATS_START_FACTOR, TICKETS_MAX},
};

/// Instead of a ticket: the seat is taken alone, see [`crate::trust::AuditBounds`].
pub const TICKET_SOLO: u32 = u32::MAX;

/// The threshold that every ticket is below.
pub const EVERYBODY: u64 = u64::MAX;

/// `floor(stake / unit)`, at most [`TICKETS_MAX`]. A unit of zero is refused by the market's bounds; here it counts as one.
#[must_use]
pub fn tickets_of(stake_lamports: u64, unit_lamports: u64) -> u32 {
    let tickets = stake_lamports.checked_div(unit_lamports.max(1)).unwrap_or(0);
    u32::try_from(tickets).unwrap_or(TICKETS_MAX).min(TICKETS_MAX)
}

/// The tickets that count: those enrolled, as far as the stake still covers them, so that a loss lowers them at once.
#[must_use]
pub fn usable(enrolled: u32, stake_lamports: u64, unit_lamports: u64) -> u32 {
    tickets_of(stake_lamports, unit_lamports).min(enrolled)
}

/// How likely one ticket wins when `expected` of `total` are to win: `floor(2^64 × expected / max(1, total))`, at most
/// 2^64 − 1, which is [`EVERYBODY`].
#[must_use]
pub fn threshold(expected: u64, total: u64) -> u64 {
    let scaled = (u128::from(expected) << 64).checked_div(u128::from(total.max(1))).unwrap_or(0);
    u64::try_from(scaled).unwrap_or(EVERYBODY)
}

/// What the threshold of a job's free seats depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Seats wanted, the taken ones included.
    pub wanted: u8,
    /// All tickets of the market when the draw was fixed.
    pub tickets_total: u64,
    /// When the job was queued, seconds.
    pub fill_unix: i64,
    /// When its queue ends, seconds.
    pub queue_deadline_unix: i64,
    /// Seconds in which the threshold doubles.
    pub widen_s: u32,
    /// Whether the draw itself is everybody's, see [`crate::Draw::is_everybody`].
    pub is_everybody: bool,
}

/// The threshold of a seat at this moment: that of twice the seats wanted, doubled every `widen_s` seconds, and
/// [`EVERYBODY`] from half of the queue's time on. It never falls.
#[must_use]
pub fn seat_threshold(fill: &Fill, now_unix: i64) -> u64 {
    let waited_s = now_unix.saturating_sub(fill.fill_unix).max(0);
    let queue_s = fill.queue_deadline_unix.saturating_sub(fill.fill_unix);
    if fill.is_everybody || waited_s.saturating_mul(2) >= queue_s {
        return EVERYBODY;
    }
    let start = threshold(u64::from(fill.wanted).saturating_mul(SEATS_START_FACTOR), fill.tickets_total);
    let doublings = u64::try_from(waited_s).unwrap_or(0).checked_div(u64::from(fill.widen_s.max(1))).unwrap_or(0);
    match u32::try_from(doublings) {
        Ok(doublings) if doublings <= start.leading_zeros() => start.checked_shl(doublings).unwrap_or(EVERYBODY),
        _ => EVERYBODY,
    }
}

/// One holder's tickets in one draw.
///
/// A hash of seed and holder is the key, and the tickets' numbers are what SplitMix64 gives from it: but for the leader of the
/// seed's slot nobody chooses or foresees a key, and a number, which on chain costs a sixth of a hash, has only to fall as evenly and
/// freely as a hash would. Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, with the
/// mixing of Vigna's `splitmix64.c`.
#[derive(Clone, Copy, Debug)]
pub struct TicketDraw {
    /// The generator's state before ticket 0.
    key: u64,
}

impl TicketDraw {
    /// The key is the first eight bytes (LE) of `H(domain, seed, holder)`; `holder` is the address of the Provider account.
    #[must_use]
    pub fn new(seed: &Hash32, holder: &Hash32) -> Self {
        let hash = hashv(&[Domain::Ticket.tag(), seed, holder]).to_bytes();
        let (numbers, _) = hash.as_chunks();
        Self { key: numbers.first().map_or(0, |number| u64::from_le_bytes(*number)) }
    }

    /// Whether a ticket wins: its number in the draw is below the threshold, or every ticket wins.
    #[must_use]
    #[inline]
    pub const fn wins(&self, index: u32, threshold: u64) -> bool {
        self.number(index) < threshold || threshold == EVERYBODY
    }

    /// Output `index`, from 0, of SplitMix64.
    const fn number(&self, index: u32) -> u64 {
        let steps = (index as u64).wrapping_add(1);
        let state = self.key.wrapping_add(steps.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// All tickets below `tickets` that win, ascending. For whoever looks for its own; the program checks single ones.
    pub fn winning(self, tickets: u32, threshold: u64) -> impl Iterator<Item = u32> {
        (0..tickets).filter(move |index| self.wins(*index, threshold))
    }
}
