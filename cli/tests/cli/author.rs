//! The commands for module authors: templates, building, testing, and what is said about modules.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::{assay, home, last_json, run::EXIT_3, stderr};

/// Languages whose template has a committed module.
pub const BUILT: [&str; 3] = ["rust", "c", "assemblyscript"];

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn code(output: &Output, expected: i32) {
    assert_eq!(output.status.code(), Some(expected), "{}{}", stdout(output), stderr(output));
}

/// Runs a command of `assay` in a directory.
fn at(directory: &Path, arguments: &[&str]) -> Output {
    assay(directory).current_dir(directory).args(arguments).output().unwrap()
}

/// A project from a template, with the committed module.
pub fn project(home: &Path, language: &str) -> PathBuf {
    code(&at(home, &["init", "numbers", "--lang", language]), 0);
    let directory = home.join("numbers");
    let modules = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/modules");
    fs::copy(modules.join(format!("{language}.wasm")), directory.join("job/numbers.wasm")).unwrap();
    directory
}

/// Enough to start the project's module and too little to end.
fn a_little_gas(project: &Path) -> u64 {
    last_json(&at(project, &["inspect", "--json"]))["instantiation_gas"].as_u64().unwrap() + 5_000
}

fn wat_module(directory: &Path, text: &str) -> PathBuf {
    let path = directory.join("module.wasm");
    fs::write(&path, wat::parse_str(text).unwrap()).unwrap();
    path
}

#[test]
fn every_template_is_a_complete_project_and_never_overwrites_one() {
    for language in ["rust", "c", "assemblyscript", "tinygo"] {
        let home = home();
        let output = at(home.path(), &["init", "numbers", "--lang", language, "--json"]);
        code(&output, 0);
        let made = last_json(&output);
        for file in made["files"].as_array().unwrap() {
            let text = fs::read_to_string(home.path().join("numbers").join(file.as_str().unwrap())).unwrap();
            assert!(!text.contains("job-name"), "{file}");
        }
        let readme = fs::read_to_string(home.path().join("numbers/README.md")).unwrap();
        assert!(readme.starts_with("# numbers\n"), "{readme}");
        let again = at(home.path(), &["init", "numbers", "--lang", language]);
        code(&again, 1);
        assert!(stderr(&again).contains("is not empty") && stderr(&again).contains("--dir"), "{}", stderr(&again));
    }
    let home = home();
    code(&at(home.path(), &["init", "Numbers", "--lang", "rust"]), 2);
    code(&at(home.path(), &["init", "numbers", "--lang", "cobol"]), 2);
    for name in ["build", "deps", "examples", "incremental"] {
        let refused = at(home.path(), &["init", name, "--lang", "rust"]);
        code(&refused, 2);
        assert!(stderr(&refused).contains("cargo") && !home.path().join(name).exists(), "{}", stderr(&refused));
    }
    code(&at(home.path(), &["init", "build", "--lang", "c"]), 0);
}

#[test]
fn the_committed_modules_of_the_templates_are_valid_and_write_what_is_expected() {
    for language in BUILT {
        let home = home();
        let project = project(home.path(), language);
        let validated = at(&project, &["validate", "--json"]);
        code(&validated, 0);
        assert_eq!(last_json(&validated)["valid"], true, "{language}");
        let tested = at(&project, &["test", "--json"]);
        code(&tested, 0);
        let tested = last_json(&tested);
        assert_eq!((&tested["as_expected"], &tested["outcome"]), (&true.into(), &"Exited".into()), "{language}");
        assert_eq!(tested["gas_limit"], 1_000_000);
        code(&at(&project, &["test", "--both"]), 0);
    }
}

