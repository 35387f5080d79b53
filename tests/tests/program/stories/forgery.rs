//! Accounts of somebody else's: an instruction with one of them in the place of its own is refused, whatever else is right.

use assay_model::{
    act::Act,
    state::{Key, Model},
};
use assay_tests::idl;
use solana_instruction::Instruction;
use solana_pubkey::Pubkey;

use super::calls;

/// Accounts that nothing else in the instruction is bound to: another one makes it another act, which may be right.
const FREE: &[(&str, &str)] = &[
    ("cancel_job", "job"),
    ("close_job", "job"),
    ("finalize_job", "job"),
    ("tally_round", "dispute"),
    ("enroll_stake", "provider"),
    // Two jobs of one module, both to be recorded.
    ("record_collision", "job"),
    // A juror's votes of two rounds, both to be settled.
    ("settle_vote", "vote"),
];

/// The instruction of an act with one account exchanged for another of its kind. `turn` chooses which, and for which.
pub fn forged(model: &Model, act: &Act, turn: usize) -> Option<Instruction> {
    let mut instruction = calls::instruction(model, act);
    let slots = idl::account_slots(act.name());
    let is_alone = matches!(act, Act::RecordSeed { .. } | Act::ExpireJob { provider: None, .. });
    let mut choices: Vec<(usize, Pubkey)> = Vec::new();
    for (index, slot) in slots.iter().enumerate() {
        let role = slot.name.as_str();
        if slot.signer || is_alone || FREE.contains(&(act.name(), role)) {
            continue;
        }
        let others = others(model, role).into_iter().map(|key| Pubkey::new_from_array(key.0));
        choices.extend(others.filter(|key| *key != instruction.accounts[index].pubkey).map(|key| (index, key)));
    }
    let (index, key) = *choices.get(turn.checked_rem(choices.len())?)?;
    instruction.accounts[index].pubkey = key;
    Some(instruction)
}

/// All that could stand there by what it is.
fn others(model: &Model, role: &str) -> Vec<Key> {
    let owners = || model.providers.values().map(|provider| provider.authority);
    match role {
        "market" => model.markets.keys().copied().collect(),
        "provider" => model.providers.keys().copied().collect(),
        "job" => model.jobs.keys().copied().collect(),
        "execution" => model.executions.keys().map(|(job, provider)| model.seat(*job, *provider)).collect(),
        "dispute" => model.disputes.keys().map(|job| model.dispute_key(*job)).collect(),
        "challenge" => model.challenges.keys().map(|(job, own)| model.challenge_key(*job, *own)).collect(),
        "module" | "new_module" => model.modules.keys().copied().collect(),
        "vote" => model.votes.keys().map(|(job, round, juror)| model.vote_key(*job, *round, *juror)).collect(),
        "rent_payer" | "poster" | "challenger" | "authority" => owners().collect(),
        _ => Vec::new(),
    }
}
