//! Between the model's structs and the bytes of the program's arguments and accounts: by the field names of the committed IDL,
//! so that a field that one side lacks is named.

use std::{collections::BTreeMap, sync::LazyLock};

use assay_model::{
    draw::Draw,
    state::{
        Challenge, Dispute, Execution, Job, Key, Market, Model, Module, Provider, Terms, Trust, Vote, rent_lamports,
        size,
    },
    tally::{Entry, Tally},
};
use assay_tests::idl::IDL;
use serde_json::Value;

/// Bytes by field.
pub type Fields = BTreeMap<&'static str, Vec<u8>>;

/// Fields of each struct with their widths, in the order of the IDL.
static LAYOUTS: LazyLock<BTreeMap<String, Vec<(String, usize)>>> = LazyLock::new(|| {
    let types = IDL["types"].as_array().expect("an IDL has types").iter();
    let structs = types.filter_map(|of| Some((of["name"].as_str()?.to_owned(), fields_of(of)?)));
    structs.collect()
});

fn fields_of(of: &Value) -> Option<Vec<(String, usize)>> {
    let fields = of["type"]["fields"].as_array()?;
    fields.iter().map(|field| Some((field["name"].as_str()?.to_owned(), width(&field["type"])))).collect()
}

fn layout(type_name: &str) -> &'static [(String, usize)] {
    LAYOUTS.get(type_name).unwrap_or_else(|| panic!("the IDL has no struct {type_name}"))
}

fn width(kind: &Value) -> usize {
    match kind.as_str() {
        Some("u8" | "bool") => 1,
        Some("u16") => 2,
        Some("u32") => 4,
        Some("u64" | "i64") => 8,
        Some("pubkey") => 32,
        Some(other) => panic!("unknown type {other}"),
        None => nested_width(kind),
    }
}

fn nested_width(kind: &Value) -> usize {
    if let Some([element, length]) = kind["array"].as_array().map(Vec::as_slice) {
        return width(element) * usize::try_from(length.as_u64().expect("a length")).expect("small");
    }
    if kind.get("option").is_some() || kind.get("vec").is_some() {
        return 0; // Of arguments alone, whose width nobody asks for.
    }
    let name = kind["defined"]["name"].as_str().expect("a defined type");
    let types = IDL["types"].as_array().expect("an IDL has types");
    let found = types.iter().find(|candidate| candidate["name"] == name).expect("the type is defined");
    fields_of(found).map_or(1, |fields| fields.iter().map(|(_, width)| width).sum())
}

/// A struct in the order of the IDL.
pub fn encode(type_name: &str, fields: &Fields) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, _) in layout(type_name) {
        bytes.extend(fields.get(name.as_str()).unwrap_or_else(|| panic!("{type_name} has a field {name}")));
    }
    bytes
}

/// # Panics
/// When a field of the account differs from the model's, or the model does not know it.
pub fn compare(type_name: &str, key: Key, data: &[u8], expected: &Fields) {
    let mut at = 8;
    for (name, width) in layout(type_name) {
        let found = &data[at..at + width];
        at += *width;
        match expected.get(name.as_str()) {
            Some(expected) => assert_eq!(found, expected.as_slice(), "{name} of {type_name} {key:?}"),
            None if name == "bump" => {} // Where an account lies says it.
            None => panic!("the model does not know {name} of {type_name}"),
        }
    }
    assert_eq!(at, data.len(), "size of {type_name}");
}

macro_rules! fields {
    ($from:expr; $($name:ident),* $(,)?) => {
        [$((stringify!($name), $from.$name.to_le_bytes().to_vec())),*]
    };
}

