//! A provider and a market owner from zero, and what they are told when something is refused.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use std::path::{Path, PathBuf};

use crate::{
    assay, home,
    network::{Localnet, json, refused, says},
    stderr,
};

/// Refused with this exit code, and these words in the error, its causes or the next step.
pub fn is_refused(command: &mut assert_cmd::Command, arguments: &[&str], (code, parts): (i32, &[&str])) {
    let (found, error) = refused(command, arguments);
    let said = format!("{} {} {}", error["error"], error["causes"], error["next"]);
    assert_eq!(found, Some(code), "{arguments:?}: {said}");
    for part in parts {
        assert!(said.contains(part), "{arguments:?}: {part} is not in {said}");
    }
    assert!(error["next"].is_string(), "{arguments:?}: no next step in {error}");
}

#[test]
fn a_provider_lives_from_registration_to_its_end_by_commands_alone() {
    let home = home();
    let network = Localnet::start(home.path(), "0");
    let assay = || network.poster(home.path());
    let dir = home.path().join("provider");
    let dir = dir.to_str().unwrap();
    is_refused(&mut assay(), &["provider", "status"], (1, &["is no provider in the market", "provider register"]));
    is_refused(&mut assay(), &["provider", "register", "--dir", dir, "--stake", "2"], (1, &["provider init"]));
    let open = ["provider", "init", "--dir", dir, "--listen", "0.0.0.0:9464"];
    is_refused(&mut assay(), &open, (1, &["server.listen is not on loopback", "--public"]));
    assert!(!Path::new(dir).exists(), "nothing is written that would not work");
    let elsewhere = home.path().join("open");
    let elsewhere = ["--dir", elsewhere.to_str().unwrap(), "--listen", "0.0.0.0:9464", "--public"];
    let public = json(&mut assay(), &[&["provider", "init"][..], &elsewhere].concat());
    let text = std::fs::read_to_string(public["config"].as_str().unwrap()).unwrap();
    assert!(text.contains("listen = \"0.0.0.0:9464\"\npublic = true"), "{text}");
    let written = json(&mut assay(), &["provider", "init", "--dir", dir]);
    assert_eq!(written["market"], network.info["market"]);
    is_refused(&mut assay(), &["provider", "init", "--dir", dir], (1, &["is not overwritten"]));

    let register = ["provider", "register", "--dir", dir, "--yes", "--stake"];
    is_refused(&mut assay(), &[&register[..], &["5000"]].concat(), (1, &["5,000 SOL stake", "airdrop"]));
    json(&mut assay(), &[&register[..], &["2"]].concat());
    is_refused(
        &mut assay(),
        &[&register[..], &["2"]].concat(),
        (1, &["already", "provider status", "provider update"]),
    );

    is_refused(&mut assay(), &["provider", "stake", "5000", "--yes"], (1, &["5,000 SOL stake", "are needed"]));
    is_refused(&mut assay(), &["provider", "stake", "0", "--yes"], (2, &["above zero"]));
    is_refused(&mut assay(), &["provider", "stake", "1"], (4, &["--yes"]));
    json(&mut assay(), &["provider", "stake", "1", "--yes"]);
    is_refused(&mut assay(), &["provider", "unstake", "99", "--yes"], (1, &["3 SOL are free", "at most 3 SOL"]));
    is_refused(&mut assay(), &["provider", "withdraw", "--yes"], (1, &["nothing to withdraw", "provider unstake"]));
    is_refused(&mut assay(), &["provider", "close", "--yes"], (1, &["it has stake", "provider unstake"]));
    json(&mut assay(), &["provider", "unstake", "0.5", "--yes"]);
    is_refused(&mut assay(), &["provider", "withdraw", "--yes"], (1, &["0.5 SOL are unbonding for another"]));
    json(&mut assay(), &["provider", "update", "--capacity", "9", "--exposure-cap", "1", "--yes"]);
    let status = json(&mut assay(), &["provider", "status"]);
    let numbers = ["stake_lamports", "unbonding_lamports", "capacity", "exposure_cap_lamports"];
    let numbers = numbers.map(|key| status[key].as_u64().unwrap());
    assert_eq!(numbers, [2_500_000_000, 500_000_000, 9, 1_000_000_000]);
    assert_eq!(json(&mut assay(), &["provider", "claim"])["claimed_lamports"], 0);
    assert!(network.interrupt().success());
}

