//! From account bytes to what the core understands.

use anchor_lang::AccountDeserialize;
use assay_protocol::{
    DisputeStatus, ExecutionStatus, JobStatus, Tally, TrustVector, VoteStatus, ballot_hash, outcome::OUTCOME_BYTES,
    tickets, trust::AuditBounds,
};
use assay_sdk::program::{
    AUDIT_SEED_PENDING,
    accounts::{Challenge, Dispute, Execution, Job, Market, Provider, Vote},
};
use solana_pubkey::Pubkey;

use super::{OpenSeat, rpc::RpcSettings};
use crate::core::{Collision, DisputeView, JobUid, JobView, OwnChallenge, OwnVote, ProviderView, ROUNDS, Seat};

/// Our Execution account, as far as it is read.
#[derive(Clone, Copy)]
pub(super) struct OwnSeat {
    seat: Seat,
    /// The job's attempt in which it was taken.
    attempt: u8,
    rent_payer: Pubkey,
}

/// Reads a Job. `None` when the bytes are something else, or from a later version of the program.
pub(super) fn job_view(address: Pubkey, data: &[u8], own: Option<OwnSeat>) -> Option<JobView> {
    let job = Job::try_deserialize(&mut &data[..]).ok()?;
    #[cfg(feature = "habits")]
    crate::habit::saw_job(&job);
    let (status, mode) = (job.job_status()?, job.job_mode()?);
    // What is left of the time to reveal means nothing before it is known who reveals.
    let is_audit_pending = job.audit == AUDIT_SEED_PENDING && status == JobStatus::Revealing;
    // Deadlines of an earlier holder mean nothing to the next one.
    let when = |wanted: &[JobStatus], deadline: i64| if wanted.contains(&status) { deadline } else { 0 };
    let seat = own.map(|own| match own.seat {
        // Silent in an earlier round: it has seen what others said.
        Seat::Accepted | Seat::Committed(_) if own.attempt != job.attempt => Seat::Missed,
        seat => seat,
    });
    let tally = Tally::from(job.tally);
    Some(JobView {
        uid: JobUid(job.job_uid),
        job: address,
        poster: job.poster,
        status,
        kind: job.kind,
        mode,
        redundancy: job.redundancy,
        seats_wanted: job.seats_wanted,
        seats: job.seats,
        attempt: job.attempt,
        arbiters: job.arbiters,
        is_audit_pending,
        audits: AuditBounds { one_in_min: job.audit_one_in_min, one_in_max: job.audit_one_in_max },
        stake_min_lamports: job.stake_min_lamports,
        executions_open: job.executions_open,
        disputes_open: job.disputes_open,
        executors: job.executors.into_iter().filter(|executor| *executor != Pubkey::default()).collect(),
        min_trust_bps: job.min_trust_bps,
        created_slot: job.created_slot,
        job_cid_digest: job.job_cid_digest,
        metered_hash: job.metered_hash,
        profile: job.profile,
        limits: job.task_limits(),
        seed: job.seed,
        clock_unix_ns: job.clock_unix_ns,
        price: job.price,
        base_fee_lamports: job.base_fee_lamports,
        bond_lamports: job.bond_lamports,
        draw: job.draw.into(),
        tickets_total: job.tickets_total,
        widen_s: job.widen_s,
        fill_unix: job.fill_unix,
        queue_deadline_unix: job.queue_deadline_unix,
        execution_s: job.execution_s,
        reveal_s: job.reveal_s,
        agreement_s: job.agreement_s,
        execution_deadline_unix: when(&[JobStatus::Assigned], job.execution_deadline_unix),
        reveal_deadline_unix: match is_audit_pending {
            true => 0,
            false => when(&[JobStatus::Assigned, JobStatus::Revealing], job.reveal_deadline_unix),
        },
        window_deadline_unix: when(&[JobStatus::Submitted, JobStatus::Deadlocked], job.window_deadline_unix),
        standing_hash: if status == JobStatus::Submitted { ballot_hash(&job.outcome) } else { [0; 32] },
        results: tally.entries().map(|entry| entry.hash).collect(),
        dispute: None,
        collision: (tally.distinct() > 1 && job.collision_recorded == 0).then_some(Collision::Seen),
        seat,
        rent_payer: own.map(|own| own.rent_payer),
    })
}

/// Reads our Execution.
pub(super) fn seat(data: &[u8]) -> Option<OwnSeat> {
    let execution = execution(data)?;
    let seat = match execution.execution_status()? {
        ExecutionStatus::Accepted => Seat::Accepted,
        ExecutionStatus::Committed => Seat::Committed(execution.commitment),
        ExecutionStatus::Submitted => {
            let outcome: [u8; OUTCOME_BYTES] = execution.outcome;
            Seat::Submitted(outcome)
        }
        ExecutionStatus::Missed => Seat::Missed,
        // A later version's status: leave it alone.
        _ => return None,
    };
    Some(OwnSeat { seat, attempt: execution.attempt, rent_payer: execution.rent_payer })
}

/// The provider whose seat an Execution is, and who gets its rent back.
pub(super) fn open_seat(data: &[u8]) -> Option<OpenSeat> {
    let execution = Execution::try_deserialize(&mut &data[..]).ok()?;
    Some(OpenSeat { provider: execution.provider, rent_payer: execution.rent_payer })
}

