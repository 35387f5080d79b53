//! Jurors that were drawn and did not vote, or with less than all their tickets.

use std::collections::BTreeSet;

use crate::{
    accounts::Keyed,
    instructions::SlashAbsent,
    pda::VoteSeeds,
    program::accounts::{Dispute, Provider, Vote},
};
use assay_protocol::{
    VoteStatus,
    tickets::{EVERYBODY, TicketDraw},
};

/// A dispute, and everybody who may have had a part in it, as fetched.
#[derive(Clone, Debug)]
pub struct Roll {
    /// The dispute.
    pub dispute: Keyed<Dispute>,
    /// The market's providers.
    pub providers: Vec<Keyed<Provider>>,
    /// The dispute's votes, of all rounds.
    pub votes: Vec<Keyed<Vote>>,
}

/// A juror whose duty lock anybody may take now.
#[derive(Clone, Debug)]
pub struct Absence {
    /// What takes it.
    pub slash: SlashAbsent,
    /// What is taken, lamports.
    pub lock_lamports: u64,
}

impl Roll {
    /// Those who were absent, or voted with less than all their tickets, of the counted round first, then of the one before; each
    /// juror once, for there is one lock. At most `tickets_max` tickets are looked through for those that were drawn: with fewer than
    /// all, some are missed.
    #[must_use]
    pub fn absences(&self, tickets_max: u32) -> Vec<Absence> {
        let (mut left, mut shown) = (tickets_max, BTreeSet::new());
        let mut found = Vec::new();
        for round in self.dispute.account.rounds_called() {
            for provider in &self.providers {
                if shown.contains(&provider.address) || self.owes_nothing(provider) {
                    continue;
                }
                let Some(slash) = self.absence(provider, round, &mut left) else { continue };
                shown.insert(provider.address);
                found.push(Absence { slash, lock_lamports: provider.account.duty_lock_lamports });
            }
        }
        found
    }

    /// Whether nothing can be asked of this provider, whatever it did.
    fn owes_nothing(&self, provider: &Keyed<Provider>) -> bool {
        let (dispute, account) = (&self.dispute.account, &provider.account);
        account.duty_lock_lamports == 0 || !dispute.is_juror(&provider.address, account)
    }

    fn own_votes<'a>(&'a self, provider: &'a Keyed<Provider>) -> impl Iterator<Item = &'a Keyed<Vote>> {
        self.votes.iter().filter(|vote| vote.account.provider == provider.address)
    }

