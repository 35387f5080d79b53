//! Why a provider has not accepted a job: the program's conditions, one by one, with the numbers behind them.

mod votes;

pub use votes::{VoteCheck, VoteCondition, VoteContext, first_vote_obstacle, vote_checks};

use std::fmt;

use anchor_lang::AnchorDeserialize;
use solana_pubkey::Pubkey;

use crate::program::{
    self,
    accounts::{Execution, Job, Market, Provider},
};
use assay_protocol::{
    FeeError, JobStatus, Mode, TrustVector,
    fees::{self, Price},
    tickets,
    trust::{AuditBounds, solo_lock},
};

/// What the conditions are evaluated on.
#[derive(Clone, Copy, Debug)]
pub struct AcceptContext<'a> {
    /// The job.
    pub job: &'a Job,
    /// The job's market.
    pub market: &'a Market,
    /// The provider.
    pub provider: &'a Provider,
    /// The provider's execution of this job, if there is one.
    pub execution: Option<&'a Execution>,
    /// The chain's time.
    pub now_unix: i64,
}

/// One condition of `accept_job`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AcceptCondition {
    /// The job and the provider are in the market.
    SameMarket,
    /// The market is not paused.
    MarketRunning,
    /// The job waits for a provider.
    JobOpen,
    /// The queue's deadline has not passed.
    BeforeDeadline,
    /// This provider did not have this job before.
    NotTriedBefore,
    /// The provider has a free place.
    FreePlace,
    /// The stake reaches the market's minimum.
    StakeMinimum,
    /// Free stake covers the bond.
    FreeStake,
    /// The bond fits under the exposure cap.
    ExposureCap,
    /// On duty, the bonds of votes with all tickets stay free beside the bond.
    JuryReserve,
    /// No wrong, hidden or repeatedly missing result keeps the provider from seats.
    OutOfJail,
    /// The provider's score reaches the job's floor.
    Trust,
    /// Where seats are drawn: tickets that were enrolled before the draw's slot was fixed.
    Tickets,
}

/// A condition, whether it holds, and the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptCheck {
    /// Which condition.
    pub condition: AcceptCondition,
    /// Whether it holds.
    pub holds: bool,
    /// Why, for people.
    pub detail: String,
}

impl fmt::Display for AcceptCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// Every condition of `accept_job` for this provider and job, in the order in which they are worth reading.
#[must_use]
pub fn accept_checks(context: &AcceptContext<'_>) -> Vec<AcceptCheck> {
    let AcceptContext { job, market, provider, execution, now_unix } = *context;
    let check = |condition, holds, detail: String| AcceptCheck { condition, holds, detail };
    let terms = market.current_terms(now_unix);
    let free = provider.free_stake_lamports();
    let is_drawn = job.job_mode().is_some_and(|mode| mode != Mode::Optimistic);
    let tickets = tickets::usable(provider.tickets, provider.stake_lamports, terms.ticket_lamports);
    let (score_bps, floor_bps) = (TrustVector::from(provider.trust).score_bps(), job.trust_floor_bps(now_unix));
    let locked_then = provider.locked_lamports.saturating_add(job.bond_lamports);
    let free_then = provider.stake_lamports.min(provider.exposure_cap_lamports).saturating_sub(locked_then);
    let reserve = provider.jury_reserve_lamports(&terms);
    vec![
        check(
            AcceptCondition::SameMarket,
            provider.market == job.market,
            format!("the provider is registered in market {}, the job is in {}", provider.market, job.market),
        ),
        check(AcceptCondition::MarketRunning, !market.is_paused(now_unix), pause_detail(market, now_unix)),
        check(AcceptCondition::JobOpen, job.job_status() == Some(JobStatus::Open), open_detail(job)),
        check(
            AcceptCondition::BeforeDeadline,
            now_unix < job.queue_deadline_unix,
            deadline_detail(job.queue_deadline_unix, now_unix),
        ),
        check(AcceptCondition::NotTriedBefore, execution.is_none(), tried_detail(execution)),
        check(
            AcceptCondition::FreePlace,
            provider.active < provider.capacity,
            format!("{} of {} places are taken", provider.active, provider.capacity),
        ),
        check(
            AcceptCondition::StakeMinimum,
            provider.stake_lamports >= job.stake_min_lamports,
            format!("the stake is {} lamports, the job asks for {}", provider.stake_lamports, job.stake_min_lamports),
        ),
        check(
            AcceptCondition::FreeStake,
            free >= job.bond_lamports,
            format!("{free} lamports of stake are free, the bond is {}", job.bond_lamports),
        ),
        check(
            AcceptCondition::ExposureCap,
            locked_then <= provider.exposure_cap_lamports,
            format!("{locked_then} lamports would be locked, the exposure cap is {}", provider.exposure_cap_lamports),
        ),
        check(AcceptCondition::JuryReserve, reserve <= free_then, reserve_detail(reserve, free_then)),
        check(
            AcceptCondition::OutOfJail,
            now_unix >= provider.jailed_until_unix,
            jail_detail(provider.jailed_until_unix, now_unix),
        ),
        check(
            AcceptCondition::Trust,
            score_bps >= floor_bps,
            format!("the provider's trust is {score_bps} of 10,000, this seat needs {floor_bps}"),
        ),
        check(
            AcceptCondition::Tickets,
            !is_drawn || (tickets > 0 && provider.tickets_from_unix <= job.draw.fixed_unix),
            tickets_detail(tickets, provider.tickets_from_unix.saturating_sub(job.draw.fixed_unix)),
        ),
    ]
}

