//! Random calls by random people with jumps in time: after every step the promises hold. A failing case prints its
//! seed and its steps, and proptest shrinks it.

use std::collections::HashMap;

use assay_protocol::{JobStatus, fees::share_bps};
use assay_tests::{
    assay::{accounts::Job, types::UpdateProviderArgs},
    call::Call,
    calls::{create_sink, job_args},
    invariants::{self, Ledgers},
    party::{PRICE, Party, exited, terms},
    world::{SOL, World},
};
use proptest::prelude::*;
use solana_pubkey::Pubkey;

const PROVIDERS: usize = 3;
const JOBS: u64 = 3;

/// One thing that somebody tries.
#[derive(Clone, Copy, Debug)]
enum Step {
    Create { job: u64, extra_lamports: u64 },
    Cancel { job: u64 },
    Accept { job: u64, provider: usize },
    Decline { job: u64, provider: usize },
    Submit { job: u64, provider: usize, gas: u64 },
    Finalize { job: u64 },
    Settle { job: u64, provider: usize },
    ExpireOpen { job: u64 },
    ExpireAssigned { job: u64, provider: usize },
    Close { job: u64 },
    Claim { provider: usize },
    ClaimFees,
    Stake { provider: usize, lamports: u64 },
    Unstake { provider: usize, lamports: u64 },
    Withdraw { provider: usize },
    Cap { provider: usize, lamports: u64 },
    Terms { fee_bps: u16 },
    Pause { seconds: i64 },
    Donate { job: u64, lamports: u64 },
    Wait { seconds: i64 },
}

