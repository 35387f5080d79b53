use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use solana_hash::Hash;

use super::*;
use crate::{
    chain::{ChainError, FinalizedBlock, Look, OpenSeat, Scope},
    core::{Interest, JobView, TxKind, TxState},
};

/// A chain that answers from a script and repeats its last answer.
#[derive(Clone, Default)]
struct Scripted {
    shared: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    /// `None`: the endpoint fails.
    statuses: VecDeque<Option<SignatureStatus>>,
    heights: VecDeque<u64>,
    /// Slots that the answers about statuses are for; the finalised block is in slot [`FINAL_SLOT`].
    slots: VecDeque<u64>,
    /// What the other endpoints say, whenever they are asked.
    witnesses: Vec<StatusAnswer>,
    sending_fails: bool,
    sent: Vec<Vec<u8>>,
}

fn next<T: Clone>(queue: &mut VecDeque<T>) -> Option<T> {
    if queue.len() > 1 { queue.pop_front() } else { queue.front().cloned() }
}

fn failed() -> ChainError {
    ChainError::Answer { doing: "ask", endpoint: "nowhere".into(), problem: "scripted".into() }
}

impl Chain for Scripted {
    async fn look(&self, _interest: Interest, _scope: Scope) -> Result<Look, ChainError> {
        Err(failed())
    }

    async fn open_seats(&self, _job: &JobView) -> Result<Vec<OpenSeat>, ChainError> {
        Err(failed())
    }

    async fn recent_blockhash(&self) -> Result<(Hash, u64), ChainError> {
        Err(failed())
    }

    async fn send(&self, transaction: Vec<u8>) -> Result<(), ChainError> {
        let mut script = self.shared.lock().expect("not poisoned");
        script.sent.push(transaction);
        if script.sending_fails { Err(failed()) } else { Ok(()) }
    }

    async fn status(&self, _signature: [u8; 64]) -> Result<StatusAnswer, ChainError> {
        let mut script = self.shared.lock().expect("not poisoned");
        let slot = next(&mut script.slots).unwrap_or(FINAL_SLOT);
        let status = next(&mut script.statuses).flatten().ok_or_else(failed)?;
        Ok(StatusAnswer { slot, status })
    }

    async fn witnessed_statuses(&self, _signature: [u8; 64]) -> Vec<StatusAnswer> {
        self.shared.lock().expect("not poisoned").witnesses.clone()
    }

    async fn confirm_open(&self, _job: &JobView) -> Result<(), ChainError> {
        Err(failed())
    }

    async fn finalized_block(&self) -> Result<FinalizedBlock, ChainError> {
        let height = next(&mut self.shared.lock().expect("not poisoned").heights).ok_or_else(failed)?;
        Ok(FinalizedBlock { slot: FINAL_SLOT, height })
    }
}

/// Slot of the finalised block.
const FINAL_SLOT: u64 = 500;
const LANDED: SignatureStatus = SignatureStatus::Confirmed { slot: 9, error: None };
const UNKNOWN: SignatureStatus = SignatureStatus::Unknown;
/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
/// The transaction under test is valid up to this height.
const LAST_VALID: u64 = 100;

fn tx() -> TxRecord {
    TxRecord {
        kind: TxKind::Submit,
        message: vec![1, 2, 3],
        signature: Some([7; 64]),
        last_valid_block_height: LAST_VALID,
        fee_step: 0,
        state: TxState::Live,
    }
}

fn pace() -> SenderSettings {
    SenderSettings {
        confirm_interval: Duration::from_micros(100),
        resend_interval: Duration::ZERO,
        death_check_interval: Duration::ZERO,
    }
}

fn scripted(statuses: &[Option<SignatureStatus>], heights: &[u64]) -> Scripted {
    let script = Script {
        statuses: statuses.iter().cloned().collect(),
        heights: heights.iter().copied().collect(),
        ..Script::default()
    };
    Scripted { shared: Arc::new(Mutex::new(script)) }
}

/// Told no slots, and nothing else any more.
fn deaf(is_sending: bool) -> Told {
    Told { is_new: false, sending: watch::channel(is_sending).1, slots: watch::channel(None).1 }
}

async fn run(chain: &Scripted, sending: bool) -> (Option<TxFate>, Vec<Vec<u8>>) {
    let fate = deliver(chain.clone(), tx(), pace(), deaf(sending)).await;
    let sent = chain.shared.lock().expect("not poisoned").sent.clone();
    (fate, sent)
}

#[tokio::test]
async fn e_02_what_landed_before_a_crash_is_not_sent_again() {
    let (fate, sent) = run(&scripted(&[Some(LANDED)], &[0]), true).await;
    assert_eq!((fate, sent.len()), (Some(TxFate::Landed { slot: 9 }), 0));
}

#[tokio::test]
async fn e_02_only_what_was_signed_just_now_is_sent_before_it_is_asked_about() {
    let chain = scripted(&[Some(LANDED)], &[0]);
    let fate = deliver(chain.clone(), tx(), pace(), Told { is_new: true, ..deaf(true) }).await;
    assert_eq!(fate, Some(TxFate::Landed { slot: 9 }));
    assert_eq!(chain.shared.lock().expect("not poisoned").sent, [wire_bytes(&[7; 64], &[1, 2, 3])]);
}

