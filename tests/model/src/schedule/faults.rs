//! What nobody should ask for: the wrong party, the wrong job, the wrong moment, an old salt.

use super::{
    Schedule,
    actors::{committed, salt},
    at,
    world::truth,
};
use crate::{
    act::Act,
    cast::SOL,
    state::{Key, Model, SeatStatus},
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
        let owner = self.world.seat(provider).map_or(seat.node_key, |seat| seat.node_key);
        let signer = if self.rng.below(4) == 0 { self.world.bystanders[1] } else { owner };
        let (posting, place) = (&model.jobs[&job], at(signer, job, provider));
        let status = model.executions.get(&(job, provider)).map(|seat| seat.status);
        let (uid, outcome) = (posting.uid, truth(&posting.uid));
        if self.world.disputes && self.rng.below(3) == 0 {
            return self.contempt(model, job);
        }
        match self.rng.below(18) {
            0 => Act::AcceptJob { at: place, uid, ticket: u32::try_from(self.rng.below(400)).expect("small") },
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
            16 => Act::CancelJob { signer: if self.rng.below(2) == 0 { posting.poster } else { signer }, job },
            _ => self.out_of_turn(model, seat.provider),
        }
    }

    /// Of providers and markets.
    fn out_of_turn(&mut self, model: &Model, provider: Key) -> Act {
        let seat = *self.world.seat(provider).expect("of this world");
        let signer = if self.rng.below(2) == 0 { seat.authority } else { self.world.bystanders[1] };
        let (market, owner) = self.world.markets[0];
        match self.rng.below(10) {
            0 => Act::Stake { signer, provider, lamports: 0 },
            1 => Act::Unstake { signer, provider, lamports: 50 * SOL },
            2 => Act::WithdrawStake { signer, provider },
            3 => Act::ClaimReward { provider },
            4 => Act::CloseProvider { signer, provider },
            5 => Act::EnrollStake { signer, provider },
            6 => Act::PauseMarket { signer: owner, market, until_unix: model.now_unix + 400_000 },
            7 => Act::ClaimMarketFees { signer, market },
            8 => {
                let posting = self.world.posting(model, market, 1, &mut self.rng);
                let poster = self.world.posters[0].key;
                let escrow_lamports = posting.escrow_lamports.saturating_sub(2_000);
                Act::CreateJob { poster, market, posting: crate::act::Posting { escrow_lamports, ..posting } }
            }
            _ => {
                let posting = self.world.posting(model, market, 2, &mut self.rng);
                let poster = self.world.posters[0].key;
                let redundancy = u8::try_from(self.rng.below(12)).expect("small");
                let posting = crate::act::Posting { redundancy, escrow_lamports: SOL, ..posting };
                Act::CreateJob { poster, market, posting }
            }
        }
    }
}
