//! How results are shown: one JSON object for machines, short text for people.

use std::{
    fmt,
    fs::{self, File},
    io::{self, ErrorKind, IsTerminal, Write},
    path::Path,
    sync::{LazyLock, OnceLock},
};

use assay_executor::Stderr;
use clap::CommandFactory;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;

use crate::{
    app::Cli,
    error::{CliError, CliResult, Context as _},
};

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
            print_json(value);
        } else {
            human();
        }
    }

    /// The result, and what is wrong with it all the same: text on stdout and the error on stderr, or one JSON object
    /// that holds both.
    ///
    /// # Errors
    /// `checked`, unchanged but for the JSON.
    pub fn result_and<T: Serialize>(&self, value: &T, checked: CliResult, human: impl FnOnce()) -> CliResult {
        match checked {
            Err(error) if self.json => Err(error.with_result(value)),
            checked => {
                self.result(value, human);
                checked
            }
        }
    }

    /// Whether a progress bar may move on stderr.
    pub fn is_live(&self) -> bool {
        !self.quiet && !self.json && std::io::stderr().is_terminal()
    }
}

/// Why stdout did not take everything, once that has happened.
static LOST: OnceLock<String> = OnceLock::new();

/// What the reader typed to get here, where that is not `assay`: `./run` says so. Commands are proposed as they can be typed.
static INVOKED_AS: LazyLock<Option<String>> =
    LazyLock::new(|| std::env::var("ASSAY_INVOKED_AS").ok().filter(|name| !name.is_empty() && name != PROGRAM));
const PROGRAM: &str = "assay";

/// `text` with `invoked_as` where it names `assay` followed by one of `commands`, as every proposed command does.
fn as_typed(text: &str, invoked_as: &str, commands: &[String]) -> String {
    let mut typed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(PROGRAM) {
        let (before, after) = rest.split_at(at);
        let after = after.get(PROGRAM.len()..).unwrap_or_default();
        typed.push_str(before);
        // What another process of ours said may be quoted here, and has its name already.
        let is_whole = typed.chars().next_back().is_none_or(|last| last == '`' || last.is_whitespace())
            && !invoked_as.strip_suffix(PROGRAM).is_some_and(|prefix| !prefix.is_empty() && typed.ends_with(prefix));
        let word = |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().map(str::to_owned);
        let is_command = after.strip_prefix(' ').and_then(word).is_some_and(|word| commands.contains(&word));
        typed.push_str(if is_whole && is_command { invoked_as } else { PROGRAM });
        rest = after;
    }
    typed + rest
}

/// Text for people, as it goes to a terminal. JSON is the same however the program was called.
fn shown(text: fmt::Arguments<'_>) -> String {
    static COMMANDS: LazyLock<Vec<String>> =
        LazyLock::new(|| Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect());
    let mut text = text.to_string();
    if let Some(invoked_as) = INVOKED_AS.as_ref() {
        text = as_typed(&text, invoked_as, &COMMANDS);
    }
    printable(text.as_bytes())
}

/// What `println!` and `print!` are in this crate: what strangers wrote is made harmless, and a reader that has gone is no
/// reason to panic.
pub fn print(text: fmt::Arguments<'_>) {
    let text = shown(text);
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        note_loss(&error);
    }
}

/// What `eprintln!` and `eprint!` are in this crate.
pub fn print_error(text: fmt::Arguments<'_>) {
    drop(Stderr.write_all(shown(text).as_bytes()));
}

/// Where logs go: stderr, with what could deceive made harmless. Escape characters are the log's own colours; it escapes
/// those that a field holds itself.
#[derive(Clone, Copy, Debug)]
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_kept = |character: char| matches!(character, '\n' | '\t' | '\u{1b}') || !acts_on_terminal(character);
        let mut text = String::with_capacity(bytes.len());
        for character in String::from_utf8_lossy(bytes).chars() {
            if is_kept(character) {
                text.push(character);
            } else {
                text.extend(character.escape_default());
            }
        }
        Stderr.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Stderr.flush()
    }
}

/// One line of JSON on stdout. What could act on a terminal is written as JSON's own escapes: the same value, harmless
/// where a person reads it.
pub fn print_json<T: Serialize + ?Sized>(value: &T) {
    let mut line = String::new();
    for character in serde_json::to_string(value).unwrap_or_default().chars() {
        if acts_on_terminal(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                line.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            line.push(character);
        }
    }
    line.push('\n');
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush()) {
        note_loss(&error);
    }
}