fn step() -> impl Strategy<Value = Step> {
    let (job, provider) = (1..=JOBS, 0..PROVIDERS);
    let lamports = prop_oneof![Just(0), Just(1), Just(u64::MAX), 0..2 * SOL, 0..20 * SOL];
    let pair = (job.clone(), provider.clone());
    prop_oneof![
        3 => (job.clone(), 0..1_000u64).prop_map(|(job, extra_lamports)| Step::Create { job, extra_lamports }),
        1 => job.clone().prop_map(|job| Step::Cancel { job }),
        4 => pair.clone().prop_map(|(job, provider)| Step::Accept { job, provider }),
        1 => pair.clone().prop_map(|(job, provider)| Step::Decline { job, provider }),
        4 => (pair.clone(), 0..=1_000_000_000u64)
            .prop_map(|((job, provider), gas)| Step::Submit { job, provider, gas }),
        3 => job.clone().prop_map(|job| Step::Finalize { job }),
        3 => pair.clone().prop_map(|(job, provider)| Step::Settle { job, provider }),
        1 => job.clone().prop_map(|job| Step::ExpireOpen { job }),
        2 => pair.prop_map(|(job, provider)| Step::ExpireAssigned { job, provider }),
        2 => job.clone().prop_map(|job| Step::Close { job }),
        1 => provider.clone().prop_map(|provider| Step::Claim { provider }),
        1 => Just(Step::ClaimFees),
        1 => (provider.clone(), lamports.clone()).prop_map(|(provider, lamports)| Step::Stake { provider, lamports }),
        1 => (provider.clone(), lamports.clone()).prop_map(|(provider, lamports)| Step::Unstake { provider, lamports }),
        1 => provider.clone().prop_map(|provider| Step::Withdraw { provider }),
        1 => (provider, lamports).prop_map(|(provider, lamports)| Step::Cap { provider, lamports }),
        1 => (0..=1_001u16).prop_map(|fee_bps| Step::Terms { fee_bps }),
        1 => prop_oneof![Just(0), 0..1_000i64].prop_map(|seconds| Step::Pause { seconds }),
        1 => (job, 1..5u64).prop_map(|(job, lamports)| Step::Donate { job, lamports }),
        4 => prop_oneof![Just(0), 0..30i64, Just(160), Just(600), 0..4_000i64, Just(86_400)]
            .prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// What one posting of a job may pay out at most, and what its final result was.
#[derive(Default)]
struct Posting {
    finals: u32,
    outcome: Option<[u8; 79]>,
    status: Option<JobStatus>,
}

struct Play {
    world: World,
    /// One per provider, all with the first one's market and poster.
    parties: Vec<Party>,
    postings: HashMap<[u8; 32], Posting>,
    total: u128,
}

impl Play {
    fn new() -> Self {
        let mut world = World::new();
        let payer = world.wallet(SOL);
        world.ok(&create_sink(payer));
        let first = Party::new(&mut world);
        world.ok(&first.create_market(&terms()));
        let mut parties = vec![first];
        while parties.len() < PROVIDERS {
            let other = first.another(&mut world);
            parties.push(first.with_provider_of(&other));
        }
        for party in &parties {
            world.ok(&party.register_provider());
        }
        let total = invariants::lamports_total(&world);
        Self { world, parties, postings: HashMap::new(), total }
    }

    fn call(&self, step: Step) -> Option<Call> {
        let first = self.parties[0];
        let seat = |job: u64, provider: usize| self.parties[provider].with_job(job);
        Some(match step {
            Step::Create { job, extra_lamports } => {
                let mut args = job_args(job);
                // The market's fee may have changed; whoever pays for ten per cent pays for all.
                args.escrow_lamports = args.escrow_lamports * 11 / 10 + extra_lamports;
                first.with_job(job).create_job_with(args)
            }
            Step::Cancel { job } => first.with_job(job).cancel_job(),
            Step::Accept { job, provider } => seat(job, provider).accept_job(&self.world),
            Step::Decline { job, provider } => seat(job, provider).decline_job(1),
            Step::Submit { job, provider, gas } => seat(job, provider).submit_results(&exited(gas)),
            Step::Finalize { job } => first.with_job(job).finalize_job(),
            Step::Settle { job, provider } => seat(job, provider).settle_execution(),
            Step::ExpireOpen { job } => first.with_job(job).expire_open_job(),
            Step::ExpireAssigned { job, provider } => seat(job, provider).expire_assigned_job(),
            Step::Close { job } => first.with_job(job).close_job(),
            Step::Claim { provider } => self.parties[provider].claim_reward(),
            Step::ClaimFees => first.claim_market_fees(),
            Step::Stake { provider, lamports } => self.parties[provider].stake(lamports),
            Step::Unstake { provider, lamports } => self.parties[provider].unstake(lamports),
            Step::Withdraw { provider } => self.parties[provider].withdraw_stake(),
            Step::Cap { provider, lamports } => {
                let cap = Some(lamports);
                let args = UpdateProviderArgs { exposure_cap_lamports: cap, capacity: None, endpoint: None };
                self.parties[provider].update_provider(args, None)
            }
            Step::Terms { fee_bps } => first.update_market(&assay_protocol::MarketTerms { fee_bps, ..terms() }),
            Step::Pause { seconds } => first.pause_market(self.world.now() + seconds),
            Step::Donate { .. } | Step::Wait { .. } => return None,
        })
    }

    fn step(&mut self, step: Step) -> bool {
        let went_through = match step {
            Step::Wait { seconds } => {
                self.world.advance(seconds);
                true
            }
            Step::Donate { job, lamports } => {
                let key = self.parties[0].with_job(job).job;
                if self.world.account(&key).is_some() {
                    self.world.donate(&key, lamports);
                    self.total += u128::from(lamports);
                }
                true
            }
            _ => {
                let call = self.call(step).expect("a call");
                let before = self.world.snapshot();
                match self.world.send(&call) {
                    Ok(_) => true,
                    Err(_) => {
                        self.world.assert_unchanged(&before);
                        false
                    }
                }
            }
        };
        self.check();
        went_through
    }

    /// I-01, I-02, I-03, I-05 over everything that exists.
    fn check(&mut self) {
        invariants::check(&self.world);
        assert_eq!(invariants::lamports_total(&self.world), self.total, "I-01: lamports appeared or vanished");
        let ledgers = Ledgers::read(&self.world);
        for (key, job) in &ledgers.jobs {
            self.check_job(key, job);
        }
    }

    fn check_job(&mut self, key: &Pubkey, job: &Job) {
        let status = JobStatus::from_code(job.status).expect("a known status");
        let posting = self.postings.entry(job.job_uid).or_default();
        if posting.status.is_some_and(JobStatus::is_terminal) {
            assert_eq!(posting.status, Some(status), "I-03: {key} changed after its end");
        } else if status.is_terminal() {
            posting.finals += 1;
        }
        assert!(posting.finals <= 1, "I-02: {key} ended twice");
        posting.status = Some(status);
        if let Some(outcome) = posting.outcome {
            assert_eq!(outcome, job.outcome, "I-03: the result of {key} changed");
        }
        if job.outcome != [0; 79] {
            posting.outcome = Some(job.outcome);
        }
        // I-05: what a seat gets was always inside the escrow.
        let most = PRICE.pay(job.limits.gas_limit).expect("in bounds");
        let fee = share_bps(most, u32::from(job.fee_bps)).expect("in bounds");
        assert!(job.pay_lamports <= most && job.fee_lamports <= fee, "I-05: {key} overpays");
    }

    /// I-04: anybody can bring everything to an end with time alone, and then nothing is owed.
    fn drain(&mut self) {
        for _ in 0..8 {
            if Ledgers::read(&self.world).jobs.is_empty() {
                break;
            }
            self.world.advance(86_400);
            for job in 1..=JOBS {
                self.step(Step::ExpireOpen { job });
                for provider in 0..PROVIDERS {
                    self.step(Step::ExpireAssigned { job, provider });
                }
                self.step(Step::Finalize { job });
                for provider in 0..PROVIDERS {
                    self.step(Step::Settle { job, provider });
                }
                self.step(Step::Close { job });
            }
        }
        for provider in 0..PROVIDERS {
            self.step(Step::Claim { provider });
        }
        let ledgers = Ledgers::read(&self.world);
        assert!(ledgers.jobs.is_empty() && ledgers.executions.is_empty(), "I-04: something is stuck");
        for (key, provider) in &ledgers.providers {
            assert_eq!((provider.locked_lamports, provider.active), (0, 0), "I-04: {key} is stuck");
            assert_eq!(provider.earnings_lamports, 0, "{key} was not paid");
        }
    }
}

/// Plays in an ordinary run; `PROPTEST_CASES` asks for more.
const CASES: u32 = 48;

fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(CASES);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn i_01_i_02_i_04_i_05_promises_hold_after_every_step_of_any_play(steps in prop::collection::vec(step(), 1..80)) {
        let mut play = Play::new();
        for step in steps {
            play.step(step);
        }
        play.drain();
    }
}

#[test]
fn a_play_reaches_every_status() {
    // The generator above is only worth something if its vocabulary reaches everything.
    let mut play = Play::new();
    let script = [
        Step::Create { job: 1, extra_lamports: 5 },
        Step::Accept { job: 1, provider: 0 },
        Step::Wait { seconds: 160 },
        Step::ExpireAssigned { job: 1, provider: 0 },
        Step::Accept { job: 1, provider: 1 },
        Step::Decline { job: 1, provider: 1 },
        Step::Accept { job: 1, provider: 1 },
        Step::Submit { job: 1, provider: 1, gas: 7 },
        Step::Wait { seconds: 160 },
        Step::Finalize { job: 1 },
        Step::Settle { job: 1, provider: 1 },
        Step::Settle { job: 1, provider: 0 },
        Step::Close { job: 1 },
        Step::Claim { provider: 1 },
        Step::Create { job: 2, extra_lamports: 0 },
        Step::Cancel { job: 2 },
        Step::Create { job: 3, extra_lamports: 0 },
        Step::Wait { seconds: 600 },
        Step::ExpireOpen { job: 3 },
        Step::Close { job: 2 },
        Step::Close { job: 3 },
    ];
    for step in script {
        assert!(play.step(step), "{step:?} was refused");
    }
    play.drain();
}
