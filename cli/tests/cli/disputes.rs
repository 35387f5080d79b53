//! Disputes by commands alone, against providers that lie.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use assay_protocol::{Ballot, Outcome, tickets};
use assay_sdk::{
    Receipt,
    crank::Disputed,
    instructions::{self, AcceptJob, Juror, RecordCollision, Secret},
    pda::ModuleSeeds,
    program::{DisputeStage, accounts::Job},
};
use serde_json::Value;
use solana_signer::Signer;

use crate::{
    court::{Court, WRONG, key},
    last_json,
    network::{job_directory, json, says},
    provider::is_refused,
};

/// The provider that lies, and those on duty.
pub const LIAR: usize = 0;
pub const JURORS: [usize; 2] = [1, 2];

pub fn court() -> Court {
    let court = Court::start(3);
    JURORS.iter().for_each(|juror| court.set_on_duty(*juror));
    court
}

/// What the job of these tests gives, by running it.
pub fn right(court: &Court, job: &str) -> Outcome {
    let path = court.home.path().join(format!("right-{job}.json"));
    let dir = job_directory(court.home.path());
    // The terms of the posted task are those of the manifest, so running the directory gives its outcome.
    let arguments = ["run", dir.to_str().unwrap(), "--receipt", path.to_str().unwrap()];
    court.poster().args(arguments).output().unwrap();
    Receipt::from_json(&std::fs::read(path).unwrap()).unwrap().outcome
}

fn addresses(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["job"].as_str().unwrap()).collect()
}

/// What jurors do at each stage when they are honest, and what anybody may do.
pub fn honestly(court: &Court, job: &str, challenger: &Path, stage: DisputeStage) {
    let vote = || JURORS.map(|juror| court.vote(job, juror, &[]));
    match stage {
        DisputeStage::Committing => {
            for said in vote().iter().flatten() {
                assert!(said["vote"] == "hidden" && says(&said["says"], "Exited(3)"), "{said}");
            }
        }
        DisputeStage::Revealing => {
            reveal(court, job);
            json(&mut court.assay(challenger), &["dispute", "open", job]);
        }
        DisputeStage::Entering | DisputeStage::Appealing | DisputeStage::Counted => {}
        _ => drop(json(&mut court.poster(), &["dispute", "settle", job])),
    }
}

/// Those who voted show it.
fn reveal(court: &Court, job: &str) {
    let disputed = court.disputed(job).unwrap();
    let round = disputed.dispute.account.round;
    for juror in JURORS {
        let address = court.address(juror);
        if disputed.votes.iter().any(|vote| vote.account.provider == address && vote.account.round == round) {
            let said = court.vote(job, juror, &[]).unwrap();
            assert_eq!(said["vote"], "shown", "{said}");
        }
    }
}

#[test]
fn p_03_a_wrong_result_is_disputed_judged_and_settled_by_commands_alone() {
    let court = court();
    let challenger = court.wallet("challenger.json");
    let assay = || court.assay(&challenger);
    let job = court.post(&[]);
    is_refused(&mut assay(), &["dispute", "open", &job, "--yes"], (1, &["no result", "it is open", "job describe"]));
    is_refused(&mut assay(), &["dispute", "show", &job], (1, &["was never disputed"]));
    let nothing = court.address(LIAR).to_string();
    is_refused(&mut assay(), &["dispute", "show", &nothing], (1, &["is no job, no dispute and no seat"]));
    court.answer(&job, LIAR, &WRONG);
    is_refused(&mut assay(), &["dispute", "settle", &job], (1, &["there is no dispute", "dispute open"]));

    let unconfirmed = assay().args(["dispute", "open", &job]).output().unwrap();
    assert_eq!(unconfirmed.status.code(), Some(4));
    let plan = crate::stderr(&unconfirmed);
    for part in [
        "DIFFERS outcome.gas_used",
        "a bond of 0.01 SOL",
        "At worst 0.01 SOL",
        "At best 0.005 SOL",
        "0.005 SOL if no jury",
    ] {
        assert!(plan.contains(part), "{part} is not in\n{plan}");
    }
    let kept = court.home.path().join(".local/state/assay/disputes").join(key(&challenger).pubkey().to_string());
    assert!(!says(&Value::from(std::fs::read_to_string(kept.join("journal.log")).unwrap_or_default()), "salt"));

    let opened = json(&mut assay(), &["dispute", "open", &job, "--yes"]);
    assert_eq!((&opened["challenge"], &opened["state"]), (&"hidden".into(), &"entering".into()), "{opened}");
    assert!(says(&opened["holds"], "Exited(3)") && opened["sent"].as_array().unwrap().len() == 1, "{opened}");
    i_07_what_was_hidden_is_known_here_and_nowhere_else(&court, (&job, &challenger), &kept);
    lists(&court, &job, &challenger);
    let told = json(&mut assay(), &["dispute", "show", &job]);
    assert_eq!((&told["challenges"][0]["is_yours"], &told["challenges"][0]["says"]), (&true.into(), &Value::Null));
    assert!(
        says(&told["contested"], "Exited(0), 7 gas") && says(&told["next"][0]["command"], "dispute open"),
        "{told}"
    );
    is_refused(&mut assay(), &["dispute", "appeal", &job, "--yes"], (1, &["there is no verdict yet", "dispute show"]));
    assert_eq!(json(&mut assay(), &["dispute", "settle", &job])["sent"], Value::Array(Vec::new()));
    votes_that_are_refused(&court, &job);

    let before = (court.balance(&challenger), court.provider(LIAR).stake_lamports);
    court.drive(&job, |_, stage| honestly(&court, &job, &challenger, stage));
    let bond = before.1 - court.provider(LIAR).stake_lamports;
    assert_eq!(bond, 10_000_000, "the liar's bond is gone");
    assert!(
        court.balance(&challenger) > before.0 + bond + bond / 2,
        "the bond is back with half of the liar's, and rents"
    );
    ended(&court, &job, &challenger);
    court.stop();
}

