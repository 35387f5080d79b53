//! Attacks of docs/THREATS.md that need more than one wrong account; the mutation suite has those.

use assay_protocol::{JobStatus, Mode, fees::share_bps};
use assay_tests::{
    assay::{
        self,
        accounts::Job,
        types::{CreateJobArgs, UpdateProviderArgs},
    },
    call::Call,
    calls::job_args,
    invariants,
    panel::Panel,
    party::{EXPOSURE_CAP, Party, exited, sink, terms},
    scenario::{GAS_USED, Scenario},
    world::{SOL, World},
};
use solana_account::Account;
use solana_pubkey::Pubkey;
use solana_system_interface::instruction::transfer;

#[test]
fn a_05_a_job_closed_and_created_again_is_another_job() {
    let mut s = Scenario::settled();
    let old = s.job();
    s.world.ok(&s.party.close_job());
    s.world.ok(&s.party.create_job());
    let new = s.job();
    assert_eq!(new.task_digest, old.task_digest);
    assert_ne!(new.job_uid, old.job_uid);
    assert_eq!((new.outcome, new.executions_open, new.compensation_lamports), ([0; 79], 0, 0));
    // In the transaction that closes it, too.
    s.world.next_slot();
    s.world.ok(&s.party.cancel_job());
    let both = [s.party.close_job(), s.party.create_job()].map(|call| call.instruction);
    s.world.send_all(&both).expect("closing frees the address");
    assert_ne!(s.job().job_uid, new.job_uid);
    invariants::check(&s.world);
}

#[test]
fn p_24_what_was_signed_for_a_closed_job_means_nothing_for_its_successor() {
    let mut s = Scenario::settled();
    let old = [
        s.party.submit_results(&exited(1)),
        s.party.decline_job(1),
        s.party.settle_execution(),
        s.party.finalize_job(),
        s.party.expire_assigned_job(),
    ];
    s.world.ok(&s.party.close_job());
    s.world.ok(&s.party.create_job());
    let before = s.world.snapshot();
    for call in &old {
        assert!(s.world.send(call).is_err(), "{} went through", call.name);
        s.world.assert_unchanged(&before);
    }
}

#[test]
fn p_24_an_acceptance_does_not_take_a_job_that_was_created_again_with_other_content() {
    let mut s = Scenario::open();
    let checked = s.party.accept_job(&s.world);
    s.world.next_slot();
    s.world.ok(&s.party.cancel_job());
    s.world.ok(&s.party.close_job());
    let args = CreateJobArgs { job_cid_digest: [99; 32], ..job_args(s.party.job_id) };
    s.world.ok(&s.party.create_job_with(args));
    s.world.refuse(&checked, "JobUidMismatch");
    s.world.ok(&s.party.accept_job(&s.world));
}

#[test]
fn a_10_a_closed_account_stays_closed_though_its_lamports_are_refilled() {
    for (stage, close, again) in [
        (Scenario::settled(), "job", "close_job"),
        (Scenario::resolved(), "execution", "settle_execution"),
        (Scenario::assigned(), "execution", "decline_job"),
    ] {
        let mut s = stage;
        let call = match again {
            "close_job" => s.party.close_job(),
            "settle_execution" => s.party.settle_execution(),
            _ => s.party.decline_job(1),
        };
        let key = call.key(close);
        let thief = s.world.wallet(10 * SOL);
        let refill = transfer(&thief, &key, SOL);
        // Close, refill, use again, in one transaction: nothing happens at all.
        let before = s.world.snapshot();
        let all = [call.instruction.clone(), refill.clone(), call.instruction.clone()];
        let refusal = s.world.send_all(&all).expect_err("revived");
        // A job that was declined is open before its seat is even looked at.
        let expected = format!("{close}.AccountOwnedByWrongProgram");
        assert_eq!(refusal.to_string(), expected, "{again}");
        s.world.assert_unchanged(&before);
        // Close and refill: what remains is an ordinary wallet of nobody.
        s.world.send_all(&[call.instruction.clone(), refill]).expect("closing and a gift");
        let left = s.world.account(&key).expect("the gift");
        assert!(left.data.is_empty() && left.owner == Pubkey::default(), "{again} left {left:?}");
        assert!(s.world.send(&call).is_err(), "{again} twice");
    }
}

