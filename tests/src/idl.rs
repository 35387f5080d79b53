//! The committed IDL: which accounts each instruction takes, and what the program calls its errors.

use std::sync::LazyLock;

use serde_json::Value;

/// `idls/assay.json`, parsed once.
pub static IDL: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../idls/assay.json")).expect("idls/assay.json is JSON"));

/// One account of one instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSlot {
    /// Name in the instruction.
    pub name: String,
    /// Whether it must sign.
    pub signer: bool,
    /// Whether it must be writable.
    pub writable: bool,
    /// Whether the program's own address may stand for "none".
    pub optional: bool,
}

/// All instructions, in the order of the IDL.
#[must_use]
pub fn instruction_names() -> Vec<String> {
    let instructions = IDL["instructions"].as_array().expect("an IDL has instructions");
    instructions.iter().map(name).collect()
}

/// The accounts of an instruction, in order.
///
/// # Panics
/// When the IDL has no such instruction, or nests accounts, which the program does not.
#[must_use]
pub fn account_slots(instruction: &str) -> Vec<AccountSlot> {
    let instructions = IDL["instructions"].as_array().expect("an IDL has instructions");
    let found = instructions.iter().find(|candidate| candidate["name"] == instruction);
    let found = found.unwrap_or_else(|| panic!("the IDL has no instruction {instruction}"));
    let accounts = found["accounts"].as_array().expect("an instruction has accounts");
    accounts
        .iter()
        .map(|account| {
            assert!(account.get("accounts").is_none(), "{instruction} nests accounts");
            let flag = |field: &str| account[field].as_bool().unwrap_or(false);
            AccountSlot {
                name: name(account),
                signer: flag("signer"),
                writable: flag("writable"),
                optional: flag("optional"),
            }
        })
        .collect()
}

/// Names of the program's errors, by code.
#[must_use]
pub fn error_names() -> Vec<String> {
    IDL["errors"].as_array().expect("the program has errors").iter().map(name).collect()
}

fn name(value: &Value) -> String {
    value["name"].as_str().expect("everything in an IDL has a name").to_owned()
}
