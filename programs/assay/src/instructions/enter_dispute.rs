//! Joins a dispute with an outcome of one's own, hidden until the jury has committed.
//!
//! Who: anyone, before entry is over. State: none → Challenge, Entered. Any number of challengers may enter, each with an account of
//! its own (P-17). Money: the challenger pays the Challenge's rent, and the bond of a seat → Dispute.
//!
//! `0 [signer, writable] challenger: pays · 1 [writable] dispute: Entry · 2 [writable] challenge: PDA("challenge", dispute,
//! challenger), unused · 3 [] system program`
//!
//! Errors: `EntryClosed`, `DeadlinePassed`, `CommitmentZero`, `AccountInUse`, `AddressMismatch`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::{ChallengeStatus, DisputeStatus, PROTOCOL_VERSION};

use crate::{
    errors::{require, require_keys_eq, AssayError},
    events::DisputeEntered,
    invariants::check_backed,
    pda::{transfer, write_new, NewAccount},
    state::{seeds, Challenge, Dispute},
};

/// Arguments of `enter_dispute`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct EnterDisputeArgs {
    /// [`assay_protocol::challenge_commitment`].
    pub commitment: [u8; 32],
}

/// Accounts of `enter_dispute`.
#[derive(Accounts)]
pub struct EnterDispute<'info> {
    /// Challenges and pays.
    #[account(mut)]
    pub challenger: Signer<'info>,
    /// The dispute.
    #[account(mut, dup)]
    pub dispute: Box<Account<'info, Dispute>>,
    /// The new challenge.
    /// CHECK: the challenger chooses it; the handler requires the canonical address of its seeds, owned by the system
    /// program, and creates it there.
    #[account(mut)]
    pub challenge: UncheckedAccount<'info>,
    /// Creates the account, moves the bond.
    pub system_program: Program<'info, System>,
}

impl EnterDispute<'_> {
    fn validate(&self, args: &EnterDisputeArgs, now_unix: i64) -> Result<()> {
        // Deliberately absent: who the challenger is, and that somebody can open the commitment. Whoever does not loses the bond.
        let Self { challenger: _, dispute, challenge: _, system_program: _ } = self;
        require!(dispute.status()? == DisputeStatus::Entry, AssayError::EntryClosed);
        require!(now_unix < dispute.entry_deadline_unix, AssayError::DeadlinePassed);
        require!(args.commitment != [0; 32], AssayError::CommitmentZero);
        Ok(())
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: EnterDisputeArgs) -> Result<()> {
        let now_unix = Clock::get()?.unix_timestamp;
        ctx.accounts.validate(&args, now_unix)?;
        let Self { challenger, dispute, challenge, system_program: _ } = ctx.accounts;
        let account = dispute.to_account_info();
        NewChallenge { challenger, account: challenge, dispute: &account }.enter(dispute, args.commitment, now_unix)?;
        check_backed(dispute)
    }
}

/// A challenge that is to be created, and what pays for it.
pub struct NewChallenge<'a, 'info> {
    /// Challenges and pays; a signer.
    pub challenger: &'a AccountInfo<'info>,
    /// Where it is to be.
    pub account: &'a AccountInfo<'info>,
    /// The dispute's account, to which the bond goes.
    pub dispute: &'a AccountInfo<'info>,
}

impl NewChallenge<'_, '_> {
    /// Enters the dispute with a hidden outcome, for the bond of a seat.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn enter(&self, dispute: &mut Dispute, commitment: [u8; 32], now_unix: i64) -> Result<()> {
        let bond_lamports = dispute.bond_lamports;
        let status = ChallengeStatus::Entered.code();
        self.create(dispute, Challenge { status, commitment, bond_lamports, ..Self::blank(now_unix) })?;
        emit!(DisputeEntered {
            market: dispute.market,
            job: dispute.job,
            challenger: self.challenger.key(),
            commitment,
            bond_lamports,
        });
        Ok(())
    }

    /// A challenge of nobody yet, without outcome and bond.
    #[must_use]
    pub fn blank(now_unix: i64) -> Challenge {
        Challenge {
            version: PROTOCOL_VERSION,
            bump: 0,
            status: 0,
            dispute: Pubkey::default(),
            challenger: Pubkey::default(),
            commitment: [0; 32],
            outcome_hash: [0; 32],
            bond_lamports: 0,
            entered_unix: now_unix,
            rent_lamports: 0,
            reserved: [0; 32],
        }
    }

    /// Creates the account of this challenge, moves its bond into the dispute and counts both there.
    ///
    /// # Errors
    /// [`AssayError::AccountInUse`] when the challenger has one, [`AssayError::AddressMismatch`], [`AssayError::AmountOverflow`], and
    /// what the system program refuses.
    pub fn create(&self, dispute: &mut Dispute, challenge: Challenge) -> Result<()> {
        let Self { challenger, account, dispute: dispute_info } = *self;
        require_keys_eq!(*account.owner, system_program::ID, AssayError::AccountInUse);
        let created = NewAccount {
            payer: challenger,
            account,
            seeds: &[seeds::CHALLENGE, dispute_info.key.as_ref(), challenger.key.as_ref(), &[]],
            size_bytes: Challenge::SIZE_BYTES,
            deposit_lamports: 0,
        }
        .create()?;
        dispute.count_challenge(challenge.bond_lamports)?;
        transfer(challenger, dispute_info, challenge.bond_lamports)?;
        let entered = Challenge {
            bump: created.bump,
            dispute: *dispute_info.key,
            challenger: *challenger.key,
            rent_lamports: created.rent_lamports,
            ..challenge
        };
        write_new(account, &entered)
    }
}