#[test]
fn a_10_a_refilled_seat_can_be_taken_again() {
    let mut s = Scenario::assigned();
    s.world.ok(&s.party.decline_job(1));
    s.world.donate(&s.party.execution, 3);
    s.world.ok(&s.party.accept_job(&s.world));
    invariants::check(&s.world);
}

#[test]
fn a_21_rent_goes_back_to_who_paid_it_whoever_closes() {
    let mut s = Scenario::resolved();
    let payer = s.party.node_key;
    // The key is rotated away; the rent still is the old key's.
    let fresh = s.world.wallet(SOL);
    let args = UpdateProviderArgs { exposure_cap_lamports: None, capacity: None, endpoint: None };
    s.world.ok(&s.party.update_provider(args, Some(fresh)));
    let (before, rent) = (s.lamports(&payer), s.lamports(&s.party.execution));
    let call = s.party.settle_execution();
    s.world.refuse(&call.clone().with("rent_payer", fresh), "execution.RentPayerMismatch");
    s.world.ok(&call);
    assert_eq!(s.lamports(&payer), before + rent);
}

#[test]
fn a_31_a_clock_that_goes_backwards_opens_no_deadline_early() {
    let mut s = Scenario::submitted();
    let (slot, now) = (s.world.slot(), s.world.now());
    s.world.set_clock(slot + 1, now - 1_000);
    s.world.refuse(&s.party.finalize_job(), "DeadlineNotReached");
    s.world.set_clock(slot + 2, 0);
    s.world.refuse(&s.party.finalize_job(), "DeadlineNotReached");
    s.world.set_clock(slot + 3, i64::MIN);
    s.world.refuse(&s.party.finalize_job(), "DeadlineNotReached");
    s.world.set_clock(slot + 4, s.job().window_deadline_unix);
    s.world.ok(&s.party.finalize_job());
}

#[test]
fn a_31_a_clock_at_the_end_of_time_is_a_named_error() {
    let mut s = Scenario::ready();
    s.world.set_clock(s.world.slot(), i64::MAX);
    s.world.refuse(&s.party.create_job(), "AmountOverflow");
    s.world.refuse(&s.party.unstake(1), "AmountOverflow");
}

#[test]
fn p_21_a_lamport_given_to_any_account_bricks_nothing() {
    let mut s = Scenario::ready();
    let party = s.party;
    let gift = |s: &mut Scenario| {
        for key in [party.market, party.provider, party.job, party.execution, sink()] {
            if s.world.account(&key).is_some() {
                s.world.donate(&key, 1);
            }
        }
        invariants::check(&s.world);
    };
    gift(&mut s);
    s.world.ok(&party.create_job());
    gift(&mut s);
    s.world.ok(&party.accept_job(&s.world));
    gift(&mut s);
    s.world.ok(&party.submit_results(&exited(1_000)));
    gift(&mut s);
    s.world.advance_to(s.job().window_deadline_unix);
    for call in [party.finalize_job(), party.settle_execution(), party.close_job(), party.claim_reward()] {
        s.world.ok(&call);
        gift(&mut s);
    }
}

#[test]
fn p_21_earnings_that_an_empty_wallet_cannot_hold_stay_claimable() {
    let mut s = Scenario::settled();
    let earned = s.provider().earnings_lamports;
    assert!(earned < s.world.rent(0));
    s.world.set_account(s.party.authority, Account::default());
    let before = s.world.snapshot();
    let refusal = s.world.send(&s.party.claim_reward()).expect_err("below the rent minimum").to_string();
    assert!(refusal.starts_with("InsufficientFundsForRent"), "{refusal}");
    s.world.assert_unchanged(&before);
    s.world.donate(&s.party.authority, s.world.rent(0));
    s.world.ok(&s.party.claim_reward());
    assert_eq!(s.lamports(&s.party.authority), s.world.rent(0) + earned);
}

