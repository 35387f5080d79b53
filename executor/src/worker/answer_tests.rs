use assay_protocol::{PROFILE_V1, TaskLimits, limits::MODULE_BYTES_MAX};
use assay_runtime::RunOptions;
use assay_sdk::verify::{TaskInput, execute};

use super::*;
use crate::worker::child;

/// `(module (memory (export "memory") 1) (func (export "_start")))`
const EXITING: &[u8] = &[
    0, b'a', b's', b'm', 1, 0, 0, 0, // header
    1, 4, 1, 0x60, 0, 0, // type: () -> ()
    3, 2, 1, 0, // one function of it
    5, 3, 1, 0, 1, // one memory of one page
    7, 19, 2, 6, b'_', b's', b't', b'a', b'r', b't', 0, 0, 6, b'm', b'e', b'm', b'o', b'r', b'y', 2, 0, // exports
    10, 4, 1, 2, 0, 11, // nothing
];
const MANIFEST: &str = r#"{"executable": "job.wasm", "args": ["one"], "env": {"LANG": "C"}, "output_path": "output/"}"#;

/// A job that promises its module, and an honest answer.
fn honest() -> (TaskSpec, Vec<Entry>, RanTask) {
    let job = vec![Entry::file("manifest.json", MANIFEST.as_bytes().to_vec()), Entry::file("job.wasm", EXITING)];
    let mut spec = TaskSpec {
        profile: PROFILE_V1,
        job_cid_digest: digest_from_cid(&pack_entries(job.clone()).expect("packed").root).expect("canonical"),
        metered_hash: [0; 32],
        limits: TaskLimits { gas_limit: 1_000_000, ..TaskLimits::default() },
        seed: 0,
        clock_unix_ns: 0,
    };
    let executed = execute(&TaskInput { spec, entries: job.clone() }, &RunOptions::default()).expect("an outcome");
    let metered = executed.facts.as_ref().expect("it ran").metered_hash;
    spec.metered_hash = metered;
    (spec, job, child::ran(executed, Some(metered)))
}

/// The answer with another result, which its outcome names.
fn with_result(ran: &RanTask, entries: Vec<Entry>) -> RanTask {
    let package = pack_entries(entries).expect("packed");
    let outcome = Outcome::decode(&ran.outcome, 1_000_000).expect("canonical");
    let result_cid_digest = digest_from_cid(&package.root).expect("canonical");
    let outcome = Outcome { result_cid_digest, ..outcome }.encode();
    RanTask { outcome, root: Some(package.root), blocks: package.blocks, ..ran.clone() }
}

fn refusal(task: &TaskSpec, job: &[Entry], ran: &RanTask) -> String {
    ran.check(task, job).expect_err("refused").to_string()
}

#[test]
fn w_12_an_honest_answer_is_believed_and_nothing_that_it_does_not_need_is_kept() {
    let (task, job, mut ran) = honest();
    let needed = ran.blocks.len();
    let junk = pack_entries([Entry::file("junk", b"junk".to_vec())]).expect("packed");
    ran.blocks.extend(junk.blocks);
    let checked = ran.check(&task, &job).expect("consistent");
    assert_eq!(checked.facts, ran.facts);
    assert_eq!(checked.outcome.encode(), ran.outcome);
    assert_eq!(checked.package.expect("a result").blocks.len(), needed);
}

#[test]
fn w_12_p_29_what_a_child_says_otherwise_than_the_parent_knows_it_is_a_host_fault_by_name() {
    let (task, job, ran) = honest();
    type Lie = fn(&mut RunFacts);
    let lies: [(&str, Lie); 7] = [
        ("run.module_hash", |facts| facts.module_hash = [1; 32]),
        ("run.metered_hash", |facts| facts.metered_hash = [1; 32]),
        ("run.args", |facts| facts.args.push("two".to_owned())),
        ("run.args", |facts| facts.args = vec!["x".repeat(10 << 20)]),
        ("run.env", |facts| facts.env.clear()),
        ("run.stdout_hash", |facts| facts.stdout_hash = [1; 32]),
        ("run.stderr_hash", |facts| facts.stderr_hash = [1; 32]),
    ];
    for (field, lie) in lies {
        let mut lying = ran.clone();
        lie(lying.facts.as_mut().expect("it ran"));
        let text = refusal(&task, &job, &lying);
        assert!(text.contains(field) && text.len() < 400, "{field}: {text}");
    }
    // What is shown of a run without a receipt.
    for metered_hash in [None, Some([1; 32])] {
        let text = refusal(&task, &job, &RanTask { metered_hash, ..ran.clone() });
        assert!(text.contains("metered"), "{text}");
    }
    // Another job's directory.
    let other =
        vec![job[0].clone(), Entry::file("job.wasm", vec![0; usize::try_from(MODULE_BYTES_MAX).expect("fits")])];
    assert!(refusal(&task, &other, &ran).contains("run.module_hash"));
    assert!(refusal(&task, &job[..1], &ran).contains("names no module"));
}

#[test]
fn w_12_a_result_that_is_not_the_outcomes_or_no_run_packs_is_a_host_fault() {
    let (task, job, ran) = honest();
    let files = |more: &[Entry]| {
        let own =
            [Entry::file("stdout.txt", Vec::new()), Entry::file("stderr.txt", Vec::new()), Entry::directory("output")];
        own.into_iter().chain(more.iter().cloned()).collect::<Vec<_>>()
    };
    let elsewhere = with_result(&ran, files(&[Entry::file("output/a", b"a".to_vec())]));
    assert!(elsewhere.check(&task, &job).is_ok(), "what a guest wrote is only the guest's to say");
    let cases = [
        ("not the one that the outcome names", RanTask { root: elsewhere.root, ..ran.clone() }),
        ("no result", RanTask { root: None, ..ran.clone() }),
        ("no measurements", RanTask { facts: None, ..ran.clone() }),
        ("is not stdout.txt, stderr.txt and output/", with_result(&ran, files(&[Entry::file("more.txt", Vec::new())]))),
        ("no stdout.txt", with_result(&ran, files(&[])[1..].to_vec())),
        ("is not stdout.txt, stderr.txt and output/", with_result(&ran, files(&[])[..2].to_vec())),
    ];
    for (said, lying) in cases {
        let text = refusal(&task, &job, &lying);
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(RanTask { blocks: Vec::new(), ..ran.clone() }.check(&task, &job).is_err(), "no block of the result");
    let mut damaged = ran.clone();
    damaged.blocks[0].1 = vec![0; 9].into();
    assert!(damaged.check(&task, &job).is_err(), "a block that its CID does not name");
    let invalid = Outcome::invalid(assay_protocol::InvalidReason::ModuleInvalid).encode();
    assert!(refusal(&task, &job, &RanTask { outcome: invalid, ..ran }).contains("an Invalid task has a result"));
}