#[tokio::test]
async fn what_is_sent_no_more_is_looked_at_at_the_pace_of_sending() {
    let pace = SenderSettings { confirm_interval: Duration::from_secs(3_600), ..pace() };
    let chain = scripted(&[Some(UNKNOWN), Some(UNKNOWN), Some(LANDED)], &[0]);
    assert_eq!(deliver(chain, tx(), pace, deaf(false)).await, Some(TxFate::Landed { slot: 9 }));
}

#[test]
fn a_status_is_asked_for_by_time_while_no_slots_are_heard_of_or_it_is_processed() {
    let [confirm_interval, resend_interval] = [1, 5].map(Duration::from_secs);
    let pace = SenderSettings { confirm_interval, resend_interval, ..pace() };
    let pauses = [(true, false), (true, true), (false, false), (false, true)];
    let pauses = pauses.map(|(hears_slots, is_processed)| pace.longest_pause(hears_slots, is_processed).as_secs());
    assert_eq!(pauses, [5, 1, 1, 1]);
}

#[tokio::test]
async fn a_status_is_asked_for_with_the_slot_that_is_heard_of() {
    let (slots, hears) = watch::channel(Some(7));
    let hour = Duration::from_secs(3_600);
    let pace = SenderSettings { confirm_interval: hour, resend_interval: hour, ..pace() };
    let chain = scripted(&[Some(UNKNOWN), Some(LANDED)], &[0]);
    let following = timeout(LONG, deliver(chain, tx(), pace, Told { slots: hears, ..deaf(true) }));
    let (fate, ()) = tokio::join!(following, async {
        slots.send_replace(Some(8));
    });
    assert_eq!(fate, Ok(Some(TxFate::Landed { slot: 9 })));
}

#[tokio::test]
async fn what_is_processed_is_asked_about_by_time_though_slots_are_heard_of() {
    let pace = SenderSettings { resend_interval: Duration::from_secs(3_600), ..pace() };
    let chain = scripted(&[Some(SignatureStatus::Processed), Some(SignatureStatus::Processed), Some(LANDED)], &[0]);
    let told = Told { slots: watch::channel(Some(7)).1, ..deaf(true) };
    assert_eq!(timeout(LONG, deliver(chain, tx(), pace, told)).await, Ok(Some(TxFate::Landed { slot: 9 })));
}

#[tokio::test]
async fn however_many_slots_are_told_of_two_questions_have_a_gap_between_them() {
    let hour = Duration::from_secs(3_600);
    let pace = SenderSettings { confirm_interval: hour, resend_interval: hour, ..pace() };
    let unknown = std::iter::repeat_n(Some(UNKNOWN), 10);
    let chain = scripted(&unknown.chain([Some(LANDED)]).collect::<Vec<_>>(), &[0]);
    let (slots, hears) = watch::channel(Some(0));
    let began = Instant::now();
    let fate = tokio::select! {
        fate = timeout(LONG, deliver(chain, tx(), pace, Told { slots: hears, ..deaf(true) })) => fate,
        () = async {
            for slot in 1_u64.. {
                slots.send_replace(Some(slot));
                tokio::task::yield_now().await;
            }
        } => unreachable!("slots never end"),
    };
    assert_eq!(fate, Ok(Some(TxFate::Landed { slot: 9 })));
    assert!(began.elapsed() >= GAP_MIN * 10, "{:?} for ten pauses", began.elapsed());
}

#[tokio::test]
async fn e_10_slots_that_cease_to_come_are_waited_for_once() {
    let pace = SenderSettings { resend_interval: Duration::from_millis(500), ..pace() };
    let unknown = std::iter::repeat_n(Some(UNKNOWN), 20);
    let chain = scripted(&unknown.chain([Some(LANDED)]).collect::<Vec<_>>(), &[0]);
    let told = Told { slots: watch::channel(Some(7)).1, ..deaf(true) };
    let began = Instant::now();
    assert_eq!(deliver(chain, tx(), pace, told).await, Some(TxFate::Landed { slot: 9 }));
    // Each time it would be ten seconds.
    assert!(began.elapsed() >= pace.resend_interval && began.elapsed() < pace.resend_interval * 10);
}

#[tokio::test]
async fn e_03_an_error_of_sending_is_not_believed_and_the_same_bytes_are_sent_again() {
    let chain = scripted(&[Some(UNKNOWN), Some(UNKNOWN), Some(UNKNOWN), Some(LANDED)], &[LAST_VALID]);
    chain.shared.lock().expect("not poisoned").sending_fails = true;
    let (fate, sent) = run(&chain, true).await;
    assert_eq!(fate, Some(TxFate::Landed { slot: 9 }));
    let expected = wire_bytes(&[7; 64], &[1, 2, 3]);
    assert!(sent.len() == 3 && sent.iter().all(|bytes| *bytes == expected));
}

