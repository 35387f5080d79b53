//! Searches the first SIZE kilobytes of a text with regular expressions: names, dialogue, numbers, repetitions.

use corpus_checksum::{Checksum, file_argument, size_argument};
use regex::bytes::{Regex, RegexBuilder};

const PATTERNS: [&str; 8] = [
    r"\b[A-Z][a-z]+(?: [A-Z][a-z]+)+\b",
    r"(?s)“[^\xE2]{20,200}",
    r"\b\d+(?:st|nd|rd|th)?\b",
    r"(?m)^CHAPTER (\d+)\. (.*)$",
    r"(?i)\b(?:white|sperm|right) whales?\b",
    r"\b(\w+)ing\b[^.]{0,30}\b(\w+)ly\b",
    r"[aeiou]{3,}\w*[^aeiou\s]{4,}",
    r"(?:Ahab|Starbuck|Queequeg|Ishmael|Stubb)[^.;]*\?",
];

/// ASCII alone: tables of all of Unicode would be most of the module.
fn regex(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).unicode(false).build().expect("the patterns are right")
}

fn main() {
    let size = size_argument();
    let file = file_argument();
    let text = &file[..file.len().min(size << 10)];
    let mut checksum = Checksum::new();
    for pattern in PATTERNS {
        let regex = regex(pattern);
        let mut found = 0;
        for captures in regex.captures_iter(text) {
            found += 1;
            for group in captures.iter().flatten() {
                checksum.mix_number(group.start() as u64);
                checksum.mix_number(group.len() as u64);
            }
        }
        println!("{found} {pattern}");
    }
    let swap = regex(r"(?P<first>\w+) (?P<second>and|or|of) (?P<third>\w+)");
    checksum.mix(&swap.replace_all(text, b"$third $second $first"));
    checksum.print("regex");
}
