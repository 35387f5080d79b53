//! The core against a model of the chain that lies by omission: events are lost, repeated, delayed and reordered, and
//! the chain takes back what is not final.

mod adaptive;
mod court;
mod deaths;
mod disputes;
mod drawn;
mod enroll;
mod fees;
mod forks;
mod jobs;
mod places;
mod play;
mod rests;
mod sandbox;
mod table;
mod world;

use assay_protocol::{Draw, JobStatus, Mode, PROFILE_V1, TaskLimits, duty::DutyView, trust::AuditBounds};
use solana_pubkey::Pubkey;

use super::*;

/// What honest runs of every job give.
const OURS: OutcomeBytes = [3; 79];

fn settings() -> Settings {
    Settings {
        provider: Pubkey::new_from_array([77; 32]),
        node_key: Pubkey::new_from_array([78; 32]),
        watch: Watch {
            sample: 0,
            gas_per_day: 4_000_000_000,
            bonds_per_day_lamports: 1_000,
            duty: true,
            secret: [79; 32],
        },
        policy: Policy {
            gas_limit_max: u64::MAX,
            memory_max_bytes: u64::MAX,
            accept_invalid: true,
            accept_without_appeal: true,
            ..Policy::default()
        },
        jobs_tracked_max: 32,
        jobs_active_max: 4,
        preparations_max: 2,
        runs_max: 2,
        gas_per_second: 250_000_000,
        engine: Engine::Wasmi,
        prepare_attempts_max: 3,
        run_attempts_max: 3,
        tx_failures_max: 4,
        fees: FeeLadder::DEFAULT,
        fee_bump_ms: 1_000,
        fee_bumps_max: 2,
        accept_margin_s: 1,
        decline_margin_s: 2,
        submit_unpublished: false,
        balance_min_lamports: 1_000,
        claim_min_lamports: 1,
        crank: true,
        adopt_unknown_seats: false,
    }
}

fn provider() -> ProviderView {
    ProviderView {
        capacity: 8,
        active: 0,
        stake_lamports: 1_000_000,
        locked_lamports: 0,
        exposure_cap_lamports: 1_000_000,
        tickets: 40,
        tickets_mature: 40,
        duty: DutyView { duty_from_unix: 0, duty_until_unix: 0, tickets_from_unix: 0 },
        jury_reserve_lamports: 0,
        duty_tickets_total: 0,
        earnings_lamports: 0,
        score_bps: 10_000,
        streak: 0,
        unaudited_lamports: 0,
        jailed_until_unix: 0,
        votes_open: 0,
        market_paused: false,
        node_balance_lamports: 1_000_000_000,
    }
}

pub(crate) fn view(byte: u8) -> JobView {
    JobView {
        uid: JobUid([byte; 32]),
        job: Pubkey::new_from_array([byte; 32]),
        poster: Pubkey::new_from_array([200 + byte % 3; 32]),
        status: JobStatus::Open,
        kind: 0,
        mode: Mode::Optimistic,
        redundancy: 1,
        seats_wanted: 1,
        seats: 0,
        attempt: 0,
        arbiters: 0,
        is_audit_pending: false,
        audits: AuditBounds { one_in_min: 10, one_in_max: 50 },
        stake_min_lamports: 1,
        executions_open: 0,
        disputes_open: 0,
        executors: Vec::new(),
        min_trust_bps: 0,
        created_slot: 1,
        job_cid_digest: [byte; 32],
        metered_hash: [7; 32],
        profile: PROFILE_V1,
        limits: TaskLimits::default(),
        seed: 0,
        clock_unix_ns: 0,
        price: 10,
        base_fee_lamports: 20_000,
        bond_lamports: 100,
        draw: Draw::default(),
        tickets_total: 0,
        widen_s: 10,
        fill_unix: 0,
        queue_deadline_unix: 1_000_000,
        execution_s: 60,
        reveal_s: 20,
        agreement_s: 0,
        execution_deadline_unix: 0,
        reveal_deadline_unix: 0,
        window_deadline_unix: 0,
        standing_hash: [0; 32],
        results: Vec::new(),
        dispute: None,
        collision: None,
        seat: None,
        rent_payer: None,
    }
}
