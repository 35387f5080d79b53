//! A ledger on which steps are played, and what must hold after each of them.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use assay_protocol::{ExecutionStatus, JobStatus, fees::share_bps};
use assay_tests::{
    assay::accounts::{Execution, Job},
    call::Call,
    invariants::{self, Ledgers},
    party::{Party, STAKE},
    world::World,
};
use solana_pubkey::Pubkey;

use super::{
    cast::Cast,
    step::{Act, MARKETS, PROVIDERS, Place, Step},
};

/// What became of the calls of one instruction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    /// Went through.
    pub done: u32,
    /// Refused.
    pub refused: u32,
    /// Refused because somebody else signed.
    pub impostors: u32,
    /// Whether somebody's signature matters at all.
    pub is_privileged: bool,
}

/// What became of all calls, by instruction.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By instruction.
    pub calls: BTreeMap<&'static str, Count>,
    plays: u32,
}

impl Tally {
    /// Adds what another play counted.
    pub fn add(&mut self, other: &Self) {
        self.plays += 1;
        for (name, count) in &other.calls {
            let sum = self.calls.entry(name).or_default();
            sum.done += count.done;
            sum.refused += count.refused;
            sum.impostors += count.impostors;
            sum.is_privileged |= count.is_privileged;
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} plays; instruction: done, refused, of these by impostors", self.plays)?;
        for (name, Count { done, refused, impostors, .. }) in &self.calls {
            writeln!(f, "  {name:<26} {done:>7} {refused:>7} {impostors:>7}")?;
        }
        Ok(())
    }
}

/// What one posting of a job did so far.
struct Posting {
    deposit_lamports: u64,
    paid_lamports: u64,
    seats_paid: u32,
    status: JobStatus,
    outcome: Option<[u8; 79]>,
}

/// A ledger with everybody on it.
pub struct Play {
    world: World,
    cast: Cast,
    postings: HashMap<[u8; 32], Posting>,
    total: u128,
    /// What became of the calls.
    pub tally: Tally,
}

impl Play {
    /// Two markets with their providers, and no job.
    pub fn new() -> Self {
        let mut world = World::new();
        let cast = Cast::new(&mut world);
        let total = invariants::lamports_total(&world);
        let mut play = Self { world, cast, postings: HashMap::new(), total, tally: Tally::default() };
        let rightful =
            |act, provider| Step { act, place: Place { provider, poster: 0, id: 1, due: None }, actor: None };
        assert!(play.step(&rightful(Act::CreateSink, 0)));
        for market in 0..MARKETS {
            assert!(play.step(&rightful(Act::CreateMarket, market)));
        }
        for provider in 0..PROVIDERS {
            // The last one may leave at once.
            let stake_lamports = if provider + 1 == PROVIDERS { 0 } else { STAKE };
            assert!(play.step(&rightful(Act::Register { node: 2 * provider + 1, stake_lamports }, provider)));
        }
        play
    }

    /// Plays one step; whether it went through.
    pub fn step(&mut self, step: &Step) -> bool {
        let done = match step.act {
            Act::Wait { seconds } => {
                self.world.advance(seconds);
                true
            }
            Act::Jump { deadline, offset_s } => self.jump(deadline, offset_s),
            Act::Donate { account, lamports } => self.donate(&self.cast.account(step.place, account), lamports),
            _ => self.send(step),
        };
        self.check();
        done
    }

    fn send(&mut self, step: &Step) -> bool {
        let Some((mut call, signer)) = self.cast.call(&self.world, step) else { return false };
        let mut impostor = false;
        if let (Some((account, rightful)), Some(actor)) = (signer, step.actor) {
            let key = self.cast.keys[actor];
            impostor = key != rightful;
            call = call.with(account, key);
        }
        let done = self.try_call(&call);
        assert!(!(done && impostor), "I-06: {} by somebody else went through: {step:?}", call.name);
        let count = self.tally.calls.entry(call.name).or_default();
        count.impostors += u32::from(impostor);
        count.is_privileged |= signer.is_some();
        if done {
            self.cast.record(step);
        }
        done
    }

