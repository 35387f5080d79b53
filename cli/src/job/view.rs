//! A job as JSON and as text.

use assay_sdk::{
    job_handle::JobView,
    program::accounts::{Execution, Job},
};
use serde::Serialize;

use super::state::{mode_name, state};
use crate::{
    ended::{Ended, outcome_text},
    output::{duration, grouped, lamports},
};

/// A job as `--json` shows it.
#[derive(Clone, Debug, Serialize)]
pub struct JobJson {
    /// Address.
    pub job: String,
    /// Tells the jobs apart that had this address one after the other.
    pub job_uid: String,
    /// State.
    pub state: &'static str,
    /// Seconds in this state.
    pub age_s: Option<i64>,
    /// Why, and what is next.
    pub reason: String,
    /// Market.
    pub market: String,
    /// Poster.
    pub poster: String,
    /// Provider account that holds or held the seat; the first of several.
    pub provider: Option<String>,
    /// `optimistic`, `redundant`, `quorum`; unknown once it is closed.
    pub mode: Option<&'static str>,
    /// Seats that the poster asked for.
    pub redundancy: Option<u8>,
    /// Seats that are to be taken by now, those of earlier rounds included.
    pub seats_wanted: Option<u8>,
    /// Seats that are taken.
    pub seats_filled: Option<u8>,
    /// Job directory.
    pub job_cid: String,
    /// Metered module.
    pub metered_hash: String,
    /// Most gas.
    pub gas_limit: u64,
    /// Lamports per 10^12 gas.
    pub price: u64,
    /// Paid for any outcome.
    pub base_fee_lamports: u64,
    /// Kind of the outcome that stands.
    pub outcome: Option<&'static str>,
    /// Exit code, when the outcome has one.
    pub exit_code: Option<u32>,
    /// Gas used.
    pub gas_used: Option<u64>,
    /// Result directory.
    pub result_cid: Option<String>,
    /// Paid to the provider, once final.
    pub pay_lamports: u64,
    /// Paid to the market, once final.
    pub fee_lamports: u64,
    /// Came back to the poster, once closed; rent not included.
    pub refund_lamports: Option<u64>,
    /// Whether the account is closed.
    pub closed: bool,
    /// The outcome in words: exit code, trap, what is invalid.
    pub outcome_text: Option<String>,
}

impl JobJson {
    /// From what the SDK knows.
    pub fn new(view: &JobView, seat: Option<&Execution>, now_unix: i64) -> Self {
        let state = state(view, seat, now_unix);
        let outcome = view.outcome.as_ref();
        let account = view.account.as_deref();
        Self {
            job: view.address.to_string(),
            job_uid: hex::encode(view.job_uid),
            state: state.state,
            age_s: state.age_s,
            reason: state.reason,
            market: view.market.to_string(),
            poster: view.poster.to_string(),
            provider: view.provider.map(|provider| provider.to_string()),
            mode: account.and_then(Job::job_mode).map(mode_name),
            redundancy: account.map(|job| job.redundancy),
            seats_wanted: account.map(|job| job.seats_wanted),
            seats_filled: account.map(|job| job.seats_filled),
            job_cid: view.job_cid().to_string(),
            metered_hash: hex::encode(view.task.metered_hash),
            gas_limit: view.task.limits.gas_limit,
            price: view.price.price,
            base_fee_lamports: view.price.base_fee_lamports,
            outcome: outcome.map(|outcome| outcome.kind.name()),
            exit_code: outcome.and_then(|outcome| Ended::of_outcome(outcome, None).exit_code()),
            gas_used: outcome.map(|outcome| outcome.gas_used),
            result_cid: view.result_cid().map(|cid| cid.to_string()),
            pay_lamports: view.pay_lamports,
            fee_lamports: view.fee_lamports,
            refund_lamports: view.closing.map(|closing| closing.refund_lamports),
            closed: view.account.is_none(),
            outcome_text: outcome.map(outcome_text),
        }
    }

    /// `submitted for 3 s: a result stands; …`
    pub fn state_line(&self) -> String {
        match self.age_s {
            Some(age) => format!("{} for {}: {}", self.state, duration(age), self.reason),
            None => format!("{}: {}", self.state, self.reason),
        }
    }

    /// Prints it for a person.
    pub fn print(&self) {
        println!("job       {}", self.job);
        println!("uid       {}", self.job_uid);
        println!("state     {}", self.state_line());
        println!("market    {}", self.market);
        println!("poster    {}", self.poster);
        match (&self.provider, self.mode, self.redundancy, self.seats_wanted, self.seats_filled) {
            (_, Some(mode), Some(redundancy), Some(wanted), Some(filled)) if redundancy > 1 => {
                println!("seats     {redundancy}, {mode}; {filled} of {wanted} taken");
            }
            (Some(provider), ..) => println!("provider  {provider}"),
            _ => {}
        }
        println!("content   {}", self.job_cid);
        println!(
            "price     {} per 10^12 gas, at most {} gas, base fee {}",
            lamports(self.price),
            grouped(self.gas_limit),
            lamports(self.base_fee_lamports)
        );
        if let Some(outcome) = &self.outcome_text {
            println!("outcome   {outcome}, {} gas", grouped(self.gas_used.unwrap_or_default()));
        }
        if let Some(result) = &self.result_cid {
            println!("result    {result}");
        }
        if self.state == "resolved" {
            let refund = self.refund_lamports.map_or_else(String::new, |sum| format!(", refunded {}", lamports(sum)));
            println!("paid      {}, market fee {}{refund}", lamports(self.pay_lamports), lamports(self.fee_lamports));
        }
    }
}
