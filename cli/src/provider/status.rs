//! `assay provider status`.

use assay_protocol::{
    tickets::{tickets_of, usable},
    trust::TrustVector,
};
use assay_sdk::{
    accounts::Keyed,
    instructions::ProviderAuthority,
    program::accounts::{Market, Provider},
};
use serde::Serialize;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    chain::Chain,
    context::Context,
    error::{CliResult, Hint},
    output::{duration, lamports, percent, table},
    progress::Progress,
    provider::{
        StatusArgs,
        held::Held,
        history::History,
        own::{not_registered, short},
    },
};

#[derive(Debug, Serialize)]
struct View {
    provider: String,
    authority: String,
    node_key: String,
    endpoint: String,
    stake_lamports: u64,
    stake_min_lamports: u64,
    locked_lamports: u64,
    unbonding_lamports: u64,
    unbonding_left_s: i64,
    earnings_lamports: u64,
    exposure_cap_lamports: u64,
    seats: u16,
    capacity: u16,
    /// Tickets of its stake that are counted in draws, and those that enrolling would count.
    tickets: u32,
    tickets_mature: u32,
    /// Of all tickets of the market.
    tickets_total: u64,
    /// Seconds until all of its stake has matured.
    maturing_left_s: i64,
    is_on_duty: bool,
    duty_lock_lamports: u64,
    /// Votes as a juror that are not settled.
    votes_open: u16,
    /// Seconds for which it takes no seat.
    jailed_left_s: i64,
    trust_score_bps: u16,
    confirmed: u32,
    consecutive_valid: u32,
    completed: u32,
    failed: u32,
    missed: u32,
    declined: u32,
    /// Disputed results of it that juries found right, and wrong.
    disputes_won: u32,
    disputes_lost: u32,
    /// Deadlines missed since the last confirmed result; the third leads to jail.
    misses_in_row: u8,
    /// Most that was paid for results that it found alone since others confirmed one; with the next at most its stake.
    unaudited_lamports: u64,
    latency_ms_per_gigagas: u32,
    /// Beside what the market gives a job of that size: 5,000 when it takes all of it. None before the first result.
    latency_score_bps: Option<u16>,
    node_balance_lamports: Option<u64>,
    /// What locks its stake, and what it owes as a juror; not with `--all`.
    held: Option<Held>,
    /// What its seats and votes brought and cost over time; only with `--history`.
    history: Option<History>,
}

pub(super) async fn status(context: &Context, args: &StatusArgs) -> CliResult {
    let chain = Chain::reading(context).await?;
    let (market, terms) = chain.market().await?;
    let now_unix = chain.now_unix().await?;
    let look = Look { market: &terms, now_unix };
    if args.all {
        let views: Vec<View> = chain.providers(market).await?.iter().map(|found| look.view(found)).collect();
        context.output.result(&views, || print_all(&views));
        return Ok(());
    }
    let authority = match args.authority {
        Some(authority) => authority,
        None => context.keypair()?.pubkey(),
    };
    let seat = ProviderAuthority { authority, market };
    let found: Option<Provider> = chain.client().fetch_optional(&seat.address()).await.hint()?;
    found.ok_or_else(|| not_registered(&seat))?;
    let (account, held) = Held::read(&chain, &seat.address()).await?;
    let found = Keyed { address: seat.address(), account };
    let mut view = look.view(&found);
    view.held = Some(held);
    view.node_balance_lamports = Some(chain.client().balance(&found.account.node_key).await.hint()?);
    if args.history {
        let _progress = Progress::start(context.output, "reading the provider's history");
        view.history = Some(History::read(&chain, &found.address).await?);
    }
    context.output.result(&view, || print_one(&view));
    Ok(())
}

/// The market at this moment.
struct Look<'a> {
    market: &'a Market,
    now_unix: i64,
}

impl Look<'_> {
    fn view(&self, found: &Keyed<Provider>) -> View {
        let Keyed { address, account: provider } = found;
        let terms = self.market.current_terms(self.now_unix);
        let left_s = |moment: i64| moment.saturating_sub(self.now_unix).max(0);
        let maturing_left_s = left_s(provider.stake_mature_from_unix);
        let borne = tickets_of(provider.stake_lamports, terms.ticket_lamports);
        let trust = TrustVector::from(provider.trust);
        View {
            provider: address.to_string(),
            authority: provider.authority.to_string(),
            node_key: provider.node_key.to_string(),
            endpoint: provider.endpoint_text(),
            stake_lamports: provider.stake_lamports,
            stake_min_lamports: terms.stake_min_lamports,
            locked_lamports: provider.locked_lamports,
            unbonding_lamports: provider.unbonding_lamports,
            unbonding_left_s: left_s(provider.unbonding_until_unix),
            earnings_lamports: provider.earnings_lamports,
            exposure_cap_lamports: provider.exposure_cap_lamports,
            seats: provider.active,
            capacity: provider.capacity,
            tickets: usable(provider.tickets, provider.stake_lamports, terms.ticket_lamports),
            tickets_mature: if maturing_left_s == 0 { borne } else { borne.min(provider.tickets) },
            tickets_total: self.market.tickets_total,
            maturing_left_s,
            is_on_duty: provider.is_on_duty(),
            duty_lock_lamports: provider.duty_lock_lamports,
            votes_open: provider.votes_open,
            jailed_left_s: left_s(provider.jailed_until_unix),
            trust_score_bps: trust.score_bps(),
            confirmed: trust.confirmed,
            consecutive_valid: trust.consecutive_valid,
            completed: trust.completed,
            failed: trust.failed,
            missed: trust.missed,
            declined: trust.declined,
            disputes_won: trust.disputes_won,
            disputes_lost: trust.disputes_lost,
            misses_in_row: provider.misses_in_row,
            unaudited_lamports: provider.unaudited_lamports,
            latency_ms_per_gigagas: trust.latency_ms_avg,
            latency_score_bps: trust.latency_score_bps(terms.verify_rate_gas_per_s),
            node_balance_lamports: None,
            held: None,
            history: None,
        }
    }
}

