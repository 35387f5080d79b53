//! What became of jobs, providers and money, and whether it is as it should be.

use std::collections::BTreeMap;

use assay_protocol::JobStatus;
use assay_sdk::{Event, EventRecord};
use serde::Serialize;
use solana_pubkey::Pubkey;

use super::{books::Books, jobs::Posted};
use crate::{
    error::{CliError, CliResult, Exit, Hint as _},
    job::state::{mode_name, status_name},
    output::{lamports, percent, table},
};

/// One job at its end.
#[derive(Debug, Serialize)]
pub(super) struct Ended {
    number: usize,
    job: String,
    kind: &'static str,
    mode: &'static str,
    status: &'static str,
    /// Whether the right result stands; `None` where none does.
    is_right: Option<bool>,
    escrow_lamports: u64,
    refund_lamports: u64,
    /// Rounds that juries judged it in; 0 where there was no dispute.
    rounds: u8,
    /// From the moment when a dispute was opened to that at which everybody in it was settled, seconds; of a job without one, `None`.
    dispute_s: Option<i64>,
    #[serde(skip)]
    disputed_from_unix: Option<i64>,
    /// Who took seats.
    #[serde(skip)]
    seats: Vec<Pubkey>,
    /// Who lost stake over it, and how much.
    #[serde(skip)]
    losses: BTreeMap<Pubkey, u64>,
}

impl Ended {
    /// Reads it from the history of a job that is closed.
    pub(super) async fn read(job: &Posted) -> CliResult<Self> {
        let view = job.handle.status().await.hint()?;
        let history = job.handle.history().await.hint()?;
        let mut ended = Self {
            number: job.number,
            job: view.address.to_string(),
            kind: job.kind.name(),
            mode: mode_name(job.kind.mode()),
            status: status_name(view.status),
            is_right: (view.status == JobStatus::Resolved).then(|| view.outcome == Some(job.right)),
            escrow_lamports: 0,
            refund_lamports: view.closing.map_or(0, |closing| closing.refund_lamports),
            rounds: 0,
            dispute_s: None,
            disputed_from_unix: None,
            seats: Vec::new(),
            losses: BTreeMap::new(),
        };
        history.iter().for_each(|record| ended.take(record));
        Ok(ended)
    }

    fn take(&mut self, record: &EventRecord) {
        let (provider, lost_lamports) = match &record.event {
            Event::JobCreated(event) => {
                self.escrow_lamports = event.escrow_lamports;
                return;
            }
            Event::JobAccepted(event) => {
                self.seats.push(event.provider);
                return;
            }
            Event::DisputeOpened(_) => {
                self.disputed_from_unix = record.block_time_unix;
                return;
            }
            Event::DisputeSettled(event) => {
                self.rounds = event.rounds;
                return;
            }
            Event::DisputeClosed(_) => {
                let span = record.block_time_unix.zip(self.disputed_from_unix);
                self.dispute_s = span.map(|(to, from)| to.saturating_sub(from));
                return;
            }
            Event::ExecutionSettled(event) => (event.provider, event.lost_lamports),
            Event::ExecutionMissed(event) => {
                (event.provider, event.poster_lamports.saturating_add(event.sink_lamports))
            }
            Event::JobDeclined(event) => (event.provider, event.fee_lamports),
            Event::VoteSettled(event) => (event.provider, event.lost_lamports),
            Event::AbsentSlashed(event) => (event.provider, event.lamports),
            _ => return,
        };
        if lost_lamports > 0 {
            let lost = self.losses.entry(provider).or_default();
            *lost = lost.saturating_add(lost_lamports);
        }
    }

    pub(super) const fn number(&self) -> usize {
        self.number
    }

    /// How many of its seats this provider took.
    pub(super) fn seats_of(&self, provider: &Pubkey) -> usize {
        self.seats.iter().filter(|seat| *seat == provider).count()
    }

    /// Whether its poster got what it paid for, or everything back.
    fn is_fair(&self) -> bool {
        self.is_right.unwrap_or(self.refund_lamports == self.escrow_lamports)
    }

