//! What each actor would do next.

use assay_protocol::{commitment, ids::CommitmentInput};

use super::{
    Habit, Schedule, at,
    world::{IDS, Seat, own_lie, ring_lie, truth},
};
use crate::{
    act::{Act, TICKET_SOLO},
    draw::{DrawState, wins},
    state::{Audit, Execution, Job, JobStatus, Key, Mode, Model, SeatStatus},
};

/// Most jobs at once.
const JOBS_MAX: usize = 4;

/// The salt that a provider keeps for a posting.
#[must_use]
pub fn salt(uid: &[u8; 32], provider: Key) -> [u8; 32] {
    std::array::from_fn(|index| uid[index] ^ provider.0[index])
}

/// The commitment to an outcome.
#[must_use]
pub fn committed(uid: &[u8; 32], provider: Key, outcome: &[u8; 79]) -> [u8; 32] {
    commitment(&CommitmentInput {
        job_uid: uid,
        provider: &provider.0,
        outcome_hash: &crate::outcome_hash(outcome),
        trace_root: &[0; 32],
        salt: &salt(uid, provider),
    })
}

impl Seat {
    /// What it says about a job.
    #[must_use]
    pub fn says(&self, uid: &[u8; 32]) -> [u8; 79] {
        match self.habit {
            Habit::Wrong => own_lie(self.provider),
            Habit::Lazy => truth(&[uid[1]; 32]),
            Habit::Ring => ring_lie(uid),
            _ => truth(uid),
        }
    }
}

impl Schedule {
    /// Everything that somebody would do now, each as its habit is.
    pub(super) fn due(&mut self, model: &Model) -> Vec<Act> {
        let mut acts = Vec::new();
        for (key, job) in &model.jobs {
            match job.status {
                JobStatus::Open => self.seats_for(model, *key, job, &mut acts),
                JobStatus::Assigned | JobStatus::Revealing => self.work(model, *key, job, &mut acts),
                _ => {}
            }
        }
        acts.extend(crate::schedule::crank::cranks(model));
        self.litigate(model, &mut acts);
        // Whoever left its duty, or was put off it, would take out its stake.
        let left = model.providers.iter().filter(|(_, own)| own.duty_from_unix > 0 && !own.is_on_duty());
        let put_off = left.filter(|(_, own)| own.stake_lamports > own.locked_lamports);
        acts.extend(put_off.map(|(provider, own)| Act::Unstake {
            signer: own.authority,
            provider: *provider,
            lamports: own.stake_lamports - own.locked_lamports,
        }));
        // Money and new jobs, now and then.
        let earned = model.markets.iter().filter(|(_, market)| market.fees_lamports > 0 && self.rng.below(16) == 0);
        acts.extend(earned.map(|(market, of)| Act::ClaimMarketFees { signer: of.authority, market: *market }));
        if model.jobs.len() < JOBS_MAX || self.rng.below(8) == 0 {
            acts.extend(self.post(model));
        }
        if self.rng.below(10) < 3 {
            acts.extend(self.housekeeping(model));
        }
        if self.rng.below(40) == 0 {
            acts.extend(self.update(model));
        }
        acts
    }

    fn post(&mut self, model: &Model) -> Option<Act> {
        let markets = self.world.markets.clone();
        let (market, _) = self.pick(&markets)?;
        let posters = self.world.posters.clone();
        let poster = self.pick(&posters)?.key;
        let id = 1 + self.rng.below(IDS);
        let free = !model.jobs.contains_key(&model.job_key(market, poster, id));
        free.then(|| Act::CreateJob { poster, market, posting: self.world.posting(model, market, id, &mut self.rng) })
    }

    fn seats_for(&mut self, model: &Model, key: Key, job: &Job, acts: &mut Vec<Act>) {
        let settled = matches!(job.draw.state, DrawState::Recorded | DrawState::Everybody);
        let threshold = job.seat_threshold(model.now_unix);
        let unit = model.markets[&job.market].terms.ticket_lamports;
        for seat in self.world.seats.iter().filter(|seat| seat.market == job.market) {
            let (Some(provider), false) = (model.providers.get(&seat.provider), job.executors.contains(&seat.provider))
            else {
                continue;
            };
            let tickets = provider.usable_tickets(unit);
            let winning = (0..tickets).find(|ticket| wins(&job.draw.seed, &seat.provider.0, *ticket, threshold));
            let ticket = match job.mode {
                Mode::Optimistic => Some(0),
                Mode::Adaptive if job.seats_filled == 0 && provider.trust.consecutive_valid >= 10 => Some(TICKET_SOLO),
                // Some try one that has not won yet.
                _ => winning.or_else(|| model.slot.is_multiple_of(8).then_some(0)).filter(|_| settled),
            };
            if let Some(ticket) = ticket {
                acts.push(Act::AcceptJob { at: at(provider.node_key, key, seat.provider), uid: job.uid, ticket });
            }
            let held = model.executions.get(&(key, seat.provider));
            if seat.habit == Habit::Fickle && held.is_some() {
                acts.push(Act::DeclineJob { at: at(provider.node_key, key, seat.provider) });
            }
        }
        let poster = self.world.posters.iter().find(|poster| poster.key == job.poster);
        if poster.is_some_and(|poster| poster.griefs) && self.rng.below(4) == 0 {
            acts.push(Act::CancelJob { signer: job.poster, job: key });
        }
    }

