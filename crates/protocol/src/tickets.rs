//! Tickets: what stake counts for in a draw. Each ticket wins or loses alone, so splitting stake over many names changes
//! nobody's chance (P-15).

use solana_sha256_hasher::hashv;

use crate::{
    ids::{Domain, Hash32},
    limits::{SEATS_START_FACTOR, TICKETS_MAX},
};

/// What all tickets of one holder share in one draw: a hash.
const KEY_BYTES: usize = 32;
/// A number of four tickets, u32 little-endian.
const NUMBER_BYTES: usize = 4;
/// Tickets that share a hash, of which each has a quarter.
const QUARTET: u32 = 4;
/// No ticket's quartet.
const NO_QUARTET: u32 = u32::MAX;

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
#[derive(Clone, Debug)]
pub struct TicketDraw {
    /// The key, and the number of the quartet that is hashed: one slice, since a hash on chain costs by its slices.
    preimage: [u8; KEY_BYTES + NUMBER_BYTES],
    /// The quartet that was looked at last; [`NO_QUARTET`] before any was.
    quartet: u32,
    /// Its hash.
    hash: Hash32,
}

impl TicketDraw {
    /// All tickets share the key `H(domain, seed, holder)`; `holder` is the address of the Provider account.
    #[must_use]
    pub fn new(seed: &Hash32, holder: &Hash32) -> Self {
        let mut preimage = [0; KEY_BYTES + NUMBER_BYTES];
        let (key, _) = preimage.split_at_mut(KEY_BYTES);
        key.copy_from_slice(hashv(&[Domain::Ticket.tag(), seed, holder]).as_bytes());
        Self { preimage, quartet: NO_QUARTET, hash: [0; 32] }
    }

    /// Whether a ticket wins: its number in the draw is below the threshold, or every ticket wins. The number (LE) is the quarter
    /// `index mod 4` of `SHA-256(key, ⌊index / 4⌋ u32)`, so that whoever asks in order hashes once for four tickets.
    #[must_use]
    #[inline]
    pub fn wins(&mut self, index: u32, threshold: u64) -> bool {
        if threshold == EVERYBODY {
            return true;
        }
        let quartet = index / QUARTET;
        if self.quartet != quartet {
            let (_, number) = self.preimage.split_at_mut(KEY_BYTES);
            number.copy_from_slice(&quartet.to_le_bytes());
            self.hash = hashv(&[&self.preimage]).to_bytes();
            self.quartet = quartet;
        }
        let (quarters, _) = self.hash.as_chunks();
        let quarter = usize::try_from(index % QUARTET).ok().and_then(|place| quarters.get(place));
        quarter.is_some_and(|quarter| u64::from_le_bytes(*quarter) < threshold)
    }

    /// All tickets below `tickets` that win, ascending. For whoever looks for its own; the program checks single ones.
    pub fn winning(mut self, tickets: u32, threshold: u64) -> impl Iterator<Item = u32> {
        (0..tickets).filter(move |index| self.wins(*index, threshold))
    }
}
