//! Draws: nobody chooses a seed by choosing when to record it, and names buy nothing.

use assay_protocol::{
    draw::{find_seed, seed},
    tickets::{seat_threshold, threshold, tickets_of, usable, Fill, TicketDraw, EVERYBODY},
    Draw, DrawNow, DrawState, Hash32, Lookup, Purpose, SlotHash, Subject,
};
use proptest::{array::uniform32, prelude::*, sample::select};

/// A chain of blocks with gaps, oldest first.
fn chain() -> impl Strategy<Value = Vec<u64>> {
    let steps = prop::collection::vec(prop_oneof![8 => Just(1u64), 2 => 2..5u64, 1 => 5..600u64], 1..1_500);
    (0..u64::MAX / 2, steps).prop_map(|(first, steps)| {
        let mut slots = vec![first];
        slots.extend(steps.iter().scan(first, |slot, step| {
            *slot += step;
            Some(*slot)
        }));
        slots
    })
}

/// What the list of the latest 512 says after the block at `until` (exclusive).
fn look_up(chain: &[u64], until: usize, seed_slot: u64) -> Lookup {
    let list: Vec<_> = chain[..until].iter().rev().take(512).copied().collect();
    find_seed(list.len() as u64, seed_slot, |at| {
        Some(SlotHash { slot: *list.get(usize::try_from(at).ok()?)?, hash: [7; 32] })
    })
}

fn fill() -> impl Strategy<Value = Fill> {
    (1..=9u8, 0..1u64 << 40, 0..1_000_000i64, 1..700_000i64, 1..700_000u32).prop_map(
        |(wanted, tickets_total, fill_unix, queue_s, widen_s)| Fill {
            wanted,
            tickets_total,
            fill_unix,
            queue_deadline_unix: fill_unix + queue_s,
            widen_s,
            is_everybody: false,
        },
    )
}

