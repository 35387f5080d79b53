//! Who plays, the calls as they would send them, and who may send which.

use assay_protocol::{JobStatus, MarketTerms};
use assay_tests::{
    assay::{
        accounts::{Execution, Job, Market, Provider},
        types::{CreateJobArgs, UpdateProviderArgs},
    },
    call::Call,
    calls::{create_sink, job_args},
    invariants::Ledgers,
    party::{CAPACITY, EXPOSURE_CAP, PRICE, Party, escrow, exited, terms},
    world::{SOL, World},
};
use solana_pubkey::Pubkey;

use super::step::{Act, CAST, IDS, MARKETS, POSTERS, PROVIDERS, Place, Step, TERMS};

/// Everybody, and who may act for what: the play's own book, compared with the chain after every step (I-06).
pub struct Cast {
    /// All keys.
    pub keys: Vec<Pubkey>,
    parties: Vec<Party>,
    posters: Vec<Pubkey>,
    creators: Vec<Pubkey>,
    authorities: Vec<Pubkey>,
    heirs: Vec<Pubkey>,
    nodes: Vec<Option<Pubkey>>,
}

impl Cast {
    /// New keys; nothing of it is on the chain.
    pub fn new(world: &mut World) -> Self {
        let firsts: Vec<Party> = (0..MARKETS).map(|_| Party::new(world)).collect();
        let mut parties = firsts.clone();
        while parties.len() < PROVIDERS {
            parties.push(firsts[parties.len() % MARKETS].another(world));
        }
        let creators: Vec<Pubkey> = firsts.iter().map(|party| party.market_authority).collect();
        let posters: Vec<Pubkey> = parties.iter().take(POSTERS).map(|party| party.poster).collect();
        let mut keys: Vec<Pubkey> = parties.iter().flat_map(|party| [party.authority, party.node_key]).collect();
        keys.extend(creators.iter().chain(&posters));
        while keys.len() < CAST {
            keys.push(world.wallet(10 * SOL));
        }
        let heirs = vec![Pubkey::default(); MARKETS];
        let nodes = vec![None; PROVIDERS];
        Self { keys, parties, posters, authorities: creators.clone(), creators, heirs, nodes }
    }

    /// The people of a place as they stand now.
    fn party(&self, place: Place) -> Party {
        let market = place.provider % MARKETS;
        let mut party = self.parties[place.provider];
        party.market_authority = self.authorities[market];
        party.poster = self.posters[place.poster];
        party.node_key = self.nodes[place.provider].unwrap_or(party.node_key);
        party.with_job(place.id)
    }

    /// The place of a job, and of one of its seats.
    fn place_of(&self, job: &Job, provider: &Pubkey) -> Option<Place> {
        let provider = self.parties.iter().position(|party| party.provider == *provider)?;
        let poster = self.posters.iter().position(|poster| *poster == job.poster)?;
        Some(Place { provider, poster, id: job.id, due: None })
    }

    /// The place that is meant: for `due`, one where the chain waits for just this act; none, when there is none.
    fn aim(&self, world: &World, step: &Step) -> Option<Place> {
        let Some(due) = step.place.due else { return Some(step.place) };
        let ledgers = Ledgers::read(world);
        let provider = |party: &Party| ledgers.providers.iter().find(|(key, _)| *key == party.provider);
        let places = match step.act {
            Act::ClaimFees => self.places_of_providers(step.place, |party| {
                ledgers.markets.iter().any(|(key, market)| *key == party.market && market.fees_lamports > 0)
            }),
            Act::Claim => self.places_of_providers(step.place, |party| {
                provider(party).is_some_and(|(_, provider)| provider.earnings_lamports > 0)
            }),
            Act::Withdraw => self.places_of_providers(step.place, |party| {
                provider(party).is_some_and(|(_, provider)| provider.unbonding_lamports > 0)
            }),
            _ => self.places_of_jobs(&ledgers, step, world.now()),
        };
        places.get(due % places.len().max(1)).copied()
    }

    fn places_of_providers(&self, place: Place, is_due: impl Fn(&Party) -> bool) -> Vec<Place> {
        let parties = self.parties.iter().enumerate().filter(|(_, party)| is_due(party));
        parties.map(|(provider, _)| Place { provider, due: None, ..place }).collect()
    }