    /// It in one line.
    pub(super) fn line(&self, name: impl Fn(&Pubkey) -> String) -> String {
        let result = match self.is_right {
            Some(true) => "the right result",
            Some(false) => "a wrong result",
            None => "no result",
        };
        let by = match self.rounds {
            0 => String::new(),
            1 => ", found by a jury".to_owned(),
            rounds => format!(", found by juries in {rounds} rounds"),
        };
        let by = match self.dispute_s {
            Some(seconds) => format!("{by} in {seconds} s"),
            None => by,
        };
        let losses: Vec<String> =
            self.losses.iter().map(|(who, lost)| format!("{} −{}", name(who), lamports(*lost))).collect();
        let losses = if losses.is_empty() { String::new() } else { format!("; {}", losses.join(", ")) };
        format!("{result}{by}{losses}")
    }
}

/// One provider at the end.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    pub(super) provider: String,
    pub(super) name: String,
    pub(super) habit: Option<&'static str>,
    /// Before the first job: what its chances in draws come from.
    pub(super) stake_lamports: u64,
    /// Seats that it took.
    pub(super) jobs: usize,
    /// Pay and shares: what its cold key was paid, and what it could still claim.
    pub(super) earned_lamports: u64,
    /// What its stake lost.
    pub(super) slashed_lamports: u64,
    /// Results that stood, that did not, and deadlines that it let pass.
    pub(super) right: u32,
    pub(super) wrong: u32,
    pub(super) missed: u32,
    pub(super) trust_score_bps: u16,
}

#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    holds: bool,
    /// Whom or what it fails for.
    fails_for: Vec<String>,
}

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    seed: u64,
    jobs: Vec<Ended>,
    providers: Vec<Row>,
    books: Books,
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn new(seed: u64, jobs: Vec<Ended>, providers: Vec<Row>, books: Books) -> Self {
        let checks = checks(&jobs, &providers, &books);
        Self { seed, jobs, providers, books, checks }
    }

    /// An error that names the checks that do not hold, if any do not.
    pub(super) fn verdict(&self) -> CliResult {
        let failed: Vec<&str> = self.checks.iter().filter(|check| !check.holds).map(|check| check.what).collect();
        if failed.is_empty() {
            return Ok(());
        }
        Err(CliError::new(format!("not as it should be: {}", failed.join("; "))).with_exit(Exit::Differs).with_next(
            format!(
                "give the machine more room and run it again, with --seed {} for the same keys; if the same check fails, that \
                 is a fault of this version",
                self.seed
            ),
        ))
    }

    pub(super) fn print(&self) {
        let mut shown =
            table(["provider", "habit", "stake", "jobs", "right", "wrong", "missed", "earned", "slashed", "trust"]);
        for row in &self.providers {
            shown.add_row([
                row.name.clone(),
                row.habit.unwrap_or("honest").to_owned(),
                lamports(row.stake_lamports),
                row.jobs.to_string(),
                row.right.to_string(),
                row.wrong.to_string(),
                row.missed.to_string(),
                lamports(row.earned_lamports),
                lamports(row.slashed_lamports),
                percent(row.trust_score_bps),
            ]);
        }
        println!("{shown}");
        let with = |is_right: Option<bool>| self.jobs.iter().filter(|job| job.is_right == is_right).count();
        println!(
            "{} jobs: {} with the right result ({} of them by a jury), {} with a wrong one, {} without one and refunded",
            self.jobs.len(),
            with(Some(true)),
            self.jobs.iter().filter(|job| job.rounds > 0 && job.is_right == Some(true)).count(),
            with(Some(false)),
            with(None)
        );
        self.books.print();
        for Check { what, holds, fails_for } in &self.checks {
            let of = if fails_for.is_empty() { String::new() } else { format!(": not {}", fails_for.join(", ")) };
            println!("{} {what}{of}", if *holds { "yes" } else { "NO " });
        }
    }
}

