//! Values of arguments and flags. What is none is answered with what is expected, and an example.

use assay_protocol::limits::{
    BASE_FEE_LAMPORTS_MAX, GAS_LIMIT_MAX, MEMORY_BYTES_MAX, OUTPUT_BYTES_MAX, PRICE_MAX, REDUNDANCY_MAX,
    STACK_BYTES_MAX, STACK_BYTES_MIN, WASM_PAGE_BYTES,
};
use solana_pubkey::Pubkey;

use crate::output::{grouped, lamports, parse_lamports};

/// Longest base58 of 32 bytes.
const ADDRESS_CHARACTERS_MAX: usize = 44;

/// An address of an account.
///
/// # Errors
/// What the text looks like instead, what is expected, an example.
pub fn address(text: &str) -> Result<Pubkey, String> {
    text.parse().map_err(|_| {
        format!(
            "{}; an address is 32 to 44 characters of base58, such as 4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T; \
             `assay job list` shows those of jobs, `assay market list` those of markets",
            not_an_address(text)
        )
    })
}

fn not_an_address(text: &str) -> String {
    let is_cid = text.starts_with("baf") || (text.starts_with("Qm") && text.len() == 46);
    if is_cid {
        return "this is a CID, which names files and not an account".to_owned();
    }
    if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return "this is a hash in hexadecimal, not an address".to_owned();
    }
    if bs58::decode(text).into_vec().is_ok_and(|bytes| bytes.len() == 64) {
        return "this is the signature of a transaction, not an address".to_owned();
    }
    let is_base58 = |character: char| character.is_ascii_alphanumeric() && !matches!(character, '0' | 'O' | 'I' | 'l');
    match text.chars().find(|character| !is_base58(*character)) {
        Some(character) => format!("base58 has no {character:?}"),
        None if text.len() > ADDRESS_CHARACTERS_MAX => format!("{} characters are too many", text.len()),
        None => format!("{} characters are not the 32 bytes of an address", text.len()),
    }
}

/// Most gas.
///
/// # Errors
/// What is expected.
pub fn gas_limit(text: &str) -> Result<u64, String> {
    whole(text, (1, GAS_LIMIT_MAX), "2000000000")
}

/// Seats of a job.
///
/// # Errors
/// What is expected.
pub fn seats(text: &str) -> Result<u8, String> {
    let seats = whole(text, (1, u64::from(REDUNDANCY_MAX)), "3")?;
    Ok(u8::try_from(seats).unwrap_or(REDUNDANCY_MAX))
}

/// Lamports per 10^12 gas.
///
/// # Errors
/// What is expected.
pub fn price(text: &str) -> Result<u64, String> {
    whole(text, (1, PRICE_MAX), "1000000")
}

/// Most linear memory in bytes.
///
/// # Errors
/// What is expected.
pub fn memory(text: &str) -> Result<u64, String> {
    whole(text, (WASM_PAGE_BYTES, MEMORY_BYTES_MAX), "67108864").and_then(|bytes| {
        if bytes.is_multiple_of(WASM_PAGE_BYTES) {
            return Ok(bytes);
        }
        let below = bytes / WASM_PAGE_BYTES * WASM_PAGE_BYTES;
        let above = below.saturating_add(WASM_PAGE_BYTES);
        Err(format!("give a multiple of {}, the size of a page: {below} or {above}", grouped(WASM_PAGE_BYTES)))
    })
}

/// Most stack in bytes.
///
/// # Errors
/// What is expected.
pub fn stack(text: &str) -> Result<u64, String> {
    whole(text, (STACK_BYTES_MIN, STACK_BYTES_MAX), "1048576")
}

/// Most bytes that a job may write.
///
/// # Errors
/// What is expected.
pub fn output_bytes(text: &str) -> Result<u64, String> {
    whole(text, (1, OUTPUT_BYTES_MAX), "1048576")
}

/// Seconds to wait, at least one.
///
/// # Errors
/// What is expected.
pub fn seconds(text: &str) -> Result<u32, String> {
    whole(text, (1, u64::from(u32::MAX)), "60").map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// Seconds of a window, perhaps none.
///
/// # Errors
/// What is expected.
pub fn window(text: &str) -> Result<u32, String> {
    whole(text, (0, u64::from(u32::MAX)), "60").map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX))
}

/// Any number of 64 bits: a seed, an id.
///
/// # Errors
/// What is expected.
pub fn number(text: &str) -> Result<u64, String> {
    whole(text, (0, u64::MAX), "7")
}

/// An amount that moves something.
///
/// # Errors
/// What is expected.
pub fn some_lamports(text: &str) -> Result<u64, String> {
    match parse_lamports(text)? {
        0 => Err("the amount must be above zero; write 1.5, 1.5sol or 20000lamports".to_owned()),
        amount => Ok(amount),
    }
}

/// A base fee.
///
/// # Errors
/// What is expected.
pub fn base_fee(text: &str) -> Result<u64, String> {
    match parse_lamports(text)? {
        fee if fee > BASE_FEE_LAMPORTS_MAX => Err(format!("at most {} are allowed", lamports(BASE_FEE_LAMPORTS_MAX))),
        fee => Ok(fee),
    }
}

/// A whole number; digits may be grouped by `_`.
fn whole(text: &str, (least, most): (u64, u64), example: &str) -> Result<u64, String> {
    let expected = || format!("give a whole number from {} to {}, such as {example}", grouped(least), grouped(most));
    let digits = text.replace('_', "");
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse().ok().filter(|number| is_number && (least..=most).contains(number));
    number.ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_no_address_is_told_apart() {
        let signature = bs58::encode([7; 64]).into_string();
        for (text, named) in [
            ("bafybeiak6p7b4zdcnglkkfnnhxqr35fi4d7z3dcinvprvzph2xbjoyzwm4", "this is a CID"),
            ("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG", "this is a CID"),
            ("b690ad34e885a41d9099bbfbdff6c74d863f784956a861ccd1b5bd9b9b310a14", "hexadecimal"),
            (signature.as_str(), "signature"),
            ("abc", "3 characters"),
            ("", "0 characters"),
            ("JBvkEVBwW6say36sYqpwx4tB6Q1UDk81RboUDAQSwtT0", "no '0'"),
            ("a\u{202e}b", "\\u{202e}"),
        ] {
            let problem = address(text).unwrap_err();
            assert!(problem.contains(named) && problem.contains("such as 4Nd1"), "{text}: {problem}");
        }
        assert!(address("4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T").is_ok());
    }

    #[test]
    fn numbers_outside_their_range_are_refused_with_the_range() {
        assert_eq!(gas_limit("2_000_000_000"), Ok(2_000_000_000));
        for text in ["0", "-1", "+1", "", "_", "1e9", "1.5", "1000000000000001", "99999999999999999999"] {
            assert!(gas_limit(text).unwrap_err().contains("1 to 1,000,000,000,000,000"), "{text}");
        }
        assert_eq!(memory("65536"), Ok(65_536));
        assert!(memory("0").unwrap_err().contains("65,536 to 1,073,741,824"));
        assert_eq!(memory("70000").unwrap_err(), "give a multiple of 65,536, the size of a page: 65536 or 131072");
        assert!(seconds("0").unwrap_err().contains("1 to"));
        assert!(price("0").unwrap_err().contains("1 to"));
        assert!(base_fee("100000sol").unwrap_err().contains("1,000 SOL"));
        assert_eq!(number("18446744073709551615"), Ok(u64::MAX));
    }
}
