//! Compiled code that is kept: used when it fits exactly, made again otherwise (W-11).

use std::{fs, path::Path, sync::Arc};

use assay_runtime::{
    ArtifactCache, ArtifactKey, ArtifactStore, CacheCounts, CacheError, CacheLimits, End, Engine, EngineKind, Handover,
    HostFault, ModuleName, Run, RunOptions, RunRequest, Variant, compiled_code_identity, run_with,
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::guest::request;

/// A program that exits with this code.
fn program(code: u32) -> RunRequest {
    request(&format!(
        r#"(module (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1) (func (export "_start") i32.const {code} call $exit))"#
    ))
}

fn key(number: u8) -> ArtifactKey {
    ArtifactKey { module: ModuleName::Metered([number; 32]), variant: Variant::Fast, engine: [0; 32] }
}

fn open(directory: &Path) -> Arc<ArtifactCache> {
    Arc::new(ArtifactCache::open(Some(directory), CacheLimits::default()).unwrap())
}

fn run_kept(request: &RunRequest, store: Arc<dyn ArtifactStore>) -> Run {
    let options = RunOptions {
        engine: Engine::Wasmtime,
        variant: Variant::Fast,
        artifacts: Some(store),
        ..RunOptions::default()
    };
    run_with(request, &options).unwrap()
}

/// What a run with a fresh view of the directory counts.
fn counts_of_a_run(request: &RunRequest, directory: &Path) -> CacheCounts {
    let cache = open(directory);
    assert_eq!(run_kept(request, cache.clone()).report, assay_runtime::run(request).unwrap());
    cache.counts()
}

const NOTHING: CacheCounts = CacheCounts { memory_hits: 0, disk_hits: 0, misses: 0, rejected: 0, write_failures: 0 };

/// A directory with the code of a program, and the file that holds it.
fn kept(request: &RunRequest) -> (TempDir, std::path::PathBuf) {
    let directory = TempDir::new().unwrap();
    assert_eq!(counts_of_a_run(request, directory.path()), CacheCounts { misses: 1, ..NOTHING });
    let files: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    (directory, file.clone())
}

#[test]
fn w_11_compiled_code_is_kept_in_memory_and_on_disk() {
    let request = program(3);
    let (directory, _) = kept(&request);
    let cache = open(directory.path());
    for _ in 0..3 {
        assert_eq!(run_kept(&request, cache.clone()).report.end, End::Exited(3));
    }
    assert_eq!(cache.counts(), CacheCounts { disk_hits: 1, memory_hits: 2, ..NOTHING });
}

#[test]
fn w_11_damaged_code_is_made_again() {
    let request = program(4);
    let (directory, file) = kept(&request);
    let whole = fs::read(&file).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        bytes
    };
    let mut damaged: Vec<Vec<u8>> = [0, 9, 41, 73, 104, 200, whole.len() / 2, whole.len() - 1].map(flipped).into();
    damaged.extend([0, 8, 103, 104, whole.len() - 1].map(|length| whole[..length].to_vec()));
    damaged.push([whole.as_slice(), b"x"].concat());
    damaged.push(b"somebody else's file".to_vec());
    damaged.push(whole[104..].to_vec());
    for (number, bytes) in damaged.iter().enumerate() {
        fs::write(&file, bytes).unwrap();
        let counts = counts_of_a_run(&request, directory.path());
        assert_eq!(counts, CacheCounts { disk_hits: 1, rejected: 1, ..NOTHING }, "{number}");
        assert_eq!(counts_of_a_run(&request, directory.path()), CacheCounts { disk_hits: 1, ..NOTHING }, "{number}");
    }
}

/// Wraps code as the runtime does.
fn seal(program: &[u8; 32], engine: &[u8; 32], code: &[u8]) -> Vec<u8> {
    let digest: [u8; 32] = Sha256::new_with_prefix(b"ASYCODE1")
        .chain_update(program)
        .chain_update(engine)
        .chain_update(code)
        .finalize()
        .into();
    [b"ASYCODE1".as_slice(), program, engine, &digest, code].concat()
}

