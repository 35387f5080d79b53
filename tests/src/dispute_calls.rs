//! Instructions of disputes and jury duty, each as the party that may send it would. The party's provider is the juror, its job the
//! one that is disputed; who challenges is named.

use assay_protocol::{
    Ballot, Outcome, challenge_commitment,
    ids::{ChallengeCommitmentInput, VoteCommitmentInput},
    vote_commitment,
};
use assay_sdk::pda::provider_address;
use solana_instruction::AccountMeta;
use solana_pubkey::Pubkey;

use crate::{
    assay::{
        accounts::{Dispute, Job, Provider},
        client::{accounts, args},
        types,
    },
    call::Call,
    party::{Party, SYSTEM_PROGRAM, address},
    world::World,
};

/// Accounts.
impl Party {
    /// The job's dispute.
    #[must_use]
    pub fn dispute(&self) -> Pubkey {
        address(&[b"dispute", self.job.as_ref(), &[0]])
    }

    /// A wallet's challenge in it.
    #[must_use]
    pub fn challenge(&self, challenger: Pubkey) -> Pubkey {
        address(&[b"challenge", self.dispute().as_ref(), challenger.as_ref()])
    }

    /// The provider's vote in one of its rounds.
    #[must_use]
    pub fn vote(&self, round: u8) -> Pubkey {
        address(&[b"vote", self.dispute().as_ref(), &[round], self.provider.as_ref()])
    }

    fn round(&self, world: &World) -> u8 {
        world.account(&self.dispute()).map_or(0, |_| world.read::<Dispute>(&self.dispute()).round)
    }
}

/// Duty and challenges.
impl Party {
    /// `set_duty`.
    #[must_use]
    pub fn set_duty(&self, on: bool) -> Call {
        let accounts = accounts::SetDuty { authority: self.authority, market: self.market, provider: self.provider };
        Call::new("set_duty", &accounts, &args::SetDuty { args: types::SetDutyArgs { on } })
    }

    /// What a challenger commits to when it hides this outcome.
    #[must_use]
    pub fn challenge_commitment(
        &self,
        world: &World,
        challenger: Pubkey,
        (outcome, salt): (&Outcome, [u8; 32]),
    ) -> [u8; 32] {
        challenge_commitment(&ChallengeCommitmentInput {
            job_uid: &world.read::<Job>(&self.job).job_uid,
            challenger: &challenger.to_bytes(),
            outcome_hash: &outcome.hash(),
            trace_root: &[0; 32],
            salt: &salt,
        })
    }

    /// `open_dispute`, with a challenge when there is a commitment.
    #[must_use]
    pub fn open_dispute(&self, world: &World, payer: Pubkey, commitment: Option<[u8; 32]>) -> Call {
        let job: Job = world.read(&self.job);
        let accounts = accounts::OpenDispute {
            payer,
            market: self.market,
            job: self.job,
            dispute: self.dispute(),
            challenge: commitment.map(|_| self.challenge(payer)),
            poster_provider: provider_address(&self.market, &job.poster),
            system_program: SYSTEM_PROGRAM,
        };
        let args = args::OpenDispute { args: types::OpenDisputeArgs { commitment } };
        let mut call = Call::new("open_dispute", &accounts, &args);
        call.instruction.accounts.extend(job.seat_holders().map(|holder| AccountMeta::new_readonly(holder, false)));
        call
    }

    /// `enter_dispute`.
    #[must_use]
    pub fn enter_dispute(&self, challenger: Pubkey, commitment: [u8; 32]) -> Call {
        let accounts = accounts::EnterDispute {
            challenger,
            dispute: self.dispute(),
            challenge: self.challenge(challenger),
            system_program: SYSTEM_PROGRAM,
        };
        Call::new("enter_dispute", &accounts, &args::EnterDispute { args: types::EnterDisputeArgs { commitment } })
    }

    /// `reveal_outcome`.
    #[must_use]
    pub fn reveal_outcome(&self, challenger: Pubkey, outcome: &Outcome, salt: [u8; 32]) -> Call {
        self.reveal_outcome_bytes(challenger, outcome.encode(), salt)
    }

    /// `reveal_outcome` with any bytes.
    #[must_use]
    pub fn reveal_outcome_bytes(&self, challenger: Pubkey, outcome: [u8; 79], salt: [u8; 32]) -> Call {
        let accounts =
            accounts::RevealOutcome { challenger, dispute: self.dispute(), challenge: self.challenge(challenger) };
        let args = types::RevealOutcomeArgs { outcome, salt };
        Call::new("reveal_outcome", &accounts, &args::RevealOutcome { args })
    }
}

/// Rounds and votes.
impl Party {
    /// `record_seed` with the dispute.
    #[must_use]
    pub fn record_jury_seed(&self) -> Call {
        let accounts = accounts::RecordSeed { job: self.job, dispute: Some(self.dispute()) };
        Call::new("record_seed", &accounts, &args::RecordSeed {})
    }

    /// `tally_round`.
    #[must_use]
    pub fn tally_round(&self) -> Call {
        Call::new("tally_round", &accounts::TallyRound { dispute: self.dispute() }, &args::TallyRound {})
    }

    /// The provider's tickets that are drawn in the present round.
    #[must_use]
    pub fn drawn_tickets(&self, world: &World) -> Vec<u32> {
        let (dispute, provider): (Dispute, Provider) = (world.read(&self.dispute()), world.read(&self.provider));
        dispute.drawn_tickets(&self.provider, &provider)
    }

    /// What the juror commits to in the present round when it hides this ballot.
    #[must_use]
    pub fn vote_commitment(&self, world: &World, ballot: &Ballot, salt: [u8; 32]) -> [u8; 32] {
        vote_commitment(&VoteCommitmentInput {
            job_uid: &world.read::<Job>(&self.job).job_uid,
            round: self.round(world),
            provider: &self.provider.to_bytes(),
            ballot_hash: &ballot.hash(),
            trace_root: &[0; 32],
            salt: &salt,
        })
    }

    /// `commit_vote` with all tickets that the provider has in the present round.
    #[must_use]
    pub fn commit_vote(&self, world: &World, commitment: [u8; 32]) -> Call {
        let dispute: Dispute = world.read(&self.dispute());
        let tickets = if dispute.is_last() { Vec::new() } else { self.drawn_tickets(world) };
        self.commit_vote_with(world, types::CommitVoteArgs { commitment, tickets })
    }

    /// `commit_vote`.
    #[must_use]
    pub fn commit_vote_with(&self, world: &World, args: types::CommitVoteArgs) -> Call {
        let accounts = accounts::CommitVote {
            node_key: self.node_key,
            provider: self.provider,
            dispute: self.dispute(),
            vote: self.vote(self.round(world)),
            system_program: SYSTEM_PROGRAM,
        };
        Call::new("commit_vote", &accounts, &args::CommitVote { args })
    }

    /// `reveal_vote` of the present round.
    #[must_use]
    pub fn reveal_vote(&self, world: &World, ballot: &Ballot, salt: [u8; 32]) -> Call {
        self.reveal_vote_bytes(world, ballot.encode(), salt)
    }

    /// `reveal_vote` with any bytes.
    #[must_use]
    pub fn reveal_vote_bytes(&self, world: &World, ballot: [u8; 79], salt: [u8; 32]) -> Call {
        let accounts = accounts::RevealVote {
            node_key: self.node_key,
            provider: self.provider,
            dispute: self.dispute(),
            vote: self.vote(self.round(world)),
        };
        Call::new("reveal_vote", &accounts, &args::RevealVote { args: types::RevealVoteArgs { ballot, salt } })
    }
}
