//! A small world to tell stories in: one market, its providers, a poster.

use assay_protocol::{Outcome, OutcomeKind, TaskLimits, TaskSpec, commitment, ids::CommitmentInput};
use sha2::{Digest, Sha256};

use crate::{
    act::{Act, AtSeat, Posting},
    draw::SLOT_HASHES_MAX,
    rules::{Refusal, Verdict},
    state::{Address, Job, Key, Mode, Model, Provider, Terms},
};

/// One SOL.
pub const SOL: u64 = 1_000_000_000;

/// Terms that stories are told under.
pub const TERMS: Terms = Terms {
    fee_bps: 200,
    stake_min_lamports: SOL,
    bond_min_lamports: 10_000_000,
    bond_rate_bps: 10_000,
    miss_rate_bps: 5_000,
    delay_fee_lamports: 1_000_000,
    decline_fee_lamports: 10_000,
    attempts_max: 3,
    queue_timeout_s: 600,
    execution_base_s: 60,
    challenge_base_s: 60,
    job_total_s: 7_200,
    unbonding_s: 86_400,
    verify_rate_gas_per_s: 10_000_000,
    gas_limit_max: 10_000_000_000,
    quorum_bps: 6_667,
    executions_max: 9,
    ticket_lamports: SOL / 10,
    widen_s: 10,
    reveal_s: 60,
    jury_lambda: 9,
    jury_quorum_bps: 5_000,
    juror_bond_lamports: 5_000_000,
    duty_rate_bps: 500,
    audit_one_in_min: 10,
    audit_one_in_max: 50,
    jail_s: 86_400,
};

/// One provider's keys.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// Its cold key.
    pub authority: Key,
    /// Its hot key.
    pub node_key: Key,
    /// Its account.
    pub provider: Key,
}

/// A model with everybody in it.
#[derive(Clone, Debug)]
pub struct Cast {
    /// The chain.
    pub model: Model,
    /// The market.
    pub market: Key,
    /// Its authority.
    pub owner: Key,
    /// Who posts.
    pub poster: Key,
    /// Its providers.
    pub names: Vec<Name>,
    total: u128,
}

/// An address that stands for its seeds, where no ledger gives another.
#[must_use]
pub fn plain_address(seeds: &[&[u8]]) -> Key {
    let mut hasher = Sha256::new();
    seeds.iter().for_each(|seed| hasher.update(seed));
    Key(hasher.finalize().into())
}

/// The address of a wallet where there are no key pairs.
#[must_use]
pub fn wallet(number: u64) -> Key {
    Key(Sha256::new().chain_update(b"wallet").chain_update(number.to_le_bytes()).finalize().into())
}

/// A hash for a slot.
#[must_use]
pub fn slot_hash(slot: u64) -> [u8; 32] {
    Sha256::new().chain_update(b"slot").chain_update(slot.to_le_bytes()).finalize().into()
}

/// A program that returned this, after this much gas.
#[must_use]
pub fn exited(result: u8, gas_used: u64) -> [u8; 79] {
    let result_cid_digest = [result; 32];
    Outcome { kind: OutcomeKind::Exited, detail: 0, exit_code: 0, gas_used, result_cid_digest, state_root: [0; 32] }
        .encode()
}

/// A job that asks for so many seats.
#[must_use]
pub fn posting(id: u64, mode: Mode, redundancy: u8) -> Posting {
    let task = TaskSpec {
        profile: 1,
        job_cid_digest: [3; 32],
        metered_hash: [4; 32],
        limits: TaskLimits::default(),
        seed: 0,
        clock_unix_ns: 0,
    };
    Posting {
        id,
        task,
        price: 1_000_000_000,
        base_fee_lamports: 5_000,
        redundancy,
        mode,
        min_trust_bps: 0,
        escrow_lamports: 0,
        expires_unix: 0,
        agreement_s: None,
    }
}

impl Cast {
    /// A market under [`TERMS`] with one provider for each stake, in SOL; all stakes are mature and enrolled.
    #[must_use]
    pub fn new(stakes_sol: &[u64]) -> Self {
        Self::with(plain_address, TERMS, stakes_sol)
    }

