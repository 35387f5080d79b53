//! How a local network is set up.

use std::path::PathBuf;

use assay_sdk::protocol::MarketTerms;

use crate::{
    ledger::{LedgerConfig, Ports},
    network::NetworkError,
};

/// Time for a run, seconds, unless another is asked for.
const EXECUTION_S_DEFAULT: u32 = 60;

/// How a network is started.
#[derive(Clone, Debug)]
pub struct NetworkConfig {
    /// Where keys, blocks and [`INFO_FILE_NAME`] go. Keys that are there are used again; the chain begins anew.
    pub directory: PathBuf,
    /// The ledger.
    pub ledger: LedgerConfig,
    /// Port of the content node's RPC; `None` lets the system choose.
    pub content_port: Option<u16>,
    /// Port of the gateway; `None` lets the system choose.
    pub gateway_port: Option<u16>,
    /// Providers to register; their processes are started by the caller.
    pub providers: usize,
    /// Stake of the first providers, lamports; the others have the usual one.
    pub stakes_lamports: Vec<u64>,
    /// How many of the providers, the first ones, are on jury duty.
    pub jurors: usize,
    /// From which all keys follow, so that they are the same each time; `None` makes new ones.
    pub seed: Option<u64>,
    /// Time to run a job and to commit to its result, or submit it, before what its gas limit adds, seconds.
    pub execution_s: u32,
    /// Most seats of a job, arbiters included, 1 to 9.
    pub executions_max: u8,
    /// Challenge window of small jobs, seconds, at least 1.
    pub challenge_s: u32,
    /// Time for the seats of a job to reveal, once all have committed, seconds, at least 1.
    pub reveal_s: u32,
    /// Seconds in which the chance of a ticket doubles while seats are free.
    pub widen_s: u32,
    /// At least one in so many results of jobs that run alone is audited, 2 to 100.
    pub audit_one_in_max: u16,
    /// Tickets that a first jury has on average, 9 to 16.
    pub jury_lambda: u16,
}

impl NetworkConfig {
    /// The ports that the other tools expect, 400 ms slots, one provider, a challenge window of one second, three to reveal.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        use assay_sdk::cluster::{LOCAL_CONTENT_PORT, LOCAL_GATEWAY_PORT, LOCAL_RPC_PORT};
        let ports = Ports { rpc: Some(LOCAL_RPC_PORT), ws: LOCAL_RPC_PORT.checked_add(1) };
        Self {
            directory: directory.into(),
            ledger: LedgerConfig { ports, ..LedgerConfig::default() },
            content_port: Some(LOCAL_CONTENT_PORT),
            gateway_port: Some(LOCAL_GATEWAY_PORT),
            providers: 1,
            stakes_lamports: Vec::new(),
            jurors: 0,
            seed: None,
            execution_s: EXECUTION_S_DEFAULT,
            executions_max: 9,
            challenge_s: 1,
            reveal_s: 3,
            widen_s: 1,
            audit_one_in_max: 5,
            jury_lambda: 9,
        }
    }

    /// Free ports, 50 ms slots, and time enough to reveal on a machine that does much else.
    #[must_use]
    pub fn for_tests(directory: impl Into<PathBuf>) -> Self {
        let (ledger, reveal_s) = (LedgerConfig::for_tests(), 60);
        Self { ledger, content_port: None, gateway_port: None, reveal_s, ..Self::new(directory) }
    }

    /// Windows that a dispute goes through in 25 s when all parties are present and show what they hid, and that seven providers on two
    /// busy cores can keep; the jury is as large as it may be.
    #[must_use]
    pub fn with_quick_disputes(self) -> Self {
        Self { execution_s: 8, reveal_s: 6, challenge_s: 7, jury_lambda: 16, ..self }
    }

    /// The terms of the demo market: short windows, small sums.
    ///
    /// # Errors
    /// [`NetworkError::Config`] when what was asked for breaks the protocol's bounds.
    pub fn terms(&self) -> Result<MarketTerms, NetworkError> {
        let problem = |problem: String| NetworkError::Config { problem };
        // Every window has at least one second more, for the gas limit at the verify rate.
        let challenge_base_s =
            self.challenge_s.checked_sub(1).ok_or_else(|| problem("the challenge window is 0 s".to_owned()))?;
        let terms = MarketTerms {
            fee_bps: 250,
            stake_min_lamports: 1_000_000_000,
            bond_min_lamports: 10_000_000,
            bond_rate_bps: 10_000,
            miss_rate_bps: 5_000,
            delay_fee_lamports: 1_000_000,
            decline_fee_lamports: 5_000,
            attempts_max: 3,
            queue_timeout_s: 600,
            execution_base_s: self.execution_s,
            challenge_base_s,
            job_total_s: self.challenge_s.saturating_add(3_600),
            // Above the longest dispute, see `MarketTerms::dispute_s`.
            unbonding_s: self.reveal_s.saturating_mul(9).saturating_add(self.challenge_s).saturating_add(4_800),
            verify_rate_gas_per_s: 10_000_000_000,
            gas_limit_max: 1_000_000_000_000,
            profiles: 1,
            quorum_bps: 6_667,
            executions_max: self.executions_max,
            ticket_lamports: 50_000_000,
            widen_s: self.widen_s,
            reveal_s: self.reveal_s,
            jury_lambda: self.jury_lambda,
            jury_quorum_bps: 5_000,
            juror_bond_lamports: 5_000_000,
            duty_rate_bps: 500,
            audit_one_in_min: self.audit_one_in_max.min(3),
            audit_one_in_max: self.audit_one_in_max,
            jail_s: 30,
        };
        terms.check().map_err(|error| problem(error.to_string()))?;
        Ok(terms)
    }
}
