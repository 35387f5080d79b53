use anchor_lang::prelude::*;
use assay_protocol::{
    duty::is_juror,
    limits::REDUNDANCY_MAX,
    outcome::OUTCOME_BYTES,
    round_expected, round_verdict,
    tickets::{threshold, TicketDraw},
    DisputeEvent, DisputeStatus, Draw, Expected, Round, Tally, Verdict,
};

use super::{packed::account, sum_lamports, Ledger, Provider};
use crate::errors::{err, require, require_keys_eq, require_keys_neq, AssayError};

/// A contested result, or a deadlock, on its way to a verdict. PDA("dispute", job, index).
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug, InitSpace)]
pub struct Dispute {
    /// Layout version, 1.
    pub version: u8,
    /// Canonical bump.
    pub bump: u8,
    /// [`DisputeStatus`].
    pub status: u8,
    /// The job.
    pub job: Pubkey,
    /// The job's market, from which jurors come.
    pub market: Pubkey,
    /// Who opened it, paid rent and gets it back.
    pub rent_payer: Pubkey,
    /// The job's poster, who is no juror.
    pub poster: Pubkey,
    /// The job's uid, in every preimage of this dispute.
    pub job_uid: [u8; 32],
    /// The job's executors, who are no jurors; zero where a seat is free.
    pub executors: [Pubkey; REDUNDANCY_MAX as usize],
    /// Number of the dispute of its job: 0, there is one.
    pub index: u8,
    /// The round, from 0 to 3.
    pub round: u8,
    /// Reserved for a court after the last round; zero.
    pub court: u8,
    /// 1 when the seats had found no result, else 0.
    pub is_deadlock: u8,
    /// What the last counted round found; once the dispute is over, what it found.
    pub verdict: Verdict,
    /// Seats that gave the final outcome.
    pub right: u8,
    /// Hash of the result that was contested; zero after a deadlock.
    pub standing_hash: [u8; 32],
    /// Ballot hash of the verdict; zero while there is none.
    pub verdict_hash: [u8; 32],
    /// The ballot that leads in this round, the verdict's if there is one; zero for none and for Unavailable.
    pub outcome: [u8; OUTCOME_BYTES],
    /// The job's gas limit: a ballot that exceeds it is none.
    pub gas_limit: u64,
    /// Bond of a challenge, that of a seat; an appeal costs it doubled each time, lamports.
    pub bond_lamports: u64,
    /// Copied term: bond of a juror's ticket, lamports.
    pub juror_bond_lamports: u64,
    /// Copied term: stake of one ticket, lamports.
    pub ticket_lamports: u64,
    /// Copied term: share of a challenger's bond that is kept when no round finds anything, basis points.
    pub miss_rate_bps: u16,
    /// Copied term: tickets of the first round.
    pub lambda: u16,
    /// Copied term: least share of the expected tickets that must be revealed, basis points.
    pub quorum_bps: u16,
    /// Seconds to run the job: to vote, and to appeal.
    pub execution_s: u32,
    /// Seconds to reveal.
    pub reveal_s: u32,
    /// Duty tickets of the market when the dispute was opened, less those of the executors and of the poster's provider.
    pub duty_tickets_total: u64,
    /// Tickets expected in this round; all of them when everybody votes.
    pub expected: u64,
    /// When it was opened. Whoever was on duty then is a juror.
    pub opened_unix: i64,
    /// Challengers may enter before this moment.
    pub entry_deadline_unix: i64,
    /// Votes of this round are committed before this moment; zero before the first round.
    pub commit_deadline_unix: i64,
    /// And revealed before this one, not earlier.
    pub reveal_deadline_unix: i64,
    /// The round's verdict may be appealed against before this moment.
    pub verdict_deadline_unix: i64,
    /// When it was over; zero before.
    pub final_unix: i64,
    /// The draw of this round's jury; everybody's in a round without one.
    pub draw: Draw,
    /// Ballots of this round, see [`Tally`].
    pub tally: Tally,
    /// Votes committed in this round.
    pub votes_committed: u32,
    /// Votes revealed in this round.
    pub votes_revealed: u32,
    /// Vote accounts of all rounds.
    pub votes_open: u32,
    /// Tickets revealed, by round.
    pub revealed_weight: [u64; 4],
    /// Challenges, those of appeals included.
    pub challenges: u32,
    /// Those whose outcome is known.
    pub challenges_revealed: u32,
    /// Those counted once the dispute was over.
    pub challenges_counted: u32,
    /// Challenge accounts.
    pub challenges_open: u32,
    /// Bonds and losses that lie in this account, lamports.
    pub held_lamports: u64,
    /// Bonds of the counted challenges that lost, lamports.
    pub lost_lamports: u64,
    /// Bonds of the counted challenges that won, lamports.
    pub won_lamports: u64,
    /// What wrong and hidden results and absent jurors lost, lamports.
    pub pot_lamports: u64,
    /// Rent paid at creation, lamports.
    pub rent_lamports: u64,
    /// The seed of the round before this one, whose absences are shown until the dispute is over; zero in the first.
    pub previous_seed: [u8; 32],
    /// Zero.
    pub reserved: [u8; 32],
}

