//! Which instructions a transaction has, from what is known about the job. Pure.

use assay_protocol::JobStatus;
use assay_sdk::{
    FeeLadder,
    instructions::{
        self, AcceptJob, DeclineJob, EnrollStake, JobPoster, OpenDispute, ProviderAuthority, RecordCollision,
        Seat as SeatKeys, SettleExecution,
    },
    pda::{ModuleSeeds, dispute_address},
};
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_hash::Hash;
use solana_instruction::Instruction;
use solana_message::Message;
use solana_pubkey::Pubkey;
use thiserror::Error;

use crate::{
    chain::OpenSeat,
    core::{Job, JobUid, JobView, Phase, Step, TxKind, compute_unit_limit},
    statement::{Speaker, Statement, recorded_outcome},
};

/// Most seats that one transaction settles: what its compute units are for.
const SETTLED_MAX: usize = 4;

/// Who sends.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// Market account.
    pub market: Pubkey,
    /// Provider account.
    pub provider: Pubkey,
    /// Cold key, paid by `claim_reward`.
    pub authority: Pubkey,
    /// Hot key, pays the transaction.
    pub node_key: Pubkey,
    /// Prices of a compute unit; zero adds no instruction, neither of the price nor of the units.
    pub fees: FeeLadder,
}

/// Why there is no such transaction.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The account was not seen yet.
    #[error("build a transaction for job {0}: its account has not been fetched yet")]
    NotSeen(JobUid),
    /// No outcome is recorded, or it is not canonical.
    #[error("build the submission of job {0}: no canonical outcome is recorded")]
    NoOutcome(JobUid),
    /// Nothing is left to do.
    #[error("build the settlement of job {0}: nothing is left to settle")]
    NothingToSettle(JobUid),
    /// None of our tickets is known to win a seat.
    #[error(
        "build the acceptance of job {0}: no ticket of this provider is known to win a seat; it is looked for again"
    )]
    NoTicket(JobUid),
    /// An outcome is recorded without what hides it.
    #[error("build the commitment of job {0}: no salt is recorded beside its outcome")]
    NoSalt(JobUid),
    /// An outcome is recorded of a job whose content is said not to be had.
    #[error("say that the content of job {0} cannot be had: its outcome is recorded, so it was run")]
    HadContent(JobUid),
}

/// What enrolls stake, and nothing else: no other message becomes one. Landing twice changes nothing, so that the journal
/// need not know of it.
#[derive(Clone, Debug)]
pub struct Enrollment(Vec<u8>);

impl Enrollment {
    /// The serialized message.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.0
    }
}

impl Sender {
    /// Counts stake that matured as tickets.
    #[must_use]
    pub fn enrollment(&self, blockhash: Hash) -> Enrollment {
        let enroll = EnrollStake { signer: self.node_key, market: self.market, provider: self.provider };
        let instructions = [instructions::enroll_stake(&enroll)];
        Enrollment(Message::new_with_blockhash(&instructions, Some(&self.node_key), &blockhash).serialize())
    }

    /// The serialized message of one transaction; a settlement is one of these seats.
    ///
    /// # Errors
    /// [`BuildError`] when the job does not allow it; the core asks again when it does.
    pub fn message(
        &self,
        job: &Job,
        (kind, open): (TxKind, &[OpenSeat]),
        blockhash: Hash,
    ) -> Result<Vec<u8>, BuildError> {
        let step = job.row.next_fee_step(kind);
        let mut instructions = budget(kind, job.fee_price(&self.fees, kind, step));
        instructions.extend(self.instructions(job, (kind, open))?);
        Ok(Message::new_with_blockhash(&instructions, Some(&self.node_key), &blockhash).serialize())
    }