/// Bytes of a guest as they are for a pipe, made harmless for a terminal (W-08).
///
/// # Errors
/// When they cannot be written, for example because a disk is full.
pub fn print_bytes(to: &mut (impl Write + IsTerminal), bytes: &[u8]) -> CliResult {
    let result = if to.is_terminal() { to.write_all(printable(bytes).as_bytes()) } else { to.write_all(bytes) };
    match result.and_then(|()| to.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// A reader that closed its end, as `head` does, wants no more; everything else is remembered for the exit code.
fn note_loss(error: &io::Error) {
    if error.kind() != ErrorKind::BrokenPipe {
        LOST.get_or_init(|| error.to_string());
    }
}

/// At the end of a command.
///
/// # Errors
/// When something that was to be printed is lost.
pub fn require_printed() -> CliResult {
    match LOST.get() {
        None => Ok(()),
        Some(cause) => Err(CliError::new("what the command did was done, but the output is not complete")
            .with_cause(format!("cannot write to stdout: {cause}"))
            .with_next("print it again to a place that takes it")),
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

/// Basis points as `2.50 %`.
pub fn percent(bps: impl Into<u32>) -> String {
    let bps = bps.into();
    format!("{}.{:02} %", bps / 100, bps % 100)
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
        if acts_on_terminal(character) && !matches!(character, '\n' | '\t') {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// Before anything is done for a file that `flag` names: it is new, and its directory can be written to.
pub fn require_new_file(path: Option<&Path>, flag: &str) -> CliResult {
    let Some(path) = path else { return Ok(()) };
    if path.exists() {
        return Err(CliError::new(format!("{} exists and is not overwritten", shown_path(path)))
            .with_next(format!("name another file with {flag}, or move it away")));
    }
    require_writable(path.parent().unwrap_or(path), path, flag)
}

/// Before anything is done for a directory that `flag` names: it is new or empty, and can be made and written to.
pub fn require_new_directory(path: Option<&Path>, flag: &str) -> CliResult {
    let Some(path) = path else { return Ok(()) };
    if fs::read_dir(path).is_ok_and(|mut found| found.next().is_some()) {
        return Err(CliError::new(format!("the directory {} exists and is not empty", shown_path(path)))
            .with_next(format!("name another with {flag}, or move it away")));
    }
    require_writable(path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("")), path, flag)
}

/// Whether a file can be made in `directory`, found out by one without a name, which is gone at once.
fn require_writable(directory: &Path, path: &Path, flag: &str) -> CliResult {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    tempfile::tempfile_in(directory)
        .map(drop)
        .context(format!("cannot write {}", shown_path(path)))
        .next(format!("name a place with {flag} in a directory that is there and can be written to"))
}

/// Writes a file that is not there yet.
pub fn write_new(path: &Path, bytes: &[u8]) -> CliResult {
    let written = File::create_new(path).and_then(|mut file| file.write_all(bytes));
    written
        .context(format!("cannot write {}", shown_path(path)))
        .next("name a new file in a directory that can be written to")
}

/// A path on one line.
pub fn shown_path(path: &Path) -> String {
    printable(path.to_string_lossy().as_bytes()).replace('\n', "\\n").replace('\t', "\\t")
}

/// A path as a shell takes it, in a command that is proposed.
pub fn typeable(path: &Path) -> String {
    let text = shown_path(path);
    let text = if text.starts_with('-') { format!("./{text}") } else { text };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '_' | '-');
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Control characters, and those that show a text in another order than it has, or hide in it. Joiners stay: scripts and
/// emoji are written with them.
pub fn acts_on_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
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
    fn w_08_escape_sequences_never_reach_a_terminal() {
        assert_eq!(printable(b"a\x1b[2Jb\tc\n"), "a\\u{1b}[2Jb\tc\n");
    }

    #[test]
    fn w_08_text_that_would_run_backwards_is_shown_escaped() {
        assert_eq!(printable("a\u{202e}gnp.exe\u{2066}".as_bytes()), "a\\u{202e}gnp.exe\\u{2066}");
        assert_eq!(shown_path(Path::new("a\nb\u{202e}")), "a\\nb\\u{202e}");
        assert_eq!(printable("שלום, 👩‍🚀, नमस्ते".as_bytes()), "שלום, 👩‍🚀, नमस्ते");
    }

    #[test]
    fn proposed_commands_are_named_as_the_program_was_called() {
        let commands = ["job", "run"].map(str::to_owned);
        let typed = |text: &str| as_typed(text, "./run assay", &commands);
        assert_eq!(
            typed("next: assay job wait J; then `assay run DIR`"),
            "next: ./run assay job wait J; then `./run assay run DIR`"
        );
        assert_eq!(typed("assay job list\nassay run"), "./run assay job list\n./run assay run");
        for kept in [
            "assay",
            "an assay of gold",
            "/opt/assay run",
            "assay-executor run",
            "assay runs",
            "./run assay job wait J",
        ] {
            assert_eq!(typed(kept), kept);
        }
    }

    #[test]
    fn a_path_in_a_proposed_command_is_one_word_and_no_flag() {
        for (path, typed) in [("a/b-1.wasm", "a/b-1.wasm"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("-f", "./-f")] {
            assert_eq!(typeable(Path::new(path)), typed);
        }
    }

    #[test]
    fn numbers_are_grouped_from_the_right() {
        assert_eq!((grouped(7), grouped(1_234), grouped(123_456)), ("7".into(), "1,234".into(), "123,456".into()));
    }
}
