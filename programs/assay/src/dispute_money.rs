//! What is the same for all who are paid when a dispute is over.

use anchor_lang::prelude::*;
use assay_protocol::Pot;

use crate::{
    errors::{require, AssayError},
    state::{Dispute, Job},
};

impl Dispute {
    /// What there is to divide; complete once [`Self::check_divisible`] says so.
    #[must_use]
    pub const fn pot(&self) -> Pot {
        Pot {
            lost_lamports: self.lost_lamports,
            extra_lamports: self.pot_lamports,
            won_lamports: self.won_lamports,
            right: self.right,
            rounds: self.round.saturating_add(1),
        }
    }

    /// Counts a loss of stake that is paid into this account and divided.
    ///
    /// # Errors
    /// [`AssayError::AmountOverflow`] when a sum leaves `u64`.
    pub fn take_into_pot(&mut self, lamports: u64) -> Result<()> {
        self.pot_lamports = self.pot_lamports.checked_add(lamports).ok_or(AssayError::AmountOverflow)?;
        self.hold(lamports)
    }

    /// Refuses while a challenge is not counted: until then nobody knows who won.
    ///
    /// # Errors
    /// [`AssayError::ChallengesUncounted`].
    pub fn check_counted(&self) -> Result<()> {
        require!(self.challenges_counted == self.challenges, AssayError::ChallengesUncounted);
        Ok(())
    }

    /// Refuses while a share could still grow: challenges are to be counted, or seats to be settled.
    ///
    /// # Errors
    /// [`AssayError::ChallengesUncounted`], [`AssayError::ExecutionsOpen`].
    pub fn check_divisible(&self, job: &Job) -> Result<()> {
        self.check_counted()?;
        require!(job.executions_open == 0, AssayError::ExecutionsOpen);
        Ok(())
    }
}