    fn instructions(&self, job: &Job, (kind, open): (TxKind, &[OpenSeat])) -> Result<Vec<Instruction>, BuildError> {
        let uid = job.row.uid;
        let view = || job.view.as_ref().ok_or(BuildError::NotSeen(uid));
        let seat = SeatKeys { job: job.row.job, provider: self.provider, node_key: self.node_key };
        Ok(match kind {
            TxKind::Advance => self.advance(job, view()?)?,
            TxKind::Accept => {
                let ticket = job.ticket().ok_or(BuildError::NoTicket(uid))?;
                let accept = AcceptJob { seat, market: self.market, job_uid: uid.0, ticket };
                // Who records the draw does not matter, and a second time does no harm.
                let record = job.has_unrecorded_draw().then(|| instructions::record_seed(seat.job));
                record.into_iter().chain([instructions::accept_job(&accept)]).collect()
            }
            TxKind::Decline => {
                let reason = if let Phase::Declining(reason) = job.row.phase { reason.code() } else { 0 };
                let rent_payer = view()?.rent_payer.unwrap_or(self.node_key);
                vec![instructions::decline_job(&DeclineJob { seat, rent_payer, reason })]
            }
            TxKind::Commit => {
                let commitment = job.row.commitment(&self.provider).ok_or(BuildError::NoSalt(uid))?;
                vec![instructions::commit_result(&seat, commitment)]
            }
            TxKind::Reveal => {
                let salt = job.row.salt.ok_or(BuildError::NoSalt(uid))?;
                vec![instructions::reveal_result(&seat, &recorded_outcome(&job.row, view()?.limits.gas_limit)?, salt)]
            }
            TxKind::Submit => {
                vec![instructions::submit_results(&seat, &recorded_outcome(&job.row, view()?.limits.gas_limit)?)]
            }
            TxKind::Settle => self.settlement(job, view()?, open)?,
            TxKind::Challenge => {
                let view = view()?;
                vec![match view.dispute.is_some() {
                    true => self.say(Statement::Enter, job, view)?,
                    false => self.speaker().open(&job.row, view.poster, view.executors.clone())?,
                }]
            }
            TxKind::RevealOutcome => vec![self.say(Statement::RevealOutcome, job, view()?)?],
            TxKind::Vote(round) => vec![self.say(Statement::Vote(round), job, view()?)?],
            TxKind::RevealVote(round) => vec![self.say(Statement::RevealVote(round), job, view()?)?],
            TxKind::Appeal(_) => vec![self.say(Statement::Appeal, job, view()?)?],
            // Needs no account of the job, which may be closed by now.
            TxKind::Claim => {
                vec![instructions::claim_reward(&ProviderAuthority { authority: self.authority, market: self.market })]
            }
        })
    }

    /// What anybody may do now.
    fn advance(&self, job: &Job, view: &JobView) -> Result<Vec<Instruction>, BuildError> {
        let address = job.row.job;
        Ok(vec![match job.step().ok_or(BuildError::NothingToSettle(job.row.uid))? {
            Step::CloseJob => instructions::close_job(&JobPoster { job: address, poster: view.poster }),
            Step::RecordDraw => instructions::record_seed(address),
            Step::Expire => instructions::expire_job_of_several(address),
            Step::RecordCollision => self.collision(view).ok_or(BuildError::NothingToSettle(job.row.uid))?,
            Step::OpenDispute => {
                let (payer, market, poster) = (self.node_key, self.market, view.poster);
                let executors = view.executors.clone();
                let open = OpenDispute { payer, market, poster, job: address, executors, commitment: None };
                instructions::open_dispute(&open)
            }
            Step::RecordJury => instructions::record_jury_seed(address),
            Step::Tally => instructions::tally_round(dispute_address(&address)),
            Step::SlashAbsent => {
                let absence = view.dispute.as_ref().and_then(|dispute| dispute.next_absence());
                absence.ok_or(BuildError::NothingToSettle(job.row.uid))?.slash.clone()
            }
            Step::Decide => instructions::settle_dispute(address),
            Step::SettleRest => return self.settlement(job, view, &[]),
        }])
    }

    /// What records that the seats of a job gave different outcomes, where that can be done.
    fn collision(&self, view: &JobView) -> Option<Instruction> {
        let module = ModuleSeeds { market: self.market, metered_hash: view.metered_hash };
        let is_new = view.is_first_collision()?;
        Some(instructions::record_collision(&RecordCollision { payer: self.node_key, job: view.job, module, is_new }))
    }

    const fn speaker(&self) -> Speaker {
        Speaker { market: self.market, provider: self.provider, key: self.node_key }
    }

