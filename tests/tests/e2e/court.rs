//! A network with a liar, bots that watch and judge, and a clock that moves over what nobody waits for any more.

use std::{collections::BTreeMap, time::Duration};

use assay_executor::config::{Address, Span};
use assay_localnet::NetworkConfig;
use assay_protocol::{DisputeStatus, Outcome, OutcomeKind};
use assay_sdk::{
    Client, Event, EventCursor, PostedJob, VoteFilter,
    instructions::{self, AcceptJob, Duty, ProviderAuthority, Seat},
    pda::dispute_address,
    program::accounts::{Dispute, Provider, Vote},
};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;

use crate::{
    proxy::Proxy,
    support::{Executor, Net, Process, status, until, with_port},
};

/// Long enough for a watcher under load; the chain's clock is moved over it.
pub const CHALLENGE_S: u32 = 600;
/// The provider that lies, and the one that watches.
pub const LIAR: usize = 0;
pub const WATCHER: usize = 1;

/// Transactions of one dispute.
const EVENTS_MAX: usize = 500;
/// Seconds before votes close at which a juror says that there is no content: time enough for that under load, and less than half of
/// what it has.
const MARGIN_S: i64 = 25;

/// Who is there, and what a story waits for.
pub struct Court {
    /// The network.
    pub net: Net,
    /// Providers; those on duty are [`Self::jurors`].
    pub executors: Vec<Executor>,
    /// On duty, and bots that vote.
    pub jurors: Vec<usize>,
    /// On duty, and nobody runs.
    pub absent: Vec<usize>,
    /// Jurors that cannot have any content, and what they ask for it.
    pub cut_off: BTreeMap<usize, Proxy>,
}

impl Court {
    /// A network of this many providers that take no seats; those with these numbers are on duty.
    pub async fn start(providers: usize, jurors: &[usize]) -> Self {
        Self::start_with(providers, jurors, |config| config).await
    }

    /// As [`Self::start`], with what this makes of the configuration.
    pub async fn start_with(
        providers: usize,
        jurors: &[usize],
        change: impl FnOnce(NetworkConfig) -> NetworkConfig,
    ) -> Self {
        let net =
            Net::start_with(providers, |config| change(NetworkConfig { challenge_s: CHALLENGE_S, ..config })).await;
        let mut executors: Vec<Executor> = (0..providers).map(|number| net.executor(number)).collect();
        for executor in &mut executors {
            executor.config.policy.posters_allowed = vec![Address(Pubkey::new_unique())];
        }
        let client = net.network.client();
        for juror in jurors {
            let authority = assay_sdk::load_keypair(&executors[*juror].provider.authority_keypair).expect("a keypair");
            let provider = ProviderAuthority { authority: authority.pubkey(), market: net.network.market() };
            send(client, &authority, instructions::set_duty(&provider, Duty::Begin)).await;
        }
        Self { net, executors, jurors: jurors.to_vec(), absent: Vec::new(), cut_off: BTreeMap::new() }
    }

    /// As [`Self::start`], with one who watches every result.
    pub async fn start_watched(providers: usize, jurors: &[usize]) -> Self {
        let mut court = Self::start(providers, jurors).await;
        court.executors[WATCHER].config.watch.sample_rate_bps = 10_000;
        court
    }

    /// Client of the poster.
    pub fn client(&self) -> &Client {
        self.net.network.client()
    }

    /// Hot key of a provider.
    pub fn node_key(&self, number: usize) -> Keypair {
        assay_sdk::load_keypair(&self.executors[number].provider.node_keypair).expect("a keypair")
    }

    /// Posts a job with one seat, which the liar takes and answers wrongly.
    pub async fn lie(&self) -> PostedJob {
        let (client, node) = (self.client(), self.node_key(LIAR));
        let posted = self.net.post(client, 1).await;
        let view = posted.handle.status().await.expect("a view");
        let seat =
            Seat { job: posted.handle.address(), provider: self.executors[LIAR].address(), node_key: node.pubkey() };
        let accept = AcceptJob { seat, market: self.net.network.market(), job_uid: view.job_uid, ticket: 0 };
        send(client, &node, instructions::accept_job(&accept)).await;
        send(client, &node, instructions::submit_results(&seat, &lie())).await;
        posted
    }

    /// The dispute over a job, while there is one.
    pub async fn dispute(&self, job: &PostedJob) -> Option<Dispute> {
        self.client().fetch_optional(&dispute_address(&job.handle.address())).await.expect("an answer")
    }

    /// Waits until the dispute over a job stands so, in this round.
    pub async fn dispute_in(&self, job: &PostedJob, round: u8, status: DisputeStatus) -> Dispute {
        let stands = |dispute: &Dispute| dispute.round == round && dispute.dispute_status() == Some(status);
        until("the dispute to move on", || async { self.dispute(job).await.filter(stands) }).await
    }

    /// A provider's account.
    pub async fn provider(&self, number: usize) -> Provider {
        self.client().fetch(&self.executors[number].address()).await.expect("an answer")
    }

    /// All providers' accounts.
    pub async fn providers(&self) -> Vec<Provider> {
        let mut providers = Vec::new();
        for number in 0..self.executors.len() {
            providers.push(self.provider(number).await);
        }
        providers
    }

    /// What a provider's hot key has, lamports.
    pub async fn balance(&self, number: usize) -> u64 {
        self.client().balance(&self.node_key(number).pubkey()).await.expect("a balance")
    }

