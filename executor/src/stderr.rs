//! Where remarks, errors and logs go, in both binaries.

use std::io::{self, Write};

/// Stderr that takes everything. What it cannot write is lost, for there is nobody left to tell: a reader that has gone is no
/// reason to end a bot, and the standard macros and the log's formatter panic when stderr fails.
#[derive(Clone, Copy, Debug)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        drop(io::stderr().lock().write_all(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
