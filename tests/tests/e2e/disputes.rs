//! Wrong results that are watched, contested, judged: real bots as challenger and as jury, and a provider that lies.

use std::collections::BTreeMap;

use assay_executor::config::Address;
use assay_localnet::NetworkConfig;
use assay_protocol::{DisputeStatus, JobStatus, Outcome, OutcomeKind};
use assay_sdk::{
    Client, Event, PostedJob, VoteFilter,
    instructions::{self, AcceptJob, Duty, ProviderAuthority, Seat},
    pda::dispute_address,
    program::accounts::{Dispute, Provider, Vote},
};
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;

use crate::support::{EXECUTOR, EXECUTOR_WITH_FAULTS, Executor, Net, Process, status, until};

/// Long enough for a watcher under load; the chain's clock is moved over it.
const CHALLENGE_S: u32 = 600;
/// The provider that lies, the one that watches, and the jurors.
const LIAR: usize = 0;
const WATCHER: usize = 1;
const JURORS: [usize; 3] = [2, 3, 4];

struct Court {
    net: Net,
    executors: Vec<Executor>,
}

impl Court {
    /// A network in which nobody takes seats, three providers are on duty, and one watches everything.
    async fn start() -> Self {
        let net = Net::start_with(5, |config| NetworkConfig { challenge_s: CHALLENGE_S, ..config }).await;
        let mut executors: Vec<Executor> = (0..5).map(|number| net.executor(number)).collect();
        for executor in &mut executors {
            executor.config.policy.posters_allowed = vec![Address(Pubkey::new_unique())];
        }
        executors[WATCHER].config.watch.sample_rate_bps = 10_000;
        let client = net.network.client();
        for juror in JURORS {
            let authority = assay_sdk::load_keypair(&executors[juror].provider.authority_keypair).expect("a keypair");
            let provider = ProviderAuthority { authority: authority.pubkey(), market: net.network.market() };
            send(client, &authority, instructions::set_duty(&provider, Duty::Begin)).await;
        }
        Self { net, executors }
    }

    fn client(&self) -> &Client {
        self.net.network.client()
    }

    fn node_key(&self, number: usize) -> Keypair {
        assay_sdk::load_keypair(&self.executors[number].provider.node_keypair).expect("a keypair")
    }

    /// Posts a job with one seat, which the liar takes and answers wrongly.
    async fn lie(&self) -> PostedJob {
        let (client, node) = (self.client(), self.node_key(LIAR));
        let posted = self.net.post(client, 1).await;
        let view = posted.handle.status().await.expect("a view");
        let seat =
            Seat { job: posted.handle.address(), provider: self.executors[LIAR].address(), node_key: node.pubkey() };
        let accept = AcceptJob { seat, market: self.net.network.market(), job_uid: view.job_uid, ticket: 0 };
        send(client, &node, instructions::accept_job(&accept)).await;
        let wrong = Outcome {
            kind: OutcomeKind::Exited,
            detail: 0,
            exit_code: 0,
            gas_used: 7,
            result_cid_digest: [7; 32],
            state_root: [0; 32],
        };
        send(client, &node, instructions::submit_results(&seat, &wrong)).await;
        posted
    }

    async fn dispute(&self, job: &PostedJob) -> Option<Dispute> {
        self.client().fetch_optional(&dispute_address(&job.handle.address())).await.expect("an answer")
    }

