//! Each instruction as the party that may send it would.

use assay_protocol::{
    Draw, MarketTerms, Outcome,
    ids::CommitmentInput,
    tickets::{Fill, TicketDraw, seat_threshold},
};
use solana_pubkey::Pubkey;

use crate::{
    assay::{
        accounts::{Job, Provider},
        client::{accounts, args},
        types,
    },
    call::Call,
    party::{CAPACITY, EXPOSURE_CAP, GENESIS, PRICE, Party, STAKE, SYSTEM_PROGRAM, address, escrow, sink, task, terms},
    world::World,
};

/// `create_sink`, paid by anybody.
#[must_use]
pub fn create_sink(payer: Pubkey) -> Call {
    let accounts = accounts::CreateSink { payer, sink: sink(), system_program: SYSTEM_PROGRAM };
    Call::new("create_sink", &accounts, &args::CreateSink {})
}

/// Arguments of a job inside the tests' terms.
#[must_use]
pub fn job_args(id: u64) -> types::CreateJobArgs {
    let task = task();
    types::CreateJobArgs {
        id,
        job_cid_digest: task.job_cid_digest,
        metered_hash: task.metered_hash,
        profile: task.profile,
        limits: task.limits.into(),
        seed: task.seed,
        clock_unix_ns: task.clock_unix_ns,
        price: PRICE.price,
        base_fee_lamports: PRICE.base_fee_lamports,
        redundancy: 1,
        mode: 1,
        min_trust_bps: 0,
        escrow_lamports: escrow(PRICE, task.limits.gas_limit, &terms()),
        expires_unix: 0,
        agreement_s: None,
    }
}

/// Markets.
impl Party {
    /// `create_market`.
    #[must_use]
    pub fn create_market(&self, terms: &MarketTerms) -> Call {
        let accounts = accounts::CreateMarket {
            authority: self.market_authority,
            market: self.market,
            system_program: SYSTEM_PROGRAM,
        };
        let args = types::CreateMarketArgs {
            name: self.market_name,
            cluster: assay_protocol::cluster_tag(&GENESIS),
            mint: Pubkey::default(),
            terms: (*terms).into(),
        };
        Call::new("create_market", &accounts, &args::CreateMarket { args })
    }

    /// `update_market`.
    #[must_use]
    pub fn update_market(&self, terms: &MarketTerms) -> Call {
        let accounts = accounts::UpdateMarket { authority: self.market_authority, market: self.market };
        let args = types::UpdateMarketArgs { terms: (*terms).into() };
        Call::new("update_market", &accounts, &args::UpdateMarket { args })
    }

    /// `pause_market`.
    #[must_use]
    pub fn pause_market(&self, until_unix: i64) -> Call {
        let accounts = accounts::PauseMarket { authority: self.market_authority, market: self.market };
        let args = types::PauseMarketArgs { until_unix };
        Call::new("pause_market", &accounts, &args::PauseMarket { args })
    }

    /// `propose_market_authority`.
    #[must_use]
    pub fn propose_market_authority(&self, new_authority: Pubkey) -> Call {
        let accounts = accounts::ProposeMarketAuthority { authority: self.market_authority, market: self.market };
        let args = types::ProposeMarketAuthorityArgs { new_authority };
        Call::new("propose_market_authority", &accounts, &args::ProposeMarketAuthority { args })
    }

    /// `accept_market_authority`.
    #[must_use]
    pub fn accept_market_authority(&self, new_authority: Pubkey) -> Call {
        let accounts = accounts::AcceptMarketAuthority { new_authority, market: self.market };
        Call::new("accept_market_authority", &accounts, &args::AcceptMarketAuthority {})
    }

    /// `claim_market_fees`.
    #[must_use]
    pub fn claim_market_fees(&self) -> Call {
        let accounts = accounts::ClaimMarketFees { authority: self.market_authority, market: self.market };
        Call::new("claim_market_fees", &accounts, &args::ClaimMarketFees {})
    }
}

/// Providers.
impl Party {
    /// `register_provider` with the tests' stake, cap and capacity.
    #[must_use]
    pub fn register_provider(&self) -> Call {
        self.register_provider_with(STAKE, EXPOSURE_CAP, CAPACITY)
    }

    /// `register_provider`.
    #[must_use]
    pub fn register_provider_with(&self, stake_lamports: u64, exposure_cap_lamports: u64, capacity: u16) -> Call {
        let accounts = accounts::RegisterProvider {
            authority: self.authority,
            node_key: self.node_key,
            market: self.market,
            provider: self.provider,
            system_program: SYSTEM_PROGRAM,
        };
        let args = types::RegisterProviderArgs { stake_lamports, exposure_cap_lamports, capacity, endpoint: [0; 64] };
        Call::new("register_provider", &accounts, &args::RegisterProvider { args })
    }

