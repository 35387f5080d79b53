//! What is kept of disputes that are over.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use std::path::{Path, PathBuf};

use assay_executor::{
    core::{ChallengeRow, JobRow, JobUid, Spent},
    journal::Journal,
};
use assay_sdk::Pubkey;
use solana_signer::Signer;

use crate::{
    court::{Court, WRONG, key},
    disputes::{LIAR, court},
    network::json,
};

fn rows(dir: &Path) -> Vec<JobRow> {
    Journal::open(dir).unwrap().rows().cloned().collect()
}

/// Where a wallet's disputes are kept.
fn kept(court: &Court, wallet: &Path) -> PathBuf {
    court.home.path().join(".local/state/assay/disputes").join(key(wallet).pubkey().to_string())
}

#[test]
fn e_08_e_09_i_07_a_row_is_forgotten_when_its_job_is_gone_and_it_is_too_old_to_be_needed() {
    let court = court();
    let challenger = court.wallet("challenger.json");
    let (dir, live) = (kept(&court, &challenger), court.post(&[]));
    let account = court.run(court.handle(&live).status()).unwrap();
    let days_ago = |days: i64| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Some(Spent { day: Spent::day_of(i64::try_from(since.as_secs()).unwrap()) - days, ..Spent::default() })
    };
    let row = |uid: [u8; 32], job: Pubkey, spent| JobRow {
        challenge: Some(ChallengeRow { salt: uid }),
        outcome: Some(WRONG.encode()),
        spent,
        ..JobRow::new(JobUid(uid), job, 1)
    };
    let address = account.address;
    // Gone, and of an address that another job has by now.
    let over = [row([1; 32], Pubkey::new_unique(), days_ago(40)), row([2; 32], address, days_ago(40))];
    // Not gone; gone by what an endpoint says that may be behind or lie; of unknown age.
    let needed = [
        row(account.job_uid, address, days_ago(40)),
        row([3; 32], Pubkey::new_unique(), days_ago(25)),
        row([4; 32], Pubkey::new_unique(), None),
    ];
    std::fs::create_dir_all(&dir).unwrap();
    let mut journal = Journal::open(&dir).unwrap();
    over.iter().chain(&needed).for_each(|row| journal.put(row, 1).unwrap());
    drop(journal);
    let job = court.post(&["--seed", "5"]);
    court.answer(&job, LIAR, &WRONG);
    json(&mut court.assay(&challenger), &["dispute", "open", &job, "--yes"]);
    let left = rows(&dir);
    assert!(needed.iter().all(|row| left.contains(row)), "{left:?}");
    assert!(over.iter().all(|row| !left.contains(row)) && left.len() == needed.len() + 1, "{left:?}");
    court.stop();
}