#[cfg(unix)]
#[test]
fn a_tool_that_is_missing_is_named_with_how_to_install_it() {
    for (language, named, install) in [
        ("rust", "rustc is not installed", "https://rustup.rs"),
        ("c", "clang is not installed", "apt-get install clang"),
        ("assemblyscript", "npm is not installed", "nodejs"),
        ("tinygo", "tinygo is not installed", "https://tinygo.org"),
    ] {
        let home = home();
        code(&at(home.path(), &["init", "numbers", "--lang", language]), 0);
        let project = home.path().join("numbers");
        let output = assay(home.path()).env("PATH", home.path()).current_dir(&project).arg("build").output().unwrap();
        code(&output, 1);
        let text = stderr(&output);
        assert!(text.contains(named) && text.contains(install), "{language}: {text}");
        assert!(!project.join("job/numbers.wasm").exists());
    }
}

/// A toolchain that writes what the test wants, in place of `make`.
#[cfg(unix)]
#[test]
fn a_module_outside_the_profile_is_not_put_in_place_and_its_flags_are_named() {
    use std::os::unix::fs::PermissionsExt;
    let home = home();
    code(&at(home.path(), &["init", "numbers", "--lang", "tinygo"]), 0);
    let project = home.path().join("numbers");
    let simd = wat_module(home.path(), r#"(module (func (export "_start") (drop (v128.const i64x2 0 0))))"#);
    let tool = home.path().join("tinygo");
    fs::write(&tool, format!("#!/bin/sh\nexec /bin/cp '{}' \"$4\"\n", simd.display())).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let output = assay(home.path()).env("PATH", home.path()).current_dir(&project).arg("build").output().unwrap();
    code(&output, 1);
    let text = stderr(&output);
    assert!(text.contains("SIMD") && text.contains("-C target-feature=-simd128") && text.contains("TinyGo"), "{text}");
    assert!(!project.join("job/numbers.wasm").exists());
}

#[test]
fn a_directory_without_a_project_or_a_language_says_what_is_missing() {
    let home = home();
    let nothing = at(home.path(), &["build"]);
    code(&nothing, 1);
    assert!(
        stderr(&nothing).contains("manifest.json") && stderr(&nothing).contains("assay init"),
        "{}",
        stderr(&nothing)
    );
    fs::create_dir(home.path().join("job")).unwrap();
    fs::write(home.path().join("job/manifest.json"), r#"{"executable": "x.wasm", "output_path": "output/"}"#).unwrap();
    let output = at(home.path(), &["build"]);
    code(&output, 1);
    assert!(stderr(&output).contains("Cargo.toml, package.json, go.mod"), "{}", stderr(&output));
    let unbuilt = at(home.path(), &["test"]);
    code(&unbuilt, 1);
    // Which would say the same once more.
    let said = stderr(&unbuilt);
    assert!(said.contains("build it and put it there") && !said.contains("assay build"), "{said}");
}

#[test]
fn a_test_with_another_result_shows_the_lines_and_exits_with_3() {
    let home = home();
    let project = project(home.path(), "c");
    fs::write(project.join("expected/stdout.txt"), "5 numbers, sum 59, median 12\n").unwrap();
    fs::write(project.join("expected/output/more.txt"), "").unwrap();
    let output = at(&project, &["test"]);
    code(&output, 3);
    let text = stdout(&output);
    assert!(text.contains("-5 numbers, sum 59") && text.contains("+5 numbers, sum 58"), "{text}");
    assert!(text.contains("output/more.txt is expected and was not written"), "{text}");
    assert!(stderr(&output).contains("2 files not as in"), "{}", stderr(&output));
    let json = at(&project, &["test", "--json"]);
    code(&json, 3);
    let json = last_json(&json);
    assert_eq!(json["differences"].as_array().unwrap().len(), 2);
    // What it says to type works as it stands.
    let command = json["next"].as_str().unwrap().split_once("record it: ").unwrap().1;
    let typed = command.replacen("assay", env!("CARGO_BIN_EXE_assay"), 1);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell.args(["-c", &typed]).current_dir(&project).env_clear().env("HOME", home.path()).env("PATH", path);
    code(&shell.output().unwrap(), 0);
    code(&at(&project, &["test"]), 0);
}

#[test]
fn a_test_takes_another_input_and_compares_it_only_with_what_is_named() {
    let home = home();
    let project = project(home.path(), "rust");
    fs::write(home.path().join("numbers.txt"), "1\n2\n3\n").unwrap();
    let output = at(&project, &["test", "--stdin", "../numbers.txt"]);
    code(&output, 0);
    assert!(stdout(&output).contains("3 numbers, sum 6, median 2"), "{}", stdout(&output));
    let wanted = home.path().join("wanted");
    fs::create_dir(&wanted).unwrap();
    let summary = "{\"count\": 3, \"sum\": 6, \"min\": 1, \"median\": 2, \"max\": 3}\n";
    fs::write(wanted.join("summary.json"), summary).unwrap();
    // A directory without stdout.txt and output/ is the output directory itself.
    let output = at(&project, &["test", "--input", "../numbers.txt", "--expect", "../wanted"]);
    code(&output, 0);
    assert!(stdout(&output).contains("as expected"), "{}", stdout(&output));
}

#[test]
fn a_test_that_fails_says_why_and_what_to_do() {
    let home = home();
    let project = project(home.path(), "rust");
    fs::write(home.path().join("words.txt"), "1\ntwo\n").unwrap();
    let output = at(&project, &["test", "--stdin", "../words.txt"]);
    code(&output, 1);
    assert!(stdout(&output).contains("line 2 is no number: two") && stderr(&output).contains("Exited(1)"));
    let output = at(&project, &["test", "--gas-limit", &a_little_gas(&project).to_string()]);
    code(&output, 1);
    assert!(stderr(&output).contains("OutOfGas") && stderr(&output).contains("--gas-limit"), "{}", stderr(&output));
    for (flags, named) in [(["--memory", "65536"], "memory"), (["--output-bytes", "9"], "OutputTooLarge")] {
        let output = at(&project, &[&["test"][..], &flags].concat());
        code(&output, 1);
        assert!(stderr(&output).contains(named), "{flags:?}: {}", stderr(&output));
    }
    // The next step is one that helps.
    for (flags, next, useless) in [
        (["--memory", "65536"], "more than 65,536 bytes with --memory", "assay meter"),
        (["--function", "nope"], "another with --function, or none; `assay inspect` shows", "assay validate"),
    ] {
        for command in ["test", "bench"] {
            let output = at(&project, &[&[command][..], &flags].concat());
            code(&output, 1);
            let said = stderr(&output);
            assert!(said.contains(next) && !said.contains(useless), "{command} {flags:?}: {said}");
        }
    }
    code(&at(&project, &["test", "--stack", "4096", "--seed", "7", "--clock-unix-ns", "8"]), 0);
    // The name that it had before.
    code(&at(&project, &["test", "--input", "../words.txt"]), 1);
    code(&at(&project, &["test", "--stack", "1024"]), 2);
}

#[test]
fn validate_lists_every_finding_with_what_to_do() {
    let home = home();
    let path = wat_module(
        home.path(),
        r#"(module (import "env" "abort" (func)) (import "wbg" "x" (func)) (import "wasi:io/streams" "y" (func))
            (func (export "assay:x") (drop (v128.const i64x2 0 0)) return_call 3))"#,
    );
    let output = at(home.path(), &["validate", path.to_str().unwrap(), "--json"]);
    code(&output, 1);
    let json = last_json(&output);
    let findings = json["findings"].as_array().unwrap();
    let nexts: Vec<_> = findings.iter().map(|finding| finding["next"].as_str().unwrap()).collect();
    for named in ["wasi-shim", "wasm-bindgen", "wasm32-wasip2", "-mno-simd128", "-mno-tail-call", "rename"] {
        assert_eq!(nexts.iter().filter(|next| next.contains(named)).count(), 1, "{named}: {nexts:?}");
    }
    assert_eq!(findings.len(), 6, "{nexts:?}");
    let text = at(home.path(), &["validate", path.to_str().unwrap()]);
    assert!(
        stderr(&text).contains("no provider would run") && stderr(&text).contains("6 findings"),
        "{}",
        stderr(&text)
    );
}

#[test]
fn validate_sees_manifest_module_and_limits_at_once() {
    let home = home();
    let module = wat_module(home.path(), r#"(module (memory 40) (func (export "main")))"#);
    let job = home.path().join("job");
    fs::create_dir(&job).unwrap();
    fs::rename(module, job.join("x.wasm")).unwrap();
    let manifest = |text: &str| fs::write(job.join("manifest.json"), text).unwrap();
    let findings = || {
        let output = at(home.path(), &["validate", "--json"]);
        code(&output, 1);
        last_json(&output)["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["what"].to_string())
            .collect::<Vec<_>>()
            .join("\n")
    };
    manifest(
        r#"{"executable": "x.wasm", "output_path": "output/", "stdin": "absent.txt",
            "limits": {"gas_limit": 20000, "memory_bytes": 65536}}"#,
    );
    let found = findings();
    for named in ["absent.txt", "gas limit is 20,000", "memory limit is 65,536"] {
        assert!(found.contains(named), "{named}: {found}");
    }
    manifest(r#"{"executable": "x.wasm", "output_path": "output/"}"#);
    assert!(findings().contains("neither `_start` nor `run`"));
    manifest(r#"{"executable": "y.wasm", "output_path": "output/"}"#);
    assert!(findings().contains("y.wasm"));
    manifest(r#"{"executable": 1}"#);
    assert!(findings().contains("line 1, column"));
    fs::write(job.join("x.wasm"), "text").unwrap();
    let found = findings();
    assert!(found.contains("line 1, column") && found.contains("not a WebAssembly module"), "{found}");
}

#[cfg(unix)]
#[test]
fn validate_names_what_keeps_a_directory_from_being_packed() {
    let home = home();
    let project = project(home.path(), "rust");
    let refused = project.join("job/back\\slash");
    fs::write(&refused, "").unwrap();
    let finding = |project: &Path| {
        let output = at(project, &["validate", "--json"]);
        code(&output, 1);
        last_json(&output)["findings"][0]["what"].as_str().unwrap().to_owned()
    };
    let what = finding(&project);
    assert!(
        what.contains("cannot read the directory job") && what.contains("slash") && what.contains("rename"),
        "{what}"
    );
    fs::remove_file(&refused).unwrap();
    std::os::unix::fs::symlink("manifest.json", project.join("job/link")).unwrap();
    let what = finding(&project);
    assert!(what.contains("link"), "{what}");
}

#[test]
fn a_build_is_proposed_only_where_there_is_something_to_build() {
    let home = home();
    let project = project(home.path(), "rust");
    fs::remove_file(project.join("job/numbers.wasm")).unwrap();
    let next = |path: &Path| {
        let output = at(home.path(), &["validate", path.to_str().unwrap(), "--json"]);
        code(&output, 1);
        // Behind what else is not there.
        last_json(&output)["findings"].as_array().unwrap().last().unwrap()["next"].as_str().unwrap().to_owned()
    };
    assert!(next(&project).contains("`assay build "), "{}", next(&project));
    for bare in ["bare", "alone/job"] {
        let bare = home.path().join(bare);
        fs::create_dir_all(&bare).unwrap();
        fs::copy(project.join("job/manifest.json"), bare.join("manifest.json")).unwrap();
        let next = next(&bare);
        assert!(!next.contains("assay build") && next.contains("executable"), "{next}");
    }
}

#[test]
fn the_project_around_the_current_directory_is_found_unless_a_path_is_named() {
    let home = home();
    let project = project(home.path(), "rust");
    let deep = project.join("src/deep");
    fs::create_dir(&deep).unwrap();
    for directory in [project.as_path(), &project.join("src"), &deep, &project.join("job")] {
        for command in ["validate", "inspect", "test", "meter"] {
            code(&at(directory, &[command]), 0);
        }
    }
    fs::remove_file(project.join("job/numbers.wasm")).unwrap();
    // What is proposed does it from here.
    for (directory, proposed) in [(&deep, "`assay build ../..`"), (&project.join("job"), "`assay build ..`")] {
        let unbuilt = at(directory, &["test"]);
        code(&unbuilt, 1);
        assert!(stderr(&unbuilt).contains(proposed), "{}", stderr(&unbuilt));
    }
    let named = at(&project, &["validate", "src"]);
    code(&named, 1);
    assert!(stderr(&named).contains("src is no project"), "{}", stderr(&named));
}

#[test]
fn inspect_shows_what_a_module_holds_also_one_that_is_refused() {
    let home = home();
    let project = project(home.path(), "rust");
    let json = last_json(&at(&project, &["inspect", "--json", "--top", "3"]));
    assert_eq!((&json["accepted"], &json["entry_points"][0]), (&true.into(), &"_start".into()));
    assert!(json["sections"].as_array().unwrap().iter().any(|section| section["name"] == "code"));
    assert!(json["imports"].as_array().unwrap().iter().any(|import| {
        import["name"] == "wasi_snapshot_preview1.fd_read" && import["type"] == "(i32, i32, i32, i32) -> (i32)"
    }));
    let largest = json["largest_functions"].as_array().unwrap();
    assert!(largest.len() == 3 && largest.iter().all(|one| one["frame_bytes"].as_u64().unwrap() >= 64));
    let text = stdout(&at(&project, &["inspect"]));
    assert!(text.contains("numbers::main") || text.contains("::main"), "names are demangled: {text}");
    let simd = wat_module(home.path(), r#"(module (func (export "_start") (drop (v128.const i64x2 0 0))))"#);
    let refused = at(home.path(), &["inspect", simd.to_str().unwrap()]);
    code(&refused, 0);
    assert!(stdout(&refused).contains("REFUSED") && stdout(&refused).contains("-mno-simd128"), "{}", stdout(&refused));
    let bare = wat_module(home.path(), r#"(module (func (export "_start")))"#);
    let text = stdout(&at(home.path(), &["inspect", bare.to_str().unwrap()]));
    assert!(text.contains("memory       none\n"), "{text}");
    assert!(stdout(&refused).contains("SIMD (refused)") && stdout(&refused).contains("  _start () -> ()"));
    let foreign = wat_module(home.path(), "(module (import \"env\" \"a\\1b[2J\" (func (param v128))) (func))");
    let shown = last_json(&at(home.path(), &["inspect", "--json", foreign.to_str().unwrap()]));
    assert_eq!((&shown["imports"][0]["type"], &shown["functions"]), (&"(v128) -> ()".into(), &1.into()), "{shown}");
    assert_eq!(
        (&shown["refused_features"][0], &shown["metered_hash"]),
        (&"SIMD".into(), &serde_json::Value::Null),
        "{shown}"
    );
    let text = stdout(&at(home.path(), &["inspect", foreign.to_str().unwrap()]));
    assert!(text.contains("env.a\\u{1b}[2J (v128) -> ()"), "{text}");
    fs::write(home.path().join("module.wasm"), "no module").unwrap();
    code(&at(home.path(), &["inspect", "module.wasm"]), 1);
}

#[test]
fn meter_shows_functions_and_draws_them_also_of_a_run_that_stopped() {
    let home = home();
    let project = project(home.path(), "c");
    let tested = last_json(&at(&project, &["test", "--json"]));
    let output = at(&project, &["meter", "--json", "--flame", "gas.svg", "--top", "5", "--by", "total"]);
    code(&output, 0);
    let json = last_json(&output);
    assert_eq!(json["gas_used"], tested["gas_used"]);
    let functions = json["functions"].as_array().unwrap();
    assert_eq!(functions.len(), 5);
    assert!(functions[0]["name"].as_str().unwrap().starts_with("_start"), "{functions:?}");
    let svg = fs::read_to_string(project.join("gas.svg")).unwrap();
    assert!(svg.contains("<svg") && svg.contains("printf_core") && svg.contains("gas"), "{}", &svg[..200]);
    let again = at(&project, &["meter", "--flame", "gas.svg"]);
    code(&again, 1);
    assert!(stderr(&again).contains("not overwritten") && stderr(&again).contains("--flame"), "{}", stderr(&again));
    let limit = a_little_gas(&project);
    let flag = limit.to_string();
    let stopped = last_json(&at(&project, &["meter", "--json", "--gas-limit", &flag]));
    assert_eq!((&stopped["outcome"], &stopped["gas_used"]), (&"OutOfGas".into(), &limit.into()));
    let outermost = stopped["stopped_in"].as_array().unwrap().last().unwrap().as_str().unwrap();
    assert!(outermost.starts_with("_start"), "{stopped}");
    let text = at(&project, &["meter", "--gas-limit", &flag]);
    assert!(stdout(&text).contains("it stopped in"), "{}", stdout(&text));
}

#[test]
fn meter_and_bench_give_up_when_their_time_is_over() {
    let home = home();
    let endless = wat_module(home.path(), r#"(module (func (export "_start") (loop (br 0))))"#);
    for command in ["meter", "bench"] {
        let flags = ["--gas-limit", "1000000000000", "--timeout-s", "1"];
        let output = at(home.path(), &[&[command, endless.to_str().unwrap()], &flags[..]].concat());
        code(&output, 1);
        let text = stderr(&output);
        assert!(text.contains("after 1 s (--timeout-s)") && text.contains("--gas-limit"), "{command}: {text}");
    }
}

#[test]
fn bench_runs_both_engines_and_every_form() {
    let home = home();
    let project = project(home.path(), "assemblyscript");
    let output = at(&project, &["bench", "--runs", "1", "--json"]);
    code(&output, 0);
    let json = last_json(&output);
    let ways: Vec<_> =
        json["ways"].as_array().unwrap().iter().map(|way| format!("{} {}", way["engine"], way["form"])).collect();
    let expected =
        ["wasmi", "wasmtime"].map(|engine| ["plain", "G", "L"].map(|form| format!("\"{engine}\" \"{form}\"")));
    assert_eq!(ways, expected.concat());
    assert!(
        json["ways"]
            .as_array()
            .unwrap()
            .iter()
            .all(|way| way["run_ns"].as_u64().unwrap() > 0 && way["fault"].is_null())
    );
    let text = stdout(&at(&project, &["bench", "--runs", "1"]));
    assert!(text.contains("plain = 1") && text.contains("wasmtime"), "{text}");
    let trap = wat_module(home.path(), r#"(module (func (export "_start") unreachable))"#);
    let refused = at(home.path(), &["bench", trap.to_str().unwrap()]);
    code(&refused, 1);
    let said = stderr(&refused);
    assert!(said.contains("does not run to its end") && said.contains("shows where it was when"), "{said}");
    assert!(!said.contains("--memory") && !said.contains("--gas-limit"), "{said}");
}

#[test]
fn a_project_is_run_like_its_job_directory_and_not_before_it_is_built() {
    let home = home();
    let project = project(home.path(), "c");
    let ran = at(&project, &["run", ".", "--json"]);
    code(&ran, 0);
    let ran = last_json(&ran);
    assert_eq!((&ran["outcome"], &ran["exit_code"]), (&"Exited".into(), &0.into()));
    assert_eq!(ran, last_json(&at(&project, &["run", "job", "--json"])));
    assert_eq!(ran, last_json(&at(home.path(), &["run", "numbers", "--json"])));
    fs::remove_file(project.join("job/numbers.wasm")).unwrap();
    let unbuilt = at(&project, &["run", "."]);
    code(&unbuilt, 1);
    assert!(stderr(&unbuilt).contains("next: build it first: `assay build`"), "{}", stderr(&unbuilt));
    // What providers would say of the job directory as it is.
    let as_it_is = at(&project, &["run", "job", "--json"]);
    code(&as_it_is, 0);
    assert_eq!(last_json(&as_it_is)["outcome"], "Invalid");
    let neither = at(home.path(), &["run", "."]);
    code(&neither, 1);
    assert!(stderr(&neither).contains("is no project") && stderr(&neither).contains("next:"), "{}", stderr(&neither));
}

#[test]
fn every_command_that_runs_something_says_in_the_same_fields_how_it_ended() {
    let home = home();
    let fields = |json: &serde_json::Value| ["outcome", "exit_code", "reason"].map(|field| json.get(field).cloned());
    let trap = r#"(module (memory (export "memory") 1) (func (export "_start") unreachable))"#;
    for text in [EXIT_3, trap] {
        let path = wat_module(home.path(), text);
        let path = path.to_str().unwrap();
        let expected = fields(&last_json(&at(home.path(), &["run", path, "--json"])));
        assert!(expected[1].is_some(), "{expected:?}");
        for command in [&["meter"][..], &["test"]] {
            let json = last_json(&at(home.path(), &[command, &[path, "--json"]].concat()));
            assert_eq!(fields(&json), expected, "{command:?}: {json}");
        }
        if text == EXIT_3 {
            let json = last_json(&at(home.path(), &["bench", path, "--json", "--runs", "1"]));
            assert_eq!(fields(&json), expected, "{json}");
            assert!(stdout(&at(home.path(), &["meter", path])).contains("outcome      Exited(3)"));
        }
    }
}

#[test]
fn a_test_of_an_invalid_module_says_why_once() {
    let home = home();
    let simd = wat_module(home.path(), r#"(module (func (export "_start") (drop (v128.const i64x2 0 0))))"#);
    let output = at(home.path(), &["test", simd.to_str().unwrap()]);
    code(&output, 1);
    let text = stdout(&output) + &stderr(&output);
    assert_eq!(text.matches("it uses SIMD").count(), 1, "{text}");
    assert!(text.contains("Invalid: module is not valid: it uses SIMD"), "{text}");
}

#[test]
fn names_of_functions_are_no_reason_to_strip_a_module() {
    let home = home();
    let text = format!(r#"(module (func ${} (export "_start")))"#, "n".repeat(200));
    let remarks =
        |path: &Path| last_json(&at(home.path(), &["validate", path.to_str().unwrap(), "--json"]))["remarks"].clone();
    let path = wat_module(home.path(), &text);
    assert_eq!(remarks(&path), serde_json::json!([]));
    let mut module = fs::read(&path).unwrap();
    // A custom section of 1,000 bytes, which is called "x".
    module.extend([&[0, 0xea, 0x07, 1, b'x'][..], &[0; 1_000]].concat());
    fs::write(&path, module).unwrap();
    assert!(remarks(&path)[0].as_str().unwrap().contains("1,002 of the module's"), "{}", remarks(&path));
}

#[test]
fn a_module_alone_is_tested_inspected_and_metered_too() {
    let home = home();
    let path = wat_module(home.path(), EXIT_3);
    let path = path.to_str().unwrap();
    let tested = at(home.path(), &["test", path]);
    code(&tested, 1);
    assert!(stdout(&tested).contains("hello") && stderr(&tested).contains("Exited(3)"), "{}", stderr(&tested));
    code(&at(home.path(), &["inspect", path]), 0);
    code(&at(home.path(), &["validate", path]), 0);
    let metered = at(home.path(), &["meter", path]);
    code(&metered, 0);
    assert!(stdout(&metered).contains("host fd_write"), "{}", stdout(&metered));
    assay(home.path()).args(["build", path]).assert().code(2);
    assay(home.path()).args(["meter", "absent.wasm"]).assert().code(1);
}
