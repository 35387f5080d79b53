//! Usage, settings, errors and exit codes.

use std::path::Path;

use crate::{assay, home, last_json, stderr};

/// A port of the loopback interface on which nobody listens.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let home = home();
    let output = assay(home.path()).arg("--help").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for command in [
        "run",
        "job",
        "provider",
        "market",
        "verify",
        "localnet",
        "demo",
        "wallet",
        "doctor",
        "config",
        "completion",
        "init",
        "build",
        "test",
        "validate",
        "inspect",
        "meter",
        "bench",
    ] {
        assert!(text.lines().any(|line| line.trim_start().starts_with(command)), "{command} is not in\n{text}");
    }
    assert!(text.contains("Exit codes: 0 done"), "{text}");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for code in ["3 something differs", "4 not", "5 the job has no", "6 the job has not", "7 the cluster", "130 int"] {
        assert!(text.contains(code), "{code} is not in\n{text}");
    }
}

#[test]
fn commands_that_check_or_build_name_their_exit_codes() {
    let home = home();
    for (command, codes) in [
        ("verify", "0123567"),
        ("receipt verify", "0123567"),
        ("receipt diff", "0123"),
        ("receipt show", "012"),
        ("test", "0123"),
        ("bench", "0123"),
        ("run", "012"),
        ("meter", "012"),
        ("validate", "012"),
        ("inspect", "012"),
        ("build", "012"),
        ("init", "012"),
    ] {
        let help = assay(home.path()).args(command.split(' ')).arg("--help").output().unwrap().stdout;
        let help = String::from_utf8(help).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let (_, listed) = help.split_once("Exit codes: ").unwrap_or_else(|| panic!("{command}: {help}"));
        for code in codes.chars() {
            let is_listed = listed.starts_with(code)
                || listed.contains(&format!("· {code} "))
                || listed.contains(&format!("also {code} "));
            assert!(is_listed, "{command}: {code} is not in {listed}");
        }
    }
}

#[test]
fn proposed_commands_can_be_typed_as_the_program_was_called() {
    let home = home();
    let output = assay(home.path()).args(["wallet", "balance", "--keypair", "absent.json"]).output().unwrap();
    assert!(stderr(&output).contains("`assay wallet new --out"), "{}", stderr(&output));
    let mut called = assay(home.path());
    called.env("ASSAY_INVOKED_AS", "./run assay").args(["wallet", "balance", "--keypair", "absent.json"]);
    let text = stderr(&called.output().unwrap());
    assert!(text.contains("`./run assay wallet new --out"), "{text}");
}

/// From a directory of one's own, `./run assay` works there, and so does each command that it proposes: `init` proposes to
/// build and test, a test without a module to build it, one that differs to record the result.
#[cfg(unix)]
#[test]
fn run_assay_works_in_the_callers_directory_and_so_do_the_commands_that_it_proposes() {
    use std::os::unix::fs::PermissionsExt;
    let home = home();
    let own = home.path().join("my own");
    std::fs::create_dir(&own).unwrap();
    // A toolchain that gives the committed module.
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/modules/c.wasm");
    let tool = home.path().join("tinygo");
    std::fs::write(&tool, format!("#!/bin/sh\nexec cp '{}' \"$4\"\n", module.display())).unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let typed = |directory: &Path, command: &str| {
        let mut shell = std::process::Command::new("bash");
        shell.args(["-c", command]).current_dir(directory).env_clear().env("HOME", home.path());
        shell.env("PATH", format!("{}:{path}", home.path().display()));
        shell.env("ASSAY_BINARY", env!("CARGO_BIN_EXE_assay")).output().unwrap()
    };
    let text = |output: &std::process::Output| format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(output));
    let proposed = |text: &str, before: &str, end: char| {
        let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{before:?} is not in {text}"));
        rest.split(end).next().unwrap().to_owned()
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let run = root.join("run").display().to_string();

    let made = text(&typed(&own, &format!("'{run}' assay init numbers --lang tinygo --dir 'two words'")));
    assert!(own.join("two words/main.go").is_file(), "{made}");
    let unbuilt = text(&typed(&own, &format!("'{run}' assay test 'two words'")));
    let build = proposed(&unbuilt, "build it first: `", '`');
    assert!(build.ends_with("assay build 'two words'"), "{unbuilt}");
    let built = typed(&own, &build);
    assert!(built.status.success() && own.join("two words/job/numbers.wasm").is_file(), "{}", text(&built));
    let next = typed(&own, &proposed(&made, "next: ", '\n'));
    assert!(next.status.success() && text(&next).contains("as expected"), "{}", text(&next));
    std::fs::write(own.join("two words/expected/stdout.txt"), "another\n").unwrap();
    let differs = typed(&own, &format!("'{run}' assay test 'two words'"));
    assert_eq!(differs.status.code(), Some(3), "{}", text(&differs));
    let recorded = typed(&own, &proposed(&text(&differs), "record it: ", '\n'));
    assert!(recorded.status.success(), "{}", text(&recorded));
    assert!(typed(&own, &format!("'{run}' assay test 'two words'")).status.success());
    // Where the script stands it is `./run`.
    let absent = home.path().join("absent.json").display().to_string();
    let at_root = typed(root, &format!("./run assay wallet balance --keypair '{absent}'"));
    assert!(text(&at_root).contains("`./run assay wallet new --out"), "{}", text(&at_root));
}

