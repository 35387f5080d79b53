//! What the ledger takes in the best case: this process alone sends, and nobody fetches, runs, publishes or watches anything.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use assay_localnet::Network;
use assay_protocol::{Outcome, OutcomeKind};
use assay_sdk::{
    Client, JobHandle, JobSpec, Pubkey, SharedSigner,
    instructions::{self, AcceptJob, CreateJob, JobPoster, ProviderAuthority, Seat, SettleExecution},
    pda::JobSeeds,
    program::accounts::Job,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use solana_instruction::Instruction;
use solana_message::Message;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_system_interface::instruction as system;
use solana_transaction::Transaction;

use crate::{
    AT_ONCE, CAPACITY,
    bots::{Failure, LOOK},
};

/// Transfers that are sent.
const TRANSFERS: u32 = 4_000;
/// Those of one job: create, accept, submit, and its end.
const TRANSACTIONS_OF_JOB: u32 = 4;
/// Statuses in one request, as RPC nodes allow.
const STATUSES_PER_REQUEST: usize = 256;
/// The result of jobs that nobody runs.
const MADE_UP: Outcome = Outcome {
    kind: OutcomeKind::Exited,
    detail: 0,
    exit_code: 0,
    gas_used: 1,
    result_cid_digest: [7; 32],
    state_root: [0; 32],
};

/// Transactions per second.
#[derive(Clone, Copy)]
pub struct Ceiling {
    pub transfers_per_s: f64,
    /// Of jobs of one seat: created, accepted, submitted, and settled to the end in one.
    pub steps_per_s: f64,
}

impl Ceiling {
    /// Takes some seconds, during which no bot may run. The sample says what the jobs ask for.
    pub async fn measure(network: &Network, sample: &JobSpec) -> Result<Self, Failure> {
        let client = network.client();
        let address = client.signer_address()?;
        let transfer = |lamports: u32| vec![system::transfer(&address, &address, lamports.into())];
        let took = send_all(client, (0..TRANSFERS).map(transfer)).await?;
        let transfers_per_s = f64::from(TRANSFERS) / took.as_secs_f64();
        Ok(Self { transfers_per_s, steps_per_s: steps_per_s(network, sample).await? })
    }

    /// The machine may have been quicker or slower for a while.
    pub fn midpoint(self, other: Self) -> Self {
        Self {
            transfers_per_s: self.transfers_per_s.midpoint(other.transfers_per_s),
            steps_per_s: self.steps_per_s.midpoint(other.steps_per_s),
        }
    }
}

/// Sends each as a transaction, some at once and as fast as the ledger takes them, and then waits until all are confirmed: so many
/// that this wait, which is a slot's, counts for little.
async fn send_all(
    client: &Client,
    transactions: impl IntoIterator<Item = Vec<Instruction>>,
) -> Result<Duration, Failure> {
    let (payer, blockhash) = (client.signer()?, client.latest_blockhash().await?);
    let signed = |instructions: Vec<Instruction>| {
        let message = Message::new_with_blockhash(&instructions, Some(&payer.pubkey()), &blockhash.hash);
        let mut transaction = Transaction::new_unsigned(message);
        transaction.try_sign(&[payer.as_ref() as &dyn Signer], blockhash.hash)?;
        Ok::<_, Failure>(transaction)
    };
    let transactions = transactions.into_iter().map(signed).collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    let sent: Vec<Signature> = stream::iter(&transactions)
        .map(|transaction| client.broadcast(transaction))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    for signatures in sent.chunks(STATUSES_PER_REQUEST) {
        while !are_confirmed(client, signatures).await? {
            tokio::time::sleep(LOOK).await;
        }
    }
    Ok(began.elapsed())
}

async fn are_confirmed(client: &Client, signatures: &[Signature]) -> Result<bool, Failure> {
    let confirmed = client.rpc().commitment();
    let statuses = client.rpc().get_signature_statuses(signatures).await?.value;
    if let Some(error) = statuses.iter().flatten().find_map(|status| status.err.as_ref()) {
        return Err(format!("a transaction failed: {error}").into());
    }
    Ok(statuses.iter().all(|status| status.as_ref().is_some_and(|status| status.satisfies_commitment(confirmed))))
}

/// As many jobs as all providers together may hold. The challenge window is not counted: nobody is busy while it lasts.
async fn steps_per_s(network: &Network, sample: &JobSpec) -> Result<f64, Failure> {
    let (client, market) = (network.client(), network.market());
    let poster = client.signer_address()?;
    let (mut spent, mut seats, mut number) = (Duration::ZERO, Vec::new(), 0);
    for provider in &network.info().providers {
        let node_key: SharedSigner = Arc::new(assay_sdk::load_keypair(&provider.node_keypair)?);
        let first = create(client, sample, number).await?;
        number += u64::from(CAPACITY);
        spent += send_all(client, first.iter().map(|create| vec![instructions::create_job(create)])).await?;
        let seat = |create: &CreateJob| {
            Ok::<_, Failure>(Seat {
                job: create.seeds.address(),
                provider: provider.address.parse()?,
                node_key: node_key.pubkey(),
            })
        };
        let taken = first.iter().map(seat).collect::<Result<Vec<Seat>, _>>()?;
        let uids = uids(client, &taken).await?;
        let node = client.clone().with_signer(node_key.clone());
        let accept = |(seat, job_uid): (&Seat, &[u8; 32])| {
            vec![instructions::accept_job(&AcceptJob { seat: *seat, market, job_uid: *job_uid, ticket: 0 })]
        };
        spent += send_all(&node, taken.iter().zip(&uids).map(accept)).await?;
        spent += send_all(&node, taken.iter().map(|seat| vec![instructions::submit_results(seat, &MADE_UP)])).await?;
        seats.extend(taken);
    }
    let last = seats.last().ok_or("no provider")?.job;
    let window_unix = client.fetch::<Job>(&last).await?.window_deadline_unix;
    while client.chain_time().await?.unix < window_unix {
        tokio::time::sleep(LOOK).await;
    }
    spent += send_all(client, seats.iter().map(|seat| end(seat, market, poster))).await?;
    for provider in &network.info().providers {
        let named =
            ProviderAuthority { authority: assay_sdk::load_keypair(&provider.authority_keypair)?.pubkey(), market };
        client.send(&[instructions::claim_reward(&named)]).await?;
    }
    let transactions = u32::try_from(seats.len())? * TRANSACTIONS_OF_JOB;
    Ok(f64::from(transactions) / spent.as_secs_f64())
}

/// What creates as many jobs as one provider may hold.
async fn create(client: &Client, sample: &JobSpec, first: u64) -> Result<Vec<CreateJob>, Failure> {
    let prepared = client.prepare_job(sample).await?;
    let escrow_lamports = client.quote(sample, &prepared).await?.escrow_lamports;
    let poster = client.signer_address()?;
    let create = |number: u64| {
        let seeds = JobSeeds { market: sample.market(), poster, id: first + number };
        CreateJob::of(sample, &prepared.task, seeds, escrow_lamports)
    };
    Ok((0..u64::from(CAPACITY)).map(create).collect())
}

async fn uids(client: &Client, seats: &[Seat]) -> Result<Vec<[u8; 32]>, Failure> {
    stream::iter(seats)
        .map(|seat| async { Ok(JobHandle::new(client.clone(), seat.job).status().await?.job_uid) })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// What anybody may do once the window is over, as bots do it: in one transaction.
fn end(seat: &Seat, market: Pubkey, poster: Pubkey) -> Vec<Instruction> {
    let Seat { job, provider, node_key: rent_payer } = *seat;
    vec![
        instructions::finalize_job(job),
        instructions::settle_execution(&SettleExecution { job, market, provider, rent_payer, is_disputed: false }),
        instructions::close_job(&JobPoster { job, poster }),
    ]
}
