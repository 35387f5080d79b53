//! Commands that die between what they record and what they send, and what is kept of disputes that are over.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use assay_executor::{
    core::{ChallengeRow, JobRow, JobUid, Spent},
    journal::Journal,
};
use assay_sdk::{Pubkey, program::DisputeStage};
use serde_json::Value;
use solana_signer::Signer;

use crate::{
    court::{Court, WRONG, key},
    disputes::{JURORS, LIAR, court, honestly, right},
    network::json,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// What becomes of the transaction that a command sends before it is killed.
#[derive(Clone, Copy, PartialEq)]
enum Sent {
    /// Nobody hears of it.
    Lost,
    /// It lands, and the command is not told.
    Landed,
}

/// The ledger's RPC, up to the first transaction: that is never answered.
struct Cut {
    url: String,
    reached: Receiver<()>,
}

impl Cut {
    fn start(upstream: &url::Url, sent: Sent) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, reached) = channel();
        let upstream = (upstream.host_str().unwrap().to_owned(), upstream.port().unwrap());
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (upstream, tell) = (upstream.clone(), tell.clone());
                // A connection that ends, on whichever side, is no matter.
                thread::spawn(move || drop(pass(client, &upstream, (sent, tell))));
            }
        });
        Self { url, reached }
    }
}