#[test]
fn w_11_code_of_another_version_program_or_shape_is_never_loaded() {
    let (request, other) = (program(5), program(6));
    let (directory, file) = kept(&request);
    let engine = compiled_code_identity().unwrap();
    let whole = fs::read(&file).unwrap();
    let code = &whole[104..];
    let hash = request.metered.fast.as_ref().unwrap().hash;
    assert_eq!(seal(&hash, &engine, code), whole, "this test wraps code as the runtime does");
    let (_other_directory, other_file) = kept(&other);
    for (what, bytes) in [
        ("another engine, version, configuration or processor", seal(&hash, &[7; 32], code)),
        ("another program, under this one's name", fs::read(&other_file).unwrap()),
        ("the other variant", seal(&request.metered.hash, &engine, code)),
        ("no compiled code", seal(&hash, &engine, b"not an object file")),
        ("a module", seal(&hash, &engine, &request.metered.wasm)),
    ] {
        fs::write(&file, bytes).unwrap();
        let counts = counts_of_a_run(&request, directory.path());
        assert_eq!(counts, CacheCounts { disk_hits: 1, rejected: 1, ..NOTHING }, "{what}");
    }
}

#[test]
fn w_11_every_part_of_a_key_makes_another_name() {
    let key = key(1);
    let others = [
        ArtifactKey { module: ModuleName::Metered([3; 32]), ..key },
        // A hash of the one kind says nothing about the other.
        ArtifactKey { module: ModuleName::Uploaded([1; 32]), ..key },
        ArtifactKey { variant: Variant::Canonical, ..key },
        ArtifactKey { engine: [3; 32], ..key },
    ];
    assert!(others.iter().all(|other| other.digest() != key.digest()));
}

#[cfg(unix)]
#[test]
fn w_11_links_pipes_and_directories_are_not_read() {
    let request = program(7);
    let (directory, file) = kept(&request);
    let elsewhere = TempDir::new().unwrap();
    let target = elsewhere.path().join("target");
    fs::rename(&file, &target).unwrap();
    std::os::unix::fs::symlink(&target, &file).unwrap();
    assert_eq!(counts_of_a_run(&request, directory.path()), CacheCounts { misses: 1, ..NOTHING });
    assert!(fs::symlink_metadata(&file).unwrap().is_file(), "the link was replaced");

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let counts = counts_of_a_run(&request, directory.path());
    assert_eq!(counts, CacheCounts { misses: 1, write_failures: 1, ..NOTHING });
    assert!(fs::read_dir(directory.path()).unwrap().count() == 1, "nothing unfinished is left");
}

#[cfg(unix)]
#[test]
fn w_11_what_others_may_write_to_is_not_trusted() {
    use std::os::unix::fs::PermissionsExt;
    let request = program(8);
    let (directory, file) = kept(&request);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(counts_of_a_run(&request, directory.path()), CacheCounts { misses: 1, ..NOTHING });
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "made again");

    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o770)).unwrap();
    let refused = ArtifactCache::open(Some(directory.path()), CacheLimits::default());
    assert!(matches!(refused.err(), Some(CacheError::Untrusted { .. })));
    let refused = ArtifactCache::open(Some(&file), CacheLimits::default());
    assert!(matches!(refused.err(), Some(CacheError::Io { .. } | CacheError::Untrusted { .. })));
}

#[test]
fn w_11_the_directory_stays_within_its_bytes_and_what_was_used_longest_ago_leaves_first() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("notes.txt"), [0; 100_000]).unwrap();
    let limits = CacheLimits { memory_bytes: 0, disk_bytes: 1_000 };
    let cache = ArtifactCache::open(Some(directory.path()), limits).unwrap();
    let age = |number: u8, seconds: u64| {
        let name: String = key(number).digest().iter().map(|byte| format!("{byte:02x}")).collect();
        let file = fs::File::options().write(true).open(directory.path().join(name + ".artifact")).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
    };
    for number in 0..4 {
        cache.keep(&key(number), vec![number; 250].into());
        age(number, u64::from(number) + 1);
    }
    assert!(cache.load(&key(0)).is_some(), "and is used now");
    cache.keep(&key(4), vec![4; 400].into());
    let held: Vec<_> = (0..5).filter(|number| cache.holds(&key(*number))).collect();
    assert_eq!(held, [0, 3, 4]);
    cache.keep(&key(5), vec![5; 1_001].into());
    assert!(!cache.holds(&key(5)), "larger than all the room");
    assert!(directory.path().join("notes.txt").exists(), "other people's files stay");
    assert_eq!(cache.counts().write_failures, 1);
}

#[test]
fn w_11_the_directory_stays_within_its_files_also_those_that_no_key_names() {
    let directory = TempDir::new().unwrap();
    for number in 0..8_200 {
        fs::write(directory.path().join(format!("{number}.artifact")), "of an earlier version").unwrap();
    }
    let cache = open(directory.path());
    let files = || fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(files(), 8_191, "and there is room for one more");
    for number in 0..2 {
        cache.keep(&key(number), vec![number; 250].into());
        assert_eq!(files(), 8_192);
    }
    assert!(cache.holds(&key(0)) && cache.holds(&key(1)));
}