#[test]
fn i_04_a_payer_of_rent_that_became_a_program_locks_nothing() {
    // The key that accepted is somebody's own: it may have had a program deployed to it since.
    let mut s = Scenario::resolved();
    let mut account = s.world.account(&s.party.node_key).expect("a wallet");
    account.owner = Pubkey::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");
    account.data = [2_u32.to_le_bytes().as_slice(), &[7; 32]].concat();
    account.executable = true;
    s.world.svm.set_account_no_checks(s.party.node_key, account.into());
    s.world.ok(&s.party.settle_execution());
    s.world.ok(&s.party.close_job());
}

#[test]
fn p_23_a_hundred_decliners_burn_no_attempt_and_pay_for_it() {
    let mut s = Scenario::open();
    let burned = |world: &World| world.read::<assay::accounts::Sink>(&sink()).burned_lamports;
    for count in 1..=100u64 {
        let rival = s.rival();
        s.world.ok(&rival.accept_job(&s.world));
        s.world.ok(&rival.decline_job(1));
        assert_eq!(burned(&s.world), count * terms().decline_fee_lamports);
    }
    assert_eq!((s.status(), s.job().attempt), (JobStatus::Open, 0));
    s.world.ok(&s.party.accept_job(&s.world));
}

#[test]
fn p_23_keeping_a_job_from_others_costs_what_missing_it_would() {
    // Declined and taken again in one transaction, the job is never free for anybody else.
    let mut s = Scenario::assigned();
    let job = s.job();
    let penalty = share_bps(job.bond_lamports, u32::from(job.miss_rate_bps)).expect("in bounds");
    let burned = |world: &World| world.read::<assay::accounts::Sink>(&sink()).burned_lamports;
    let (mut holds, end) = (0, job.total_deadline_unix - 1);
    for hold_s in [0, 1, 7, 40, 159].into_iter().cycle() {
        if s.world.now() + hold_s > end {
            break;
        }
        s.world.advance(hold_s);
        let again = [s.party.decline_job(1), s.party.accept_job(&s.world)].map(|call| call.instruction);
        s.world.send_all(&again).expect("nothing forbids it");
        holds += 1;
        invariants::check(&s.world);
    }
    let held_s = u64::try_from(s.world.now() - job.created_unix).expect("time goes forward");
    assert!(held_s > 3_000 && s.job().attempt == 0, "the job was held for {held_s} s");
    let least = penalty * held_s / u64::from(job.execution_s);
    assert!(burned(&s.world) + holds >= least, "{} burned, {least} is what misses would cost", burned(&s.world));
    assert!(least > 15 * penalty);
}

#[test]
fn p_23_declining_costs_by_the_second_and_never_more_than_missing() {
    let s = Scenario::assigned();
    let (job, provider) = (s.job(), s.provider());
    let penalty = share_bps(job.bond_lamports, u32::from(job.miss_rate_bps)).expect("in bounds");
    let cost_after = |held_s: i64| {
        let mut s = s.clone();
        s.world.advance(held_s);
        s.world.ok(&s.party.decline_job(1));
        invariants::check(&s.world);
        let after = s.provider();
        let cost = provider.stake_lamports - after.stake_lamports;
        assert_eq!(s.world.read::<assay::accounts::Sink>(&sink()).burned_lamports, cost);
        assert_eq!(after.exposure_cap_lamports, provider.exposure_cap_lamports - cost); // P-25
        cost
    };
    let execution_s = i64::from(job.execution_s);
    assert_eq!(cost_after(0), terms().decline_fee_lamports);
    assert_eq!(cost_after(execution_s / 2), penalty / 2);
    let last = cost_after(execution_s - 1);
    assert!(last < penalty && last > penalty * 9 / 10, "{last} of {penalty}");
}

