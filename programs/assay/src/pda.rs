//! Finding, creating and funding accounts, cheaply.
//!
//! The runtime's `find_program_address` costs 1,500 compute units per candidate. Hashing a candidate and asking whether
//! it is a curve point gives the same canonical address for a quarter of that, so the worst case over many keys stays
//! inside the budget. Only instructions that create accounts come here; everything else trusts owner, discriminator
//! and `has_one`. Calls to the system program are encoded by hand, which is half the size of the general encoder.

use anchor_lang::{
    prelude::*,
    solana_program::{
        instruction::{AccountMeta, Instruction},
        program::invoke_signed,
        system_program,
    },
};
use solana_curve25519::edwards::{validate_edwards, PodEdwardsPoint};
use solana_sha256_hasher::hashv;

use crate::{
    errors::{err, require, AssayError},
    state::packed::{packed, Packed},
};

/// Seeds of an account without its bump: at most four; one that is not used is empty, which changes no address.
pub type Seeds<'a> = [&'a [u8]; 4];

/// Ends the preimage of a program-derived address.
const MARKER: &[u8; 21] = b"ProgramDerivedAddress";

/// What follows the seeds in that preimage: room for the bump, the program, the marker. One slice, since a hash costs by its slices.
const TAIL: [u8; 54] = {
    let mut tail = [0; 54];
    let (_, rest) = tail.split_at_mut(1);
    let (program, marker) = rest.split_at_mut(32);
    program.copy_from_slice(crate::ID.as_array());
    marker.copy_from_slice(MARKER);
    tail
};

/// Bytes that every account is charged for on top of its data.
const ACCOUNT_OVERHEAD_BYTES: u64 = 128;

/// Codes of the system program's instructions, u32 little-endian.
mod system_instruction {
    pub const CREATE_ACCOUNT: [u8; 4] = [0, 0, 0, 0];
    pub const ASSIGN: [u8; 4] = [1, 0, 0, 0];
    pub const TRANSFER: [u8; 4] = [2, 0, 0, 0];
    pub const ALLOCATE: [u8; 4] = [8, 0, 0, 0];
}

/// Data of the system program's instruction that nearly every account begins with.
struct CreateAccount {
    code: [u8; 4],
    lamports: u64,
    space: u64,
    owner: Pubkey,
}

packed!(CreateAccount { code, lamports, space, owner });

/// Its bytes.
const CREATE_ACCOUNT_BYTES: usize = 4 + 8 + 8 + 32;

/// The bump for which `address` is the canonical address of `seeds`: the highest one that is off the curve.
///
/// # Errors
/// [`AssayError::AddressMismatch`] when it is not.
pub fn canonical_bump(address: &Pubkey, seeds: &Seeds<'_>) -> Result<u8> {
    let [first, second, third, fourth] = seeds;
    let mut tail = TAIL;
    for bump in (0..=u8::MAX).rev() {
        let [place, ..] = &mut tail;
        *place = bump;
        let candidate = PodEdwardsPoint(hashv(&[first, second, third, fourth, &tail]).to_bytes());
        if validate_edwards(&candidate) {
            continue;
        }
        require!(candidate.0 == address.to_bytes(), AssayError::AddressMismatch);
        return Ok(bump);
    }
    err!(AssayError::AddressMismatch)
}

/// Rent of an account with this much data. The sysvar's factor is a float that is a whole number on every cluster;
/// reading it as an integer, rounded up, keeps floats out of the program.
///
/// # Errors
/// [`AssayError::AmountOverflow`] for a rent that leaves `u64`.
#[expect(deprecated, reason = "the helper that replaces these fields computes in floats")]
fn rent_lamports(size_bytes: u64) -> Result<u64> {
    const MANTISSA_BITS: u64 = 52;
    const EXPONENT_BIAS: u64 = 1_023;
    let rent = Rent::get()?;
    let bits = rent.exemption_threshold.to_bits();
    let factor = match (bits >> MANTISSA_BITS).checked_sub(EXPONENT_BIAS) {
        None => 1,
        Some(exponent) if exponent <= MANTISSA_BITS => {
            let mantissa = (bits & ((1 << MANTISSA_BITS) - 1)) | (1 << MANTISSA_BITS);
            let unit = 1_u64 << MANTISSA_BITS.saturating_sub(exponent);
            mantissa.div_ceil(unit)
        }
        Some(_) => return err!(AssayError::AmountOverflow),
    };
    let bytes = size_bytes.checked_add(ACCOUNT_OVERHEAD_BYTES).ok_or(AssayError::AmountOverflow)?;
    let yearly = bytes.checked_mul(rent.lamports_per_byte_year).ok_or(AssayError::AmountOverflow)?;
    Ok(yearly.checked_mul(factor).ok_or(AssayError::AmountOverflow)?)
}

