//! `assay-executor`: the provider's bot as its own binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = assay_executor::worker::maybe_child_main() {
        return code;
    }
    assay_executor::cli::main()
}