/// A job that nobody has posted.
#[derive(Clone, Copy, Debug)]
pub struct ProspectiveJob {
    /// Where it would be posted.
    pub market: Pubkey,
    /// How its result would be found.
    pub mode: Mode,
    /// Price and base fee.
    pub price: Price,
    /// Most gas.
    pub gas_limit: u64,
    /// Least trust of a provider, basis points.
    pub min_trust_bps: u16,
    /// When it would be posted, by the chain's clock.
    pub now_unix: i64,
}

/// As [`first_obstacle`], for a job that would be posted now, and a seat of it. Of an adaptive job a drawn seat; who may take it
/// alone says [`audit_of_new`].
///
/// # Errors
/// [`FeeError`] when its bond leaves 64 bits of lamports.
pub fn obstacle_of_new(
    new: &ProspectiveJob,
    market: &Market,
    provider: &Provider,
) -> Result<Option<AcceptCheck>, FeeError> {
    let job = prospective(new, market)?;
    Ok(first_obstacle(&AcceptContext { job: &job, market, provider, execution: None, now_unix: new.now_unix }))
}

/// One in how many of this provider's results is audited, when the program would let it take all of an adaptive job that would
/// be posted now alone; `None` when it would not.
///
/// # Errors
/// [`FeeError`] when the job's bond leaves 64 bits of lamports.
pub fn audit_of_new(new: &ProspectiveJob, market: &Market, provider: &Provider) -> Result<Option<u16>, FeeError> {
    let mut job = prospective(new, market)?;
    let pay_max_lamports = new.price.pay(new.gas_limit)?;
    let terms = market.current_terms(new.now_unix);
    let bounds = AuditBounds { one_in_min: terms.audit_one_in_min, one_in_max: terms.audit_one_in_max };
    let streak = provider.trust.consecutive_valid;
    let Some(one_in) = bounds.one_in(streak).filter(|_| new.mode == Mode::Adaptive) else { return Ok(None) };
    let Ok(lock_lamports) = solo_lock(job.bond_lamports, pay_max_lamports, one_in) else { return Ok(None) };
    // It needs no ticket, as for a job of one seat, and locks more.
    (job.mode, job.bond_lamports) = (Mode::Optimistic.code(), lock_lamports);
    let context = AcceptContext { job: &job, market, provider, execution: None, now_unix: new.now_unix };
    let unaudited = provider.unaudited_lamports.checked_add(pay_max_lamports);
    let is_borne = unaudited.is_some_and(|lamports| lamports <= provider.stake_lamports);
    Ok((is_borne && first_obstacle(&context).is_none()).then_some(one_in))
}

