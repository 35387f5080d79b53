//! Why a provider cannot vote in a round of a dispute: the program's conditions, one by one, with the numbers behind them.

use std::fmt;

use solana_pubkey::Pubkey;

use crate::program::{
    DisputeStage,
    accounts::{Dispute, Provider, Vote},
};
use assay_protocol::duty::is_juror;

/// What the conditions are evaluated on.
#[derive(Clone, Copy, Debug)]
pub struct VoteContext<'a> {
    /// The dispute.
    pub dispute: &'a Dispute,
    /// Address of the provider.
    pub address: Pubkey,
    /// The provider.
    pub provider: &'a Provider,
    /// Its vote in the present round, if there is one.
    pub vote: Option<&'a Vote>,
    /// The chain's time.
    pub now_unix: i64,
}

/// One condition of `commit_vote`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VoteCondition {
    /// The provider is in the dispute's market.
    SameMarket,
    /// It was on duty, with its tickets, when the dispute was opened.
    OnDuty,
    /// It has no seat in the job and did not post it.
    NoParty,
    /// The round commits votes.
    Voting,
    /// It has not voted in this round.
    NotVoted,
    /// A ticket of it is in this round's jury.
    Drawn,
    /// The exposure cap leaves room for the bond of one ticket, where the free stake bears it.
    Exposure,
}

/// A condition, whether it holds, and the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoteCheck {
    /// Which condition.
    pub condition: VoteCondition,
    /// Whether it holds.
    pub holds: bool,
    /// Why, for people.
    pub detail: String,
}

impl fmt::Display for VoteCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// Every condition of `commit_vote` for this provider and dispute, in the order in which they are worth reading.
#[must_use]
pub fn vote_checks(context: &VoteContext<'_>) -> Vec<VoteCheck> {
    let VoteContext { dispute, address, provider, vote, now_unix } = *context;
    let check = |condition, holds, detail: String| VoteCheck { condition, holds, detail };
    let opened = dispute.opened_unix;
    let usable = provider.usable_tickets(dispute.ticket_lamports);
    let lockable = provider.lockable_lamports();
    vec![
        check(
            VoteCondition::SameMarket,
            provider.market == dispute.market,
            format!("the provider is registered in market {}, the dispute is in {}", provider.market, dispute.market),
        ),
        check(VoteCondition::OnDuty, is_juror(&provider.duty(), opened), duty_detail(provider, opened)),
        check(
            VoteCondition::NoParty,
            !dispute.executors.contains(&address) && provider.authority != dispute.poster,
            "the provider is a party: it has a seat in the job, or posted it".to_owned(),
        ),
        check(
            VoteCondition::Voting,
            dispute.stage(now_unix) == Some(DisputeStage::Committing),
            voting_detail(dispute, now_unix),
        ),
        check(VoteCondition::NotVoted, vote.is_none(), format!("the provider has voted in round {}", dispute.round)),
        check(
            VoteCondition::Drawn,
            dispute.drawn_ticket(&address, provider).is_some(),
            format!("none of the provider's {usable} tickets is in the jury of round {}", dispute.round),
        ),
        check(
            VoteCondition::Exposure,
            !dispute.is_capped(provider),
            format!(
                "{lockable} lamports of stake are free within the exposure cap, the bond of a ticket is {}",
                dispute.juror_bond_lamports
            ),
        ),
    ]
}

/// The first condition that fails; `None` when the program would take a vote of this provider.
#[must_use]
pub fn first_vote_obstacle(context: &VoteContext<'_>) -> Option<VoteCheck> {
    vote_checks(context).into_iter().find(|check| !check.holds)
}

fn duty_detail(provider: &Provider, opened_unix: i64) -> String {
    let duty = provider.duty();
    let later_s = |moment: i64| moment.saturating_sub(opened_unix);
    if duty.duty_until_unix == 0 {
        "the provider never was on jury duty".to_owned()
    } else if duty.duty_until_unix <= opened_unix {
        format!("the provider's duty had ended {} s before the dispute was opened", later_s(duty.duty_until_unix).abs())
    } else if duty.duty_from_unix > opened_unix {
        format!("the provider's duty began {} s after the dispute was opened", later_s(duty.duty_from_unix))
    } else if duty.tickets_from_unix > opened_unix {
        format!("the provider's tickets grew {} s after the dispute was opened", later_s(duty.tickets_from_unix))
    } else {
        "the provider was on duty when the dispute was opened".to_owned()
    }
}