    async fn votes(&self, job: &PostedJob, round: u8) -> BTreeMap<Pubkey, Vote> {
        let filter = VoteFilter { dispute: Some(dispute_address(&job.handle.address())), ..VoteFilter::default() };
        let votes = self.client().list_votes(&filter).await.expect("an answer");
        votes
            .into_iter()
            .map(|vote| vote.account)
            .filter(|vote| vote.round == round)
            .map(|vote| (vote.provider, vote))
            .collect()
    }

    /// Those of these providers that have a ticket in this round.
    pub async fn drawn(&self, dispute: &Dispute, jurors: &[usize]) -> Vec<usize> {
        let mut drawn = Vec::new();
        for juror in jurors {
            let (address, account) = (self.executors[*juror].address(), self.provider(*juror).await);
            if dispute.is_last() || !dispute.drawn_tickets(&address, &account).is_empty() {
                drawn.push(*juror);
            }
        }
        drawn
    }

    /// Moves the chain's clock over this moment, if it is to come.
    pub async fn travel_past(&self, unix: i64) {
        if self.client().chain_time().await.expect("an answer").unix <= unix {
            self.net.network.ledger().travel_to(unix + 1).await.expect("time moves on");
        }
    }

    /// Takes all content away from a juror, which then says so as late as [`MARGIN_S`] allows.
    pub async fn cut_off(&mut self, juror: usize) {
        let info = self.net.network.info();
        let (node, gateway) = (Proxy::down(&info.content_url).await, Proxy::down(&info.gateway_url).await);
        let config = &mut self.executors[juror].config;
        config.content.kubo = vec![with_port(&info.content_url, node.port)];
        config.content.gateways = vec![with_port(&info.gateway_url, gateway.port)];
        config.limits.decline_margin = Span(Duration::from_secs(MARGIN_S.unsigned_abs()));
        self.cut_off.insert(juror, gateway);
    }

    /// Waits until all that are drawn have voted.
    async fn voted(&self, job: &PostedJob, dispute: &Dispute) {
        let drawn = self.drawn(dispute, &self.jurors).await;
        let gateways: Vec<&Proxy> = drawn.iter().filter_map(|juror| self.cut_off.get(juror)).collect();
        for gateway in &gateways {
            // Whoever asks it asked the node before.
            until("a juror to look for the content", || async { (gateway.connections() > 0).then_some(()) }).await;
        }
        if !gateways.is_empty() {
            self.travel_past(dispute.commit_deadline_unix - MARGIN_S).await;
        }
        until("all that are drawn to vote", || async {
            (self.votes(job, dispute.round).await.len() == drawn.len()).then_some(())
        })
        .await;
    }

    /// Waits until somebody took what those have at stake who were drawn and are not there.
    async fn called_over(&self, dispute: &Dispute) {
        for juror in self.drawn(dispute, &self.absent).await {
            until("an absence to be shown", || async {
                (self.provider(juror).await.duty_lock_lamports == 0).then_some(())
            })
            .await;
        }
    }

    /// Moves the clock over what nobody waits for any more, until the job is closed. Everything else is the bots'.
    pub async fn drive(&self, job: &PostedJob) {
        let mut passed = Vec::new();
        while status(self.client(), &job.handle).await.is_some() {
            let Some(dispute) = self.dispute(job).await else {
                until("the dispute to be opened, or the job to be closed", || async {
                    let is_gone = status(self.client(), &job.handle).await.is_none();
                    (is_gone || self.dispute(job).await.is_some()).then_some(())
                })
                .await;
                continue;
            };
            let stage = (dispute.round, dispute.status);
            let is_new = !passed.contains(&stage);
            match dispute.dispute_status().expect("a known status") {
                DisputeStatus::Entry if is_new => self.travel_past(dispute.entry_deadline_unix).await,
                DisputeStatus::Voting if is_new => {
                    self.voted(job, &dispute).await;
                    self.travel_past(dispute.commit_deadline_unix).await;
                }
                DisputeStatus::Tallied if is_new => {
                    self.called_over(&dispute).await;
                    self.travel_past(dispute.verdict_deadline_unix).await;
                }
                _ => {}
            }
            passed.push(stage);
            until("the next step of the dispute", || async {
                let next = self.dispute(job).await.map(|dispute| (dispute.round, dispute.status));
                (next != Some(stage)).then_some(())
            })
            .await;
        }
    }
}

/// What the liar says.
pub fn lie() -> Outcome {
    Outcome {
        kind: OutcomeKind::Exited,
        detail: 0,
        exit_code: 0,
        gas_used: 7,
        result_cid_digest: [7; 32],
        state_root: [0; 32],
    }
}

/// Sends an instruction that this key signs and pays for.
pub async fn send(client: &Client, signer: &Keypair, instruction: Instruction) {
    let client = client.clone().with_signer(std::sync::Arc::new(signer.insecure_clone()));
    client.send(&[instruction]).await.expect("taken");
}

/// What of the history of a job's dispute is of interest, in order.
pub async fn events<T>(court: &Court, job: &PostedJob, of: impl Fn(&Event) -> Option<T>) -> Vec<T> {
    let dispute = dispute_address(&job.handle.address());
    let page = court.client().events_after(&dispute, EventCursor::default(), EVENTS_MAX).await.expect("a history");
    assert!(!page.more);
    page.records.iter().filter_map(|record| of(&record.event)).collect()
}

/// Ends all of them, with success.
pub async fn drain(processes: Vec<Process>) {
    for process in processes {
        process.drain().await;
    }
}
