//! Asks a larger jury: holds another outcome, or that the content cannot be had, against the verdict of a round.
//!
//! Who: anyone who pays twice as much as for the round before; one appeal serves everybody who doubts the verdict. State: Tallied →
//! Drawing, or Voting where everybody votes; the next round begins. The appellant's Challenge is created, revealed, or grows
//! when it says the same. Money: `bond × 2^(round + 1)` appellant → dispute, and the rent of a new Challenge.
//!
//! `0 [signer, writable] appellant: pays · 1 [writable] dispute: Tallied with a verdict, not the last round's · 2 [writable]
//! challenge: PDA("challenge", dispute, appellant), unused, or Revealed with this hash · 3 [] system program`
//!
//! Errors: `NotAppealable`, `DeadlinePassed`, `OutcomeStands`, `OutcomeNotCanonical`, `AppealContradicts`, `AddressMismatch`,
//! `AmountOverflow`.

use anchor_lang::{prelude::*, solana_program::system_program};
use assay_protocol::{
    ballot_hash, outcome::OUTCOME_BYTES, pot::appeal_bond, Ballot, ChallengeStatus, DisputeStatus, Hash32, Verdict,
};

use crate::{
    errors::{require, require_keys_eq, AssayError},
    events::VerdictAppealed,
    instructions::enter_dispute::NewChallenge,
    invariants::check_backed,
    jury_rounds::start_round,
    pda::{transfer, write_new},
    state::{Challenge, Dispute},
};

/// Arguments of `appeal`.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct AppealArgs {
    /// What the verdict should be: an outcome's canonical encoding, or zeros when the content cannot be had.
    pub ballot: [u8; OUTCOME_BYTES],
}

/// Accounts of `appeal`.
#[derive(Accounts)]
pub struct Appeal<'info> {
    /// Pays the bond, and the rent of a new Challenge.
    #[account(mut)]
    pub appellant: Signer<'info>,
    /// The dispute.
    #[account(mut, dup)]
    pub dispute: Box<Account<'info, Dispute>>,
    /// What the appellant holds in this dispute.
    /// CHECK: the appellant chooses it. Empty, the handler requires the canonical address of its seeds and creates it there;
    /// else it must be the program's own Challenge of this dispute and this appellant.
    #[account(mut)]
    pub challenge: UncheckedAccount<'info>,
    /// Creates the account, moves the bond.
    pub system_program: Program<'info, System>,
}

/// What an appellant puts in.
struct Put {
    outcome_hash: Hash32,
    bond_lamports: u64,
    now_unix: i64,
}

impl Appeal<'_> {
    /// The appellant's Challenge, if it has one.
    fn validate(&self, args: &AppealArgs, now_unix: i64) -> Result<Option<Box<Challenge>>> {
        // appellant: signs and is part of the Challenge's address.
        // Deliberately absent: that it is a party. A broke or sleeping party must not be the end of the truth.
        let Self { appellant, dispute, challenge, system_program: _ } = self;
        require!(dispute.status()? == DisputeStatus::Tallied, AssayError::NotAppealable);
        require!(dispute.verdict != Verdict::None && !dispute.is_last(), AssayError::NotAppealable);
        require!(now_unix < dispute.verdict_deadline_unix, AssayError::DeadlinePassed);
        let ballot = Ballot::decode(&args.ballot, dispute.gas_limit).map_err(AssayError::from)?;
        let hash = ballot.hash();
        require!(hash != dispute.verdict_hash, AssayError::OutcomeStands);
        if *challenge.owner == system_program::ID {
            return Ok(None); // `create` requires the canonical address.
        }
        require_keys_eq!(*challenge.owner, crate::ID, AssayError::AddressMismatch);
        let own = Box::new(Challenge::try_deserialize(&mut challenge.try_borrow_data()?.as_ref())?);
        require_keys_eq!(own.dispute, dispute.key(), AssayError::DisputeMismatch);
        require_keys_eq!(own.challenger, appellant.key(), AssayError::ChallengerMismatch);
        require!(own.status()? == ChallengeStatus::Revealed, AssayError::AppealContradicts);
        require!(own.outcome_hash == hash, AssayError::AppealContradicts);
        Ok(Some(own))
    }

    /// Runs the instruction.
    ///
    /// # Errors
    /// As the module says.
    pub fn handler(ctx: Context<Self>, args: AppealArgs) -> Result<()> {
        let clock = Clock::get()?;
        let own = ctx.accounts.validate(&args, clock.unix_timestamp)?;
        let round = ctx.accounts.dispute.round;
        let bond_lamports = appeal_bond(ctx.accounts.dispute.bond_lamports, round).map_err(AssayError::from)?;
        let outcome_hash = ballot_hash(&args.ballot);
        ctx.accounts.pay(own, Put { outcome_hash, bond_lamports, now_unix: clock.unix_timestamp })?;
        let Self { appellant, dispute, challenge: _, system_program: _ } = ctx.accounts;
        let next = round.checked_add(1).ok_or(AssayError::AmountOverflow)?;
        start_round(dispute, next, &clock)?;
        check_backed(dispute)?;
        emit!(VerdictAppealed {
            market: dispute.market,
            job: dispute.job,
            round,
            appellant: appellant.key(),
            ballot: args.ballot,
            bond_lamports,
        });
        Ok(())
    }

    /// Puts the bond on the ballot: on what the appellant holds already, or as a challenge that has nothing left to reveal.
    fn pay(&mut self, own: Option<Box<Challenge>>, put: Put) -> Result<()> {
        let Self { appellant, dispute, challenge, system_program: _ } = self;
        let account = dispute.to_account_info();
        let Put { outcome_hash, bond_lamports, now_unix } = put;
        let Some(mut own) = own else {
            let status = ChallengeStatus::Revealed.code();
            let joined = Challenge { status, outcome_hash, bond_lamports, ..NewChallenge::blank(now_unix) };
            dispute.challenges_revealed =
                dispute.challenges_revealed.checked_add(1).ok_or(AssayError::AmountOverflow)?;
            return NewChallenge { challenger: appellant, account: challenge, dispute: &account }
                .create(dispute, joined);
        };
        own.bond_lamports = own.bond_lamports.checked_add(bond_lamports).ok_or(AssayError::AmountOverflow)?;
        write_new(challenge, &*own)?;
        dispute.hold(bond_lamports)?;
        transfer(appellant, &account, bond_lamports)
    }
}
