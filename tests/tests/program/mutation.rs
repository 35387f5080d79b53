//! The mutation suite: every fixture, every cell against `mutations.txt`.
//!
//! After a change of the program that is meant, `ASSAY_BLESS=1 cargo test -p assay-tests --test program mutation` writes
//! the table anew; every changed line is then a line of the review. A cell that goes through is refused until a
//! reason stands behind it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use assay_tests::{
    idl,
    mutate::{self, HARMLESS, Table},
};

use crate::fixtures;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/program/mutations.txt")
}

/// The table as it is committed.
pub fn table() -> Table {
    read(&fs::read_to_string(path()).expect("tests/program/mutations.txt"))
}

#[test]
fn a_01_a_02_a_03_a_04_a_06_a_07_every_account_of_every_instruction_is_checked() {
    let mut found = Table::new();
    for name in fixtures::names() {
        found.extend(mutate::run(&fixtures::fixture(&name)));
    }
    let path = path();
    let expected = read(&fs::read_to_string(&path).unwrap_or_default());
    if std::env::var_os("ASSAY_BLESS").is_some() {
        fs::write(&path, write(&found, &expected)).expect("the table is writable");
    }
    let expected = table();
    let harmless = found.values().filter(|result| *result == HARMLESS).count();
    println!("mutation suite: {} cells, {} refused, {harmless} harmless", found.len(), found.len() - harmless);
    let mut wrong = Vec::new();
    for (cell, result) in &found {
        match expected.get(cell) {
            None => wrong.push(format!("{cell}: {result}, not in the table")),
            Some(line) if result == HARMLESS => {
                let reason = line.strip_prefix(HARMLESS).unwrap_or("").trim();
                if reason.is_empty() || reason == "?" {
                    wrong.push(format!("{cell}: went through and no reason says why that is harmless"));
                }
            }
            Some(line) if line != result => wrong.push(format!("{cell}: {result}, expected {line}")),
            Some(_) => {}
        }
    }
    wrong.extend(expected.keys().filter(|cell| !found.contains_key(*cell)).map(|cell| format!("{cell}: no such cell")));
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
}

/// Accounts that are somebody's wallet, or the system program: nothing is in them that could be spoiled.
const WALLETS: [&str; 11] = [
    "appellant",
    "authority",
    "challenger",
    "new_authority",
    "new_node_key",
    "node_key",
    "payer",
    "poster",
    "rent_payer",
    "signer",
    "system_program",
];

/// Accounts that are not there before: the instruction creates them, or they have to be missing.
const MISSING: [(&str, &str); 11] = [
    ("accept_job", "execution"),
    ("commit_vote", "vote"),
    ("create_job", "job"),
    ("create_market", "market"),
    ("create_sink", "sink"),
    ("enter_dispute", "challenge"),
    ("open_dispute", "challenge"),
    ("open_dispute", "dispute"),
    ("open_dispute", "poster_provider"),
    ("record_collision", "new_module"),
    ("register_provider", "provider"),
];

/// What need not be refused, and why.
const LEFT_OUT: [(&str, &str); 7] = [
    ("appeal challenge closed", "an appellant without a challenge gets one"),
    ("create_sink payer wrong_key", "anybody may pay"),
    ("create_sink sink type", "before it no account of the program exists"),
    ("record_collision payer wrong_key", "anybody may pay"),
    ("register_provider node_key wrong_key", "any key that co-signs may be the node key"),
    ("slash_absent vote closed", "a vote that is not there is an absence"),
    ("update_provider new_node_key wrong_key", "any key that co-signs may be the node key"),
];

/// The suite mutates what an instruction takes, and not what happens to be there: every account of every instruction is in some
/// fixture with bytes of its type in it, and each thing that is done to it is refused there.
#[test]
fn a_01_a_02_a_03_a_04_a_07_no_account_of_any_instruction_is_left_out_of_the_mutations() {
    let mut refused = BTreeSet::new();
    for (cell, result) in table() {
        let [fixture, account, mutation] = cell.split(' ').collect::<Vec<_>>()[..] else { panic!("no cell: {cell}") };
        let first = |text: &str, end| text.split(end).next().map(str::to_owned).unwrap_or_default();
        if !result.starts_with(HARMLESS) {
            refused.insert(format!("{} {account} {}", first(fixture, ':'), first(mutation, '=')));
        }
    }
    let mut left_out = Vec::new();
    for instruction in idl::instruction_names() {
        let slots = idl::account_slots(&instruction);
        for slot in &slots {
            let name = slot.name.as_str();
            let is_typed = !WALLETS.contains(&name);
            let is_there = is_typed && !MISSING.contains(&(&instruction, name));
            let wanted = [
                ("wrong_key", true),
                ("signer_off", slot.signer),
                ("writable_off", slot.writable),
                ("type", is_typed),
                ("twin", is_there && name != "sink" && slots.len() > 1),
                ("duplicate", is_typed && slots.len() > 1),
                ("wrong_owner", is_there),
                ("closed", is_there),
                ("truncated", is_there),
                ("zeroed", is_there),
            ];
            let cells = wanted.into_iter().filter(|(_, is_wanted)| *is_wanted);
            let cells = cells.map(|(mutation, _)| format!("{instruction} {name} {mutation}"));
            left_out.extend(cells.filter(|cell| !refused.contains(cell)));
        }
    }
    left_out.sort();
    assert_eq!(left_out, LEFT_OUT.map(|(cell, _)| cell), "no fixture refuses these");
}

fn read(text: &str) -> Table {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (cell, result) = line.split_once(" -> ").unwrap_or_else(|| panic!("no cell: {line}"));
            (cell.to_owned(), result.to_owned())
        })
        .collect()
}

fn write(found: &Table, old: &Table) -> String {
    let mut text = String::from("# instruction account mutation -> error, or why going through is harmless\n");
    let mut by_instruction: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (cell, result) in found {
        let reason = old.get(cell).filter(|line| line.starts_with(HARMLESS)).map(String::as_str);
        let result = if result == HARMLESS { reason.unwrap_or("harmless: ?") } else { result };
        let name = cell.split(' ').next().unwrap_or_default();
        by_instruction.entry(name).or_default().push(format!("{cell} -> {result}"));
    }
    for lines in by_instruction.values() {
        text.push('\n');
        text.push_str(&lines.join("\n"));
        text.push('\n');
    }
    text
}