#[test]
fn the_terms_of_a_run_have_the_same_flags_and_their_defaults_everywhere() {
    use assay_protocol::{
        TaskLimits,
        limits::{CLOCK_UNIX_NS_DEFAULT, SEED_DEFAULT},
    };
    let home = home();
    let limits = TaskLimits::default();
    let grouped = |number: u64| {
        let digits = number.to_string();
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
        groups.join(",")
    };
    for command in ["run", "test", "meter", "bench"] {
        let help = assay(home.path()).args([command, "--help"]).output().unwrap().stdout;
        let help = String::from_utf8(help).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        let gas_limit = if command == "test" { 1_000_000 } else { limits.gas_limit };
        for (flag, default) in [
            ("--gas-limit", grouped(gas_limit)),
            ("--memory", grouped(limits.memory_bytes)),
            ("--stack", grouped(limits.stack_bytes)),
            ("--output-bytes", grouped(limits.output_bytes)),
            ("--seed", SEED_DEFAULT.to_string()),
            ("--clock-unix-ns", format!("{CLOCK_UNIX_NS_DEFAULT}, which is 2025")),
        ] {
            let (_, rest) = help.split_once(flag).unwrap_or_else(|| panic!("{command}: {flag} is not in {help}"));
            let own = rest.split(" --").next().unwrap();
            assert!(own.ends_with(&format!("else {default}]")), "{command} {flag}: {own}");
        }
        assert!(help.contains("--stdin <FILE>"), "{command}: {help}");
    }
}

