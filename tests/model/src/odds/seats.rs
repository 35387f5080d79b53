//! Drawing the seats of a job, many times.

use super::Rng;
use crate::draw::{EVERYBODY, Widening};

/// A provider as far as draws see it.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// Enrolled.
    pub tickets: u64,
    /// Whether its bot runs.
    pub online: bool,
    /// Whether it belongs to the one who is looked at.
    pub colluding: bool,
}

/// Who comes first of those that may take a seat in the same second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Race {
    /// Anybody.
    Even,
    /// The colluding names, always.
    Lost,
}

/// A market and a job.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Everybody.
    pub names: Vec<Name>,
    /// Seats.
    pub wanted: u64,
    /// Who is quicker.
    pub race: Race,
    /// Seconds until the queue ends.
    pub queue_s: i64,
    /// Seconds until the threshold doubles.
    pub widen_s: i64,
}

/// What one draw gave.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    /// Seconds until the last seat was taken; `None` when the queue ended first.
    pub filled_s: Option<i64>,
    /// Seats of colluding names.
    pub colluding: u64,
}

impl Setting {
    /// Equal honest names of which so many are online.
    #[must_use]
    pub fn equal(names: u64, online: u64, wanted: u64) -> Self {
        let name = |index| Name { tickets: 1_000 / names, online: index < online, colluding: false };
        Self { names: (0..names).map(name).collect(), wanted, race: Race::Even, queue_s: 600, widen_s: 10 }
    }

    /// A colluding share, in percent, split into so many names, among forty honest ones; 2,000 tickets in all.
    #[must_use]
    pub fn against(share: u64, names: u64, wanted: u64, race: Race) -> Self {
        let (bad, good) = (20 * share, 2_000 - 20 * share);
        let split = |total: u64, names: u64, colluding| {
            (0..names).map(move |index| {
                let tickets = total / names + u64::from(index < total % names);
                Name { tickets, online: true, colluding }
            })
        };
        let names = split(bad, names, true).chain(split(good, 40, false)).collect();
        Self { names, wanted, race, queue_s: 600, widen_s: 10 }
    }

    /// Draws once. Bots react at once: what is measured is waiting for a ticket that wins.
    pub fn draw(&self, rng: &mut Rng) -> Drawn {
        let lowest: Vec<u64> = self
            .names
            .iter()
            .map(|name| (0..name.tickets).map(|_| rng.next_u64()).min().unwrap_or(EVERYBODY))
            .collect();
        let tickets_total = self.names.iter().map(|name| name.tickets).sum();
        let (wanted, queue_deadline_unix) = (self.wanted, self.queue_s);
        let widening = Widening { wanted, tickets_total, fill_unix: 0, queue_deadline_unix, widen_s: self.widen_s };
        let mut waiting: Vec<usize> = (0..self.names.len()).filter(|index| self.names[*index].online).collect();
        let (mut taken, mut colluding) = (0, 0);
        for now in (0..self.queue_s).filter(|now| now % self.widen_s == 0 || 2 * now == self.queue_s) {
            let threshold = widening.threshold(now);
            let (mut eligible, later): (Vec<usize>, Vec<usize>) =
                waiting.into_iter().partition(|index| threshold == EVERYBODY || lowest[*index] < threshold);
            waiting = later;
            rng.shuffle(&mut eligible);
            if self.race == Race::Lost {
                eligible.sort_by_key(|index| !self.names[*index].colluding);
            }
            for index in eligible {
                taken += 1;
                colluding += u64::from(self.names[index].colluding);
                if taken == self.wanted {
                    return Drawn { filled_s: Some(now), colluding };
                }
            }
        }
        Drawn { filled_s: None, colluding }
    }
}

/// What a colluding share got over many draws.
#[derive(Clone, Copy, Debug)]
pub struct Shares {
    /// Of all seats.
    pub seats: f64,
    /// Of all jobs, those in which it has more than half of the seats.
    pub majorities: f64,
}

/// Draws many jobs.
#[must_use]
pub fn shares(setting: &Setting, draws: u32, seed: u64) -> Shares {
    let mut rng = Rng::new(seed);
    let (mut seats, mut majorities) = (0, 0_u32);
    for _ in 0..draws {
        let drawn = setting.draw(&mut rng);
        seats += drawn.colluding;
        majorities += u32::from(drawn.colluding * 2 > setting.wanted);
    }
    let (draws, wanted) = (f64::from(draws), setting.wanted as f64);
    Shares { seats: seats as f64 / (draws * wanted), majorities: f64::from(majorities) / draws }
}

/// How long seats stay free.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Of all jobs, those whose first winning tickets fill all seats.
    pub at_once: f64,
    /// Seconds in half, 95 % and 99 % of all jobs; `None` when the queue ends first.
    pub percentiles_s: [Option<i64>; 3],
}

/// Draws many jobs.
#[must_use]
pub fn times(setting: &Setting, draws: usize, seed: u64) -> Times {
    let mut rng = Rng::new(seed);
    let mut seconds: Vec<i64> = (0..draws).map(|_| setting.draw(&mut rng).filled_s.unwrap_or(i64::MAX)).collect();
    seconds.sort_unstable();
    let at = |percent: usize| Some(seconds[(draws * percent).div_ceil(100) - 1]).filter(|at| *at != i64::MAX);
    let at_once = seconds.iter().filter(|at| **at == 0).count() as f64 / draws as f64;
    Times { at_once, percentiles_s: [at(50), at(95), at(99)] }
}
