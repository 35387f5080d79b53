//! Markets, providers, the Sink.

use super::{Demands, POOR, Refusal, Verdict};
use crate::{
    act::Act,
    draw::tickets_of,
    state::{Key, Market, Model, Provider, Terms, Trust, rent_lamports, size},
};

/// Longest pause, seconds.
pub const PAUSE_S_MAX: i64 = 72 * 3_600;
const PAUSE_PERIOD_S: i64 = 7 * 86_400;

impl Model {
    pub(super) fn create_sink(&mut self, payer: Key) -> Verdict {
        let (sink, rent) = (self.sink(), rent_lamports(size::SINK));
        let mut demands = Demands::default();
        demands.that(self.sink_lamports.is_none(), "AccountInUse");
        demands.that(self.balance(payer) >= self.cost(sink, rent, 0), POOR);
        demands.met()?;
        self.pay(payer, sink, self.cost(sink, rent, 0));
        self.sink_lamports = Some(0);
        Ok(())
    }

    pub(super) fn create_market(&mut self, authority: Key, name: [u8; 32], cluster: [u8; 32], terms: Terms) -> Verdict {
        let (market, rent) = (self.at(&[b"market", &authority.0, &name]), rent_lamports(size::MARKET));
        let mut demands = Demands::default();
        demands.that(!self.markets.contains_key(&market), "AccountInUse");
        demands.that(self.balance(authority) >= self.cost(market, rent, 0), POOR);
        demands.met()?;
        self.pay(authority, market, self.cost(market, rent, 0));
        let opened = Market {
            creator: authority,
            authority,
            pending_authority: Key::default(),
            name,
            cluster,
            fees_lamports: 0,
            paused_until_unix: 0,
            pause_allowed_from_unix: 0,
            terms,
            pending_terms: terms,
            pending_from_unix: 0,
            tickets_total: 0,
            duty_tickets_total: 0,
        };
        self.markets.insert(market, opened);
        Ok(())
    }

    pub(super) fn update_market(&mut self, signer: Key, key: Key, terms: Terms) -> Verdict {
        let (market, now) = (self.market(key)?, self.now_unix);
        let current = *market.terms_at(now);
        let mut demands = Demands::default();
        demands.that(market.authority == signer, "AuthorityMismatch");
        demands.that(terms.ticket_lamports == current.ticket_lamports, "TermsTicket");
        demands.met()?;
        let market = self.market_mut(key);
        market.terms = current;
        market.pending_terms = terms;
        market.pending_from_unix = if terms == current { 0 } else { now + i64::from(current.unbonding_s) };
        Ok(())
    }

    pub(super) fn pause_market(&mut self, signer: Key, key: Key, until_unix: i64) -> Verdict {
        let (market, now) = (self.market(key)?, self.now_unix);
        let mut demands = Demands::default();
        demands.that(market.authority == signer, "AuthorityMismatch");
        let begins = until_unix > now;
        demands.that(!begins || until_unix <= now + PAUSE_S_MAX, "PauseTooLong");
        demands.that(!begins || now >= market.pause_allowed_from_unix, "PauseTooSoon");
        demands.met()?;
        let market = self.market_mut(key);
        market.paused_until_unix = until_unix;
        if begins {
            market.pause_allowed_from_unix = now + PAUSE_PERIOD_S;
        }
        Ok(())
    }

    pub(super) fn propose_market_authority(&mut self, signer: Key, key: Key, new_authority: Key) -> Verdict {
        let mut demands = Demands::default();
        demands.that(self.market(key)?.authority == signer, "AuthorityMismatch");
        demands.met()?;
        self.market_mut(key).pending_authority = new_authority;
        Ok(())
    }

    pub(super) fn accept_market_authority(&mut self, signer: Key, key: Key) -> Verdict {
        let mut demands = Demands::default();
        demands.that(self.market(key)?.pending_authority == signer, "PendingAuthorityMismatch");
        demands.met()?;
        let market = self.market_mut(key);
        (market.authority, market.pending_authority) = (signer, Key::default());
        Ok(())
    }

