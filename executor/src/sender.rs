//! Brings journaled bytes onto the chain and finds out what became of them. It never signs: what is sent again is the
//! same bytes, and only the finalised chain may say that they are dead (E-02 to E-05).

use std::time::Duration;

use solana_signature::Signature;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use crate::{
    backoff::Backoff,
    chain::{Chain, ChainError, SignatureStatus, SlotHeard, StatusAnswer},
    core::{TxFate, TxKind, TxRecord},
    fault::crash_point_of_tx,
    transactions::wire_bytes,
};

/// How often what is done.
#[derive(Clone, Copy, Debug)]
pub struct SenderSettings {
    /// Between two looks at the status of what is sent. While slots are heard of, one in each is enough.
    pub confirm_interval: Duration,
    /// Between two sendings of the same bytes, and between two looks at what is sent no more.
    pub resend_interval: Duration,
    /// Between two questions whether an unknown signature is dead.
    pub death_check_interval: Duration,
}

/// Slots that are not heard of are waited for this many times as long as [`SenderSettings::confirm_interval`].
const SLOT_PATIENCE: u32 = 10;

/// What a transaction on its way is told.
#[derive(Clone, Debug)]
pub struct Told {
    /// Whether it is still to be sent. `false` stops the sending, not the watching.
    pub sending: watch::Receiver<bool>,
    /// The slots that are heard of: a status changes with them.
    pub slots: watch::Receiver<SlotHeard>,
}

impl Told {
    fn is_sending(&self) -> bool {
        *self.sending.borrow()
    }

    /// Until the same question may have another answer. What is processed is confirmed soon, and not at once with a slot.
    async fn pause(&mut self, settings: SenderSettings, is_processed: bool) {
        if !self.is_sending() {
            // Nobody waits for it: it only has to be known some day.
            return sleep(settings.resend_interval).await;
        }
        let hears_slots = self.slots.borrow().is_some();
        let patience = if hears_slots && !is_processed { SLOT_PATIENCE } else { 1 };
        let slot = async {
            if self.slots.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        // A slot and an elapsed time are the same to us.
        let _waited = timeout(settings.confirm_interval * patience, slot).await;
    }
}

/// Sends until the fate is known.
///
/// What `is_new` was signed by this process and sent by nobody: it is sent first and asked about then. Of all else the status comes
/// first: it may have landed long ago.
pub async fn deliver<C: Chain>(
    chain: C,
    (tx, mut is_new): (TxRecord, bool),
    settings: SenderSettings,
    mut told: Told,
) -> Option<TxFate> {
    let signature = tx.signature?;
    let bytes = wire_bytes(&signature, &tx.message);
    let mut pace = Pace::new(settings);
    let mut refusal = None;
    loop {
        // Before the question: what comes meanwhile may change the answer.
        told.slots.mark_unchanged();
        let known = match std::mem::take(&mut is_new) {
            true => Ok(SignatureStatus::Unknown),
            false => status(&chain, signature).await,
        };
        let is_processed = matches!(known, Ok(SignatureStatus::Processed));
        match known {
            Ok(SignatureStatus::Confirmed { slot, error }) => return Some(fate(slot, error)),
            Ok(SignatureStatus::Processed) => pace.worked(),
            Ok(SignatureStatus::Unknown) => {
                pace.worked();
                if pace.may_send() && told.is_sending() {
                    send(&chain, &bytes, tx.kind, signature, &mut refusal).await;
                }
                if pace.may_check_death() && is_dead(&chain, &tx, signature).await {
                    return Some(TxFate::Dead);
                }
            }
            Err(error) => {
                tracing::debug!(%error, "status_not_fetched");
                sleep(pace.backoff.next_pause()).await;
            }
        }
        told.pause(settings, is_processed).await;
    }
}

fn fate(slot: u64, error: Option<String>) -> TxFate {
    error.map_or(TxFate::Landed { slot }, |message| TxFate::Failed { slot, message })
}

/// What is known of a signature. What would end the sending counts only when no endpoint contradicts it (E-09).
async fn status<C: Chain>(chain: &C, signature: [u8; 64]) -> Result<SignatureStatus, ChainError> {
    let StatusAnswer { status, .. } = chain.status(signature).await?;
    let SignatureStatus::Confirmed { slot, .. } = status else { return Ok(status) };
    let answers = chain.witnessed_statuses(signature).await;
    let contradicts = |answer: &StatusAnswer| match &answer.status {
        // A node that has not come to that slot cannot know it.
        SignatureStatus::Unknown => answer.slot >= slot,
        SignatureStatus::Processed => false,
        known @ SignatureStatus::Confirmed { .. } => *known != status,
    };
    if answers.iter().any(contradicts) {
        tracing::warn!(signature = %Signature::from(signature), ?answers, "endpoints_disagree");
        return Ok(SignatureStatus::Unknown);
    }
    Ok(status)
}

async fn send<C: Chain>(chain: &C, bytes: &[u8], kind: TxKind, signature: [u8; 64], refusal: &mut Option<String>) {
    crash_point_of_tx("before_send", kind);
    // E-03: an error says nothing about whether it lands. The status will.
    if let Err(error) = chain.send(bytes.to_vec()).await {
        // Whoever lost a race for a step is refused again and again, until its transaction is dead: one word about it is enough.
        let error = error.to_string();
        if refusal.as_ref() != Some(&error) {
            tracing::warn!(signature = %Signature::from(signature), error, "transaction_not_taken");
            *refusal = Some(error);
        }
    }
    crash_point_of_tx("sent", kind);
}

/// The finalised chain first, the status second: what is unknown after the finalised chain passed its last valid height
/// stays unknown. A node that is behind that block knows less, so its not knowing says nothing (E-08). Every endpoint that
/// answers has to say so (E-09).
async fn is_dead<C: Chain>(chain: &C, tx: &TxRecord, signature: [u8; 64]) -> bool {
    let Ok(block) = chain.finalized_block().await else { return false };
    if block.height <= tx.last_valid_block_height {
        return false;
    }
    let unknown = |answer: &StatusAnswer| answer.slot >= block.slot && answer.status == SignatureStatus::Unknown;
    let (first, others) = tokio::join!(chain.status(signature), chain.witnessed_statuses(signature));
    first.is_ok_and(|answer| unknown(&answer)) && others.iter().all(unknown)
}

struct Pace {
    settings: SenderSettings,
    backoff: Backoff,
    sent: Option<Instant>,
    death_checked: Instant,
}

impl Pace {
    fn new(settings: SenderSettings) -> Self {
        let backoff = Backoff::new(settings.confirm_interval, Duration::from_secs(5));
        Self { settings, backoff, sent: None, death_checked: Instant::now() }
    }

    fn worked(&mut self) {
        self.backoff.reset();
    }

    fn may_send(&mut self) -> bool {
        let due = self.sent.is_none_or(|sent| sent.elapsed() >= self.settings.resend_interval);
        if due {
            self.sent = Some(Instant::now());
        }
        due
    }

    fn may_check_death(&mut self) -> bool {
        let due = self.death_checked.elapsed() >= self.settings.death_check_interval;
        if due {
            self.death_checked = Instant::now();
        }
        due
    }
}

#[cfg(test)]
mod tests;
