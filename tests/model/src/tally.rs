//! Counting results.

/// Distinct results that a tally holds.
pub const ENTRIES: usize = 9;

/// One result and who stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Of the outcome.
    pub hash: [u8; 32],
    /// Stake, or tickets.
    pub weight: u64,
    /// Voices.
    pub count: u8,
    /// Voices of seats that a ticket won.
    pub drawn: u8,
}

/// Results by hash. Exact for seats, of which there are nine at most; for juries the sketch of Misra and Gries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Places; none of those that are taken has weight zero.
    pub places: [Option<Entry>; ENTRIES],
}

/// By what a leader is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say it")]
pub enum Measure {
    Count,
    Weight,
}

impl Tally {
    /// Adds a voice; whether its result now leads all others.
    pub fn add(&mut self, hash: [u8; 32], weight: u64, drawn: bool, measure: Measure) -> bool {
        let new = Entry { hash, weight, count: 1, drawn: u8::from(drawn) };
        if let Some(known) = self.places.iter_mut().flatten().find(|entry| entry.hash == hash) {
            known.weight += weight;
            known.count += 1;
            known.drawn += new.drawn;
        } else if let Some(free) = self.places.iter_mut().find(|place| place.is_none()) {
            *free = Some(new);
        } else {
            let least = self.entries().map(|entry| entry.weight).min().expect("there are nine");
            let gone = weight.min(least);
            self.places.iter_mut().flatten().for_each(|entry| entry.weight -= gone);
            self.places.iter_mut().for_each(|place| *place = place.filter(|entry| entry.weight > 0));
            if let (Some(free), true) = (self.places.iter_mut().find(|place| place.is_none()), weight > gone) {
                *free = Some(Entry { weight: weight - gone, ..new });
            }
        }
        self.leader(measure).is_some_and(|leader| leader.hash == hash)
    }

    /// Every result that is kept.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.places.iter().flatten()
    }

    /// The result that leads all others.
    #[must_use]
    pub fn leader(&self, measure: Measure) -> Option<Entry> {
        let value = |entry: &Entry| match measure {
            Measure::Count => u64::from(entry.count),
            Measure::Weight => entry.weight,
        };
        let most = self.entries().map(value).max()?;
        let mut leaders = self.entries().filter(|entry| value(entry) == most);
        let first = leaders.next().copied();
        first.filter(|_| leaders.next().is_none())
    }

    /// The entry of a result.
    #[must_use]
    pub fn entry(&self, hash: &[u8; 32]) -> Option<Entry> {
        self.entries().find(|entry| entry.hash == *hash).copied()
    }
}
