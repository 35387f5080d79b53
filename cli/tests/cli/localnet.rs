//! How a local network begins and ends.
#![cfg(all(feature = "localnet", target_os = "linux"))]

use std::{fs, net::TcpListener, path::Path};

use crate::{assay, home, network::Localnet, stderr};

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