/// The job as it would be on chain, as far as conditions look at it.
fn prospective(new: &ProspectiveJob, market: &Market) -> Result<Job, FeeError> {
    let ProspectiveJob { market: address, mode, price, gas_limit, min_trust_bps, now_unix } = *new;
    let terms = market.current_terms(now_unix);
    // An account of zeros, in which nobody has a seat; a type of the IDL has as many bytes on every chain.
    let mut job = Job::deserialize(&mut [0; program::ACCOUNT_BYTES_MAX].as_slice()).map_err(|_| FeeError)?;
    (job.market, job.status, job.mode) = (address, JobStatus::Open.code(), mode.code());
    job.min_trust_bps = min_trust_bps;
    job.queue_deadline_unix = now_unix.saturating_add(i64::from(terms.queue_timeout_s));
    job.stake_min_lamports = terms.stake_min_lamports;
    // Its draw is fixed in the moment that it is posted.
    job.draw.fixed_unix = now_unix;
    job.bond_lamports = fees::bond(price.pay(gas_limit)?, terms.bond_min_lamports, terms.bond_rate_bps)?;
    Ok(job)
}

/// The first condition that fails; `None` when the program would let the provider accept, so that its own policy, its
/// content sources or its load keep it from it.
#[must_use]
pub fn first_obstacle(context: &AcceptContext<'_>) -> Option<AcceptCheck> {
    accept_checks(context).into_iter().find(|check| !check.holds)
}

fn reserve_detail(reserve: u64, free_then: u64) -> String {
    format!("{free_then} lamports would stay free of stake and exposure cap, jury duty keeps {reserve} for votes")
}

fn jail_detail(jailed_until_unix: i64, now_unix: i64) -> String {
    let left_s = jailed_until_unix.saturating_sub(now_unix);
    if left_s > 0 {
        format!(
            "the provider may take no seat for another {left_s} s: it was wrong, hid a result or missed three deadlines"
        )
    } else {
        "the provider is not in jail".to_owned()
    }
}

fn pause_detail(market: &Market, now_unix: i64) -> String {
    if market.is_paused(now_unix) {
        let left_s = market.paused_until_unix.saturating_sub(now_unix);
        format!("the market is paused for another {left_s} s")
    } else {
        "the market is not paused".to_owned()
    }
}

fn open_detail(job: &Job) -> String {
    match job.job_status() {
        Some(JobStatus::Open) => "the job is open".to_owned(),
        Some(status) => match job.seat_holder() {
            Some(holder) => format!("the job is {status:?} and held by provider {holder}"),
            None => format!("the job is {status:?}"),
        },
        None => format!("the job has the unknown status {}", job.status),
    }
}

fn deadline_detail(deadline_unix: i64, now_unix: i64) -> String {
    let left_s = deadline_unix.saturating_sub(now_unix);
    if left_s > 0 {
        format!("{left_s} s are left to accept it")
    } else {
        format!("the time to accept it ended {} s ago", left_s.saturating_neg())
    }
}

fn tickets_detail(tickets: u32, younger_s: i64) -> String {
    match (tickets, younger_s > 0) {
        (0, _) => "the provider has no tickets: no stake of it is mature and enrolled".to_owned(),
        (_, true) => format!("the provider's tickets were enrolled {younger_s} s after the draw's slot was fixed"),
        (_, false) => format!("{tickets} tickets of the provider take part in the draw"),
    }
}