    async fn provider(&self, number: usize) -> Provider {
        self.client().fetch(&self.executors[number].address()).await.expect("an answer")
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

    /// The jurors that have a ticket in this round.
    async fn drawn(&self, dispute: &Dispute) -> Vec<Pubkey> {
        let mut drawn = Vec::new();
        for juror in JURORS {
            let (address, account) = (self.executors[juror].address(), self.provider(juror).await);
            if dispute.is_last() || !dispute.drawn_tickets(&address, &account).is_empty() {
                drawn.push(address);
            }
        }
        drawn
    }

    async fn travel_past(&self, unix: i64) {
        self.net.network.ledger().travel_to(unix + 1).await.expect("time moves on");
    }

    /// Moves the clock over what nobody waits for any more, until the job is closed. Everything else is the bots'.
    async fn drive(&self, job: &PostedJob) {
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
                    let drawn = self.drawn(&dispute).await;
                    until("all that are drawn to vote", || async {
                        (self.votes(job, dispute.round).await.len() == drawn.len()).then_some(())
                    })
                    .await;
                    self.travel_past(dispute.commit_deadline_unix).await;
                }
                DisputeStatus::Tallied if is_new => self.travel_past(dispute.verdict_deadline_unix).await,
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

async fn send(client: &Client, signer: &Keypair, instruction: solana_instruction::Instruction) {
    let client = client.clone().with_signer(std::sync::Arc::new(signer.insecure_clone()));
    client.send(&[instruction]).await.expect("taken");
}

async fn drain(processes: Vec<Process>) {
    for process in processes {
        process.drain().await;
    }
}

/// The liar's bond is gone, the challenger and right jurors were paid from it, nobody else lost anything, and the poster has the
/// right result.
async fn assert_judged(court: &Court, job: &PostedJob, before: &[Provider], challenger_lamports: u64) {
    let view = job.handle.status().await.expect("a view of a closed job");
    assert_eq!(view.status, JobStatus::Resolved);
    assert_ne!(view.outcome.expect("an outcome").result_cid_digest, [7; 32]);
    let history = job.handle.history().await.expect("a history");
    let lost: Vec<u64> = history
        .iter()
        .filter_map(|record| match &record.event {
            Event::ExecutionSettled(event) => Some(event.lost_lamports),
            _ => None,
        })
        .collect();
    let [bond_lamports] = lost[..] else { panic!("{lost:?}") };
    let liar = court.provider(LIAR).await;
    assert_eq!(before[LIAR].stake_lamports - liar.stake_lamports, bond_lamports);
    assert_eq!((liar.trust.failed, liar.active, liar.locked_lamports), (1, 0, 0));
    for juror in JURORS {
        let after = court.provider(juror).await;
        assert_eq!((after.stake_lamports, after.votes_open), (before[juror].stake_lamports, 0));
        assert_eq!(after.locked_lamports, after.duty_lock_lamports, "only its duty lock is left");
    }
    let after = court.client().balance(&court.node_key(WATCHER).pubkey()).await.expect("a balance");
    // Half of the bond, less the fees of its transactions; bond and rents came back.
    let won = after.checked_sub(challenger_lamports).expect("it won");
    assert!(won > bond_lamports / 2 - 200_000 && won <= bond_lamports / 2, "{won} of {bond_lamports}");
}

async fn looks(court: &Court) -> Vec<Provider> {
    let mut providers = Vec::new();
    for number in 0..court.executors.len() {
        providers.push(court.provider(number).await);
    }
    providers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p_03_i_03_a_wrong_result_is_challenged_by_a_watching_bot_judged_by_bots_and_costs_the_liar_its_bond() {
    let mut court = Court::start().await;
    let before = looks(&court).await;
    let balance = court.client().balance(&court.node_key(WATCHER).pubkey()).await.expect("a balance");
    let job = court.lie().await;
    let processes: Vec<Process> = court.executors[1..].iter_mut().map(|bot| bot.start(EXECUTOR, &[])).collect();
    court.drive(&job).await;
    assert_judged(&court, &job, &before, balance).await;
    drain(processes).await;
    court.net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i_07_e_01_bots_that_die_around_their_votes_and_their_challenge_show_what_they_committed_to() {
    let mut court = Court::start().await;
    let before = looks(&court).await;
    let balance = court.client().balance(&court.node_key(WATCHER).pubkey()).await.expect("a balance");
    let job = court.lie().await;
    // The watcher dies once its challenge is sent, each juror once its vote is; all come back and show what they hid.
    let points = ["tx.challenge.sent#1", "tx.vote.sent#1", "tx.vote.sent#1", "tx.vote.sent#1"];
    let mut processes: Vec<Process> = court.executors[1..]
        .iter_mut()
        .zip(points)
        .map(|(bot, point)| bot.start(EXECUTOR_WITH_FAULTS, &[("ASSAY_CRASH_AT", point.to_owned())]))
        .collect();
    processes[0].killed_at(points[0]).await;
    processes[0] = court.executors[WATCHER].start(EXECUTOR, &[]);
    let dispute = until("the dispute to be opened", || async { court.dispute(&job).await }).await;
    court.travel_past(dispute.entry_deadline_unix).await;
    let voting = until("the jury to be drawn", || async {
        court.dispute(&job).await.filter(|dispute| dispute.dispute_status() == Some(DisputeStatus::Voting))
    })
    .await;
    let drawn = court.drawn(&voting).await;
    for number in JURORS {
        let process = &mut processes[number - 1];
        if drawn.contains(&court.executors[number].address()) {
            process.killed_at("tx.vote.sent#1").await;
        } else {
            // In a later round it would die of its first vote.
            process.terminate();
            process.ended().await;
        }
        *process = court.executors[number].start(EXECUTOR, &[]);
    }
    court.drive(&job).await;
    assert_judged(&court, &job, &before, balance).await;
    drain(processes).await;
    court.net.stop().await;
}