fn keys<const N: usize>(of: [(&'static str, Key); N]) -> [(&'static str, Vec<u8>); N] {
    of.map(|(name, key)| (name, key.0.to_vec()))
}

fn plain(status: u8, rent_bytes: u64) -> Fields {
    Fields::from([
        ("version", vec![1]),
        ("status", vec![status]),
        ("rent_lamports", rent_lamports(rent_bytes).to_le_bytes().to_vec()),
    ])
}

/// Arguments and part of a market.
pub fn terms(terms: &Terms) -> Fields {
    let mut all = Fields::from(
        fields!(terms; fee_bps, stake_min_lamports, bond_min_lamports, bond_rate_bps, miss_rate_bps,
        delay_fee_lamports, decline_fee_lamports, attempts_max, queue_timeout_s, execution_base_s, challenge_base_s,
        job_total_s, unbonding_s, verify_rate_gas_per_s, gas_limit_max, quorum_bps, executions_max, ticket_lamports, widen_s,
        reveal_s, jury_lambda, jury_quorum_bps, juror_bond_lamports, duty_rate_bps, audit_one_in_min, audit_one_in_max,
        jail_s),
    );
    all.insert("profiles", 1_u32.to_le_bytes().to_vec());
    all
}

/// A market.
pub fn market(market: &Market) -> Fields {
    let mut all = plain(1, size::MARKET);
    all.extend(
        fields!(market; fees_lamports, paused_until_unix, pause_allowed_from_unix, pending_from_unix, tickets_total,
        duty_tickets_total),
    );
    all.extend(keys([
        ("creator", market.creator),
        ("authority", market.authority),
        ("pending_authority", market.pending_authority),
        ("mint", Key::default()),
    ]));
    all.extend([
        ("name", market.name.to_vec()),
        ("cluster", market.cluster.to_vec()),
        ("terms", encode("MarketTerms", &terms(&market.terms))),
        ("pending_terms", encode("MarketTerms", &terms(&market.pending_terms))),
        ("reserved", vec![0; 64]),
    ]);
    all
}

fn trust(trust: &Trust) -> Vec<u8> {
    let all = Fields::from(
        fields!(trust; completed, failed, missed, declined, disputes_won, disputes_lost, consecutive_valid,
        latency_ms_avg, confirmed, confirmed_fee_lamports),
    );
    encode("TrustVector", &all)
}

/// A provider.
pub fn provider(provider: &Provider) -> Fields {
    let mut all = plain(1, size::PROVIDER);
    all.extend(fields!(provider; stake_lamports, locked_lamports, unbonding_lamports, unbonding_until_unix,
        earnings_lamports, exposure_cap_lamports, stake_mature_from_unix, capacity, active, registered_unix, children_open,
        maturing_s, tickets, tickets_from_unix, duty_lock_lamports, duty_from_unix, duty_until_unix, jailed_until_unix,
        misses_in_row, votes_open, unaudited_lamports, duty_unbonding_s));
    let own = [("market", provider.market), ("authority", provider.authority), ("node_key", provider.node_key)];
    all.extend(keys(own));
    all.extend([("trust", trust(&provider.trust)), ("endpoint", vec![0; 64]), ("reserved", vec![0; 44])]);
    all
}

fn draw(draw: &Draw) -> Vec<u8> {
    let numbers = [draw.seed_slot.to_le_bytes(), draw.fixed_unix.to_le_bytes()].concat();
    [numbers.as_slice(), &draw.seed, &[draw.rearmed, draw.state as u8]].concat()
}

fn tally(tally: &Tally) -> Vec<u8> {
    let place = |entry: &Option<Entry>| match entry {
        Some(entry) => [entry.hash.as_slice(), &entry.weight.to_le_bytes(), &[entry.count, entry.drawn]].concat(),
        None => vec![0; 42],
    };
    tally.places.iter().flat_map(place).collect()
}

/// Seconds as the program keeps them.
fn seconds(value: i64) -> Vec<u8> {
    u32::try_from(value).expect("inside the terms' bounds").to_le_bytes().to_vec()
}

/// A job.
pub fn job(job: &Job, task: &assay_protocol::TaskSpec) -> Fields {
    let mut all = plain(job.status as u8, size::JOB);
    let terms = &job.terms;
    all.extend(fields!(terms; quorum_bps, fee_bps, miss_rate_bps, jury_lambda, jury_quorum_bps, attempts_max, delay_fee_lamports,
        decline_fee_lamports, juror_bond_lamports, stake_min_lamports, audit_one_in_min, audit_one_in_max));
    all.extend(fields!(job; redundancy, seats, seats_wanted, seats_filled, seats_max, executions_open, disputes_open, attempt,
        arbiters, right, pending_commits, pending_reveals, audit_one_in, min_trust_bps, id, created_slot, created_unix, price,
        base_fee_lamports, escrow_lamports, compensation_lamports, pay_lamports, fee_lamports, bond_lamports, fill_unix,
        queue_deadline_unix, total_deadline_unix, execution_deadline_unix, reveal_deadline_unix, window_deadline_unix,
        resolved_unix, tickets_total));
    all.extend(keys([("market", job.market), ("poster", job.poster)]));
    all.extend([
        ("executors", job.executors.iter().flat_map(|key| key.0).collect()),
        ("mode", vec![job.mode as u8]),
        ("fill", vec![job.fill as u8]),
        ("audit", vec![job.audit as u8]),
        ("job_uid", job.uid.to_vec()),
        ("queue_timeout_s", seconds(job.queue_timeout_s)),
        ("widen_s", seconds(job.widen_s)),
        ("execution_s", seconds(job.execution_s)),
        ("challenge_s", seconds(job.challenge_s)),
        ("reveal_s", seconds(job.reveal_s)),
        ("agreement_s", seconds(job.agreement_s)),
        ("weight_total_lamports", job.weight_total.to_le_bytes().to_vec()),
        ("draw", draw(&job.draw)),
        ("tally", tally(&job.tally)),
        ("outcome", job.outcome.unwrap_or([0; 79]).to_vec()),
        ("task_digest", task.digest().to_vec()),
        // One task: nothing asks for anything else yet.
        ("kind", vec![0]),
        ("task_count", 1_u32.to_le_bytes().to_vec()),
        ("collision_recorded", vec![u8::from(job.collision_recorded)]),
        ("jail_s", seconds(job.jail_s)),
        ("reserved", vec![0; 47]),
    ]);
    all.extend(task_fields(task));
    all
}

/// What `create_job` takes and a Job keeps of the task.
pub fn task_fields(task: &assay_protocol::TaskSpec) -> Fields {
    let limits = task.limits;
    let words = [limits.gas_limit, limits.memory_bytes, limits.stack_bytes, limits.output_bytes, limits.stdio_bytes];
    Fields::from([
        ("job_cid_digest", task.job_cid_digest.to_vec()),
        ("metered_hash", task.metered_hash.to_vec()),
        ("profile", task.profile.to_le_bytes().to_vec()),
        ("limits", words.iter().flat_map(|word| word.to_le_bytes()).collect()),
        ("seed", task.seed.to_le_bytes().to_vec()),
        ("clock_unix_ns", task.clock_unix_ns.to_le_bytes().to_vec()),
    ])
}

/// A seat.
pub fn execution((job, holder): (Key, Key), seat: &Execution) -> Fields {
    let mut all = plain(seat.status as u8, size::EXECUTION);
    all.extend(fields!(seat; seat, attempt, lock_lamports, accepted_unix, accepted_slot, submitted_unix, elapsed_s));
    all.extend(keys([
        ("job", job),
        ("provider", holder),
        ("node_key", seat.node_key),
        ("rent_payer", seat.rent_payer),
    ]));
    all.extend([
        ("drawn", vec![u8::from(seat.drawn)]),
        ("weight_lamports", seat.weight.to_le_bytes().to_vec()),
        ("commitment", seat.commitment.to_vec()),
        ("outcome", seat.outcome.unwrap_or([0; 79]).to_vec()),
        ("reserved", vec![0; 19]),
    ]);
    all
}

/// A dispute.
fn dispute(job: Key, dispute: &Dispute) -> Fields {
    let mut all = plain(dispute.status as u8, size::DISPUTE);
    all.extend(fields!(dispute; round, right, gas_limit, bond_lamports, juror_bond_lamports, ticket_lamports, miss_rate_bps,
        lambda, quorum_bps, duty_tickets_total, expected, opened_unix, entry_deadline_unix, commit_deadline_unix,
        reveal_deadline_unix, verdict_deadline_unix, final_unix, votes_committed, votes_revealed, votes_open, challenges,
        challenges_revealed, challenges_counted, challenges_open, held_lamports, lost_lamports, won_lamports, pot_lamports));
    let (market, rent_payer, poster) = (dispute.market, dispute.rent_payer, dispute.poster);
    all.extend(keys([("job", job), ("market", market), ("rent_payer", rent_payer), ("poster", poster)]));
    all.extend([
        ("job_uid", dispute.uid.to_vec()),
        ("executors", dispute.executors.iter().flat_map(|key| key.0).collect()),
        ("is_deadlock", vec![u8::from(dispute.is_deadlock)]),
        ("verdict", vec![dispute.verdict as u8]),
        ("standing_hash", dispute.standing_hash.to_vec()),
        ("verdict_hash", dispute.verdict_hash.to_vec()),
        ("outcome", dispute.outcome.to_vec()),
        ("execution_s", seconds(dispute.execution_s)),
        ("reveal_s", seconds(dispute.reveal_s)),
        ("draw", draw(&dispute.draw)),
        ("tally", tally(&dispute.tally)),
        ("revealed_weight", dispute.revealed_weight.iter().flat_map(|weight| weight.to_le_bytes()).collect()),
        // A job has one dispute, and there is no court after the last round.
        ("index", vec![0]),
        ("court", vec![0]),
        ("previous_seed", dispute.previous_seed.to_vec()),
        ("reserved", vec![0; 32]),
    ]);
    all
}

/// A challenge.
fn challenge((dispute, challenger): (Key, Key), challenge: &Challenge) -> Fields {
    let mut all = plain(challenge.status as u8, size::CHALLENGE);
    all.extend(fields!(challenge; bond_lamports, entered_unix));
    all.extend(keys([("dispute", dispute), ("challenger", challenger)]));
    all.extend([
        ("commitment", challenge.commitment.to_vec()),
        ("outcome_hash", challenge.outcome_hash.to_vec()),
        ("reserved", vec![0; 32]),
    ]);
    all
}

/// A vote.
fn vote((dispute, round, juror): (Key, u8, Key), vote: &Vote) -> Fields {
    let mut all = plain(1 + u8::from(vote.is_revealed), size::VOTE);
    all.extend(fields!(vote; weight, lock_lamports, committed_unix, tickets));
    all.extend(keys([("dispute", dispute), ("provider", juror), ("rent_payer", vote.rent_payer)]));
    all.extend([
        ("round", vec![round]),
        ("commitment", vote.commitment.to_vec()),
        ("ballot_hash", vote.ballot_hash.to_vec()),
        ("is_full", vec![u8::from(vote.is_full)]),
        ("reserved", vec![0; 11]),
    ]);
    all
}

/// A module.
fn module(module: &Module) -> Fields {
    let mut all = plain(1, size::MODULE);
    all.extend(fields!(module; collisions, distinct_max, entropy_millibits_sum, last_unix));
    all.extend(keys([("market", module.market), ("last_job", module.last_job)]));
    all.extend([("metered_hash", module.metered_hash.to_vec()), ("reserved", vec![0; 32])]);
    all
}

/// Every account of the program that the model knows; type and fields of those that are not as they were before.
pub fn accounts(
    model: &Model,
    before: &Model,
    tasks: &BTreeMap<[u8; 32], assay_protocol::TaskSpec>,
) -> Vec<(Key, Option<(&'static str, Fields)>)> {
    let mut all = Vec::new();
    for (key, of) in &model.markets {
        all.push((*key, (before.markets.get(key) != Some(of)).then(|| ("Market", market(of)))));
    }
    for (key, of) in &model.providers {
        all.push((*key, (before.providers.get(key) != Some(of)).then(|| ("Provider", provider(of)))));
    }
    for (key, of) in &model.jobs {
        all.push((*key, (before.jobs.get(key) != Some(of)).then(|| ("Job", job(of, &tasks[&of.uid])))));
    }
    for (place, of) in &model.executions {
        let changed = (before.executions.get(place) != Some(of)).then(|| ("Execution", execution(*place, of)));
        all.push((model.seat(place.0, place.1), changed));
    }
    for (job, of) in &model.disputes {
        let changed = (before.disputes.get(job) != Some(of)).then(|| ("Dispute", dispute(*job, of)));
        all.push((model.dispute_key(*job), changed));
    }
    for (place @ (job, challenger), of) in &model.challenges {
        let own = (model.dispute_key(*job), *challenger);
        let changed = (before.challenges.get(place) != Some(of)).then(|| ("Challenge", challenge(own, of)));
        all.push((model.challenge_key(*job, *challenger), changed));
    }
    for (place @ (job, round, juror), of) in &model.votes {
        let own = (model.dispute_key(*job), *round, *juror);
        let changed = (before.votes.get(place) != Some(of)).then(|| ("Vote", vote(own, of)));
        all.push((model.vote_key(*job, *round, *juror), changed));
    }
    for (key, of) in &model.modules {
        all.push((*key, (before.modules.get(key) != Some(of)).then(|| ("Module", module(of)))));
    }
    if let Some(burned) = model.sink_lamports {
        all.push((model.sink(), (before.sink_lamports != Some(burned)).then(|| ("Sink", sink(burned)))));
    }
    all
}

fn sink(burned_lamports: u64) -> Fields {
    let mut all = plain(1, size::SINK);
    all.insert("burned_lamports", burned_lamports.to_le_bytes().to_vec());
    all.insert("reserved", vec![0; 32]);
    all
}
