//! Counts lines, words, characters and bytes of a text, and how often each word occurs.
//!
//! `word-count INPUT.txt OUTPUT_DIR` writes `counts.json` (totals and the fifty most frequent words) and `words.tsv`
//! (every word, most frequent first, then by name), and prints the totals as `wc` does. A word is a run of letters,
//! with apostrophes inside it, in lower case.

use std::{
    collections::HashMap,
    env, fs,
    io::{self, BufWriter, Write},
    path::Path,
    process::ExitCode,
};

const TOP: usize = 50;

/// Totals of one text.
struct Counts<'a> {
    lines: usize,
    words: usize,
    characters: usize,
    bytes: usize,
    /// Most frequent first; equal counts by name.
    frequencies: Vec<(&'a str, u32)>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [input, output] = arguments.as_slice() else {
        eprintln!("usage: word-count INPUT.txt OUTPUT_DIR");
        return ExitCode::from(2);
    };
    match count_file(Path::new(input), Path::new(output)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("word-count: {input}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn count_file(input: &Path, output: &Path) -> io::Result<()> {
    let text = fs::read_to_string(input)?;
    // Lower case once for the whole text; the words below are slices of it.
    let lower = text.to_lowercase();
    let counts = count(&text, &lower);
    fs::create_dir_all(output)?;
    fs::write(output.join("counts.json"), to_json(&counts))?;
    let mut table = BufWriter::with_capacity(32 << 10, fs::File::create(output.join("words.tsv"))?);
    for (word, times) in &counts.frequencies {
        writeln!(table, "{word}\t{times}")?;
    }
    table.flush()?;
    println!("{:>8} {:>8} {:>8} {}", counts.lines, counts.words, counts.bytes, input.display());
    Ok(())
}

fn count<'a>(text: &str, lower: &'a str) -> Counts<'a> {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    let mut words = 0;
    let is_inside = |character: char| character.is_alphabetic() || matches!(character, '\'' | '\u{2019}');
    for run in lower.split(|character| !is_inside(character)) {
        let word = run.trim_matches(['\'', '\u{2019}']);
        if !word.is_empty() {
            words += 1;
            *seen.entry(word).or_insert(0) += 1;
        }
    }
    let mut frequencies: Vec<(&str, u32)> = seen.into_iter().collect();
    frequencies.sort_unstable_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(other.0)));
    Counts { lines: text.lines().count(), words, characters: text.chars().count(), bytes: text.len(), frequencies }
}

/// Words hold only letters and apostrophes, so nothing needs escaping.
fn to_json(counts: &Counts<'_>) -> String {
    let Counts { lines, words, characters, bytes, frequencies } = counts;
    let top: Vec<String> =
        frequencies.iter().take(TOP).map(|(word, times)| format!("    [\"{word}\", {times}]")).collect();
    format!(
        "{{\n  \"lines\": {lines},\n  \"words\": {words},\n  \"distinct_words\": {},\n  \"characters\": {characters},\n  \
         \"bytes\": {bytes},\n  \"most_frequent\": [\n{}\n  ]\n}}\n",
        frequencies.len(),
        top.join(",\n")
    )
}