proptest! {
    // Long chains.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whenever_it_is_recorded_a_seed_is_the_first_block_at_its_slot_or_none(
        chain in chain(),
        until in any::<prop::sample::Index>(),
        target in any::<prop::sample::Index>(),
        back in 0..3u64,
    ) {
        // Just before some block, so that the block looked for often stands after a gap.
        let seed_slot = chain[target.index(chain.len())].saturating_sub(back);
        let until = until.index(chain.len()) + 1;
        let first = chain.iter().copied().find(|slot| *slot >= seed_slot);
        let newest = chain[until - 1];
        match look_up(&chain, until, seed_slot) {
            Lookup::NotReady => prop_assert!(newest < seed_slot),
            Lookup::Found(found) => prop_assert_eq!(Some(found.slot), first),
            Lookup::Expired => {
                prop_assert!(until >= 512 && chain[until - 512] > seed_slot);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_recorded_draw_never_changes(state in select(vec![DrawState::Recorded, DrawState::Everybody]), slot: u64, hash in uniform32(any::<u8>())) {
        let before = Draw { seed_slot: 9, fixed_unix: 5, seed: hash, rearmed: 1, state };
        for lookup in [Lookup::NotReady, Lookup::Expired, Lookup::Found(SlotHash { slot, hash: [1; 32] })] {
            let mut draw = before;
            let subject = Subject { job_uid: &[3; 32], purpose: Purpose::Jury, round: 0 };
            let now = DrawNow { slot, unix: 0 };
            prop_assert!(draw.record(&lookup, now, &subject).is_ok());
            prop_assert_eq!(draw, before);
        }
    }

    #[test]
    fn p_01_every_part_of_a_seed_matters(parts in prop::array::uniform2(uniform32(0..2u8)), other in prop::array::uniform2(uniform32(0..2u8)), rounds in (0..3u8, 0..3u8)) {
        let all = [Purpose::Seats, Purpose::Audit, Purpose::Jury];
        for (one, two) in all.into_iter().flat_map(|one| all.map(|two| (one, two))) {
            let of = |[slot_hash, job_uid]: &[Hash32; 2], purpose, round| seed(slot_hash, &Subject { job_uid, purpose, round });
            let same = parts == other && one == two && rounds.0 == rounds.1;
            prop_assert_eq!(of(&parts, one, rounds.0) == of(&other, two, rounds.1), same);
        }
    }

    #[test]
    fn tickets_grow_with_stake_and_a_loss_lowers_them_at_once(stake: u64, loss: u64, unit in 1_000_000..=1_000_000_000_000_000u64, enrolled: u32) {
        let left = stake.saturating_sub(loss);
        prop_assert!(tickets_of(left, unit) <= tickets_of(stake, unit));
        prop_assert!(u64::from(usable(enrolled, left, unit)) * unit <= left);
        prop_assert!(usable(enrolled, stake, unit) <= enrolled);
    }

    #[test]
    fn p_15_a_seat_gets_easier_until_everybody_may_take_it(fill in fill(), first in -10..800_000i64, later in 0..800_000i64) {
        let (early, late) = (fill.fill_unix + first, fill.fill_unix + first + later);
        prop_assert!(seat_threshold(&fill, early) <= seat_threshold(&fill, late));
        let half = fill.fill_unix + (fill.queue_deadline_unix - fill.fill_unix + 1) / 2;
        prop_assert_eq!(seat_threshold(&fill, half), EVERYBODY);
        prop_assert_eq!(seat_threshold(&Fill { is_everybody: true, ..fill }, early), EVERYBODY);
    }
}

/// Draws that shares are measured over, always the same ones.
const DRAWS: u32 = 2_000;
/// Standard deviations that a measured share may be off. One in two million is further off by chance, and what is measured here never
/// changes.
const DEVIATIONS: f64 = 5.0;

/// A holder's address.
fn holder(number: usize) -> Hash32 {
    let mut holder = [0xa5; 32];
    holder[..8].copy_from_slice(&(number as u64).to_le_bytes());
    holder
}

/// In each draw, the winners among the tickets of holders with so many each.
fn draws(holders: &[u32], level: u64) -> Vec<Vec<Vec<u32>>> {
    let seeds = (0..DRAWS)
        .map(|draw| seed(&[7; 32], &Subject { job_uid: &holder(draw as usize), purpose: Purpose::Seats, round: 0 }));
    let winners = |seed: Hash32| {
        let of = |(number, tickets): (usize, &u32)| {
            TicketDraw::new(&seed, &holder(number)).winning(*tickets, level).collect()
        };
        holders.iter().enumerate().map(of).collect()
    };
    seeds.map(winners).collect()
}

/// How often each number of successes comes up in so many tries with this chance: the binomial distribution.
fn binomial(tries: u32, chance: f64) -> Vec<f64> {
    let odds = chance / (1.0 - chance);
    let first = (1.0 - chance).powf(f64::from(tries));
    let next = |share: &mut f64, number: u32| {
        let now = *share;
        *share *= odds * f64::from(tries - number) / f64::from(number + 1);
        Some(now)
    };
    (0..=tries).scan(first, next).collect()
}

/// That so many tries had so many successes, give or take [`DEVIATIONS`].
fn assert_share(won: usize, tries: u32, chance: f64) {
    let (mean, deviation) = (f64::from(tries) * chance, (f64::from(tries) * chance * (1.0 - chance)).sqrt());
    assert!((won as f64 - mean).abs() <= DEVIATIONS * deviation, "{won} of {tries} won, {mean} ± {deviation} expected");
}

/// That the winners of a draw among so many tickets are spread as if each ticket won alone: Pearson's sum over numbers of winners that
/// are expected twenty times at least, of which as many are its mean and twice as many its variance.
fn assert_spread(winners: &[usize], tickets: u32, chance: f64) {
    let (mut sum, mut places, mut seen, mut expected) = (0.0_f64, 0.0_f64, 0usize, 0.0_f64);
    let shares = binomial(tickets, chance);
    for (number, share) in shares.iter().enumerate() {
        seen += winners.iter().filter(|winners| **winners == number).count();
        expected += share * f64::from(DRAWS);
        let left: f64 = shares[number + 1..].iter().sum::<f64>() * f64::from(DRAWS);
        if (expected >= 20.0 && left >= 20.0) || number + 1 == shares.len() {
            sum += (seen as f64 - expected).powi(2) / expected;
            (places, seen, expected) = (places + 1.0, 0, 0.0);
        }
    }
    let degrees = places - 1.0;
    assert!(sum <= degrees + DEVIATIONS * (2.0 * degrees).sqrt(), "{sum} over {degrees} degrees of freedom");
}

/// 96 of 200 tickets, under one name or many. Whoever holds them, and whatever others hold, each ticket wins as often as the next, and
/// alone: so all the chances of a stake, not only its mean, are those of its size.
#[test]
fn p_15_a_stake_wins_what_it_weighs_however_it_is_split_and_each_ticket_alone() {
    let others = [60, 25, 12, 6, 1];
    let splits: [Vec<u32>; 4] = [vec![96], vec![24; 4], vec![50, 23, 11, 7, 3, 1, 1], vec![1; 96]];
    for (wanted, chance) in [(6, 0.03), (50, 0.25), (180, 0.9)] {
        for split in &splits {
            let holders: Vec<u32> = split.iter().chain(&others).copied().collect();
            let draws = draws(&holders, threshold(wanted, 200));
            for (number, tickets) in holders.iter().enumerate() {
                let won = draws.iter().map(|winners| winners[number].len()).sum();
                assert_share(won, DRAWS * tickets, chance);
            }
            let mut of_tickets = vec![0; split[0] as usize];
            draws.iter().flat_map(|winners| &winners[0]).for_each(|ticket| of_tickets[*ticket as usize] += 1);
            of_tickets.into_iter().for_each(|won| assert_share(won, DRAWS, chance));
            let winners = |names: std::ops::Range<usize>| -> Vec<usize> {
                draws.iter().map(|winners| winners[names.clone()].iter().map(Vec::len).sum()).collect()
            };
            assert_spread(&winners(0..split.len()), 96, chance);
            assert_spread(&winners(0..holders.len()), 200, chance);
        }
    }
}
