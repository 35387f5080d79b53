//! How providers leave with all that is their own (I-10), once no job holds them any more.

use crate::{
    act::Act,
    state::{Key, Model, Provider},
};

/// What every provider would do now to be gone, with what it is refused for a second before its time too.
#[must_use]
pub fn leaving(model: &Model) -> Vec<Act> {
    model.providers.iter().flat_map(|(key, own)| next(model, *key, own)).collect()
}

fn next(model: &Model, provider: Key, own: &Provider) -> Vec<Act> {
    let signer = own.authority;
    if own.is_on_duty() {
        return vec![Act::SetDuty { signer, provider, on: false }];
    }
    if own.duty_lock_lamports > 0 {
        let is_close = model.released_unix(provider).is_some_and(|free| model.now_unix + 1 >= free);
        return is_close.then_some(Act::SetDuty { signer, provider, on: false }).into_iter().collect();
    }
    if own.stake_lamports > 0 {
        return vec![Act::Unstake { signer, provider, lamports: own.stake_lamports }];
    }
    // Stake that was lost leaves tickets behind until somebody counts them anew.
    if own.tickets > 0 {
        return vec![Act::EnrollStake { signer, provider }];
    }
    let mut acts = Vec::new();
    if own.earnings_lamports > 0 {
        acts.push(Act::ClaimReward { provider });
    }
    if own.unbonding_lamports == 0 {
        acts.push(Act::CloseProvider { signer, provider });
    } else if model.now_unix + 1 >= own.unbonding_until_unix {
        acts.push(Act::WithdrawStake { signer, provider });
    }
    acts
}

/// Seconds to the next moment for which somebody who leaves waits: to the second before it, then to its own.
#[must_use]
pub fn wait_s(model: &Model) -> i64 {
    let own = model.providers.iter();
    let waits = own.map(|(key, own)| {
        let unbonds = if own.unbonding_lamports > 0 { own.unbonding_until_unix } else { 0 };
        model.released_unix(*key).filter(|_| own.duty_lock_lamports > 0).unwrap_or(unbonds)
    });
    match waits.filter(|at| *at > model.now_unix).min() {
        Some(next) if next > model.now_unix + 1 => next - 1 - model.now_unix,
        Some(_) => 1,
        None => 0,
    }
}
