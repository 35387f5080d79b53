//! `assay job quote`: what a job would cost, who could take it, and how soon its seats would be taken.

use assay_protocol::{
    Mode,
    limits::TRUSTED_STREAK,
    tickets::{Fill, seat_threshold, usable},
};
use assay_sdk::{
    accounts::Keyed,
    explain::{ProspectiveJob, audit_of_new, obstacle_of_new},
    program::accounts::Market,
};
use clap::Args;
use serde::Serialize;

use super::{
    module::ModuleJson,
    order::OrderArgs,
    submit::{Plan, PlanJson, plan_json},
};
use crate::{
    chain::Chain,
    context::Context,
    error::{CliResult, Context as _},
    output::{duration, table},
};

/// Slots until the seed of a draw is there, and how long one takes, milliseconds.
const SEED_MS: u64 = 4 * 400;
/// Of a hundred jobs like this, in how many the seats are taken by the times that are named.
const HALF: f64 = 0.5;
const MOST: f64 = 0.95;

/// `assay job quote`.
#[derive(Debug, Args)]
pub struct QuoteArgs {
    #[command(flatten)]
    order: OrderArgs,
}

/// One provider of the market.
#[derive(Debug, Serialize)]
struct ProviderJson {
    provider: String,
    /// Why it could not take a seat: the first condition of the program that fails. `None`: it could.
    obstacle: Option<String>,
    /// Its tickets that would take part in the draw.
    tickets: u32,
    /// Whether it could take all of an adaptive job alone, at once and without a ticket: one in so many of its results is audited.
    alone_audit_one_in: Option<u16>,
}

impl ProviderJson {
    /// Whether it could take a seat, or the whole job.
    fn could(&self) -> String {
        let alone = self.alone_audit_one_in.map(|one_in| format!("alone, with one result in {one_in} audited"));
        match (&self.obstacle, alone) {
            (None, None) => "yes".to_owned(),
            (None, Some(alone)) => format!("yes, or {alone}"),
            (Some(why), None) => format!("no: {why}"),
            (Some(why), Some(alone)) => format!("{alone}; else no: {why}"),
        }
    }
}

/// How soon the seats would be taken if whoever can take one does so at once.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct FillJson {
    /// Seconds until every other job like this has its seats.
    half_s: u64,
    /// Seconds until 95 of a hundred have.
    most_s: u64,
}

#[derive(Debug, Serialize)]
struct QuoteJson {
    #[serde(flatten)]
    plan: PlanJson,
    /// Providers that could take a drawn seat, or the only one.
    eligible: usize,
    /// Providers that could take all of an adaptive job alone.
    eligible_alone: usize,
    /// How soon the seats would be taken if nobody took the job alone. `None` when too few providers could take a seat.
    fill: Option<FillJson>,
    providers: Vec<ProviderJson>,
    /// What is on record of its module; `None`: nothing.
    module: Option<ModuleJson>,
    remarks: Vec<String>,
}

pub(super) async fn quote(context: &Context, args: &QuoteArgs) -> CliResult {
    let chain = Chain::reading(context).await?;
    let (address, market) = chain.market().await?;
    let now_unix = chain.now_unix().await?;
    let order = args.order.order(address, now_unix);
    let plan = Plan::make(&chain, &order).await?;
    let terms = market.current_terms(now_unix);
    let job = ProspectiveJob {
        market: address,
        mode: plan.spec.mode(),
        price: plan.spec.price(),
        gas_limit: plan.prepared.task.limits.gas_limit,
        min_trust_bps: plan.spec.min_trust_bps(),
        now_unix,
    };
    let mut providers = Vec::new();
    for Keyed { address, account } in chain.providers(address).await? {
        let obstacle = obstacle_of_new(&job, &market, &account).context("this job cannot be priced")?;
        let alone = audit_of_new(&job, &market, &account).context("this job cannot be priced")?;
        providers.push(ProviderJson {
            provider: address.to_string(),
            obstacle: obstacle.map(|check| check.detail),
            tickets: usable(account.tickets, account.stake_lamports, terms.ticket_lamports),
            alone_audit_one_in: alone,
        });
    }
    let eligible: Vec<u32> =
        providers.iter().filter(|found| found.obstacle.is_none()).map(|found| found.tickets).collect();
    let seats = plan.spec.redundancy();
    let fill = match plan.spec.mode() {
        Mode::Optimistic => (!eligible.is_empty()).then_some(FillJson { half_s: 0, most_s: 0 }),
        _ => fill(&eligible, seats, &queue(&market, seats, now_unix)),
    };
    let mut json = QuoteJson {
        plan: plan_json(&plan, &order, None),
        eligible: eligible.len(),
        eligible_alone: providers.iter().filter(|found| found.alone_audit_one_in.is_some()).count(),
        fill,
        providers,
        module: None,
        remarks: Vec::new(),
    };
    json.remarks = remarks(&json, seats);
    json.remarks.extend(alone_remark(plan.spec.mode(), json.eligible_alone));
    json.remarks.extend(jury_remark(&market, now_unix));
    let module = ModuleJson::read(chain.client(), job.market, plan.prepared.task.metered_hash).await?;
    json.remarks.extend(module.as_ref().map(ModuleJson::text));
    json.module = module;
    context.output.result(&json, || {
        println!("{}", plan.text(&order, "you"));
        print(&json, seats);
    });
    Ok(())
}

