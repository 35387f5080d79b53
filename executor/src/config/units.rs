//! Values with a unit: `"500ms"`, `"64MiB"`, addresses, digests.

use std::{fmt, str::FromStr, time::Duration};

use assay_runtime::Engine;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use solana_pubkey::Pubkey;

use crate::worker::Isolation;

/// A duration, written as a number and one of `ms`, `s`, `m`, `h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl Span {
    /// Seconds, rounded up.
    #[must_use]
    pub fn whole_s(self) -> i64 {
        i64::try_from(self.0.as_millis().div_ceil(1_000)).unwrap_or(i64::MAX)
    }
}

/// A size in bytes, written as a number and one of `B`, `KiB`, `MiB`, `GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

/// A base58 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub Pubkey);

/// A SHA-256 digest in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

/// `wasmi`, `wasmtime` or `auto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineName(pub Engine);

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    Some((number.parse().ok()?, unit))
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ms_per_unit = |unit: &str| match unit {
            "ms" => Some(1_u64),
            "s" => Some(1_000),
            "m" => Some(60_000),
            "h" => Some(3_600_000),
            _ => None,
        };
        split_unit(text)
            .and_then(|(number, unit)| number.checked_mul(ms_per_unit(unit)?))
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or_else(|| {
                format!("\"{text}\" is no duration; write a whole number and ms, s, m or h, such as \"30s\"")
            })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        match ms {
            _ if ms.is_multiple_of(3_600_000) && ms > 0 => write!(f, "{}h", ms / 3_600_000),
            _ if ms.is_multiple_of(60_000) && ms > 0 => write!(f, "{}m", ms / 60_000),
            _ if ms.is_multiple_of(1_000) => write!(f, "{}s", ms / 1_000),
            _ => write!(f, "{ms}ms"),
        }
    }
}

const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = |unit: &str| SIZE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, bytes)| *bytes);
        split_unit(text).and_then(|(number, unit)| number.checked_mul(bytes(unit)?)).map(Self).ok_or_else(|| {
            format!("\"{text}\" is no size; write a whole number and B, KiB, MiB or GiB, such as \"64MiB\"")
        })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, bytes) = SIZE_UNITS.iter().find(|(_, bytes)| self.0.is_multiple_of(*bytes)).unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / bytes)
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| format!("\"{text}\" is no address; write 32 bytes in base58"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map(|()| Self(bytes))
            .map_err(|_| format!("\"{text}\" is no digest; write 64 hexadecimal digits"))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for EngineName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(engine @ (Engine::Wasmi | Engine::Wasmtime | Engine::Auto)) => Ok(Self(engine)),
            Ok(Engine::Unlike(_)) => Err(format!("\"{text}\" is for who checks runs; write wasmi, wasmtime or auto")),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! as_text {
    ($($name:ident)+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+};
}

as_text!(Span Size Address Digest EngineName Isolation);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_printed_as_they_are_read() {
        for text in ["250ms", "0s", "30s", "5m", "2h", "90s"] {
            assert_eq!(text.parse::<Span>().expect("a span").to_string(), text);
        }
        for text in ["1B", "3KiB", "64MiB", "4GiB"] {
            assert_eq!(text.parse::<Size>().expect("a size").to_string(), text);
        }
        for text in ["wasmi", "wasmtime", "auto"] {
            assert_eq!(text.parse::<EngineName>().expect("an engine").to_string(), text);
        }
        for text in ["full", "required", "none"] {
            assert_eq!(text.parse::<Isolation>().expect("an isolation").to_string(), text);
        }
    }

    #[test]
    fn what_has_no_unit_or_no_number_says_what_to_write() {
        for text in ["", "5", "s", "-1s", "1.5s", "99999999999999999999s", "18446744073709551615h"] {
            assert!(text.parse::<Span>().expect_err(text).contains("such as"));
            assert!(text.replace('s', "MiB").parse::<Size>().is_err(), "{text}");
        }
        for engine in ["v8", "unlike:wasmi"] {
            assert!(engine.parse::<EngineName>().expect_err(engine).contains("wasmi, wasmtime or auto"));
        }
        assert!("xyz".parse::<Address>().is_err() && "00".parse::<Digest>().is_err());
    }
}
