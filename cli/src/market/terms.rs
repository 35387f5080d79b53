//! Terms of a market: as flags, as JSON, as text.

use assay_protocol::MarketTerms;
use clap::{Arg, Args};
use serde::Serialize;

use crate::{
    error::{CliResult, Context as _, Exit},
    output::{duration, grouped, lamports, parse_lamports, percent},
};

/// Terms of a new market, unless told otherwise: for a public one.
pub const DEFAULTS: MarketTerms = MarketTerms {
    fee_bps: 200,
    stake_min_lamports: 1_000_000_000,
    bond_min_lamports: 10_000_000,
    bond_rate_bps: 10_000,
    miss_rate_bps: 5_000,
    delay_fee_lamports: 1_000_000,
    decline_fee_lamports: 100_000,
    attempts_max: 3,
    queue_timeout_s: 3_600,
    execution_base_s: 120,
    challenge_base_s: 600,
    job_total_s: 86_400,
    unbonding_s: 259_200,
    verify_rate_gas_per_s: 100_000_000,
    gas_limit_max: 1_000_000_000_000,
    profiles: 1,
    quorum_bps: 6_667,
    executions_max: 9,
    ticket_lamports: 100_000_000,
    widen_s: 10,
    reveal_s: 60,
    jury_lambda: 9,
    jury_quorum_bps: 5_000,
    juror_bond_lamports: 5_000_000,
    duty_rate_bps: 500,
    audit_one_in_min: 10,
    audit_one_in_max: 50,
    jail_s: 86_400,
};

/// Terms as flags; in brackets what a new market has when they are left out.
#[derive(Clone, Debug, Args)]
pub struct TermsArgs {
    /// Fee on top of the pay, basis points [200].
    #[arg(long, value_name = "BPS")]
    fee_bps: Option<u16>,
    /// Least stake of a provider [1sol].
    #[arg(long, value_name = "AMOUNT", value_parser = parse_lamports)]
    stake_min: Option<u64>,
    /// Least bond of a seat [0.01sol].
    #[arg(long, value_name = "AMOUNT", value_parser = parse_lamports)]
    bond_min: Option<u64>,
    /// Bond in basis points of the most a seat can be paid [10000].
    #[arg(long, value_name = "BPS")]
    bond_rate_bps: Option<u32>,
    /// Share of the bond lost by a missed deadline, basis points [5000].
    #[arg(long, value_name = "BPS")]
    miss_rate_bps: Option<u16>,
    /// Most of that share that goes to the poster [0.001sol].
    #[arg(long, value_name = "AMOUNT", value_parser = parse_lamports)]
    delay_fee: Option<u64>,
    /// Cost of giving a seat back [0.0001sol].
    #[arg(long, value_name = "AMOUNT", value_parser = parse_lamports)]
    decline_fee: Option<u64>,
    /// Times a job is handed out [3].
    #[arg(long, value_name = "N")]
    attempts_max: Option<u8>,
    /// Seconds that a job waits for a provider [3600].
    #[arg(long, value_name = "SECONDS")]
    queue_timeout_s: Option<u32>,
    /// Seconds for one execution, beside the gas limit at the verify rate [120].
    #[arg(long, value_name = "SECONDS")]
    execution_base_s: Option<u32>,
    /// Seconds of the challenge window, beside the gas limit at the verify rate [600].
    #[arg(long, value_name = "SECONDS")]
    challenge_base_s: Option<u32>,
    /// Seconds from a job's creation after which it is not queued again [86400].
    #[arg(long, value_name = "SECONDS")]
    job_total_s: Option<u32>,
    /// Seconds from unstaking to withdrawing [259200].
    #[arg(long, value_name = "SECONDS")]
    unbonding_s: Option<u32>,
    /// Gas per second that a verifier is expected to manage [100000000].
    #[arg(long, value_name = "GAS")]
    verify_rate: Option<u64>,
    /// Highest gas limit of a job [1000000000000].
    #[arg(long, value_name = "GAS")]
    gas_limit_max: Option<u64>,
    /// Share of the seats' stake that agrees in a job by quorum, basis points [6667].
    #[arg(long, value_name = "BPS")]
    quorum_bps: Option<u16>,
    /// Most seats of a job, arbiters included [9].
    #[arg(long, value_name = "N")]
    executions_max: Option<u8>,
    /// Stake of one ticket in draws, for ever [0.1sol].
    #[arg(long, value_name = "AMOUNT", value_parser = parse_lamports)]
    ticket: Option<u64>,
    /// Seconds in which the chance of a ticket for a free seat doubles [10].
    #[arg(long, value_name = "SECONDS")]
    widen_s: Option<u32>,
    /// Seconds to reveal what was committed to [60].
    #[arg(long, value_name = "SECONDS")]
    reveal_s: Option<u32>,
    /// Tickets of the jury in a dispute's first round [9].
    #[arg(long, value_name = "N")]
    jury_lambda: Option<u16>,
    /// Share of the jury that a verdict needs, basis points [5000].
    #[arg(long, value_name = "BPS")]
    jury_quorum_bps: Option<u16>,
    /// What a vote locks for each of its tickets [0.005sol].
    #[arg(long, value_name = "AMOUNT", value_parser = parse_lamports)]
    juror_bond: Option<u64>,
    /// Share of the enrolled stake that jury duty locks, basis points [500].
    #[arg(long, value_name = "BPS")]
    duty_rate_bps: Option<u16>,
    /// Audits at most one in so many results of jobs that run alone [10].
    #[arg(long, value_name = "N")]
    audit_one_in_min: Option<u16>,
    /// Audits at least one in so many; both 0: no job runs alone [50].
    #[arg(long, value_name = "N")]
    audit_one_in_max: Option<u16>,
    /// Seconds without seats after a wrong result or repeated misses [86400].
    #[arg(long, value_name = "SECONDS")]
    jail_s: Option<u32>,
}