    fn say(&self, statement: Statement, job: &Job, view: &JobView) -> Result<Instruction, BuildError> {
        self.speaker().say(statement, &job.row, view.limits.gas_limit)
    }

    /// What is still missing: record that results differed, if that did not fail before, finalize, settle the seats, ours first and
    /// as many as fit, and close when these are all. Of a dispute everybody settles what comes next, whoever it is for: nobody's
    /// share is known before what it is a share of.
    fn settlement(&self, job: &Job, view: &JobView, open: &[OpenSeat]) -> Result<Vec<Instruction>, BuildError> {
        let (uid, address) = (job.row.uid, job.row.job);
        if let Some(dispute) = &view.dispute {
            let next = dispute.settlement.clone();
            return if next.is_empty() { Err(BuildError::NothingToSettle(uid)) } else { Ok(next) };
        }
        let mut steps = Vec::new();
        steps.extend(self.collision(view).filter(|_| job.row.tx_failures == 0));
        if view.status == JobStatus::Submitted {
            steps.push(instructions::finalize_job(address));
        }
        // Right, wrong, hidden or silent: the program says what each comes to, and gives the rent back. A seat that was
        // missed is ours without being among the job's.
        let rent_payer = view.rent_payer.unwrap_or(self.node_key);
        let own = view.seat.map(|_| OpenSeat { provider: self.provider, rent_payer });
        let others = open.iter().filter(|seat| seat.provider != self.provider).copied();
        let settled: Vec<OpenSeat> = own.into_iter().chain(others).take(SETTLED_MAX).collect();
        steps.extend(settled.iter().map(|OpenSeat { provider, rent_payer }| {
            instructions::settle_execution(&SettleExecution {
                job: address,
                market: self.market,
                provider: *provider,
                rent_payer: *rent_payer,
                is_disputed: view.disputes_open > 0,
            })
        }));
        if usize::from(view.executions_open) <= settled.len() && view.disputes_open == 0 {
            steps.push(instructions::close_job(&JobPoster { job: address, poster: view.poster }));
        }
        if steps.is_empty() { Err(BuildError::NothingToSettle(uid)) } else { Ok(steps) }
    }
}

/// The price is paid for every unit asked for, and without a limit 200,000 per instruction are.
fn budget(kind: TxKind, price_micro_lamports: u64) -> Vec<Instruction> {
    if price_micro_lamports == 0 {
        return Vec::new();
    }
    vec![
        ComputeBudgetInstruction::set_compute_unit_limit(compute_unit_limit(kind)),
        ComputeBudgetInstruction::set_compute_unit_price(price_micro_lamports),
    ]
}

/// A transaction with one signature, as it is sent: the count, the signature, the message.
#[must_use]
pub fn wire_bytes(signature: &[u8; 64], message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(65 + message.len());
    bytes.push(1);
    bytes.extend_from_slice(signature);
    bytes.extend_from_slice(message);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_priority_fee_is_paid_for_a_limited_number_of_units() {
        // The bounds that the program's tests hold each transaction to.
        let bounds = [
            (TxKind::Advance, 12_000),
            // Behind the record of the seed.
            (TxKind::Accept, 22_000 + 12_000),
            (TxKind::Decline, 15_000),
            (TxKind::Commit, 15_000),
            (TxKind::Reveal, 18_000),
            (TxKind::Submit, 12_000),
            // Finalize, settle, close.
            (TxKind::Settle, 10_000 + 4 * 19_000 + 10_000),
            (TxKind::Challenge, 30_000),
            // Sixty-four tickets of 250 each on top of one.
            (TxKind::Vote(0), 15_000 + 63 * 250),
            (TxKind::RevealVote(0), 15_000),
            (TxKind::RevealOutcome, 15_000),
            (TxKind::Appeal(0), 15_000),
            (TxKind::Claim, 10_000),
        ];
        for (kind, bound) in bounds {
            let limit = compute_unit_limit(kind);
            assert!(limit > 2 * bound && limit < 200_000, "{kind:?}: {limit}");
            assert_eq!(budget(kind, 0), []);
            let limit = ComputeBudgetInstruction::set_compute_unit_limit(limit);
            assert_eq!(budget(kind, 7), [limit, ComputeBudgetInstruction::set_compute_unit_price(7)]);
        }
    }
}
