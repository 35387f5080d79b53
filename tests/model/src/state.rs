//! What is on the chain: plain structs in maps. Written from docs/PROTOCOL.md, not from the program.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use crate::{draw::Draw, tally::Tally};

/// An address, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Key(pub [u8; 32]);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Finds the address of an account of the program by its seeds. Whoever runs the model beside a ledger gives the
/// ledger's own.
pub type Address = fn(&[&[u8]]) -> Key;

/// Bytes of each account, discriminator included.
pub mod size {
    /// Market.
    pub const MARKET: u64 = 567;
    /// Provider.
    pub const PROVIDER: u64 = 402;
    /// Job.
    pub const JOB: u64 = 1_365;
    /// Execution.
    pub const EXECUTION: u64 = 316;
    /// Sink.
    pub const SINK: u64 = 51;
    /// Dispute.
    pub const DISPUTE: u64 = 1_310;
    /// Challenge.
    pub const CHALLENGE: u64 = 195;
    /// Vote.
    pub const VOTE: u64 = 212;
    /// Module.
    pub const MODULE: u64 = 168;
}

/// Least balance of an account of this many bytes.
#[must_use]
pub const fn rent_lamports(bytes: u64) -> u64 {
    (bytes + 128) * 6_960
}

/// What a market demands and promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Terms {
    pub fee_bps: u16,
    pub stake_min_lamports: u64,
    pub bond_min_lamports: u64,
    pub bond_rate_bps: u32,
    pub miss_rate_bps: u16,
    pub delay_fee_lamports: u64,
    pub decline_fee_lamports: u64,
    pub attempts_max: u8,
    pub queue_timeout_s: u32,
    pub execution_base_s: u32,
    pub challenge_base_s: u32,
    pub job_total_s: u32,
    pub unbonding_s: u32,
    pub verify_rate_gas_per_s: u64,
    pub gas_limit_max: u64,
    pub quorum_bps: u16,
    pub executions_max: u8,
    pub ticket_lamports: u64,
    pub widen_s: u32,
    pub reveal_s: u32,
    pub jury_lambda: u16,
    pub jury_quorum_bps: u16,
    pub juror_bond_lamports: u64,
    pub duty_rate_bps: u16,
    pub audit_one_in_min: u16,
    pub audit_one_in_max: u16,
    pub jail_s: u32,
}

impl Terms {
    /// Seconds that a base and the work of so much gas take.
    #[must_use]
    pub fn window_s(&self, base_s: u32, gas_limit: u64) -> i64 {
        let work_s = gas_limit.div_ceil(self.verify_rate_gas_per_s);
        i64::from(base_s) + i64::try_from(work_s).expect("inside the terms' bounds")
    }
}

/// A market.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Market {
    pub creator: Key,
    pub authority: Key,
    pub pending_authority: Key,
    pub name: [u8; 32],
    pub cluster: [u8; 32],
    pub fees_lamports: u64,
    pub paused_until_unix: i64,
    pub pause_allowed_from_unix: i64,
    pub terms: Terms,
    pub pending_terms: Terms,
    pub pending_from_unix: i64,
    pub tickets_total: u64,
    pub duty_tickets_total: u64,
}

impl Market {
    /// The terms in force.
    #[must_use]
    pub const fn terms_at(&self, now_unix: i64) -> &Terms {
        let announced = self.pending_from_unix != 0 && now_unix >= self.pending_from_unix;
        if announced { &self.pending_terms } else { &self.terms }
    }
}

/// What a provider did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Trust {
    pub completed: u32,
    pub failed: u32,
    pub missed: u32,
    pub declined: u32,
    pub disputes_won: u32,
    pub disputes_lost: u32,
    pub consecutive_valid: u32,
    pub latency_ms_avg: u32,
    pub confirmed: u32,
    pub confirmed_fee_lamports: u64,
}

/// A provider in one market.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Provider {
    pub market: Key,
    pub authority: Key,
    pub node_key: Key,
    pub stake_lamports: u64,
    pub locked_lamports: u64,
    pub unbonding_lamports: u64,
    pub unbonding_until_unix: i64,
    pub earnings_lamports: u64,
    pub exposure_cap_lamports: u64,
    pub stake_mature_from_unix: i64,
    pub capacity: u16,
    pub active: u16,
    pub trust: Trust,
    pub registered_unix: i64,
    pub children_open: u32,
    pub maturing_s: u32,
    pub tickets: u32,
    pub tickets_from_unix: i64,
    pub duty_lock_lamports: u64,
    pub duty_from_unix: i64,
    pub duty_until_unix: i64,
    pub jailed_until_unix: i64,
    pub misses_in_row: u8,
    pub votes_open: u16,
    pub unaudited_lamports: u64,
    pub duty_unbonding_s: u32,
}

impl Provider {
    /// Whether it counts for juries from now on.
    #[must_use]
    pub const fn is_on_duty(&self) -> bool {
        self.duty_until_unix == i64::MAX
    }

    /// Its tickets that the market's sum for juries counts.
    #[must_use]
    pub const fn duty_tickets(&self) -> u32 {
        if self.is_on_duty() { self.tickets } else { 0 }
    }

