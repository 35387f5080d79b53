//! Parses a JSON document SIZE times, changes it, walks through it and writes it in both forms.

use corpus_checksum::{Checksum, file_argument, size_argument};
use serde_json::{Map, Value, json};

/// Counts the values and the longest way down.
fn walk(value: &Value, depth: u64, counts: &mut [u64; 7]) {
    counts[6] = counts[6].max(depth);
    match value {
        Value::Null => counts[0] += 1,
        Value::Bool(_) => counts[1] += 1,
        Value::Number(number) => counts[2] += number.as_u64().unwrap_or(1),
        Value::String(text) => counts[3] += text.chars().count() as u64,
        Value::Array(values) => {
            counts[4] += 1;
            values.iter().for_each(|value| walk(value, depth + 1, counts));
        }
        Value::Object(members) => {
            counts[5] += 1;
            members.values().for_each(|value| walk(value, depth + 1, counts));
        }
    }
}

/// Every name in capitals, every number halved, every list turned around.
fn change(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64().unwrap_or_default() / 2.0),
        Value::Array(values) => values.into_iter().rev().map(change).collect(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| (name.to_uppercase(), change(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => other,
    }
}

fn main() {
    let turns = size_argument();
    let text = file_argument();
    let mut checksum = Checksum::new();
    for turn in 0..turns {
        let mut value: Value = serde_json::from_slice(&text).expect("the file is JSON");
        value["turn"] = json!({ "number": turn, "escaped": "\u{1}\"\\ü", "tiny": 1e-7 * turn as f64 });
        let changed = serde_json::to_string_pretty(&change(value)).expect("values can be written");
        let again: Value = serde_json::from_str(&changed).expect("what was written can be read");
        let mut counts = [0; 7];
        walk(&again, 0, &mut counts);
        counts.iter().for_each(|count| checksum.mix_number(*count));
        checksum.mix(serde_json::to_string(&again).expect("values can be written").as_bytes());
    }
    checksum.print("json");
}