/// Passes requests and answers on, but nothing back once a transaction came.
fn pass(client: TcpStream, upstream: &(String, u16), (sent, tell): (Sent, Sender<()>)) -> std::io::Result<()> {
    let mut server = TcpStream::connect((upstream.0.as_str(), upstream.1))?;
    let is_cut = Arc::new(AtomicBool::new(false));
    let (mut answers, mut back, is_silent) = (server.try_clone()?, client.try_clone()?, Arc::clone(&is_cut));
    thread::spawn(move || {
        let mut buffer = [0; 16_384];
        while let Ok(read @ 1..) = answers.read(&mut buffer) {
            if !is_silent.load(Ordering::SeqCst) && back.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
    });
    let mut client = BufReader::new(client);
    loop {
        let request = request(&mut client)?;
        let is_transaction = String::from_utf8_lossy(&request).contains("\"sendTransaction\"");
        is_cut.fetch_or(is_transaction, Ordering::SeqCst);
        if !is_transaction || sent == Sent::Landed {
            server.write_all(&request)?;
        }
        if is_transaction {
            // Nobody listens any more when a second one comes.
            tell.send(()).unwrap_or_default();
        }
    }
}

/// One HTTP request, head and body.
fn request(client: &mut BufReader<TcpStream>) -> std::io::Result<Vec<u8>> {
    let (mut request, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if client.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        request.extend_from_slice(line.as_bytes());
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    client.read_exact(&mut body)?;
    request.extend(body);
    Ok(request)
}

/// Runs a command and kills it when it sends its first transaction: what that says is on record then, and it was never told what
/// became of it.
fn killed_when_it_sends(court: &Court, wallet: &Path, (arguments, sent): (&[&str], Sent)) {
    let cut = Cut::start(court.rpc_url(), sent);
    let mut assay = court.assay(wallet);
    // A vote goes where its bot's configuration says.
    assay.env("ASSAY_CLUSTER", &cut.url).env("ASSAY__CHAIN__CLUSTER", &cut.url);
    let mut command = Command::new(assay.get_program());
    command.env_clear().envs(assay.get_envs().filter_map(|(name, value)| Some((name, value?)))).args(arguments);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    cut.reached.recv_timeout(PATIENCE).expect("it sends something");
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None, "it was killed");
}

fn rows(dir: &Path) -> Vec<JobRow> {
    Journal::open(dir).unwrap().rows().cloned().collect()
}

/// Where a wallet's disputes are kept.
fn kept(court: &Court, wallet: &Path) -> PathBuf {
    court.home.path().join(".local/state/assay/disputes").join(key(wallet).pubkey().to_string())
}

/// The one challenge on chain is the one on record.
fn assert_challenged_once(court: &Court, job: &str, (wallet, row): (&Path, &JobRow)) {
    let disputed = court.disputed(job).unwrap();
    let [challenge] = &disputed.challenges[..] else { panic!("one challenge") };
    assert_eq!(Some(challenge.account.commitment), row.challenge_commitment(&key(wallet).pubkey()));
    assert_eq!(row.outcome_hash(), Some(right(court, job).hash()));
}

#[test]
fn e_01_i_07_commands_killed_before_their_challenge_and_vote_went_out_say_the_same_when_they_are_repeated() {
    let court = court();
    let challenger = court.wallet("challenger.json");
    let job = court.post(&[]);
    court.answer(&job, LIAR, &WRONG);
    let open = ["dispute", "open", &job, "--yes"];
    killed_when_it_sends(&court, &challenger, (&open, Sent::Lost));
    assert!(court.disputed(&job).is_none(), "nothing was sent");
    let recorded = rows(&kept(&court, &challenger));
    assert!(matches!(&recorded[..], [row] if row.challenge.is_some()), "{recorded:?}");
    let opened = json(&mut court.assay(&challenger), &open);
    assert_eq!((&opened["challenge"], &opened["sent"][0]["what"]), (&"hidden".into(), &"open_dispute".into()));
    assert_eq!(rows(&kept(&court, &challenger)), recorded);
    assert_challenged_once(&court, &job, (&challenger, &recorded[0]));

    let mut killed = Vec::new();
    court.drive(&job, |disputed, stage| {
        if stage == DisputeStage::Committing {
            let (dispute, known) = (&disputed.dispute.account, killed.len());
            let is_drawn =
                |juror: &usize| dispute.vote_tickets(&court.address(*juror), &court.provider(*juror)).is_some();
            killed.extend(JURORS.into_iter().filter(|juror| known == 0 && is_drawn(juror)).take(1));
            killed[known..].iter().for_each(|juror| vote_twice(&court, &job, (*juror, dispute.round)));
        }
        honestly(&court, &job, &challenger, stage);
    });
    assert_eq!(killed.len(), 1, "a juror was killed");
    let view = court.run(court.handle(&job).status()).unwrap();
    assert_eq!(view.outcome, Some(right(&court, &job)));
    let settled = json(&mut court.assay(&challenger), &open);
    assert_eq!((&settled["is_right"], &settled["received_lamports"]), (&true.into(), &15_000_000.into()), "{settled}");
    court.stop();
}

/// A juror's command is killed before its vote is out, and typed again.
fn vote_twice(court: &Court, job: &str, (juror, round): (usize, u8)) {
    let config = court.bot_directory(juror).join("provider.toml");
    let vote = ["dispute", "vote", job, "--yes", "--config", config.to_str().unwrap()];
    killed_when_it_sends(court, &court.keys(juror).0, (&vote, Sent::Lost));
    let data = config.with_file_name("data");
    let recorded = rows(&data);
    assert!(court.disputed(job).unwrap().votes.iter().all(|vote| vote.account.provider != court.address(juror)));
    let again = court.vote(job, juror, &[]).unwrap();
    assert_eq!((&again["vote"], &again["sent"][0]["what"]), (&"hidden".into(), &"commit_vote".into()), "{again}");
    assert_eq!(rows(&data), recorded);
    let disputed = court.disputed(job).unwrap();
    let votes = disputed.votes.iter().map(|vote| &vote.account);
    let own: Vec<_> = votes.filter(|vote| vote.provider == court.address(juror) && vote.round == round).collect();
    let [vote] = own[..] else { panic!("one vote") };
    let row = recorded.iter().find(|row| row.job.to_string() == job).unwrap();
    assert_eq!(Some(vote.commitment), row.vote_commitment(&court.address(juror), round));
}

#[test]
fn e_03_i_07_a_challenge_that_landed_while_its_command_was_killed_is_not_made_again() {
    let court = court();
    let challenger = court.wallet("challenger.json");
    let job = court.post(&[]);
    court.answer(&job, LIAR, &WRONG);
    let open = ["dispute", "open", &job, "--yes"];
    killed_when_it_sends(&court, &challenger, (&open, Sent::Landed));
    let end = Instant::now() + PATIENCE;
    while court.disputed(&job).is_none() {
        assert!(Instant::now() < end, "it lands");
    }
    let recorded = rows(&kept(&court, &challenger));
    let again = json(&mut court.assay(&challenger), &open);
    assert_eq!((&again["challenge"], &again["sent"]), (&"hidden".into(), &Value::Array(Vec::new())), "{again}");
    assert_eq!(rows(&kept(&court, &challenger)), recorded);
    assert_challenged_once(&court, &job, (&challenger, &recorded[0]));
    court.stop();
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