#[test]
fn w_11_memory_stays_within_its_bytes() {
    let cache = ArtifactCache::open(None, CacheLimits { memory_bytes: 1_000, disk_bytes: 0 }).unwrap();
    for number in 0..100 {
        cache.keep(&key(number), vec![number; 300].into());
    }
    // Room is made a little later; every look makes some.
    let held = || (0..100).filter(|number| cache.load(&key(*number)).is_some()).count();
    for _ in 0..100 {
        held();
    }
    assert!(held() <= 3, "{}", held());
}

#[test]
fn threads_that_compile_the_same_program_at_once_all_get_its_result() {
    let request = program(9);
    let directory = TempDir::new().unwrap();
    let cache = open(directory.path());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(run_kept(&request, cache.clone()).report.end, End::Exited(9)));
        }
    });
    assert_eq!(counts_of_a_run(&request, directory.path()), CacheCounts { disk_hits: 1, ..NOTHING });
}

#[test]
fn w_11_a_process_without_files_hands_its_code_over() {
    let request = program(10);
    let first = Arc::new(Handover::default());
    assert_eq!(run_kept(&request, first.clone()).report.end, End::Exited(10));
    let made = Arc::into_inner(first).unwrap().into_made();
    assert_eq!(made.iter().map(|(variant, _)| *variant).collect::<Vec<_>>(), [Variant::Fast]);

    let second = Arc::new(Handover::new(made.clone()));
    assert_eq!(run_kept(&request, second.clone()).report.end, End::Exited(10));
    assert!(Arc::into_inner(second).unwrap().into_made().is_empty(), "nothing was compiled again");

    let other = program(11);
    let third = Arc::new(Handover::new(made));
    assert_eq!(run_kept(&other, third.clone()).report.end, End::Exited(11));
    assert_eq!(Arc::into_inner(third).unwrap().into_made().len(), 1, "code of another program is of no use");
}

#[test]
fn w_11_w_13_a_process_whose_code_is_compiled_elsewhere_compiles_nothing() {
    let exits = program(13);
    let traps = request(r#"(module (memory (export "memory") 1) (func (export "_start") unreachable))"#);
    let options = |engine, store: &Arc<Handover>| RunOptions {
        engine,
        variant: Variant::Fast,
        artifacts: Some(store.clone()),
        compiled_elsewhere: true,
        ..RunOptions::default()
    };
    let (empty, other) = (Arc::new(Handover::default()), Arc::new(Handover::default()));
    run_kept(&program(14), other.clone());
    let of_another = Arc::new(Handover::new(Arc::into_inner(other).unwrap().into_made()));
    for engine in [Engine::Wasmtime, Engine::Auto] {
        for store in [&empty, &of_another] {
            assert_eq!(run_with(&exits, &options(engine, store)), Err(HostFault::NotCompiled(Variant::Fast)));
        }
    }
    assert!(Arc::into_inner(empty).unwrap().into_made().is_empty());
    assert!(Arc::into_inner(of_another).unwrap().into_made().is_empty());

    // Where a guest ran it is not repeated in the compiler, whatever there is.
    let made = Arc::new(Handover::default());
    run_kept(&traps, made.clone());
    let both = Arc::new(Handover::new(Arc::into_inner(made).unwrap().into_made()));
    assert_eq!(run_with(&traps, &options(Engine::Wasmtime, &both)), Err(HostFault::Repeat));
    let canonical = RunOptions { variant: Variant::Canonical, ..options(Engine::Wasmtime, &both) };
    assert_eq!(run_with(&traps, &canonical).unwrap().report, assay_runtime::run(&traps).unwrap());
}

#[test]
fn a_program_can_be_compiled_before_it_is_run() {
    let request = program(12);
    let cache = Arc::new(ArtifactCache::open(None, CacheLimits::default()).unwrap());
    let options = RunOptions {
        engine: Engine::Auto,
        variant: Variant::Fast,
        artifacts: Some(cache.clone()),
        ..RunOptions::default()
    };
    options.compile(&request.metered).unwrap();
    assert_eq!(cache.counts(), CacheCounts { misses: 1, ..NOTHING });
    let run = run_with(&request, &options).unwrap();
    assert_eq!((run.report.end, run.engine, run.variant), (End::Exited(12), Some(EngineKind::Wasmtime), Variant::Fast));
    assert_eq!(cache.counts(), CacheCounts { misses: 1, memory_hits: 1, ..NOTHING });
}
