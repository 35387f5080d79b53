//! An act of the model as the instruction that asks the program for it.

use std::collections::BTreeMap;

use assay_model::{
    act::{Act, AtSeat, Posting, Tickets},
    state::{Key, Model},
};
use assay_tests::{assay, idl};
use solana_instruction::{AccountMeta, Instruction};
use solana_pubkey::Pubkey;

use super::wire::{self, Fields};

/// The accounts of an act by their names; one that is not in here is left out.
type Roles = BTreeMap<&'static str, Key>;

/// The instruction.
pub fn instruction(model: &Model, act: &Act) -> Instruction {
    let (roles, fields) = (roles(model, act), arguments(act));
    let name = act.name();
    let slots = idl::account_slots(name);
    let accounts = slots.iter().map(|slot| {
        let key = match slot.name.as_str() {
            "system_program" => Some(Pubkey::default()),
            role => roles.get(role).map(|key| Pubkey::new_from_array(key.0)),
        };
        match key {
            Some(key) => AccountMeta { pubkey: key, is_signer: slot.signer, is_writable: slot.writable },
            None if slot.optional => AccountMeta::new_readonly(assay::ID, false),
            None => AccountMeta { pubkey: Pubkey::default(), is_signer: false, is_writable: slot.writable },
        }
    });
    let mut known = idl::IDL["instructions"].as_array().expect("an IDL has instructions").iter();
    let known = known.find(|known| known["name"] == name).expect("`account_slots` found it");
    let tag = known["discriminator"].as_array().expect("every instruction has one").iter();
    let mut data: Vec<u8> =
        tag.map(|byte| byte.as_u64().and_then(|byte| byte.try_into().ok()).expect("a byte")).collect();
    for argument in known["args"].as_array().into_iter().flatten() {
        let type_name = argument["type"]["defined"]["name"].as_str().expect("arguments are structs");
        data.extend(wire::encode(type_name, &fields));
    }
    Instruction { program_id: assay::ID, accounts: accounts.chain(executors(model, act)).collect(), data }
}

/// Behind the accounts of `open_dispute`: the executors.
fn executors(model: &Model, act: &Act) -> Vec<AccountMeta> {
    let Act::OpenDispute { job, .. } = *act else { return Vec::new() };
    let executors = model.jobs.get(&job).map_or([Key::default(); 9], |job| job.executors);
    let taken = executors.into_iter().filter(|executor| *executor != Key::default());
    taken.map(|key| AccountMeta::new_readonly(Pubkey::new_from_array(key.0), false)).collect()
}

fn roles(model: &Model, act: &Act) -> Roles {
    let sink = ("sink", model.sink());
    let market_of = |provider: Key| model.providers.get(&provider).map_or_else(|| some_market(model), |own| own.market);
    match *act {
        Act::CreateSink { payer } => Roles::from([("payer", payer), sink]),
        Act::CreateMarket { authority, name, .. } => {
            Roles::from([("authority", authority), ("market", model.at(&[b"market", &authority.0, &name]))])
        }
        Act::UpdateMarket { signer, market, .. }
        | Act::PauseMarket { signer, market, .. }
        | Act::ProposeMarketAuthority { signer, market, .. }
        | Act::ClaimMarketFees { signer, market } => Roles::from([("authority", signer), ("market", market)]),
        Act::AcceptMarketAuthority { signer, market } => Roles::from([("new_authority", signer), ("market", market)]),
        Act::RegisterProvider { authority, node_key, market, .. } => Roles::from([
            ("authority", authority),
            ("node_key", node_key),
            ("market", market),
            ("provider", model.at(&[b"provider", &market.0, &authority.0])),
        ]),
        Act::Stake { signer, provider, .. }
        | Act::Unstake { signer, provider, .. }
        | Act::WithdrawStake { signer, provider }
        | Act::SetDuty { signer, provider, .. }
        | Act::CloseProvider { signer, provider } => {
            Roles::from([("authority", signer), ("provider", provider), ("market", market_of(provider))])
        }
        Act::UpdateProvider { signer, provider, new_node_key, .. } => {
            let roles = [("authority", signer), ("provider", provider)];
            roles.into_iter().chain(new_node_key.map(|key| ("new_node_key", key))).collect()
        }
        Act::ClaimReward { provider } => {
            let authority = model.providers.get(&provider).map_or(Key::default(), |found| found.authority);
            Roles::from([("provider", provider), ("authority", authority)])
        }
        Act::EnrollStake { signer, provider } => {
            Roles::from([("signer", signer), ("provider", provider), ("market", market_of(provider))])
        }
        Act::CreateJob { poster, market, posting } => {
            Roles::from([("poster", poster), ("market", market), ("job", model.job_key(market, poster, posting.id))])
        }
        Act::CancelJob { signer, job } => Roles::from([("poster", signer), ("job", job)]),
        Act::AcceptJob { at, .. } => {
            let mut roles = seat(model, at);
            roles.insert("market", market_of(at.provider));
            roles
        }
        Act::DeclineJob { at }
        | Act::SubmitResults { at, .. }
        | Act::CommitResult { at, .. }
        | Act::RevealResult { at, .. } => seat(model, at),
        Act::RecordSeed { job } | Act::FinalizeJob { job } => Roles::from([("job", job)]),
        Act::ExpireJob { job, provider } => match provider {
            None => Roles::from([("job", job)]),
            Some(provider) => {
                Roles::from([("job", job), ("execution", model.seat(job, provider)), ("provider", provider), sink])
            }
        },
        Act::SettleExecution { job, provider } => {
            let mut roles = seat(model, AtSeat { signer: Key::default(), job, provider });
            roles.insert("market", model.jobs.get(&job).map_or_else(|| some_market(model), |job| job.market));
            if model.disputes.contains_key(&job) {
                roles.insert("dispute", model.dispute_key(job));
            }
            roles
        }
        Act::CloseJob { job } => Roles::from([("job", job), ("poster", poster_of(model, job))]),
        Act::RecordCollision { payer, job } => collided(model, payer, job),
        _ => contested(model, act),
    }
}

