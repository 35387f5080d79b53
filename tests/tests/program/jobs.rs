//! Posting a job and taking it back.

use assay_protocol::{
    JobStatus, MarketTerms, TaskLimits, cluster_tag,
    fees::Price,
    ids::{JobUidInput, job_uid},
    limits::{
        BASE_FEE_LAMPORTS_MAX, GAS_LIMIT_MAX, JOB_TOTAL_S_MAX, MEMORY_BYTES_MAX, PRICE_MAX, STACK_BYTES_MAX,
        UNBONDING_S_MAX, VERIFY_RATE_GAS_PER_S_MAX,
    },
};
use assay_tests::{
    assay::{self, types::CreateJobArgs},
    calls::job_args,
    party::{GENESIS, PRICE, address, escrow, task, terms},
    scenario::Scenario,
    world::SOL,
};
use solana_account::Account;

fn refused(s: &mut Scenario, change: impl FnOnce(&mut CreateJobArgs), error: &str) {
    let mut args = job_args(s.party.job_id);
    change(&mut args);
    s.world.refuse(&s.party.create_job_with(args), error);
}

#[test]
fn a_job_records_its_task_and_its_uid() {
    let s = Scenario::open();
    let job = s.job();
    assert_eq!(job.task_digest, task().digest());
    let uid = job_uid(&JobUidInput {
        program: &assay::ID.to_bytes(),
        cluster: &cluster_tag(&GENESIS),
        job: &s.party.job.to_bytes(),
        created_slot: job.created_slot,
        task_digest: &job.task_digest,
    });
    assert_eq!(job.job_uid, uid);
    assert_eq!(job.escrow_lamports, 1_030_125);
    assert_eq!(s.lamports(&s.party.job), job.escrow_lamports + job.rent_lamports);
}

#[test]
fn p_10_the_escrow_covers_the_most_a_job_can_cost_to_the_lamport() {
    let mut s = Scenario::ready();
    let needed = escrow(PRICE, task().limits.gas_limit, &terms());
    for too_little in [0, 1, needed - 1] {
        refused(&mut s, |args| args.escrow_lamports = too_little, "EscrowTooSmall");
    }
    refused(&mut s, |args| args.escrow_lamports = u64::MAX, "AmountOverflow");
    refused(&mut s, |args| args.escrow_lamports = 1_000 * SOL, "system error 1");
    s.world.ok(&s.party.create_job());
}

#[test]
fn p_10_price_and_base_fee_stay_in_their_bounds() {
    let mut s = Scenario::ready();
    refused(&mut s, |args| args.price = 0, "PriceOutOfBounds");
    refused(&mut s, |args| args.price = PRICE_MAX + 1, "PriceOutOfBounds");
    refused(&mut s, |args| args.price = u64::MAX, "PriceOutOfBounds");
    refused(&mut s, |args| args.base_fee_lamports = BASE_FEE_LAMPORTS_MAX + 1, "PriceOutOfBounds");
    refused(&mut s, |args| args.base_fee_lamports = u64::MAX, "PriceOutOfBounds");
    // The dearest job in bounds is only too dear for this escrow.
    refused(&mut s, |args| args.price = PRICE_MAX, "EscrowTooSmall");
    // The cheapest is welcome: its pay is dust, its bond the market's minimum.
    let cheapest = Price { base_fee_lamports: 0, price: 1 };
    let mut args = job_args(1);
    (args.price, args.base_fee_lamports) = (cheapest.price, cheapest.base_fee_lamports);
    args.escrow_lamports = escrow(cheapest, args.limits.gas_limit, &terms());
    assert_eq!(args.escrow_lamports, 0);
    s.world.ok(&s.party.create_job_with(args));
    assert_eq!(s.job().bond_lamports, terms().bond_min_lamports);
}

