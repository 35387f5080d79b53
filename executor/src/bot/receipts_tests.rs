use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use tokio::select;

use super::*;
use crate::config::RecordsConfig;

/// The records of a data directory in which receipts of these jobs wait. What is in the files does not matter here.
fn waiting(data_dir: &Path, numbers: &[u8]) -> Records {
    let records = Records::new(data_dir, [7; 32], RecordsConfig::default());
    records.open().expect("opened");
    for number in numbers {
        for kind in ["json", "unpublished"] {
            let name = format!("{}.{kind}", JobUid([*number; 32]));
            std::fs::write(data_dir.join("receipts").join(name), b"").expect("written");
        }
    }
    records
}

/// What a content node saw: how often each receipt was offered.
#[derive(Default)]
struct Node {
    offered: RefCell<BTreeMap<u8, u32>>,
    all_taken: Notify,
}

impl Node {
    /// Publishes until each of these was taken. One is taken when it was offered as often as `refusals` says, and once more.
    async fn serve(&self, records: &Records, numbers: &[u8], refusals: impl Fn(u8) -> u32) {
        let taken = RefCell::new(BTreeSet::new());
        let expected: BTreeSet<u8> = numbers.iter().copied().collect();
        let publish = |uid: JobUid| {
            let number = uid.0[0];
            let count = *self.offered.borrow_mut().entry(number).and_modify(|count| *count += 1).or_insert(1);
            let is_taken = count > refusals(number);
            if is_taken {
                taken.borrow_mut().insert(number);
                if *taken.borrow() == expected {
                    self.all_taken.notify_one();
                }
            }
            async move { is_taken }
        };
        let (issued, pace) = (Notify::new(), Backoff::new(Duration::from_millis(1), Duration::from_millis(2)));
        select! {
            () = publish_all(records, &issued, pace, publish) => {}
            () = self.all_taken.notified() => {}
        }
    }
}

#[tokio::test]
async fn e_07_a_receipt_that_no_node_takes_is_offered_again_and_holds_back_no_other() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = waiting(dir.path(), &[1, 2, 3]);
    let node = Node::default();
    node.serve(&records, &[1, 2, 3], |number| if number == 1 { 3 } else { 0 }).await;
    // Each in its turn: those behind the one that is refused were taken the first time.
    assert_eq!(*node.offered.borrow(), [(1, 4), (2, 1), (3, 1)].into());
}

#[tokio::test]
async fn what_waits_is_looked_at_once_for_all_that_are_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = waiting(dir.path(), &[1, 3]);
    let (issued, all_taken, taken) = (Notify::new(), Notify::new(), RefCell::new(vec![]));
    let publish = |uid: JobUid| {
        taken.borrow_mut().push(uid.0[0]);
        match taken.borrow().len() {
            // One that would be next, if each looked for its next one.
            1 => drop(waiting(dir.path(), &[2])),
            3 => all_taken.notify_one(),
            _ => {}
        }
        async { true }
    };
    let pace = Backoff::new(Duration::from_millis(1), Duration::from_millis(2));
    select! {
        () = publish_all(&records, &issued, pace, publish) => {}
        () = all_taken.notified() => {}
    }
    assert_eq!(*taken.borrow(), [1, 3, 2]);
}

#[tokio::test]
async fn e_01_what_waited_when_the_process_ended_is_published_by_the_next_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = Node::default();
    first.serve(&waiting(dir.path(), &[1, 2]), &[1], |number| if number == 2 { u32::MAX } else { 0 }).await;
    let records = waiting(dir.path(), &[]);
    // The one that the first took last may not be marked: then it is offered once more, which changes nothing.
    records.published(JobUid([1; 32])).expect("marked");
    let second = Node::default();
    second.serve(&records, &[2], |_| 0).await;
    assert_eq!(*second.offered.borrow(), [(2, 1)].into());
}

#[tokio::test]
async fn a_receipt_that_is_issued_wakes_the_publisher() {
    let dir = tempfile::tempdir().expect("a directory");
    let records = waiting(dir.path(), &[]);
    let (issued, seen) = (Notify::new(), Notify::new());
    let publish = |_| {
        seen.notify_one();
        async { true }
    };
    let pace = Backoff::new(Duration::from_millis(1), Duration::from_millis(2));
    let issue = async {
        waiting(dir.path(), &[5]);
        issued.notify_one();
        seen.notified().await;
    };
    select! {
        () = publish_all(&records, &issued, pace, publish) => {}
        () = issue => {}
    }
}
