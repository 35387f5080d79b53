//! The program reads accounts by their places, clients by Borsh and the discriminators of the IDL: both must see the same.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests")]

use anchor_lang::{prelude::*, Discriminator};
use assay::state::{Challenge, Dispute, Execution, Job, Market, Module, Provider, Sink, Vote};
use solana_sha256_hasher::hash;

/// Pseudo-random bytes, each at most `most`, by splitmix64.
fn bytes(seed: u64, count: usize, most: u8) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)).to_le_bytes()[3]
    };
    (0..count).map(|_| if most == u8::MAX { next() } else { next() % (most + 1) }).collect()
}

/// Whether Borsh and the program say the same of an account with these fields.
fn agrees<T>(fields: &[u8]) -> bool
where
    T: AccountSerialize + AccountDeserialize + AnchorSerialize + AnchorDeserialize + Discriminator,
{
    let account = [T::DISCRIMINATOR, fields].concat();
    let borsh = T::try_from_slice(fields);
    let packed = T::try_deserialize(&mut account.as_slice());
    let (borsh, packed) = match (borsh, packed) {
        (Ok(borsh), Ok(packed)) => (borsh, packed),
        (borsh, packed) => return borsh.is_err() && packed.is_err(),
    };
    let mut written = Vec::new();
    packed.try_serialize(&mut written).expect("a vector takes all bytes");
    written == account && [&borsh, &packed].map(borsh_bytes) == [fields, fields]
}

fn borsh_bytes<T: AnchorSerialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.serialize(&mut bytes).expect("a vector takes all bytes");
    bytes
}

fn check<T>(name: &str)
where
    T: AccountSerialize + AccountDeserialize + AnchorSerialize + AnchorDeserialize + Discriminator + Space,
{
    assert_eq!(T::DISCRIMINATOR, &hash(format!("account:{name}").as_bytes()).to_bytes()[..8], "{name}");
    for seed in 0..200 {
        // Small bytes are codes of every enum, so that all fields are read; large ones are refused by both.
        assert!(agrees::<T>(&bytes(seed, T::INIT_SPACE, 3)), "{name}, small bytes of seed {seed}");
        assert!(agrees::<T>(&bytes(seed, T::INIT_SPACE, u8::MAX)), "{name}, bytes of seed {seed}");
    }
    let whole = [T::DISCRIMINATOR, &bytes(1, T::INIT_SPACE, 3)].concat();
    for len in 0..whole.len() {
        assert!(T::try_deserialize(&mut &whole[..len]).is_err(), "{name}, the first {len} bytes");
    }
    for bit in 0..64 {
        let mut other = whole.clone();
        other[bit / 8] ^= 1 << (bit % 8);
        assert!(T::try_deserialize(&mut other.as_slice()).is_err(), "{name}, another discriminator");
    }
    assert!(T::try_deserialize(&mut [whole.as_slice(), &[7]].concat().as_slice()).is_ok(), "{name}, a longer account");
}

#[test]
fn every_account_is_read_and_written_as_borsh_does() {
    check::<Challenge>("Challenge");
    check::<Dispute>("Dispute");
    check::<Execution>("Execution");
    check::<Job>("Job");
    check::<Market>("Market");
    check::<Module>("Module");
    check::<Provider>("Provider");
    check::<Sink>("Sink");
    check::<Vote>("Vote");
}
