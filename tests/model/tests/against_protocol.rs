//! The naive rules against those of `crates/protocol`, which program, SDK and bot link: random inputs, equal answers.

use assay_model::{
    draw::{self, Recorded, Widening},
    odds::Rng,
    state,
    tally::{self, Entry, Measure},
};
use assay_protocol::{
    Draw, DrawState, Tally,
    draw::{DrawError, DrawNow, DrawStep, Lookup, Purpose, SlotHash, Subject, find_seed},
    pot::{Ballots, Pot},
    seats::{Mode, Rule, agreed},
    tally::Voice,
    tickets::{Fill, seat_threshold},
    trust::TrustVector,
};

const ROUNDS: u64 = 3_000;

fn small(rng: &mut Rng, bound: u64) -> u8 {
    u8::try_from(rng.below(bound)).expect("small")
}

#[test]
fn tallies_and_agreement_are_the_same() {
    let mut rng = Rng::new(7);
    for _ in 0..ROUNDS {
        let (kinds, mode) = (1 + rng.below(14), if rng.below(2) == 0 { Mode::Quorum } else { Mode::Redundant });
        let by_weight = mode == Mode::Quorum;
        let measure = if by_weight { Measure::Weight } else { Measure::Count };
        let (mut naive, mut own) = (tally::Tally::default(), Tally::default());
        for _ in 0..rng.below(20) {
            let (hash, weight, is_drawn) = ([small(&mut rng, kinds) + 1; 32], 1 + rng.below(6), rng.below(2) == 0);
            let leads = own.add(&Voice { hash, weight, is_drawn }, mode.measure());
            assert_eq!(naive.add(hash, weight, is_drawn, measure), leads);
        }
        let entries = own.entries().map(|entry| {
            let assay_protocol::tally::Entry { hash, weight, count, drawn } = entry;
            Entry { hash, weight, count, drawn }
        });
        assert!(entries.eq(naive.entries().copied()));
        let rule = Rule { mode, seats: small(&mut rng, 10), weight_total: 1 + rng.below(60), quorum_bps: 6_667 };
        let said = naive.leader(measure).filter(|leader| match mode {
            Mode::Quorum => leader.weight * 10_000 >= 6_667 * rule.weight_total,
            _ => leader.count * 2 > rule.seats,
        });
        assert_eq!(agreed(&rule, &own), said.map(|leader| leader.hash));
    }
}

/// The sketch finds whatever has more than 55 % of the weight.
#[test]
fn p_18_a_clear_majority_is_found_whatever_the_rest_says() {
    let mut rng = Rng::new(8);
    for _ in 0..ROUNDS {
        let (mut tally, mut votes, mut rest) = (tally::Tally::default(), Vec::new(), 0);
        for index in 0..10 + rng.below(60) {
            let (hash, weight) = ([u8::try_from(2 + index).expect("small"); 32], 1 + rng.below(9));
            rest += weight;
            votes.push((hash, weight));
        }
        // Its share is just above 55 %.
        let mut own = rest * 56 / 44 + 1;
        let total = rest + own;
        while own > 0 {
            let weight = (1 + rng.below(12)).min(own);
            own -= weight;
            votes.push(([1; 32], weight));
        }
        rng.shuffle(&mut votes);
        votes.iter().for_each(|(hash, weight)| {
            tally.add(*hash, *weight, false, Measure::Weight);
        });
        let leader = tally.leader(Measure::Weight).expect("there is one");
        assert!(leader.hash == [1; 32] && leader.weight * 2 > total, "{leader:?} of {total}");
    }
}

#[test]
fn p_15_thresholds_of_seats_are_the_same() {
    let mut rng = Rng::new(9);
    for _ in 0..ROUNDS {
        let (wanted, widen_s, queue_s) = (1 + small(&mut rng, 9), 1 + small(&mut rng, 20), 1 + rng.below(700));
        let tickets_total = [0, 1, 30, 4_000, 1 << 40][usize::try_from(rng.below(5)).expect("small")];
        let (fill_unix, now) = (1_000_000, 1_000_000 + i64::try_from(rng.below(800)).expect("small"));
        let queue_deadline_unix = fill_unix + i64::try_from(queue_s).expect("small");
        let (wide, is_everybody) = (u32::from(widen_s), false);
        let fill = Fill { wanted, tickets_total, fill_unix, queue_deadline_unix, widen_s: wide, is_everybody };
        let wanted = u64::from(wanted);
        let naive = Widening { wanted, tickets_total, fill_unix, queue_deadline_unix, widen_s: i64::from(widen_s) };
        assert_eq!(naive.threshold(now), seat_threshold(&fill, now), "{naive:?} at {now}");
    }
}

