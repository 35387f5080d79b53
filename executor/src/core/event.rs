//! What the core hears and what it asks for.

use std::collections::BTreeMap;

use assay_protocol::{
    Draw, Hash32, JobStatus, Lookup, Mode, TaskLimits, duty::DutyView, fees::Price, trust::AuditBounds,
};
use solana_pubkey::Pubkey;

use super::{
    court::DisputeView,
    job::{JobUid, OutcomeBytes, Salt},
    tx::TxKind,
};

/// A Job account as one poll saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    /// [`assay_protocol::job_uid`].
    pub uid: JobUid,
    /// Address.
    pub job: Pubkey,
    /// Who pays.
    pub poster: Pubkey,
    /// Status.
    pub status: JobStatus,
    /// 0 is the only kind this release knows.
    pub kind: u8,
    /// How the result is found.
    pub mode: Mode,
    /// Results that the poster wants.
    pub redundancy: u8,
    /// Seats to be filled before the clock runs, those of earlier rounds included.
    pub seats_wanted: u8,
    /// Seats whose clock ran; those of this round not before it does.
    pub seats: u8,
    /// Arbitrations so far, or attempts that a single seat missed.
    pub attempt: u8,
    /// Arbiters asked so far: more trust is asked of each.
    pub arbiters: u8,
    /// Whether the hidden result of a seat that was taken alone is audited is not drawn yet: until then nothing can be revealed.
    pub is_audit_pending: bool,
    /// How often the results of who runs it alone are audited.
    pub audits: AuditBounds,
    /// Least stake of who takes a seat, lamports.
    pub stake_min_lamports: u64,
    /// Executions not yet settled.
    pub executions_open: u8,
    /// Disputes of the job that are not closed: the job cannot close before.
    pub disputes_open: u8,
    /// Provider accounts that hold or held its seats, by seat; those that were given back are left out.
    pub executors: Vec<Pubkey>,
    /// Least trust score of a provider, basis points; nothing but zero is supported yet.
    pub min_trust_bps: u16,
    /// Slot of creation.
    pub created_slot: u64,
    /// SHA-256 digest of the job directory's CID.
    pub job_cid_digest: Hash32,
    /// Hash of the metered module the poster expects.
    pub metered_hash: Hash32,
    /// Execution profile.
    pub profile: u32,
    /// Limits.
    pub limits: TaskLimits,
    /// Seed.
    pub seed: u64,
    /// Virtual clock start.
    pub clock_unix_ns: u64,
    /// Lamports per 10^12 gas.
    pub price: u64,
    /// Paid for any outcome.
    pub base_fee_lamports: u64,
    /// Locked while the seat is held.
    pub bond_lamports: u64,
    /// Draw of the seats, if they are drawn.
    pub draw: Draw,
    /// All tickets of the market when the job was created.
    pub tickets_total: u64,
    /// Seconds in which the chance of a ticket doubles.
    pub widen_s: u32,
    /// Since when it may be accepted.
    pub fill_unix: i64,
    /// Until when it may be accepted.
    pub queue_deadline_unix: i64,
    /// Seconds a provider gets once all seats are filled.
    pub execution_s: u32,
    /// Seconds for the reveals, once all have committed.
    pub reveal_s: u32,
    /// Seconds in which what several seats agree on may be disputed.
    pub agreement_s: u32,
    /// Until when the present holders may submit or commit; zero when the clock does not run.
    pub execution_deadline_unix: i64,
    /// Until when those who committed may reveal; zero when the clock does not run.
    pub reveal_deadline_unix: i64,
    /// Until when the standing outcome, or that there is none, may be disputed; zero before.
    pub window_deadline_unix: i64,
    /// Hash of the result that stands, or that is disputed; zero while there is none.
    pub standing_hash: Hash32,
    /// Hashes of what its seats showed.
    pub results: Vec<Hash32>,
    /// The dispute; `None` also while it was not looked at.
    pub dispute: Option<Box<DisputeView>>,
    /// Seats gave different outcomes, and that is not recorded with the module yet.
    pub collision: Option<Collision>,
    /// Our seat, if we have one.
    pub seat: Option<Seat>,
    /// Who paid the seat's rent and gets it back.
    pub rent_payer: Option<Pubkey>,
}

