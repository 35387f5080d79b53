//! How an account lies in its bytes: fields of fixed width, one after another, integers little-endian.
//!
//! Clients read the same bytes by Borsh. Borsh takes every field through a reader of its own that may fail, at some 50 compute units
//! each way; here every place is known when the program is built, so that a field is one load or store.

use anchor_lang::prelude::*;
use assay_protocol::{Draw, DrawState, MarketTerms, Tally, TaskLimits, TrustVector, Verdict, TALLY_BYTES};

/// What lies in an account as a fixed number of bytes.
pub trait Packed: Sized {
    /// What bytes of zeros say.
    const ZERO: Self;

    /// Takes it from the front of the bytes; nothing when there are too few, or no version of the program wrote them.
    fn read(bytes: &mut &[u8]) -> Option<Self>;

    /// Puts it to the front of the bytes; nothing when there are too few.
    fn write(&self, bytes: &mut &mut [u8]) -> Option<()>;
}

#[inline(always)]
fn take<const BYTES: usize>(bytes: &mut &[u8]) -> Option<[u8; BYTES]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

#[inline(always)]
fn put<const BYTES: usize>(bytes: &mut &mut [u8], value: &[u8; BYTES]) -> Option<()> {
    let (place, rest) = core::mem::take(bytes).split_first_chunk_mut()?;
    *place = *value;
    *bytes = rest;
    Some(())
}

macro_rules! packed_integers {
    ($($integer:ident),+) => {$(
        impl Packed for $integer {
            const ZERO: Self = 0;

            #[inline(always)]
            fn read(bytes: &mut &[u8]) -> Option<Self> {
                take(bytes).map(Self::from_le_bytes)
            }

            #[inline(always)]
            fn write(&self, bytes: &mut &mut [u8]) -> Option<()> {
                put(bytes, &self.to_le_bytes())
            }
        }
    )+};
}

packed_integers!(u8, u16, u32, u64, i64);

impl<const BYTES: usize> Packed for [u8; BYTES] {
    const ZERO: Self = [0; BYTES];

    #[inline(always)]
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes)
    }

    #[inline(always)]
    fn write(&self, bytes: &mut &mut [u8]) -> Option<()> {
        put(bytes, self)
    }
}

impl Packed for Pubkey {
    const ZERO: Self = Self::new_from_array([0; 32]);

    #[inline(always)]
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Self::new_from_array)
    }

    #[inline(always)]
    fn write(&self, bytes: &mut &mut [u8]) -> Option<()> {
        put(bytes, self.as_array())
    }
}

/// Arrays of what is not a byte, item by item.
macro_rules! packed_arrays {
    ($($item:ident),+) => {$(
        impl<const ITEMS: usize> Packed for [$item; ITEMS] {
            const ZERO: Self = [$item::ZERO; ITEMS];

            #[inline(always)]
            fn read(bytes: &mut &[u8]) -> Option<Self> {
                let mut items = Self::ZERO;
                for item in &mut items {
                    *item = $item::read(bytes)?;
                }
                Some(items)
            }

            #[inline(always)]
            fn write(&self, bytes: &mut &mut [u8]) -> Option<()> {
                self.iter().try_for_each(|item| item.write(bytes))
            }
        }
    )+};
}

packed_arrays!(u64, Pubkey);

/// Enums of one byte, by order.
macro_rules! packed_enum {
    ($type:ident { $first:ident, $($other:ident),+ }) => {
        impl Packed for $type {
            const ZERO: Self = Self::$first;

            #[inline(always)]
            fn read(bytes: &mut &[u8]) -> Option<Self> {
                let code = u8::read(bytes)?;
                [Self::$first, $(Self::$other),+].into_iter().find(|state| *state as u8 == code)
            }

            #[inline(always)]
            fn write(&self, bytes: &mut &mut [u8]) -> Option<()> {
                (*self as u8).write(bytes)
            }
        }
    };
}

packed_enum!(DrawState { None, Armed, Recorded, Everybody });
packed_enum!(Verdict { None, Outcome, Unavailable, NoQuorum });

/// Structs, by the order of their fields.
macro_rules! packed {
    ($type:ident { $($field:ident),+ $(,)? }) => {
        impl $crate::state::packed::Packed for $type {
            const ZERO: Self = Self { $($field: $crate::state::packed::Packed::ZERO),+ };

            #[inline(always)]
            fn read(bytes: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: $crate::state::packed::Packed::read(bytes)?),+ })
            }

            #[inline(always)]
            fn write(&self, bytes: &mut &mut [u8]) -> Option<()> {
                let Self { $($field),+ } = self;
                $($crate::state::packed::Packed::write($field, bytes)?;)+
                Some(())
            }
        }
    };
}

