//! `assay provider status`.

use assay_protocol::{
    tickets::{tickets_of, usable},
    trust::TrustVector,
};
use assay_sdk::{
    Event, EventCursor,
    accounts::Keyed,
    events::SIGNATURES_MAX,
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
    output::{duration, lamports, table},
    progress::Progress,
    provider::{
        StatusArgs,
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
    /// Seconds for which it takes no seat.
    jailed_left_s: i64,
    trust_score_bps: u16,
    confirmed: u32,
    consecutive_valid: u32,
    completed: u32,
    failed: u32,
    missed: u32,
    declined: u32,
    latency_ms_per_gigagas: u32,
    node_balance_lamports: Option<u64>,
    /// What its seats brought and cost over time; only with `--history`.
    history: Option<HistoryJson>,
}

/// What the events of its seats say.
#[derive(Debug, Serialize)]
struct HistoryJson {
    earned_lamports: u64,
    slashed_lamports: u64,
    seats_paid: usize,
    seats_slashed: usize,
}

impl HistoryJson {
    async fn read(chain: &Chain, provider: &Pubkey) -> CliResult<Self> {
        let page = chain.client().events_after(provider, EventCursor::default(), SIGNATURES_MAX).await.hint()?;
        let mut sums = Self { earned_lamports: 0, slashed_lamports: 0, seats_paid: 0, seats_slashed: 0 };
        for record in &page.records {
            let (earned, slashed) = match &record.event {
                Event::ExecutionSettled(event) if event.provider == *provider => {
                    (event.pay_lamports.saturating_add(event.share_lamports), event.lost_lamports)
                }
                Event::ExecutionMissed(event) if event.provider == *provider => {
                    (0, event.poster_lamports.saturating_add(event.sink_lamports))
                }
                Event::JobDeclined(event) if event.provider == *provider => (0, event.fee_lamports),
                _ => continue,
            };
            sums.earned_lamports = sums.earned_lamports.saturating_add(earned);
            sums.slashed_lamports = sums.slashed_lamports.saturating_add(slashed);
            sums.seats_paid = sums.seats_paid.saturating_add(usize::from(earned > 0));
            sums.seats_slashed = sums.seats_slashed.saturating_add(usize::from(slashed > 0));
        }
        Ok(sums)
    }
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
    let found = Keyed { address: seat.address(), account: found.ok_or_else(|| not_registered(&seat))? };
    let mut view = look.view(&found);
    view.node_balance_lamports = Some(chain.client().balance(&found.account.node_key).await.hint()?);
    if args.history {
        let _progress = Progress::start(context.output, "reading the provider's history");
        view.history = Some(HistoryJson::read(&chain, &found.address).await?);
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
            is_on_duty: provider.duty_lock_lamports > 0 && self.now_unix < provider.duty_until_unix,
            duty_lock_lamports: provider.duty_lock_lamports,
            jailed_left_s: left_s(provider.jailed_until_unix),
            trust_score_bps: trust.score_bps(),
            confirmed: trust.confirmed,
            consecutive_valid: trust.consecutive_valid,
            completed: trust.completed,
            failed: trust.failed,
            missed: trust.missed,
            declined: trust.declined,
            latency_ms_per_gigagas: trust.latency_ms_avg,
            node_balance_lamports: None,
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
    println!("earnings   {} to claim", lamports(view.earnings_lamports));
    if let Some(HistoryJson { earned_lamports, slashed_lamports, seats_paid, seats_slashed }) = &view.history {
        println!(
            "history    {} earned by {seats_paid} seats, {} lost by {seats_slashed}",
            lamports(*earned_lamports),
            lamports(*slashed_lamports)
        );
    }
    println!("seats      {} of {} taken", view.seats, view.capacity);
    if view.jailed_left_s > 0 {
        println!("           no new one for {}: wrong, hidden or missed results", duration(view.jailed_left_s));
    }
    println!(
        "record     {} right, {} wrong or hidden, {} missed, {} given back",
        view.completed, view.failed, view.missed, view.declined
    );
    let (whole, rest) = (view.trust_score_bps / 100, view.trust_score_bps % 100);
    println!(
        "trust      {whole}.{rest:02} %, of {} results that others confirmed, the last {} without a fault",
        view.confirmed, view.consecutive_valid
    );
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
    match (view.is_on_duty, view.duty_lock_lamports) {
        (true, _) => format!("judges disputes, with {lock} locked"),
        (false, 0) => "judges no disputes".to_owned(),
        (false, _) => format!("judges no new disputes; {lock} stay locked until the old ones are over"),
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
            format!("{}.{:02} %", view.trust_score_bps / 100, view.trust_score_bps % 100),
        ]);
    }
    println!("{rows}");
}
