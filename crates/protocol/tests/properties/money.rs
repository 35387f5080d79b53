//! Fees: nothing is created, nothing is lost, nothing overflows.

use assay_protocol::{
    fees::{bond, escrow_required, miss_penalty, share_bps, window_s, Decline, Price},
    limits, FeeError, InvalidReason, Outcome, OutcomeKind,
};
use proptest::prelude::*;

/// Edges as often as the middle.
fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(u64::MAX - 1), 0..10_000u64, any::<u64>()]
}

fn price() -> impl Strategy<Value = Price> {
    let per_unit = prop_oneof![Just(0), Just(1), Just(limits::PRICE_MAX), 0..=limits::PRICE_MAX];
    let base = prop_oneof![Just(0), Just(limits::BASE_FEE_LAMPORTS_MAX), 0..=limits::BASE_FEE_LAMPORTS_MAX];
    (base, per_unit).prop_map(|(base_fee_lamports, price)| Price { base_fee_lamports, price })
}

/// A gas limit and the gas used of it.
fn gas() -> impl Strategy<Value = (u64, u64)> {
    prop_oneof![Just(1), Just(limits::GAS_LIMIT_MAX), 1..1_000u64, 1..=limits::GAS_LIMIT_MAX]
        .prop_flat_map(|limit| (Just(limit), prop_oneof![Just(0), Just(limit), 0..=limit]))
}

fn outcome(kind: OutcomeKind, gas_used: u64) -> Outcome {
    Outcome { kind, detail: 0, exit_code: 0, gas_used, result_cid_digest: [1; 32], state_root: [0; 32] }
}