#[test]
fn a_hot_key_is_replaced_and_an_empty_provider_closed() {
    let home = home();
    let network = Localnet::start(home.path(), "0");
    let assay = || network.poster(home.path());
    let dir = home.path().join("provider");
    let dir = dir.to_str().unwrap();
    json(&mut assay(), &["provider", "init", "--dir", dir]);
    json(&mut assay(), &["provider", "register", "--dir", dir, "--stake", "0", "--yes"]);
    let key = home.path().join("new.json");
    let key = key.to_str().unwrap();
    let new = json(&mut assay(), &["wallet", "new", "--out", key]);
    json(&mut assay(), &["provider", "update", "--node-key", key, "--yes"]);
    assert_eq!(json(&mut assay(), &["provider", "status"])["node_key"], new["address"]);
    json(&mut assay(), &["provider", "close", "--yes"]);
    is_refused(&mut assay(), &["provider", "status"], (1, &["is no provider"]));
    assert!(network.interrupt().success());
}

/// Arguments for this market.
fn of<'a>(market: &'a str, arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &["--market", market]].concat()
}

#[test]
fn a_market_is_created_changed_paused_and_shown_whole_by_commands_alone() {
    let home = home();
    let network = Localnet::start(home.path(), "0");
    let assay = || network.poster(home.path());
    let create = ["market", "create", "--name", "second", "--yes"];
    let created = json(&mut assay(), &create);
    let market = created["market"].as_str().unwrap();
    is_refused(&mut assay(), &create, (1, &["already", market, "market update"]));
    is_refused(&mut assay(), &["market", "create", "--name", "", "--yes"], (2, &["1 to 32 bytes"]));
    is_refused(&mut assay(), &["market", "show"], (2, &["2 markets", "--market"]));

    let shown = json(&mut assay(), &of(market, &["market", "show"]));
    assert_eq!((&shown["name"], &shown["pending"], &shown["paused"]), (&"second".into(), &().into(), &false.into()));
    for key in ["delay_fee_lamports", "decline_fee_lamports", "job_total_s", "profiles", "pause_allowed_from_unix"] {
        assert!(shown[key].is_number(), "{key} in {shown}");
    }
    // Every change waits; what was shown before still holds.
    json(&mut assay(), &of(market, &["market", "update", "--stake-min", "3", "--fee-bps", "150", "--yes"]));
    json(&mut assay(), &of(market, &["market", "pause", "600", "--yes"]));
    is_refused(&mut assay(), &of(market, &["market", "pause", "600", "--yes"]), (1, &["once in 7 days"]));
    is_refused(&mut assay(), &of(market, &["market", "pause", "999999", "--yes"]), (2, &["at most"]));
    let shown = json(&mut assay(), &of(market, &["market", "show"]));
    assert_eq!((&shown["fee_bps"], &shown["pending"]["fee_bps"]), (&200.into(), &150.into()));
    assert_eq!(shown["pending"]["stake_min_lamports"], 3_000_000_000_u64);
    assert!(shown["pending"]["from_unix"].as_i64() > shown["paused_until_unix"].as_i64(), "{shown}");
    let text = assay().args(of(market, &["market", "show"])).output().unwrap();
    let text = String::from_utf8(text.stdout).unwrap();
    for part in ["delay fee", "decline fee", "job total", "announced", "at least 3 SOL", "paused      for another"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(json(&mut assay(), &of(market, &["market", "claim"]))["claimed_lamports"], 0);
    let foreign = ["market", "claim", "--market", network.info["market"].as_str().unwrap()];
    is_refused(&mut assay(), &foreign, (1, &["belongs to", "--keypair"]));
    assert!(network.interrupt().success());
}

#[test]
fn i_06_a_market_changes_hands_in_two_steps_by_commands_alone() {
    let home = home();
    let network = Localnet::start(home.path(), "0");
    let created = json(&mut network.poster(home.path()), &["market", "create", "--name", "mine", "--yes"]);
    let market = created["market"].as_str().unwrap();
    let key = home.path().join("second.json");
    let key = key.to_str().unwrap();
    let second = json(&mut network.poster(home.path()), &["wallet", "new", "--out", key]);
    let second = second["address"].as_str().unwrap();
    json(&mut network.poster(home.path()), &["wallet", "airdrop", "1", "--keypair", key]);
    let mine = |arguments: &[&str]| {
        json(&mut network.poster(home.path()), &[arguments, &["--market", market, "--yes"]].concat())
    };
    let theirs = ["--market", market, "--yes", "--keypair", key];
    let show = || json(&mut network.poster(home.path()), &of(market, &["market", "show"]));
    let first = show()["authority"].clone();

    let accept = [&["market", "accept-authority"][..], &theirs].concat();
    is_refused(&mut network.poster(home.path()), &accept, (1, &["is not offered to you", "propose-authority"]));
    let back = ["market", "propose-authority", first.as_str().unwrap(), "--market", market, "--yes"];
    is_refused(&mut network.poster(home.path()), &back, (2, &["offered to nobody"]));
    mine(&["market", "propose-authority", second]);
    assert_eq!((&show()["authority"], &show()["pending_authority"]), (&first, &second.into()));
    mine(&["market", "propose-authority", first.as_str().unwrap()]);
    assert!(show()["pending_authority"].is_null(), "the offer was taken back");
    mine(&["market", "propose-authority", second]);
    json(&mut network.poster(home.path()), &accept);
    assert_eq!((&show()["authority"], show()["pending_authority"].is_null()), (&second.into(), true));
    is_refused(&mut network.poster(home.path()), &of(market, &["market", "claim"]), (1, &["belongs to"]));
    assert!(network.interrupt().success());
}

#[test]
fn a_wallet_without_money_is_told_so_before_anybody_is_asked() {
    let home = home();
    let network = Localnet::start(home.path(), "0");
    let key = home.path().join("poor.json");
    json(&mut network.poster(home.path()), &["wallet", "new", "--out", key.to_str().unwrap()]);
    let (code, error) = refused(
        &mut network.poster(home.path()),
        &["market", "create", "--name", "x", "--keypair", key.to_str().unwrap()],
    );
    assert!(code == Some(1) && says(&error["error"], "holds 0 SOL") && says(&error["next"], "airdrop"), "{error}");
    assert!(network.interrupt().success());
}

#[test]
fn doctor_skips_what_an_earlier_failure_hides() {
    let home = home();
    let down = format!(
        "http://127.0.0.1:{}",
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    );
    let doctor = |home: &Path| {
        let output = assay(home).args(["doctor", "--json", "--cluster", &down, "--content", &down]).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        crate::last_json(&output)
    };
    let states = |rows: serde_json::Value| {
        let rows = rows.as_array().unwrap().clone();
        move |check: &str| {
            rows.iter().find(|row| row["check"] == check).map(|row| row["state"].as_str().unwrap().to_owned())
        }
    };
    let state = states(doctor(home.path()));
    let fail = Some("fail".to_owned());
    assert_eq!((state("cluster"), state("wallet"), state("content node")), (fail.clone(), fail.clone(), fail));
    let skip = Some("skip".to_owned());
    assert_eq!((state("program"), state("market")), (skip.clone(), skip.clone()));
    let key = home.path().join(".config/solana/id.json");
    assay(home.path()).args(["wallet", "new", "--out"]).arg(key).assert().success();
    assert_eq!(states(doctor(home.path()))("wallet"), skip);
}

/// Settings of a bot that has no chain, and perhaps its key.
fn without_a_chain(home: &Path) -> PathBuf {
    let text = "[provider]\nmarket = \"11111111111111111111111111111111\"\n\
                authority = \"11111111111111111111111111111111\"\nnode_key_path = \"node.json\"\ndata_dir = \"data\"\n\
                [worker]\nisolation = \"required\"\n[chain]\ncluster = \"http://127.0.0.1:1\"\n";
    let config = home.join("provider.toml");
    std::fs::write(&config, text).unwrap();
    config
}

#[test]
fn a_bot_whose_log_nobody_reads_any_more_does_not_end_of_it() {
    let home = home();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_assay"));
    command.env_clear().env("HOME", home.path()).args(["provider", "start", "--config"]);
    let output = command.arg(without_a_chain(home.path())).stderr(writer).output().unwrap();
    // It has no key, which it says behind the first lines of its log.
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_file_that_is_no_receipt_is_listed_as_that_and_neither_as_published_nor_as_waiting() {
    let home = home();
    let receipts = home.path().join("data/receipts");
    std::fs::create_dir_all(&receipts).unwrap();
    std::fs::write(receipts.join(format!("{}.json", "ab".repeat(32))), "{}").unwrap();
    let config = without_a_chain(home.path());
    let rows = json(&mut assay(home.path()), &["provider", "receipts", "--config", config.to_str().unwrap()]);
    let mut keys: Vec<_> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["error", "job_uid", "path"], "{rows}");
}

#[test]
fn e_28_a_bot_whose_endpoint_is_down_keeps_the_token_in_its_url_to_itself() {
    let home = home();
    let key = home.path().join("node.json");
    assay(home.path()).args(["wallet", "new", "--out"]).arg(&key).assert().success();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let text = format!(
        "[provider]\nmarket = \"{0}\"\nauthority = \"{0}\"\nnode_key_path = \"node.json\"\ndata_dir = \"data\"\n\
         [worker]\nisolation = \"required\"\n[chain]\ncluster = \"http://127.0.0.1:{port}/v1?api-key=hush\"\n[content]\nkubo = [\"http://127.0.0.1:{port}\"]\n",
        "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"
    );
    let config = home.path().join("provider.toml");
    std::fs::write(&config, text).unwrap();
    let output = assay(home.path()).args(["provider", "start", "--config"]).arg(&config).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let said = stderr(&output);
    assert!(said.contains(&format!("http://127.0.0.1:{port}")) && said.contains("cannot be reached"), "{said}");
    assert!(!said.contains("hush") && !said.contains("/v1"), "{said}");
}