    /// Bonds of votes with all tickets that its stake still bears.
    #[must_use]
    pub fn vote_bonds(&self, terms: &Terms) -> u64 {
        u64::from(self.usable_tickets(terms.ticket_lamports)) * terms.juror_bond_lamports
    }

    /// Whether stake and exposure cap leave so much free.
    #[must_use]
    pub fn can_bind(&self, lamports: u64) -> bool {
        self.locked_lamports.saturating_add(lamports) <= self.stake_lamports.min(self.exposure_cap_lamports)
    }

    /// Tickets that its stake still bears.
    #[must_use]
    pub fn usable_tickets(&self, ticket_lamports: u64) -> u32 {
        self.tickets.min(crate::draw::tickets_of(self.stake_lamports, ticket_lamports))
    }
}

/// How results become a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub enum Mode {
    Optimistic = 1,
    Redundant = 2,
    Quorum = 3,
    Adaptive = 4,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub enum JobStatus {
    Open = 1,
    Assigned = 2,
    Submitted = 3,
    Resolved = 4,
    Cancelled = 5,
    Expired = 6,
    Disputed = 7,
    Revealing = 8,
    Deadlocked = 9,
}

impl JobStatus {
    /// Whether nothing but settling and closing is left.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        matches!(self, Self::Resolved | Self::Cancelled | Self::Expired)
    }

    /// Whether nobody reveals any more, and nobody contests it now.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        self.is_terminal() || matches!(self, Self::Submitted | Self::Deadlocked)
    }
}

/// What an open job's free seats are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The seats that the poster asked for.
    First = 0,
    /// The seats that check a runner that went alone.
    Audit = 1,
    /// One seat more, because the others do not agree.
    Arbitration = 2,
}

/// Whether a runner that went alone is audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub enum Audit {
    None = 0,
    SeedPending = 1,
    NotDrawn = 2,
    Drawn = 3,
}

/// A posted task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Job {
    pub status: JobStatus,
    pub market: Key,
    pub poster: Key,
    /// By seat; zero is free.
    pub executors: [Key; 9],
    /// The market's when it was posted: whatever becomes of those, the job keeps them.
    pub terms: Terms,
    pub mode: Mode,
    pub redundancy: u8,
    pub seats: u8,
    pub seats_wanted: u8,
    pub seats_filled: u8,
    pub seats_max: u8,
    pub executions_open: u8,
    pub disputes_open: u8,
    pub attempt: u8,
    pub arbiters: u8,
    pub fill: Fill,
    pub audit: Audit,
    pub right: u8,
    pub pending_commits: u8,
    pub pending_reveals: u8,
    pub audit_one_in: u16,
    pub min_trust_bps: u16,
    pub id: u64,
    pub created_slot: u64,
    pub created_unix: i64,
    pub uid: [u8; 32],
    pub gas_limit: u64,
    pub price: u64,
    pub base_fee_lamports: u64,
    pub escrow_lamports: u64,
    pub compensation_lamports: u64,
    pub pay_lamports: u64,
    pub fee_lamports: u64,
    pub bond_lamports: u64,
    pub queue_timeout_s: i64,
    pub widen_s: i64,
    pub execution_s: i64,
    pub challenge_s: i64,
    pub reveal_s: i64,
    pub agreement_s: i64,
    pub jail_s: i64,
    pub fill_unix: i64,
    pub queue_deadline_unix: i64,
    pub total_deadline_unix: i64,
    pub execution_deadline_unix: i64,
    pub reveal_deadline_unix: i64,
    pub window_deadline_unix: i64,
    pub resolved_unix: i64,
    pub tickets_total: u64,
    pub weight_total: u64,
    pub draw: Draw,
    pub tally: Tally,
    pub outcome: Option<[u8; 79]>,
    pub metered_hash: [u8; 32],
    pub collision_recorded: bool,
}

/// What is known of a metered module in one market: how often its results differed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Module {
    pub market: Key,
    pub metered_hash: [u8; 32],
    pub last_job: Key,
    pub collisions: u32,
    pub distinct_max: u8,
    pub entropy_millibits_sum: u64,
    pub last_unix: i64,
}

/// Where a seat stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub enum SeatStatus {
    Accepted = 1,
    Submitted = 2,
    Missed = 3,
    Committed = 4,
}

/// A provider's seat in a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Execution {
    pub status: SeatStatus,
    pub node_key: Key,
    pub rent_payer: Key,
    pub seat: u8,
    pub attempt: u8,
    pub drawn: bool,
    /// Whether it runs alone in an adaptive job; follows from job and seat.
    pub solo: bool,
    pub lock_lamports: u64,
    pub weight: u64,
    pub commitment: [u8; 32],
    pub outcome: Option<[u8; 79]>,
    pub accepted_unix: i64,
    pub accepted_slot: u64,
    pub submitted_unix: i64,
    pub elapsed_s: u32,
}

/// Where a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub enum DisputeStatus {
    Entry = 1,
    Drawing = 2,
    Voting = 3,
    Tallied = 4,
    Final = 5,
}