    /// What shows the absence of a juror of this round; `None` when it was there or is none.
    fn absence(&self, provider: &Keyed<Provider>, round: u8, left: &mut u32) -> Option<SlashAbsent> {
        let (dispute, account) = (&self.dispute.account, &provider.account);
        let cast = self.own_votes(provider).find(|vote| vote.account.round == round).map(|vote| &vote.account);
        let revealed = cast.filter(|vote| vote.vote_status() != Some(VoteStatus::Committed));
        if revealed.is_some_and(|vote| vote.is_full != 0) {
            return None;
        }
        let usable = account.usable_tickets(dispute.ticket_lamports).min(cast.map_or(u32::MAX, |vote| vote.tickets));
        let (seed, level) = dispute.called(round);
        let tickets = if level == EVERYBODY {
            (usable > 0).then(Vec::new)?
        } else {
            let needed = revealed.map_or(0, |vote| vote.weight).saturating_add(1);
            let (seen, needed) = (usable.min(*left), usize::try_from(needed).ok()?);
            let drawn = TicketDraw::new(&seed, provider.address.as_array()).winning(seen, level).take(needed);
            let drawn: Vec<u32> = drawn.collect();
            let last = drawn.last().filter(|_| drawn.len() == needed);
            *left = left.saturating_sub(last.map_or(seen, |index| index.saturating_add(1)));
            (drawn.len() == needed).then_some(drawn)?
        };
        Some(SlashAbsent {
            seeds: VoteSeeds { dispute: self.dispute.address, round, provider: provider.address },
            market: account.market,
            tickets,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use anchor_lang::AnchorDeserialize;
    use assay_protocol::{DisputeStatus, duty::ON_DUTY};
    use solana_pubkey::Pubkey;

    use super::*;
    use crate::program::types;

    fn keyed<T: AnchorDeserialize>(byte: u8, edit: impl FnOnce(&mut T)) -> Keyed<T> {
        let mut account = T::deserialize(&mut [0; 4_096].as_slice()).unwrap();
        edit(&mut account);
        Keyed { address: Pubkey::new_from_array([byte; 32]), account }
    }

    /// A last round of four jurors with ten tickets each, of which the first voted and the second hid its vote.
    fn roll() -> Roll {
        let dispute = keyed(9, |dispute: &mut Dispute| {
            (dispute.status, dispute.round, dispute.opened_unix) = (DisputeStatus::Tallied.code(), 3, 100);
            (dispute.ticket_lamports, dispute.duty_tickets_total, dispute.expected) = (10, 40, 9);
            dispute.poster = Pubkey::new_from_array([8; 32]);
            dispute.draw.state = types::DrawState::Everybody;
        });
        let juror = |byte| {
            keyed(byte, |provider: &mut Provider| {
                (provider.tickets, provider.stake_lamports, provider.duty_lock_lamports) = (10, 100, 7);
                (provider.duty_from_unix, provider.duty_until_unix) = (1, ON_DUTY);
                provider.node_key = Pubkey::new_from_array([byte + 100; 32]);
            })
        };
        let vote = |byte: u8, status: VoteStatus| {
            keyed(byte, |vote: &mut Vote| {
                (vote.round, vote.status, vote.provider) = (3, status.code(), Pubkey::new_from_array([byte; 32]));
                (vote.tickets, vote.is_full, vote.weight) = (10, 1, 10);
            })
        };
        let votes = vec![vote(1, VoteStatus::Revealed), vote(2, VoteStatus::Committed)];
        Roll { dispute, providers: (1..=4).map(juror).collect(), votes }
    }

    fn absent(roll: &Roll, tickets_max: u32) -> Vec<u8> {
        roll.absences(tickets_max).iter().map(|absence| absence.slash.seeds.provider.to_bytes()[0]).collect()
    }

    #[test]
    fn who_did_not_vote_or_hid_its_vote_was_absent() {
        let roll = roll();
        assert_eq!(absent(&roll, 0), [2, 3, 4], "where everybody votes no ticket is looked for");
        assert_eq!(roll.absences(0)[0].lock_lamports, 7);
    }

    #[test]
    fn executors_posters_latecomers_and_those_without_a_lock_are_not_absent() {
        let change: [fn(&mut Roll); 4] = [
            |roll| roll.dispute.account.executors[4] = roll.providers[2].address,
            |roll| roll.providers[2].account.duty_from_unix = 101,
            |roll| roll.providers[2].account.duty_lock_lamports = 0,
            |roll| roll.providers[2].account.authority = roll.dispute.account.poster,
        ];
        for change in change {
            let mut roll = roll();
            change(&mut roll);
            assert_eq!(absent(&roll, 0), [2, 4]);
        }
        let mut early = roll();
        early.dispute.account.status = DisputeStatus::Voting.code();
        assert!(absent(&early, 0).is_empty());
        let mut earlier_round = roll();
        earlier_round.votes[0].account.round = 2;
        assert_eq!(absent(&earlier_round, 0), [1, 2, 3, 4]);
    }

    #[test]
    fn of_a_drawn_jury_only_those_whose_ticket_won_are_absent_as_far_as_tickets_are_looked_through() {
        let mut roll = roll();
        roll.dispute.account.draw.state = types::DrawState::Recorded;
        roll.dispute.account.draw.seed = [3; 32];
        let drawn =
            |provider: &Keyed<Provider>| roll.dispute.account.drawn_tickets(&provider.address, &provider.account);
        let all: Vec<u32> = roll.absences(1_000).iter().flat_map(|absence| absence.slash.tickets.clone()).collect();
        let first = roll.providers[1..].iter().filter_map(|provider| drawn(provider).first().copied());
        assert_eq!(all, first.collect::<Vec<_>>());
        assert!(!all.is_empty());
        assert!(absent(&roll, all[0]).is_empty());
    }

    #[test]
    fn p_18_a_vote_that_is_not_full_is_an_absence_with_one_ticket_more_than_it_weighs() {
        let mut roll = roll();
        roll.votes[0].account.is_full = 0;
        assert_eq!(absent(&roll, 0), [1, 2, 3, 4], "where everybody votes no ticket is looked for");
        roll.dispute.account.draw.state = types::DrawState::Recorded;
        // Nearly every ticket wins.
        (roll.dispute.account.expected, roll.dispute.account.duty_tickets_total) = (u64::MAX - 1, u64::MAX);
        roll.votes[0].account.weight = 9;
        assert_eq!(roll.absences(1_000)[0].slash.tickets, (0..10).collect::<Vec<u32>>());
        roll.votes[0].account.tickets = 9;
        assert_eq!(absent(&roll, 1_000), [2, 3, 4], "what became usable since is not missed");
    }

    #[test]
    fn p_18_an_absence_is_shown_while_the_next_round_goes_on() {
        let mut roll = roll();
        let dispute = &mut roll.dispute.account;
        (dispute.status, dispute.round, dispute.lambda) = (DisputeStatus::Voting.code(), 1, 9);
        (dispute.duty_tickets_total, dispute.previous_seed) = (10, [3; 32]);
        roll.votes[0].account.round = 0;
        let all = roll.absences(1_000);
        assert_eq!(absent(&roll, 1_000), [2, 3, 4]);
        assert!(all.iter().all(|absence| absence.slash.seeds.round == 0 && absence.slash.tickets.len() == 1));
        roll.dispute.account.status = DisputeStatus::Final.code();
        assert!(roll.absences(1_000).is_empty());
    }
}
