//! What a run wrote against what is expected, file by file, readable.

use std::collections::BTreeMap;

use assay_content::{Entry, EntryKind};
use assay_sdk::verify::{OUTPUT_DIRECTORY_NAME, STDERR_FILE_NAME, STDOUT_FILE_NAME};
use serde::Serialize;
use similar::TextDiff;

use crate::output::grouped;

/// Most differing files that are listed.
pub const DIFFERENCES_MAX: usize = 50;
/// Most lines of one file's difference.
const LINES_MAX: usize = 40;
/// Largest file whose lines are compared, bytes; of others only the first differing byte is named.
const COMPARED_BYTES_MAX: usize = 256 << 10;

/// One file that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Its path in the result directory.
    pub path: String,
    /// What is different.
    pub what: String,
    /// The lines, as `diff -u` shows them; empty where there is nothing to show.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub lines: String,
}

type Files<'a> = BTreeMap<String, &'a [u8]>;

/// Compares a result directory with the expected one. What is expected may be a whole result directory (`stdout.txt`,
/// `stderr.txt`, `output/`, of which only what is there counts), or the output directory alone.
pub fn differences(expected: &[Entry], found: &[Entry]) -> Vec<Difference> {
    let parts = [STDOUT_FILE_NAME, STDERR_FILE_NAME, OUTPUT_DIRECTORY_NAME];
    let is_result = expected.iter().any(|entry| parts.contains(&entry.path.as_str()));
    let prefix = if is_result { String::new() } else { format!("{OUTPUT_DIRECTORY_NAME}/") };
    let has_output = !is_result || expected.iter().any(|entry| entry.path == OUTPUT_DIRECTORY_NAME);
    let expected = files(expected, &prefix);
    let found = files(found, "");
    let mut differences: Vec<Difference> =
        expected.iter().filter_map(|(path, bytes)| file(path, bytes, &found)).collect();
    let unexpected = found.keys().filter(|path| path.starts_with("output/") && !expected.contains_key(*path));
    if has_output {
        differences.extend(unexpected.map(|path| Difference {
            path: path.clone(),
            what: "was written and is not expected".to_owned(),
            lines: String::new(),
        }));
    }
    differences
}

fn files<'a>(entries: &'a [Entry], prefix: &str) -> Files<'a> {
    let file = |entry: &'a Entry| match &entry.kind {
        EntryKind::File(bytes) => Some((format!("{prefix}{}", entry.path), bytes.as_ref())),
        EntryKind::Directory => None,
    };
    entries.iter().filter_map(file).collect()
}

fn file(path: &str, expected: &[u8], found: &Files<'_>) -> Option<Difference> {
    let difference = |what: String, lines: String| Some(Difference { path: path.to_owned(), what, lines });
    let Some(found) = found.get(path).copied() else {
        return difference("is expected and was not written".to_owned(), String::new());
    };
    if found == expected {
        return None;
    }
    let small = expected.len().max(found.len()) <= COMPARED_BYTES_MAX;
    if let (true, Ok(expected), Ok(found)) = (small, str::from_utf8(expected), str::from_utf8(found)) {
        return difference("differs (- expected, + found)".to_owned(), lines(expected, found));
    }
    let at = expected.iter().zip(found).take_while(|(one, other)| one == other).count();
    let length = |bytes: &[u8]| grouped(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    difference(
        format!("differs from byte {at} on: {} bytes expected, {} found", length(expected), length(found)),
        String::new(),
    )
}

fn lines(expected: &str, found: &str) -> String {
    let diff = TextDiff::configure().timeout(std::time::Duration::from_secs(1)).diff_lines(expected, found);
    let text = diff.unified_diff().context_radius(2).to_string();
    let mut shown: Vec<&str> = text.lines().take(LINES_MAX).collect();
    if text.lines().count() > LINES_MAX {
        shown.push("…");
    }
    shown.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result() -> Vec<Entry> {
        vec![
            Entry::directory("output"),
            Entry::file("output/a.txt", "one\ntwo\n"),
            Entry::file("output/b.bin", vec![0, 159, 1]),
            Entry::file("stderr.txt", "warning\n"),
            Entry::file("stdout.txt", "done\n"),
        ]
    }

    #[test]
    fn what_is_expected_in_part_is_compared_in_part() {
        assert_eq!(differences(&result(), &result()), []);
        assert_eq!(differences(&[Entry::file("stdout.txt", "done\n")], &result()), []);
        let output = [Entry::file("a.txt", "one\ntwo\n"), Entry::file("b.bin", vec![0, 159, 1])];
        assert_eq!(differences(&output, &result()), []);
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let expected = [
            Entry::directory("output"),
            Entry::file("output/a.txt", "one\n2\n"),
            Entry::file("output/c.txt", "three"),
            Entry::file("stdout.txt", vec![0xff]),
        ];
        let found = differences(&expected, &result());
        let told: Vec<_> =
            found.iter().map(|difference| (difference.path.as_str(), difference.what.as_str())).collect();
        assert_eq!(
            told,
            [
                ("output/a.txt", "differs (- expected, + found)"),
                ("output/c.txt", "is expected and was not written"),
                ("stdout.txt", "differs from byte 0 on: 1 bytes expected, 5 found"),
                ("output/b.bin", "was written and is not expected"),
            ]
        );
        assert!(found.first().is_some_and(|first| first.lines.contains("-2\n+two")), "{found:?}");
    }
}
