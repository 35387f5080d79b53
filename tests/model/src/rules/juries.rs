//! Who judges: duty, votes, absences.

use assay_protocol::ids::{VoteCommitmentInput, vote_commitment};

use super::{Demands, POOR, Verdict, disputes::UNAVAILABLE};
use crate::{
    act::{AtSeat, Tickets},
    draw::{DrawState, EVERYBODY, threshold, wins},
    money,
    state::{Dispute, DisputeStatus, Key, Model, Provider, Vote, rent_lamports, size},
    tally::Measure,
};

impl Dispute {
    /// The threshold of this round's tickets.
    #[must_use]
    pub fn threshold(&self) -> u64 {
        match self.draw.state {
            DrawState::Everybody => EVERYBODY,
            _ => threshold(self.expected, self.duty_tickets_total),
        }
    }

    /// Seed and threshold of the jury whose absences of this round are shown now: of the round that is counted, or of the one before.
    #[must_use]
    pub fn called(&self, round: u8) -> Option<([u8; 32], u64)> {
        if round == self.round && self.status == DisputeStatus::Tallied {
            return Some((self.draw.seed, self.threshold()));
        }
        let is_before = round < self.round && round + 1 == self.round && self.status != DisputeStatus::Final;
        let expected = || u64::from(self.lambda) * 4_u64.pow(u32::from(round));
        is_before.then(|| (self.previous_seed, threshold(expected(), self.duty_tickets_total)))
    }
}

impl Model {
    pub(super) fn set_duty(&mut self, signer: Key, key: Key, on: bool) -> Verdict {
        let (provider, now) = (self.provider(key)?, self.now_unix);
        let terms = *self.market(provider.market)?.terms_at(now);
        let usable = provider.usable_tickets(terms.ticket_lamports);
        let stake = u64::from(usable) * terms.ticket_lamports;
        let lock = money::share(stake, u32::from(terms.duty_rate_bps));
        let mut demands = Demands::default();
        demands.that(provider.authority == signer, "AuthorityMismatch");
        let (held, leaves) = (provider.duty_lock_lamports, provider.is_on_duty());
        if on {
            demands.that(held == 0 && !leaves, "DutyUnchanged");
            // Until then it is a juror of disputes that count it.
            let free = self.released_unix(key).is_none_or(|free| now >= free);
            demands.that(leaves || provider.duty_until_unix == 0 || free, "StillOnDuty");
            demands.that(usable >= 1, "WeightOutOfRange");
            demands.that(provider.stake_lamports - provider.locked_lamports >= lock, "FreeStakeTooSmall");
            demands.that(provider.locked_lamports + lock <= provider.exposure_cap_lamports, "ExposureCapReached");
            demands.that(provider.can_bind(lock + provider.vote_bonds(&terms)), "JuryReserveTooSmall");
        } else if !leaves {
            demands.that(held > 0, "DutyUnchanged");
            demands.that(held == 0 || self.released_unix(key).is_some_and(|free| now >= free), "StillOnDuty");
        }
        demands.met()?;
        let provider = self.provider_mut(key);
        if on {
            provider.locked_lamports += lock;
            provider.duty_lock_lamports = lock;
            provider.duty_unbonding_s = terms.unbonding_s;
            self.shrink_tickets(key);
            self.recount(key, |provider| (provider.duty_from_unix, provider.duty_until_unix) = (now, i64::MAX));
        } else if leaves {
            self.end_duty(key);
        } else {
            provider.locked_lamports -= provider.duty_lock_lamports;
            provider.duty_lock_lamports = 0;
        }
        Ok(())
    }

    /// From when the lock of a juror that left its duty is free; `None` while it serves.
    #[must_use]
    pub fn released_unix(&self, key: Key) -> Option<i64> {
        let provider = self.providers.get(&key).filter(|provider| !provider.is_on_duty())?;
        let terms = self.markets.get(&provider.market)?.terms_at(self.now_unix);
        Some(provider.duty_until_unix + i64::from(terms.unbonding_s.max(provider.duty_unbonding_s)))
    }

    /// It is in no jury of a dispute that is opened after this second.
    fn end_duty(&mut self, key: Key) {
        let until = self.now_unix + 1;
        if self.providers[&key].is_on_duty() {
            self.recount(key, |provider| provider.duty_until_unix = until);
        }
    }