fn print_one(view: &View) {
    println!("provider   {}", view.provider);
    println!("authority  {}", view.authority);
    let balance = view.node_balance_lamports.map_or_else(String::new, |sum| format!(", holds {}", lamports(sum)));
    println!("hot key    {}{balance}", view.node_key);
    println!(
        "stake      {}, {} locked, at most {} locked at once",
        lamports(view.stake_lamports),
        lamports(view.locked_lamports),
        lamports(view.exposure_cap_lamports)
    );
    view.held.iter().for_each(Held::print);
    if view.stake_lamports < view.stake_min_lamports {
        let missing = lamports(view.stake_min_lamports.saturating_sub(view.stake_lamports));
        println!("           {missing} are missing to the market's minimum: no job is taken until they are staked");
    }
    if view.unbonding_lamports > 0 {
        let when = match view.unbonding_left_s {
            0 => "now; type `assay provider withdraw`".to_owned(),
            left => format!("in {}", duration(left)),
        };
        println!("unbonding  {}, can be withdrawn {when}", lamports(view.unbonding_lamports));
    }
    println!("tickets    {}", tickets(view));
    println!("duty       {}", duty(view));
    view.held.iter().for_each(Held::print_duties);
    println!("earnings   {} to claim", lamports(view.earnings_lamports));
    match &view.history {
        Some(history) => history.print(),
        None => println!("history    earnings and slashes over time are not in its account: --history adds them up"),
    }
    println!("seats      {} of {} taken", view.seats, view.capacity);
    if view.jailed_left_s > 0 {
        println!("           no new one for {}: wrong, hidden or missed results", duration(view.jailed_left_s));
    }
    println!(
        "record     {} right, {} wrong or hidden, {} missed ({} of them count towards jail), {} given back",
        view.completed, view.failed, view.missed, view.misses_in_row, view.declined
    );
    println!("disputes   {} of its results found right, {} found wrong", view.disputes_won, view.disputes_lost);
    if view.unaudited_lamports > 0 {
        println!("alone      {} paid or to be paid that nobody has audited", lamports(view.unaudited_lamports));
    }
    println!(
        "trust      {}, of {} results that others confirmed, the last {} without a fault",
        percent(view.trust_score_bps),
        view.confirmed,
        view.consecutive_valid
    );
    if let Some(score_bps) = view.latency_score_bps {
        let (score, ms) = (percent(score_bps), view.latency_ms_per_gigagas);
        println!("latency    {score}, with {ms} ms for 10^9 gas on average; 50 % is as long as the market expects");
    }
}

fn tickets(view: &View) -> String {
    let counted = format!("{} of the market's {} are counted in draws", view.tickets, view.tickets_total);
    match view.tickets_mature.saturating_sub(view.tickets) {
        0 if view.maturing_left_s > 0 => {
            format!("{counted}; all stake has matured in {}", duration(view.maturing_left_s))
        }
        0 => counted,
        more => format!("{counted}; {more} more can be: a running bot enrolls them, or `assay provider enroll`"),
    }
}

fn duty(view: &View) -> String {
    let lock = lamports(view.duty_lock_lamports);
    let votes = match view.votes_open {
        0 => String::new(),
        1 => "; 1 vote is not settled".to_owned(),
        votes => format!("; {votes} votes are not settled"),
    };
    match (view.is_on_duty, view.duty_lock_lamports) {
        (true, _) => format!("judges disputes, with {lock} locked{votes}"),
        (false, 0) => format!("judges no disputes{votes}"),
        (false, _) => format!("judges no new disputes; {lock} stay locked until the old ones are over{votes}"),
    }
}

fn print_all(views: &[View]) {
    let mut rows = table([
        "provider",
        "stake",
        "locked",
        "tickets",
        "earnings",
        "seats",
        "right",
        "wrong",
        "missed",
        "given back",
        "disputes won",
        "lost",
        "trust",
    ]);
    for view in views {
        rows.add_row([
            view.provider.parse::<Pubkey>().map_or_else(|_| view.provider.clone(), |address| short(&address)),
            lamports(view.stake_lamports),
            lamports(view.locked_lamports),
            view.tickets.to_string(),
            lamports(view.earnings_lamports),
            format!("{}/{}", view.seats, view.capacity),
            view.completed.to_string(),
            view.failed.to_string(),
            view.missed.to_string(),
            view.declined.to_string(),
            view.disputes_won.to_string(),
            view.disputes_lost.to_string(),
            percent(view.trust_score_bps),
        ]);
    }
    println!("{rows}");
}
