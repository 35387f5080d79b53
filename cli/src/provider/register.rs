//! Registration: its beginning, its changes, its end.

use std::{path::Path, sync::Arc};

use assay_sdk::{
    client::SharedSigner,
    instructions::{self, EnrollStake, ProviderChanges, RegisterProvider},
    keypair::{KeypairError, load_keypair},
    program::{account_bytes, accounts::Provider},
};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::{
    RegisterArgs, UpdateArgs,
    files::{CONFIG_NAME, NODE_KEY_NAME},
    own::Own,
};
use crate::{
    chain::Action,
    context::Context,
    error::{CliError, CliResult, Context as _, Hint},
    output::{duration, lamports, typeable},
};

pub(super) async fn register(context: &Context, args: &RegisterArgs) -> CliResult {
    let node_key = hot_key(&args.dir.join(NODE_KEY_NAME), &args.dir)?;
    let endpoint = endpoint(&args.endpoint)?;
    let own = Own::open(context).await?;
    require_new(&own, &node_key).await?;
    let rent = own.chain.client().rent_lamports(account_bytes::<Provider>()).await.hint()?;
    let exposure_cap_lamports = args.exposure_cap.unwrap_or(args.stake);
    let node_address = node_key.pubkey();
    let mut all = vec![instructions::register_provider(&RegisterProvider {
        authority: own.seat.authority,
        node_key: node_address,
        market: own.seat.market,
        stake_lamports: args.stake,
        exposure_cap_lamports,
        capacity: args.capacity,
        endpoint,
    })];
    if args.fund_node > 0 {
        all.push(solana_system_interface::instruction::transfer(&own.seat.authority, &node_address, args.fund_node));
    }
    let remark = remark(args, own.market.current_terms(own.chain.now_unix().await?).stake_min_lamports);
    let node_signer: SharedSigner = Arc::new(node_key);
    let action = Action {
        plan: format!(
            "Registers {} as a provider in the market {} ({}).\n  Stakes {}, at most {} of it locked at once; pays {} \
             rent, which comes back with `assay provider close`.\n  Sends {} to its hot key {node_address}.{remark}",
            own.seat.authority,
            own.market.name_text(),
            own.seat.market,
            lamports(args.stake),
            lamports(exposure_cap_lamports),
            lamports(rent),
            lamports(args.fund_node),
        ),
        doing: "registering",
        costs: &[("stake", args.stake), ("rent", rent), ("for the hot key", args.fund_node)],
        instructions: &all,
        signers: &[node_signer],
    };
    let sent = own.chain.carry_out(context, &action).await?;
    let json = serde_json::json!({
        "provider": own.seat.address().to_string(),
        "node_key": node_address.to_string(),
        "signature": sent.signature.to_string(),
    });
    context.output.result(&json, || {
        println!("provider {}", own.seat.address());
        println!("next: assay provider start --config {}", typeable(&args.dir.join(CONFIG_NAME)));
    });
    Ok(())
}

/// What the program allows and a person hardly means.
fn remark(args: &RegisterArgs, stake_min: u64) -> String {
    let mut remark = String::new();
    if args.stake < stake_min {
        let more = lamports(stake_min.saturating_sub(args.stake));
        remark = format!(
            "\n  The market asks for a stake of {}: it takes no job before {more} are added.",
            lamports(stake_min)
        );
    }
    if args.exposure_cap == Some(0) {
        remark.push_str("\n  With an exposure cap of zero it takes no job.");
    }
    if args.fund_node == 0 {
        remark.push_str("\n  The hot key pays for transactions: see that it has SOL.");
    }
    remark
}

async fn require_new(own: &Own, node_key: &Keypair) -> CliResult {
    let address = own.seat.address();
    if own.chain.client().fetch_optional::<Provider>(&address).await.hint()?.is_some() {
        let (authority, market) = (own.seat.authority, own.seat.market);
        return Err(CliError::new(format!("{authority} is a provider in the market {market} already: {address}"))
            .with_next(
                "look at it with `assay provider status`, add stake with `assay provider stake AMOUNT`, change capacity, \
                 exposure cap, endpoint or hot key with `assay provider update`",
            ));
    }
    if node_key.pubkey() == own.seat.authority {
        return Err(CliError::usage("the hot key is the key that signs").with_next(
            "use another --keypair: the cold key owns the stake and must not lie on the provider's machine",
        ));
    }
    let left = own.market.paused_until_unix.saturating_sub(own.chain.now_unix().await?);
    if left > 0 {
        return Err(CliError::new(format!("the market is paused for another {}", duration(left)))
            .with_next("register then, or choose another --market"));
    }
    Ok(())
}