fn tried_detail(execution: Option<&Execution>) -> String {
    match execution.map(Execution::execution_status) {
        None => "the provider did not have this job before".to_owned(),
        Some(Some(status)) => format!("the provider has, or had, a seat of this job: {status:?}"),
        Some(None) => "the provider has, or had, a seat of this job".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn zeroed<T: AnchorDeserialize>() -> T {
        T::deserialize(&mut [0; 4_096].as_slice()).unwrap()
    }

    fn accounts() -> (Job, Market, Provider) {
        let (mut job, market, mut provider): (Job, Market, Provider) = (zeroed(), zeroed(), zeroed());
        job.status = JobStatus::Open.code();
        (job.queue_deadline_unix, job.bond_lamports) = (100, 10);
        provider.capacity = 1;
        (provider.stake_lamports, provider.exposure_cap_lamports) = (10, 10);
        (job, market, provider)
    }

    fn obstacle(job: &Job, market: &Market, provider: &Provider) -> Option<AcceptCondition> {
        let context = AcceptContext { job, market, provider, execution: None, now_unix: 50 };
        first_obstacle(&context).map(|check| check.condition)
    }

    #[test]
    fn a_provider_that_may_accept_has_no_obstacle() {
        let (job, market, provider) = accounts();
        assert_eq!(obstacle(&job, &market, &provider), None);
    }

    #[test]
    fn each_condition_is_named_when_it_alone_fails() {
        type Change = fn(&mut Job, &mut Market, &mut Provider);
        let cases: [(AcceptCondition, Change); 12] = [
            (AcceptCondition::SameMarket, |_, _, provider| provider.market = Pubkey::new_unique()),
            (AcceptCondition::MarketRunning, |_, market, _| market.paused_until_unix = 51),
            (AcceptCondition::JobOpen, |job, _, _| job.status = JobStatus::Assigned.code()),
            (AcceptCondition::BeforeDeadline, |job, _, _| job.queue_deadline_unix = 50),
            (AcceptCondition::FreePlace, |_, _, provider| provider.active = 1),
            (AcceptCondition::StakeMinimum, |job, _, _| job.stake_min_lamports = 11),
            (AcceptCondition::FreeStake, |_, _, provider| provider.stake_lamports = 9),
            (AcceptCondition::ExposureCap, |_, _, provider| provider.exposure_cap_lamports = 9),
            (AcceptCondition::JuryReserve, |_, market, provider| {
                (provider.duty_lock_lamports, provider.tickets) = (1, 1);
                market.terms.juror_bond_lamports = 1;
            }),
            (AcceptCondition::OutOfJail, |_, _, provider| provider.jailed_until_unix = 51),
            (AcceptCondition::Trust, |job, _, _| job.min_trust_bps = 1),
            (AcceptCondition::Tickets, |job, _, _| job.mode = Mode::Redundant.code()),
        ];
        for (condition, change) in cases {
            let (mut job, mut market, mut provider) = accounts();
            change(&mut job, &mut market, &mut provider);
            assert_eq!(obstacle(&job, &market, &provider), Some(condition));
        }
    }

    #[test]
    fn p_18_a_seat_is_explained_by_the_bonds_of_all_tickets_that_it_leaves() {
        let (job, mut market, mut provider) = accounts();
        (market.terms.ticket_lamports, market.terms.juror_bond_lamports) = (1_000, 30);
        (provider.tickets, provider.duty_lock_lamports) = (7, 350);
        // Seven bonds and the seat's, of stake or exposure cap.
        for (stake, cap) in [(7_000, 9_000), (9_000, 7_000)] {
            (provider.stake_lamports, provider.exposure_cap_lamports) = (stake, cap);
            provider.locked_lamports = 7_000 - 210 - 10;
            assert_eq!(obstacle(&job, &market, &provider), None);
            provider.locked_lamports += 1;
            assert_eq!(obstacle(&job, &market, &provider), Some(AcceptCondition::JuryReserve));
        }
    }

    #[test]
    fn p_16_tickets_count_that_were_enrolled_before_the_draw() {
        let (mut job, mut market, mut provider) = accounts();
        (job.mode, job.draw.fixed_unix, market.terms.ticket_lamports) = (Mode::Quorum.code(), 10, 5);
        (provider.tickets, provider.tickets_from_unix) = (2, 10);
        assert_eq!(obstacle(&job, &market, &provider), None);
        provider.tickets_from_unix = 11;
        assert_eq!(obstacle(&job, &market, &provider), Some(AcceptCondition::Tickets));
    }

    #[test]
    fn who_could_take_a_job_is_known_before_it_is_posted() {
        let (_, mut market, mut provider) = accounts();
        (market.terms.bond_min_lamports, market.terms.bond_rate_bps, market.terms.queue_timeout_s) = (10, 10_000, 5);
        market.terms.stake_min_lamports = 10;
        let price = Price { base_fee_lamports: 3, price: 0 };
        let mut job = ProspectiveJob {
            market: provider.market,
            mode: Mode::Optimistic,
            price,
            gas_limit: 1,
            min_trust_bps: 0,
            now_unix: 50,
        };
        let obstacle = |job: &ProspectiveJob, provider: &Provider| {
            obstacle_of_new(job, &market, provider).unwrap().map(|check| check.condition)
        };
        assert_eq!(obstacle(&job, &provider), None);
        job.min_trust_bps = 1;
        assert_eq!(obstacle(&job, &provider), Some(AcceptCondition::Trust), "nobody confirmed a result of it");
        (job.min_trust_bps, job.mode) = (0, Mode::Redundant);
        assert_eq!(obstacle(&job, &provider), Some(AcceptCondition::Tickets));
        job.price.base_fee_lamports = 11;
        assert_eq!(obstacle(&job, &provider), Some(AcceptCondition::FreeStake), "the bond is what it may pay");
        provider.stake_lamports = 9;
        assert_eq!(obstacle(&job, &provider), Some(AcceptCondition::StakeMinimum));
        job.price.price = u64::MAX;
        job.gas_limit = u64::MAX;
        assert!(obstacle_of_new(&job, &market, &provider).is_err());
    }

    #[test]
    fn a_provider_that_proved_itself_may_take_an_adaptive_job_alone() {
        let (_, mut market, mut provider) = accounts();
        (market.terms.bond_min_lamports, market.terms.queue_timeout_s) = (10, 5);
        (market.terms.audit_one_in_min, market.terms.audit_one_in_max) = (3, 20);
        (provider.stake_lamports, provider.exposure_cap_lamports, provider.trust.consecutive_valid) = (120, 120, 12);
        let mut job = ProspectiveJob {
            market: provider.market,
            mode: Mode::Adaptive,
            price: Price { base_fee_lamports: 10, price: 0 },
            gas_limit: 1,
            min_trust_bps: 0,
            now_unix: 50,
        };
        let audit = |job: &ProspectiveJob, provider: &Provider| audit_of_new(job, &market, provider).unwrap();
        assert_eq!(audit(&job, &provider), Some(12), "without any ticket");
        type Change = fn(&mut ProspectiveJob, &mut Provider);
        let refused: [Change; 6] = [
            |_, provider| provider.trust.consecutive_valid = 9,
            |_, provider| provider.stake_lamports = 119,
            |_, provider| provider.locked_lamports = 1,
            |_, provider| provider.unaudited_lamports = 111,
            |job, _| job.min_trust_bps = 1,
            |job, _| job.mode = Mode::Redundant,
        ];
        for change in refused {
            let (mut job, mut provider) = (job, provider);
            change(&mut job, &mut provider);
            assert_eq!(audit(&job, &provider), None, "{job:?} {provider:?}");
        }
        (job.price.price, job.gas_limit) = (u64::MAX, u64::MAX);
        assert!(audit_of_new(&job, &market, &provider).is_err());
    }

    #[test]
    fn a_provider_that_had_the_job_is_excluded() {
        let (job, market, provider) = accounts();
        let execution: Execution = zeroed();
        let context =
            AcceptContext { job: &job, market: &market, provider: &provider, execution: Some(&execution), now_unix: 0 };
        assert_eq!(first_obstacle(&context).unwrap().condition, AcceptCondition::NotTriedBefore);
    }
}