/// What was created.
pub struct Created {
    /// The canonical bump.
    pub bump: u8,
    /// The account's rent.
    pub rent_lamports: u64,
}

/// What to create and where.
pub struct NewAccount<'a, 'info> {
    /// Pays rent and deposit; a signer.
    pub payer: &'a AccountInfo<'info>,
    /// The address to fill. The caller has checked that the system program owns it.
    pub account: &'a AccountInfo<'info>,
    /// Its seeds without the bump.
    pub seeds: &'a Seeds<'a>,
    /// Discriminator included.
    pub size_bytes: usize,
    /// Paid in on top of the rent, whatever the address held before.
    pub deposit_lamports: u64,
}

impl NewAccount<'_, '_> {
    /// Creates the account, owned by this program and filled with zeros. Lamports that were sent to the address before
    /// pay its rent and otherwise stay as a donation (A-20, P-21), so that I-01 holds: rent and deposit are there.
    ///
    /// # Errors
    /// [`AssayError::AddressMismatch`] for another address than the canonical one, [`AssayError::AmountOverflow`], and
    /// what the system program refuses.
    pub fn create(&self) -> Result<Created> {
        let bump = canonical_bump(self.account.key, self.seeds)?;
        let space = u64::try_from(self.size_bytes).map_err(|_| AssayError::AmountOverflow)?;
        let rent_lamports = rent_lamports(space)?;
        let held_lamports = self.account.lamports();
        let missing_lamports = rent_lamports.saturating_sub(held_lamports);
        let lamports = missing_lamports.checked_add(self.deposit_lamports).ok_or(AssayError::AmountOverflow)?;
        if held_lamports == 0 {
            let code = system_instruction::CREATE_ACCOUNT;
            let create = CreateAccount { code, lamports, space, owner: crate::ID };
            let mut data = vec![0; CREATE_ACCOUNT_BYTES];
            create.write(&mut data.as_mut_slice()).ok_or(AssayError::AmountOverflow)?;
            self.invoke(data, true, bump)?;
        } else {
            transfer(self.payer, self.account, lamports)?;
            let allocate = [system_instruction::ALLOCATE.as_slice(), &space.to_le_bytes()].concat();
            self.invoke(allocate, false, bump)?;
            let assign = [system_instruction::ASSIGN.as_slice(), crate::ID.as_ref()].concat();
            self.invoke(assign, false, bump)?;
        }
        Ok(Created { bump, rent_lamports })
    }

    /// Calls the system program with the new address as signer, and the payer when it pays.
    fn invoke(&self, data: Vec<u8>, payer_pays: bool, bump: u8) -> Result<()> {
        let [first, second, third, fourth] = self.seeds;
        let account = AccountMeta::new(*self.account.key, true);
        let accounts = if payer_pays { vec![AccountMeta::new(*self.payer.key, true), account] } else { vec![account] };
        let instruction = Instruction { program_id: system_program::ID, accounts, data };
        let infos = [self.payer.clone(), self.account.clone()];
        Ok(invoke_signed(&instruction, &infos, &[&[first, second, third, fourth, &[bump]]])?)
    }
}

/// Moves lamports from a signer's wallet; nothing happens for zero.
///
/// # Errors
/// What the system program refuses, such as a balance that is too small.
pub fn transfer<'info>(from: &AccountInfo<'info>, to: &AccountInfo<'info>, lamports: u64) -> Result<()> {
    if lamports == 0 {
        return Ok(());
    }
    let instruction = Instruction {
        program_id: system_program::ID,
        accounts: vec![AccountMeta::new(*from.key, true), AccountMeta::new(*to.key, false)],
        data: [system_instruction::TRANSFER.as_slice(), &lamports.to_le_bytes()].concat(),
    };
    Ok(invoke_signed(&instruction, &[from.clone(), to.clone()], &[])?)
}

/// Writes a new account's discriminator and fields.
///
/// # Errors
/// Anchor's, when the account is too small for them.
pub fn write_new<T: AccountSerialize>(account: &AccountInfo<'_>, value: &T) -> Result<()> {
    value.try_serialize(&mut account.try_borrow_mut_data()?.as_mut())
}