/// Of a module that is known, or of one that is not yet.
fn collided(model: &Model, payer: Key, job: Key) -> Roles {
    let at = model.jobs.get(&job).map(|job| model.module_key(job.market, &job.metered_hash));
    let role = |at: Key| (if model.modules.contains_key(&at) { "module" } else { "new_module" }, at);
    [("payer", payer), ("job", job)].into_iter().chain(at.map(role)).collect()
}

/// Of disputes.
fn contested(model: &Model, act: &Act) -> Roles {
    let dispute = |job: Key| [("job", job), ("dispute", model.dispute_key(job))];
    let market = |job: Key| model.jobs.get(&job).map_or_else(|| some_market(model), |job| job.market);
    let own = |job: Key, challenger: Key| ("challenge", model.challenge_key(job, challenger));
    let round = |job: Key| model.disputes.get(&job).map_or(0, |dispute| dispute.round);
    let vote = |job: Key, round: u8, juror: Key| ("vote", model.vote_key(job, round, juror));
    let (base, more) = match *act {
        Act::RecordJury { job } | Act::TallyRound { job } | Act::SettleDispute { job } => (dispute(job), Vec::new()),
        Act::OpenDispute { payer, job, commitment } => {
            let challenge = commitment.map(|_| own(job, payer));
            let posters = model.at(&[b"provider", &market(job).0, &poster_of(model, job).0]);
            let named = [("payer", payer), ("market", market(job)), ("poster_provider", posters)];
            (dispute(job), named.into_iter().chain(challenge).collect())
        }
        Act::EnterDispute { challenger, job, .. } | Act::RevealOutcome { challenger, job, .. } => {
            (dispute(job), vec![("challenger", challenger), own(job, challenger)])
        }
        Act::SettleChallenge { job, challenger } => {
            (dispute(job), vec![("challenger", challenger), own(job, challenger)])
        }
        Act::Appeal { appellant, job, .. } => (dispute(job), vec![("appellant", appellant), own(job, appellant)]),
        Act::CommitVote { at, .. } => {
            let cast = vote(at.job, round(at.job), at.provider);
            (dispute(at.job), vec![("node_key", at.signer), ("provider", at.provider), cast])
        }
        Act::RevealVote { at, round, .. } => {
            let cast = vote(at.job, round, at.provider);
            (dispute(at.job), vec![("node_key", at.signer), ("provider", at.provider), cast])
        }
        Act::SlashAbsent { job, provider, round, .. } => {
            let juror = model.providers.get(&provider);
            let market = juror.map_or_else(|| some_market(model), |juror| juror.market);
            let cast = vote(job, round, provider);
            (dispute(job), vec![("provider", provider), ("market", market), cast])
        }
        Act::SettleVote { job, round, provider } => {
            let rent_payer = model.votes.get(&(job, round, provider)).map_or(Key::default(), |vote| vote.rent_payer);
            (dispute(job), vec![("provider", provider), vote(job, round, provider), ("rent_payer", rent_payer)])
        }
        Act::CloseDispute { job } => {
            let rent_payer = model.disputes.get(&job).map_or(Key::default(), |dispute| dispute.rent_payer);
            (dispute(job), vec![("sink", model.sink()), ("rent_payer", rent_payer)])
        }
        _ => return Roles::new(),
    };
    base.into_iter().chain(more).collect()
}

fn poster_of(model: &Model, job: Key) -> Key {
    model.jobs.get(&job).map_or(Key::default(), |job| job.poster)
}

/// Where what would say which is gone.
fn some_market(model: &Model) -> Key {
    model.markets.keys().next().copied().unwrap_or_else(|| model.at(&[b"market"]))
}

fn seat(model: &Model, at: AtSeat) -> Roles {
    let rent_payer = model.executions.get(&(at.job, at.provider)).map_or(at.signer, |seat| seat.rent_payer);
    Roles::from([
        ("node_key", at.signer),
        ("provider", at.provider),
        ("job", at.job),
        ("execution", model.seat(at.job, at.provider)),
        ("rent_payer", rent_payer),
        ("sink", model.sink()),
    ])
}