account!(Dispute, [36, 49, 241, 67, 40, 36, 241, 74], {
    version, bump, status, job, market, rent_payer, poster, job_uid, executors, index, round, court, is_deadlock,
    verdict, right, standing_hash, verdict_hash, outcome, gas_limit, bond_lamports, juror_bond_lamports,
    ticket_lamports, miss_rate_bps, lambda, quorum_bps, execution_s, reveal_s, duty_tickets_total, expected,
    opened_unix, entry_deadline_unix, commit_deadline_unix, reveal_deadline_unix, verdict_deadline_unix, final_unix,
    draw, tally, votes_committed, votes_revealed, votes_open, revealed_weight, challenges, challenges_revealed,
    challenges_counted, challenges_open, held_lamports, lost_lamports, won_lamports, pot_lamports, rent_lamports,
    previous_seed, reserved,
});

/// Which tickets are in the jury of a drawn round.
#[derive(Clone, Copy, Debug)]
pub struct Jury {
    seed: [u8; 32],
    threshold: u64,
}

impl Jury {
    /// Refuses tickets that are not all the holder's, of which so many are usable, and drawn; and any that is named twice.
    ///
    /// # Errors
    /// [`AssayError::TicketsUnordered`], [`AssayError::TicketLoses`].
    pub fn check(&self, holder: &Pubkey, usable: u32, tickets: &[u32]) -> Result<()> {
        let draw = TicketDraw::new(&self.seed, holder.as_array());
        let mut last = -1;
        for ticket in tickets {
            let number = i64::from(*ticket);
            require!(number > last, AssayError::TicketsUnordered);
            require!(draw.wins(*ticket, self.threshold), AssayError::TicketLoses); // P-15
            last = number;
        }
        require!(last < i64::from(usable), AssayError::TicketLoses); // The highest: they ascend.
        Ok(())
    }
}

impl Dispute {
    /// Where the dispute stands.
    ///
    /// # Errors
    /// [`AssayError::StatusUnknown`] for a byte that no version of the program wrote.
    pub fn status(&self) -> Result<DisputeStatus> {
        Ok(DisputeStatus::from_code(self.status).ok_or(AssayError::StatusUnknown)?)
    }

    /// Moves the dispute on, by the protocol's table and in no other way.
    ///
    /// # Errors
    /// [`AssayError::TransitionForbidden`] when the event cannot happen in this status.
    pub fn transition(&mut self, event: DisputeEvent) -> Result<()> {
        let next = self.status()?.transition(event).ok_or(AssayError::TransitionForbidden)?;
        self.status = next.code();
        Ok(())
    }

