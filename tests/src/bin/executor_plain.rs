//! The executor as it is released: the same library, the same call.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = assay_executor::worker::maybe_child_main() {
        return code;
    }
    assay_executor::cli::main()
}