    /// `update_provider`.
    #[must_use]
    pub fn update_provider(&self, args: types::UpdateProviderArgs, new_node_key: Option<Pubkey>) -> Call {
        let accounts = accounts::UpdateProvider { authority: self.authority, provider: self.provider, new_node_key };
        Call::new("update_provider", &accounts, &args::UpdateProvider { args })
    }

    /// `stake`.
    #[must_use]
    pub fn stake(&self, lamports: u64) -> Call {
        let accounts =
            accounts::Stake { authority: self.authority, provider: self.provider, system_program: SYSTEM_PROGRAM };
        Call::new("stake", &accounts, &args::Stake { args: types::StakeArgs { lamports } })
    }

    /// `unstake`.
    #[must_use]
    pub fn unstake(&self, lamports: u64) -> Call {
        let accounts = accounts::Unstake { authority: self.authority, market: self.market, provider: self.provider };
        Call::new("unstake", &accounts, &args::Unstake { args: types::UnstakeArgs { lamports } })
    }

    /// `enroll_stake`, by the node key.
    #[must_use]
    pub fn enroll_stake(&self) -> Call {
        let accounts = accounts::EnrollStake { signer: self.node_key, market: self.market, provider: self.provider };
        Call::new("enroll_stake", &accounts, &args::EnrollStake {})
    }

    /// `withdraw_stake`.
    #[must_use]
    pub fn withdraw_stake(&self) -> Call {
        let accounts = accounts::WithdrawStake { authority: self.authority, provider: self.provider };
        Call::new("withdraw_stake", &accounts, &args::WithdrawStake {})
    }

    /// `close_provider`.
    #[must_use]
    pub fn close_provider(&self) -> Call {
        let accounts = accounts::CloseProvider { authority: self.authority, provider: self.provider };
        Call::new("close_provider", &accounts, &args::CloseProvider {})
    }

    /// `claim_reward`.
    #[must_use]
    pub fn claim_reward(&self) -> Call {
        let accounts = accounts::ClaimReward { provider: self.provider, authority: self.authority };
        Call::new("claim_reward", &accounts, &args::ClaimReward {})
    }
}

/// Jobs.
impl Party {
    /// `create_job` with the tests' task, price and escrow.
    #[must_use]
    pub fn create_job(&self) -> Call {
        self.create_job_with(job_args(self.job_id))
    }

    /// `create_job`.
    #[must_use]
    pub fn create_job_with(&self, args: types::CreateJobArgs) -> Call {
        let accounts = accounts::CreateJob {
            poster: self.poster,
            market: self.market,
            job: self.job,
            system_program: SYSTEM_PROGRAM,
        };
        Call::new("create_job", &accounts, &args::CreateJob { args })
    }

    /// `cancel_job`.
    #[must_use]
    pub fn cancel_job(&self) -> Call {
        let accounts = accounts::CancelJob { poster: self.poster, job: self.job };
        Call::new("cancel_job", &accounts, &args::CancelJob {})
    }

    /// `record_seed`.
    #[must_use]
    pub fn record_seed(&self) -> Call {
        Call::new("record_seed", &accounts::RecordSeed { job: self.job, dispute: None }, &args::RecordSeed {})
    }

    /// `accept_job`, of the job as the ledger has it now; of none, when there is none. By a ticket that wins, if one does.
    #[must_use]
    pub fn accept_job(&self, world: &World) -> Call {
        self.accept_job_by(world, self.winning_ticket(world).unwrap_or(0))
    }

    /// The first of the provider's tickets that wins in the job's draw now.
    #[must_use]
    pub fn winning_ticket(&self, world: &World) -> Option<u32> {
        world.account(&self.job)?;
        world.account(&self.provider)?;
        let (job, provider): (Job, Provider) = (world.read(&self.job), world.read(&self.provider));
        let draw = Draw::from(job.draw);
        let fill = Fill {
            wanted: job.seats_wanted - job.seats,
            tickets_total: job.tickets_total,
            fill_unix: job.fill_unix,
            queue_deadline_unix: job.queue_deadline_unix,
            widen_s: job.widen_s,
            is_everybody: draw.is_everybody(),
        };
        let threshold = seat_threshold(&fill, world.now());
        TicketDraw::new(&draw.seed, &self.provider.to_bytes()).winning(provider.tickets, threshold).next()
    }

    /// `accept_job` by this ticket.
    #[must_use]
    pub fn accept_job_by(&self, world: &World, ticket: u32) -> Call {
        let job_uid = world.account(&self.job).map_or([0; 32], |_| world.read::<Job>(&self.job).job_uid);
        let accounts = accounts::AcceptJob {
            node_key: self.node_key,
            market: self.market,
            provider: self.provider,
            job: self.job,
            execution: self.execution,
            system_program: SYSTEM_PROGRAM,
        };
        Call::new("accept_job", &accounts, &args::AcceptJob { args: types::AcceptJobArgs { job_uid, ticket } })
    }