    /// Whether no round follows: everybody votes in this one, or voted.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.draw.is_everybody()
    }

    /// This round's jury; none where everybody votes.
    #[must_use]
    pub fn jury(&self) -> Option<Jury> {
        let level = threshold(self.expected, self.duty_tickets_total);
        (!self.is_last()).then_some(Jury { seed: self.draw.seed, threshold: level })
    }

    /// The jury of a round whose absences are shown: of this one once it is counted, of the one before until the dispute is over, so
    /// that no appeal saves anybody. None where everybody voted.
    ///
    /// # Errors
    /// [`AssayError::DisputeNotTallied`] for any other round.
    pub fn jury_called(&self, round: u8) -> Result<Option<Jury>> {
        let status = self.status()?;
        if round == self.round {
            require!(status == DisputeStatus::Tallied, AssayError::DisputeNotTallied);
            return Ok(self.jury());
        }
        require!(round.checked_add(1) == Some(self.round), AssayError::DisputeNotTallied);
        require!(status != DisputeStatus::Final, AssayError::DisputeNotTallied);
        // No round follows one in which everybody votes: that one was drawn.
        match round_expected(self.lambda, round, self.duty_tickets_total) {
            Expected::Tickets(expected) => {
                let level = threshold(expected, self.duty_tickets_total);
                Ok(Some(Jury { seed: self.previous_seed, threshold: level }))
            }
            Expected::Everybody => err!(AssayError::DisputeNotTallied),
        }
    }

    /// Refuses whoever is no juror: not of the market, not on duty when the dispute was opened, an executor, or the poster's provider.
    /// Challengers are jurors like everybody: they hide behind another wallet as they like, and the honest among them have looked.
    ///
    /// # Errors
    /// [`AssayError::MarketMismatch`], [`AssayError::NotAJuror`].
    pub fn check_juror(&self, key: &Pubkey, provider: &Provider) -> Result<()> {
        require_keys_eq!(provider.market, self.market, AssayError::MarketMismatch);
        // P-16: a jury is who there was when the dispute was opened; its seeds are all younger.
        require!(is_juror(&provider.duty(), self.opened_unix), AssayError::NotAJuror);
        require!(!self.executors.contains(key), AssayError::NotAJuror);
        require_keys_neq!(provider.authority, self.poster, AssayError::NotAJuror);
        Ok(())
    }

    /// Refuses a reveal outside its time: of votes in every round, of challenges in the first.
    ///
    /// # Errors
    /// [`AssayError::DisputeNotVoting`], [`AssayError::TooEarly`], [`AssayError::DeadlinePassed`].
    pub fn check_revealing(&self, now_unix: i64) -> Result<()> {
        require!(self.status()? == DisputeStatus::Voting, AssayError::DisputeNotVoting);
        require!(now_unix >= self.commit_deadline_unix, AssayError::TooEarly); // P-01
        require!(now_unix < self.reveal_deadline_unix, AssayError::DeadlinePassed);
        Ok(())
    }

    /// When the round may be counted: earlier than the end of the reveals when nobody is missing.
    #[must_use]
    pub const fn reveals_until_unix(&self) -> i64 {
        let challenges_missing = self.round == 0 && self.challenges_revealed < self.challenges;
        match self.votes_revealed < self.votes_committed || challenges_missing {
            true => self.reveal_deadline_unix,
            false => self.commit_deadline_unix,
        }
    }

    /// What the round's revealed votes say.
    #[must_use]
    pub fn round_verdict(&self) -> Verdict {
        let revealed = self.revealed_weight.get(usize::from(self.round)).copied().unwrap_or(0);
        // Of everybody, when there is nobody, nothing is expected, and that is no verdict.
        round_verdict(&Round { expected: self.expected, revealed, quorum_bps: self.quorum_bps }, &self.tally)
    }

    /// Counts a challenge that was entered with this bond, paid into this account.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a counter is full.
    pub fn count_challenge(&mut self, bond_lamports: u64) -> Result<()> {
        self.challenges = self.challenges.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        self.challenges_open = self.challenges_open.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        self.hold(bond_lamports)
    }

    /// Counts lamports that were paid into this account.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when the sum leaves `u64`.
    pub fn hold(&mut self, lamports: u64) -> Result<()> {
        self.held_lamports = self.held_lamports.checked_add(lamports).ok_or(AssayError::AmountOverflow)?;
        Ok(())
    }

    /// Stops counting lamports that leave this account.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when so many are not held.
    pub fn give(&mut self, lamports: u64) -> Result<()> {
        self.held_lamports = self.held_lamports.checked_sub(lamports).ok_or(AssayError::AmountOverflow)?;
        Ok(())
    }
}

impl Ledger for Dispute {
    fn owed_lamports(&self) -> Result<u64> {
        sum_lamports(&[self.rent_lamports, self.held_lamports])
    }
}
