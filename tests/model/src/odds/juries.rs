//! The verdict of one round, from two sums: the winning tickets of who colludes and of who is honest and there.

/// Tickets on duty in the market that the table is about. With fewer, chance matters less.
pub const TICKETS: u32 = 10_000;
/// Tickets that round 0 expects.
pub const LAMBDA: u32 = 9;
/// Share of the expected tickets that has to be revealed.
pub const QUORUM: f64 = 0.5;

/// What can come of a round in which everybody who colludes votes, and for the same.
#[derive(Clone, Copy, Debug)]
pub struct Odds {
    /// The honest result.
    pub right: f64,
    /// The colluding one.
    pub wrong: f64,
    /// None: too few votes, or no majority.
    pub none: f64,
}

/// The chance of each number of winning tickets of so many, up to where it stops to matter.
fn winning(tickets: u32, chance: f64) -> Vec<f64> {
    let n = f64::from(tickets);
    let mut odds = vec![(1.0 - chance).powf(n)];
    let mean = n * chance;
    let most = (mean + 12.0 * mean.sqrt() + 40.0).min(n);
    let mut hits = 0.0;
    while hits < most {
        let last = *odds.last().expect("there is one");
        odds.push(last * (n - hits) / (hits + 1.0) * chance / (1.0 - chance));
        hits += 1.0;
    }
    odds
}

/// Round 0, 1 or 2: `colluding` percent of the duty stake against `turnout` percent of the rest.
#[must_use]
pub fn round(round: u32, colluding: u32, turnout: u32) -> Odds {
    let expected = f64::from(LAMBDA * 4_u32.pow(round));
    let chance = expected / f64::from(TICKETS);
    let bad = TICKETS * colluding / 100;
    let good = (TICKETS - bad) * turnout / 100;
    let (bad, good) = (winning(bad, chance), winning(good, chance));
    let (mut right, mut wrong) = (0.0, 0.0);
    for (bad_votes, bad_odds) in bad.iter().enumerate() {
        for (good_votes, good_odds) in good.iter().enumerate() {
            if ((bad_votes + good_votes) as f64) < QUORUM * expected {
                continue;
            }
            match bad_votes.cmp(&good_votes) {
                std::cmp::Ordering::Less => right += bad_odds * good_odds,
                std::cmp::Ordering::Greater => wrong += bad_odds * good_odds,
                std::cmp::Ordering::Equal => {}
            }
        }
    }
    Odds { right, wrong, none: (1.0 - right - wrong).max(0.0) }
}

/// The verdict of the last round, which has no draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say it")]
pub enum Last {
    Right,
    Wrong,
    None,
}

/// The last round: `colluding` percent that vote, or stay away to deny the quorum, against `turnout` percent of the rest.
#[must_use]
pub const fn last(colluding: u32, turnout: u32, they_vote: bool) -> Last {
    // In ten thousandths of the duty stake.
    let (bad, good) = (if they_vote { colluding * 100 } else { 0 }, (100 - colluding) * turnout);
    if bad + good < 5_000 || bad == good {
        Last::None
    } else if bad > good {
        Last::Wrong
    } else {
        Last::Right
    }
}

/// Turnout of the rest, in percent, under which a colluding share can end a dispute without a verdict by staying away.
#[must_use]
pub const fn turnout_least(colluding: u32) -> u32 {
    5_000_u32.div_ceil(100 - colluding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        draw::{threshold, ticket},
        odds::Rng,
    };

    /// The sums against draws with real seeds and tickets.
    #[test]
    fn p_18_the_odds_of_a_round_are_what_real_tickets_give() {
        let (colluding, turnout, draws) = (33, 70, 1_500);
        let total = 1_000;
        let limit = threshold(36, total);
        let mut rng = Rng::new(1);
        let (mut wrong, mut right) = (0, 0);
        for _ in 0..draws {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&rng.next_u64().to_le_bytes());
            let hits = |holder: u8, tickets: u32| {
                (0..tickets).filter(|index| ticket(&seed, &[holder; 32], *index) < limit).count()
            };
            let (bad, good) = (hits(1, 330), hits(2, 670 * turnout / 100));
            if bad + good >= 18 {
                wrong += i32::from(bad > good);
                right += i32::from(good > bad);
            }
        }
        let odds = round(1, colluding, turnout);
        let (wrong, right) = (f64::from(wrong) / f64::from(draws), f64::from(right) / f64::from(draws));
        assert!((wrong - odds.wrong).abs() < 0.03 && (right - odds.right).abs() < 0.04, "{wrong} {right} {odds:?}");
    }

    #[test]
    fn all_odds_add_up_and_grow_with_the_colluding_share() {
        for index in 0..3 {
            for turnout in [50, 70, 100] {
                let of = |share| round(index, share, turnout);
                assert!(of(10).wrong < of(20).wrong && of(20).wrong < of(33).wrong);
                for share in [10, 20, 33] {
                    let odds = of(share);
                    assert!((odds.right + odds.wrong + odds.none - 1.0).abs() < 1e-9);
                }
            }
        }
    }
}