    pub(super) fn claim_market_fees(&mut self, signer: Key, key: Key) -> Verdict {
        let market = self.market(key)?;
        let fees = market.fees_lamports;
        let mut demands = Demands::default();
        demands.that(market.authority == signer, "AuthorityMismatch");
        demands.that(fees > 0, "NothingToClaim");
        demands.met()?;
        self.market_mut(key).fees_lamports = 0;
        self.pay(key, signer, fees);
        Ok(())
    }

    pub(super) fn register_provider(&mut self, act: &Act) -> Verdict {
        let Act::RegisterProvider { authority, node_key, market, stake_lamports, cap_lamports, capacity } = *act else {
            return Err(Refusal::default());
        };
        let (key, rent) = (self.at(&[b"provider", &market.0, &authority.0]), rent_lamports(size::PROVIDER));
        let (place, now) = (self.market(market)?, self.now_unix);
        let maturing_s = place.terms_at(now).unbonding_s;
        let cost = self.cost(key, rent, stake_lamports);
        let mut demands = Demands::default();
        demands.that(!self.providers.contains_key(&key), "AccountInUse");
        demands.that(now >= place.paused_until_unix, "MarketPaused");
        demands.that(authority != node_key, "NodeKeyIsAuthority");
        demands.that(self.balance(authority) >= cost, POOR);
        demands.met()?;
        self.pay(authority, key, cost);
        let opened = Provider {
            market,
            authority,
            node_key,
            stake_lamports,
            locked_lamports: 0,
            unbonding_lamports: 0,
            unbonding_until_unix: 0,
            earnings_lamports: 0,
            exposure_cap_lamports: cap_lamports,
            stake_mature_from_unix: now + i64::from(maturing_s),
            capacity,
            active: 0,
            trust: Trust::default(),
            registered_unix: now,
            children_open: 0,
            maturing_s,
            tickets: 0,
            tickets_from_unix: 0,
            duty_lock_lamports: 0,
            duty_from_unix: 0,
            duty_until_unix: 0,
            jailed_until_unix: 0,
            misses_in_row: 0,
            votes_open: 0,
            unaudited_lamports: 0,
            duty_unbonding_s: 0,
        };
        self.providers.insert(key, opened);
        Ok(())
    }

    pub(super) fn update_provider(
        &mut self,
        signer: Key,
        key: Key,
        (new_node_key, cap_lamports): (Option<Key>, Option<u64>),
    ) -> Verdict {
        let provider = self.provider(key)?;
        let mut demands = Demands::default();
        demands.that(provider.authority == signer, "AuthorityMismatch");
        demands.that(new_node_key != Some(signer), "NodeKeyIsAuthority");
        demands.met()?;
        let provider = self.provider_mut(key);
        provider.node_key = new_node_key.unwrap_or(provider.node_key);
        provider.exposure_cap_lamports = cap_lamports.unwrap_or(provider.exposure_cap_lamports);
        Ok(())
    }

    pub(super) fn stake(&mut self, signer: Key, key: Key, lamports: u64) -> Verdict {
        let provider = self.provider(key)?;
        let mut demands = Demands::default();
        demands.that(provider.authority == signer, "AuthorityMismatch");
        demands.that(lamports > 0, "AmountZero");
        demands.that(self.balance(signer) >= lamports, POOR);
        demands.met()?;
        self.pay(signer, key, lamports);
        let now = self.now_unix;
        let provider = self.provider_mut(key);
        provider.stake_lamports += lamports;
        provider.stake_mature_from_unix = now + i64::from(provider.maturing_s);
        Ok(())
    }

    pub(super) fn unstake(&mut self, signer: Key, key: Key, lamports: u64) -> Verdict {
        let provider = self.provider(key)?;
        let terms = *self.market(provider.market)?.terms_at(self.now_unix);
        let left = provider.stake_lamports.saturating_sub(lamports);
        let mut demands = Demands::default();
        demands.that(provider.authority == signer, "AuthorityMismatch");
        demands.that(lamports > 0, "AmountZero");
        demands.that(provider.stake_lamports - provider.locked_lamports >= lamports, "FreeStakeTooSmall");
        let borne = u128::from(provider.tickets) * u128::from(terms.ticket_lamports);
        // Tickets that a jury counts stay what they are.
        let counted = provider.duty_lock_lamports > 0;
        demands.that(!counted || u128::from(left) >= borne, "StakeOnDuty");
        let bound = provider.locked_lamports.saturating_add(provider.vote_bonds(&terms));
        demands.that(!counted || left >= bound, "JuryReserveTooSmall");
        demands.met()?;
        let until_unix = self.now_unix + i64::from(terms.unbonding_s);
        let provider = self.provider_mut(key);
        provider.stake_lamports = left;
        provider.unbonding_lamports += lamports;
        provider.unbonding_until_unix = provider.unbonding_until_unix.max(until_unix);
        self.shrink_tickets(key);
        Ok(())
    }

