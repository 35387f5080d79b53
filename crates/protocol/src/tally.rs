//! Counting: who said the same, how many and how much of it. One tally serves seats and juries.

use crate::{ids::Hash32, limits::TALLY_ENTRIES};

/// Bytes of one entry: hash [32] · weight u64 · count u8 · drawn u8.
const ENTRY_BYTES: usize = 42;

type Slot = [u8; ENTRY_BYTES];

/// Bytes of a [`Tally`].
pub const TALLY_BYTES: usize = TALLY_ENTRIES * ENTRY_BYTES;

/// By what the first in a tally is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Number of voices.
    Count,
    /// Sum of their weights.
    Weight,
}

/// One voice: a seat's result or a juror's ballot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice {
    /// Hash of what it says.
    pub hash: Hash32,
    /// Stake of a seat in lamports, tickets of a juror. A voice without weight is not counted.
    pub weight: u64,
    /// Whether its seat was drawn while not everybody was.
    pub is_drawn: bool,
}

/// All voices that say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Hash of what they say.
    pub hash: Hash32,
    /// Sum of their weights.
    pub weight: u64,
    /// Number of them, at most 255.
    pub count: u8,
    /// Number of them whose seats were drawn, at most 255.
    pub drawn: u8,
}

impl Entry {
    fn read(slot: &Slot) -> Self {
        let [hash @ .., a, b, c, d, e, f, g, h, count, drawn] = slot;
        let weight = u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
        Self { hash: *hash, weight, count: *count, drawn: *drawn }
    }

    /// An entry without weight is free and all zeros.
    fn write(&self, slot: &mut Slot) {
        *slot = [0; ENTRY_BYTES];
        if self.weight > 0 {
            let [hash @ .., a, b, c, d, e, f, g, h, count, drawn] = slot;
            *hash = self.hash;
            [*a, *b, *c, *d, *e, *f, *g, *h] = self.weight.to_le_bytes();
            (*count, *drawn) = (self.count, self.drawn);
        }
    }

    fn join(&mut self, voice: &Voice, weight: u64) {
        self.hash = voice.hash;
        self.weight = self.weight.saturating_add(weight);
        self.count = self.count.saturating_add(1);
        self.drawn = self.drawn.saturating_add(u8::from(voice.is_drawn));
    }

    const fn by(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Count => self.count as u64,
            Measure::Weight => self.weight,
        }
    }
}

/// Nine entries, 378 bytes in an account.
///
/// Exact while no more than nine different hashes come, as with seats. Beyond that it is a Misra–Gries sketch: nothing is
/// ever counted too high, and what has more than 55 % of all weight is found as its majority whatever the rest says. So
/// filling it with garbage costs bonds and hides no clear majority.
#[cfg_attr(
    feature = "anchor",
    derive(anchor_lang::AnchorSerialize, anchor_lang::AnchorDeserialize, anchor_lang::InitSpace)
)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    bytes: [u8; TALLY_BYTES],
}

impl Default for Tally {
    fn default() -> Self {
        Self { bytes: [0; TALLY_BYTES] }
    }
}

