#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use assay_protocol::{InvalidReason, TaskLimits};
use proptest::prelude::*;
use serde_json::{Value, json};
use solana_keypair::Keypair;
use solana_signer::Signer;

use super::*;

fn facts() -> RunFacts {
    RunFacts {
        module_hash: [3; 32],
        metered_hash: [2; 32],
        args: vec!["--fast".to_owned(), String::new()],
        env: [("LANG".to_owned(), "C".to_owned())].into(),
        stack_peak_bytes: 48,
        memory_peak_bytes: 65_536,
        stdout_hash: [4; 32],
        stderr_hash: [5; 32],
    }
}

fn unsigned() -> Receipt {
    let task = TaskSpec {
        profile: 1,
        job_cid_digest: [1; 32],
        metered_hash: [2; 32],
        limits: TaskLimits::default(),
        seed: u64::MAX,
        clock_unix_ns: 7,
    };
    let posting = Posting { program: [6; 32], cluster: [7; 32], job: [8; 32], created_slot: 9 };
    let outcome = Outcome {
        kind: OutcomeKind::Exited,
        detail: 1,
        exit_code: 3,
        gas_used: 1_000,
        result_cid_digest: [9; 32],
        state_root: [0; 32],
    };
    let engine = EngineNote { name: "wasmi".to_owned(), version: "2.0.0".to_owned() };
    Receipt::unsigned((Some(posting), task), (outcome, Some(facts())), Some(engine)).unwrap()
}

fn signed() -> Receipt {
    let keypair = Keypair::new_from_array([1; 32]);
    let receipt = unsigned();
    let signature = keypair.sign_message(&receipt.message_for(&keypair.pubkey()));
    receipt.with_signature(keypair.pubkey(), signature)
}

fn json_of(receipt: &Receipt) -> Value {
    serde_json::from_str(&receipt.to_json()).unwrap()
}

fn read(json: &Value) -> Result<Receipt, ReceiptFileError> {
    Receipt::from_json(json.to_string().as_bytes())
}

/// Every leaf of the file: its pointer.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(name, value)| leaves(value, &format!("{at}/{}", name.replace('/', "~1")), found));
        }
        Value::Array(list) => list.iter().enumerate().for_each(|(i, value)| leaves(value, &format!("{at}/{i}"), found)),
        _ => found.push(at.to_owned()),
    }
}

/// Another value of the same type that a careful forger would write.
fn forged(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_u64().unwrap() ^ 2),
        Value::String(text) => match text.as_str() {
            "Exited" => json!("OutputTooLarge"),
            // Another whole number of pages where it is one: nothing else is a peak of memory.
            text if let Ok(number) = text.parse::<u64>() => {
                let flip = if number > 0 && number.is_multiple_of(65_536) { 131_072 } else { 2 };
                json!((number ^ flip).to_string())
            }
            text if text.starts_with("bafy") => json!(assay_content::cid_from_digest(&[77; 32]).to_string()),
            text if text.len() == 64 && hex::decode(text).is_ok() => json!(hex::encode([77; 32])),
            text if text.parse::<Signature>().is_ok() => json!(Signature::from([77; 64]).to_string()),
            text if text.parse::<Pubkey>().is_ok() => json!(Pubkey::from([77; 32]).to_string()),
            text => json!(format!("{text}x")),
        },
        // The one thing that is not there is the state root, which profile 1 has none of.
        _ => json!(hex::encode([77; 32])),
    }
}

#[test]
fn a_receipt_survives_its_file() {
    let invalid = Outcome::invalid(InvalidReason::ManifestMissing);
    let posting = signed().posting;
    for receipt in [
        unsigned(),
        signed(),
        Receipt { posting: None, engine: None, ..signed() },
        Receipt::unsigned((posting, signed().task), (invalid, None), None).unwrap(),
    ] {
        let read = Receipt::from_json(receipt.to_json().as_bytes()).unwrap();
        assert_eq!(read, receipt);
        assert_eq!(read.to_json(), receipt.to_json());
    }
}

#[test]
fn p_29_a_signature_is_missing_valid_or_wrong() {
    assert_eq!(unsigned().check_signature(), ReceiptSignature::Missing);
    assert_eq!(signed().check_signature(), ReceiptSignature::Valid);
    // Somebody else's name over the provider's signature.
    let signature = signed().signed.unwrap().signature;
    let stolen = signed().with_signature(Keypair::new_from_array([2; 32]).pubkey(), signature);
    assert_eq!(stolen.check_signature(), ReceiptSignature::Wrong);
    let engine = EngineNote { name: "wasmtime".to_owned(), version: "48.0.8".to_owned() };
    assert_eq!(Receipt { engine: Some(engine), ..signed() }.check_signature(), ReceiptSignature::Valid, "informative");
}