#[tokio::test]
async fn e_04_it_is_dead_only_when_the_finalised_chain_passed_it_and_does_not_know_it() {
    // Up to its last valid height it may land; an endpoint that fails says nothing.
    let (fate, _) =
        run(&scripted(&[Some(UNKNOWN)], &[LAST_VALID - 1, LAST_VALID, LAST_VALID, LAST_VALID + 1]), true).await;
    assert_eq!(fate, Some(TxFate::Dead));
    // Found by the second question, after the height was passed.
    let (fate, _) = run(&scripted(&[Some(UNKNOWN), Some(LANDED)], &[LAST_VALID + 1]), true).await;
    assert_eq!(fate, Some(TxFate::Landed { slot: 9 }));
    let (fate, _) = run(&scripted(&[Some(UNKNOWN), None, None, Some(LANDED)], &[LAST_VALID + 1]), true).await;
    assert_eq!(fate, Some(TxFate::Landed { slot: 9 }));
}

#[tokio::test]
async fn a_confirmed_error_is_a_failure_with_its_text() {
    let status = SignatureStatus::Confirmed { slot: 5, error: Some("custom 6001".into()) };
    let (fate, _) = run(&scripted(&[Some(SignatureStatus::Processed), Some(status)], &[0]), true).await;
    assert_eq!(fate, Some(TxFate::Failed { slot: 5, message: "custom 6001".into() }));
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_watched_and_not_sent() {
    let (fate, sent) = run(&scripted(&[Some(UNKNOWN)], &[LAST_VALID + 1]), false).await;
    assert_eq!((fate, sent.len()), (Some(TxFate::Dead), 0));
}

#[tokio::test]
async fn e_08_a_node_that_is_behind_the_finalised_block_cannot_say_that_a_transaction_is_dead() {
    // Unknown to nodes that lag, and landed all the same.
    let chain =
        scripted(&[Some(UNKNOWN), Some(UNKNOWN), Some(UNKNOWN), Some(UNKNOWN), Some(LANDED)], &[LAST_VALID + 1]);
    chain.shared.lock().expect("not poisoned").slots = [FINAL_SLOT, FINAL_SLOT - 1].into();
    let (fate, _) = run(&chain, true).await;
    assert_eq!(fate, Some(TxFate::Landed { slot: 9 }));
    // Unknown to one that does not lag.
    let chain = scripted(&[Some(UNKNOWN)], &[LAST_VALID + 1]);
    chain.shared.lock().expect("not poisoned").slots =
        [FINAL_SLOT - 1, FINAL_SLOT - 1, FINAL_SLOT - 1, FINAL_SLOT].into();
    let (fate, _) = run(&chain, true).await;
    assert_eq!(fate, Some(TxFate::Dead));
}

/// What becomes of a transaction that the first endpoint says landed, when another one says this.
async fn landed_but(witness: StatusAnswer) -> (Option<TxFate>, usize) {
    let chain = scripted(&[Some(LANDED)], &[LAST_VALID + 1]);
    chain.shared.lock().expect("not poisoned").witnesses = vec![witness];
    let following = deliver(chain.clone(), tx(), pace(), deaf(true));
    let fate = tokio::time::timeout(Duration::from_millis(200), following).await.ok().flatten();
    let sent = chain.shared.lock().expect("not poisoned").sent.len();
    (fate, sent)
}

#[tokio::test]
async fn e_09_a_landing_that_another_endpoint_contradicts_does_not_end_the_sending() {
    let landed = Some(TxFate::Landed { slot: 9 });
    assert_eq!(landed_but(StatusAnswer { slot: 9, status: LANDED }).await, (landed.clone(), 0));
    assert_eq!(landed_but(StatusAnswer { slot: 9, status: SignatureStatus::Processed }).await, (landed.clone(), 0));
    // It has not come to that slot: it cannot know.
    assert_eq!(landed_but(StatusAnswer { slot: 8, status: UNKNOWN }).await, (landed, 0));
    let refused = SignatureStatus::Confirmed { slot: 9, error: Some("custom 6001".into()) };
    for contradiction in [UNKNOWN, refused, SignatureStatus::Confirmed { slot: 10, error: None }] {
        let (fate, sent) = landed_but(StatusAnswer { slot: 9, status: contradiction }).await;
        assert!(fate.is_none() && sent > 1, "{fate:?}, sent {sent} times");
    }
}

#[tokio::test]
async fn e_09_nothing_is_dead_while_another_endpoint_knows_it_or_is_behind() {
    for (slot, status, fate) in [
        (FINAL_SLOT, UNKNOWN, Some(TxFate::Dead)),
        (FINAL_SLOT - 1, UNKNOWN, None),
        (FINAL_SLOT, SignatureStatus::Processed, None),
        (FINAL_SLOT, LANDED, None),
    ] {
        let chain = scripted(&[Some(UNKNOWN)], &[LAST_VALID + 1]);
        chain.shared.lock().expect("not poisoned").witnesses = vec![StatusAnswer { slot, status: status.clone() }];
        let following = deliver(chain, tx(), pace(), deaf(false));
        let found = tokio::time::timeout(Duration::from_millis(200), following).await.ok().flatten();
        assert_eq!(found, fate, "{slot} {status:?}");
    }
}