    /// The jobs that wait for the act, with the provider that may do it.
    fn places_of_jobs(&self, ledgers: &Ledgers, step: &Step, now_unix: i64) -> Vec<Place> {
        let wanted: &[JobStatus] = match step.act {
            Act::Cancel | Act::Accept | Act::ExpireOpen => &[JobStatus::Open],
            Act::Decline | Act::Submit { .. } | Act::ExpireAssigned => &[JobStatus::Assigned],
            Act::Finalize => &[JobStatus::Submitted],
            Act::Settle | Act::Close => &[JobStatus::Resolved, JobStatus::Cancelled, JobStatus::Expired],
            _ => return vec![step.place],
        };
        let own = self.parties[step.place.provider];
        let mut places = Vec::new();
        for (key, job) in &ledgers.jobs {
            // Every fourth one regardless of the time: that a deadline is kept matters as well.
            let is_time = step.place.due.is_some_and(|due| due.is_multiple_of(4)) || is_time(step.act, job, now_unix);
            if !is_time || !wanted.iter().any(|status| status.code() == job.status) {
                continue;
            }
            let seats = ledgers.executions.iter().filter(|(_, seat)| seat.job == *key).map(|(_, seat)| seat.provider);
            let others = self.parties.iter().filter(|party| party.market == job.market).map(|party| party.provider);
            let at: Vec<Pubkey> = match step.act {
                Act::Settle => seats.collect(),
                _ if job.executors[0] != Pubkey::default() => vec![job.executors[0]],
                _ if own.market == job.market => vec![own.provider],
                _ => others.take(1).collect(),
            };
            places.extend(at.iter().filter_map(|provider| self.place_of(job, provider)));
        }
        places
    }

    /// A place like this one whose job does not exist.
    fn free(&self, world: &World, place: Place) -> Option<Place> {
        let mut places =
            (0..POSTERS).flat_map(|poster| (1..=IDS).map(move |id| Place { poster, id, due: None, ..place }));
        places.find(|place| world.account(&self.party(*place).job).is_none())
    }

