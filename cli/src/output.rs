//! How results are shown: one JSON object for machines, short text for people.

use std::io::IsTerminal;

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;

const LAMPORTS_PER_SOL: u64 = 1_000_000_000;

/// Who reads the output, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// One JSON object on stdout, nothing else there.
    pub json: bool,
    /// No progress and no remarks.
    pub quiet: bool,
}

impl Output {
    /// A remark on stderr: neither result nor error.
    pub fn note(&self, text: impl AsRef<str>) {
        if !self.quiet && !self.json {
            eprintln!("{}", text.as_ref());
        }
    }

    /// The result: `value` as one line of JSON, or what `human` prints.
    pub fn result<T: Serialize>(&self, value: &T, human: impl FnOnce()) {
        if self.json {
            println!("{}", serde_json::to_string(value).unwrap_or_default());
        } else {
            human();
        }
    }

    /// Whether a progress bar may move on stderr.
    pub fn is_live(&self) -> bool {
        !self.quiet && !self.json && std::io::stderr().is_terminal()
    }
}

/// An empty table with these headings.
pub fn table<const N: usize>(headings: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(headings);
    table
}

/// `1.5 SOL`; sums under a thousandth of a SOL in lamports.
pub fn lamports(amount: u64) -> String {
    if amount != 0 && amount < LAMPORTS_PER_SOL / 1_000 {
        return format!("{} lamports", grouped(amount));
    }
    let (whole, fraction) = (amount / LAMPORTS_PER_SOL, amount % LAMPORTS_PER_SOL);
    let fraction = format!("{fraction:09}");
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{} SOL", grouped(whole)) } else { format!("{}.{fraction} SOL", grouped(whole)) }
}

/// `1.5` or `1.5sol` in SOL, `20000lamports` in lamports.
///
/// # Errors
/// A text that says what was expected.
pub fn parse_lamports(text: &str) -> Result<u64, String> {
    let expected = || format!("{text:?} is no amount; write 1.5, 1.5sol or 20000lamports");
    let lower = text.trim().to_ascii_lowercase();
    if let Some(number) = lower.strip_suffix("lamports") {
        return number.trim().replace('_', "").parse().map_err(|_| expected());
    }
    let number = lower.strip_suffix("sol").unwrap_or(&lower).trim();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 9 || !is_digits(whole) || !is_digits(fraction) {
        return Err(expected());
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| expected())? };
    let fraction: u64 = format!("{fraction:0<9}").parse().map_err(|_| expected())?;
    whole.checked_mul(LAMPORTS_PER_SOL).and_then(|sum| sum.checked_add(fraction)).ok_or_else(expected)
}

/// `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `12 s`, `3 min`, `2 h`, `5 d`.
pub fn duration(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// Bytes that a stranger wrote, made harmless for a terminal; lines and tabs stay.
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn amounts_read_back_as_they_are_shown() {
        for amount in [0, 1, 999_999, 1_000_000, 1_500_000_000, 12_345_678_901_234_567] {
            let shown = lamports(amount).replace([',', ' '], "");
            assert_eq!(parse_lamports(&shown), Ok(amount), "{shown}");
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", ".", "-1", "1.0000000001", "1,5", "sol", "1e9", "99999999999999999999"] {
            assert!(parse_lamports(text).unwrap_err().contains("is no amount"), "{text}");
        }
    }

    #[test]
    fn escape_sequences_never_reach_a_terminal() {
        assert_eq!(printable(b"a\x1b[2Jb\tc\n"), "a\\u{1b}[2Jb\tc\n");
    }

    #[test]
    fn numbers_are_grouped_from_the_right() {
        assert_eq!((grouped(7), grouped(1_234), grouped(123_456)), ("7".into(), "1,234".into(), "123,456".into()));
    }
}