/// The flag of a term in the help of `update`, where no value stands in for one that is left out.
pub fn without_default(arg: Arg) -> Arg {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    match help.rsplit_once(" [") {
        Some((help, _)) => arg.help(help.to_owned()),
        None => arg,
    }
}

impl TermsArgs {
    /// These terms where they were given, else those of `base`.
    pub fn over(&self, base: MarketTerms) -> CliResult<MarketTerms> {
        let terms = MarketTerms {
            fee_bps: self.fee_bps.unwrap_or(base.fee_bps),
            stake_min_lamports: self.stake_min.unwrap_or(base.stake_min_lamports),
            bond_min_lamports: self.bond_min.unwrap_or(base.bond_min_lamports),
            bond_rate_bps: self.bond_rate_bps.unwrap_or(base.bond_rate_bps),
            miss_rate_bps: self.miss_rate_bps.unwrap_or(base.miss_rate_bps),
            delay_fee_lamports: self.delay_fee.unwrap_or(base.delay_fee_lamports),
            decline_fee_lamports: self.decline_fee.unwrap_or(base.decline_fee_lamports),
            attempts_max: self.attempts_max.unwrap_or(base.attempts_max),
            queue_timeout_s: self.queue_timeout_s.unwrap_or(base.queue_timeout_s),
            execution_base_s: self.execution_base_s.unwrap_or(base.execution_base_s),
            challenge_base_s: self.challenge_base_s.unwrap_or(base.challenge_base_s),
            job_total_s: self.job_total_s.unwrap_or(base.job_total_s),
            unbonding_s: self.unbonding_s.unwrap_or(base.unbonding_s),
            verify_rate_gas_per_s: self.verify_rate.unwrap_or(base.verify_rate_gas_per_s),
            gas_limit_max: self.gas_limit_max.unwrap_or(base.gas_limit_max),
            profiles: base.profiles,
            quorum_bps: self.quorum_bps.unwrap_or(base.quorum_bps),
            executions_max: self.executions_max.unwrap_or(base.executions_max),
            ticket_lamports: self.ticket.unwrap_or(base.ticket_lamports),
            widen_s: self.widen_s.unwrap_or(base.widen_s),
            reveal_s: self.reveal_s.unwrap_or(base.reveal_s),
            jury_lambda: self.jury_lambda.unwrap_or(base.jury_lambda),
            jury_quorum_bps: self.jury_quorum_bps.unwrap_or(base.jury_quorum_bps),
            juror_bond_lamports: self.juror_bond.unwrap_or(base.juror_bond_lamports),
            duty_rate_bps: self.duty_rate_bps.unwrap_or(base.duty_rate_bps),
            audit_one_in_min: self.audit_one_in_min.unwrap_or(base.audit_one_in_min),
            audit_one_in_max: self.audit_one_in_max.unwrap_or(base.audit_one_in_max),
            jail_s: self.jail_s.unwrap_or(base.jail_s),
        };
        terms
            .check()
            .context("these terms are outside the protocol's bounds")
            .next("change the flags; docs/PROTOCOL.md lists the bounds of all terms")
            .map_err(|error| error.with_exit(Exit::Usage))?;
        Ok(terms)
    }
}