    /// The call of a step as the rightful signer sends it, with the name of the account that must sign and its key:
    /// none, where anyone may. Where an act is to be due and is nowhere, a job is posted instead.
    /// `None`, where there is nothing to send.
    pub fn call(&self, world: &World, step: &Step) -> Option<(Call, Option<(&'static str, Pubkey)>)> {
        let Some(place) = self.aim(world, step) else {
            let act = Act::Create { gas_limit: 1_000_000_000, surplus_lamports: 0, expires_s: 0 };
            return self.call(world, &Step { act, place: self.free(world, step.place)?, ..*step });
        };
        let (party, market) = (self.party(place), place.provider % MARKETS);
        let authority = Some(("authority", self.authorities[market]));
        let cold = Some(("authority", party.authority));
        let (hot, poster) = (Some(("node_key", party.node_key)), Some(("poster", party.poster)));
        Some(match step.act {
            Act::CreateSink => (create_sink(party.poster), None),
            Act::CreateMarket => {
                let creator = self.creators[market];
                let party = Party { market_authority: creator, ..party };
                // In one market stakers leave quickly, and new terms come quickly.
                let unbonding_s = [terms().unbonding_s, 14_000][market];
                let terms = MarketTerms { unbonding_s, ..terms() };
                (party.create_market(&terms), Some(("authority", creator)))
            }
            Act::UpdateMarket { term, value } => (party.update_market(&changed(world, &party, term, value)), authority),
            Act::PauseMarket { seconds } => (party.pause_market(world.now() + seconds), authority),
            Act::ProposeAuthority { heir } => (party.propose_market_authority(self.keys[heir]), authority),
            Act::AcceptAuthority => {
                (party.accept_market_authority(self.heirs[market]), Some(("new_authority", self.heirs[market])))
            }
            Act::ClaimFees => (party.claim_market_fees(), authority),
            Act::Register { node, stake_lamports } => {
                let call = party.register_provider_with(stake_lamports, EXPOSURE_CAP, CAPACITY);
                (call.with("node_key", self.keys[node]), cold)
            }
            Act::UpdateProvider { cap_lamports, capacity, node } => {
                let args = UpdateProviderArgs { exposure_cap_lamports: cap_lamports, capacity, endpoint: None };
                (party.update_provider(args, node.map(|node| self.keys[node])), cold)
            }
            Act::Stake { lamports } => (party.stake(lamports), cold),
            Act::Unstake { lamports } => (party.unstake(lamports), cold),
            Act::UnstakeAll => (party.unstake(free_stake(world, &party)), cold),
            Act::Withdraw => (party.withdraw_stake(), cold),
            Act::CloseProvider => (party.close_provider(), cold),
            Act::Claim => (party.claim_reward(), None),
            Act::Create { gas_limit, surplus_lamports, expires_s } => {
                (party.create_job_with(posting(world, &party, gas_limit, (surplus_lamports, expires_s))), poster)
            }
            Act::Cancel => (party.cancel_job(), poster),
            Act::Accept => (party.accept_job(world), hot),
            Act::Decline => (to_rent_payer(world, &party, party.decline_job(1)), hot),
            Act::Submit { gas } => (party.submit_results(&exited(gas)), hot),
            Act::Finalize => (party.finalize_job(), None),
            Act::Settle => (to_rent_payer(world, &party, party.settle_execution()), None),
            Act::ExpireOpen => (party.expire_open_job(), None),
            Act::ExpireAssigned => (party.expire_assigned_job(), None),
            Act::Close => (party.close_job(), None),
            Act::Donate { .. } | Act::Wait { .. } | Act::Jump { .. } => return None,
        })
    }

    /// A party of no meaning, for calls whose every address comes from the chain.
    pub fn blank(&self) -> Party {
        self.parties[0]
    }

    /// The account that a donation goes to.
    pub fn account(&self, place: Place, account: usize) -> Pubkey {
        let party = self.party(place);
        [party.job, party.provider, party.execution, party.market][account]
    }

    /// Writes down who may act from now on, after a call that went through.
    pub fn record(&mut self, step: &Step) {
        let (provider, market) = (step.place.provider, step.place.provider % MARKETS);
        match step.act {
            Act::ProposeAuthority { heir } => self.heirs[market] = self.keys[heir],
            Act::AcceptAuthority => {
                self.authorities[market] = std::mem::take(&mut self.heirs[market]);
            }
            Act::Register { node, .. } | Act::UpdateProvider { node: Some(node), .. } => {
                self.nodes[provider] = Some(self.keys[node]);
            }
            Act::CloseProvider => self.nodes[provider] = None,
            _ => {}
        }
    }

    /// I-06: the chain names exactly those who were put in place.
    pub fn check(&self, ledgers: &Ledgers) {
        for (key, market) in &ledgers.markets {
            let index =
                self.parties.iter().position(|party| party.market == *key).expect("a market of the play") % MARKETS;
            assert_eq!(market.creator, self.creators[index]);
            assert_eq!(market.authority, self.authorities[index], "I-06: authority of {key}");
            assert_eq!(market.pending_authority, self.heirs[index], "I-06: heir of {key}");
        }
        for (party, node) in self.parties.iter().zip(&self.nodes) {
            let found = ledgers.providers.iter().find(|(key, _)| *key == party.provider).map(|(_, provider)| provider);
            assert_eq!(found.map(|provider| provider.node_key), *node, "I-06: node key of {}", party.provider);
            assert!(found.is_none_or(|provider| provider.authority == party.authority));
        }
    }
}

/// Whether the deadlines let this act through.
const fn is_time(act: Act, job: &Job, now_unix: i64) -> bool {
    match act {
        Act::Accept => now_unix < job.queue_deadline_unix,
        Act::ExpireOpen => now_unix >= job.queue_deadline_unix,
        Act::Decline | Act::Submit { .. } => now_unix < job.execution_deadline_unix,
        Act::ExpireAssigned => now_unix >= job.execution_deadline_unix,
        Act::Finalize => now_unix >= job.window_deadline_unix,
        _ => true,
    }
}

/// One more term changed, on top of what is announced.
fn changed(world: &World, party: &Party, term: usize, value: usize) -> MarketTerms {
    let market: Market = world.read(&party.market);
    let mut next = MarketTerms::from(market.pending_terms);
    let (change, values) = TERMS[term];
    change(&mut next, values[value]);
    next
}

/// A posting under the terms in force, its escrow more or less than it must be.
fn posting(world: &World, party: &Party, gas_limit: u64, (surplus, expires_s): (i64, i64)) -> CreateJobArgs {
    let terms = world.read::<Market>(&party.market).current_terms(world.now());
    let mut args = job_args(party.job_id);
    args.limits.gas_limit =
        if gas_limit == u64::MAX { terms.gas_limit_max + 1 } else { gas_limit.min(terms.gas_limit_max) };
    let needed = escrow(PRICE, args.limits.gas_limit, &terms);
    args.escrow_lamports = needed.saturating_add_signed(surplus);
    args.expires_unix = if expires_s == 0 { 0 } else { world.now() + expires_s };
    args
}

fn free_stake(world: &World, party: &Party) -> u64 {
    world.account(&party.provider).map_or(0, |_| {
        let provider: Provider = world.read(&party.provider);
        provider.stake_lamports - provider.locked_lamports
    })
}

/// The same call, with the account that paid the seat's rent, which an earlier node key may be.
fn to_rent_payer(world: &World, party: &Party, call: Call) -> Call {
    match world.account(&party.execution) {
        Some(_) => call.with("rent_payer", world.read::<Execution>(&party.execution).rent_payer),
        None => call,
    }
}
