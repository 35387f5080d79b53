//! How a row's bytes are written in the journal.

use serde::{Deserialize, Deserializer, Serializer};
use solana_pubkey::Pubkey;

use super::JobUid;

fn decode_array<'de, const N: usize, D: Deserializer<'de>>(text: &str) -> Result<[u8; N], D::Error> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(serde::de::Error::custom)?;
    Ok(bytes)
}

pub(super) mod hex_uid {
    use super::{Deserialize, Deserializer, JobUid, Serializer, decode_array};

    pub fn serialize<S: Serializer>(uid: &JobUid, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(uid)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<JobUid, D::Error> {
        let text = String::deserialize(deserializer)?;
        decode_array::<32, D>(&text).map(JobUid)
    }
}

pub(super) mod hex_option {
    use super::{Deserialize, Deserializer, Serializer, decode_array};

    pub fn serialize<S: Serializer, const N: usize>(bytes: &Option<[u8; N]>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_some(&hex::encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<Option<[u8; N]>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| decode_array::<N, D>(&text)).transpose()
    }
}

pub(super) mod hex_array {
    use super::{Deserializer, Serializer, decode_array};
    use serde::Deserialize as _;

    pub fn serialize<S: Serializer, const N: usize>(bytes: &[u8; N], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        decode_array::<N, D>(&text)
    }
}

pub(super) mod hex_bytes {
    use super::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map_err(serde::de::Error::custom)
    }
}

pub(super) mod base58 {
    use super::{Deserialize, Deserializer, Pubkey, Serializer};

    pub fn serialize<S: Serializer>(key: &Pubkey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(key)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pubkey, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| serde::de::Error::custom("not a base58 address"))
    }
}