/// Different outcomes of one job, on their way to the record of its metered module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collision {
    /// Whether the module has a record was not looked up.
    Seen,
    /// It has none: whoever records the first one pays its rent.
    OfNewModule,
    /// It has one.
    OfKnownModule,
}

impl JobView {
    /// Whether a collision can be recorded now, and is the first of its module.
    #[must_use]
    pub fn is_first_collision(&self) -> Option<bool> {
        let is_counted =
            self.status.is_terminal() || matches!(self.status, JobStatus::Submitted | JobStatus::Deadlocked);
        match self.collision.filter(|_| is_counted)? {
            Collision::Seen => None,
            Collision::OfNewModule => Some(true),
            Collision::OfKnownModule => Some(false),
        }
    }

    /// Whether the seats are drawn, and results committed to before they are revealed.
    #[must_use]
    pub fn is_drawn(&self) -> bool {
        self.mode != Mode::Optimistic
    }

    /// Seats that this round fills.
    #[must_use]
    pub fn seats_to_fill(&self) -> u8 {
        self.seats_wanted.saturating_sub(self.seats)
    }

    /// Whether a provider that proved itself may take the whole job: it is adaptive, and nobody holds a seat or did.
    #[must_use]
    pub fn may_run_alone(&self) -> bool {
        self.mode == Mode::Adaptive && self.status == JobStatus::Open && self.executors.is_empty()
    }

    /// The most that one seat is paid, lamports; `None` for terms that the program does not take.
    #[must_use]
    pub fn pay_max_lamports(&self) -> Option<u64> {
        let price = Price { base_fee_lamports: self.base_fee_lamports, price: self.price };
        price.pay(self.limits.gas_limit).ok()
    }
}

/// Our Execution account of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// The seat is ours, the result is owed.
    Accepted,
    /// Our hidden outcome is on chain.
    Committed(Hash32),
    /// Our outcome stands.
    Submitted(OutcomeBytes),
    /// We let a deadline pass, or gave a seat back that could not be filled again.
    Missed,
}

/// Our Provider account, as far as decisions need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderView {
    /// Seats it may hold.
    pub capacity: u16,
    /// Seats it holds.
    pub active: u16,
    /// Own money, lamports.
    pub stake_lamports: u64,
    /// Reserved by seats, lamports.
    pub locked_lamports: u64,
    /// Most that may be reserved at once, lamports.
    pub exposure_cap_lamports: u64,
    /// Tickets that win in draws: those enrolled that the stake bears still.
    pub tickets: u32,
    /// Tickets that enrolling its stake would give now; zero while that cannot give any.
    pub tickets_mature: u32,
    /// When it serves as juror, and since when it has as many tickets.
    pub duty: DutyView,
    /// What the program wants free beside every seat while it serves, the bonds of its votes, lamports; zero otherwise.
    pub jury_reserve_lamports: u64,
    /// Tickets of all providers of the market that serve as jurors.
    pub duty_tickets_total: u64,
    /// To be claimed, lamports.
    pub earnings_lamports: u64,
    /// Its trust, basis points.
    pub score_bps: u16,
    /// Confirmed results in a row: from some number on it may run adaptive jobs alone.
    pub streak: u32,
    /// Most pay of what it ran alone since others last confirmed it, lamports: with that of the next such job at most its stake.
    pub unaudited_lamports: u64,
    /// It may take no seat before this moment.
    pub jailed_until_unix: i64,
    /// Votes that are not settled, those that only excuse it left out.
    pub votes_open: u16,
    /// Whether the market takes new acceptances now.
    pub market_paused: bool,
    /// Balance of the node key, lamports.
    pub node_balance_lamports: u64,
}