    /// Whether a provider belongs to the jury of this dispute: there when it was opened, no executor, and not the poster's.
    #[must_use]
    pub fn is_juror(&self, job: Key, key: Key, provider: &Provider) -> bool {
        let dispute = &self.disputes[&job];
        let opened = dispute.opened_unix;
        let there = provider.duty_from_unix <= opened
            && provider.tickets_from_unix <= opened
            && opened < provider.duty_until_unix
            && provider.market == dispute.market;
        there && !dispute.executors.contains(&key) && provider.authority != dispute.poster
    }

    pub(super) fn commit_vote(&mut self, at: AtSeat, commitment: [u8; 32], tickets: &Tickets) -> Verdict {
        let (provider, dispute, now) = (self.provider(at.provider)?, self.dispute(at.job)?, self.now_unix);
        let round = dispute.round;
        let vote = self.vote_key(at.job, round, at.provider);
        let cost = self.cost(vote, rent_lamports(size::VOTE), 0);
        let usable = provider.usable_tickets(dispute.ticket_lamports);
        let voting = dispute.status == DisputeStatus::Voting;
        let mut demands = Demands::default();
        demands.that(provider.node_key == at.signer, "NodeKeyMismatch");
        demands.that(voting, "DisputeNotVoting");
        demands.that(!voting || now < dispute.commit_deadline_unix, "DeadlinePassed");
        demands.that(provider.market == dispute.market, "MarketMismatch");
        demands.that(self.is_juror(at.job, at.provider, provider), "NotAJuror");
        demands.that(!self.votes.contains_key(&(at.job, round, at.provider)), "AlreadyVoted");
        let chosen = tickets.as_slice();
        let bonds = |lamports: u64| lamports / dispute.juror_bond_lamports;
        let borne = bonds(provider.stake_lamports - provider.locked_lamports);
        let exposable = bonds(provider.exposure_cap_lamports.saturating_sub(provider.locked_lamports));
        // Nothing free excuses, and so do two votes open besides one for each round before, if it asks.
        let is_busy = u32::from(provider.votes_open) >= u32::from(round) + 2;
        let excused = borne == 0 || (commitment == [0; 32] && is_busy);
        demands.that(excused || commitment != [0; 32], "CommitmentZero");
        let asked = if dispute.is_last() { u64::from(usable) } else { chosen.len() as u64 };
        let weighs = asked.min(borne).min(exposable);
        let is_full = match dispute.is_last() {
            _ if excused => true,
            true => weighs == asked.min(borne),
            false => weighs == 64 || weighs >= borne,
        };
        let weighs = if excused { 0 } else { weighs };
        if excused {
            // Whatever it names says nothing.
        } else if dispute.is_last() {
            demands.that(chosen.is_empty() && usable > 0, "WeightOutOfRange");
        } else {
            demands.that((1..=64).contains(&chosen.len()), "WeightOutOfRange");
            demands.that(chosen.is_sorted_by(|one, next| one < next), "TicketsUnordered");
            let threshold = dispute.threshold();
            let win = |index: &u32| *index < usable && wins(&dispute.draw.seed, &at.provider.0, *index, threshold);
            demands.that(chosen.iter().all(win), "TicketLoses");
        }
        demands.that(excused || exposable > 0, "ExposureCapReached");
        demands.that(self.balance(at.signer) >= cost, POOR);
        demands.met()?;
        let lock = weighs * dispute.juror_bond_lamports;
        self.pay(at.signer, vote, cost);
        let provider = self.provider_mut(at.provider);
        provider.locked_lamports += lock;
        provider.votes_open += u16::from(!excused);
        provider.children_open += 1;
        let dispute = self.dispute_mut(at.job);
        dispute.votes_committed += u32::from(!excused);
        dispute.votes_open += 1;
        let cast = Vote {
            is_revealed: excused,
            rent_payer: at.signer,
            weight: weighs,
            lock_lamports: lock,
            commitment: if excused { [0; 32] } else { commitment },
            ballot_hash: [0; 32],
            committed_unix: now,
            tickets: usable,
            is_full,
        };
        self.votes.insert((at.job, round, at.provider), cast);
        Ok(())
    }