    pub(super) fn withdraw_stake(&mut self, signer: Key, key: Key) -> Verdict {
        let provider = self.provider(key)?;
        let lamports = provider.unbonding_lamports;
        let mut demands = Demands::default();
        demands.that(provider.authority == signer, "AuthorityMismatch");
        demands.that(lamports > 0, "NothingUnbonding");
        demands.that(self.now_unix >= provider.unbonding_until_unix, "StillUnbonding");
        demands.met()?;
        let provider = self.provider_mut(key);
        provider.unbonding_lamports = 0;
        provider.unbonding_until_unix = 0;
        self.pay(key, signer, lamports);
        Ok(())
    }

    pub(super) fn claim_reward(&mut self, key: Key) -> Verdict {
        let provider = self.provider(key)?;
        let (authority, lamports) = (provider.authority, provider.earnings_lamports);
        let mut demands = Demands::default();
        demands.that(lamports > 0, "NothingToClaim");
        demands.met()?;
        self.provider_mut(key).earnings_lamports = 0;
        self.pay(key, authority, lamports);
        Ok(())
    }

    pub(super) fn close_provider(&mut self, signer: Key, key: Key) -> Verdict {
        let provider = self.provider(key)?;
        let owed = [
            provider.stake_lamports,
            provider.locked_lamports,
            provider.unbonding_lamports,
            provider.earnings_lamports,
            u64::from(provider.active),
            u64::from(provider.children_open),
            u64::from(provider.tickets),
        ];
        let mut demands = Demands::default();
        demands.that(provider.authority == signer, "AuthorityMismatch");
        demands.that(owed == [0; 7], "ProviderInUse");
        demands.met()?;
        self.providers.remove(&key);
        self.close(key, signer);
        Ok(())
    }

    /// The node key may let its tickets grow to what its mature stake bears; anybody may let them shrink to it.
    pub(super) fn enroll_stake(&mut self, signer: Key, key: Key) -> Verdict {
        let provider = self.provider(key)?;
        let unit = self.market(provider.market)?.terms.ticket_lamports;
        let borne = tickets_of(provider.stake_lamports, unit);
        let grows = provider.node_key == signer
            && self.now_unix >= provider.stake_mature_from_unix
            && !provider.is_on_duty()
            && provider.duty_lock_lamports == 0;
        let (old, new) = (provider.tickets, if grows { borne } else { provider.tickets.min(borne) });
        let mut demands = Demands::default();
        demands.that(new != old, "NothingToEnroll");
        demands.met()?;
        self.set_tickets(key, new);
        if new > old {
            self.provider_mut(key).tickets_from_unix = self.now_unix;
        }
        Ok(())
    }

    /// No tickets without the stake for them.
    pub(super) fn shrink_tickets(&mut self, key: Key) {
        let provider = &self.providers[&key];
        let unit = self.markets[&provider.market].terms.ticket_lamports;
        self.set_tickets(key, provider.usable_tickets(unit));
    }

    fn set_tickets(&mut self, key: Key, tickets: u32) {
        self.recount(key, |provider| provider.tickets = tickets);
    }

    /// Changes a provider's tickets or duty, and the market's sums with them.
    pub(super) fn recount(&mut self, key: Key, change: impl FnOnce(&mut Provider)) {
        let sums = |provider: &Provider| (u64::from(provider.tickets), u64::from(provider.duty_tickets()));
        let provider = self.provider_mut(key);
        let old = sums(provider);
        change(provider);
        let (new, market) = (sums(provider), provider.market);
        let market = self.market_mut(market);
        market.tickets_total = market.tickets_total + new.0 - old.0;
        market.duty_tickets_total = market.duty_tickets_total + new.1 - old.1;
    }
}
