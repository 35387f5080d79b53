//! `assay market`: create a market, look after it, show it.

mod show;
mod terms;

use assay_protocol::{fees, limits::PAUSE_S_MAX};
use assay_sdk::{
    client::Sent,
    instructions::{self, CreateMarket, MarketAuthority},
    pda,
    program::{
        account_bytes,
        accounts::{Market, Sink},
    },
};
use clap::{Args, Subcommand};
use solana_pubkey::Pubkey;

use crate::{
    chain::{Action, Chain},
    context::Context,
    error::{CliError, CliResult, Hint},
    output::{duration, lamports},
    parse,
};
use terms::{DEFAULTS, TermsArgs, rows, without_default};

/// `assay market`.
#[derive(Debug, Subcommand)]
pub enum MarketCommand {
    /// Creates a market under your key.
    #[command(after_help = "In brackets: what holds when a flag is left out.")]
    Create(Box<CreateArgs>),
    /// Announces other terms, which hold after one unbonding period; what no flag names stays as it is.
    #[command(mut_args(without_default), after_help = "Every term is unchanged when its flag is left out.")]
    Update(Box<TermsArgs>),
    /// Stops new jobs, acceptances and registrations for a while; what runs goes on.
    Pause {
        /// For how long, at most 72 hours; 0 ends a pause.
        #[arg(value_name = "SECONDS")]
        seconds: u32,
    },
    /// Offers the market to another key, which has it once it accepts; your own key takes an offer back.
    ProposeAuthority {
        /// Address of the key.
        #[arg(value_name = "ADDRESS", value_parser = parse::address)]
        new_authority: Pubkey,
    },
    /// Takes over a market that was offered to your key.
    AcceptAuthority,
    /// Pays the market's fees out to you.
    Claim,
    /// Shows a market's terms, those announced too, fees and pause.
    Show,
    /// Lists the markets of the cluster.
    List,
}

/// `assay market create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Name, up to 32 bytes.
    #[arg(long)]
    name: String,
    #[command(flatten)]
    terms: TermsArgs,
}

/// Runs `assay market`.
pub async fn run(context: &Context, command: MarketCommand) -> CliResult {
    match command {
        MarketCommand::Create(args) => create(context, &args).await,
        MarketCommand::Update(args) => update(context, &args).await,
        MarketCommand::Pause { seconds } => pause(context, seconds).await,
        MarketCommand::ProposeAuthority { new_authority } => propose_authority(context, new_authority).await,
        MarketCommand::AcceptAuthority => accept_authority(context).await,
        MarketCommand::Claim => claim(context).await,
        MarketCommand::Show => show::show(context).await,
        MarketCommand::List => show::list(context).await,
    }
}

async fn create(context: &Context, args: &CreateArgs) -> CliResult {
    let terms = args.terms.over(DEFAULTS)?;
    let name = pda::market_name(&args.name)
        .map_err(|error| CliError::usage(error.to_string()).with_next("choose another --name"))?;
    let chain = Chain::signing(context).await?;
    let client = chain.client();
    let authority = chain.signer()?;
    let address = pda::market_address(&authority, &name);
    if client.fetch_optional::<Market>(&address).await.hint()?.is_some() {
        return Err(CliError::new(format!("you have a market {:?} already: {address}", args.name)).with_next(format!(
            "look at it with `assay market show --market {address}`, change it with `assay market update`, or choose \
             another --name"
        )));
    }
    let mut all = Vec::new();
    let mut rent = client.rent_lamports(account_bytes::<Market>()).await.hint()?;
    if client.fetch_optional::<Sink>(&pda::sink_address()).await.hint()?.is_none() {
        all.push(instructions::create_sink(authority));
        rent = rent.saturating_add(client.rent_lamports(account_bytes::<Sink>()).await.hint()?);
    }
    let cluster = client.cluster_tag().await.hint()?;
    all.push(instructions::create_market(&CreateMarket { authority, name, cluster, terms }));
    let longest = |base_s| {
        i64::try_from(fees::window_s(base_s, terms.gas_limit_max, terms.verify_rate_gas_per_s)).unwrap_or(i64::MAX)
    };
    let action = Action {
        plan: format!(
            "Creates the market {:?} on {} under {authority}.\n  Pays {} rent, which stays in it.\n  A job with the highest \
             gas limit may run for {}; a result is final after {} at the least.",
            args.name,
            context.settings.cluster.value,
            lamports(rent),
            duration(longest(terms.execution_base_s)),
            duration(i64::from(terms.challenge_base_s)),
        ),
        doing: "creating the market",
        costs: &[("rent", rent)],
        instructions: &all,
        ..Action::default()
    };
    let sent = chain.carry_out(context, &action).await?;
    report(context, (&address, &sent), || {
        println!("market {address}");
        println!("next: assay config set market {address}");
    });
    Ok(())
}

/// The market of the settings, if it is the signer's.
async fn own(context: &Context) -> CliResult<(Chain, Market, MarketAuthority)> {
    let chain = Chain::signing(context).await?;
    let (address, market) = chain.market().await?;
    let signer = chain.signer()?;
    if market.authority != signer {
        return Err(CliError::new(format!(
            "the market {address} belongs to {}, and you are {signer}",
            market.authority
        ))
        .with_next("sign with its authority's --keypair, or name another --market"));
    }
    Ok((chain, market, MarketAuthority { authority: signer, market: address }))
}

