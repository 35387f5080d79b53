//! Crash points for the crash-safety tests. Without the feature `fault-injection`, which no released binary has,
//! [`crash_point`] is an empty function.
//!
//! With it, `ASSAY_CRASH_LOG=file` appends the name of every point passed, one per line, and `ASSAY_CRASH_AT=n` kills
//! the process with SIGKILL at the n-th point, counted from 1: a test enumerates a clean run and then dies once at each.

/// Marks a place where a crash must change nothing but time (I-11).
#[cfg(not(feature = "fault-injection"))]
#[inline]
pub fn crash_point(_name: &str) {}

/// Marks a place where a crash must change nothing but time (I-11).
#[cfg(feature = "fault-injection")]
pub fn crash_point(name: &str) {
    use std::{
        io::Write,
        sync::atomic::{AtomicU64, Ordering},
    };

    static PASSED: AtomicU64 = AtomicU64::new(0);

    let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(path) = std::env::var_os("ASSAY_CRASH_LOG") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        if let Err(error) = file.and_then(|mut file| writeln!(file, "{number} {name}")) {
            tracing::error!(%error, "crash log not written");
        }
    }
    let target = std::env::var("ASSAY_CRASH_AT").ok().and_then(|text| text.parse::<u64>().ok());
    if target == Some(number) {
        // SIGKILL to itself: no destructor, no flush, as when the machine kills it.
        if rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).is_err() {
            std::process::abort();
        }
        loop {
            std::thread::park();
        }
    }
}
