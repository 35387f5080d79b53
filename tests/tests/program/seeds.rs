//! no two accounts share an address, whatever keys, names and ids are chosen.

use std::collections::HashSet;

use assay_tests::party::address;
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
    Dispute([u8; 32], u8),
    Challenge([u8; 32], [u8; 32]),
    Vote([u8; 32], u8, [u8; 32]),
    Sink,
}

fn seeds() -> impl Strategy<Value = Seeds> {
    prop_oneof![
        (key(), key()).prop_map(|(creator, name)| Seeds::Market(creator, name)),
        (key(), key()).prop_map(|(market, authority)| Seeds::Provider(market, authority)),
        (key(), key(), any::<u64>()).prop_map(|(market, poster, id)| Seeds::Job(market, poster, id)),
        (key(), key()).prop_map(|(job, provider)| Seeds::Execution(job, provider)),
        (key(), any::<u8>()).prop_map(|(job, index)| Seeds::Dispute(job, index)),
        (key(), key()).prop_map(|(dispute, challenger)| Seeds::Challenge(dispute, challenger)),
        (key(), any::<u8>(), key()).prop_map(|(dispute, round, juror)| Seeds::Vote(dispute, round, juror)),
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
            Self::Dispute(job, index) => vec![b"dispute".to_vec(), job.to_vec(), vec![*index]],
            Self::Challenge(dispute, challenger) => {
                vec![b"challenge".to_vec(), dispute.to_vec(), challenger.to_vec()]
            }
            Self::Vote(dispute, round, juror) => {
                vec![b"vote".to_vec(), dispute.to_vec(), vec![*round], juror.to_vec()]
            }
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
fn a_15_no_preimage_of_one_type_begins_as_one_of_another() {
    // The runtime joins seeds without separators; names of which none begins with another keep the types apart.
    let zero = [0; 32];
    let all = [
        Seeds::Market(zero, zero),
        Seeds::Provider(zero, zero),
        Seeds::Job(zero, zero, 0),
        Seeds::Execution(zero, zero),
        Seeds::Dispute(zero, 0),
        Seeds::Challenge(zero, zero),
        Seeds::Vote(zero, 0, zero),
        Seeds::Sink,
    ];
    let names: Vec<Vec<u8>> = all.iter().map(|seeds| seeds.parts().remove(0)).collect();
    for (index, name) in names.iter().enumerate() {
        let others = names.iter().enumerate().filter(|(other, _)| *other != index);
        assert!(others.clone().all(|(_, other)| !other.starts_with(name)), "{index}");
    }
    // And inside a type all seeds have one width.
    let ones = [1; 32];
    let widths = |seeds: Seeds| seeds.parts().iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(widths(Seeds::Vote(zero, 0, zero)), widths(Seeds::Vote(ones, u8::MAX, ones)));
    assert_eq!(widths(Seeds::Dispute(zero, 0)), widths(Seeds::Dispute(ones, u8::MAX)));
}
