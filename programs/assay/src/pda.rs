//! Finding and creating program-derived accounts cheaply.
//!
//! The runtime's `find_program_address` costs 1,500 compute units per candidate. Hashing a candidate and asking whether
//! it is a curve point gives the same canonical address for a quarter of that, so the worst case over many keys stays
//! inside the budget. Only instructions that create accounts come here; everything else trusts owner, discriminator
//! and `has_one`.

use anchor_lang::{
    prelude::*,
    system_program::{self, Allocate, Assign, CreateAccount, Transfer},
};
use solana_curve25519::edwards::{validate_edwards, PodEdwardsPoint};
use solana_sha256_hasher::hashv;

use crate::errors::AssayError;

/// Seeds of an account without its bump: at most four; one that is not used is empty, which changes no address.
pub type Seeds<'a> = [&'a [u8]; 4];

/// Ends the preimage of a program-derived address.
const MARKER: &[u8] = b"ProgramDerivedAddress";

/// The bump for which `address` is the canonical address of `seeds`: the highest one that is off the curve.
///
/// # Errors
/// [`AssayError::AddressMismatch`] when it is not.
pub fn canonical_bump(address: &Pubkey, seeds: &Seeds<'_>) -> Result<u8> {
    let [first, second, third, fourth] = seeds;
    for bump in (0..=u8::MAX).rev() {
        let candidate = hashv(&[first, second, third, fourth, &[bump], crate::ID.as_ref(), MARKER]).to_bytes();
        if validate_edwards(&PodEdwardsPoint(candidate)) {
            continue;
        }
        require!(candidate == address.to_bytes(), AssayError::AddressMismatch);
        return Ok(bump);
    }
    err!(AssayError::AddressMismatch)
}

/// What to create and where.
pub struct NewAccount<'a, 'info> {
    /// Pays rent and deposit; a signer.
    pub payer: AccountInfo<'info>,
    /// The address to fill.
    pub account: AccountInfo<'info>,
    /// Its seeds without the bump, already checked by [`canonical_bump`].
    pub seeds: &'a Seeds<'a>,
    /// Its canonical bump.
    pub bump: u8,
    /// Discriminator included.
    pub size_bytes: usize,
    /// Rent; the account holds at least this much afterwards.
    pub rent_lamports: u64,
    /// Paid in on top of the rent, whatever the account held before.
    pub deposit_lamports: u64,
}

impl NewAccount<'_, '_> {
    /// Creates the account, owned by this program and filled with zeros. Lamports that were sent to the address before
    /// pay its rent and otherwise stay as a donation (A-20, P-21). The caller has checked that the system program owns
    /// the address.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`], and what the system program refuses.
    pub fn create(self) -> Result<()> {
        let [first, second, third, fourth] = self.seeds;
        let bump = [self.bump];
        let signer: [&[u8]; 5] = [first, second, third, fourth, &bump];
        let signers: &[&[&[u8]]] = &[&signer];
        let space = u64::try_from(self.size_bytes).map_err(|_| AssayError::AmountOverflow)?;
        let prefunded_lamports = self.account.lamports();
        if prefunded_lamports == 0 {
            let lamports = self.rent_lamports.checked_add(self.deposit_lamports).ok_or(AssayError::AmountOverflow)?;
            let accounts = CreateAccount { from: self.payer, to: self.account };
            let context = CpiContext::new_with_signer(system_program::ID, accounts, signers);
            return system_program::create_account(context, lamports, space, &crate::ID);
        }
        let missing_rent_lamports = self.rent_lamports.saturating_sub(prefunded_lamports);
        let lamports = missing_rent_lamports.checked_add(self.deposit_lamports).ok_or(AssayError::AmountOverflow)?;
        if lamports > 0 {
            let accounts = Transfer { from: self.payer, to: self.account.clone() };
            system_program::transfer(CpiContext::new(system_program::ID, accounts), lamports)?;
        }
        let accounts = Allocate { account_to_allocate: self.account.clone() };
        system_program::allocate(CpiContext::new_with_signer(system_program::ID, accounts, signers), space)?;
        let accounts = Assign { account_to_assign: self.account };
        system_program::assign(CpiContext::new_with_signer(system_program::ID, accounts, signers), &crate::ID)
    }
}