/// What a round, and in the end the dispute, came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing: too few votes, or no majority.
    None = 0,
    /// An outcome.
    Outcome = 1,
    /// That the content cannot be had.
    Unavailable = 2,
    /// Nothing, and no round follows.
    NoQuorum = 3,
}

/// A dispute about a job's result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Dispute {
    pub status: DisputeStatus,
    pub market: Key,
    pub rent_payer: Key,
    pub poster: Key,
    pub uid: [u8; 32],
    pub executors: [Key; 9],
    pub round: u8,
    pub is_deadlock: bool,
    pub verdict: Verdict,
    pub right: u8,
    pub standing_hash: [u8; 32],
    pub verdict_hash: [u8; 32],
    /// The ballot that leads, zeros for Unavailable.
    pub outcome: [u8; 79],
    pub gas_limit: u64,
    pub bond_lamports: u64,
    pub juror_bond_lamports: u64,
    pub ticket_lamports: u64,
    pub miss_rate_bps: u16,
    pub lambda: u16,
    pub quorum_bps: u16,
    pub execution_s: i64,
    pub reveal_s: i64,
    pub duty_tickets_total: u64,
    pub expected: u64,
    pub opened_unix: i64,
    pub entry_deadline_unix: i64,
    pub commit_deadline_unix: i64,
    pub reveal_deadline_unix: i64,
    pub verdict_deadline_unix: i64,
    pub final_unix: i64,
    pub draw: Draw,
    pub tally: Tally,
    pub votes_committed: u32,
    pub votes_revealed: u32,
    pub votes_open: u32,
    pub revealed_weight: [u64; 4],
    pub challenges: u32,
    pub challenges_revealed: u32,
    pub challenges_counted: u32,
    pub challenges_open: u32,
    /// Everything that lies in it beyond rent.
    pub held_lamports: u64,
    /// Bonds of lost challenges.
    pub lost_lamports: u64,
    /// Bonds of won challenges.
    pub won_lamports: u64,
    /// Wrong and hidden results, and absences.
    pub pot_lamports: u64,
    /// Of the round before; zero in the first.
    pub previous_seed: [u8; 32],
}

/// Where a challenge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub enum ChallengeStatus {
    Entered = 1,
    Revealed = 2,
    Won = 3,
}

/// Somebody's bond against a result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Challenge {
    pub status: ChallengeStatus,
    pub commitment: [u8; 32],
    pub outcome_hash: [u8; 32],
    pub bond_lamports: u64,
    pub entered_unix: i64,
}

/// A juror's vote in one round.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "PROTOCOL.md, under the same names")]
pub struct Vote {
    pub is_revealed: bool,
    pub rent_payer: Key,
    pub weight: u64,
    pub lock_lamports: u64,
    pub commitment: [u8; 32],
    pub ballot_hash: [u8; 32],
    pub committed_unix: i64,
    /// Usable ones of the juror when it voted.
    pub tickets: u32,
    /// Whether nothing but its stake, or the size of a vote, kept it from weighing more.
    pub is_full: bool,
}

/// The whole chain as the protocol sees it.
#[derive(Clone, Debug)]
pub struct Model {
    /// The program.
    pub program: Key,
    /// How addresses are found.
    pub address: Address,
    /// The chain's slot.
    pub slot: u64,
    /// The chain's time.
    pub now_unix: i64,
    /// Newest first, at most 512.
    pub slot_hashes: VecDeque<(u64, [u8; 32])>,
    /// Balances of everybody and everything.
    pub lamports: BTreeMap<Key, u64>,
    /// By address.
    pub markets: BTreeMap<Key, Market>,
    /// By address.
    pub providers: BTreeMap<Key, Provider>,
    /// By address.
    pub jobs: BTreeMap<Key, Job>,
    /// By job and provider.
    pub executions: BTreeMap<(Key, Key), Execution>,
    /// By job.
    pub disputes: BTreeMap<Key, Dispute>,
    /// By job and challenger.
    pub challenges: BTreeMap<(Key, Key), Challenge>,
    /// By job, round and provider.
    pub votes: BTreeMap<(Key, u8, Key), Vote>,
    /// By address.
    pub modules: BTreeMap<Key, Module>,
    /// What the Sink got, once it is there.
    pub sink_lamports: Option<u64>,
    /// What each seat was paid, by posting and provider: once (I-02).
    pub paid: BTreeMap<([u8; 32], Key), u64>,
}

impl Model {
    /// A chain with nothing on it.
    #[must_use]
    pub const fn empty(program: Key, address: Address) -> Self {
        Self {
            program,
            address,
            slot: 1_000,
            now_unix: 1_800_000_000,
            slot_hashes: VecDeque::new(),
            lamports: BTreeMap::new(),
            markets: BTreeMap::new(),
            providers: BTreeMap::new(),
            jobs: BTreeMap::new(),
            executions: BTreeMap::new(),
            disputes: BTreeMap::new(),
            challenges: BTreeMap::new(),
            votes: BTreeMap::new(),
            modules: BTreeMap::new(),
            sink_lamports: None,
            paid: BTreeMap::new(),
        }
    }
}
