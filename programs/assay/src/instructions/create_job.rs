//! Posts a job and escrows its payment.
//!
//! Who: anyone, as poster. State: none → Open; unless the mode is optimistic, the draw of the seats is fixed. Money: poster → job,
//! rent and `escrow_lamports`, which must cover, for every seat that can be right, the base fee, the whole gas limit at the price,
//! and the market's fee; what is more is refunded like every remainder.
//!
//! `0 [signer, writable] poster: pays · 1 [] market: not paused · 2 [writable] job: PDA("job", market, poster, id), unused
//! · 3 [] system program`
//!
//! Errors: `MarketPaused`, `RedundancyUnsupported`, `ModeUnsupported`, `TrustUnsupported`, `ProfileForbidden`,
//! `LimitsOutOfBounds`, `GasLimitAboveMarket`, `PriceOutOfBounds`, `DigestZero`, `WindowOutOfRange`, `ExpiryOutOfRange`, `EscrowTooSmall`,
//! `AmountOverflow`, `JobExists`, `AddressMismatch`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::{
    fees::{bond, escrow_required, Price},
    ids::{job_uid, JobUidInput},
    limits::{BASE_FEE_LAMPORTS_MAX, BPS_ONE, PRICE_MAX},
    seats_max, seats_paid_max, Draw, DrawNow, JobStatus, MarketTerms, Mode, TaskLimits, TaskSpec, PROFILE_V1,
    PROTOCOL_VERSION,
};

use crate::{
    errors::{err, require, require_keys_eq, AssayError},
    events::JobCreated,
    pda::{write_new, Created, NewAccount},
    state::{deadline_unix, seeds, Job, Market},
};

/// Arguments of `create_job`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct CreateJobArgs {
    /// Part of the address. One whose bump is 255 costs least.
    pub id: u64,
    /// SHA-256 digest of the job directory's CID (CIDv1, dag-pb).
    pub job_cid_digest: [u8; 32],
    /// SHA-256 of the metered module.
    pub metered_hash: [u8; 32],
    /// Execution profile, 1.
    pub profile: u32,
    /// Deterministic limits.
    pub limits: TaskLimits,
    /// Seed of the guest's randomness.
    pub seed: u64,
    /// Start of the guest's clock, nanoseconds since the Unix epoch.
    pub clock_unix_ns: u64,
    /// Lamports per 10^12 gas.
    pub price: u64,
    /// Paid for any outcome, lamports.
    pub base_fee_lamports: u64,
    /// Seats: 1 when optimistic, else 2 to the market's `executions_max`.
    pub redundancy: u8,
    /// [`Mode`]: 1 optimistic, 2 redundant, 3 quorum, 4 adaptive, where the market has audits.
    pub mode: u8,
    /// Least trust score of a provider, basis points.
    pub min_trust_bps: u16,
    /// Paid in.
    pub escrow_lamports: u64,
    /// The job is not handed out from this moment; 0 leaves it to the market's queue timeout and total time.
    pub expires_unix: i64,
    /// Seconds of the window after several seats agreed; none for the length of the challenge window. Without a window nobody can
    /// appeal.
    pub agreement_s: Option<u32>,
}

/// Accounts of `create_job`.
#[derive(Accounts)]
pub struct CreateJob<'info> {
    /// Pays rent and escrow.
    #[account(mut)]
    pub poster: Signer<'info>,
    /// The market whose terms are copied.
    pub market: Box<Account<'info, Market>>,
    /// The new job.
    /// CHECK: the poster chooses it; the handler requires the canonical address of its seeds, owned by the system
    /// program, and creates it there.
    #[account(mut)]
    pub job: UncheckedAccount<'info>,
    /// Creates the account, moves the escrow.
    pub system_program: Program<'info, System>,
}

/// What `validate` worked out.
struct Computed {
    seats_max: u8,
    agreement_s: u32,
    bond_lamports: u64,
    queue_deadline_unix: i64,
    total_deadline_unix: i64,
}