    /// Sends a call; one that is refused changes nothing.
    fn try_call(&mut self, call: &Call) -> bool {
        let before = self.world.snapshot();
        let watched = Watched::before(&self.world, call);
        let done = self.world.send(call).is_ok();
        let count = self.tally.calls.entry(call.name).or_default();
        if done {
            count.done += 1;
            self.settle_up(call, watched);
        } else {
            count.refused += 1;
            self.world.assert_unchanged(&before);
        }
        done
    }

    /// I-02, I-05: what a seat is paid comes once and out of its deposit, and the poster gets the rest to the lamport.
    fn settle_up(&mut self, call: &Call, watched: Watched) {
        match (call.name, watched.job) {
            ("settle_execution", Some((job, _))) if watched.seat == Some(ExecutionStatus::Submitted.code()) => {
                let posting = self.postings.get_mut(&job.job_uid).expect("a known posting");
                posting.seats_paid += 1;
                posting.paid_lamports += job.pay_lamports + job.fee_lamports;
                assert_eq!(posting.seats_paid, 1, "I-02: a job was settled twice");
            }
            ("close_job", Some((job, lamports))) => {
                let posting = &self.postings[&job.job_uid];
                let back = self.world.lamports(&job.poster) - watched.poster_lamports;
                assert_eq!(back, lamports, "I-05: the poster gets all that the job held");
                let due =
                    posting.deposit_lamports - posting.paid_lamports + job.compensation_lamports + job.rent_lamports;
                assert!(back >= due, "I-05: {back} of {due} came back");
            }
            _ => {}
        }
    }

    fn donate(&mut self, account: &Pubkey, lamports: u64) -> bool {
        let exists = self.world.account(account).is_some();
        if exists {
            self.world.donate(account, lamports);
            self.total += u128::from(lamports);
        }
        exists
    }

    /// Moves on to one of the deadlines that lie ahead, or to the second before or after it.
    fn jump(&mut self, index: usize, offset_s: i64) -> bool {
        let (ledgers, now) = (Ledgers::read(&self.world), self.world.now());
        let jobs = ledgers.jobs.iter().flat_map(|(_, job)| {
            let queued = [job.queue_deadline_unix, job.total_deadline_unix];
            queued.into_iter().chain([job.execution_deadline_unix, job.window_deadline_unix])
        });
        let markets = ledgers.markets.iter().flat_map(|(_, market)| {
            [market.pending_from_unix, market.paused_until_unix, market.pause_allowed_from_unix]
        });
        let providers = ledgers.providers.iter().map(|(_, provider)| provider.unbonding_until_unix);
        let mut ahead: Vec<i64> = jobs.chain(markets).chain(providers).map(|at| at + offset_s).collect();
        ahead.retain(|at| *at > now);
        ahead.sort_unstable();
        ahead.dedup();
        // The near ones more often: a jump over everything ends the play.
        let Some(at) = ahead.get(index % (1 + index % 12).min(ahead.len().max(1))) else { return false };
        self.world.advance_to(*at);
        true
    }

    /// I-01, I-02, I-03, I-05, I-06 over everything that exists.
    fn check(&mut self) {
        invariants::check(&self.world);
        assert_eq!(invariants::lamports_total(&self.world), self.total, "I-01: lamports appeared or vanished");
        let ledgers = Ledgers::read(&self.world);
        self.cast.check(&ledgers);
        for (key, job) in &ledgers.jobs {
            self.check_job(key, job);
        }
    }

    fn check_job(&mut self, key: &Pubkey, job: &Job) {
        let status = JobStatus::from_code(job.status).expect("a known status");
        let posting = self.postings.entry(job.job_uid).or_insert_with(|| {
            assert_eq!(status, JobStatus::Open, "{key} began otherwise");
            let deposit_lamports = job.escrow_lamports;
            Posting { deposit_lamports, paid_lamports: 0, seats_paid: 0, status, outcome: None }
        });
        assert!(!posting.status.is_terminal() || posting.status == status, "I-02, I-03: {key} went on after its end");
        posting.status = status;
        if let Some(outcome) = posting.outcome {
            assert_eq!(outcome, job.outcome, "I-03: the result of {key} changed");
        }
        if job.outcome != [0; 79] {
            posting.outcome = Some(job.outcome);
        }
        // I-05: what a seat gets was always inside the deposit, and what is not paid is still there.
        let most = job.price().pay(job.limits.gas_limit).expect("in bounds");
        let fee = share_bps(most, u32::from(job.fee_bps)).expect("in bounds");
        assert!(job.pay_lamports <= most && job.fee_lamports <= fee, "I-05: {key} overpays");
        assert!(job.pay_lamports + job.fee_lamports <= posting.deposit_lamports, "I-05: {key} pays what it has not");
        assert_eq!(job.escrow_lamports, posting.deposit_lamports - posting.paid_lamports, "I-05: escrow of {key}");
    }