/// The wallet's record is all that can show the challenge; another outcome is never recorded beside it.
fn i_07_what_was_hidden_is_known_here_and_nowhere_else(court: &Court, (job, wallet): (&str, &Path), kept: &Path) {
    let assay = || court.assay(wallet);
    let again = json(&mut assay(), &["dispute", "open", job, "--yes"]);
    assert_eq!((&again["challenge"], &again["sent"]), (&"hidden".into(), &Value::Array(Vec::new())), "{again}");
    let away = kept.with_extension("away");
    std::fs::rename(kept, &away).unwrap();
    is_refused(&mut assay(), &["dispute", "open", job, "--yes"], (1, &["not on record", "its bond is lost"]));
    std::fs::remove_dir_all(kept).unwrap();
    std::fs::rename(away, kept).unwrap();
    let held = assay_executor::InstanceLock::acquire(kept).unwrap();
    is_refused(&mut assay(), &["dispute", "open", job, "--yes"], (1, &["another instance", "run this again"]));
    drop(held);
}

fn lists(court: &Court, job: &str, challenger: &Path) {
    let list = |keypair: &Path, more: &[&str]| json(&mut court.assay(keypair), &[&["dispute", "list"], more].concat());
    let (poster, liar, wallet) =
        (court.wallet("bystander.json"), court.address(LIAR).to_string(), key(challenger).pubkey());
    let (juror, wallet) = (court.address(JURORS[0]).to_string(), wallet.to_string());
    for (keypair, more, is_listed) in [
        (&poster, vec![], true),
        (&poster, vec!["--mine"], false),
        (&poster, vec!["--job", job], true),
        (&poster, vec!["--job", &liar], false),
        (&poster, vec!["--provider", &liar], true),
        (&poster, vec!["--provider", &juror], false),
        (&poster, vec!["--challenger", &wallet], true),
        (&poster, vec!["--challenger", &liar], false),
        (&challenger.to_path_buf(), vec!["--mine"], true),
        (&court.keys(LIAR).0, vec!["--mine"], true),
    ] {
        let rows = list(keypair, &more);
        assert_eq!(addresses(&rows), if is_listed { vec![job] } else { vec![] }, "{more:?}");
    }
    let row = &list(&poster, &[])[0];
    assert_eq!((&row["state"], &row["challenges"], &row["round"]), (&"entering".into(), &1.into(), &0.into()), "{row}");
    let text = court.poster().args(["dispute", "list"]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("entering") && text.contains("assay dispute show JOB"), "{text}");
}

fn votes_that_are_refused(court: &Court, job: &str) {
    for (provider, part) in [(JURORS[0], "challengers may enter still"), (LIAR, "never was on jury duty")] {
        let config = court.bot_directory(provider).join("provider.toml");
        let arguments = ["dispute", "vote", job, "--yes", "--config", config.to_str().unwrap()];
        is_refused(&mut court.poster(), &arguments, (1, &["cannot vote on", part]));
        let held = assay_executor::InstanceLock::acquire(&config.with_file_name("data")).unwrap();
        is_refused(&mut court.poster(), &arguments, (1, &["another instance", "a bot that runs votes by itself"]));
        drop(held);
    }
    is_refused(&mut court.poster(), &["dispute", "vote", job], (1, &["provider/provider.toml", "--config"]));
}