impl CreateJob<'_> {
    fn validate(&self, args: &CreateJobArgs, terms: &MarketTerms, now_unix: i64) -> Result<Computed> {
        // poster: signs and is part of the job's address.
        // Deliberately absent: that the content exists and is what the digests say. Providers check before they accept.
        let Self { poster: _, market, job, system_program: _ } = self;
        require!(!market.is_paused(now_unix), AssayError::MarketPaused);
        require_keys_eq!(*job.owner, system_program::ID, AssayError::JobExists);

        let mode = Mode::from_code(args.mode).ok_or(AssayError::ModeUnsupported)?;
        let seats = match mode {
            Mode::Optimistic => 1..=1,
            Mode::Redundant | Mode::Quorum => 2..=terms.executions_max,
            Mode::Adaptive if terms.audit_one_in_max > 0 => 2..=terms.executions_max,
            _ => return err!(AssayError::ModeUnsupported),
        };
        require!(seats.contains(&args.redundancy), AssayError::RedundancyUnsupported);
        require!(args.min_trust_bps <= BPS_ONE, AssayError::TrustUnsupported);
        require!(args.profile == PROFILE_V1, AssayError::ProfileForbidden);
        require!(terms.allows_profile(args.profile), AssayError::ProfileForbidden);
        require!(args.limits.is_within_bounds(), AssayError::LimitsOutOfBounds);
        require!(args.limits.gas_limit <= terms.gas_limit_max, AssayError::GasLimitAboveMarket);
        require!((1..=PRICE_MAX).contains(&args.price), AssayError::PriceOutOfBounds); // P-10
        require!(args.base_fee_lamports <= BASE_FEE_LAMPORTS_MAX, AssayError::PriceOutOfBounds);
        require!(args.job_cid_digest != [0; 32], AssayError::DigestZero);
        require!(args.metered_hash != [0; 32], AssayError::DigestZero);

        let price = Price { base_fee_lamports: args.base_fee_lamports, price: args.price };
        let pay_max_lamports = price.pay(args.limits.gas_limit).map_err(AssayError::from)?;
        let seats_max = seats_max(mode, args.redundancy, terms.executions_max);
        let seats_paid = seats_paid_max(mode, args.redundancy, seats_max);
        let required_lamports =
            escrow_required(pay_max_lamports, seats_paid, terms.fee_bps).map_err(AssayError::from)?;
        require!(args.escrow_lamports >= required_lamports, AssayError::EscrowTooSmall); // I-05
        let bond_lamports =
            bond(pay_max_lamports, terms.bond_min_lamports, terms.bond_rate_bps).map_err(AssayError::from)?;

        // Unbonding outlasts the market's longest challenge window; a longer one would let a liar's stake leave.
        let challenge_s = terms.challenge_s(args.limits.gas_limit);
        let agreement_s = args.agreement_s.map_or(challenge_s, u64::from);
        require!(agreement_s <= terms.challenge_s(terms.gas_limit_max), AssayError::WindowOutOfRange);
        let agreement_s = u32::try_from(agreement_s).map_err(|_| AssayError::AmountOverflow)?;

        let last_unix = deadline_unix(now_unix, terms.job_total_s)?;
        let (queue_deadline_unix, total_deadline_unix) = if args.expires_unix == 0 {
            (deadline_unix(now_unix, terms.queue_timeout_s)?, last_unix)
        } else {
            require!(args.expires_unix > now_unix, AssayError::ExpiryOutOfRange);
            require!(args.expires_unix <= last_unix, AssayError::ExpiryOutOfRange);
            (args.expires_unix, args.expires_unix)
        };
        Ok(Computed { seats_max, agreement_s, bond_lamports, queue_deadline_unix, total_deadline_unix })
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: CreateJobArgs) -> Result<()> {
        let clock = Clock::get()?;
        let market = &ctx.accounts.market;
        let terms = market.current_terms(clock.unix_timestamp);
        let computed = ctx.accounts.validate(&args, terms, clock.unix_timestamp)?;

        let (market_key, poster_key, id) = (market.key(), ctx.accounts.poster.key(), args.id.to_le_bytes());
        let created = NewAccount {
            payer: &ctx.accounts.poster,
            account: &ctx.accounts.job,
            seeds: &[seeds::JOB, market_key.as_ref(), poster_key.as_ref(), id.as_ref()],
            size_bytes: Job::SIZE_BYTES,
            deposit_lamports: args.escrow_lamports,
        }
        .create()?;
        let job = ctx.accounts.new_job(&args, &computed, &created, &clock)?;
        write_new(&ctx.accounts.job, &*job)?;
        emit!(JobCreated {
            market: market_key,
            job: ctx.accounts.job.key(),
            poster: poster_key,
            job_uid: job.job_uid,
            job_cid_digest: job.job_cid_digest,
            gas_limit: job.limits.gas_limit,
            price: job.price,
            base_fee_lamports: job.base_fee_lamports,
            escrow_lamports: job.escrow_lamports,
            bond_lamports: job.bond_lamports,
            queue_deadline_unix: job.queue_deadline_unix,
        });
        Ok(())
    }

    fn new_job(&self, args: &CreateJobArgs, computed: &Computed, created: &Created, clock: &Clock) -> Result<Box<Job>> {
        let terms = self.market.current_terms(clock.unix_timestamp);
        let CreateJobArgs { profile, job_cid_digest, metered_hash, limits, seed, clock_unix_ns, .. } = *args;
        let task_digest = TaskSpec { profile, job_cid_digest, metered_hash, limits, seed, clock_unix_ns }.digest();
        let job_uid = job_uid(&JobUidInput {
            program: crate::ID.as_array(),
            cluster: &self.market.cluster,
            job: self.job.key.as_array(),
            created_slot: clock.slot,
            task_digest: &task_digest,
        });
        let now = DrawNow { slot: clock.slot, unix: clock.unix_timestamp };
        // The terms' bounds keep both windows under 7 days for every gas limit that the market takes.
        let window_s = |seconds: u64| u32::try_from(seconds).map_err(|_| AssayError::AmountOverflow);
        Ok(Box::new(Job {
            version: PROTOCOL_VERSION,
            bump: created.bump,
            status: JobStatus::Open.code(),
            market: self.market.key(),
            poster: self.poster.key(),
            mode: args.mode,
            redundancy: args.redundancy,
            seats_wanted: args.redundancy,
            seats_max: computed.seats_max,
            min_trust_bps: args.min_trust_bps,
            quorum_bps: terms.quorum_bps,
            fee_bps: terms.fee_bps,
            miss_rate_bps: terms.miss_rate_bps,
            jury_lambda: terms.jury_lambda,
            jury_quorum_bps: terms.jury_quorum_bps,
            attempts_max: terms.attempts_max,
            task_count: 1,
            id: args.id,
            created_slot: clock.slot,
            created_unix: clock.unix_timestamp,
            job_uid,
            task_digest,
            job_cid_digest: args.job_cid_digest,
            metered_hash: args.metered_hash,
            profile: args.profile,
            limits: args.limits,
            seed: args.seed,
            clock_unix_ns: args.clock_unix_ns,
            price: args.price,
            base_fee_lamports: args.base_fee_lamports,
            escrow_lamports: args.escrow_lamports,
            bond_lamports: computed.bond_lamports,
            delay_fee_lamports: terms.delay_fee_lamports,
            decline_fee_lamports: terms.decline_fee_lamports,
            juror_bond_lamports: terms.juror_bond_lamports,
            queue_timeout_s: terms.queue_timeout_s,
            widen_s: terms.widen_s,
            execution_s: window_s(terms.execution_s(args.limits.gas_limit))?,
            challenge_s: window_s(terms.challenge_s(args.limits.gas_limit))?,
            reveal_s: terms.reveal_s,
            agreement_s: computed.agreement_s,
            fill_unix: clock.unix_timestamp,
            queue_deadline_unix: computed.queue_deadline_unix,
            total_deadline_unix: computed.total_deadline_unix,
            tickets_total: self.market.tickets_total,
            draw: if args.mode == Mode::Optimistic.code() { Draw::default() } else { Draw::arm(now) },
            rent_lamports: created.rent_lamports,
            jail_s: terms.jail_s,
            stake_min_lamports: terms.stake_min_lamports,
            audit_one_in_min: terms.audit_one_in_min,
            audit_one_in_max: terms.audit_one_in_max,
            ..Job::EMPTY
        }))
    }
}