/// The queue of such a job, from now on.
fn queue(market: &Market, seats: u8, now_unix: i64) -> Fill {
    let terms = market.current_terms(now_unix);
    Fill {
        wanted: seats,
        tickets_total: market.tickets_total,
        fill_unix: now_unix,
        queue_deadline_unix: now_unix.saturating_add(i64::from(terms.queue_timeout_s)),
        widen_s: terms.widen_s,
        is_everybody: false,
    }
}

/// How soon so many of these providers, each named by its tickets, have one that wins. Thresholds double every `widen_s`
/// seconds until, at half of the queue's time, every ticket wins.
fn fill(tickets: &[u32], seats: u8, queue: &Fill) -> Option<FillJson> {
    if tickets.len() < usize::from(seats) {
        return None;
    }
    let all_s = u64::try_from(queue.queue_deadline_unix.saturating_sub(queue.fill_unix)).unwrap_or(0).div_ceil(2);
    let after = |share: f64| {
        let steps = (0..u64::from(u64::BITS)).map(|step| step.saturating_mul(u64::from(queue.widen_s.max(1))));
        let is_filled = |waited_s: &u64| {
            let now_unix = queue.fill_unix.saturating_add(i64::try_from(*waited_s).unwrap_or(i64::MAX));
            chance(tickets, seats, seat_threshold(queue, now_unix)) >= share
        };
        let waited_s = steps.take_while(|waited_s| *waited_s < all_s).find(is_filled).unwrap_or(all_s);
        waited_s.saturating_add(SEED_MS.div_ceil(1_000))
    };
    Some(FillJson { half_s: after(HALF), most_s: after(MOST) })
}

/// How likely at least so many of these providers have a ticket below the threshold.
fn chance(tickets: &[u32], seats: u8, threshold: u64) -> f64 {
    let seats = usize::from(seats);
    let one = threshold as f64 / u64::MAX as f64;
    // How likely exactly so many have one; the last entry is that number or more.
    let mut exactly = vec![0.0_f64; seats.saturating_add(1)];
    exactly[0] = 1.0;
    for tickets in tickets {
        let wins = 1.0 - (1.0 - one).powf(f64::from(*tickets));
        let mut before: f64 = 0.0;
        for (count, share) in exactly.iter_mut().enumerate() {
            let stays = if count == seats { *share } else { *share * (1.0 - wins) };
            let was = *share;
            *share = stays + before * wins;
            before = was;
        }
    }
    exactly[seats]
}

fn remarks(quote: &QuoteJson, seats: u8) -> Vec<String> {
    let mut remarks = Vec::new();
    if quote.eligible < usize::from(seats) && quote.eligible_alone == 0 {
        remarks.push(format!(
            "{} of {} providers could take a seat, and {seats} are wanted: as things stand it would expire, and everything \
             would come back",
            quote.eligible,
            quote.providers.len()
        ));
    }
    remarks.extend(quote.plan.remark.clone());
    remarks
}

/// An adaptive job need not be drawn at all.
fn alone_remark(mode: Mode, eligible_alone: usize) -> Option<String> {
    (mode == Mode::Adaptive).then(|| match eligible_alone {
        0 => format!(
            "no provider may take it alone now, which needs {TRUSTED_STREAK} confirmed results in a row and stake for a larger lock: \
             its seats are drawn"
        ),
        some => format!(
            "{some} of the providers may take it alone, at once and without a ticket: then one seat runs it and is paid, and the \
             others are drawn only if its result is audited"
        ),
    })
}

