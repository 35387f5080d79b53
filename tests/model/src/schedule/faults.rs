//! What nobody should ask for: the wrong party, the wrong job, the wrong moment, an old salt.

use super::{
    Schedule,
    actors::{committed, salt},
    at,
    court::current,
    world::{IDS, Seat, truth},
};
use crate::{
    act::{Act, TICKET_SOLO},
    cast::SOL,
    state::{Job, JobStatus, Key, Mode, Model, SeatStatus},
};

impl Schedule {
    /// Somebody asks for something at random.
    pub(super) fn implausible(&mut self, model: &Model) -> Act {
        let jobs: Vec<Key> = model.jobs.keys().copied().collect();
        let seats = self.world.seats.clone();
        let seat = self.pick(&seats).expect("there are providers");
        let Some(job) = self.pick(&jobs) else {
            return Act::Unstake { signer: seat.authority, provider: seat.provider, lamports: 40 * SOL };
        };
        let held: Vec<Key> =
            model.executions.keys().filter(|(of, _)| *of == job).map(|(_, provider)| *provider).collect();
        // Mostly of a seat that exists, since for the others one refusal says it all.
        let provider = if self.rng.below(4) > 0 { self.pick(&held).unwrap_or(seat.provider) } else { seat.provider };
        let owner = model.providers.get(&provider).map_or(seat.node_key, |own| own.node_key);
        let signer = if self.rng.below(4) == 0 { self.world.bystanders[1] } else { owner };
        let (posting, place) = (&model.jobs[&job], at(signer, job, provider));
        let status = model.executions.get(&(job, provider)).map(|seat| seat.status);
        let (uid, outcome) = (posting.uid, truth(&posting.uid));
        if self.rng.below(3) == 0 {
            let open: Vec<Key> = model.disputes.keys().copied().collect();
            let job = if self.rng.below(2) == 0 { self.pick(&open).unwrap_or(job) } else { job };
            return self.contempt(model, job);
        }
        match self.rng.below(22) {
            0 => {
                let drawn = u32::try_from(self.rng.below(400)).expect("small");
                Act::AcceptJob { at: place, uid, ticket: if self.rng.below(3) == 0 { TICKET_SOLO } else { drawn } }
            }
            1 => Act::AcceptJob { at: place, uid: [1; 32], ticket: 0 },
            2 => Act::DeclineJob { at: place },
            3 => Act::SubmitResults { at: place, outcome },
            4 => Act::SubmitResults { at: place, outcome: [3; 79] },
            5 => Act::CommitResult { at: place, commitment: [0; 32] },
            6 => Act::CommitResult { at: place, commitment: committed(&uid, provider, &outcome) },
            7 => Act::RevealResult { at: place, outcome, salt: [8; 32] },
            8 if status == Some(SeatStatus::Committed) => {
                Act::RevealResult { at: place, outcome: [3; 79], salt: [8; 32] }
            }
            8 | 9 => Act::RevealResult { at: place, outcome, salt: salt(&uid, provider) },
            10 => Act::RecordSeed { job },
            11 => Act::ExpireJob { job, provider: None },
            12 => Act::ExpireJob { job, provider: Some(provider) },
            13 => Act::FinalizeJob { job },
            14 => Act::SettleExecution { job, provider },
            15 => Act::CloseJob { job },
            21 => Act::RecordCollision { payer: seat.authority, job },
            17 => self.presumed(model).unwrap_or(Act::CloseJob { job }),
            16 => Act::CancelJob { signer: if self.rng.below(2) == 0 { posting.poster } else { signer }, job },
            _ => self.out_of_turn(model, seat.provider),
        }
    }

    /// Somebody who means to run alone, trusted or not.
    fn presumed(&mut self, model: &Model) -> Option<Act> {
        let free = |job: &Job| job.mode == Mode::Adaptive && job.status == JobStatus::Open && job.seats_filled == 0;
        let jobs: Vec<Key> = model.jobs.iter().filter(|(_, job)| free(job)).map(|(key, _)| *key).collect();
        let job = self.pick(&jobs)?;
        let posting = &model.jobs[&job];
        let seats: Vec<Seat> = self.world.seats.iter().filter(|seat| seat.market == posting.market).copied().collect();
        let seat = self.pick(&seats)?;
        let (node_key, provider) = (current(model, &seat), seat.provider);
        Some(Act::AcceptJob { at: at(node_key, job, provider), uid: posting.uid, ticket: TICKET_SOLO })
    }