/// Terms as JSON.
#[derive(Debug, Serialize)]
pub struct TermsView {
    fee_bps: u16,
    pub(super) stake_min_lamports: u64,
    bond_min_lamports: u64,
    bond_rate_bps: u32,
    miss_rate_bps: u16,
    delay_fee_lamports: u64,
    decline_fee_lamports: u64,
    attempts_max: u8,
    queue_timeout_s: u32,
    execution_base_s: u32,
    challenge_base_s: u32,
    job_total_s: u32,
    unbonding_s: u32,
    verify_rate_gas_per_s: u64,
    gas_limit_max: u64,
    profiles: u32,
    quorum_bps: u16,
    executions_max: u8,
    ticket_lamports: u64,
    widen_s: u32,
    reveal_s: u32,
    jury_lambda: u16,
    jury_quorum_bps: u16,
    juror_bond_lamports: u64,
    duty_rate_bps: u16,
    audit_one_in_min: u16,
    audit_one_in_max: u16,
    jail_s: u32,
}

impl From<MarketTerms> for TermsView {
    fn from(terms: MarketTerms) -> Self {
        // All fields by name: one that is added is not forgotten.
        let MarketTerms {
            fee_bps,
            stake_min_lamports,
            bond_min_lamports,
            bond_rate_bps,
            miss_rate_bps,
            delay_fee_lamports,
            decline_fee_lamports,
            attempts_max,
            queue_timeout_s,
            execution_base_s,
            challenge_base_s,
            job_total_s,
            unbonding_s,
            verify_rate_gas_per_s,
            gas_limit_max,
            profiles,
            quorum_bps,
            executions_max,
            ticket_lamports,
            widen_s,
            reveal_s,
            jury_lambda,
            jury_quorum_bps,
            juror_bond_lamports,
            duty_rate_bps,
            audit_one_in_min,
            audit_one_in_max,
            jail_s,
        } = terms;
        Self {
            fee_bps,
            stake_min_lamports,
            bond_min_lamports,
            bond_rate_bps,
            miss_rate_bps,
            delay_fee_lamports,
            decline_fee_lamports,
            attempts_max,
            queue_timeout_s,
            execution_base_s,
            challenge_base_s,
            job_total_s,
            unbonding_s,
            verify_rate_gas_per_s,
            gas_limit_max,
            profiles,
            quorum_bps,
            executions_max,
            ticket_lamports,
            widen_s,
            reveal_s,
            jury_lambda,
            jury_quorum_bps,
            juror_bond_lamports,
            duty_rate_bps,
            audit_one_in_min,
            audit_one_in_max,
            jail_s,
        }
    }
}

/// Terms as text: a name and what holds, every term once.
pub fn rows(terms: &MarketTerms) -> Vec<(&'static str, String)> {
    let seconds = |s: u32| duration(i64::from(s));
    let windowed = |s| format!("{} + gas limit / {} per second", seconds(s), grouped(terms.verify_rate_gas_per_s));
    let profiles: Vec<String> =
        (0..u32::BITS).filter(|bit| terms.profiles >> bit & 1 == 1).map(|bit| (bit + 1).to_string()).collect();
    vec![
        ("fee", format!("{} on top of the pay", percent(terms.fee_bps))),
        ("stake", format!("at least {}", lamports(terms.stake_min_lamports))),
        (
            "bond",
            format!("{} of the most pay, at least {}", percent(terms.bond_rate_bps), lamports(terms.bond_min_lamports)),
        ),
        (
            "missed",
            format!(
                "costs {} of the bond, of which at most {} (delay fee) go to the poster",
                percent(terms.miss_rate_bps),
                lamports(terms.delay_fee_lamports)
            ),
        ),
        ("given back", format!("costs {} (decline fee)", lamports(terms.decline_fee_lamports))),
        ("attempts", format!("a job is handed out at most {} times", terms.attempts_max)),
        ("queue", format!("a job waits at most {} for a provider", seconds(terms.queue_timeout_s))),
        ("execution", windowed(terms.execution_base_s)),
        ("challenge", windowed(terms.challenge_base_s)),
        ("job total", format!("not queued again {} after its creation", seconds(terms.job_total_s))),
        ("unbonding", seconds(terms.unbonding_s)),
        ("gas limit", format!("at most {}", grouped(terms.gas_limit_max))),
        ("profiles", profiles.join(", ")),
        (
            "seats",
            format!(
                "at most {}, arbiters included; a quorum is {} of their stake",
                terms.executions_max,
                percent(terms.quorum_bps)
            ),
        ),
        (
            "draws",
            format!(
                "one ticket for each {} of stake; its chance doubles every {}",
                lamports(terms.ticket_lamports),
                seconds(terms.widen_s)
            ),
        ),
        ("reveal", seconds(terms.reveal_s)),
        (
            "jury",
            format!(
                "{} tickets at first, of which {} must vote; each locks {}",
                terms.jury_lambda,
                percent(terms.jury_quorum_bps),
                lamports(terms.juror_bond_lamports)
            ),
        ),
        ("duty", format!("locks {} of the enrolled stake", percent(terms.duty_rate_bps))),
        ("audits", audits(terms)),
        ("jail", seconds(terms.jail_s)),
    ]
}