pub(super) fn hot_key(path: &Path, dir: &Path) -> CliResult<Keypair> {
    match load_keypair(path) {
        Err(KeypairError::Missing { .. }) => Err(CliError::new(format!("the hot key {} is not there", path.display()))
            .with_next(format!(
                "write it with `assay provider init --dir {}`, or name its directory with --dir",
                typeable(dir)
            ))),
        loaded => loaded.context("cannot load the provider's hot key"),
    }
}

fn endpoint(text: &str) -> CliResult<[u8; 64]> {
    instructions::endpoint(text).ok_or_else(|| {
        CliError::usage(format!("--endpoint has {} bytes, at most 64 are kept", text.len()))
            .with_next("give a shorter one")
    })
}

pub(super) async fn update(context: &Context, args: &UpdateArgs) -> CliResult {
    let endpoint = args.endpoint.as_deref().map(endpoint).transpose()?;
    let node_key = args.node_key.as_deref().map(load_keypair).transpose()?;
    let (own, provider) = Own::registered(context).await?;
    let new_node_key = node_key.as_ref().map(Signer::pubkey);
    let changes =
        ProviderChanges { exposure_cap_lamports: args.exposure_cap, capacity: args.capacity, endpoint, new_node_key };
    let mut plan = format!("Changes the provider {}:", own.seat.address());
    if let Some(cap) = args.exposure_cap {
        let now = lamports(provider.exposure_cap_lamports);
        plan.push_str(&format!(
            "\n  exposure cap: {} (now {now}, {} locked)",
            lamports(cap),
            lamports(provider.locked_lamports)
        ));
    }
    if let Some(capacity) = args.capacity {
        plan.push_str(&format!("\n  seats at once: {capacity} (now {}, {} taken)", provider.capacity, provider.active));
    }
    if let Some(endpoint) = &args.endpoint {
        plan.push_str(&format!("\n  endpoint: {endpoint:?} (now {:?})", provider.endpoint_text()));
    }
    if let Some(node_key) = new_node_key {
        plan.push_str(&format!(
            "\n  hot key: {node_key} (now {}, which can do nothing any more). Give the new one SOL, name it in \
             provider.toml and start the bot again.",
            provider.node_key
        ));
    }
    let signers: Vec<SharedSigner> = node_key.into_iter().map(|key| Arc::new(key) as SharedSigner).collect();
    let action = Action {
        plan,
        doing: "updating",
        instructions: &[instructions::update_provider(&own.seat, &changes)],
        signers: &signers,
        ..Action::default()
    };
    own.carry_out(context, &action).await?;
    Ok(())
}

pub(super) async fn close(context: &Context) -> CliResult {
    let (own, provider) = Own::registered(context).await?;
    let steps = [
        (provider.active > 0 || provider.children_open > 0, "its seats are not all settled", "wait, or settle them"),
        (provider.stake_lamports > 0, "it has stake", "take it out: `assay provider unstake AMOUNT`"),
        (provider.unbonding_lamports > 0, "stake is on its way out", "wait, then `assay provider withdraw`"),
        (provider.earnings_lamports > 0, "it has earnings", "pay them out: `assay provider claim`"),
    ];
    if let Some((_, what, next)) = steps.into_iter().find(|(applies, ..)| *applies) {
        return Err(CliError::new(format!("the provider {} cannot be closed: {what}", own.seat.address()))
            .with_next(format!("{next}; `assay provider status` shows everything")));
    }
    let mut instructions = vec![instructions::close_provider(&own.seat)];
    if provider.tickets > 0 {
        // Those of stake that was lost stay counted until somebody counts them anew.
        let (signer, market, provider) = (own.seat.authority, own.seat.market, own.seat.address());
        instructions.insert(0, instructions::enroll_stake(&EnrollStake { signer, market, provider }));
    }
    let action = Action {
        plan: format!(
            "Ends the registration of {}; its record is gone. Pays {} rent out to {}.",
            own.seat.address(),
            lamports(provider.rent_lamports),
            own.seat.authority
        ),
        doing: "closing",
        instructions: &instructions,
        ..Action::default()
    };
    own.carry_out(context, &action).await?;
    Ok(())
}