fn voting_detail(dispute: &Dispute, now_unix: i64) -> String {
    match dispute.stage(now_unix) {
        Some(DisputeStage::Entering) => "the first round has not begun: challengers may enter still".to_owned(),
        Some(DisputeStage::EntryOver | DisputeStage::Drawing) => "this round's jury is not drawn yet".to_owned(),
        Some(DisputeStage::Committing) => {
            format!("votes are committed for another {} s", dispute.commit_deadline_unix.saturating_sub(now_unix))
        }
        Some(DisputeStage::Revealing | DisputeStage::RevealsOver) => {
            format!("the votes of round {} are committed, and no further one is taken", dispute.round)
        }
        Some(DisputeStage::Appealing | DisputeStage::Counted | DisputeStage::CountOver) => {
            format!("round {} is counted", dispute.round)
        }
        Some(DisputeStage::Final) => "the dispute is over".to_owned(),
        None => format!("the dispute has the unknown status {}", dispute.status),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::program::types::DrawState;
    use anchor_lang::AnchorDeserialize;
    use assay_protocol::DisputeStatus;

    fn zeroed<T: AnchorDeserialize>() -> T {
        T::deserialize(&mut [0; 4_096].as_slice()).unwrap()
    }

    fn accounts() -> (Dispute, Provider) {
        let (mut dispute, mut provider): (Dispute, Provider) = (zeroed(), zeroed());
        dispute.status = DisputeStatus::Voting.code();
        (dispute.opened_unix, dispute.commit_deadline_unix, dispute.reveal_deadline_unix) = (5, 20, 30);
        (dispute.ticket_lamports, dispute.juror_bond_lamports, dispute.draw.state) = (1, 2, DrawState::Everybody);
        dispute.poster = Pubkey::new_from_array([9; 32]);
        (provider.tickets, provider.stake_lamports, provider.exposure_cap_lamports) = (3, 3, 3);
        provider.duty_until_unix = 6;
        (dispute, provider)
    }

    fn obstacle(dispute: &Dispute, provider: &Provider) -> Option<VoteCondition> {
        let address = Pubkey::new_from_array([7; 32]);
        let context = VoteContext { dispute, address, provider, vote: None, now_unix: 10 };
        first_vote_obstacle(&context).map(|check| check.condition)
    }

    #[test]
    fn a_juror_that_may_vote_has_no_obstacle() {
        let (dispute, provider) = accounts();
        assert_eq!(obstacle(&dispute, &provider), None);
    }

    #[test]
    fn each_condition_of_a_vote_is_named_when_it_alone_fails() {
        type Change = fn(&mut Dispute, &mut Provider);
        let cases: [(VoteCondition, Change); 8] = [
            (VoteCondition::SameMarket, |dispute, _| dispute.market = Pubkey::new_unique()),
            (VoteCondition::OnDuty, |_, provider| provider.duty_until_unix = 5),
            (VoteCondition::OnDuty, |_, provider| provider.tickets_from_unix = 6),
            (VoteCondition::NoParty, |dispute, _| dispute.executors[3] = Pubkey::new_from_array([7; 32])),
            (VoteCondition::NoParty, |dispute, provider| provider.authority = dispute.poster),
            (VoteCondition::Voting, |dispute, _| dispute.commit_deadline_unix = 10),
            (VoteCondition::Drawn, |_, provider| provider.tickets = 0),
            (VoteCondition::Exposure, |_, provider| provider.exposure_cap_lamports = 1),
        ];
        for (condition, change) in cases {
            let (mut dispute, mut provider) = accounts();
            change(&mut dispute, &mut provider);
            assert_eq!(obstacle(&dispute, &provider), Some(condition));
        }
    }

    #[test]
    fn who_has_voted_is_told_so() {
        let (dispute, provider) = accounts();
        let vote: Vote = zeroed();
        let address = Pubkey::new_from_array([7; 32]);
        let voted = VoteContext { dispute: &dispute, address, provider: &provider, vote: Some(&vote), now_unix: 10 };
        assert_eq!(first_vote_obstacle(&voted).unwrap().condition, VoteCondition::NotVoted);
    }
}