    /// `decline_job`.
    #[must_use]
    pub fn decline_job(&self, reason: u16) -> Call {
        let accounts = accounts::DeclineJob {
            node_key: self.node_key,
            provider: self.provider,
            job: self.job,
            execution: self.execution,
            rent_payer: self.node_key,
            sink: sink(),
        };
        Call::new("decline_job", &accounts, &args::DeclineJob { args: types::DeclineJobArgs { reason } })
    }

    /// `submit_results`.
    #[must_use]
    pub fn submit_results(&self, outcome: &Outcome) -> Call {
        self.submit_bytes(outcome.encode())
    }

    /// `submit_results` with any bytes.
    #[must_use]
    pub fn submit_bytes(&self, outcome: [u8; 79]) -> Call {
        let accounts = accounts::SubmitResults {
            node_key: self.node_key,
            provider: self.provider,
            job: self.job,
            execution: self.execution,
        };
        Call::new("submit_results", &accounts, &args::SubmitResults { args: types::SubmitResultsArgs { outcome } })
    }

    /// Address of what is known of the tests' module.
    #[must_use]
    pub fn module(&self) -> Pubkey {
        address(&[b"module", self.market.as_ref(), &task().metered_hash])
    }

    /// `record_collision`, paid by the poster.
    #[must_use]
    pub fn record_collision(&self, world: &World) -> Call {
        let is_new = world.account(&self.module()).is_none();
        let at = |wanted: bool| wanted.then(|| self.module());
        self.record_collision_in(at(!is_new), at(is_new))
    }

    /// `record_collision` with a module, or a new one.
    #[must_use]
    pub fn record_collision_in(&self, module: Option<Pubkey>, new_module: Option<Pubkey>) -> Call {
        let (payer, job) = (self.poster, self.job);
        let accounts = accounts::RecordCollision { payer, job, module, new_module, system_program: SYSTEM_PROGRAM };
        Call::new("record_collision", &accounts, &args::RecordCollision {})
    }

    /// `commit_result`.
    #[must_use]
    pub fn commit_result(&self, commitment: [u8; 32]) -> Call {
        let accounts = accounts::CommitResult {
            node_key: self.node_key,
            provider: self.provider,
            job: self.job,
            execution: self.execution,
        };
        Call::new("commit_result", &accounts, &args::CommitResult { args: types::CommitResultArgs { commitment } })
    }

    /// What the provider commits to when it hides this outcome.
    #[must_use]
    pub fn commitment(&self, world: &World, outcome: &Outcome, salt: [u8; 32]) -> [u8; 32] {
        assay_protocol::commitment(&CommitmentInput {
            job_uid: &world.read::<Job>(&self.job).job_uid,
            provider: &self.provider.to_bytes(),
            outcome_hash: &outcome.hash(),
            trace_root: &[0; 32],
            salt: &salt,
        })
    }

    /// `reveal_result`.
    #[must_use]
    pub fn reveal_result(&self, outcome: &Outcome, salt: [u8; 32]) -> Call {
        self.reveal_bytes(outcome.encode(), salt)
    }

    /// `reveal_result` with any bytes.
    #[must_use]
    pub fn reveal_bytes(&self, outcome: [u8; 79], salt: [u8; 32]) -> Call {
        let accounts = accounts::RevealResult {
            node_key: self.node_key,
            provider: self.provider,
            job: self.job,
            execution: self.execution,
        };
        let args = types::RevealResultArgs { outcome, salt };
        Call::new("reveal_result", &accounts, &args::RevealResult { args })
    }

    /// `finalize_job`.
    #[must_use]
    pub fn finalize_job(&self) -> Call {
        Call::new("finalize_job", &accounts::FinalizeJob { job: self.job }, &args::FinalizeJob {})
    }

    /// `settle_execution`.
    #[must_use]
    pub fn settle_execution(&self) -> Call {
        let accounts = accounts::SettleExecution {
            job: self.job,
            execution: self.execution,
            provider: self.provider,
            market: self.market,
            rent_payer: self.node_key,
            sink: Some(sink()),
            dispute: None,
        };
        Call::new("settle_execution", &accounts, &args::SettleExecution {})
    }

    /// `expire_job` of an open job.
    #[must_use]
    pub fn expire_open_job(&self) -> Call {
        let accounts = accounts::ExpireJob { job: self.job, execution: None, provider: None, sink: None };
        Call::new("expire_job", &accounts, &args::ExpireJob {})
    }

    /// `expire_job` of an assigned job.
    #[must_use]
    pub fn expire_assigned_job(&self) -> Call {
        let accounts = accounts::ExpireJob {
            job: self.job,
            execution: Some(self.execution),
            provider: Some(self.provider),
            sink: Some(sink()),
        };
        Call::new("expire_job", &accounts, &args::ExpireJob {})
    }

    /// `close_job`.
    #[must_use]
    pub fn close_job(&self) -> Call {
        let accounts = accounts::CloseJob { job: self.job, poster: self.poster };
        Call::new("close_job", &accounts, &args::CloseJob {})
    }
}
