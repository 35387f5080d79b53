//! What follows a round's verdict, each instruction as the party that may send it would. Challenges are those of the cold key.

use assay_protocol::Ballot;

use crate::{
    assay::{
        client::{accounts, args},
        types,
    },
    call::Call,
    party::{Party, SYSTEM_PROGRAM, sink},
};

impl Party {
    /// `slash_absent` of this provider, by this ticket.
    #[must_use]
    pub fn slash_absent(&self, round: u8, ticket: u32) -> Call {
        self.slash_absent_with(round, vec![ticket])
    }

    /// `slash_absent` of this provider, by these tickets.
    #[must_use]
    pub fn slash_absent_with(&self, round: u8, tickets: Vec<u32>) -> Call {
        let accounts = accounts::SlashAbsent {
            dispute: self.dispute(),
            provider: self.provider,
            market: self.market,
            vote: self.vote(round),
        };
        let args = args::SlashAbsent { args: types::SlashAbsentArgs { round, tickets } };
        Call::new("slash_absent", &accounts, &args)
    }

    /// `appeal` by the cold key.
    #[must_use]
    pub fn appeal(&self, ballot: &Ballot) -> Call {
        self.appeal_bytes(ballot.encode())
    }

    /// `appeal` with any bytes.
    #[must_use]
    pub fn appeal_bytes(&self, ballot: [u8; 79]) -> Call {
        let accounts = accounts::Appeal {
            appellant: self.authority,
            dispute: self.dispute(),
            challenge: self.challenge(self.authority),
            system_program: SYSTEM_PROGRAM,
        };
        Call::new("appeal", &accounts, &args::Appeal { args: types::AppealArgs { ballot } })
    }

    /// `settle_dispute`.
    #[must_use]
    pub fn settle_dispute(&self) -> Call {
        let accounts = accounts::SettleDispute { job: self.job, dispute: self.dispute() };
        Call::new("settle_dispute", &accounts, &args::SettleDispute {})
    }

    /// `settle_challenge` of the cold key.
    #[must_use]
    pub fn settle_challenge(&self) -> Call {
        let accounts = accounts::SettleChallenge {
            job: self.job,
            dispute: self.dispute(),
            challenge: self.challenge(self.authority),
            challenger: self.authority,
        };
        Call::new("settle_challenge", &accounts, &args::SettleChallenge {})
    }

    /// `settle_execution` of a disputed job.
    #[must_use]
    pub fn settle_disputed(&self) -> Call {
        self.settle_execution().with("dispute", self.dispute())
    }

    /// `settle_vote`.
    #[must_use]
    pub fn settle_vote(&self, round: u8) -> Call {
        let accounts = accounts::SettleVote {
            job: self.job,
            dispute: self.dispute(),
            provider: self.provider,
            vote: self.vote(round),
            rent_payer: self.node_key,
        };
        Call::new("settle_vote", &accounts, &args::SettleVote {})
    }

    /// `close_dispute` of one that this cold key opened.
    #[must_use]
    pub fn close_dispute(&self) -> Call {
        let accounts =
            accounts::CloseDispute { job: self.job, dispute: self.dispute(), sink: sink(), rent_payer: self.authority };
        Call::new("close_dispute", &accounts, &args::CloseDispute {})
    }
}
