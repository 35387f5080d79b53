//! Registering, staking, leaving, and who holds which key.

use assay_tests::{
    assay::{accounts::Provider, types::UpdateProviderArgs},
    party::{CAPACITY, EXPOSURE_CAP, STAKE, exited},
    scenario::Scenario,
    world::SOL,
};

const UNBONDING_S: i64 = 86_400;

fn nothing() -> UpdateProviderArgs {
    UpdateProviderArgs { exposure_cap_lamports: None, capacity: None, endpoint: None }
}

#[test]
fn registering_records_keys_stake_cap_and_capacity() {
    let s = Scenario::ready();
    let provider = s.provider();
    assert_eq!((provider.market, provider.authority), (s.party.market, s.party.authority));
    assert_eq!(provider.node_key, s.party.node_key);
    assert_eq!((provider.stake_lamports, provider.exposure_cap_lamports), (STAKE, EXPOSURE_CAP));
    assert_eq!(provider.capacity, CAPACITY);
    assert_eq!(provider.stake_mature_from_unix, s.world.now() + UNBONDING_S);
    assert_eq!(s.lamports(&s.party.provider), STAKE + provider.rent_lamports);
}

#[test]
fn a_05_a_provider_registers_once() {
    let mut s = Scenario::ready();
    s.world.refuse(&s.party.register_provider(), "AccountInUse");
}

#[test]
fn nobody_registers_another_and_the_node_key_agrees() {
    let mut s = Scenario::ready();
    let other = s.party.another(&mut s.world);
    let call = other.register_provider();
    s.world.refuse(&call.clone().unsigned("node_key"), "node_key.AccountNotSigner");
    s.world.refuse(&call.clone().unsigned("authority"), "authority.AccountNotSigner");
    s.world.refuse(&call.clone().with("authority", s.party.poster), "AddressMismatch");
    s.world.refuse(&call.with("node_key", other.authority), "NodeKeyIsAuthority");
}

#[test]
fn a_stake_that_the_wallet_does_not_have_is_refused() {
    let mut s = Scenario::ready();
    let other = s.party.another(&mut s.world);
    s.world.refuse(&other.register_provider_with(1_000 * SOL, 1, 1), "system error 1");
    s.world.refuse(&s.party.stake(1_000 * SOL), "system error 1");
    s.world.refuse(&s.party.stake(u64::MAX), "AmountOverflow");
}

#[test]
fn each_field_is_updated_alone_and_only_by_the_authority() {
    let mut s = Scenario::ready();
    s.world.ok(&s.party.update_provider(UpdateProviderArgs { exposure_cap_lamports: Some(7), ..nothing() }, None));
    s.world.ok(&s.party.update_provider(UpdateProviderArgs { capacity: Some(0), ..nothing() }, None));
    s.world.ok(&s.party.update_provider(UpdateProviderArgs { endpoint: Some([b'x'; 64]), ..nothing() }, None));
    let provider = s.provider();
    assert_eq!((provider.exposure_cap_lamports, provider.capacity), (7, 0));
    assert_eq!(provider.endpoint, [b'x'; 64]);
    assert_eq!(provider.node_key, s.party.node_key);
    let call = s.party.update_provider(nothing(), None).with("authority", s.party.node_key);
    s.world.refuse(&call, "provider.AuthorityMismatch");
}

#[test]
fn e_27_a_rotated_node_key_takes_over_at_once() {
    let mut s = Scenario::assigned();
    let fresh = s.world.wallet(SOL);
    s.world.refuse(
        &s.party.update_provider(nothing(), Some(fresh)).unsigned("new_node_key"),
        "new_node_key.AccountNotSigner",
    );
    s.world.refuse(&s.party.update_provider(nothing(), Some(s.party.authority)), "NodeKeyIsAuthority");
    s.world.ok(&s.party.update_provider(nothing(), Some(fresh)));
    let (submit, decline) = (s.party.submit_results(&exited(1)), s.party.decline_job(1));
    s.world.refuse(&submit, "provider.NodeKeyMismatch");
    s.world.refuse(&decline, "provider.NodeKeyMismatch");
    // The rent still goes back to the key that paid it.
    s.world.clone().ok(&decline.with("node_key", fresh));
    s.world.ok(&submit.with("node_key", fresh));
    s.world.refuse(&s.party.with_job(2).create_job().with("job", s.party.job), "JobExists");
}

#[test]
fn staking_adds_and_matures_anew() {
    let mut s = Scenario::ready();
    s.world.advance(1_000);
    s.world.ok(&s.party.stake(SOL));
    let provider = s.provider();
    assert_eq!(provider.stake_lamports, STAKE + SOL);
    assert_eq!(provider.stake_mature_from_unix, s.world.now() + UNBONDING_S);
    s.world.refuse(&s.party.stake(0), "AmountZero");
    s.world.refuse(&s.party.stake(1).with("authority", s.party.poster), "provider.AuthorityMismatch");
}

