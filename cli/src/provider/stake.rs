//! Registration, stake and earnings.

use std::sync::Arc;

use assay_sdk::{
    client::SharedSigner,
    instructions::{self, ProviderAuthority, RegisterProvider},
    keypair::load_keypair,
    program::{
        account_bytes,
        accounts::{Market, Provider},
    },
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    chain::Chain,
    context::Context,
    error::{CliError, CliResult, Context as _, Hint},
    output::{duration, lamports},
    progress::Progress,
    provider::RegisterArgs,
};

/// The signer's provider in the market of the settings.
struct Own {
    chain: Chain,
    seat: ProviderAuthority,
    market: Market,
}

impl Own {
    async fn open(context: &Context) -> CliResult<Self> {
        let chain = Chain::signing(context).await?;
        let (address, market) = chain.market().await?;
        let seat = ProviderAuthority { authority: chain.signer()?, market: address };
        Ok(Self { chain, seat, market })
    }

    async fn provider(&self) -> CliResult<Provider> {
        let found = self.chain.client().fetch_optional(&self.seat.address()).await.hint()?;
        found.ok_or_else(|| {
            CliError::new(format!("{} is no provider in the market {}", self.seat.authority, self.seat.market))
                .with_next("register with `assay provider init`, then `assay provider register --stake AMOUNT`")
        })
    }

    async fn send(
        &self,
        context: &Context,
        doing: &'static str,
        instructions: &[solana_instruction::Instruction],
    ) -> CliResult {
        let sent = {
            let _progress = Progress::start(context.output, doing);
            self.chain.client().send(instructions).await.hint()?
        };
        let json = serde_json::json!({
            "provider": self.seat.address().to_string(),
            "signature": sent.signature.to_string(),
        });
        context.output.result(&json, || println!("done: transaction {}", sent.signature));
        Ok(())
    }
}

pub(super) async fn register(context: &Context, args: &RegisterArgs) -> CliResult {
    let node_key_path = args.dir.join(super::files::NODE_KEY_NAME);
    let node_key = load_keypair(&node_key_path)
        .context("cannot load the provider's hot key")
        .next(format!("write it with `assay provider init --dir {}`", args.dir.display()))?;
    let endpoint =
        instructions::endpoint(&args.endpoint).ok_or_else(|| CliError::usage("--endpoint is longer than 64 bytes"))?;
    let own = Own::open(context).await?;
    let rent = own.chain.client().rent_lamports(account_bytes::<Provider>()).await.hint()?;
    let exposure_cap_lamports = args.exposure_cap.unwrap_or(args.stake);
    let node_address = node_key.pubkey();
    context.confirm(&format!(
        "Registers {} as a provider in the market {} ({}).\n  Stakes {}, at most {} of it locked at once; pays {} rent, \
         which comes back when the provider is closed.\n  Sends {} to its hot key {node_address}.",
        own.seat.authority,
        own.market.name_text(),
        own.seat.market,
        lamports(args.stake),
        lamports(exposure_cap_lamports),
        lamports(rent),
        lamports(args.fund_node),
    ))?;
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
    let node_signer: SharedSigner = Arc::new(node_key);
    let sent = {
        let _progress = Progress::start(context.output, "registering");
        own.chain.client().send_signed_by(&all, &[node_signer]).await.hint()?
    };
    let json = serde_json::json!({
        "provider": own.seat.address().to_string(),
        "node_key": node_address.to_string(),
        "signature": sent.signature.to_string(),
    });
    context.output.result(&json, || {
        println!("provider {}", own.seat.address());
        println!("next: assay provider start --config {}", args.dir.join(super::files::CONFIG_NAME).display());
    });
    Ok(())
}

pub(super) async fn stake(context: &Context, amount: u64) -> CliResult {
    let own = Own::open(context).await?;
    let provider = own.provider().await?;
    context.confirm(&format!(
        "Adds {} to the stake of {}, which is {} now.",
        lamports(amount),
        own.seat.address(),
        lamports(provider.stake_lamports)
    ))?;
    own.send(context, "staking", &[instructions::stake(&own.seat, amount)]).await
}

pub(super) async fn unstake(context: &Context, amount: u64) -> CliResult {
    let own = Own::open(context).await?;
    let provider = own.provider().await?;
    let now_unix = own.chain.now_unix().await?;
    let unbonding = own.market.current_terms(now_unix).unbonding_s;
    let restart = if provider.unbonding_lamports > 0 {
        format!(" The {} already on their way out wait as long again.", lamports(provider.unbonding_lamports))
    } else {
        String::new()
    };
    context.confirm(&format!(
        "Takes {} out of {} free stake; it can be withdrawn in {}.{restart}",
        lamports(amount),
        lamports(provider.free_stake_lamports()),
        duration(i64::from(unbonding)),
    ))?;
    own.send(context, "unstaking", &[instructions::unstake(&own.seat, amount)]).await
}

pub(super) async fn withdraw(context: &Context) -> CliResult {
    let own = Own::open(context).await?;
    let provider = own.provider().await?;
    if provider.unbonding_lamports == 0 {
        return Err(CliError::new("nothing has been unstaked").with_next("begin with `assay provider unstake AMOUNT`"));
    }
    let left = provider.unbonding_until_unix.saturating_sub(own.chain.now_unix().await?);
    if left > 0 {
        let sum = lamports(provider.unbonding_lamports);
        return Err(CliError::new(format!("{sum} can be withdrawn in {}", duration(left))).with_next("wait"));
    }
    context.confirm(&format!("Pays {} out to {}.", lamports(provider.unbonding_lamports), own.seat.authority))?;
    own.send(context, "withdrawing", &[instructions::withdraw_stake(&own.seat)]).await
}

pub(super) async fn claim(context: &Context) -> CliResult {
    let own = Own::open(context).await?;
    let provider = own.provider().await?;
    if provider.earnings_lamports == 0 {
        let json = serde_json::json!({ "provider": own.seat.address().to_string(), "claimed_lamports": 0 });
        context.output.result(&json, || println!("there are no earnings to claim"));
        return Ok(());
    }
    context.confirm(&format!(
        "Pays {} of earnings out to {}.",
        lamports(provider.earnings_lamports),
        own.seat.authority
    ))?;
    own.send(context, "claiming", &[instructions::claim_reward(&own.seat)]).await
}

/// Shown beside addresses.
pub(super) fn short(address: &Pubkey) -> String {
    let text = address.to_string();
    format!("{}…", text.get(..8).unwrap_or(&text))
}
