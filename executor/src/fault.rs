//! Crash points for the crash-safety tests. Without the feature `fault-injection`, which no released binary has, they
//! are empty functions.
//!
//! With it, `ASSAY_CRASH_LOG=file` appends every point passed as `name#n`, its n-th time in this process, one per line,
//! and `ASSAY_CRASH_AT=name#n` kills the process with SIGKILL there: a test enumerates a clean run, then dies once at
//! each. Names say what happened, never how many things happened before it: of two that race, such as a look at the
//! chain and the status of a transaction, either may come first, and each is still passed once.

#[cfg(not(feature = "fault-injection"))]
use crate::core::{JobRow, TxKind};

/// Marks a place where a crash must change nothing but time (I-11).
#[cfg(not(feature = "fault-injection"))]
#[inline]
pub fn crash_point(_name: &str) {}

/// A crash point on a transaction's way, named `tx.kind.what`.
#[cfg(not(feature = "fault-injection"))]
#[inline]
pub fn crash_point_of_tx(_what: &str, _kind: TxKind) {}

/// A crash point for each thing that a row tells when it changes so, named `moment.thing`. `new` is `None` when the row
/// is forgotten.
#[cfg(not(feature = "fault-injection"))]
#[inline]
pub fn crash_points_of_row(_moment: &str, _old: Option<&JobRow>, _new: Option<&JobRow>) {}

#[cfg(feature = "fault-injection")]
pub use injected::{crash_point, crash_point_of_tx, crash_points_of_row};

#[cfg(feature = "fault-injection")]
mod injected {
    use std::{
        collections::HashMap,
        io::Write,
        sync::{Mutex, PoisonError},
    };

    use crate::core::{JobRow, Phase, TxKind, TxRecord, TxState};

    /// How often each point was passed.
    static PASSED: Mutex<Option<HashMap<String, u32>>> = Mutex::new(None);

    /// Marks a place where a crash must change nothing but time (I-11).
    pub fn crash_point(name: &str) {
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        let times = passed.get_or_insert_default().entry(name.to_owned()).or_default();
        *times = times.saturating_add(1);
        let point = format!("{name}#{times}");
        if let Some(path) = std::env::var_os("ASSAY_CRASH_LOG") {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
            if let Err(error) = file.and_then(|mut file| writeln!(file, "{point}")) {
                tracing::error!(%error, "crash log not written");
            }
        }
        if std::env::var_os("ASSAY_CRASH_AT").is_some_and(|target| target == *point) {
            die();
        }
    }

    /// SIGKILL to itself: no destructor, no flush, as when the machine kills it.
    fn die() -> ! {
        if rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).is_err() {
            std::process::abort();
        }
        loop {
            std::thread::park();
        }
    }

    /// A crash point on a transaction's way, named `tx.kind.what`.
    pub fn crash_point_of_tx(what: &str, kind: TxKind) {
        crash_point(&format!("tx.{}.{what}", kind.name()));
    }

    /// A crash point for each thing that a row tells when it changes so, named `moment.thing`. `new` is `None` when the
    /// row is forgotten.
    pub fn crash_points_of_row(moment: &str, old: Option<&JobRow>, new: Option<&JobRow>) {
        let things = match (old, new) {
            (old, Some(new)) => news(old, new),
            (Some(old), None) => last_news(old),
            (None, None) => Vec::new(),
        };
        for thing in things {
            crash_point(&format!("{moment}.{thing}"));
        }
    }

    /// No row is forgotten before the fate of all that was signed is known.
    fn last_news(old: &JobRow) -> Vec<String> {
        let unresolved = old.txs.iter().filter(|tx| tx.signature.is_some() && tx.state == TxState::Live);
        let mut news: Vec<String> = unresolved.map(|tx| format!("{}.resolved", tx.kind.name())).collect();
        news.push("forget".to_owned());
        news
    }

    fn news(old: Option<&JobRow>, new: &JobRow) -> Vec<String> {
        let mut news = Vec::new();
        if new.prepare_attempts > old.map_or(0, |old| old.prepare_attempts) {
            news.push("prepare".to_owned());
        }
        if new.run_attempts > old.map_or(0, |old| old.run_attempts) {
            news.push("run".to_owned());
        }
        if new.outcome.is_some() && old.is_none_or(|old| old.outcome.is_none()) {
            news.push("outcome".to_owned());
        }
        for tx in &new.txs {
            let is_same = |old: &&TxRecord| old.kind == tx.kind && old.message == tx.message;
            let old = old.and_then(|old| old.txs.iter().find(is_same));
            news.extend(news_of_tx(old, tx).map(|thing| format!("{}.{thing}", tx.kind.name())));
        }
        match new.phase {
            phase if old.is_some_and(|old| old.phase == phase) => {}
            // Of a result that was hidden.
            Phase::Publishing => news.push("publish".to_owned()),
            Phase::Declining(_) => news.push("declining".to_owned()),
            Phase::Dropped(reason) => news.push(format!("dropped.{}", reason.name())),
            // Anything else is told by what is in the row besides.
            phase if news.is_empty() => news.push(format!("phase.{}", phase.name())),
            _ => {}
        }
        news
    }

    fn news_of_tx(old: Option<&TxRecord>, new: &TxRecord) -> impl Iterator<Item = &'static str> {
        let recorded = old.is_none().then_some("recorded");
        let is_signed = new.signature.is_some() && old.is_none_or(|old| old.signature.is_none());
        let has_fate = old.map_or(TxState::Live, |old| old.state) != new.state;
        let fate = has_fate.then_some(match new.state {
            TxState::Live => "revived",
            TxState::Landed(_) | TxState::Failed(_) | TxState::Dead => "resolved",
        });
        recorded.into_iter().chain(is_signed.then_some("signed")).chain(fate)
    }
}