    /// As [`Self::new`], under these terms.
    ///
    /// # Panics
    /// When the rules refuse the beginning of every story.
    #[must_use]
    pub fn with(address: Address, terms: Terms, stakes_sol: &[u64]) -> Self {
        let mut model = Model::empty(Key([200; 32]), address);
        let lamports = &mut model.lamports;
        let mut wallet = |number: u8| {
            let key = Key([number; 32]);
            lamports.insert(key, 1_000_000 * SOL);
            key
        };
        let (owner, poster) = (wallet(1), wallet(2));
        let keys: Vec<(Key, Key)> = (0..stakes_sol.len())
            .map(|index| u8::try_from(index).expect("few"))
            .map(|index| (wallet(10 + 2 * index), wallet(11 + 2 * index)))
            .collect();
        let name = [7; 32];
        let market = model.at(&[b"market", &owner.0, &name]);
        let names: Vec<Name> = keys
            .iter()
            .map(|(authority, node_key)| Name {
                authority: *authority,
                node_key: *node_key,
                provider: model.at(&[b"provider", &market.0, &authority.0]),
            })
            .collect();
        let total = model.lamports_total();
        let mut cast = Self { model, market, owner, poster, names, total };
        cast.ok(&Act::CreateSink { payer: owner });
        cast.ok(&Act::CreateMarket { authority: owner, name, cluster: [9; 32], terms });
        for (name, stake) in cast.names.clone().iter().zip(stakes_sol) {
            let Name { authority, node_key, .. } = *name;
            let (stake_lamports, cap_lamports) = (stake * SOL, u64::MAX);
            cast.ok(&Act::RegisterProvider {
                authority,
                node_key,
                market,
                stake_lamports,
                cap_lamports,
                capacity: 100,
            });
        }
        cast.wait(i64::from(terms.unbonding_s));
        for name in cast.names.clone() {
            cast.ok(&Act::EnrollStake { signer: name.node_key, provider: name.provider });
        }
        cast
    }

    /// Does it, and looks whether every promise holds.
    ///
    /// # Errors
    /// [`Refusal`], and nothing has changed.
    pub fn act(&mut self, act: &Act) -> Verdict {
        let verdict = self.model.apply(act);
        self.model.check_promises();
        assert_eq!(self.model.lamports_total(), self.total, "I-01: lamports appeared or vanished by {act:?}");
        verdict
    }

    /// Does what must go through.
    ///
    /// # Panics
    /// When it is refused.
    #[track_caller]
    pub fn ok(&mut self, act: &Act) {
        if let Err(refusal) = self.act(act) {
            panic!("{} was refused: {refusal:?}", act.name());
        }
    }

    /// Does what must be refused for this reason and no other.
    ///
    /// # Panics
    /// When it goes through or is refused otherwise.
    #[track_caller]
    pub fn refuse(&mut self, act: &Act, error: &'static str) {
        assert_eq!(self.act(act), Err(Refusal::from([error])), "{}", act.name());
    }

    /// So many slots pass within the second.
    pub fn slots(&mut self, slots: u64) {
        for _ in 0..slots {
            self.model.slot_hashes.push_front((self.model.slot, slot_hash(self.model.slot)));
            self.model.slot_hashes.truncate(SLOT_HASHES_MAX);
            self.model.slot += 1;
        }
    }

    /// So many seconds pass, each with its slots.
    pub fn wait(&mut self, seconds: i64) {
        self.model.now_unix += seconds;
        self.slots((u64::try_from(seconds).expect("time moves forward") * 5 / 2).min(1_000) + 1);
    }

    /// The chain's time moves on to this second.
    pub fn wait_until(&mut self, unix: i64) {
        self.wait(unix - self.model.now_unix);
    }

    /// The job with this id.
    #[must_use]
    pub fn key(&self, id: u64) -> Key {
        self.model.job_key(self.market, self.poster, id)
    }

    /// The job with this id.
    #[must_use]
    pub fn job(&self, id: u64) -> &Job {
        &self.model.jobs[&self.key(id)]
    }