fn checks(jobs: &[Ended], providers: &[Row], books: &Books) -> Vec<Check> {
    let check = |what, fails_for: Vec<String>| Check { what, holds: fails_for.is_empty(), fails_for };
    let named = |fails: &dyn Fn(&Row) -> bool| {
        providers.iter().filter(|row| fails(row)).map(|row| row.name.clone()).collect::<Vec<_>>()
    };
    let unfair = jobs.iter().filter(|job| !job.is_fair()).map(|job| format!("job {}", job.number)).collect();
    let missing = books.missing_lamports();
    vec![
        check("every honest provider was paid", named(&|row| row.habit.is_none() && row.earned_lamports == 0)),
        check("no honest result was found wrong or stayed hidden", named(&|row| row.habit.is_none() && row.wrong > 0)),
        check("every poster got the right result or a full refund", unfair),
        check("every liar lost stake", named(&|row| row.habit.is_some() && row.slashed_lamports == 0)),
        check(
            "no lamport was lost or made",
            (missing != 0).then(|| format!("{missing} lamports")).into_iter().collect(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(is_right: Option<bool>, refund_lamports: u64) -> Ended {
        Ended {
            number: 1,
            job: String::new(),
            kind: "stake",
            mode: "quorum",
            status: "resolved",
            is_right,
            escrow_lamports: 10,
            refund_lamports,
            rounds: 0,
            dispute_s: None,
            disputed_from_unix: None,
            seats: Vec::new(),
            losses: BTreeMap::new(),
        }
    }

    fn row(habit: Option<&'static str>, earned_lamports: u64, slashed_lamports: u64) -> Row {
        let name = habit.unwrap_or("honest").to_owned();
        Row {
            provider: String::new(),
            name,
            habit,
            stake_lamports: 10,
            jobs: 1,
            earned_lamports,
            slashed_lamports,
            right: 1,
            wrong: 0,
            missed: 0,
            trust_score_bps: 0,
        }
    }

    /// The checks that do not hold, by number, and whom they name.
    fn failures(jobs: &[Ended], providers: &[Row], books: &Books) -> Vec<(usize, String)> {
        let checks = checks(jobs, providers, books).into_iter().enumerate();
        checks.filter(|(_, check)| !check.holds).map(|(number, check)| (number, check.fails_for.join(", "))).collect()
    }

    #[test]
    fn a_job_was_fair_with_the_right_result_or_with_everything_back() {
        assert!(ended(Some(true), 3).is_fair() && ended(None, 10).is_fair());
        assert!(!ended(Some(false), 10).is_fair() && !ended(None, 9).is_fair());
    }

    #[test]
    fn i_01_each_check_fails_for_what_is_wrong_and_for_nothing_else() {
        let jobs =
            |more: Option<Ended>| more.into_iter().chain([ended(Some(true), 3), ended(None, 10)]).collect::<Vec<_>>();
        // A liar that was paid for honest work besides is none the better for it.
        let rows =
            |more: Option<Row>| more.into_iter().chain([row(None, 5, 0), row(Some("wrong"), 5, 1)]).collect::<Vec<_>>();
        let books = |after| Books::of(10, after, 3);
        assert!(failures(&jobs(None), &rows(None), &books(7)).is_empty());
        let unpaid = rows(Some(row(None, 0, 9)));
        assert_eq!(failures(&jobs(None), &unpaid, &books(7)), [(0, "honest".to_owned())]);
        let convicted = rows(Some(Row { wrong: 1, ..row(None, 5, 9) }));
        assert_eq!(failures(&jobs(None), &convicted, &books(7)), [(1, "honest".to_owned())]);
        let cheated = jobs(Some(ended(Some(false), 0)));
        assert_eq!(failures(&cheated, &rows(None), &books(7)), [(2, "job 1".to_owned())]);
        let kept = rows(Some(row(Some("lazy"), 9, 0)));
        assert_eq!(failures(&jobs(None), &kept, &books(7)), [(3, "lazy".to_owned())]);
        for (after, off) in [(6, "1 lamports"), (8, "-1 lamports")] {
            assert_eq!(failures(&jobs(None), &rows(None), &books(after)), [(4, off.to_owned())]);
        }
    }

    #[test]
    fn a_report_with_a_failed_check_ends_with_an_error_that_names_it() {
        let report = |after| Report::new(7, vec![ended(Some(true), 3)], Vec::new(), Books::of(10, after, 3));
        assert!(report(7).verdict().is_ok());
        let error = report(6).verdict().expect_err("a lamport is missing");
        assert!(error.to_string().contains("no lamport was lost or made"), "{error}");
    }
}
