//! How a local network begins and ends.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

use crate::{
    assay, home,
    network::{Localnet, job_directory, json},
    stderr,
};

fn said(home: &Path) -> String {
    fs::read_to_string(home.join("said")).unwrap()
}

/// Without `--json`, remarks are made; this one ends before anything is started.
fn fails(home: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = assay(home).args(["localnet", "--dir"]).arg(home.join("net")).args(arguments).output().unwrap();
    (output.status.code(), stderr(&output))
}

#[test]
fn two_networks_never_share_a_directory() {
    let home = home();
    let network = Localnet::start(home.path(), "0");
    let (code, text) = fails(home.path(), &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("another local network uses") && text.contains("next: stop it"), "{text}");
    assert!(network.interrupt().success());
}

#[test]
fn a_network_says_that_its_chain_begins_anew_and_what_remains_at_the_end() {
    let home = home();
    let up = || Localnet::start_with(home.path(), &["--providers", "0"]);
    assert!(up().interrupt().success());
    let first = said(home.path());
    assert!(!first.contains("ran in") && first.contains("remain in"), "{first}");
    assert!(up().interrupt().success());
    let second = said(home.path());
    assert!(!second.contains("panicked"), "{second}");
    assert!(second.contains("its chain is gone, so jobs, balances and markets begin anew"), "{second}");
    assert!(home.path().join("net/keys/poster.json").exists());
}

