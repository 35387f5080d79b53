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
    /// Between two looks at the status of what is sent, unless [`Self::longest_pause`] says otherwise.
    pub confirm_interval: Duration,
    /// Between two sendings of the same bytes, and between two looks at what is sent no more.
    pub resend_interval: Duration,
    /// Between two questions whether an unknown signature is dead.
    pub death_check_interval: Duration,
}

/// However many slots are told of, two questions are at least this far apart, or as far as the settings ask for.
const GAP_MIN: Duration = Duration::from_millis(20);

/// What a transaction on its way is told.
#[derive(Clone, Debug)]
pub struct Told {
    /// Whether it was signed by this process and sent by nobody: then it is sent first and asked about after that. Of all else the
    /// status comes first: it may have landed long ago.
    pub is_new: bool,
    /// Whether it is still to be sent. `false` stops the sending, not the watching.
    pub sending: watch::Receiver<bool>,
    /// The slots that are heard of: with each it is asked about.
    pub slots: watch::Receiver<SlotHeard>,
}

impl Told {
    fn is_sending(&self) -> bool {
        *self.sending.borrow()
    }

    /// Until the same question may have another answer, and no longer than `longest`; whether a slot was heard of.
    async fn pause(&mut self, longest: Duration) -> bool {
        let gap = GAP_MIN.min(longest);
        sleep(gap).await;
        let slot = async {
            if self.slots.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        timeout(longest.saturating_sub(gap), slot).await.is_ok()
    }
}

impl SenderSettings {
    /// Longest time to the next question, unless a slot is heard of before. While slots are, what is unknown waits for the next one:
    /// on a cluster it is processed with one and confirmed a slot or more later, so it is seen processed in between. From there on
    /// time decides, since the votes that confirm it come at any moment.
    fn longest_pause(&self, hears_slots: bool, is_processed: bool) -> Duration {
        if hears_slots && !is_processed {
            self.resend_interval.max(self.confirm_interval)
        } else {
            self.confirm_interval
        }
    }
}

/// Sends until the fate is known.
pub async fn deliver<C: Chain>(chain: C, tx: TxRecord, settings: SenderSettings, mut told: Told) -> Option<TxFate> {
    let signature = tx.signature?;
    let bytes = wire_bytes(&signature, &tx.message);
    let mut pace = Pace::new(settings);
    let mut refusal = None;
    // Whoever told of a slot and then fell silent is waited for once.
    let mut was_silent = false;
    loop {
        // Before the question: what comes meanwhile may change the answer.
        told.slots.mark_unchanged();
        let known = match std::mem::take(&mut told.is_new) {
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
        if told.is_sending() {
            let hears_slots = !was_silent && told.slots.borrow().is_some();
            let is_slot = told.pause(settings.longest_pause(hears_slots, is_processed)).await;
            was_silent = !is_slot && (was_silent || hears_slots && !is_processed);
        } else {
            // Nobody waits for it: it only has to be known some day.
            sleep(settings.resend_interval).await;
        }
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
