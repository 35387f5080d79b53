//! Tests of the manifest's rules.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const MINIMUM: &str = r#"{"executable": "job.wasm", "args": [], "output_path": "output/"}"#;

fn problem(text: &str) -> String {
    JobManifest::from_json(text.as_bytes()).unwrap_err().to_string()
}

fn with(field: &str) -> String {
    MINIMUM.replacen('}', &format!(", {field}}}"), 1)
}

#[test]
fn the_minimum_manifest_is_complete() {
    let manifest = JobManifest::from_json(MINIMUM.as_bytes()).unwrap();
    assert_eq!(manifest, JobManifest::new("job.wasm", "output/"));
    assert_eq!(manifest.output_path(), "output");
    assert_eq!(manifest.mismatch(&TaskLimits::default(), 7, 8), None);
}

#[test]
fn the_camel_case_output_path_is_the_same_field() {
    let text = MINIMUM.replace("output_path", "outputPath");
    assert_eq!(JobManifest::from_json(text.as_bytes()), JobManifest::from_json(MINIMUM.as_bytes()));
    let both = with(r#""outputPath": "out""#);
    assert!(problem(&both).contains("duplicate field `output_path`"), "{}", problem(&both));
}

#[test]
fn an_array_of_the_fields_is_no_manifest() {
    let array = r#"["job.wasm", [], "output/", {}, null, null, null, null, null, null]"#;
    assert!(problem(array).contains("expected an object"), "{}", problem(array));
    let limits = with(r#""limits": [1, 65536, 4096, 1, 1]"#);
    assert!(problem(&limits).contains("expected an object"), "{}", problem(&limits));
    assert!(JobManifest::from_json(with(r#""limits": null"#).as_bytes()).is_ok());
}

#[test]
fn an_unknown_field_is_refused_with_its_place() {
    let text = "{\n  \"executable\": \"job.wasm\",\n  \"arguments\": []\n}";
    let error = JobManifest::from_json(text.as_bytes()).unwrap_err();
    let ManifestError::Syntax { line, problem, .. } = error else { unreachable!("{error}") };
    assert_eq!(line, 3);
    assert!(problem.starts_with("unknown field `arguments`, expected one of `executable`"), "{problem}");
}

#[test]
fn wrong_types_and_missing_fields_are_refused() {
    assert!(problem(r#"{"executable": 1, "output_path": "o"}"#).contains("invalid type: integer `1`"));
    assert!(problem(r#"{"output_path": "o"}"#).contains("missing field `executable`"));
    assert!(problem(&with(r#""seed": -1"#)).contains("invalid value: integer `-1`"));
    assert!(problem(&with(r#""env": {"A": "1", "A": "2"}"#)).contains("duplicate name `A`"));
    assert!(problem("{").contains("EOF while parsing"));
    assert!(problem(&" ".repeat(MANIFEST_BYTES_MAX + 1)).contains("at most 65536"));
}

#[test]
fn a_path_that_leaves_the_directory_is_refused() {
    let cases = [
        ("/etc/passwd", "absolute"),
        ("../job.wasm", "contains `..`"),
        ("a/../../b", "contains `..`"),
        ("./job.wasm", "`.` component"),
        ("a//b", "empty component"),
        ("", "is empty"),
        ("a\\\\b", "backslash"),
        ("a\\u0000b", "control character"),
    ];
    for (path, expected) in cases {
        let text = MINIMUM.replace("job.wasm", path);
        let problem = problem(&text);
        assert!(problem.contains("field `executable`") && problem.contains(expected), "{path}: {problem}");
    }
}

#[test]
fn the_output_may_not_cover_what_the_job_reads() {
    assert!(problem(&MINIMUM.replace("job.wasm", "output/job.wasm")).contains("inside `output_path`"));
    assert!(problem(&MINIMUM.replace("output/", "manifest.json")).contains("names the manifest itself"));
    assert!(JobManifest::from_json(MINIMUM.replace("job.wasm", "output.wasm").as_bytes()).is_ok());
}

#[test]
fn a_function_needs_its_name_and_only_a_function_has_one() {
    assert!(problem(&with(r#""entry": "function""#)).contains("`function_name`: is missing"));
    assert!(problem(&with(r#""entry": "command", "function_name": "f""#)).contains("only allowed"));
    let manifest = JobManifest::from_json(with(r#""function_name": "f""#).as_bytes()).unwrap();
    assert_eq!(manifest.entry(), Some(ManifestEntry::Function));
}

#[test]
fn limits_out_of_bounds_say_what_is_allowed() {
    assert!(problem(&with(r#""limits": {"gas_limit": 0}"#)).contains("gas_limit is 0; 1 to "));
    assert!(problem(&with(r#""limits": {"memory_bytes": 70000}"#)).contains("multiple of 65536"));
    assert!(problem(&with(r#""limits": {"gas": 1}"#)).contains("unknown field `gas`"));
}

#[test]
fn a_field_that_differs_from_the_account_is_named() {
    let manifest = JobManifest::from_json(with(r#""limits": {"gas_limit": 5}, "seed": 3"#).as_bytes()).unwrap();
    let limits = TaskLimits { gas_limit: 5, ..TaskLimits::default() };
    assert_eq!(manifest.mismatch(&limits, 3, 0), None);
    let mismatch = manifest.mismatch(&limits, 4, 0).unwrap();
    assert_eq!(mismatch, TaskMismatch { field: "seed", manifest: 3, account: 4 });
    assert_eq!(manifest.mismatch(&TaskLimits::default(), 3, 0).unwrap().field, "limits.gas_limit");
}

#[test]
fn a_manifest_survives_writing_and_reading() {
    let mut manifest = JobManifest::new("bin/job.wasm", "out");
    manifest.args = vec!["--tiers".to_owned(), "a b".to_owned()];
    manifest.env.insert("LANG".to_owned(), "C".to_owned());
    manifest.stdin = Some("data/in.csv".to_owned());
    manifest.limits = Some(ManifestLimits { gas_limit: Some(9), ..ManifestLimits::default() });
    let text = manifest.to_json().unwrap();
    assert_eq!(JobManifest::from_json(text.as_bytes()).unwrap(), manifest);
}

#[test]
fn the_committed_schema_is_the_one_of_this_type() {
    let committed: serde_json::Value = serde_json::from_str(include_str!("../job-manifest.schema.json")).unwrap();
    let current = JobManifest::json_schema();
    let text = serde_json::to_string_pretty(&current).unwrap();
    assert_eq!(committed, current, "write this to sdk/job-manifest.schema.json:\n{text}");
}

#[test]
fn an_entry_is_a_name_and_nothing_else() {
    assert!(JobManifest::from_json(with(r#""entry": "command""#).as_bytes()).is_ok());
    assert!(JobManifest::from_json(with(r#""entry": null"#).as_bytes()).is_ok());
    let object = with(r#""entry": {"command": null}"#);
    assert!(problem(&object).contains("invalid type: map"), "{}", problem(&object));
    assert!(problem(&with(r#""entry": "start""#)).contains("unknown variant `start`"));
}

#[test]
fn the_schema_knows_every_alias_of_every_field() {
    let schema = JobManifest::json_schema();
    let spellings = |at: &str| -> Vec<String> {
        let properties = schema.pointer(at).and_then(|at| at["properties"].as_object()).unwrap();
        properties.keys().filter(|name| name.contains(char::is_uppercase)).cloned().collect()
    };
    assert_eq!(spellings(""), ["clockUnixNs", "functionName", "outputPath"]);
    assert_eq!(
        spellings("/$defs/ManifestLimits"),
        ["gasLimit", "memoryBytes", "outputBytes", "stackBytes", "stdioBytes"]
    );
    // Each is a spelling that a manifest takes, and the rules say that one of two is enough.
    let aliases = r#"{"executable": "job.wasm", "outputPath": "o", "functionName": "f", "clockUnixNs": 1, "limits":
        {"gasLimit": 1, "memoryBytes": 65536, "outputBytes": 1, "stackBytes": 4096, "stdioBytes": 1}}"#;
    assert!(JobManifest::from_json(aliases.as_bytes()).is_ok());
    assert_eq!(schema["required"], json!(["executable"]));
    let one_of = json!({"oneOf": [{"required": ["output_path"]}, {"required": ["outputPath"]}]});
    assert!(schema["allOf"].as_array().unwrap().contains(&one_of), "{schema}");
}

#[test]
fn what_an_editor_may_have_left_is_named() {
    for (bytes, named) in [
        (&b""[..], "is empty"),
        (b" \n", "is empty"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"\xff\xfe{\0}\0", "byte order mark"),
    ] {
        let error = JobManifest::from_json(bytes).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}