#[test]
fn p_29_every_field_that_is_changed_in_a_file_is_noticed_and_named() {
    let honest = signed();
    let file = json_of(&honest);
    let mut found = Vec::new();
    leaves(&file, "", &mut found);
    assert!(found.len() > 35, "{found:?}");
    let mut named = BTreeSet::new();
    for pointer in found {
        let mut changed = file.clone();
        let value = changed.pointer_mut(&pointer).unwrap();
        *value = forged(value);
        let field = pointer.trim_start_matches('/').replace('/', ".");
        match read(&changed) {
            // Redundant or impossible: refused, with the field that shows it.
            Err(error) => {
                let text = error.to_string();
                let derived = if field.starts_with("job.") { "job.uid" } else { "task.digest" };
                assert!(
                    text.contains(&field)
                        || text.contains(derived)
                        || text.contains("metered module")
                        || text.contains("not canonical"),
                    "{field}: {text}"
                );
            }
            Ok(read) if pointer.starts_with("/informative") => {
                assert_eq!(read.check_signature(), ReceiptSignature::Valid, "{field}");
                assert_eq!(read.canonical(), honest.canonical());
            }
            Ok(read) => {
                assert_eq!(read.check_signature(), ReceiptSignature::Wrong, "{field}");
                let differing: Vec<_> =
                    compare(&read.fields(), &honest.fields()).into_iter().filter(|row| !row.equal).collect();
                if !matches!(field.as_str(), "provider_key" | "signature") {
                    let group: Vec<_> = differing.iter().filter(|row| field.starts_with(row.field)).collect();
                    assert_eq!((differing.len(), group.len()), (1, 1), "{field}: {differing:?}");
                }
            }
        }
        named.insert(field);
    }
    assert!(named.contains("run.env.LANG") && named.contains("run.args.1") && named.contains("outcome.gas_used"));
}

#[test]
fn p_27_a_receipt_shown_as_another_jobs_contradicts_itself() {
    let mut changed = json_of(&signed());
    changed["job"]["uid"] = json!(hex::encode([1; 32]));
    assert!(matches!(read(&changed), Err(ReceiptFileError::Contradiction { field: "job.uid", .. })));
    // Another job with its own true uid: the signature was not given for that.
    let mut receipt = signed();
    receipt.posting.as_mut().unwrap().job = [10; 32];
    assert_eq!(receipt.check_signature(), ReceiptSignature::Wrong);
}

#[test]
fn p_28_a_receipts_message_is_no_transaction_of_solana() {
    use solana_message::VersionedMessage;
    let message = signed().message_for(&Pubkey::new_from_array([1; 32]));
    assert!(message.starts_with(b"assay:receipt:v1"));
    // The first bytes alone decide it: 97 signers, 115 of them read-only, so none pays.
    let header = solana_message::MessageHeader {
        num_required_signatures: message[0],
        num_readonly_signed_accounts: message[1],
        num_readonly_unsigned_accounts: message[2],
    };
    assert!(header.num_readonly_signed_accounts >= header.num_required_signatures);
    assert_eq!(message[0] & 0x80, 0, "no version prefix: a legacy message, if any");
    let message = solana_message::Message { header, ..solana_message::Message::default() };
    assert!(VersionedMessage::Legacy(message).sanitize().is_err());
}

#[test]
fn p_30_hostile_files_are_refused_by_name() {
    let text = signed().to_json();
    let refused = |text: String, part: &str| {
        let error = Receipt::from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(part), "{part}: {error}");
    };
    refused(" ".repeat(RECEIPT_JSON_BYTES_MAX + 1), "longer than");
    refused(String::new(), "EOF");
    refused("[".repeat(10_000), "invalid type");
    refused(format!("{text}x"), "trailing");
    refused(text.replacen("\"seed\"", "\"seeed\"", 1), "unknown field `seeed`");
    refused(text.replacen("\"profile\": 1,", "\"profile\": 1, \"profile\": 1,", 1), "duplicate field `profile`");
    refused(text.replacen("\"LANG\": \"C\"", "\"LANG\": \"C\", \"LANG\": \"C\"", 1), "duplicate name `LANG`");
    refused(text.replacen("\"receipt_version\": 1", "\"receipt_version\": 2", 1), "receipt_version");
    for other in
        ["1000", "1e3", "\"01000\"", "\"+1000\"", "\" 1000\"", "\"1e3\"", "\"-1\"", "\"\"", "\"18446744073709551616\""]
    {
        let changed = text.replacen("\"gas_used\": \"1000\"", &format!("\"gas_used\": {other}"), 1);
        assert_ne!(changed, text);
        refused(changed, "expected an integer of 64 bits in quotes, such as \"1000\"");
    }
    for number in ["\"exit_code\": 3", "\"detail\": 1", "\"profile\": 1"] {
        let (name, value) = number.split_once(' ').unwrap();
        refused(text.replacen(number, &format!("{name} \"{value}\""), 1), "invalid type: string");
    }
    refused(text.replacen("\"Exited\"", "\"exited\"", 1), "expected Exited, Trapped, OutOfGas");
    refused(text.replacen(&hex::encode([3; 32]), &hex::encode_upper([0xab; 32]), 1), "run.module_hash");
    refused(text.replacen("\"wasmi\"", "\"wasmi\\u001b[2J\"", 1), "engine.name");
    refused(text.replacen("bafy", "Qmfy", 1), "task.job_cid");
    // W-08: what an error quotes does nothing to a terminal.
    refused(text.replacen("\"seed\"", "\"\\u001b[2J\\u202e\"", 1), "unknown field `\\u{1b}[2J\\u{202e}`");
    let long = Receipt::from_json(text.replacen("\"seed\"", &format!("\"{}\"", "x".repeat(9_999)), 1).as_bytes());
    assert!(long.unwrap_err().to_string().len() < 400);
    let without = |name: &str| {
        let mut json = json_of(&signed());
        json[name] = Value::Null;
        json.to_string()
    };
    refused(without("signature"), "signature");
    refused(without("provider_key"), "provider_key");
    refused(without("run"), "measurements");
    refused(without("task"), "invalid type");
}