fn arguments(act: &Act) -> Fields {
    let word = |name, value: u64| Fields::from([(name, value.to_le_bytes().to_vec())]);
    match *act {
        Act::CreateMarket { name, cluster, terms, .. } => Fields::from([
            ("name", name.to_vec()),
            ("cluster", cluster.to_vec()),
            ("mint", vec![0; 32]),
            ("terms", wire::encode("MarketTerms", &wire::terms(&terms))),
        ]),
        Act::UpdateMarket { terms, .. } => Fields::from([("terms", wire::encode("MarketTerms", &wire::terms(&terms)))]),
        Act::ProposeMarketAuthority { new_authority, .. } => {
            Fields::from([("new_authority", new_authority.0.to_vec())])
        }
        Act::PauseMarket { until_unix, .. } => Fields::from([("until_unix", until_unix.to_le_bytes().to_vec())]),
        Act::RegisterProvider { stake_lamports, cap_lamports, capacity, .. } => Fields::from([
            ("stake_lamports", stake_lamports.to_le_bytes().to_vec()),
            ("exposure_cap_lamports", cap_lamports.to_le_bytes().to_vec()),
            ("capacity", capacity.to_le_bytes().to_vec()),
            ("endpoint", vec![0; 64]),
        ]),
        Act::Stake { lamports, .. } | Act::Unstake { lamports, .. } => word("lamports", lamports),
        Act::CreateJob { posting, .. } => created(&posting),
        Act::AcceptJob { uid, ticket, .. } => {
            Fields::from([("job_uid", uid.to_vec()), ("ticket", ticket.to_le_bytes().to_vec())])
        }
        Act::DeclineJob { .. } => Fields::from([("reason", vec![1, 0])]),
        Act::SubmitResults { outcome, .. } => Fields::from([("outcome", outcome.to_vec())]),
        Act::CommitResult { commitment, .. } => Fields::from([("commitment", commitment.to_vec())]),
        Act::RevealResult { outcome, salt, .. } => {
            Fields::from([("outcome", outcome.to_vec()), ("salt", salt.to_vec())])
        }
        Act::SetDuty { on, .. } => Fields::from([("on", vec![u8::from(on)])]),
        Act::OpenDispute { commitment, .. } => {
            let commitment = commitment.map_or(vec![0], |commitment| [[1].as_slice(), &commitment].concat());
            Fields::from([("commitment", commitment)])
        }
        Act::EnterDispute { commitment, .. } => Fields::from([("commitment", commitment.to_vec())]),
        Act::CommitVote { commitment, tickets, .. } => {
            Fields::from([("commitment", commitment.to_vec()), ("tickets", listed(&tickets))])
        }
        Act::RevealVote { ballot, salt, .. } => Fields::from([("ballot", ballot.to_vec()), ("salt", salt.to_vec())]),
        Act::RevealOutcome { outcome, salt, .. } => {
            Fields::from([("outcome", outcome.to_vec()), ("salt", salt.to_vec())])
        }
        Act::SlashAbsent { round, tickets, .. } => {
            Fields::from([("round", vec![round]), ("tickets", listed(&tickets))])
        }
        Act::UpdateProvider { cap_lamports, .. } => {
            let cap = cap_lamports.map_or(vec![0], |cap| [[1].as_slice(), &cap.to_le_bytes()].concat());
            Fields::from([("exposure_cap_lamports", cap), ("capacity", vec![0]), ("endpoint", vec![0])])
        }
        Act::Appeal { ballot, .. } => Fields::from([("ballot", ballot.to_vec())]),
        _ => Fields::new(),
    }
}

/// As Borsh writes a list.
fn listed(tickets: &Tickets) -> Vec<u8> {
    let tickets = tickets.as_slice();
    let count = u32::try_from(tickets.len()).expect("65 at most");
    let indices = tickets.iter().flat_map(|index| index.to_le_bytes());
    count.to_le_bytes().into_iter().chain(indices).collect()
}

fn created(posting: &Posting) -> Fields {
    let mut fields = wire::task_fields(&posting.task);
    let agreement_s =
        posting.agreement_s.map_or(vec![0], |agreement_s| [[1].as_slice(), &agreement_s.to_le_bytes()].concat());
    fields.extend([
        ("id", posting.id.to_le_bytes().to_vec()),
        ("price", posting.price.to_le_bytes().to_vec()),
        ("base_fee_lamports", posting.base_fee_lamports.to_le_bytes().to_vec()),
        ("redundancy", vec![posting.redundancy]),
        ("mode", vec![posting.mode as u8]),
        ("min_trust_bps", posting.min_trust_bps.to_le_bytes().to_vec()),
        ("escrow_lamports", posting.escrow_lamports.to_le_bytes().to_vec()),
        ("expires_unix", posting.expires_unix.to_le_bytes().to_vec()),
        ("agreement_s", agreement_s),
    ]);
    fields
}
