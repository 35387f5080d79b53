//! `assay-idl PROGRAM_DIR OUTPUT.json`: writes the IDL of an Anchor program.
//!
//! Anchor's builder compiles the program's hidden tests with feature `idl-build` and runs them. It sets RUSTFLAGS, so
//! give it a CARGO_TARGET_DIR of its own.

use std::{env, fs, path::PathBuf};

use anchor_lang_idl::build::IdlBuilder;
use anyhow::{bail, Context, Result};

fn main() -> Result<()> {
    let mut args = env::args_os().skip(1).map(PathBuf::from);
    let (Some(program_dir), Some(output), None) = (args.next(), args.next(), args.next()) else {
        bail!("usage: assay-idl PROGRAM_DIR OUTPUT.json");
    };
    if env::var_os("RUSTUP_TOOLCHAIN").is_some() {
        // The builder would pass cargo a toolchain argument that it forgets to fill in.
        bail!("RUSTUP_TOOLCHAIN is set; unset it and let rust-toolchain.toml choose");
    }
    let program_dir = program_dir.canonicalize().context("failed to find the program's directory")?;
    let idl = IdlBuilder::new()
        .program_path(program_dir)
        .cargo_args(vec!["--locked".into(), "--lib".into()])
        .build()
        .context("failed to build the IDL")?;
    let json = serde_json::to_string_pretty(&idl).context("failed to encode the IDL")?;
    fs::write(&output, json + "\n").with_context(|| format!("failed to write {}", output.display()))
}
