//! What holds after every instruction. Handlers call [`check_backed`] on each ledger whose lamports or fields they
//! changed, after the last change.

use anchor_lang::prelude::*;

use crate::{
    errors::{require, AssayError},
    state::Ledger,
};

/// I-01: the account holds its rent and every lamport that its fields owe. The rent is the one recorded at creation, so
/// that a later change of the cluster's rent cannot stop settlements; a donation only adds.
///
/// # Errors
/// [`AssayError::LedgerNotBacked`], and what [`Ledger::owed_lamports`] refuses.
pub fn check_backed<T>(account: &Account<'_, T>) -> Result<()>
where
    T: Ledger + AccountSerialize + AccountDeserialize + Clone,
{
    let owed_lamports = account.owed_lamports()?;
    require!(account.get_lamports() >= owed_lamports, AssayError::LedgerNotBacked);
    Ok(())
}
