//! no two accounts share an address, whatever keys, names and ids are chosen.

use std::collections::HashSet;

use assay_tests::{assay, party::address};
use proptest::{array::uniform32, prelude::*};

/// Few different bytes, so that keys and names are often equal.
fn key() -> impl Strategy<Value = [u8; 32]> {
    uniform32(0..2u8)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Seeds {
    Market([u8; 32], [u8; 32]),
    Provider([u8; 32], [u8; 32]),
    Job([u8; 32], [u8; 32], u64),
    Execution([u8; 32], [u8; 32]),
    Sink,
}

fn seeds() -> impl Strategy<Value = Seeds> {
    prop_oneof![
        (key(), key()).prop_map(|(creator, name)| Seeds::Market(creator, name)),
        (key(), key()).prop_map(|(market, authority)| Seeds::Provider(market, authority)),
        (key(), key(), any::<u64>()).prop_map(|(market, poster, id)| Seeds::Job(market, poster, id)),
        (key(), key()).prop_map(|(job, provider)| Seeds::Execution(job, provider)),
        Just(Seeds::Sink),
    ]
}

impl Seeds {
    fn parts(&self) -> Vec<Vec<u8>> {
        match self {
            Self::Market(creator, name) => vec![b"market".to_vec(), creator.to_vec(), name.to_vec()],
            Self::Provider(market, authority) => vec![b"provider".to_vec(), market.to_vec(), authority.to_vec()],
            Self::Job(market, poster, id) => {
                vec![b"job".to_vec(), market.to_vec(), poster.to_vec(), id.to_le_bytes().to_vec()]
            }
            Self::Execution(job, provider) => vec![b"execution".to_vec(), job.to_vec(), provider.to_vec()],
            Self::Sink => vec![b"sink".to_vec()],
        }
    }
}

proptest! {
    #[test]
    fn a_15_different_accounts_have_different_addresses(all in prop::collection::hash_set(seeds(), 2..24)) {
        let addresses: HashSet<_> = all
            .iter()
            .map(|seeds| {
                let parts = seeds.parts();
                address(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
            })
            .collect();
        prop_assert_eq!(addresses.len(), all.len());
    }
}

#[test]
fn a_15_the_preimages_of_different_types_differ_in_length() {
    // The runtime joins seeds without separators; equal lengths are what would let two types meet.
    let zero = [0; 32];
    let all = [
        Seeds::Market(zero, zero),
        Seeds::Provider(zero, zero),
        Seeds::Job(zero, zero, 0),
        Seeds::Execution(zero, zero),
        Seeds::Sink,
    ];
    let lengths: HashSet<usize> = all.iter().map(|seeds| seeds.parts().iter().map(Vec::len).sum()).collect();
    assert_eq!(lengths.len(), all.len(), "seeds of {} share a length", assay::ID);
}