fn audits(terms: &MarketTerms) -> String {
    match terms.audit_one_in_max {
        0 => "none: no job runs alone".to_owned(),
        most => format!("one in {} to one in {most} results of jobs that run alone", terms.audit_one_in_min),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use assay_protocol::limits::{ROUND_LAST, SEED_WAIT_S};
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        terms: TermsArgs,
    }

    #[test]
    fn what_no_flag_names_stays_as_it_is_and_the_defaults_are_allowed() {
        let args = Command::parse_from(["x", "--fee-bps", "300", "--stake-min", "2sol"]).terms;
        let terms = args.over(DEFAULTS).unwrap();
        assert_eq!(terms, MarketTerms { fee_bps: 300, stake_min_lamports: 2_000_000_000, ..DEFAULTS });
    }

    #[test]
    fn terms_outside_the_bounds_are_refused_with_the_place_where_the_bounds_are() {
        let args = Command::parse_from(["x", "--fee-bps", "2000"]).terms;
        let error = args.over(DEFAULTS).unwrap_err().to_string();
        assert!(error.contains("1,000 basis points") && error.contains("docs/PROTOCOL.md"), "{error}");
    }

    #[test]
    fn a_dispute_by_the_default_terms_lasts_as_long_as_the_protocol_says() {
        const GAS: u64 = 1_000_000_000;
        // Four slots are 1.6 s; the rest is for whoever records.
        const SEED_S: u64 = 10;
        let (window_s, run_s) = (DEFAULTS.challenge_s(GAS), DEFAULTS.execution_s(GAS));
        let reveal_s = u64::from(DEFAULTS.reveal_s);
        // Committed, revealed, and all the time in which somebody may appeal, or show who was absent.
        let round_s = run_s + reveal_s + run_s.max(reveal_s);
        let last_round_s = run_s + reveal_s + reveal_s;
        let first_s = window_s + SEED_S + round_s;
        assert_eq!(first_s, 940);
        assert!(first_s <= 20 * 60);
        let drawn_rounds = u64::from(ROUND_LAST);
        assert_eq!(window_s + drawn_rounds * (SEED_S + round_s) + last_round_s, 1_850);
        let longest_s = window_s + drawn_rounds * (u64::from(SEED_WAIT_S) + round_s) + last_round_s;
        assert_eq!(longest_s, 4_520);
        assert!(longest_s <= window_s + DEFAULTS.dispute_s(GAS));
    }

    #[test]
    fn a_changed_term_changes_a_row() {
        let all = serde_json::to_value(TermsView::from(DEFAULTS)).unwrap();
        assert_eq!(all.as_object().unwrap().len(), 28);
        let changes: [fn(&mut MarketTerms); 28] = [
            |terms| terms.fee_bps += 1,
            |terms| terms.stake_min_lamports += 1,
            |terms| terms.bond_min_lamports += 1,
            |terms| terms.bond_rate_bps += 1,
            |terms| terms.miss_rate_bps += 1,
            |terms| terms.delay_fee_lamports += 1,
            |terms| terms.decline_fee_lamports += 1,
            |terms| terms.attempts_max += 1,
            |terms| terms.queue_timeout_s += 3_600,
            |terms| terms.execution_base_s += 60,
            |terms| terms.challenge_base_s += 60,
            |terms| terms.job_total_s += 86_400,
            |terms| terms.unbonding_s += 86_400,
            |terms| terms.verify_rate_gas_per_s += 1,
            |terms| terms.gas_limit_max += 1,
            |terms| terms.profiles += 2,
            |terms| terms.quorum_bps += 1,
            |terms| terms.executions_max += 1,
            |terms| terms.ticket_lamports += 1,
            |terms| terms.widen_s += 1,
            |terms| terms.reveal_s += 1,
            |terms| terms.jury_lambda += 1,
            |terms| terms.jury_quorum_bps += 1,
            |terms| terms.juror_bond_lamports += 1,
            |terms| terms.duty_rate_bps += 1,
            |terms| terms.audit_one_in_min += 1,
            |terms| terms.audit_one_in_max += 1,
            |terms| terms.jail_s += 86_400,
        ];
        for (index, change) in changes.into_iter().enumerate() {
            let mut terms = DEFAULTS;
            change(&mut terms);
            assert_ne!(rows(&terms), rows(&DEFAULTS), "{index}");
        }
    }
}