impl Tally {
    /// The tally of an account.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; TALLY_BYTES]) -> Self {
        Self { bytes }
    }

    /// As it is stored: nine entries, each hash [32] · weight u64 · count u8 · drawn u8, zeros where one is free. A new entry
    /// takes the first free place.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; TALLY_BYTES] {
        &self.bytes
    }

    /// Counts one voice and says whether what it says now leads all others strictly by this measure. Whoever keeps the
    /// bytes behind the hash keeps them then: at its last voice a majority leads strictly, and nothing can after it.
    pub fn add(&mut self, voice: &Voice, by: Measure) -> bool {
        if voice.weight == 0 {
            return false;
        }
        let (slots, _) = self.bytes.as_chunks_mut::<ENTRY_BYTES>();
        let known = slots.iter().position(|slot| is_taken(slot) && says(slot, &voice.hash));
        let place = known.or_else(|| slots.iter().position(|slot| !is_taken(slot)));
        if let Some(slot) = place.and_then(|place| slots.get_mut(place)) {
            let mut entry = Entry::read(slot);
            entry.join(voice, voice.weight);
            entry.write(slot);
        } else {
            displace(slots, voice);
        }
        self.leader(by).is_some_and(|leader| leader.hash == voice.hash)
    }

    /// All that said the same as this hash.
    #[must_use]
    pub fn entry(&self, hash: &Hash32) -> Option<Entry> {
        self.entries().find(|entry| entry.hash == *hash)
    }

    /// All entries, in no order that means anything.
    pub fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        let (slots, _) = self.bytes.as_chunks::<ENTRY_BYTES>();
        slots.iter().filter(|slot| is_taken(slot)).map(Entry::read)
    }

    /// The entry that leads all others strictly; none when two lead together or nothing was said.
    #[must_use]
    pub fn leader(&self, by: Measure) -> Option<Entry> {
        let mut first: Option<Entry> = None;
        let mut is_tied = false;
        for entry in self.entries() {
            let most = first.map_or(0, |first| first.by(by));
            if first.is_none() || entry.by(by) > most {
                (first, is_tied) = (Some(entry), false);
            } else if entry.by(by) == most {
                is_tied = true;
            }
        }
        first.filter(|_| !is_tied)
    }

    /// How many different things were said, 0..=9.
    #[must_use]
    pub fn distinct(&self) -> u8 {
        self.entries().fold(0, |distinct, _| distinct.saturating_add(1))
    }

    /// How much the voices of at most nine seats differ, 1/1,000 bit, rounded down, 0..=3,170:
    /// `floor((N × log2 N − Σ c × log2 c) / N)` with the counts `c`, their sum `N` and logarithms in whole 1/1,000 bit.
    /// Zero when they are more than nine, which seats never are.
    #[must_use]
    pub fn entropy_millibits(&self) -> u16 {
        let weighted = |count: u32| LOG2_MILLIBITS.get(usize::from(u8::try_from(count).unwrap_or(u8::MAX)));
        let weighted = |count: u32| weighted(count).and_then(|log2| log2.checked_mul(count));
        let (voices, said) = self.entries().fold((0_u32, 0_u32), |(voices, said), entry| {
            let count = u32::from(entry.count);
            (voices.saturating_add(count), said.saturating_add(weighted(count).unwrap_or(0)))
        });
        let spread = weighted(voices).unwrap_or(0).saturating_sub(said);
        u16::try_from(spread.checked_div(voices).unwrap_or(0)).unwrap_or(0)
    }
}

/// `log2` of 0..=9 in 1/1,000 bit; that of zero is never used.
const LOG2_MILLIBITS: [u32; 10] = [0, 0, 1_000, 1_585, 2_000, 2_322, 2_585, 2_807, 3_000, 3_170];

fn is_taken(slot: &Slot) -> bool {
    Entry::read(slot).weight > 0
}

fn says(slot: &Slot, hash: &Hash32) -> bool {
    slot.first_chunk() == Some(hash)
}

/// Misra–Gries: the newcomer and every entry lose the least of their weights, so that at least one of them is gone; what is
/// left of the newcomer takes a free entry.
fn displace(slots: &mut [Slot], voice: &Voice) {
    let least = slots.iter().map(|slot| Entry::read(slot).weight).fold(voice.weight, u64::min);
    for slot in slots.iter_mut() {
        let entry = Entry::read(slot);
        Entry { weight: entry.weight.saturating_sub(least), ..entry }.write(slot);
    }
    let weight = voice.weight.saturating_sub(least);
    if let Some(slot) = slots.iter_mut().find(|slot| weight > 0 && !is_taken(slot)) {
        let mut entry = Entry::read(slot);
        entry.join(voice, weight);
        entry.write(slot);
    }
}