/// What is left is told by the chain's history.
fn ended(court: &Court, job: &str, challenger: &Path) {
    let told = json(&mut court.assay(challenger), &["dispute", "show", job]);
    assert_eq!((&told["closed"], &told["job_state"]), (&true.into(), &"resolved".into()), "{told}");
    let dispute = told["dispute"].as_str().unwrap();
    assert_eq!(json(&mut court.poster(), &["dispute", "show", dispute])["history"], told["history"]);
    let events: Vec<&str> = told["history"].as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!((events[0], events.contains(&"DisputeSettled")), ("DisputeOpened", true), "{events:?}");
    let text = court.poster().args(["dispute", "show", job]).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("closed: everybody was settled") && text.contains("was right and gets"), "{text}");
    assert_eq!(json(&mut court.poster(), &["dispute", "list", "--all"]), Value::Array(Vec::new()));
    let told = json(&mut court.assay(challenger), &["dispute", "open", job]);
    assert_eq!((&told["challenge"], &told["is_right"]), (&"settled".into(), &true.into()), "{told}");
    assert_eq!((&told["received_lamports"], &told["sent"]), (&15_000_000.into(), &Value::Array(Vec::new())), "{told}");
    let open = ["dispute", "open", job, "--yes"];
    is_refused(&mut court.poster(), &open, (1, &["no result", "it is resolved", "job describe"]));
}