/// How often a job is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Each time: something of ours is in it, or may come to be.
    Close,
    /// Once the listing of the open jobs does not show it any more: nothing of ours is in it.
    Listed,
    /// Now and then: nothing is left to do for it, unless a fork takes that back.
    Seldom,
}

/// A job that the core wants to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// Job.
    pub uid: JobUid,
    /// Address.
    pub job: Pubkey,
    /// How often.
    pub attention: Attention,
    /// Ask the finalised chain, too, whether it is over.
    pub ask_final: bool,
    /// A result is owed or stands: money is in it.
    pub is_held: bool,
    /// Slot whose block gives the seed of its draw, if that block is asked for.
    pub seed_slot: Option<u64>,
    /// It is, or was, disputed: the dispute and what of it is ours are looked at, too.
    pub is_disputed: bool,
}

/// What the next look has to answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// These jobs, by uid.
    pub jobs: Vec<Tracked>,
    /// Which results of others stand and may be disputed: some are watched.
    pub results: bool,
    /// Which disputes there are: the jury may be ours, or the result watched that is contested.
    pub disputes: bool,
}

/// One look at the chain, taken at `confirmed`: at everything, or at some jobs. Of a job that it does not name it says
/// nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// No account in it is older than this slot.
    pub slot: u64,
    /// What the finalised chain says, if it was asked.
    pub finalized: Option<Finalized>,
    /// Our Provider account.
    pub provider: ProviderView,
    /// Open jobs of the market, jobs with a seat of ours, tracked jobs that still exist, and what else was asked for
    /// ([`Interest`]).
    pub jobs: Vec<JobView>,
    /// Tracked jobs whose account is no more (or is another job's under the same address).
    pub gone: Vec<JobUid>,
    /// What the chain's list of recent blocks says about the slots that were asked for ([`Tracked::seed_slot`]).
    pub seeds: BTreeMap<u64, Lookup>,
}

/// What no fork takes back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finalized {
    /// The finalised slot that answered.
    pub slot: u64,
    /// Which of the jobs that were asked about ([`Tracked::ask_final`]) are over there: closed, another job's under
    /// the same address, or in a terminal status without a seat of ours.
    pub over: Vec<JobUid>,
}

/// A failure of this host or of the network, never of the task. Never signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkFault {
    /// What kind, for the decision what to do.
    pub kind: WorkFaultKind,
    /// For logs.
    pub message: String,
}

/// See [`WorkFault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkFaultKind {
    /// Content was not to be had in time.
    Content,
    /// The child crashed, hung, or the host lacked something.
    Host,
    /// There was no child to give the work to: a fault of this host whatever the job is, and no try of it.
    Sandbox,
    /// Stopped on request.
    Cancelled,
}

/// The answer of a preparation: the task can run, or it is Invalid for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preparation {
    /// Module validated, metered, hash as the account says.
    Runnable,
    /// That, and small as it is it has run already.
    Ran,
    /// Running it gives an Invalid outcome.
    Invalid,
}

/// What became of a transaction that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxFate {
    /// Confirmed without error.
    Landed {
        /// Slot.
        slot: u64,
    },
    /// Confirmed with an error.
    Failed {
        /// Slot.
        slot: u64,
        /// For logs.
        message: String,
    },
    /// It can never land.
    Dead,
}