packed!(Draw { seed_slot, fixed_unix, seed, rearmed, state });
packed!(TaskLimits { gas_limit, memory_bytes, stack_bytes, output_bytes, stdio_bytes });
packed!(TrustVector {
    completed,
    failed,
    missed,
    declined,
    disputes_won,
    disputes_lost,
    consecutive_valid,
    latency_ms_avg,
    confirmed,
    confirmed_fee_lamports,
});
packed!(MarketTerms {
    fee_bps,
    stake_min_lamports,
    bond_min_lamports,
    bond_rate_bps,
    miss_rate_bps,
    delay_fee_lamports,
    decline_fee_lamports,
    attempts_max,
    queue_timeout_s,
    execution_base_s,
    challenge_base_s,
    job_total_s,
    unbonding_s,
    verify_rate_gas_per_s,
    gas_limit_max,
    profiles,
    quorum_bps,
    executions_max,
    ticket_lamports,
    widen_s,
    reveal_s,
    jury_lambda,
    jury_quorum_bps,
    juror_bond_lamports,
    duty_rate_bps,
    audit_one_in_min,
    audit_one_in_max,
    jail_s,
});

impl Packed for Tally {
    const ZERO: Self = Self::from_bytes([0; TALLY_BYTES]);

    #[inline(always)]
    fn read(bytes: &mut &[u8]) -> Option<Self> {
        take(bytes).map(Self::from_bytes)
    }

    #[inline(always)]
    fn write(&self, bytes: &mut &mut [u8]) -> Option<()> {
        put(bytes, self.bytes())
    }
}

/// An account of this program: its discriminator, the first 8 bytes of `SHA-256("account:" ‖ name)`, then its fields in order.
macro_rules! account {
    ($type:ident, $discriminator:expr, { $($field:ident),+ $(,)? }) => {
        $crate::state::packed::packed!($type { $($field),+ });

        impl $type {
            /// All fields as they are before anything happened: zero.
            pub const EMPTY: Self = $crate::state::packed::Packed::ZERO;

            /// Bytes of the account, discriminator included.
            pub const SIZE_BYTES: usize = 8 + <Self as anchor_lang::Space>::INIT_SPACE;

            /// Kept apart, so that its bytes are on the stack once.
            #[inline(never)]
            fn pack(&self, bytes: &mut [u8; Self::SIZE_BYTES]) -> Option<()> {
                let mut rest = bytes.as_mut_slice();
                let discriminator: [u8; 8] = $discriminator;
                $crate::state::packed::Packed::write(&discriminator, &mut rest)?;
                $crate::state::packed::Packed::write(self, &mut rest)
            }
        }

        impl anchor_lang::Discriminator for $type {
            const DISCRIMINATOR: &'static [u8] = &$discriminator;
        }

        impl anchor_lang::Owner for $type {
            fn owner() -> Pubkey {
                $crate::ID
            }
        }

        impl anchor_lang::AccountDeserialize for $type {
            fn try_deserialize(bytes: &mut &[u8]) -> Result<Self> {
                $crate::state::packed::check_discriminator(bytes, &$discriminator, stringify!($type))?;
                Self::try_deserialize_unchecked(bytes)
            }

            fn try_deserialize_unchecked(bytes: &mut &[u8]) -> Result<Self> {
                let fields: Option<&[u8; Self::SIZE_BYTES]> = bytes.first_chunk();
                let read = fields.and_then(|fields| $crate::state::packed::Packed::read(&mut fields.get(8..)?));
                Ok(read.ok_or(anchor_lang::error::ErrorCode::AccountDidNotDeserialize)?)
            }
        }

        impl anchor_lang::AccountSerialize for $type {
            fn try_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<()> {
                let mut bytes = [0; Self::SIZE_BYTES];
                let packed = self.pack(&mut bytes).and_then(|()| writer.write_all(&bytes).ok());
                Ok(packed.ok_or(anchor_lang::error::ErrorCode::AccountDidNotSerialize)?)
            }
        }
    };
}

/// Refuses bytes that are not of the kind of account of this name, by Anchor's errors.
///
/// # Errors
/// Anchor's, for bytes too short and for another account.
pub fn check_discriminator(bytes: &[u8], discriminator: &[u8; 8], name: &str) -> Result<()> {
    use anchor_lang::error::ErrorCode::{AccountDiscriminatorMismatch, AccountDiscriminatorNotFound};

    let given: &[u8; 8] = bytes.first_chunk().ok_or(AccountDiscriminatorNotFound)?;
    if given != discriminator {
        return Err(Error::from(AccountDiscriminatorMismatch).with_account_name(name));
    }
    Ok(())
}

pub(crate) use {account, packed};