#[test]
fn p_10_a_deposit_that_leaves_64_bits_is_a_named_error() {
    let mut wide = terms();
    wide.bond_rate_bps = 100_000;
    wide.gas_limit_max = GAS_LIMIT_MAX;
    wide.verify_rate_gas_per_s = VERIFY_RATE_GAS_PER_S_MAX;
    (wide.job_total_s, wide.unbonding_s) = (JOB_TOTAL_S_MAX, UNBONDING_S_MAX);
    let mut s = Scenario::ready_with(&wide);
    let dearest = |args: &mut CreateJobArgs| {
        args.price = PRICE_MAX;
        args.limits.gas_limit = GAS_LIMIT_MAX * 9 / 10;
        args.escrow_lamports = u64::MAX;
    };
    refused(&mut s, dearest, "AmountOverflow");
}

#[test]
fn what_is_not_supported_yet_is_refused_by_name() {
    let mut s = Scenario::ready();
    for redundancy in [0, 2, 9, u8::MAX] {
        refused(&mut s, |args| args.redundancy = redundancy, "RedundancyUnsupported");
    }
    for mode in [0, 5, u8::MAX] {
        refused(&mut s, |args| args.mode = mode, "ModeUnsupported");
    }
    refused(&mut s, |args| args.min_trust_bps = 10_001, "TrustUnsupported");
    for profile in [0, 2, u32::MAX] {
        refused(&mut s, |args| args.profile = profile, "ProfileForbidden");
    }
}

#[test]
fn digests_that_name_nothing_are_refused() {
    let mut s = Scenario::ready();
    refused(&mut s, |args| args.job_cid_digest = [0; 32], "DigestZero");
    refused(&mut s, |args| args.metered_hash = [0; 32], "DigestZero");
}

#[test]
fn limits_stay_in_the_protocols_bounds_and_in_the_markets() {
    let mut s = Scenario::ready();
    let base = task().limits;
    for limits_out in [
        TaskLimits { gas_limit: 0, ..base },
        TaskLimits { gas_limit: u64::MAX, ..base },
        TaskLimits { memory_bytes: 0, ..base },
        TaskLimits { memory_bytes: MEMORY_BYTES_MAX + 65_536, ..base },
        TaskLimits { memory_bytes: 65_537, ..base },
        TaskLimits { stack_bytes: STACK_BYTES_MAX + 1, ..base },
        TaskLimits { stack_bytes: 0, ..base },
        TaskLimits { output_bytes: 0, ..base },
        TaskLimits { output_bytes: u64::MAX, ..base },
        TaskLimits { stdio_bytes: u64::MAX, ..base },
    ] {
        refused(&mut s, |args| args.limits = limits_out.into(), "LimitsOutOfBounds");
    }
    let most = terms().gas_limit_max;
    refused(&mut s, |args| args.limits.gas_limit = most + 1, "GasLimitAboveMarket");
    let mut args = job_args(1);
    args.limits.gas_limit = most;
    args.escrow_lamports = escrow(PRICE, most, &terms());
    s.world.ok(&s.party.create_job_with(args));
}

#[test]
fn a_31_an_expiry_lies_after_now_and_within_the_markets_total() {
    let mut s = Scenario::ready();
    let now = s.world.now();
    for expires_unix in [i64::MIN, -1, 1, now - 1, now, now + 3_601, i64::MAX] {
        refused(&mut s, |args| args.expires_unix = expires_unix, "ExpiryOutOfRange");
    }
    for (id, expires_unix) in [(1, now + 1), (2, now + 3_600)] {
        let party = s.party.with_job(id);
        s.world.ok(&party.create_job_with(CreateJobArgs { expires_unix, ..job_args(id) }));
        let job: assay::accounts::Job = s.world.read(&party.job);
        assert_eq!((job.queue_deadline_unix, job.total_deadline_unix), (expires_unix, expires_unix));
    }
}

#[test]
fn a_05_a_job_is_created_once_per_id() {
    let mut s = Scenario::open();
    s.world.refuse(&s.party.create_job(), "JobExists");
    s.world.ok(&s.party.cancel_job());
    s.world.refuse(&s.party.create_job(), "JobExists");
    s.world.ok(&s.party.with_job(2).create_job());
}

