//! Tests of what is checked before anything is uploaded or paid.
#![allow(clippy::unwrap_used, reason = "tests")]

use assay_protocol::{FeeError, InvalidReason, MarketTerms};
use proptest::prelude::*;

use super::*;

const MANIFEST: &str = r#"{"executable": "job.wasm", "args": [], "output_path": "output/"}"#;

fn job(manifest: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let module = wat::parse_str(r#"(module (func (export "_start")))"#).unwrap();
    std::fs::write(directory.path().join("job.wasm"), module).unwrap();
    std::fs::write(directory.path().join(MANIFEST_FILE_NAME), manifest).unwrap();
    directory
}

fn builder(directory: &tempfile::TempDir) -> JobSpecBuilder {
    JobSpec::builder(directory.path(), Pubkey::new_unique())
}

fn refusal(directory: &tempfile::TempDir) -> SpecError {
    builder(directory).build().unwrap().prepare().unwrap_err()
}

#[test]
fn a_minimum_job_is_packed_with_the_defaults() {
    let directory = job(MANIFEST);
    let prepared = builder(&directory).build().unwrap().prepare().unwrap();
    assert_eq!(prepared.task.limits, TaskLimits::default());
    assert_eq!((prepared.task.seed, prepared.task.clock_unix_ns), (SEED_DEFAULT, CLOCK_UNIX_NS_DEFAULT));
    assert_eq!(digest_from_cid(&prepared.cid()), Ok(prepared.task.job_cid_digest));
    assert!(prepared.module.entry_points.command);
}

#[test]
fn the_manifests_limits_are_taken_and_may_not_be_contradicted() {
    let directory = job(&MANIFEST.replacen('}', r#", "limits": {"gas_limit": 77}, "seed": 5}"#, 1));
    let prepared = builder(&directory).build().unwrap().prepare().unwrap();
    assert_eq!((prepared.task.limits.gas_limit, prepared.task.seed), (77, 5));
    let error = builder(&directory).gas_limit(78).build().unwrap().prepare().unwrap_err();
    assert!(error.to_string().contains("`limits.gas_limit` is 77 in the manifest and 78"), "{error}");
    assert!(error.next_step().unwrap().contains("Invalid"));
}

fn reason(directory: &tempfile::TempDir) -> InvalidReason {
    match refusal(directory) {
        SpecError::Invalid(invalid) => invalid.reason,
        other => panic!("{other}"),
    }
}

#[test]
fn what_a_provider_would_find_wrong_is_said_before_anything_is_paid() {
    let directory = job(MANIFEST);
    let module = directory.path().join("job.wasm");
    std::fs::remove_file(&module).unwrap();
    assert_eq!(reason(&directory), InvalidReason::ExecutableMissing);
    std::fs::write(&module, "no module").unwrap();
    assert_eq!(reason(&directory), InvalidReason::ModuleInvalid);
    std::fs::write(&module, wat::parse_str(r#"(module (func (export "main")))"#).unwrap()).unwrap();
    assert_eq!(reason(&directory), InvalidReason::EntryPointMissing);
    assert!(refusal(&directory).next_step().unwrap().contains("`_start`"));
    std::fs::remove_file(directory.path().join(MANIFEST_FILE_NAME)).unwrap();
    assert_eq!(reason(&directory), InvalidReason::ManifestMissing);
    let directory = job(&MANIFEST.replacen('}', r#", "stdin": "in.txt"}"#, 1));
    assert_eq!(reason(&directory), InvalidReason::ManifestInvalid);
    assert_eq!(reason(&job("{}")), InvalidReason::ManifestInvalid);
    let missing = JobSpec::builder("/nonexistent/job", Pubkey::new_unique()).build().unwrap();
    assert!(matches!(missing.prepare(), Err(SpecError::Pack(_))));
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_is_refused() {
    let directory = job(MANIFEST);
    std::os::unix::fs::symlink("/etc/hostname", directory.path().join("link")).unwrap();
    assert!(matches!(refusal(&directory), SpecError::Pack(_)));
    std::fs::remove_file(directory.path().join("link")).unwrap();
    std::fs::rename(directory.path().join("job.wasm"), directory.path().join("real.wasm")).unwrap();
    std::os::unix::fs::symlink("real.wasm", directory.path().join("job.wasm")).unwrap();
    assert!(matches!(refusal(&directory), SpecError::Pack(_)));
}

#[test]
fn numbers_out_of_bounds_are_refused_by_name() {
    let directory = job(MANIFEST);
    for (built, field) in [
        (builder(&directory).price(0).build(), "price"),
        (builder(&directory).price(u64::MAX).build(), "price"),
        (builder(&directory).base_fee_lamports(u64::MAX).build(), "base fee"),
        (builder(&directory).redundancy(0).build(), "redundancy"),
        (builder(&directory).min_trust_bps(10_001).build(), "least trust"),
    ] {
        assert!(matches!(built, Err(SpecError::Range { field: found, .. }) if found == field), "{field}");
    }
    let limits = TaskLimits { memory_bytes: 1, ..TaskLimits::default() };
    let error = builder(&directory).limits(limits).build().unwrap().prepare().unwrap_err();
    assert!(matches!(error, SpecError::Limits { .. }));
}

#[test]
fn a_mode_goes_with_its_number_of_seats() {
    let directory = job(MANIFEST);
    let of = |seats: u8, mode: Option<Mode>| {
        let builder = builder(&directory).redundancy(seats);
        mode.map_or(builder.clone(), |mode| builder.mode(mode)).build().map(|spec| spec.mode())
    };
    assert_eq!(of(1, None).unwrap(), Mode::Optimistic);
    assert_eq!(of(3, None).unwrap(), Mode::Redundant);
    assert_eq!(of(3, Some(Mode::Quorum)).unwrap(), Mode::Quorum);
    assert_eq!(of(3, Some(Mode::Adaptive)).unwrap(), Mode::Adaptive);
    for (seats, mode) in [(1, Mode::Redundant), (1, Mode::Quorum), (3, Mode::Optimistic), (1, Mode::Adaptive)] {
        assert!(matches!(of(seats, Some(mode)), Err(SpecError::Mode { .. })), "{seats} {mode:?}");
    }
    assert!(matches!(builder(&directory).agreement_s(0).build(), Err(SpecError::NothingToAgree)));
}

#[test]
fn i_05_a_quote_covers_every_seat_that_may_have_to_be_paid() {
    let price = Price { base_fee_lamports: 1_000, price: 1 };
    for (mode, paid) in [(Mode::Redundant, 3), (Mode::Quorum, 5)] {
        let quote = quote_for(price, (1, 250), (mode, 3)).unwrap();
        assert_eq!(quote.base_fee_lamports, 1_000 * paid, "{mode:?}");
    }
}

fn quote(price: Price, gas_limit: u64, fee_bps: u16) -> Result<Quote, FeeError> {
    quote_for(price, (gas_limit, fee_bps), (Mode::Optimistic, 1))
}

fn quote_for(
    price: Price,
    (gas_limit, fee_bps): (u64, u16),
    (mode, redundancy): (Mode, u8),
) -> Result<Quote, FeeError> {
    let mut terms: MarketTerms =
        anchor_lang::AnchorDeserialize::deserialize(&mut [0_u8; 256].as_slice()).map(from_declared).unwrap();
    (terms.fee_bps, terms.executions_max) = (fee_bps, 9);
    Quote::new(&QuoteInput {
        price,
        gas_limit,
        redundancy,
        mode,
        terms: &terms,
        rent_lamports: 5_000_000,
        transaction_fee_lamports: 5_000,
    })
}

fn from_declared(terms: crate::program::types::MarketTerms) -> MarketTerms {
    terms.into()
}

#[test]
fn a_quote_states_every_component() {
    let quote = quote(Price { base_fee_lamports: 1_000, price: 2_000_000_000_000 }, 5_000_000, 250).unwrap();
    let expected = Quote {
        base_fee_lamports: 1_000,
        gas_lamports: 10_000_000,
        market_fee_lamports: 250_025,
        escrow_lamports: 10_251_025,
        rent_lamports: 5_000_000,
        transaction_fee_lamports: 5_000,
        total_lamports: 15_256_025,
    };
    assert_eq!(quote, expected);
}

proptest! {
    #[test]
    fn the_components_of_a_quote_add_up(base in 0_u64..=1_000_000_000_000, price in 1_u64..=1_000_000_000_000_000,
        gas in 1_u64..=1_000_000_000_000, fee_bps in 0_u16..=1_000) {
        if let Ok(quote) = quote(Price { base_fee_lamports: base, price }, gas, fee_bps) {
            prop_assert_eq!(quote.base_fee_lamports + quote.gas_lamports + quote.market_fee_lamports, quote.escrow_lamports);
            prop_assert_eq!(quote.escrow_lamports + 5_005_000, quote.total_lamports);
        }
    }
}

#[test]
fn what_the_market_would_refuse_is_said_with_its_numbers() {
    use anchor_lang::AnchorDeserialize;
    const NOW_UNIX: i64 = 1_000;
    let directory = job(MANIFEST);
    let task = builder(&directory).gas_limit(500).build().unwrap().prepare().unwrap().task;
    let mut market = Market::deserialize(&mut [0; 4_096].as_slice()).unwrap();
    (market.terms.gas_limit_max, market.terms.job_total_s, market.terms.executions_max) = (500, 60, 2);
    let check = |market: &Market, expires_unix| {
        let spec = builder(&directory).expires_unix(expires_unix).build().unwrap();
        spec.check_market(&task, market, NOW_UNIX).map_err(|error| {
            assert!(error.next_step().is_some(), "{error}");
            error.to_string()
        })
    };
    for expires_unix in [0, NOW_UNIX + 1, NOW_UNIX + 60] {
        assert_eq!(check(&market, expires_unix), Ok(()));
    }
    for expires_unix in [1, NOW_UNIX, NOW_UNIX + 61, i64::MIN, i64::MAX] {
        assert!(check(&market, expires_unix).unwrap_err().contains("the market takes 1 to 60 s"), "{expires_unix}");
    }
    let three = builder(&directory).redundancy(3).build().unwrap();
    let error = three.check_market(&task, &market, NOW_UNIX).unwrap_err().to_string();
    assert!(error.contains("wants 3 seats; the market has at most 2"), "{error}");
    (market.terms.verify_rate_gas_per_s, market.terms.challenge_base_s) = (100, 3);
    let agrees = |seconds| builder(&directory).redundancy(2).agreement_s(seconds).build().unwrap();
    for seconds in [0, 8] {
        agrees(seconds).check_market(&task, &market, NOW_UNIX).unwrap();
    }
    let error = agrees(9).check_market(&task, &market, NOW_UNIX).unwrap_err();
    assert!(
        error.next_step().is_some() && error.to_string().contains("is 9 s; the market takes at most 8 s"),
        "{error}"
    );
    market.terms.gas_limit_max = 499;
    assert!(check(&market, 0).unwrap_err().contains("is 500; the market takes at most 499"));
    market.paused_until_unix = NOW_UNIX + 7;
    assert!(check(&market, 0).unwrap_err().contains("paused for another 7 s"));
}

#[test]
fn what_is_no_job_directory_is_told_what_one_is() {
    let directory = job(MANIFEST);
    for path in [directory.path().join("job.wasm"), directory.path().join("absent")] {
        let error = JobSpec::builder(path, Pubkey::new_unique()).build().unwrap().prepare().unwrap_err();
        assert!(error.next_step().unwrap().contains("manifest.json"), "{error}");
    }
}