    fn work(&mut self, model: &Model, key: Key, job: &Job, acts: &mut Vec<Act>) {
        for ((_, provider), execution) in model.executions.iter().filter(|((of, _), _)| *of == key) {
            let Some(seat) = self.world.seat(*provider) else { continue };
            let signer = model.providers[provider].node_key;
            let place = at(signer, key, *provider);
            let says = seat.says(&job.uid);
            match execution.status {
                SeatStatus::Accepted if job.status == JobStatus::Assigned => match (seat.habit, job.mode) {
                    (Habit::Silent, _) => {}
                    (Habit::Fickle, _) => acts.push(Act::DeclineJob { at: place }),
                    (_, Mode::Optimistic) => acts.push(Act::SubmitResults { at: place, outcome: says }),
                    (Habit::Copycat, _) => {
                        let commitment = copied(model, key).unwrap_or_else(|| committed(&job.uid, *provider, &says));
                        acts.push(Act::CommitResult { at: place, commitment });
                    }
                    _ => {
                        let commitment = committed(&job.uid, *provider, &says);
                        acts.push(Act::CommitResult { at: place, commitment });
                    }
                },
                // Whoever missed its deadline means to hand in after all, and a stranger names it for the one that runs now.
                SeatStatus::Missed if job.mode == Mode::Optimistic => {
                    acts.push(Act::SubmitResults { at: place, outcome: says });
                    acts.push(Act::ExpireJob { job: key, provider: Some(*provider) });
                }
                SeatStatus::Committed if seat.habit != Habit::NoReveal && job.audit != Audit::SeedPending => {
                    // Whoever copied a commitment cannot open it and shows anything.
                    let garbage = seat.habit == Habit::Copycat && job.uid[2].is_multiple_of(2);
                    let outcome = if garbage { [3; 79] } else { says };
                    acts.push(Act::RevealResult { at: place, outcome, salt: salt(&job.uid, *provider) });
                }
                _ => {}
            }
        }
    }

    fn housekeeping(&mut self, model: &Model) -> Option<Act> {
        let seats = self.world.seats.clone();
        let Seat { authority, node_key, provider, market, .. } = self.pick(&seats)?;
        let lamports = 1 + self.rng.below(3 * crate::cast::SOL);
        let (of, (_, creator)) =
            (model.markets.get(&market)?, *self.world.markets.iter().find(|(key, _)| *key == market)?);
        let owner = of.authority;
        Some(match self.rng.below(11) {
            0 => Act::Stake { signer: authority, provider, lamports },
            1 => Act::Unstake { signer: authority, provider, lamports },
            2 => Act::WithdrawStake { signer: authority, provider },
            3 => Act::ClaimReward { provider },
            4 => Act::ClaimMarketFees { signer: owner, market },
            5 => Act::PauseMarket { signer: owner, market, until_unix: model.now_unix + 30 },
            6 => {
                let mut terms = *model.markets.get(&market)?.terms_at(model.now_unix);
                terms.fee_bps = u16::try_from(self.rng.below(1_000)).ok()?;
                Act::UpdateMarket { signer: owner, market, terms }
            }
            // To one of its providers, who owns no other, back to who made it, or to nobody after all.
            7 => {
                let heir = seats.iter().find(|seat| seat.market == market)?.authority;
                let new_authority = self.pick(&[heir, creator, Key::default()])?;
                Act::ProposeMarketAuthority { signer: owner, market, new_authority }
            }
            8 => {
                let pending = Some(of.pending_authority).filter(|pending| *pending != Key::default());
                Act::AcceptMarketAuthority { signer: pending.unwrap_or(authority), market }
            }
            _ => Act::EnrollStake {
                signer: model.providers.get(&provider).map_or(node_key, |own| own.node_key),
                provider,
            },
        })
    }
}

/// Another's commitment, which opens for nobody else.
fn copied(model: &Model, job: Key) -> Option<[u8; 32]> {
    let seats = model.executions.iter().filter(|((of, _), _)| *of == job);
    let hidden = |(_, seat): (_, &Execution)| (seat.status == SeatStatus::Committed).then_some(seat.commitment);
    seats.filter_map(hidden).next()
}
