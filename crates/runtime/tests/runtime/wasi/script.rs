//! Plays a list of host calls in every way there is.

use assay_runtime::{End, RunReport, RunRequest};

use crate::corpus::script::ERRNOS;
pub use crate::corpus::script::{READ_RIGHTS, RIGHTS, ROOT, Script};
use crate::guest::run_everywhere;

/// What a script left behind.
pub struct Played {
    /// Answer of every call, in order.
    pub errnos: Vec<i32>,
    /// The guest's memory at the end.
    pub memory: Vec<u8>,
    /// The run.
    pub report: RunReport,
}

impl Script {
    /// Plays it.
    pub fn play(&self) -> Played {
        self.play_request(&self.request())
    }

    /// Plays it as told.
    pub fn play_request(&self, request: &RunRequest) -> Played {
        let report = run_everywhere(request);
        assert_eq!(report.end, End::Exited(0), "{:?}", String::from_utf8_lossy(&report.stderr));
        let memory = report.stdout[report.stdout.len() - 65_536..].to_vec();
        let errno = |index: usize| {
            let at = usize::try_from(ERRNOS).unwrap() + 4 * index;
            i32::from_le_bytes(memory[at..at + 4].try_into().unwrap())
        };
        Played { errnos: (0..self.len()).map(errno).collect(), memory, report }
    }

    /// Plays it to the end it has.
    pub fn end(&self) -> End {
        run_everywhere(&self.request()).end
    }
}

impl Played {
    /// Bytes of memory.
    pub fn bytes(&self, at: usize, length: usize) -> &[u8] {
        &self.memory[at..at + length]
    }

    /// A number in memory.
    pub fn u32(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.memory[at..at + 4].try_into().unwrap())
    }

    /// A number in memory.
    pub fn u64(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.memory[at..at + 8].try_into().unwrap())
    }
}