#[test]
fn a_port_that_is_taken_and_a_port_named_twice_are_named() {
    let home = home();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for flag in ["--rpc-port", "--ws-port", "--content-port", "--gateway-port"] {
        let (code, text) = fails(home.path(), &[flag, &port]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(&port) && text.contains("choose another port"), "{flag}: {text}");
    }
    let (code, text) = fails(home.path(), &["--rpc-port", "21", "--gateway-port", "21"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--rpc-port and --gateway-port are both 21"), "{text}");
    assert_eq!(fails(home.path(), &["--slot-ms", "1"]).0, Some(2));
    assert_eq!(fails(home.path(), &["--providers", "99"]).0, Some(2));
}

#[test]
fn a_network_whose_provider_dies_ends_with_the_reason() {
    let home = home();
    let mut network = Localnet::start_with(home.path(), &["--providers", "1"]);
    // A child is listed with the thread that started it.
    let threads = fs::read_dir(format!("/proc/{}/task", network.child.id())).unwrap().flatten();
    let children = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    let children = children.collect::<Vec<_>>().join(" ");
    let child: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(child).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
    assert_eq!(network.child.wait().unwrap().code(), Some(1));
    let printed = said(home.path());
    for part in ["provider-1 ended by itself (signal: 9", "because: its log", "provider-1/provider.log"] {
        assert!(printed.contains(part), "{part} is not in {printed}");
    }
}

/// Types what a network proposes for another terminal, where `assay` is on the path and a Rust toolchain that gives the
/// committed module. What it asks for is not confirmed by hand: `added` goes behind the last line.
fn type_proposal(network: &Localnet, (home, directory): (&Path, &Path), added: &str) -> String {
    let tools = home.join("tools");
    fs::create_dir_all(&tools).unwrap();
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/modules/rust.wasm");
    let built = format!(r#"{{"reason":"compiler-artifact","filenames":["{}"]}}"#, module.display());
    for (tool, does) in [("cargo", format!("echo '{built}'")), ("rustc", "exit 1".to_owned())] {
        fs::write(tools.join(tool), format!("#!/bin/sh\n{does}\n")).unwrap();
        fs::set_permissions(tools.join(tool), fs::Permissions::from_mode(0o755)).unwrap();
    }
    symlink(env!("CARGO_BIN_EXE_assay"), tools.join("assay")).unwrap();
    let proposed = network.printed.iter().skip_while(|line| *line != "In another terminal:").skip(1);
    let proposed: Vec<&str> = proposed.take_while(|line| line.starts_with("  ")).map(String::as_str).collect();
    assert_eq!(proposed.len(), 3, "{:?}", network.printed);
    let mut shell = Command::new("bash");
    shell.arg("-ec").arg(format!("{} {added}", proposed.join("\n"))).current_dir(directory);
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
    let output = shell.env_clear().env("HOME", home).env("PATH", path).output().unwrap();
    let text = format!("{proposed:#?}\n{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn what_a_network_proposes_can_be_typed_in_another_terminal() {
    let home = home();
    let own = home.path().join("my own");
    fs::create_dir(&own).unwrap();
    let network = Localnet::start_with(&own, &["--providers", "1"]);
    let text = type_proposal(&network, (home.path(), &own), "--yes");
    assert!(text.contains("assay init numbers") && own.join("numbers/job/numbers.wasm").is_file(), "{text}");
    assert!(network.interrupt().success());
}

#[test]
fn a_network_started_where_the_sample_jobs_are_proposes_one_of_them() {
    let home = home();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let network = Localnet::start_in(root, home.path(), &["--providers", "1"]);
    let text = type_proposal(&network, (home.path(), root), "--yes");
    assert!(text.contains("assay job submit examples/jobs/word-count/job --wait"), "{text}");
    assert!(network.interrupt().success());
}

#[test]
fn liars_that_there_are_not_or_too_many_of_are_refused_before_anything_starts() {
    let home = home();
    for (liars, named) in [
        ("greedy=1", ["greedy is no habit", "wrong, lazy, copycat, silent, no-reveal"]),
        ("wrong=x", ["x is no number of providers", "wrong=1"]),
        ("wrong=1,silent=2", ["names 3 providers with a bad habit", "only 2 in all"]),
    ] {
        let (code, text) = fails(home.path(), &["--providers", "2", "--liars", liars]);
        assert_eq!(code, Some(2), "{text}");
        assert!(named.iter().all(|part| text.contains(part)), "{text}");
    }
    assert!(!home.path().join("net").exists());
}

#[test]
fn a_network_names_its_liars_and_has_the_keys_of_its_seed() {
    let home = home();
    let arguments = ["--json", "--providers", "2", "--liars", "silent", "--seed", "7"];
    let network = Localnet::start_with(home.path(), &arguments);
    let said: serde_json::Value = serde_json::from_str(network.printed.last().unwrap()).unwrap();
    assert_eq!(said["habits"], serde_json::json!([null, "silent"]));
    let status = json(&mut network.poster(home.path()), &["provider", "status", "--all"]);
    assert_eq!(status.as_array().unwrap().len(), 2);
    assert!(status.as_array().unwrap().iter().all(|one| one["tickets"].as_u64().unwrap() > 0), "enrolled: {status}");
    let dir = job_directory(home.path()).display().to_string();
    let quote = |seats| json(&mut network.poster(home.path()), &["job", "quote", &dir, "--redundancy", seats]);
    let (two, three) = (quote("2"), quote("3"));
    assert_eq!((&two["eligible"], &three["eligible"]), (&2.into(), &2.into()));
    assert!(
        two["fill"]["half_s"].as_u64() <= two["fill"]["most_s"].as_u64() && three["fill"].is_null(),
        "{two} {three}"
    );
    assert!(three["remarks"].to_string().contains("3 are wanted") && two["job"].is_null(), "{three}");
    let own = |number: usize, arguments: &[&str]| {
        let cold = network.info["providers"][number]["authority_keypair"].as_str().unwrap();
        json(network.poster(home.path()).env("ASSAY_KEYPAIR", cold), arguments)
    };
    // The honest one is on duty from the beginning.
    let on = own(0, &["provider", "status", "--history"]);
    assert_eq!((&on["is_on_duty"], &on["history"]["seats"]["paid"]), (&true.into(), &0.into()), "{on}");
    assert_eq!(on["locked_lamports"], on["duty_lock_lamports"]);
    own(0, &["provider", "duty", "off", "--yes"]);
    let off = own(0, &["provider", "status"]);
    assert_eq!((&off["is_on_duty"], &off["duty_lock_lamports"]), (&false.into(), &on["duty_lock_lamports"]), "{off}");
    assert_eq!(own(1, &["provider", "status"])["is_on_duty"], false, "no liar is");
    own(1, &["provider", "duty", "on", "--yes"]);
    assert_eq!(own(1, &["provider", "status"])["is_on_duty"], true);
    assert!(network.interrupt().success());
    let (code, text) = fails(home.path(), &["--seed", "8"]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("is not of the seed that was given"), "{text}");
}
