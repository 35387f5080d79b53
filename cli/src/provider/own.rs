//! The signer's own provider in the market of the settings.

use assay_sdk::{
    client::Sent,
    instructions::ProviderAuthority,
    program::accounts::{Market, Provider},
};
use solana_pubkey::Pubkey;

use crate::{
    chain::{Action, Chain},
    context::Context,
    error::{CliError, CliResult, Hint},
};

/// A seat in a market, registered or not.
pub(super) struct Own {
    pub(super) chain: Chain,
    pub(super) seat: ProviderAuthority,
    pub(super) market: Market,
}

impl Own {
    pub(super) async fn open(context: &Context) -> CliResult<Self> {
        let chain = Chain::signing(context).await?;
        let (address, market) = chain.market().await?;
        let seat = ProviderAuthority { authority: chain.signer()?, market: address };
        Ok(Self { chain, seat, market })
    }

    /// With the account, which must be there.
    pub(super) async fn registered(context: &Context) -> CliResult<(Self, Provider)> {
        let own = Self::open(context).await?;
        let found = own.chain.client().fetch_optional(&own.seat.address()).await.hint()?;
        let provider = found.ok_or_else(|| not_registered(&own.seat))?;
        Ok((own, provider))
    }

    /// Asks, sends and says that it is done.
    pub(super) async fn carry_out(&self, context: &Context, action: &Action<'_>) -> CliResult<Sent> {
        let sent = self.chain.carry_out(context, action).await?;
        let json = serde_json::json!({
            "provider": self.seat.address().to_string(),
            "signature": sent.signature.to_string(),
        });
        context.output.result(&json, || println!("done: transaction {}", sent.signature));
        Ok(sent)
    }
}

/// There is no such provider.
pub(super) fn not_registered(seat: &ProviderAuthority) -> CliError {
    CliError::new(format!("{} is no provider in the market {}", seat.authority, seat.market)).with_next(
        "register with `assay provider init`, then `assay provider register --stake AMOUNT`; if you did, name that market \
         with --market and sign with the cold key: --keypair",
    )
}

/// Shown beside addresses.
pub(super) fn short(address: &Pubkey) -> String {
    let text = address.to_string();
    format!("{}…", text.get(..8).unwrap_or(&text))
}