#[test]
fn p_25_a_stolen_node_key_loses_at_most_the_exposure_cap() {
    let mut s = Scenario::ready();
    let cap = 45_000_000;
    let args = UpdateProviderArgs { exposure_cap_lamports: Some(cap), capacity: None, endpoint: None };
    s.world.ok(&s.party.update_provider(args, None));
    let stake_before = s.provider().stake_lamports;
    let accomplice = s.world.wallet(100 * SOL);
    // The thief takes everything it can and delivers nothing, as long as the program lets it; the accomplice posts
    // jobs with the dearest bond so that the delay fees are the thief's.
    let mut missed = 0;
    for id in 1..=64 {
        let mut party = s.party;
        party.poster = accomplice;
        let party = party.with_job(id);
        let mut job = job_args(id);
        job.price = 10_000_000_000;
        job.escrow_lamports = SOL;
        s.world.ok(&party.create_job_with(job));
        if s.world.send(&party.accept_job(&s.world)).is_err() {
            continue;
        }
        let deadline = s.world.read::<Job>(&party.job).execution_deadline_unix;
        s.world.advance_to(deadline);
        s.world.ok(&party.expire_assigned_job());
        missed += 1;
        invariants::check(&s.world);
    }
    let provider = s.provider();
    let lost = stake_before - provider.stake_lamports;
    assert!(missed > 0 && lost <= cap, "{missed} misses lost {lost} of a cap of {cap}");
    assert!(provider.exposure_cap_lamports <= cap - lost);
    // What only the cold key may do.
    let thief = s.party.node_key;
    for call in [
        s.party.unstake(1),
        s.party.withdraw_stake(),
        s.party.close_provider(),
        s.party.update_provider(
            UpdateProviderArgs { exposure_cap_lamports: Some(EXPOSURE_CAP), capacity: None, endpoint: None },
            None,
        ),
        s.party.claim_reward(),
    ] {
        s.world.refuse(&call.with("authority", thief), "provider.AuthorityMismatch");
    }
}

#[test]
fn p_12_a_market_of_another_cluster_gives_another_uid() {
    let uid = |genesis: [u8; 32]| {
        let mut s = Scenario::ready();
        s.world.edit::<assay::accounts::Market>(&s.party.market, |market| {
            market.cluster = assay_protocol::cluster_tag(&genesis);
        });
        s.world.ok(&s.party.create_job());
        (s.job().job_uid, s.job().task_digest)
    };
    let ((left, task), (right, same_task)) = (uid([1; 32]), uid([2; 32]));
    assert_eq!(task, same_task);
    assert_ne!(left, right);
}

#[test]
fn p_12_what_was_hidden_on_another_cluster_opens_nothing_here() {
    const SALT: [u8; 32] = [5; 32];
    // The same keys and the same job on both: nothing but the cluster differs.
    let [mut here, there] = [[1; 32], [2; 32]].map(|genesis| {
        let mut panel = Panel::ready(5);
        let first = panel.parties[0];
        panel.world.edit::<assay::accounts::Market>(&first.market, |market| {
            market.cluster = assay_protocol::cluster_tag(&genesis);
        });
        panel.world.ok(&first.create_job_with(panel.args(Mode::Redundant, 3)));
        panel.draw();
        panel
    });
    let can_take = |party: &Party| party.winning_ticket(&here.world).is_some();
    let [replayed, honest, third]: [Party; 3] =
        here.parties.iter().copied().filter(can_take).take(3).collect::<Vec<_>>().try_into().expect("three can");
    for party in [replayed, honest, third] {
        here.world.ok(&party.accept_job(&here.world));
    }
    let hides = [(replayed, &there.world), (honest, &here.world), (third, &here.world)];
    let hidden = hides.map(|(party, world)| (party, party.commitment(world, &exited(GAS_USED), SALT)));
    for (party, commitment) in hidden {
        here.world.ok(&party.commit_result(commitment));
    }
    here.world.refuse(&replayed.reveal_result(&exited(GAS_USED), SALT), "CommitmentMismatch");
    here.world.ok(&honest.reveal_result(&exited(GAS_USED), SALT));
}

#[test]
fn a_02_two_parties_of_one_market_never_touch_each_other() {
    let mut s = Scenario::assigned();
    let other: Party = s.party.another(&mut s.world);
    s.world.ok(&other.register_provider());
    s.world.ok(&other.create_job());
    s.world.ok(&other.accept_job(&s.world));
    let theirs = [other.job, other.execution, other.provider];
    let before = theirs.map(|key| s.world.account(&key));
    let calls: [Call; 2] = [s.party.submit_results(&exited(5)), other.submit_results(&exited(6))];
    s.world.ok(&calls[0]);
    assert_eq!(theirs.map(|key| s.world.account(&key)), before);
    s.world.ok(&calls[1]);
    assert_eq!(s.world.read::<Job>(&other.job).outcome, exited(6).encode());
    assert_eq!(s.job().outcome, exited(5).encode());
}