/// Everything that can happen to the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The chain was polled.
    Polled(Snapshot),
    /// A preparation ended.
    Prepared {
        /// Job.
        uid: JobUid,
        /// Which preparation; a result of an older one is ignored.
        attempt: u8,
        /// Result.
        result: Result<Preparation, WorkFault>,
    },
    /// A run ended; its package is in the local store.
    Ran {
        /// Job.
        uid: JobUid,
        /// Which run.
        attempt: u8,
        /// Result.
        result: Result<OutcomeBytes, WorkFault>,
        /// To hide it with, if it has to be hidden.
        salt: Salt,
    },
    /// Publishing ended.
    Published {
        /// Job.
        uid: JobUid,
        /// Which try.
        attempt: u8,
        /// Result.
        result: Result<(), WorkFault>,
    },
    /// The local store does not have the result package any more; it must be computed again.
    PackageLost {
        /// Job.
        uid: JobUid,
    },
    /// A message is ready to be journaled and signed.
    TxBuilt {
        /// Job.
        uid: JobUid,
        /// Kind.
        kind: TxKind,
        /// Serialized message.
        message: Vec<u8>,
        /// Up to which block height it can land.
        last_valid_block_height: u64,
        /// Step of the fee ladder.
        fee_step: u8,
    },
    /// Building failed (RPC, mostly); it is tried again later.
    TxNotBuilt {
        /// Job.
        uid: JobUid,
        /// Kind.
        kind: TxKind,
    },
    /// A journaled message was signed.
    TxSigned {
        /// Job.
        uid: JobUid,
        /// Kind.
        kind: TxKind,
        /// Signature of exactly that message.
        signature: [u8; 64],
    },
    /// A sent transaction's fate is known.
    TxResolved {
        /// Job.
        uid: JobUid,
        /// Kind.
        kind: TxKind,
        /// Which one.
        signature: [u8; 64],
        /// Fate.
        fate: TxFate,
    },
    /// Word came that others have all the seats of a job. No more than a hint: the looks say whether it is so.
    SeatsTaken {
        /// Job.
        uid: JobUid,
    },
    /// After a [`WorkFaultKind::Sandbox`]: children can be started again.
    SandboxWorks,
    /// Time passed.
    Tick,
    /// Take nothing new; finish what is owed.
    DrainRequested,
}

impl Event {
    /// The job that it is about, if it is about one.
    pub(super) fn job(&self) -> Option<JobUid> {
        match self {
            Self::Prepared { uid, .. }
            | Self::Ran { uid, .. }
            | Self::Published { uid, .. }
            | Self::PackageLost { uid }
            | Self::TxBuilt { uid, .. }
            | Self::TxNotBuilt { uid, .. }
            | Self::TxSigned { uid, .. }
            | Self::TxResolved { uid, .. }
            | Self::SeatsTaken { uid } => Some(*uid),
            Self::Polled(_) | Self::SandboxWorks | Self::Tick | Self::DrainRequested => None,
        }
    }
}

/// What the core asks for, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write the job's row; nothing but the journal's changes before it is on disk.
    Persist(JobUid),
    /// Drop the job's row.
    Forget(JobUid),
    /// Count mature stake as tickets.
    Enroll,
    /// Fetch, validate and meter.
    Prepare(JobUid),
    /// Compile its module while nothing else is to be done.
    Warm(JobUid),
    /// Run in the child.
    Run(JobUid),
    /// Publish the package of the row's outcome.
    Publish(JobUid),
    /// Build the message.
    BuildTx(JobUid, TxKind),
    /// Sign the journaled message.
    Sign(JobUid, TxKind),
    /// Send the journaled bytes of the last one that may land, and follow it and those that it outbid to their fate.
    Deliver(JobUid, TxKind),
    /// Send no more, only follow.
    StopSending(JobUid, TxKind),
    /// End the job's child and fetches.
    StopWork(JobUid),
    /// Remove its temporary files and unpin its content.
    CleanUp(JobUid),
    /// A human must know.
    Alert(JobUid, &'static str),
    /// Stop the process: signing on would be unsafe.
    Halt(JobUid, &'static str),
}

impl Action {
    /// Whether it is about the journal: done before the next event, so that no row skips what it went through.
    #[must_use]
    pub const fn is_recorded(&self) -> bool {
        matches!(self, Self::Persist(_) | Self::CleanUp(_) | Self::Forget(_))
    }
}