    pub(super) fn reveal_vote(&mut self, at: AtSeat, round: u8, ballot: &[u8; 79], salt: &[u8; 32]) -> Verdict {
        let (provider, dispute) = (self.provider(at.provider)?, self.dispute(at.job)?);
        let vote = self.vote(at.job, round, at.provider)?;
        let hash = crate::outcome_hash(ballot);
        let committed = vote_commitment(&VoteCommitmentInput {
            job_uid: &dispute.uid,
            round,
            provider: &at.provider.0,
            ballot_hash: &hash,
            trace_root: &[0; 32],
            salt,
        });
        let mut demands = Demands::default();
        dispute.demand_reveals(&mut demands, self.now_unix);
        demands.that(provider.node_key == at.signer, "NodeKeyMismatch");
        demands.that(round == dispute.round, "RoundOver");
        demands.that(!vote.is_revealed, "VoteNotCommitted");
        demands.that(vote.commitment == committed, "CommitmentMismatch");
        demands.that(*ballot == UNAVAILABLE || crate::is_canonical(ballot, dispute.gas_limit), "OutcomeNotCanonical");
        demands.met()?;
        let vote = self.votes.get_mut(&(at.job, round, at.provider)).expect("it was there");
        (vote.is_revealed, vote.ballot_hash) = (true, hash);
        let weight = vote.weight;
        let dispute = self.dispute_mut(at.job);
        if dispute.tally.add(hash, weight, false, Measure::Weight) {
            dispute.outcome = *ballot;
        }
        dispute.votes_revealed += 1;
        dispute.revealed_weight[usize::from(round)] += weight;
        Ok(())
    }

    pub(super) fn slash_absent(&mut self, (key, round, juror): (Key, u8, Key), tickets: &Tickets) -> Verdict {
        let (dispute, provider) = (self.dispute(key)?, self.provider(juror)?);
        let vote = self.votes.get(&(key, round, juror));
        let shown = vote.filter(|vote| vote.is_revealed);
        let usable = provider.usable_tickets(dispute.ticket_lamports).min(vote.map_or(u32::MAX, |vote| vote.tickets));
        let (named, weight) = (tickets.as_slice(), shown.map_or(0, |vote| vote.weight));
        let lost = provider.duty_lock_lamports;
        let mut demands = Demands::default();
        demands.that(dispute.called(round).is_some(), "DisputeNotTallied");
        demands.that(provider.market == dispute.market, "MarketMismatch");
        demands.that(self.is_juror(key, juror, provider), "NotAJuror");
        demands.that(shown.is_none_or(|vote| !vote.is_full), "JurorWasPresent");
        match dispute.called(round) {
            Some((_, EVERYBODY)) => demands.that(usable >= 1, "TicketLoses"),
            Some((seed, level)) => {
                let missing = if shown.is_some() { "JurorWasPresent" } else { "TicketLoses" };
                demands.that(named.len() as u64 == weight + 1, missing);
                demands.that(named.is_sorted_by(|one, next| one < next), "TicketsUnordered");
                let wins = |index: &u32| *index < usable && wins(&seed, &juror.0, *index, level);
                demands.that(named.iter().all(wins), "TicketLoses");
            }
            None => {}
        }
        demands.that(lost > 0, "NothingToSlash");
        demands.met()?;
        self.end_duty(juror);
        let provider = self.provider_mut(juror);
        provider.duty_lock_lamports = 0;
        provider.lose_lock(lost, lost);
        self.shrink_tickets(juror);
        self.pay(juror, self.dispute_key(key), lost);
        let dispute = self.dispute_mut(key);
        dispute.pot_lamports += lost;
        dispute.held_lamports += lost;
        Ok(())
    }
}

impl Provider {
    /// Ends a lock, of which so much is lost. Whoever calls moves the lamports.
    pub(super) fn lose_lock(&mut self, lock: u64, lost: u64) {
        assert!(lost <= lock, "no loss exceeds its lock");
        self.locked_lamports -= lock;
        self.stake_lamports -= lost;
        self.exposure_cap_lamports = self.exposure_cap_lamports.saturating_sub(lost);
    }
}
