//! Jurors that were drawn and did not vote.

use std::collections::BTreeSet;

use assay_protocol::{
    DisputeStatus, VoteStatus,
    tickets::{threshold, wins},
};
use solana_pubkey::Pubkey;

use crate::{
    accounts::Keyed,
    instructions::SlashAbsent,
    pda::VoteSeeds,
    program::accounts::{Challenge, Dispute, Provider, Vote},
};

/// Open votes of a juror that excuse it: many disputes at a time drive nobody off duty.
const BUSY_VOTES: u16 = 2;

/// A counted round, and everybody who may have had a part in it, as fetched.
#[derive(Clone, Debug)]
pub struct Roll {
    /// The dispute.
    pub dispute: Keyed<Dispute>,
    /// The market's providers.
    pub providers: Vec<Keyed<Provider>>,
    /// The dispute's votes, of all rounds.
    pub votes: Vec<Keyed<Vote>>,
    /// The dispute's challenges.
    pub challenges: Vec<Keyed<Challenge>>,
}

/// A juror whose duty lock anybody may take now.
#[derive(Clone, Copy, Debug)]
pub struct Absence {
    /// What takes it.
    pub slash: SlashAbsent,
    /// What is taken, lamports.
    pub lock_lamports: u64,
}

impl Roll {
    /// Those who were absent, in the order of the providers; none while no round is counted. At most `tickets_max` tickets are
    /// looked through for one that was drawn: with fewer than all, some are missed.
    #[must_use]
    pub fn absences(&self, tickets_max: u32) -> Vec<Absence> {
        let dispute = &self.dispute.account;
        if dispute.dispute_status() != Some(DisputeStatus::Tallied) {
            return Vec::new();
        }
        let is_revealed = |vote: &&Keyed<Vote>| {
            vote.account.round == dispute.round && vote.account.vote_status() != Some(VoteStatus::Committed)
        };
        let present: BTreeSet<Pubkey> =
            self.votes.iter().filter(is_revealed).map(|vote| vote.account.provider).collect();
        let challengers: BTreeSet<Pubkey> = self.challenges.iter().map(|entry| entry.account.challenger).collect();
        let mut left = tickets_max;
        let absent = |provider: &Keyed<Provider>| {
            let account = &provider.account;
            let is_excused = account.votes_open >= BUSY_VOTES || account.duty_lock_lamports == 0;
            let is_party = challengers.contains(&account.node_key) || !dispute.is_juror(&provider.address, account);
            if is_excused || is_party || present.contains(&provider.address) {
                return None;
            }
            let ticket = self.drawn_ticket(provider, &mut left)?;
            let seeds = VoteSeeds { dispute: self.dispute.address, round: dispute.round, provider: provider.address };
            let slash = SlashAbsent { seeds, market: account.market, node_key: account.node_key, ticket };
            Some(Absence { slash, lock_lamports: account.duty_lock_lamports })
        };
        self.providers.iter().filter_map(absent).collect()
    }

    /// A ticket of this provider that was drawn; any where everybody votes.
    fn drawn_ticket(&self, provider: &Keyed<Provider>, left: &mut u32) -> Option<u32> {
        let dispute = &self.dispute.account;
        let usable = provider.account.usable_tickets(dispute.ticket_lamports);
        if dispute.is_last() {
            return (usable > 0).then_some(0);
        }
        let level = threshold(dispute.expected, dispute.duty_tickets_total);
        let seen = usable.min(*left);
        let drawn = (0..seen).find(|index| wins(&dispute.draw.seed, provider.address.as_array(), *index, level));
        *left = left.saturating_sub(drawn.map_or(seen, |index| index.saturating_add(1)));
        drawn
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use anchor_lang::AnchorDeserialize;
    use assay_protocol::duty::ON_DUTY;

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
            })
        };
        let votes = vec![vote(1, VoteStatus::Revealed), vote(2, VoteStatus::Committed)];
        Roll { dispute, providers: (1..=4).map(juror).collect(), votes, challenges: Vec::new() }
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
    fn parties_latecomers_the_busy_and_those_without_a_lock_are_not_absent() {
        let change: [fn(&mut Roll); 6] = [
            |roll| roll.dispute.account.executors[4] = roll.providers[2].address,
            |roll| roll.providers[2].account.duty_from_unix = 101,
            |roll| roll.providers[2].account.votes_open = 2,
            |roll| roll.providers[2].account.duty_lock_lamports = 0,
            |roll| roll.providers[2].account.authority = roll.dispute.account.poster,
            |roll| {
                let challenger = roll.providers[2].account.node_key;
                roll.challenges.push(keyed(7, |entry: &mut Challenge| entry.challenger = challenger));
            },
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
        let all: Vec<u32> = roll.absences(1_000).iter().map(|absence| absence.slash.ticket).collect();
        let first = roll.providers[1..].iter().filter_map(|provider| drawn(provider).first().copied());
        assert_eq!(all, first.collect::<Vec<_>>());
        assert!(!all.is_empty());
        assert!(absent(&roll, all[0]).is_empty());
    }
}
