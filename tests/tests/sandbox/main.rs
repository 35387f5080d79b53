//! A stand-in for a guest that broke the engine tries each thing that the sandbox child must not be able to do.
#![cfg(target_os = "linux")]

mod engines;
mod start;

use std::{collections::BTreeMap, fs, net::TcpListener, os::unix::fs::symlink, path::Path, sync::Arc, time::Duration};

use assay_content::Entry;
use assay_executor::worker::{
    Cancel, ChildSettings, Fence, Fences, ForkServer, Isolation, Manner, Work, WorkRequest, WorkerFault, probe_child,
    run_in_child,
};
use assay_protocol::{METERED_HASH_UNSTATED, PROFILE_V1, TaskLimits, TaskSpec};

const STAND_IN: &str = env!("CARGO_BIN_EXE_sandbox_stand_in");
/// "No such system call": what the filter says.
const ENOSYS: i64 = 38;

/// How children come to be: executed, as by a command, and forked, as by a bot.
fn starts() -> [Option<Arc<ForkServer>>; 2] {
    [None, Some(Arc::default())]
}

/// What the stand-in tried and what the kernel said, beside the fences that it stood behind.
fn tried(
    (program, fork_server): (&Path, Option<Arc<ForkServer>>),
    work: Work,
    isolation: Isolation,
) -> (BTreeMap<String, i64>, Fences) {
    let settings = ChildSettings {
        program: Some(program.to_owned()),
        fork_server,
        deadline: Duration::from_secs(60),
        isolation,
        ..ChildSettings::default()
    };
    // Somebody listens: only a fence can refuse the connection.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port().to_string();
    let task = TaskSpec {
        profile: PROFILE_V1,
        job_cid_digest: [0; 32],
        metered_hash: METERED_HASH_UNSTATED,
        limits: TaskLimits::default(),
        seed: 0,
        clock_unix_ns: 0,
    };
    let request = WorkRequest { work, task, entries: vec![Entry::file("port", port.into_bytes())] };
    match run_in_child(&request, &settings, &Cancel::default()) {
        Err(WorkerFault::Reported(text)) => {
            // It was not executed because it could not be forked.
            assert!(settings.fork_server.as_ref().is_none_or(|server| server.id().is_some()));
            (serde_json::from_str(&text).expect("a report"), probe_child(work, &settings).expect("a child"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn w_12_w_18_whatever_a_guest_that_broke_the_engine_tries_does_not_exist_for_it() {
    let manners = [Manner::REFERENCE, Manner::QUICKEST];
    for (manner, fork_server) in manners.into_iter().flat_map(|manner| starts().map(|start| (manner, start))) {
        let (tried, fences) = tried((Path::new(STAND_IN), fork_server), Work::Run(manner), Isolation::Required);
        assert_eq!(fences.missing_for(Isolation::Required).count(), 0, "{fences:?}");
        assert!(tried.len() >= 60, "{tried:?}");
        for (attempt, errno) in &tried {
            let expected = match attempt.as_str() {
                "calls that exist" | "guest: calls that exist" | "variables that exist" => 0,
                // What a child that compiles can do and no other, until the guest starts.
                "memory made executable" if manner == Manner::QUICKEST => 0,
                "guest: reserved memory made writable" | "guest: new memory" => 0,
                _ => ENOSYS,
            };
            assert_eq!(*errno, expected, "{attempt}, {manner:?}");
        }
    }
    assert!(!Path::new("/tmp/assay-escaped").exists());
}

#[test]
fn w_12_without_the_filter_the_other_fences_refuse_the_same() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("without-filter");
    symlink(STAND_IN, &program).expect("linked");
    // One that a child inherits: most are closed when a program is executed, this is not.
    let _inherited = rustix::io::dup(fs::File::open("/dev/null").expect("opened")).expect("a descriptor");
    for fork_server in starts() {
        the_other_fences_refuse_the_same(&program, fork_server);
    }
    assert!(!Path::new("/tmp/assay-escaped").exists());
}

fn the_other_fences_refuse_the_same(program: &Path, fork_server: Option<Arc<ForkServer>>) {
    let (tried, fences) = tried((program, fork_server), Work::Run(Manner::QUICKEST), Isolation::None);
    assert_eq!((tried["variables that exist"], std::env::vars_os().count() > 0), (0, true));
    assert_eq!(tried["descriptors that exist"], 0, "{fences:?}");
    let missing: Vec<Fence> = fences.missing().map(|missing| missing.fence).collect();
    assert!(missing.contains(&Fence::SystemCalls), "{fences:?}");
    // What refuses it besides the filter; one of them is enough. Kernels and containers differ in which they allow.
    let outside = [Fence::FileSystem, Fence::Landlock].as_slice();
    let others = [Fence::UserNamespace, Fence::Landlock].as_slice();
    for (attempt, held_by) in [
        ("open a file", outside),
        ("write a file", outside),
        ("open the parent's memory", outside),
        ("execute a program", outside),
        ("read the parent's memory", others),
        ("trace the parent", others),
        ("signal the parent", &[Fence::Landlock]),
        ("connect over TCP", &[Fence::NetworkNamespace, Fence::Landlock]),
        ("become root", &[Fence::Capabilities]),
        ("become the group of root", &[Fence::Capabilities]),
        ("mount a file system", &[Fence::Capabilities]),
        ("leave the root directory", &[Fence::Capabilities]),
        ("raise a limit", &[Fence::Capabilities]),
    ] {
        if held_by.iter().any(|fence| !missing.contains(fence)) {
            assert_ne!(tried[attempt], 0, "{attempt}: {fences:?}");
        }
    }
}
