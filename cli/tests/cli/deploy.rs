//! `migrations/deploy`, against a `solana` of our own that keeps what was deployed in files. What the real one does with it is
//! not tested here.
#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::stderr;

/// Answers as the Agave tools do, from files in `$STATE`; every call is noted in `calls`.
const SOLANA: &str = r#"#!/bin/bash
echo "$*" >> "$STATE/calls"
[ ! -e "$STATE/down" ] || exit 1
for last; do :; done
case "$1 ${2:-}" in
  cluster-version*) ;;
  rent*) printf '{\n  "rentExemptMinimumLamports": 2000000000\n}\n' ;;
  balance*) echo "$(cat "$STATE/balance") lamports" ;;
  "program show") [ -e "$STATE/program" ] || exit 1
    printf '{\n  "authority": "%s",\n  "dataLen": 7\n}\n' "$(cat "$STATE/authority")" ;;
  "program dump") cat "$STATE/program" > "$last"; printf '\0\0\0' >> "$last" ;;
  "program deploy") [ ! -e "$STATE/fails" ] || exit 1
    cat "$last" > "$STATE/program" ;;
  *) exit 9 ;;
esac
"#;

/// A keypair file holds its own address here.
const KEYGEN: &str = r#"#!/bin/bash
for last; do :; done
case "$1" in pubkey) cat "$2" ;; new) echo buffer > "$last" ;; esac
"#;

struct Cluster {
    dir: tempfile::TempDir,
}

impl Cluster {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let cluster = Self { dir };
        for (name, text) in [("solana", SOLANA), ("solana-keygen", KEYGEN)] {
            cluster.write(name, text);
            fs::set_permissions(cluster.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        cluster.write("program.json", &declared_address());
        cluster.write("wallet.json", "Wa11et");
        cluster.write("authority", "Wa11et");
        cluster.write("balance", "3000000000");
        cluster.write("new.so", "program");
        for key in ["program.json", "wallet.json"] {
            fs::set_permissions(cluster.path(key), fs::Permissions::from_mode(0o600)).unwrap();
        }
        cluster
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs the script for `new.so`; what a later argument says counts.
    fn deploy(&self, arguments: &[&str]) -> Output {
        let path = format!("{}:{}", self.dir.path().display(), std::env::var("PATH").unwrap());
        Command::new("bash")
            .arg(root().join("migrations/deploy"))
            .args(["--so", "new.so", "--program-keypair", "program.json", "--keypair", "wallet.json"])
            .args(arguments)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.dir.path())
            .env("STATE", self.dir.path())
            .output()
            .unwrap()
    }

    fn refuses(&self, arguments: &[&str], parts: &[&str]) {
        let output = self.deploy(arguments);
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        for part in parts {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        assert!(!calls.contains("program deploy"), "{calls}");
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let output = self.deploy(arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn declared_address() -> String {
    let source = fs::read_to_string(root().join("programs/assay/src/lib.rs")).unwrap();
    let line = source.lines().find(|line| line.starts_with("declare_id!")).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn a_program_is_deployed_once_and_then_left_alone() {
    let cluster = Cluster::new();
    assert!(cluster.succeeds(&["--dry-run"]).contains("nothing was sent"));
    assert!(!cluster.path("program").exists());
    assert!(cluster.succeeds(&[]).contains("done. Next: assay market create"));
    assert_eq!(fs::read(cluster.path("program")).unwrap(), b"program");
    assert!(!cluster.path("program.json.buffer").exists());
    assert!(cluster.succeeds(&[]).contains("nothing to do"));
    cluster.write("new.so", "program, improved");
    assert!(cluster.succeeds(&[]).contains("upgrading"));
    assert!(cluster.succeeds(&[]).contains("nothing to do"));
}

#[test]
fn an_upload_that_was_interrupted_goes_on_with_the_same_buffer() {
    let cluster = Cluster::new();
    cluster.write("fails", "");
    let output = cluster.deploy(&[]);
    assert!(stderr(&output).contains("Run the same command again to go on"), "{}", stderr(&output));
    fs::remove_file(cluster.path("fails")).unwrap();
    // The buffer has the rent already.
    cluster.write("balance", "1000000");
    assert!(cluster.succeeds(&[]).contains("going on with the upload to buffer buffer"));
}

#[test]
fn what_stands_in_the_way_is_named_before_anything_is_sent() {
    let cluster = Cluster::new();
    cluster.refuses(&["--program-keypair", "absent.json"], &["absent.json is not there"]);
    cluster.refuses(&["--program-keypair"], &["--program-keypair wants a value"]);
    cluster.refuses(&["--keypair", "absent.json"], &["absent.json is not there", "--keypair"]);
    cluster.refuses(&["--so", "absent.so"], &["absent.so is not there", "tools/build-program"]);
    cluster.refuses(&["--nonsense"], &["unknown argument --nonsense; see --help"]);
    cluster.write("other.json", "0ther");
    fs::set_permissions(cluster.path("other.json"), fs::Permissions::from_mode(0o600)).unwrap();
    cluster.refuses(&["--program-keypair", "other.json"], &["0ther", &declared_address(), "tools/build-program"]);
    fs::set_permissions(cluster.path("other.json"), fs::Permissions::from_mode(0o644)).unwrap();
    cluster.refuses(&["--keypair", "other.json"], &["can be read by others; type: chmod 600 other.json"]);
    cluster.write("balance", "5");
    cluster.refuses(&[], &["Wa11et holds 0.000000005 SOL", "up to 2.020000000 SOL are needed"]);
    cluster.write("down", "");
    cluster.refuses(&["--url", "https://rpc.example/v1?token=hush"], &["https://rpc.example cannot be reached"]);
    assert!(!stderr(&cluster.deploy(&["--url", "https://rpc.example/?token=hush"])).contains("hush"));
}

#[test]
fn a_program_of_somebody_else_or_of_nobody_is_not_upgraded() {
    let cluster = Cluster::new();
    cluster.write("program", "old");
    cluster.write("authority", "S0mebody");
    cluster.refuses(&[], &["upgrade authority", "is S0mebody, and the wallet is Wa11et"]);
    cluster.write("authority", "none");
    cluster.refuses(&[], &["cannot be upgraded any more"]);
}

#[test]
fn nothing_is_spent_on_a_public_cluster_unasked_and_no_kit_build_goes_there() {
    let cluster = Cluster::new();
    for url in ["https://api.devnet.solana.com", "https://127.0.0.1.example", "https://rpc.example/?x=localhost"] {
        cluster.refuses(&["--url", url], &["add --yes to go ahead"]);
    }
    assert!(cluster.succeeds(&["--url", "https://api.devnet.solana.com", "--yes"]).contains("done"));
    let record = fs::read_to_string(root().join("programs/artifacts/assay.so.json")).unwrap();
    if record.contains("sbf-kit") {
        let fresh = Cluster::new();
        let committed = root().join("programs/artifacts/assay.so");
        let arguments = ["--so", committed.to_str().unwrap(), "--url", "https://api.devnet.solana.com"];
        fresh.refuses(&arguments, &["--allow-kit-build"]);
        fresh.refuses(&[&arguments[..], &["--allow-kit-build"]].concat(), &["add --yes"]);
    }
}