#[test]
fn a_08_only_the_canonical_address_of_the_seeds_is_taken() {
    let mut s = Scenario::ready();
    let id = 1u64.to_le_bytes();
    let seeds: [&[u8]; 4] = [b"job", s.party.market.as_ref(), s.party.poster.as_ref(), &id];
    let canonical = solana_pubkey::Pubkey::find_program_address(&seeds, &assay::ID).1;
    let lower = (0..canonical).rev().find_map(|bump| {
        let bump = [bump];
        let seeds = [seeds[0], seeds[1], seeds[2], seeds[3], &bump];
        solana_pubkey::Pubkey::create_program_address(&seeds, &assay::ID).ok()
    });
    s.world.refuse(&s.party.create_job().with("job", lower.expect("another bump works")), "AddressMismatch");
    s.world.refuse(&s.party.create_job().with("job", s.party.with_job(2).job), "AddressMismatch");
    let elsewhere = address(&[b"job", s.party.poster.as_ref(), s.party.market.as_ref(), &id]);
    s.world.refuse(&s.party.create_job().with("job", elsewhere), "AddressMismatch");
}

#[test]
fn a_20_lamports_sent_ahead_do_not_stop_a_job_a_seat_a_provider_or_a_market() {
    let rent = |s: &Scenario, bytes| s.world.rent(bytes);
    for lamports in [1, 890_880, 3_000_000, 100_000_000] {
        let mut s = Scenario::ready();
        s.world.set_account(s.party.job, Account { lamports, ..Account::default() });
        s.world.set_account(s.party.execution, Account { lamports, ..Account::default() });
        let before = s.lamports(&s.party.poster);
        s.world.ok(&s.party.create_job());
        let job = s.job();
        let missing = job.rent_lamports.saturating_sub(lamports);
        assert_eq!(s.lamports(&s.party.poster), before - missing - job.escrow_lamports);
        assert_eq!(s.lamports(&s.party.job), job.escrow_lamports + job.rent_lamports.max(lamports));
        s.world.ok(&s.party.accept_job(&s.world));
        s.world.ok(&s.party.submit_results(&assay_tests::party::exited(1)));
        assay_tests::invariants::check(&s.world);

        let other = assay_tests::party::Party::new(&mut s.world);
        for key in [other.market, other.provider] {
            s.world.set_account(key, Account { lamports, ..Account::default() });
        }
        s.world.ok(&other.create_market(&terms()));
        s.world.ok(&other.register_provider());
        assert!(s.lamports(&other.market) >= rent(&s, 0));
        assay_tests::invariants::check(&s.world);
    }
}

#[test]
fn p_05_a_poster_cancels_only_while_nobody_holds_a_seat() {
    for (stage, status) in [
        (Scenario::assigned(), JobStatus::Assigned),
        (Scenario::submitted(), JobStatus::Submitted),
        (Scenario::resolved(), JobStatus::Resolved),
        (Scenario::cancelled(), JobStatus::Cancelled),
        (Scenario::expired(), JobStatus::Expired),
    ] {
        let mut s = stage;
        assert_eq!(s.status(), status);
        s.world.refuse(&s.party.cancel_job(), "JobNotOpen");
    }
    for stage in [Scenario::open(), Scenario::requeued()] {
        let mut s = stage;
        s.world.ok(&s.party.cancel_job());
        assert_eq!(s.status(), JobStatus::Cancelled);
        assert_eq!(s.job().resolved_unix, s.world.now());
    }
}

#[test]
fn only_the_poster_cancels() {
    let mut s = Scenario::open();
    s.world.refuse(&s.party.cancel_job().with("poster", s.party.authority), "job.PosterMismatch");
    s.world.refuse(&s.party.cancel_job().unsigned("poster"), "poster.AccountNotSigner");
}

#[test]
fn a_cancelled_job_is_refunded_to_the_lamport() {
    let mut s = Scenario::ready();
    let before = s.lamports(&s.party.poster);
    s.world.ok(&s.party.create_job());
    s.world.ok(&s.party.cancel_job());
    s.world.next_slot();
    s.world.ok(&s.party.close_job());
    assert_eq!(s.lamports(&s.party.poster), before);
}

#[test]
fn a_market_that_allows_no_more_than_a_stricter_limit_refuses_the_rest() {
    let strict = MarketTerms { gas_limit_max: 1_000, ..terms() };
    let mut s = Scenario::ready_with(&strict);
    refused(&mut s, |_| (), "GasLimitAboveMarket");
}