    /// I-04: a key that has no part in anything brings every job to its end, with time alone and whatever is paused; then
    /// nobody is owed or bound.
    pub fn end_by_a_stranger(&mut self) {
        let jobs: Vec<Pubkey> = Ledgers::read(&self.world).jobs.into_iter().map(|(key, _)| key).collect();
        for key in jobs {
            self.end_job(key);
        }
        let ledgers = Ledgers::read(&self.world);
        assert!(ledgers.jobs.is_empty() && ledgers.executions.is_empty(), "I-04: something is stuck");
        for (key, provider) in &ledgers.providers {
            assert_eq!((provider.locked_lamports, provider.active), (0, 0), "I-04: {key} is stuck");
            assert_eq!(provider.children_open, 0, "I-04: {key} cannot close");
            if provider.earnings_lamports > 0 {
                let owed = Party { provider: *key, authority: provider.authority, ..self.stranger() };
                self.must(&owed.claim_reward());
            }
        }
    }

    fn end_job(&mut self, key: Pubkey) {
        loop {
            let job: Job = self.world.read(&key);
            let status = JobStatus::from_code(job.status).expect("a known status");
            let at = Party { job: key, market: job.market, poster: job.poster, ..self.stranger() };
            let (deadline, call) = match status {
                JobStatus::Open => (job.queue_deadline_unix, at.expire_open_job()),
                JobStatus::Assigned => {
                    let seats = self.seats(&key);
                    let held = seats.iter().find(|(_, seat)| seat.status == ExecutionStatus::Accepted.code());
                    let (execution, seat) = held.expect("an assigned job has a seat");
                    let at = Party { execution: *execution, provider: seat.provider, ..at };
                    (job.execution_deadline_unix, at.expire_assigned_job())
                }
                JobStatus::Submitted => (job.window_deadline_unix, at.finalize_job()),
                _ => break,
            };
            self.world.advance((deadline - self.world.now()).max(0));
            self.must(&call);
        }
        let job: Job = self.world.read(&key);
        let at = Party { job: key, market: job.market, poster: job.poster, ..self.stranger() };
        for (execution, seat) in self.seats(&key) {
            let at = Party { execution, provider: seat.provider, node_key: seat.rent_payer, ..at };
            self.must(&at.settle_execution());
        }
        self.world.next_slot();
        self.must(&at.close_job());
    }

    fn must(&mut self, call: &Call) {
        assert!(self.try_call(call), "I-04: a stranger's {} was refused", call.name);
        self.check();
    }

    fn seats(&self, job: &Pubkey) -> Vec<(Pubkey, Execution)> {
        Ledgers::read(&self.world).executions.into_iter().filter(|(_, seat)| seat.job == *job).collect()
    }

    /// A party of which every address that matters is filled in by the caller.
    fn stranger(&self) -> Party {
        self.cast.blank()
    }
}

/// What is needed afterwards to say what a call did.
struct Watched {
    job: Option<(Job, u64)>,
    seat: Option<u8>,
    poster_lamports: u64,
}

impl Watched {
    fn before(world: &World, call: &Call) -> Self {
        if !matches!(call.name, "settle_execution" | "close_job") {
            return Self { job: None, seat: None, poster_lamports: 0 };
        }
        let key = call.key("job");
        let job = world.account(&key).map(|account| (world.read::<Job>(&key), account.lamports));
        let poster_lamports = job.as_ref().map_or(0, |(job, _)| world.lamports(&job.poster));
        let seat = (call.name == "settle_execution").then(|| call.key("execution"));
        let seat = seat.filter(|key| world.account(key).is_some()).map(|key| world.read::<Execution>(&key).status);
        Self { job, seat, poster_lamports }
    }
}
