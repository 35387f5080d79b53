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

#[test]
fn p_15_fifty_names_with_one_ticket_win_as_often_as_one_name_with_fifty() {
    let (level, mut whale, mut names) = (threshold(3, 100), 0usize, 0usize);
    for round in 0..500u32 {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&round.to_le_bytes());
        whale += TicketDraw::new(&seed, &[255; 32]).winning(50, level).count();
        names += (0..50u8).map(|name| TicketDraw::new(&seed, &[name; 32]).winning(1, level).count()).sum::<usize>();
    }
    // 25,000 tickets each, of which 3 % win: five standard deviations are 135.
    assert!(whale.abs_diff(750) < 135 && names.abs_diff(750) < 135, "{whale} and {names} of 750 expected");
}
