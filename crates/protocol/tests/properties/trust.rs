//! Trust is bounded, moves the right way and cannot be posted to oneself; disputes never pay who disputes with itself.

use assay_protocol::{
    fees::share_bps,
    limits::{BPS_ONE, ROUND_LAST},
    pot::{appeal_bond, Ballots},
    trust::{audit_drawn, solo_lock, trust_floor_bps, AuditBounds},
    Draw, DrawState, Pot, Settled, TrustVector,
};
use proptest::{array::uniform32, prelude::*};

fn counter() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(1), Just(u32::MAX), 0..1_000u32, any::<u32>()]
}

fn trust() -> impl Strategy<Value = TrustVector> {
    let fees = prop_oneof![Just(0), Just(u64::MAX), 0..100_000_000u64, any::<u64>()];
    (prop::array::uniform9(counter()), fees).prop_map(|(counters, confirmed_fee_lamports)| {
        let [completed, failed, missed, declined, disputes_won, disputes_lost, consecutive_valid, latency_ms_avg, confirmed] =
            counters;
        TrustVector {
            completed,
            failed,
            missed,
            declined,
            disputes_won,
            disputes_lost,
            consecutive_valid,
            latency_ms_avg,
            confirmed,
            confirmed_fee_lamports,
        }
    })
}

fn settled() -> impl Strategy<Value = Settled> {
    (any::<u64>(), any::<u32>(), prop_oneof![0..2_000u64, any::<u64>()], prop::array::uniform2(any::<bool>()), 0..=9u8)
        .prop_map(|(gas_used, elapsed_s, fee_lamports, [is_drawn, is_audited], drawn_equal)| Settled {
            gas_used,
            elapsed_s,
            fee_lamports,
            is_drawn,
            is_audited,
            drawn_equal,
        })
}

/// Bonds small enough that no sum overflows.
fn bonds(most: usize) -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![1..10u64, 1..1_000_000_000u64], 0..most)
}

/// What each round's jurors hold: those for the verdict, and how much more was revealed.
fn rounds() -> impl Strategy<Value = Vec<(Vec<u64>, u64)>> {
    prop::collection::vec((prop::collection::vec(1..100u64, 0..5), 0..50u64), 1..=4)
}

