//! The executor as on a kernel without landlock: its sandbox child leaves that fence out, and has no work to do.

use std::process::ExitCode;

use assay_executor::worker::{Fence, WorkReply, maybe_child_with};

fn main() -> ExitCode {
    let answer = |_| WorkReply::Fault("this child only shows its fences".to_owned());
    if let Some(code) = maybe_child_with(&[Fence::Landlock], answer) {
        return code;
    }
    assay_executor::cli::main()
}