#[test]
fn the_help_of_update_shows_no_value_for_a_term_that_is_left_out() {
    let home = home();
    let help = |command| {
        let output = assay(home.path()).args(["market", command, "--help"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (create, update) = (help("create"), help("update"));
    assert!(create.contains("[200]") && create.contains("--stake-min <AMOUNT>"), "{create}");
    assert!(!update.contains("[200]") && update.contains("unchanged when its flag is left out"), "{update}");
}

#[test]
fn wrong_usage_exits_with_2() {
    let home = home();
    for arguments in [vec![], vec!["nonsense"], vec!["job", "submit"], vec!["run"], vec!["config", "set", "cluster"]] {
        assay(home.path()).args(&arguments).assert().code(2);
    }
}

#[test]
fn wrong_usage_with_json_is_one_json_object() {
    let home = home();
    for (arguments, named) in [
        (vec!["--json"], "subcommand"),
        (vec!["nonsense", "--json"], "nonsense"),
        (vec!["job", "--json", "submit"], "<DIR>"),
        (vec!["job", "describe", "abc", "--json"], "<JOB>"),
        (vec!["run", "--json", "job.wasm", "--gas-limit", "x"], "--gas-limit"),
        (vec!["--json", "--cluster", "devnett", "config", "show"], "devnett"),
    ] {
        let output = assay(home.path()).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(json["error"].as_str().unwrap().contains(named), "{arguments:?}: {json}");
        assert_eq!(json["exit_code"], 2);
        assert!(output.stderr.is_empty(), "{arguments:?}");
    }
    // After `--` it is the guest's.
    let output = assay(home.path()).args(["run", "absent.wasm", "--", "--json"]).output().unwrap();
    assert!(output.stdout.is_empty() && stderr(&output).contains("absent.wasm"));
}

#[test]
fn what_is_no_address_is_answered_with_what_is_expected() {
    let home = home();
    let cid = "bafybeiak6p7b4zdcnglkkfnnhxqr35fi4d7z3dcinvprvzph2xbjoyzwm4";
    for arguments in [
        vec!["job", "describe", cid],
        vec!["job", "wait", cid],
        vec!["job", "logs", cid],
        vec!["job", "get", cid],
        vec!["job", "cancel", cid],
        vec!["job", "close", cid],
        vec!["job", "list", "--poster", cid],
        vec!["job", "list", "--market", cid],
        vec!["verify", cid],
        vec!["wallet", "balance", cid],
    ] {
        let output = assay(home.path()).args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = stderr(&output);
        assert!(text.contains("this is a CID") && text.contains("such as 4Nd1"), "{arguments:?}: {text}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure_and_a_full_disk_is_one() {
    let home = home();
    for arguments in [vec!["config", "show"], vec!["config", "show", "--json"], vec!["job", "schema"], vec!["--help"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_assay"));
        command.env("HOME", home.path()).args(&arguments).stdout(writer);
        let output = command.output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {}", stderr(&output));
    }
    #[cfg(target_os = "linux")]
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_assay"));
        let output = command.env("HOME", home.path()).args(["config", "show"]).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("the output is not complete"), "{}", stderr(&output));
    }
}

#[test]
fn an_unknown_cluster_is_refused_and_the_known_ones_are_named() {
    let home = home();
    let output = assay(home.path()).args(["--cluster", "devnett", "config", "show"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("give localnet, devnet"), "{}", stderr(&output));
}

#[test]
fn a_setting_comes_from_flag_then_variable_then_file_then_default() {
    let home = home();
    let origin = |command: &mut assert_cmd::Command| {
        let output = command.args(["config", "show", "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let json = last_json(&output);
        let field = |name: &str| json["cluster"][name].as_str().unwrap().to_owned();
        (field("value"), field("from"))
    };
    assert_eq!(origin(&mut assay(home.path())), ("http://127.0.0.1:8899".into(), "default".into()));
    assay(home.path()).args(["config", "set", "cluster", "http://127.0.0.1:1001"]).assert().success();
    assert_eq!(origin(&mut assay(home.path())), ("http://127.0.0.1:1001".into(), "config file".into()));
    let mut from_variable = assay(home.path());
    from_variable.env("ANCHOR_PROVIDER_URL", "http://127.0.0.1:1002");
    assert_eq!(origin(&mut from_variable), ("http://127.0.0.1:1002".into(), "ANCHOR_PROVIDER_URL".into()));
    let mut from_flag = assay(home.path());
    from_flag.env("ASSAY_CLUSTER", "devnet").args(["--cluster", "http://127.0.0.1:1003"]);
    assert_eq!(origin(&mut from_flag), ("http://127.0.0.1:1003".into(), "flag".into()));
    assay(home.path()).args(["config", "unset", "cluster"]).assert().success();
    assert_eq!(origin(&mut assay(home.path())).1, "default");
}

#[test]
fn a_config_file_with_an_unknown_key_is_refused_by_name() {
    let home = home();
    let path = home.path().join("config.toml");
    std::fs::write(&path, "clustre = \"devnet\"\n").unwrap();
    let output = assay(home.path()).env("ASSAY_CONFIG", &path).args(["config", "show"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("clustre"), "{}", stderr(&output));
}

#[test]
fn a_missing_keypair_says_how_to_create_one() {
    let home = home();
    let url = format!("http://127.0.0.1:{}", closed_port());
    let output = assay(home.path()).args(["--cluster", &url, "wallet", "balance"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("assay wallet new"), "{}", stderr(&output));
}

#[test]
fn a_new_wallet_is_private_and_never_overwritten() {
    let home = home();
    let path = home.path().join("keys/id.json");
    let create = || assay(home.path()).args(["wallet", "new", "--json", "--out"]).arg(&path).output().unwrap();
    let output = create();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(last_json(&output)["path"], path.display().to_string());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let before = std::fs::read(&path).unwrap();
    let again = create();
    assert_eq!(again.status.code(), Some(1));
    assert!(last_json(&again)["error"].as_str().unwrap().contains("is not overwritten"));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_cluster_that_does_not_answer_is_named_with_the_next_step() {
    let home = home();
    let key = home.path().join("id.json");
    assay(home.path()).args(["wallet", "new", "--out"]).arg(&key).assert().success();
    let url = format!("http://127.0.0.1:{}", closed_port());
    let output =
        assay(home.path()).args(["--cluster", &url, "wallet", "balance", "--keypair"]).arg(&key).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let text = stderr(&output);
    assert!(text.contains(&url) && text.contains("next:"), "{text}");
}

#[test]
fn completion_scripts_name_the_commands() {
    let home = home();
    for shell in ["bash", "zsh", "fish"] {
        let output = assay(home.path()).args(["completion", shell]).output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains("localnet"), "{shell}");
    }
}
