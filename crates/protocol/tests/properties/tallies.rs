//! Tallies: nothing is counted too high, and a clear majority is always found, with the bytes that belong to it.

use std::collections::BTreeMap;

use assay_protocol::{
    agreed, limits::TALLY_ENTRIES, round_expected, round_verdict, seats_max, seats_paid_max, Expected, Hash32, Measure,
    Mode, Round, Rule, Tally, Verdict, Voice,
};
use proptest::{prelude::*, sample::select};

fn voice(kinds: u8) -> impl Strategy<Value = Voice> {
    let weight = prop_oneof![1..10u64, 1..1_000_000u64];
    (1..=kinds, weight, any::<bool>()).prop_map(|(kind, weight, is_drawn)| Voice { hash: [kind; 32], weight, is_drawn })
}

/// Weights by what was said, with nothing lost.
fn exact(voices: &[Voice]) -> BTreeMap<Hash32, (u64, u8)> {
    let mut sums = BTreeMap::new();
    for voice in voices {
        let (weight, count) = sums.entry(voice.hash).or_insert((0u64, 0u8));
        (*weight, *count) = (*weight + voice.weight, count.saturating_add(1));
    }
    sums
}

/// Counts, and keeps what led last as a program keeps its bytes.
fn count(voices: &[Voice], by: Measure) -> (Tally, Option<Hash32>) {
    let (mut tally, mut kept) = (Tally::default(), None);
    for voice in voices {
        if tally.add(voice, by) {
            kept = Some(voice.hash);
        }
    }
    (tally, kept)
}

proptest! {
    #[test]
    fn seats_are_counted_exactly(voices in prop::collection::vec(voice(9), 0..=9)) {
        let (tally, _) = count(&voices, Measure::Count);
        let sums = exact(&voices);
        prop_assert_eq!(usize::from(tally.distinct()), sums.len());
        for (hash, (weight, count)) in sums {
            let entry = tally.entry(&hash).expect("an entry for each");
            prop_assert_eq!((entry.weight, entry.count), (weight, count));
        }
        prop_assert!(tally.entropy_millibits() <= 3_170);
        prop_assert_eq!(tally.entropy_millibits() == 0, tally.distinct() <= 1);
    }

    #[test]
    fn p_01_what_agrees_is_what_was_kept(
        voices in prop::collection::vec(voice(3), 1..=9),
        silent in 0..=9u8,
        mode in select(Mode::ALL.to_vec()),
        quorum_bps in 5_001..=10_000u16,
    ) {
        let (tally, kept) = count(&voices, mode.measure());
        let said = u8::try_from(voices.len()).expect("nine at most");
        let weight_total = voices.iter().map(|voice| voice.weight).sum::<u64>() + u64::from(silent);
        let rule = Rule { mode, seats: (said + silent).min(9), weight_total, quorum_bps };
        if let Some(hash) = agreed(&rule, &tally) {
            prop_assert_eq!(kept, Some(hash));
            // No order of arrival gives another result.
            let mut turned = voices.clone();
            turned.reverse();
            let (tally, kept) = count(&turned, mode.measure());
            prop_assert_eq!((agreed(&rule, &tally), kept), (Some(hash), Some(hash)));
        }
    }

    #[test]
    fn no_more_seats_are_right_than_the_escrow_pays(redundancy in 2..=9u8, most in 2..=9u8, mode in select(vec![Mode::Redundant, Mode::Quorum, Mode::Adaptive]), silent in any::<bool>()) {
        prop_assume!(redundancy <= most);
        let seats_most = seats_max(mode, redundancy, most);
        prop_assert!((redundancy..=most).contains(&seats_most));
        // One seat after the other says the same, or one does and the rest differ, until they agree.
        let (mut right, mut seats, mut tally) = (0u8, redundancy, Tally::default());
        let rule = |seats| Rule { mode, seats, weight_total: u64::from(seats), quorum_bps: 6_667 };
        for seat in 0..seats_most {
            seats = seats.max(seat + 1);
            if silent && seat % 2 == 1 {
                tally.add(&Voice { hash: [seat; 32], weight: 1, is_drawn: true }, mode.measure());
            } else {
                right += 1;
                tally.add(&Voice { hash: [99; 32], weight: 1, is_drawn: true }, mode.measure());
            }
            if seat + 1 >= redundancy && agreed(&rule(seats), &tally).is_some() {
                prop_assert!(right <= seats_paid_max(mode, redundancy, seats_most), "{right} right of {seats}");
                return Ok(());
            }
        }
    }

    #[test]
    fn a_jury_is_never_counted_too_high_and_a_clear_majority_is_found(
        voices in prop::collection::vec(voice(40), 1..120),
        favoured in prop::collection::vec(any::<bool>(), 120),
    ) {
        let voices: Vec<_> = voices.into_iter().zip(favoured).map(|(voice, favoured)| {
            if favoured { Voice { hash: [77; 32], ..voice } } else { voice }
        }).collect();
        let (tally, kept) = count(&voices, Measure::Weight);
        let (sums, total) = (exact(&voices), voices.iter().map(|voice| voice.weight).sum::<u64>());
        prop_assert!(usize::from(tally.distinct()) <= TALLY_ENTRIES);
        for entry in tally.entries() {
            prop_assert!(entry.weight <= sums[&entry.hash].0);
        }
        let round = Round { expected: total, revealed: total, quorum_bps: 5_000 };
        let verdict = round_verdict(&round, &tally);
        let clear = sums.iter().find(|(_, (weight, _))| weight * 100 > total * 55);
        if let Some((hash, _)) = clear {
            prop_assert_eq!(verdict, Verdict::Outcome);
            prop_assert_eq!(tally.leader(Measure::Weight).map(|leader| leader.hash), Some(*hash));
        }
        if verdict != Verdict::None {
            let leader = tally.leader(Measure::Weight).expect("a verdict's ballot");
            prop_assert!(sums[&leader.hash].0 * 2 > total, "a verdict without a majority");
            prop_assert_eq!(kept, Some(leader.hash));
        }
    }

    #[test]
    fn rounds_grow_until_everybody_votes(lambda in 9..=16u16, total in prop_oneof![0..5_000u64, any::<u64>()]) {
        let sizes: Vec<_> = (0..=3).map(|round| match round_expected(lambda, round, total) {
            Expected::Tickets(tickets) => tickets,
            Expected::Everybody => total,
        }).collect();
        prop_assert!(sizes.windows(2).all(|pair| pair[0] <= pair[1]));
        prop_assert!(sizes.iter().all(|size| *size <= total) && sizes[3] == total);
    }
}
