//! What an instruction is called, for whoever tells a person what was sent.

use std::sync::LazyLock;

use serde::Deserialize;
use solana_instruction::Instruction;

use crate::program;

/// One row of the IDL's table of instructions.
#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    discriminator: Vec<u8>,
}

#[derive(Deserialize)]
struct IdlInstructions {
    #[serde(default)]
    instructions: Vec<Row>,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    // `declare_program!` read the same file when this crate was compiled, so it is there and well formed.
    serde_json::from_str::<IdlInstructions>(program::IDL_JSON).map(|idl| idl.instructions).unwrap_or_default()
});

/// Its name in the IDL; `None` for an instruction of another program.
#[must_use]
pub fn name(instruction: &Instruction) -> Option<&'static str> {
    let is_it = |row: &&Row| !row.discriminator.is_empty() && instruction.data.starts_with(&row.discriminator);
    let row = ROWS.iter().find(is_it).filter(|_| instruction.program_id == program::ID)?;
    Some(&row.name)
}