proptest! {
    #[test]
    fn a_12_paid_fee_and_refund_make_up_the_escrow(
        price in price(),
        (gas_limit, gas_used) in gas(),
        redundancy in 1..=limits::REDUNDANCY_MAX,
        fee_bps in 0..=limits::FEE_BPS_MAX,
        surplus in 0..1_000_000u64,
    ) {
        let max_pay = price.pay(gas_limit).expect("in bounds");
        let required = escrow_required(max_pay, redundancy, fee_bps);
        prop_assume!(required.is_ok());
        let escrow = required.expect("assumed").saturating_add(surplus);
        let pay = price.pay_for(&outcome(OutcomeKind::Exited, gas_used)).expect("less than the most");
        let fee = share_bps(pay, u32::from(fee_bps)).expect("less than the pay");
        let spent = (u128::from(pay) + u128::from(fee)) * u128::from(redundancy);
        // I-05: the escrow covers it whatever was used, and the rest is whole.
        prop_assert!(spent <= u128::from(escrow));
        let refund = u128::from(escrow) - spent;
        prop_assert_eq!(spent + refund, u128::from(escrow));
        prop_assert!(refund >= u128::from(surplus));
    }

    #[test]
    fn p_10_pay_inside_the_bounds_never_overflows_and_grows_with_gas(
        price in price(),
        (gas_limit, gas_used) in gas(),
    ) {
        let most = price.pay(gas_limit).expect("every price and gas limit in bounds fits");
        let some = price.pay(gas_used).expect("less gas");
        prop_assert!(price.base_fee_lamports <= some && some <= most);
    }

    #[test]
    fn p_10_a_job_in_bounds_is_priced_or_refused_by_name(price in price(), (gas_limit, _) in gas(), redundancy: u8, fee_bps: u16) {
        let max_pay = price.pay(gas_limit).expect("in bounds");
        let exact = u128::from(max_pay) * u128::from(redundancy);
        let exact = exact + exact * u128::from(fee_bps) / 10_000;
        prop_assert_eq!(escrow_required(max_pay, redundancy, fee_bps), u64::try_from(exact).map_err(|_| FeeError));
    }

    #[test]
    fn a_12_pay_at_any_input_is_exact_or_a_named_error(base_fee_lamports in amount(), price in amount(), gas in amount()) {
        let exact = u128::from(base_fee_lamports) + u128::from(gas) * u128::from(price) / 1_000_000_000_000;
        prop_assert_eq!(Price { base_fee_lamports, price }.pay(gas), u64::try_from(exact).map_err(|_| FeeError));
    }

    #[test]
    fn a_12_splitting_a_run_never_pays_more(price in price(), (gas_limit, gas_used) in gas()) {
        // Rounding down: the parts of a split run pay at most what the whole pays, and at most a lamport less.
        let variable = Price { base_fee_lamports: 0, ..price };
        let whole = variable.pay(gas_limit).expect("in bounds");
        let parts = variable.pay(gas_used).expect("in bounds") + variable.pay(gas_limit - gas_used).expect("in bounds");
        prop_assert!(parts <= whole && whole - parts <= 1);
    }

    #[test]
    fn an_invalid_task_pays_the_base_fee_alone(price in price()) {
        prop_assert_eq!(price.pay_for(&Outcome::invalid(InvalidReason::ModuleInvalid)), Ok(price.base_fee_lamports));
    }

    #[test]
    fn a_12_a_share_is_exact_and_never_over_the_whole(amount in amount(), bps in 0..=10_000u32) {
        let share = share_bps(amount, bps).expect("at most one whole");
        prop_assert_eq!(u128::from(share), u128::from(amount) * u128::from(bps) / 10_000);
        prop_assert!(share <= amount);
        prop_assert!(share_bps(amount, bps.saturating_sub(1)).expect("less") <= share);
    }

    #[test]
    fn a_bond_covers_the_most_a_job_pays(max_pay in amount(), minimum in amount(), rate_bps in 10_000..=limits::BOND_RATE_BPS_MAX) {
        match bond(max_pay, minimum, rate_bps) {
            Ok(bond) => prop_assert!(bond >= max_pay && bond >= minimum),
            Err(FeeError) => prop_assert!(u128::from(max_pay) * u128::from(rate_bps) / 10_000 > u128::from(u64::MAX)),
        }
    }

    #[test]
    fn p_20_a_miss_costs_at_most_the_bond_and_gives_the_poster_at_most_the_delay_fee(
        bond in amount(),
        rate_bps in 0..=limits::BPS_ONE,
        delay_fee in amount(),
    ) {
        let penalty = miss_penalty(bond, rate_bps, delay_fee).expect("at most the bond");
        let total = u128::from(penalty.poster_lamports) + u128::from(penalty.sink_lamports);
        prop_assert_eq!(total, u128::from(bond) * u128::from(rate_bps) / 10_000);
        prop_assert!(total <= u128::from(bond));
        prop_assert!(penalty.poster_lamports <= delay_fee);
    }

    #[test]
    fn p_23_keeping_a_job_by_giving_it_back_costs_as_much_as_missing_it(
        bond_lamports in 50_000..=limits::STAKE_LAMPORTS_MAX,
        miss_rate_bps in limits::MISS_RATE_BPS_MIN..=limits::BPS_ONE,
        execution_s in 1..=limits::WINDOW_S_MAX,
        holds in prop::collection::vec(any::<prop::sample::Index>(), 1..50),
    ) {
        let decline = Decline { bond_lamports, miss_rate_bps, fee_lamports: limits::DECLINE_FEE_LAMPORTS_MIN, execution_s };
        let penalty = u128::from(share_bps(bond_lamports, u32::from(miss_rate_bps)).expect("in bounds"));
        let (mut held_s, mut paid) = (0, 0);
        for hold in &holds {
            let hold_s = u64::try_from(hold.index(execution_s as usize)).expect("small");
            let cost = decline.cost(hold_s).expect("in bounds");
            prop_assert!(cost >= limits::DECLINE_FEE_LAMPORTS_MIN && u128::from(cost) <= penalty, "dearer than missing");
            prop_assert!(decline.cost(hold_s + 1).expect("in bounds") >= cost);
            held_s += u128::from(hold_s);
            paid += u128::from(cost);
        }
        // However the time is cut, rounding forgives less than a lamport each time.
        prop_assert!((paid + holds.len() as u128) * u128::from(execution_s) >= penalty * held_s);
    }

    #[test]
    fn a_window_is_never_shorter_than_its_base_or_than_the_work(base_s: u32, gas_limit in amount(), rate in amount()) {
        let window = window_s(base_s, gas_limit, rate);
        prop_assert!(window >= u64::from(base_s));
        let work = u128::from(window) - u128::from(base_s);
        // The sum saturates only where the true value leaves 64 bits.
        prop_assert!(window == u64::MAX || work * u128::from(rate.max(1)) >= u128::from(gas_limit));
    }
}