    /// Of providers and markets.
    fn out_of_turn(&mut self, model: &Model, provider: Key) -> Act {
        let seat = *self.world.seat(provider).expect("of this world");
        let signer = if self.rng.below(2) == 0 { seat.authority } else { self.world.bystanders[1] };
        let (market, creator) = self.world.markets[0];
        let owner = model.markets[&market].authority;
        // Pauses are short and seldom.
        let is_paused = model.markets[&seat.market].paused_until_unix > model.now_unix;
        match self.rng.below(if is_paused { 32 } else { 17 }) {
            0 => Act::Stake { signer, provider, lamports: 0 },
            1 => Act::Unstake { signer, provider, lamports: 50 * SOL },
            2 => Act::WithdrawStake { signer, provider },
            3 => Act::ClaimReward { provider },
            4 => Act::CloseProvider { signer, provider },
            5 => Act::EnrollStake { signer, provider },
            6 => {
                let (signer, for_s) = if self.rng.below(2) == 0 { (owner, 400_000) } else { (signer, 30) };
                Act::PauseMarket { signer, market, until_unix: model.now_unix + for_s }
            }
            7 => Act::ClaimMarketFees { signer, market },
            8..10 => self.misposted(model, market),
            10 => Act::CreateSink { payer: signer },
            11 => {
                let terms = model.markets[&market].terms;
                Act::CreateMarket { authority: creator, name: [7; 32], cluster: [9; 32], terms }
            }
            12 => {
                let mut terms = *model.markets[&market].terms_at(model.now_unix);
                terms.ticket_lamports += self.rng.below(2);
                let signer = if self.rng.below(2) == 0 { owner } else { signer };
                Act::UpdateMarket { signer, market, terms }
            }
            13 => Act::SetDuty { signer, provider, on: self.rng.below(2) == 0 },
            14 => Act::ProposeMarketAuthority { signer, market, new_authority: signer },
            15 => Act::AcceptMarketAuthority { signer, market },
            _ => self.registered_again(model, provider),
        }
    }

    /// A posting that breaks one rule.
    fn misposted(&mut self, model: &Model, market: Key) -> Act {
        let poster = self.world.posters[0].key;
        let free = |id: &u64| !model.jobs.contains_key(&model.job_key(market, poster, *id));
        let id = (1..=IDS).find(free).unwrap_or(1);
        let mut posting = self.world.posting(model, market, id, &mut self.rng);
        match self.rng.below(7) {
            0 => posting.escrow_lamports = posting.escrow_lamports.saturating_sub(2_000),
            1 => {
                posting.redundancy = u8::try_from(self.rng.below(12)).expect("small");
                posting.escrow_lamports = SOL;
            }
            2 => posting.task.limits.gas_limit = 3_000_000_000,
            3 => posting.price = 0,
            4 => posting.agreement_s = Some(1_000_000),
            5 => posting.expires_unix = model.now_unix - 1 + 1_000_000 * i64::from(self.rng.below(2) == 0),
            _ => posting.min_trust_bps = 10_001,
        }
        Act::CreateJob { poster, market, posting }
    }

    /// A provider that is there, or whose two keys are one.
    fn registered_again(&mut self, model: &Model, provider: Key) -> Act {
        let seat = *self.world.seat(provider).expect("of this world");
        let paused = model.markets[&seat.market].paused_until_unix > model.now_unix;
        let (authority, node_key) = match self.rng.below(3) {
            _ if paused => (self.world.bystanders[1], self.world.bystanders[0]),
            0 => (self.world.bystanders[1], self.world.bystanders[1]),
            _ => (seat.authority, seat.node_key),
        };
        let (stake_lamports, cap_lamports, capacity) = (2 * SOL, SOL, 1);
        Act::RegisterProvider { authority, node_key, market: seat.market, stake_lamports, cap_lamports, capacity }
    }
}
