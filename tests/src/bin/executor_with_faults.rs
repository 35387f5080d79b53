//! The executor with crash points, see `executor/src/fault.rs`.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = assay_executor_faults::worker::maybe_child_main() {
        return code;
    }
    assay_executor_faults::cli::main()
}