proptest! {
    #[test]
    fn a_score_is_bounded_and_moves_the_right_way(trust in trust(), more in 1..=u32::MAX) {
        let score = trust.score_bps();
        prop_assert!(score <= BPS_ONE);
        let fees = trust.confirmed_fee_lamports.saturating_add(u64::from(more));
        let better = [
            TrustVector { confirmed: trust.confirmed.saturating_add(more), ..trust },
            TrustVector { confirmed_fee_lamports: fees, ..trust },
        ];
        prop_assert!(better.iter().all(|better| better.score_bps() >= score));
        let worse = [
            TrustVector { failed: trust.failed.saturating_add(more), ..trust },
            TrustVector { missed: trust.missed.saturating_add(more), ..trust },
        ];
        prop_assert!(worse.iter().all(|worse| worse.score_bps() <= score));
        let other = TrustVector { completed: more, declined: more, disputes_won: more, disputes_lost: more, latency_ms_avg: more, consecutive_valid: more, ..trust };
        prop_assert_eq!(other.score_bps(), score);
    }

    #[test]
    fn right_never_lowers_a_score_and_wrong_never_raises_it(start in trust(), settled in settled()) {
        let (mut right, mut wrong, mut missed) = (start, start, start);
        right.record_right(&settled);
        wrong.record_wrong();
        missed.record_missed();
        prop_assert!(right.score_bps() >= start.score_bps());
        prop_assert!(wrong.score_bps() <= start.score_bps() && missed.score_bps() <= start.score_bps());
        prop_assert_eq!((wrong.consecutive_valid, missed.consecutive_valid), (0, 0));
    }

    #[test]
    fn self_posted_results_buy_nothing(start in trust(), settled in settled(), judged in prop::collection::vec(any::<bool>(), 1..20)) {
        // Whoever posts to itself chooses the provider: nobody was drawn. With many seats of its own names it takes them when
        // everybody may, so none is drawn. Some of the results it contests itself, and a jury finds them right.
        let own = Settled { is_drawn: false, drawn_equal: 0, ..settled };
        let mut trust = start;
        for is_judged in judged {
            trust.record_right(&own);
            if is_judged {
                trust.record_dispute_won();
            }
        }
        prop_assert_eq!(trust.score_bps(), start.score_bps());
        prop_assert_eq!((trust.confirmed, trust.consecutive_valid), (start.confirmed, start.consecutive_valid));
        // Alone among drawn seats is no confirmation either.
        let lone = Settled { is_drawn: true, drawn_equal: 1, ..own };
        prop_assert!(!lone.confirms());
    }

    #[test]
    fn latency_scores_are_bounded_and_fall_with_latency(trust in trust(), more: u32, rate in 1..=10_000_000_000u64) {
        let slower = TrustVector { latency_ms_avg: trust.latency_ms_avg.saturating_add(more), ..trust };
        if let Some(score) = trust.latency_score_bps(rate) {
            prop_assert!(score <= BPS_ONE && slower.latency_score_bps(rate).expect("measured") <= score);
        }
    }

    #[test]
    fn arbiters_need_more_trust_each_time_and_never_more_than_all(least in 0..=BPS_ONE, k in 0..255u8) {
        let (floor, next) = (trust_floor_bps(least, k), trust_floor_bps(least, k + 1));
        prop_assert!(least <= floor && floor <= next && next <= BPS_ONE);
    }

    #[test]
    fn a_lie_alone_loses_more_than_it_brings_on_average(bond in 0..1u64 << 40, pay in 0..1u64 << 40, streak in 10..1_000u32, bounds in (2..=100u16, 2..=100u16)) {
        let bounds = AuditBounds { one_in_min: bounds.0.min(bounds.1), one_in_max: bounds.0.max(bounds.1) };
        let one_in = bounds.one_in(streak).expect("trusted");
        prop_assert!((bounds.one_in_min..=bounds.one_in_max).contains(&one_in));
        let lock = solo_lock(bond, pay, one_in).expect("in range");
        // Once in `one_in` times it loses the lock, else it gains at most the pay.
        prop_assert!(u128::from(lock) >= u128::from(pay) * u128::from(one_in - 1) && lock >= bond);
    }

    #[test]
    fn an_audit_is_drawn_when_its_seed_is_lost(seed in uniform32(any::<u8>()), uid in uniform32(any::<u8>()), one_in in 2..=100u16) {
        let draw = Draw { seed, state: DrawState::Everybody, ..Draw::default() };
        prop_assert!(audit_drawn(&draw, &uid, one_in));
    }

    #[test]
    fn p_17_a_dispute_pays_out_at_most_four_fifths_of_what_is_lost(
        winners in bonds(6),
        losers in bonds(6),
        extra in prop_oneof![Just(0), 0..1_000_000_000u64],
        right in 0..=9u8,
        rounds in rounds(),
    ) {
        let pot = Pot {
            lost_lamports: losers.iter().sum(),
            extra_lamports: extra,
            won_lamports: winners.iter().sum(),
            right,
            rounds: u8::try_from(rounds.len()).expect("four at most"),
        };
        let total = pot.lost_lamports + extra;
        let mut paid = 0;
        for bond in &winners {
            let back = pot.winner(*bond).expect("in range");
            prop_assert!(back >= *bond);
            paid += back - bond;
        }
        prop_assert!(paid * 2 <= total);
        let executors = pot.executor().expect("in range") * u64::from(right);
        prop_assert!(winners.is_empty() || executors == 0, "right seats are rewarded by who wins against nobody");
        paid += executors;
        for (mine, others) in &rounds {
            let revealed = mine.iter().sum::<u64>() + others;
            for weight in mine {
                paid += pot.juror(&Ballots { weight: *weight, revealed }).expect("in range");
            }
        }
        // So whoever is on all sides at once loses a fifth.
        prop_assert!(paid * 5 <= total * 4, "{paid} of {total}");
    }

    #[test]
    fn p_17_challenging_oneself_loses_a_fifth_of_the_bond(bond in 10..1_000_000_000u64, honest in bonds(3), weight in 0..=100u64) {
        // A wrong seat, its own challenge with the right outcome, and this share of the jury, beside honest challengers.
        let won = bond + honest.iter().sum::<u64>();
        let pot = Pot { lost_lamports: 0, extra_lamports: bond, won_lamports: won, right: 0, rounds: 1 };
        let jury = pot.juror(&Ballots { weight, revealed: 100 }).expect("in range");
        let back = pot.winner(bond).expect("in range") - bond + jury;
        prop_assert!(back * 5 <= bond * 4, "{back} of {bond}");
        // A right seat and its own sham challenge.
        let pot = Pot { lost_lamports: bond, extra_lamports: 0, won_lamports: 0, right: 1, rounds: 1 };
        let jury = pot.juror(&Ballots { weight, revealed: 100 }).expect("in range");
        let back = pot.executor().expect("in range") + jury;
        prop_assert!(back * 5 <= bond * 4, "{back} of {bond}");
    }

    #[test]
    fn every_appeal_costs_twice_the_one_before(bond in 1..1u64 << 60) {
        let costs: Vec<_> = (0..ROUND_LAST).map(|round| appeal_bond(bond, round).expect("in range")).collect();
        prop_assert_eq!(costs, vec![bond * 2, bond * 4, bond * 8]);
        prop_assert!(appeal_bond(bond, ROUND_LAST).is_err());
    }

    #[test]
    fn p_26_what_is_kept_of_a_bond_is_a_part_of_it(bond: u64, rate in 0..=BPS_ONE) {
        let kept = assay_protocol::pot::kept(bond, rate).expect("in range");
        prop_assert!(kept <= bond);
        prop_assert_eq!(Ok(kept), share_bps(bond, u32::from(rate)));
    }
}