#[test]
fn p_11_locked_stake_cannot_leave() {
    let mut s = Scenario::assigned();
    let locked = s.provider().locked_lamports;
    s.world.refuse(&s.party.unstake(STAKE), "FreeStakeTooSmall");
    s.world.refuse(&s.party.unstake(STAKE - locked + 1), "FreeStakeTooSmall");
    s.world.refuse(&s.party.unstake(u64::MAX), "FreeStakeTooSmall");
    s.world.refuse(&s.party.unstake(0), "AmountZero");
    s.world.ok(&s.party.unstake(STAKE - locked));
    // The bond is still there to be lost.
    s.world.advance_to(s.job().execution_deadline_unix);
    s.world.ok(&s.party.expire_assigned_job());
    assert_eq!(s.provider().stake_lamports, locked / 2);
}

#[test]
fn p_11_unstaked_lamports_wait_to_the_second() {
    let mut s = Scenario::ready();
    s.world.refuse(&s.party.withdraw_stake(), "NothingUnbonding");
    s.world.ok(&s.party.unstake(SOL));
    let until = s.provider().unbonding_until_unix;
    assert_eq!(until, s.world.now() + UNBONDING_S);
    s.world.refuse(&s.party.withdraw_stake(), "StillUnbonding");
    s.world.advance_to(until - 1);
    s.world.refuse(&s.party.withdraw_stake(), "StillUnbonding");
    s.world.advance_to(until);
    s.world.refuse(&s.party.withdraw_stake().with("authority", s.party.node_key), "provider.AuthorityMismatch");
    let before = s.lamports(&s.party.authority);
    s.world.ok(&s.party.withdraw_stake());
    assert_eq!(s.lamports(&s.party.authority), before + SOL);
    s.world.refuse(&s.party.withdraw_stake(), "NothingUnbonding");
}

#[test]
fn p_11_unstaking_more_begins_the_wait_anew_for_all() {
    let mut s = Scenario::ready();
    s.world.ok(&s.party.unstake(SOL));
    s.world.advance(UNBONDING_S - 1);
    s.world.ok(&s.party.unstake(1));
    s.world.advance(1);
    s.world.refuse(&s.party.withdraw_stake(), "StillUnbonding");
    s.world.advance(UNBONDING_S - 1);
    s.world.ok(&s.party.withdraw_stake());
    assert_eq!(s.provider().stake_lamports, STAKE - SOL - 1);
}

#[test]
fn p_11_a_market_that_shortens_its_period_does_not_shorten_a_wait() {
    let mut s = Scenario::ready();
    s.world.ok(&s.party.unstake(SOL));
    let until = s.provider().unbonding_until_unix;
    let shorter = assay_protocol::MarketTerms { unbonding_s: 40_000, ..assay_tests::party::terms() };
    s.world.ok(&s.party.update_market(&shorter));
    s.world.ok(&s.party.unstake(1));
    assert_eq!(s.provider().unbonding_until_unix, until);
}

#[test]
fn a_provider_with_anything_left_does_not_close() {
    let ledgers: [fn(&mut Provider); 5] = [
        |provider| provider.stake_lamports = 1,
        |provider| provider.unbonding_lamports = 1,
        |provider| provider.earnings_lamports = 1,
        |provider| provider.active = 1,
        |provider| provider.children_open = 1,
    ];
    for ledger in ledgers {
        let mut s = Scenario::ready();
        s.world.edit::<Provider>(&s.party.provider, |provider| {
            provider.stake_lamports = 0;
            ledger(provider);
        });
        s.world.refuse(&s.party.close_provider(), "ProviderInUse");
    }
    let mut s = Scenario::ready();
    s.world.edit::<Provider>(&s.party.provider, |provider| provider.stake_lamports = 0);
    s.world.refuse(&s.party.close_provider().with("authority", s.party.node_key), "provider.AuthorityMismatch");
    s.world.ok(&s.party.close_provider());
}

#[test]
fn a_missed_seat_keeps_its_provider_from_closing_until_it_is_settled() {
    let mut s = Scenario::requeued();
    let stake = s.provider().stake_lamports;
    s.world.ok(&s.party.unstake(stake));
    s.world.advance(UNBONDING_S);
    s.world.ok(&s.party.withdraw_stake());
    s.world.refuse(&s.party.close_provider(), "ProviderInUse");
    s.world.ok(&s.party.expire_open_job());
    s.world.ok(&s.party.settle_execution());
    s.world.ok(&s.party.close_provider());
    s.world.ok(&s.party.close_job());
}
