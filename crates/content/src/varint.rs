//! Unsigned LEB128, as protobuf and CAR use it.

/// Longest encoding that is read: 64 bits.
const BYTES_MAX: usize = 10;

/// What reading a varint gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Varint {
    /// A value and how many bytes it took.
    Value(u64, usize),
    /// The input ended inside it.
    Incomplete,
    /// More than 64 bits, or padded with zero groups: two spellings of one number are never accepted.
    Invalid,
}

/// Reads a varint from the beginning of `input`.
pub(crate) fn read(input: &[u8]) -> Varint {
    let mut value = 0_u64;
    for (at, byte) in input.iter().take(BYTES_MAX).enumerate() {
        let group = u64::from(byte & 0x7f);
        // The tenth byte holds the topmost bit only.
        if at + 1 == BYTES_MAX && *byte > 1 {
            return Varint::Invalid;
        }
        value |= group << (7 * at);
        if byte & 0x80 == 0 {
            return if *byte == 0 && at > 0 { Varint::Invalid } else { Varint::Value(value, at + 1) };
        }
    }
    if input.len() < BYTES_MAX { Varint::Incomplete } else { Varint::Invalid }
}

/// Appends a varint.
pub(crate) fn write(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let group = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            out.push(group);
            return;
        }
        out.push(group | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_round_trip() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            write(&mut out, value);
            assert_eq!(read(&out), Varint::Value(value, out.len()));
            assert_eq!(read(&out[..out.len() - 1]), Varint::Incomplete);
        }
    }

    #[test]
    fn a_padded_or_oversized_varint_is_refused() {
        assert_eq!(read(&[0x80, 0x00]), Varint::Invalid);
        assert_eq!(read(&[0xff; 10]), Varint::Invalid);
        assert_eq!(read(&[0xff; 11]), Varint::Invalid);
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]), Varint::Invalid);
    }
}