async fn update(context: &Context, args: &TermsArgs) -> CliResult {
    let (chain, market, authority) = own(context).await?;
    let now_unix = chain.now_unix().await?;
    let current = market.current_terms(now_unix);
    let is_announced = market.pending_from_unix > now_unix;
    let next = args.over(if is_announced { market.pending_terms.into() } else { current })?;
    if next.ticket_lamports != current.ticket_lamports {
        let is = format!("a ticket of this market is {} for ever", lamports(current.ticket_lamports));
        return Err(CliError::usage(is).with_next("leave --ticket out, or create another market"));
    }
    if next == current && !is_announced {
        return Err(CliError::usage("these are the terms that hold already").with_next("`--help` lists the terms"));
    }
    let shown = rows(&current);
    let changes: Vec<String> = rows(&next)
        .iter()
        .filter(|row| !shown.contains(row))
        .map(|(name, text)| format!("\n  {name}: {text}"))
        .collect();
    let when = if next == current {
        "back to those in force".to_owned()
    } else {
        format!("in {}, so that providers can leave and posters know before", duration(i64::from(current.unbonding_s)))
    };
    let action = Action {
        plan: format!(
            "Changes the terms of the market {} {when}; jobs that are posted keep theirs.{}{}",
            authority.market,
            changes.concat(),
            if is_announced { "\n  Replaces what was announced before." } else { "" }
        ),
        doing: "changing the terms",
        instructions: &[instructions::update_market(&authority, &next)],
        ..Action::default()
    };
    let sent = chain.carry_out(context, &action).await?;
    report(context, (&authority.market, &sent), || println!("done; `assay market show` shows what holds"));
    Ok(())
}

async fn pause(context: &Context, seconds: u32) -> CliResult {
    if seconds > PAUSE_S_MAX {
        return Err(CliError::usage(format!("a pause is at most {PAUSE_S_MAX} s")).with_next("give fewer seconds"));
    }
    let (chain, market, authority) = own(context).await?;
    let now_unix = chain.now_unix().await?;
    let wait = market.pause_allowed_from_unix.saturating_sub(now_unix);
    if seconds > 0 && wait > 0 {
        return Err(CliError::new(format!("a pause may begin once in 7 days: again in {}", duration(wait)))
            .with_next("wait; `assay market show --json` says until when"));
    }
    let until_unix = now_unix.saturating_add(i64::from(seconds));
    let plan = match seconds {
        0 => format!("Ends the pause of the market {}.", authority.market),
        seconds => format!(
            "Pauses the market {} for {}: no new jobs, acceptances or registrations. The next pause may begin in 7 days.",
            authority.market,
            duration(i64::from(seconds))
        ),
    };
    let instructions = &[instructions::pause_market(&authority, until_unix)];
    let action = Action { plan, doing: "pausing", instructions, ..Action::default() };
    let sent = chain.carry_out(context, &action).await?;
    report(context, (&authority.market, &sent), || println!("done"));
    Ok(())
}

async fn propose_authority(context: &Context, new_authority: Pubkey) -> CliResult {
    let (chain, market, authority) = own(context).await?;
    let none = Pubkey::default();
    let is_offered = market.pending_authority != none;
    let (offered, plan) = if new_authority == authority.authority {
        if !is_offered {
            return Err(CliError::usage(format!("the market {} is yours, and offered to nobody", authority.market))
                .with_next("name the key that shall have it"));
        }
        (none, format!("Takes back the offer of the market {} to {}.", authority.market, market.pending_authority))
    } else {
        let plan = format!(
            "Offers the market {} to {new_authority}: its terms, its pause and its fees are that key's once it accepts, \
             and no longer yours.{}",
            authority.market,
            if is_offered { "\n  Replaces the offer that was made before." } else { "" }
        );
        (new_authority, plan)
    };
    let instructions = &[instructions::propose_market_authority(&authority, offered)];
    let action = Action { plan, doing: "offering the market", instructions, ..Action::default() };
    let sent = chain.carry_out(context, &action).await?;
    report(context, (&authority.market, &sent), || {
        println!("done");
        if offered != none {
            println!("next, with that key's --keypair: assay market accept-authority --market {}", authority.market);
        }
    });
    Ok(())
}

async fn accept_authority(context: &Context) -> CliResult {
    let chain = Chain::signing(context).await?;
    let (address, market) = chain.market().await?;
    let signer = chain.signer()?;
    if market.pending_authority != signer {
        return Err(CliError::new(format!("the market {address} is not offered to you, {signer}")).with_next(
            "its authority offers it with `assay market propose-authority ADDRESS`; `assay market show` says to whom it is \
             offered",
        ));
    }
    let action = Action {
        plan: format!("Takes the market {address} over from {}: terms, pause and fees.", market.authority),
        doing: "taking the market over",
        instructions: &[instructions::accept_market_authority(&MarketAuthority { authority: signer, market: address })],
        ..Action::default()
    };
    let sent = chain.carry_out(context, &action).await?;
    report(context, (&address, &sent), || println!("done: the market is yours"));
    Ok(())
}

async fn claim(context: &Context) -> CliResult {
    let (chain, market, authority) = own(context).await?;
    if market.fees_lamports == 0 {
        let json = serde_json::json!({ "market": authority.market.to_string(), "claimed_lamports": 0 });
        context.output.result(&json, || println!("there are no fees to claim"));
        return Ok(());
    }
    let fees = lamports(market.fees_lamports);
    let action = Action {
        plan: format!("Pays {fees} of fees out to {}.", authority.authority),
        doing: "claiming",
        instructions: &[instructions::claim_market_fees(&authority)],
        ..Action::default()
    };
    let sent = chain.carry_out(context, &action).await?;
    report(context, (&authority.market, &sent), || println!("done: {fees} claimed"));
    Ok(())
}

fn report(context: &Context, (market, sent): (&Pubkey, &Sent), human: impl FnOnce()) {
    let json = serde_json::json!({ "market": market.to_string(), "signature": sent.signature.to_string() });
    context.output.result(&json, human);
}