/// Serde's derived readers would take each of the seven objects as an array of its values in the order of its fields.
#[test]
fn p_30_an_array_in_place_of_an_object_is_refused_at_every_level() {
    let objects = [
        ("", "receipt_version job task outcome run provider_key signature informative"),
        ("/job", "address uid program cluster created_slot"),
        ("/task", "digest profile job_cid metered_hash limits seed clock_unix_ns"),
        ("/task/limits", "gas_limit memory_bytes stack_bytes output_bytes stdio_bytes"),
        ("/outcome", "kind detail exit_code gas_used result_cid state_root"),
        ("/run", "module_hash metered_hash args env stack_peak_bytes memory_peak_bytes stdout_hash stderr_hash"),
        ("/informative", "engine engine_version"),
    ];
    for (pointer, fields) in objects {
        let mut changed = json_of(&signed());
        let object = changed.pointer_mut(pointer).unwrap();
        let values: Vec<Value> = fields.split(' ').map(|field| object.get(field).unwrap().clone()).collect();
        assert_eq!(values.len(), object.as_object().unwrap().len(), "{pointer}");
        *object = values.into();
        let error = read(&changed).unwrap_err().to_string();
        assert!(error.contains("invalid type: sequence, expected an object"), "{pointer}: {error}");
    }
}

#[test]
fn p_30_a_cid_is_read_in_its_canonical_spelling_alone() {
    let file = json_of(&signed());
    for (pointer, field) in [("/task/job_cid", "task.job_cid"), ("/outcome/result_cid", "outcome.result_cid")] {
        let honest = file.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        let (head, tail) = honest.split_at(8);
        // Upper case behind the prefix that says lower case, and all of it with the prefix that says so.
        for text in [format!("{head}{}", tail.to_uppercase()), honest.to_uppercase()] {
            let mut changed = file.clone();
            *changed.pointer_mut(pointer).unwrap() = json!(text);
            let error = read(&changed).unwrap_err().to_string();
            assert!(error.contains(field) && error.contains(&honest), "{text}: {error}");
        }
    }
}

#[test]
fn a_full_manifest_fits_a_receipt() {
    let mut receipt = signed();
    let run = receipt.run.as_mut().unwrap();
    // As much as 65,536 bytes of manifest hold, in the characters that JSON writes longest.
    run.args = (0..1_024).map(|_| "\"".repeat(24)).collect();
    run.env = (0..256).map(|i| (format!("{i}"), "\u{1}".repeat(16))).collect();
    let text = receipt.to_json();
    assert!(text.len() < RECEIPT_JSON_BYTES_MAX, "{} bytes", text.len());
    assert_eq!(Receipt::from_json(text.as_bytes()).unwrap(), receipt);
}

proptest! {
    #[test]
    fn p_30_no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        prop_assert!(Receipt::from_json(&bytes).is_err());
    }

    #[test]
    fn p_30_no_damaged_file_makes_the_reader_panic_or_is_read_as_it_was(at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let honest = signed();
        let mut bytes = honest.to_json().into_bytes();
        let index = at.index(bytes.len());
        bytes[index] = byte;
        if let Ok(read) = Receipt::from_json(&bytes) {
            let is_same = read.canonical() == honest.canonical() && read.signed == honest.signed;
            prop_assert_eq!(read.check_signature() == ReceiptSignature::Valid, is_same);
            prop_assert_eq!(Receipt::from_json(read.to_json().as_bytes()), Ok(read));
        }
        bytes.truncate(cut.index(bytes.len()));
        // White space behind the last brace is all that may be missing.
        if let Ok(read) = Receipt::from_json(&bytes) {
            prop_assert_eq!(read.task.profile, 1);
        }
    }
}