/// Reads a Dispute, with our Challenge and our Votes in it, by round. `None` when one of them cannot be read.
pub(super) fn dispute_view(
    dispute: &[u8],
    (challenge, votes): (Option<Vec<u8>>, [Option<Vec<u8>>; ROUNDS]),
    settings: &RpcSettings,
) -> Option<DisputeView> {
    let dispute = Dispute::try_deserialize(&mut &dispute[..]).ok()?;
    let mut own = [None; ROUNDS];
    for (place, vote) in own.iter_mut().zip(votes) {
        *place = match vote {
            Some(vote) => Some(own_vote(&vote)?),
            None => None,
        };
    }
    let challenge = match challenge {
        Some(challenge) => Some(own_challenge(&challenge)?),
        None => None,
    };
    let is_complete = dispute.votes_revealed >= dispute.votes_committed
        && (dispute.round > 0 || dispute.challenges_revealed >= dispute.challenges);
    Some(DisputeView {
        status: dispute.dispute_status()?,
        round: dispute.round,
        verdict: dispute.found(),
        verdict_hash: dispute.verdict_hash,
        standing_hash: dispute.standing_hash,
        is_party: dispute.poster == settings.authority || dispute.executors.contains(&settings.provider),
        bond_lamports: dispute.bond_lamports,
        juror_bond_lamports: dispute.juror_bond_lamports,
        expected: dispute.expected,
        duty_tickets_total: dispute.duty_tickets_total,
        opened_unix: dispute.opened_unix,
        entry_deadline_unix: dispute.entry_deadline_unix,
        commit_deadline_unix: dispute.commit_deadline_unix,
        reveal_deadline_unix: dispute.reveal_deadline_unix,
        verdict_deadline_unix: dispute.verdict_deadline_unix,
        draw: dispute.draw.into(),
        is_complete,
        votes: own,
        challenge,
        absences: Vec::new(),
        settlement: Vec::new(),
    })
}

fn own_vote(data: &[u8]) -> Option<OwnVote> {
    let vote = Vote::try_deserialize(&mut &data[..]).ok()?;
    Some(match vote.vote_status()? {
        VoteStatus::Committed => OwnVote::Committed(vote.commitment),
        VoteStatus::Revealed if vote.weight == 0 => OwnVote::Excused,
        VoteStatus::Revealed => OwnVote::Revealed(vote.ballot_hash),
        _ => return None,
    })
}

fn own_challenge(data: &[u8]) -> Option<OwnChallenge> {
    let challenge = Challenge::try_deserialize(&mut &data[..]).ok()?;
    let status = challenge.challenge_status()?;
    Some(OwnChallenge { status, commitment: challenge.commitment, outcome_hash: challenge.outcome_hash })
}

/// When a dispute that is not over was opened, and over which job.
pub(super) fn dispute_going_on(data: &[u8]) -> Option<(i64, Pubkey)> {
    let dispute = Dispute::try_deserialize(&mut &data[..]).ok()?;
    (dispute.dispute_status()? != DisputeStatus::Final).then_some((dispute.opened_unix, dispute.job))
}

/// The job that an Execution belongs to.
pub(super) fn execution_job(data: &[u8]) -> Option<Pubkey> {
    execution(data).map(|execution| execution.job)
}

/// Any Execution.
pub(super) fn execution(data: &[u8]) -> Option<Execution> {
    Execution::try_deserialize(&mut &data[..]).ok()
}

/// Tickets that `enroll_stake` would give now: none while stake matures, or while it stands for jury duty.
fn tickets_mature(provider: &Provider, ticket_lamports: u64, chain_unix: i64) -> u32 {
    let may_grow = chain_unix >= provider.stake_mature_from_unix && provider.duty_lock_lamports == 0;
    let may_grow = may_grow && !provider.is_on_duty();
    if may_grow { tickets::tickets_of(provider.stake_lamports, ticket_lamports) } else { 0 }
}

/// Our Provider account in its market.
pub(super) fn provider_view(
    provider: &[u8],
    market: &[u8],
    node_balance_lamports: u64,
    chain_unix: i64,
) -> Option<ProviderView> {
    let provider = Provider::try_deserialize(&mut &provider[..]).ok()?;
    let market = Market::try_deserialize(&mut &market[..]).ok()?;
    let terms = market.current_terms(chain_unix);
    let duty = provider.duty();
    Some(ProviderView {
        capacity: provider.capacity,
        active: provider.active,
        stake_lamports: provider.stake_lamports,
        locked_lamports: provider.locked_lamports,
        exposure_cap_lamports: provider.exposure_cap_lamports,
        tickets_mature: tickets_mature(&provider, terms.ticket_lamports, chain_unix),
        tickets: tickets::usable(provider.tickets, provider.stake_lamports, terms.ticket_lamports),
        duty,
        jury_reserve_lamports: provider.jury_reserve_lamports(&terms),
        duty_tickets_total: market.duty_tickets_total,
        earnings_lamports: provider.earnings_lamports,
        score_bps: TrustVector::from(provider.trust).score_bps(),
        streak: provider.trust.consecutive_valid,
        unaudited_lamports: provider.unaudited_lamports,
        jailed_until_unix: provider.jailed_until_unix,
        votes_open: provider.votes_open,
        market_paused: market.is_paused(chain_unix),
        node_balance_lamports,
    })
}