#[test]
fn p_19_seeds_are_found_in_the_same_slots() {
    let mut rng = Rng::new(10);
    for _ in 0..ROUNDS {
        let mut slot = 10_000 - rng.below(3);
        let length = [0, 1, 5, 511, 512][usize::try_from(rng.below(5)).expect("small")];
        let hashes: std::collections::VecDeque<(u64, [u8; 32])> = (0..length)
            .map(|_| {
                slot -= 1 + rng.below(4) / 3;
                (slot, assay_model::cast::slot_hash(slot))
            })
            .collect();
        let wanted = 9_300 + rng.below(720);
        let purpose = rng.below(2) == 0;
        let uid = [3; 32];
        let mut naive = draw::Draw { seed_slot: wanted, ..draw::Draw::armed(wanted, 5) };
        let mut own = Draw { seed_slot: wanted, fixed_unix: 5, seed: [0; 32], rearmed: 0, state: DrawState::Armed };
        let found = find_seed(length, wanted, |index| {
            let (slot, hash) = *hashes.get(usize::try_from(index).ok()?)?;
            Some(SlotHash { slot, hash })
        });
        let (theirs, ours) =
            if purpose { (Purpose::Audit, draw::Purpose::Audit) } else { (Purpose::Seats, draw::Purpose::Seats) };
        let said = own.record(
            &found,
            DrawNow { slot: 10_000, unix: 6 },
            &Subject { job_uid: &uid, purpose: theirs, round: 2 },
        );
        let told = naive.take(&hashes, &uid, ours, 2);
        match told {
            Recorded::NotReady => assert_eq!(said, Err(DrawError::SeedNotReady)),
            Recorded::Done => assert_eq!((said, own.seed), (Ok(DrawStep::Recorded), naive.seed)),
            Recorded::Expired => {
                assert_eq!(found, Lookup::Expired);
                assert_eq!(said, Ok(if purpose { DrawStep::Everybody } else { DrawStep::Rearmed }));
            }
        }
    }
}

#[test]
fn i_05_shares_of_a_dispute_are_the_same() {
    let mut rng = Rng::new(11);
    let mut court = assay_model::cast::Cast::new(&[10, 10]);
    court.create(assay_model::cast::posting(1, state::Mode::Optimistic, 1));
    let accept = court.accept(1, 0, 0);
    court.ok(&accept);
    court.ok(&assay_model::act::Act::SubmitResults { at: court.seat(1, 0), outcome: assay_model::cast::exited(1, 5) });
    let (payer, job) = (court.names[1].authority, court.key(1));
    court.ok(&assay_model::act::Act::OpenDispute { payer, job, commitment: Some([1; 32]) });
    for _ in 0..ROUNDS {
        let mut dispute = court.model.disputes[&job].clone();
        dispute.verdict = state::Verdict::Outcome;
        (dispute.lost_lamports, dispute.pot_lamports) = (rng.below(1 << 40), rng.below(1 << 40));
        dispute.won_lamports = rng.below(3) * (1 + rng.below(1 << 40));
        (dispute.right, dispute.round) = (small(&mut rng, 10), small(&mut rng, 4));
        let revealed = 1 + rng.below(1 << 20);
        dispute.revealed_weight = [revealed; 4];
        let pot = Pot {
            lost_lamports: dispute.lost_lamports,
            extra_lamports: dispute.pot_lamports,
            won_lamports: dispute.won_lamports,
            right: dispute.right,
            rounds: dispute.round + 1,
        };
        assert_eq!(pot.executor(), Ok(dispute.executors_share()));
        let weight = 1 + rng.below(revealed);
        assert_eq!(pot.juror(&Ballots { weight, revealed }), Ok(dispute.jurors_share(0, weight)));
        if dispute.won_lamports > 0 {
            let bond = 1 + rng.below(dispute.won_lamports);
            assert_eq!(pot.winner(bond), Ok(bond + dispute.winners_share(bond)));
        }
    }
}

#[test]
fn scores_are_the_same_and_move_in_the_obvious_directions() {
    let mut rng = Rng::new(12);
    for _ in 0..ROUNDS {
        let mut count = |bound| u32::try_from(rng.below(bound)).expect("small");
        let (confirmed, failed, missed) = (count(300), count(5), count(20));
        let confirmed_fee_lamports = u64::from(count(1 << 24)) * 100;
        let naive = state::Trust { confirmed, failed, missed, confirmed_fee_lamports, ..state::Trust::default() };
        let own = TrustVector { confirmed, failed, missed, confirmed_fee_lamports, ..TrustVector::default() };
        assert_eq!(naive.score_bps(), u32::from(own.score_bps()));
        let of = |trust: state::Trust| trust.score_bps();
        assert!(of(naive) <= 10_000);
        assert!(of(state::Trust { confirmed: confirmed + 1, ..naive }) >= of(naive));
        assert!(of(state::Trust { confirmed_fee_lamports: confirmed_fee_lamports + 5_000, ..naive }) >= of(naive));
        assert!(of(state::Trust { failed: failed + 1, ..naive }) <= of(naive));
        assert!(of(state::Trust { missed: missed + 1, ..naive }) <= of(naive));
    }
}