/// A first jury has `jury_lambda` tickets on average. With fewer than three times as many on duty, a few providers that are absent
/// can keep it from its quorum.
fn jury_remark(market: &Market, now_unix: i64) -> Option<String> {
    let least = u64::from(market.current_terms(now_unix).jury_lambda).saturating_mul(3);
    (market.duty_tickets_total < least).then(|| {
        format!(
            "{} tickets of the market stand for jury duty, fewer than {least}: a dispute may find no verdict, and then a lie \
             costs nothing",
            market.duty_tickets_total
        )
    })
}

fn print(quote: &QuoteJson, seats: u8) {
    let seats = if seats == 1 { "its seat".to_owned() } else { format!("its {seats} seats") };
    match &quote.fill {
        Some(FillJson { half_s: 0, .. }) => println!("Whoever looks first takes {seats}: {} could.", quote.eligible),
        Some(FillJson { half_s, most_s }) => println!(
            "Half of such jobs have {seats} taken within {}, 95 of a hundred within {}, if those who can, do at once.",
            duration(i64::try_from(*half_s).unwrap_or(i64::MAX)),
            duration(i64::try_from(*most_s).unwrap_or(i64::MAX))
        ),
        None => {}
    }
    let mut rows = table(["provider", "tickets", "could take a seat"]);
    for found in &quote.providers {
        rows.add_row([found.provider.clone(), found.tickets.to_string(), found.could()]);
    }
    println!("{rows}");
    for remark in &quote.remarks {
        println!("Remark: {remark}.");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn of(tickets_total: u64) -> Fill {
        let (fill_unix, queue_deadline_unix) = (100, 700);
        Fill { wanted: 3, tickets_total, fill_unix, queue_deadline_unix, widen_s: 10, is_everybody: false }
    }

    #[test]
    fn seats_are_taken_the_sooner_the_more_providers_there_are() {
        // Twice as many tickets win at once as there are seats: two hundred small providers fill three in 94 of a hundred.
        let many = vec![1; 200];
        assert!((0.93..0.95).contains(&chance(&many, 3, seat_threshold(&of(200), 100))));
        assert_eq!(fill(&many, 3, &of(200)).unwrap(), FillJson { half_s: 2, most_s: 12 });
        // Of three all have to win: some ticket of theirs does sooner or later.
        let few = fill(&[10; 3], 3, &of(200)).unwrap();
        assert!(few.half_s > 2 && few.half_s < few.most_s && few.most_s < 302, "{few:?}");
        assert_eq!(fill(&[1; 3], 3, &of(1 << 40)).unwrap(), FillJson { half_s: 302, most_s: 302 }, "half of the queue");
        assert_eq!(fill(&[1_000; 2], 3, &of(2_000)), None, "two cannot fill three");
    }

    #[test]
    fn who_could_take_an_adaptive_job_alone_is_said_so() {
        let could = |obstacle: Option<&str>, alone_audit_one_in| {
            let (provider, obstacle) = (String::new(), obstacle.map(str::to_owned));
            ProviderJson { provider, obstacle, tickets: 0, alone_audit_one_in }.could()
        };
        assert_eq!((could(None, None).as_str(), could(Some("why"), None).as_str()), ("yes", "no: why"));
        assert_eq!(could(None, Some(10)), "yes, or alone, with one result in 10 audited");
        assert_eq!(could(Some("why"), Some(10)), "alone, with one result in 10 audited; else no: why");
        assert!(alone_remark(Mode::Redundant, 1).is_none());
        assert!(alone_remark(Mode::Adaptive, 0).unwrap().contains("no provider may take it alone now"));
        assert!(alone_remark(Mode::Adaptive, 2).unwrap().contains("2 of the providers may take it alone"));
    }

    #[test]
    fn a_chance_is_one_where_every_ticket_wins_and_nothing_where_none_does() {
        assert_eq!(chance(&[1, 1, 1], 3, u64::MAX).to_bits(), 1.0_f64.to_bits());
        assert_eq!(chance(&[1, 1, 1], 3, 0).to_bits(), 0.0_f64.to_bits());
    }
}
