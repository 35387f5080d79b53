//! `assay wallet`: the keypair that pays and signs.

use std::{fs, path::PathBuf};

use assay_sdk::keypair::save_keypair;
use clap::Subcommand;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    chain::Chain,
    context::Context,
    error::{CliResult, Context as _, Hint},
    output::lamports,
    parse::{address, some_lamports},
    progress::Progress,
};

/// `assay wallet`.
#[derive(Debug, Subcommand)]
pub enum WalletCommand {
    /// Creates a keypair file that only you can read.
    New {
        /// Where; by default the keypair of the settings.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Prints the address of the keypair.
    Address,
    /// Shows what an address holds.
    Balance {
        /// The address; by default your own.
        #[arg(value_parser = address)]
        address: Option<Pubkey>,
    },
    /// Asks the cluster for SOL; works on local and test networks.
    Airdrop {
        /// How much, such as 2 or 0.5sol.
        #[arg(value_parser = some_lamports)]
        amount: u64,
        /// To whom; by default you.
        #[arg(value_parser = address)]
        address: Option<Pubkey>,
    },
}

/// Runs `assay wallet`.
pub async fn run(context: &Context, command: WalletCommand) -> CliResult {
    match command {
        WalletCommand::New { out } => new(context, out),
        WalletCommand::Address => {
            let address = context.keypair()?.pubkey().to_string();
            context.output.result(&serde_json::json!({ "address": address }), || println!("{address}"));
            Ok(())
        }
        WalletCommand::Balance { address } => {
            let address = own_or(context, address)?;
            let balance = Chain::unchecked(context).client().balance(&address).await.hint()?;
            let json = serde_json::json!({ "address": address.to_string(), "lamports": balance });
            context.output.result(&json, || println!("{}", lamports(balance)));
            Ok(())
        }
        WalletCommand::Airdrop { amount, address } => airdrop(context, amount, own_or(context, address)?).await,
    }
}

fn own_or(context: &Context, address: Option<Pubkey>) -> CliResult<Pubkey> {
    match address {
        Some(address) => Ok(address),
        None => Ok(context.keypair()?.pubkey()),
    }
}

fn new(context: &Context, out: Option<PathBuf>) -> CliResult {
    let path = out.unwrap_or_else(|| context.settings.keypair.value.clone());
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).context(format!("cannot create {}", parent.display()))?;
    }
    let keypair = Keypair::new();
    save_keypair(&path, &keypair)?;
    let address = keypair.pubkey().to_string();
    let json = serde_json::json!({ "path": path.display().to_string(), "address": address });
    context.output.result(&json, || {
        println!("address {address}");
        println!("file    {} (keep a copy: without it the money at this address is lost)", path.display());
    });
    Ok(())
}

async fn airdrop(context: &Context, amount: u64, address: Pubkey) -> CliResult {
    let chain = Chain::unchecked(context);
    let client = chain.client();
    let balance = {
        let _progress = Progress::start(
            context.output,
            format!("asking {} for {}", context.settings.cluster.value, lamports(amount)),
        );
        client
            .airdrop(&address, amount)
            .await
            .hint()
            .context(format!("{} gave no airdrop", context.settings.cluster.value))
            .next("only local and test networks give SOL away; on a test network try a smaller amount later")?
    };
    let json = serde_json::json!({ "address": address.to_string(), "lamports": balance });
    context.output.result(&json, || println!("{address} now holds {}", lamports(balance)));
    Ok(())
}