    /// One of the providers.
    #[must_use]
    pub fn provider(&self, index: usize) -> &Provider {
        &self.model.providers[&self.names[index].provider]
    }

    /// A provider's seat as it would sign for it.
    #[must_use]
    pub fn seat(&self, id: u64, index: usize) -> AtSeat {
        let Name { node_key, provider, .. } = self.names[index];
        AtSeat { signer: node_key, job: self.key(id), provider }
    }

    /// Posts a job with just the escrow that it needs.
    pub fn create(&mut self, posting: Posting) {
        let escrow_lamports = self.model.escrow_least(self.market, &posting);
        let (poster, market) = (self.poster, self.market);
        self.ok(&Act::CreateJob { poster, market, posting: Posting { escrow_lamports, ..posting } });
    }

    /// Lets the seed's slot pass and records it.
    pub fn seed(&mut self, id: u64) {
        self.slots(5);
        self.ok(&Act::RecordSeed { job: self.key(id) });
    }

    /// The first ticket of a provider that wins a seat now.
    #[must_use]
    pub fn ticket(&self, id: u64, index: usize) -> Option<u32> {
        let (job, holder) = (self.job(id), self.names[index].provider);
        let unit = self.model.markets[&self.market].terms.ticket_lamports;
        let threshold = job.seat_threshold(self.model.now_unix);
        let tickets = self.provider(index).usable_tickets(unit);
        (0..tickets).find(|ticket| crate::draw::wins(&job.draw.seed, &holder.0, *ticket, threshold))
    }

    /// Takes a seat with this ticket.
    #[must_use]
    pub fn accept(&self, id: u64, index: usize, ticket: u32) -> Act {
        Act::AcceptJob { at: self.seat(id, index), uid: self.job(id).uid, ticket }
    }

    /// Everybody named takes a seat; those without a winning ticket wait until one wins.
    pub fn fill(&mut self, id: u64, providers: &[usize]) {
        for index in providers {
            let ticket = loop {
                if let Some(ticket) = self.ticket(id, *index) {
                    break ticket;
                }
                self.wait(1);
            };
            let act = self.accept(id, *index, ticket);
            self.ok(&act);
        }
    }

    /// Hides a result.
    #[must_use]
    pub fn commit(&self, id: u64, index: usize, outcome: &[u8; 79]) -> Act {
        let at = self.seat(id, index);
        let commitment = commitment(&CommitmentInput {
            job_uid: &self.job(id).uid,
            provider: &at.provider.0,
            outcome_hash: &crate::outcome_hash(outcome),
            trace_root: &[0; 32],
            salt: &salt(index),
        });
        Act::CommitResult { at, commitment }
    }

    /// Shows what was hidden.
    #[must_use]
    pub fn reveal(&self, id: u64, index: usize, outcome: &[u8; 79]) -> Act {
        Act::RevealResult { at: self.seat(id, index), outcome: *outcome, salt: salt(index) }
    }

    /// Everybody named commits, then everybody reveals.
    pub fn run(&mut self, id: u64, results: &[(usize, [u8; 79])]) {
        for (index, outcome) in results {
            let act = self.commit(id, *index, outcome);
            self.ok(&act);
        }
        for (index, outcome) in results {
            let act = self.reveal(id, *index, outcome);
            self.ok(&act);
        }
    }

    /// Settles every seat of a job that is over and closes it; what the poster got for it.
    pub fn settle(&mut self, id: u64) -> u64 {
        let job = self.key(id);
        let seats: Vec<Key> =
            self.model.executions.keys().filter(|(of, _)| *of == job).map(|(_, held)| *held).collect();
        for provider in seats {
            self.ok(&Act::SettleExecution { job, provider });
        }
        let before = self.model.balance(self.poster);
        self.slots(1);
        self.ok(&Act::CloseJob { job });
        self.model.balance(self.poster) - before
    }
}

/// The salt of a provider in every story.
fn salt(index: usize) -> [u8; 32] {
    [u8::try_from(index).expect("few") + 1; 32]
}