#[test]
fn nothing_is_disputed_that_running_the_job_gives_or_that_is_not_known_to_be_wrong() {
    let court = court();
    let job = court.post(&[]);
    let right = right(&court, &job);
    court.answer(&job, LIAR, &right);
    let open = |more: &[&str]| {
        [&["dispute", "open", &job, "--yes"], more].concat().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let refuse = |more: &[&str], expected: (i32, &[&str])| {
        let arguments = open(more);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        is_refused(&mut court.poster(), &arguments, expected);
    };
    refuse(&[], (1, &["nothing to dispute", "running it here gives the same", "its bond lost"]));
    let path = court.home.path().join("receipt.json");
    let path = path.to_str().unwrap();
    json(&mut court.poster(), &["verify", &job, "--receipt", path]);
    // Forced, nothing is run, so nothing has to be fetched.
    let unread = ["--receipt", path, "--force", "--content", "http://127.0.0.1:1"];
    refuse(&unread, (1, &["the receipt says the same"]));
    let help = court.poster().args(["dispute", "open", "--help"]).output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(help.contains("whatever that is: the job is not run"), "{help}");
    let honest = std::fs::read_to_string(path).unwrap();
    let other = honest.replace(&format!("\"gas_used\": \"{}\"", right.gas_used), "\"gas_used\": \"99\"");
    assert_ne!(other, honest);
    std::fs::write(path, other).unwrap();
    refuse(&["--receipt", path], (3, &["the receipt says Exited(3), 99 gas", "--force"]));
    refuse(&["--force"], (2, &["--receipt"]));
    std::fs::write(path, honest).unwrap();

    let later = court.post(&["--seed", "5"]);
    court.answer(&later, LIAR, &WRONG);
    let arguments = ["dispute", "open", &later, "--yes", "--receipt", path];
    is_refused(&mut court.poster(), &arguments, (1, &["of another task", "assay verify"]));
    court.travel_to(court.now_unix() + 700);
    is_refused(&mut court.poster(), &["dispute", "open", &later, "--yes"], (1, &["its window ended", "ago"]));
    court.stop();
}

/// Jurors who hold with the liar.
fn vote_wrongly(court: &Court, disputed: &Disputed, stage: DisputeStage, salts: &mut Vec<(usize, Secret)>) {
    let dispute = &disputed.dispute.account;
    let ballot = Ballot::Outcome(WRONG);
    let juror = |number: usize| {
        let (_, hot) = court.keys(number);
        let node_key = key(&hot).pubkey();
        let provider = court.address(number);
        (hot, Juror { dispute: disputed.dispute.address, round: dispute.round, provider, node_key })
    };
    match stage {
        DisputeStage::Committing => {
            salts.clear();
            for number in JURORS {
                let (hot, juror) = juror(number);
                let tickets = dispute.vote_tickets(&juror.provider, &court.provider(number));
                if let Some(tickets) = tickets {
                    let secret = Secret::random(dispute.job_uid);
                    court.send(&hot, &[instructions::commit_vote(&juror, secret.vote(&juror, &ballot), tickets)]);
                    salts.push((number, secret));
                }
            }
        }
        DisputeStage::Revealing => {
            for (number, secret) in salts.drain(..) {
                let (hot, juror) = juror(number);
                court.send(&hot, &[instructions::reveal_vote(&juror, &ballot, secret.salt)]);
            }
        }
        _ => {}
    }
}

#[test]
fn a_verdict_that_is_wrong_is_appealed_against_and_followed_to_its_end() {
    let court = court();
    let challenger = court.wallet("challenger.json");
    let job = court.post(&[]);
    court.answer(&job, LIAR, &WRONG);
    json(&mut court.assay(&challenger), &["dispute", "open", &job, "--yes"]);
    let balance = court.balance(&challenger);
    let (mut salts, mut following) = (Vec::new(), None);
    court.drive(&job, |disputed, stage| match (&following, stage) {
        (None, DisputeStage::Committing | DisputeStage::Revealing) => {
            vote_wrongly(&court, disputed, stage, &mut salts);
            if stage == DisputeStage::Revealing {
                json(&mut court.assay(&challenger), &["dispute", "open", &job]);
            }
        }
        (None, DisputeStage::Appealing) => {
            let told = json(&mut court.assay(&challenger), &["dispute", "show", &job]);
            assert!(says(&told["next"][0]["what"], "hold something else") && says(&told["verdict"], "7 gas"), "{told}");
            let liar = court.keys(LIAR).1;
            let unconfirmed = court.assay(&liar).args(["dispute", "appeal", &job]).output().unwrap();
            assert_eq!(unconfirmed.status.code(), Some(4), "{}", crate::stderr(&unconfirmed));
            following = Some(follow(&court, &job, &challenger, disputed.dispute.account.round));
        }
        (None, _) => honestly(&court, &job, &challenger, stage),
        (Some(_), DisputeStage::Committing) => honestly(&court, &job, &challenger, stage),
        (Some(_), DisputeStage::Revealing) => reveal(&court, &job),
        // Whoever follows takes it.
        (Some(_), _) => {}
    });
    let ended = following.expect("the verdict was appealed against").wait_with_output().unwrap();
    assert!(ended.status.success(), "{}{}", last_json(&ended), crate::stderr(&ended));
    let ended = last_json(&ended);
    assert_eq!((&ended["state"], says(&ended["holds"], "Exited(3)")), (&"closed".into(), true), "{ended}");
    let names: Vec<&str> =
        ended["sent"].as_array().unwrap().iter().map(|step| step["what"].as_str().unwrap()).collect();
    assert_eq!(names[0], "appeal");
    assert!(names.iter().any(|name| name.starts_with("tally_round")), "{names:?}");
    assert!(court.balance(&challenger) > balance, "it won");
    let view = court.run(court.handle(&job).status()).unwrap();
    assert_eq!(view.outcome, Some(right(&court, &job)));
    court.stop();
}

/// `assay dispute appeal --follow` in a process of its own, once the next round has begun.
fn follow(court: &Court, job: &str, wallet: &Path, round: u8) -> std::process::Child {
    let assay = court.assay(wallet);
    let mut command = Command::new(assay.get_program());
    command.env_clear();
    command.envs(assay.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["dispute", "appeal", job, "--yes", "--follow", "--json"]);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while court.disputed(job).unwrap().dispute.account.round == round {
        assert!(Instant::now() < end, "nobody appealed");
    }
    child
}

#[test]
fn content_that_nobody_has_is_voted_unavailable_and_content_that_somebody_has_is_not() {
    let court = court();
    let challenger = court.wallet("challenger.json");
    let job = court.post(&[]);
    court.answer(&job, LIAR, &WRONG);
    json(&mut court.assay(&challenger), &["dispute", "open", &job, "--yes"]);
    let nobodys = court.empty_node();
    let (served, empty) = (court.content_url(), nobodys.rpc_url().to_string());
    let mut is_refused_once = false;
    court.drive(&job, |_, stage| match stage {
        DisputeStage::Committing => {
            for juror in JURORS {
                is_refused_once |= says(&unavailable(&court, &job, juror, &served).1["error"], "is to be had");
                // Nobody listens there; something else does.
                for other in ["http://127.0.0.1:1", court.rpc_url().as_str()] {
                    let (code, said) = unavailable(&court, &job, juror, other);
                    let is_unknown = says(&said["error"], "is not known");
                    assert!(code == Some(1) && (is_unknown || is_undrawn(&said)), "{said}");
                }
                let (code, said) = unavailable(&court, &job, juror, &empty);
                let is_voted = code == Some(0) && says(&said["says"], "not to be had");
                assert!(is_voted || is_undrawn(&said), "{said}");
            }
        }
        DisputeStage::Revealing => {
            reveal(&court, &job);
            json(&mut court.assay(&challenger), &["dispute", "open", &job]);
        }
        _ => honestly(&court, &job, &challenger, stage),
    });
    assert!(is_refused_once, "some juror was drawn");
    let view = court.run(court.handle(&job).status()).unwrap();
    assert_eq!((view.status, view.outcome), (assay_protocol::JobStatus::Expired, None));
    told_without_result(
        &court,
        &job,
        ("a jury found that its content was not to be had", "the content was not to be had"),
    );
    court.stop();
}

/// What happened to an expired job, before and after it is closed.
pub fn told_without_result(court: &Court, job: &str, (reason, verdict): (&str, &str)) {
    is_refused(&mut court.poster(), &["job", "wait", job], (5, &[reason, "the whole escrow", "no provider is paid"]));
    let describe = || json(&mut court.poster(), &["job", "describe", job]);
    if describe()["closed"] == false {
        json(&mut court.poster(), &["job", "close", job]);
    }
    let told = describe();
    assert!(told["closed"] == true && says(&told["reason"], reason) && says(&told["reason"], "went back"), "{told}");
    let history = told["history"].as_array().unwrap();
    let decided = history.iter().find(|event| event["event"] == "DisputeSettled").unwrap();
    assert!(says(&decided["what"], verdict), "{decided}");
}

/// A vote of a juror whose bot has this content node, whatever the settings of whoever types it say.
fn unavailable(court: &Court, job: &str, juror: usize, kubo: &str) -> (Option<i32>, Value) {
    let other = court.try_vote(job, (juror, kubo), &["--unavailable", "--content", kubo]);
    assert!(other.0 == Some(2) && says(&other.1["error"], "--content is not for votes"), "{other:?}");
    court.try_vote(job, (juror, kubo), &["--unavailable"])
}

fn is_undrawn(said: &Value) -> bool {
    said["causes"].to_string().contains("is in the jury of round")
}

#[test]
fn seats_that_do_not_agree_are_put_before_a_jury_without_a_bond() {
    let court = Court::start_with(4, |config| assay_localnet::NetworkConfig { executions_max: 2, ..config });
    [2, 3].iter().for_each(|juror| court.set_on_duty(*juror));
    let job = court.post(&["--redundancy", "2", "--mode", "redundant"]);
    disagree(&court, &job, [0, 1]);
    a_deadlock_is_told(&court, &job);
    a_collision_is_told(&court, &job);
    let asking = court.wallet("asking.json");
    let before = court.balance(&asking);
    let opened = json(&mut court.assay(&asking), &["dispute", "open", &job, "--yes"]);
    assert_eq!((&opened["holds"], &opened["bond_lamports"]), (&Value::Null, &0.into()), "{opened}");
    let told = json(&mut court.assay(&asking), &["dispute", "show", &job]);
    assert_eq!((&told["is_deadlock"], told["seats"].as_array().unwrap().len()), (&true.into(), 2), "{told}");
    for (seat, gave) in [(0, "Exited(0), 7 gas"), (1, "Exited(0), 8 gas")] {
        assert!(says(&told["seats"][seat]["says"], gave), "what a seat gave is on chain: {told}");
    }
    court.drive(&job, |_, stage| match stage {
        DisputeStage::Committing => [2, 3].iter().for_each(|juror| drop(court.vote(&job, *juror, &[]))),
        DisputeStage::Revealing => {
            let disputed = court.disputed(&job).unwrap();
            let voted =
                |juror: &&usize| disputed.votes.iter().any(|vote| vote.account.provider == court.address(**juror));
            [2, 3].iter().filter(voted).for_each(|juror| drop(court.vote(&job, *juror, &[])));
        }
        DisputeStage::Entering | DisputeStage::Appealing | DisputeStage::Counted => {}
        _ => drop(json(&mut court.poster(), &["dispute", "settle", &job])),
    });
    let view = court.run(court.handle(&job).status()).unwrap();
    assert_eq!(view.outcome.map(|outcome| outcome.exit_code), Some(3));
    assert!(before - court.balance(&asking) < 20_000, "the rent came back");
    court.stop();
}

/// While nothing stands, no seat is beside it.
fn a_deadlock_is_told(court: &Court, job: &str) {
    let told = json(&mut court.poster(), &["job", "describe", job]);
    assert_eq!((&told["state"], told["seats"].as_array().unwrap().len()), (&"deadlocked".into(), 2), "{told}");
    for seat in told["seats"].as_array().unwrap() {
        assert_eq!((&seat["state"], &seat["stands"]), (&"revealed".into(), &Value::Null), "{told}");
    }
    let history = told["history"].as_array().unwrap();
    let disagreed = history.iter().find(|entry| entry["event"] == "SeatsDisagreed").unwrap();
    assert!(says(&disagreed["what"], "too few of 2 seats say the same, and there may be no more"), "{disagreed}");
    let text = String::from_utf8(court.poster().args(["job", "describe", job]).output().unwrap().stdout).unwrap();
    assert!(text.contains("a deadlock") && !text.contains("not what stands"), "{text}");
}

/// Once it is on record, whoever looks at the job or would post another one of its module sees it.
fn a_collision_is_told(court: &Court, job: &str) {
    let dir = job_directory(court.home.path());
    let quote = || json(&mut court.poster(), &["job", "quote", dir.to_str().unwrap()]);
    assert_eq!(quote()["module"], Value::Null);
    let account: Job = court.run(court.client().fetch(&job.parse().unwrap())).unwrap();
    let module = ModuleSeeds { market: account.market, metered_hash: account.metered_hash };
    let keys = court.keys(0).1;
    let collision = RecordCollision { payer: key(&keys).pubkey(), job: job.parse().unwrap(), module, is_new: true };
    court.send(&keys, &[instructions::record_collision(&collision)]);
    for told in [quote(), json(&mut court.poster(), &["job", "describe", job])] {
        let module = &told["module"];
        assert_eq!((&module["collisions"], &module["distinct_max"]), (&1.into(), &2.into()), "{told}");
        assert_eq!((&module["entropy_millibits"], &module["last_job"]), (&1_000.into(), &job.into()), "{told}");
    }
    assert!(quote()["remarks"].to_string().contains("gave different outcomes in one job"));
}

/// Two providers take the seats of a job and reveal different outcomes, both wrong.
fn disagree(court: &Court, job: &str, providers: [usize; 2]) {
    let account = || -> Job { court.run(court.client().fetch(&job.parse().unwrap())).unwrap() };
    // From half of its queue on every ticket wins.
    court.travel_to(account().queue_deadline_unix - 250);
    // The block that draws is there a few slots after the job was posted.
    let end = Instant::now() + Duration::from_secs(60);
    let record = instructions::record_seed(job.parse().unwrap());
    while !court.is_taken(&court.keys(providers[0]).1, std::slice::from_ref(&record)) {
        assert!(Instant::now() < end, "no block came");
    }
    for provider in providers {
        let (now_unix, job_account) = (court.now_unix(), account());
        assert_eq!(job_account.seat_threshold(now_unix), tickets::EVERYBODY);
        let accept = AcceptJob {
            seat: court.seat(job, provider),
            market: court.market(),
            job_uid: job_account.job_uid,
            ticket: 0,
        };
        court.send(&court.keys(provider).1, &[instructions::accept_job(&accept)]);
    }
    let says = [7, 8].map(|gas_used| Outcome { gas_used, ..WRONG });
    for (provider, outcome) in providers.into_iter().zip(&says) {
        let (job_uid, address) = (account().job_uid, court.address(provider).to_bytes());
        let input = assay_protocol::ids::CommitmentInput {
            job_uid: &job_uid,
            provider: &address,
            outcome_hash: &outcome.hash(),
            trace_root: &[0; 32],
            salt: &[1; 32],
        };
        let commitment = assay_protocol::commitment(&input);
        court.send(&court.keys(provider).1, &[instructions::commit_result(&court.seat(job, provider), commitment)]);
    }
    for (provider, outcome) in providers.into_iter().zip(&says) {
        let reveal = instructions::reveal_result(&court.seat(job, provider), outcome, [1; 32]);
        court.send(&court.keys(provider).1, &[reveal]);
    }
}
