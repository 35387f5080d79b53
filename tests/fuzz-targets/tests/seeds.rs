//! Every target runs over its seeds, so that none rots.

use std::{fs, path::Path};

use assay_fuzz_targets::{TARGETS, run};

fn over_seeds(name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    assert!(root.join(format!("targets/{name}.rs")).is_file(), "fuzz/targets has a binary for {name}");
    let directory = root.join("seeds").join(name);
    let seeds = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut count = 0;
    for seed in seeds {
        let path = seed.expect("an entry of the directory").path();
        run(name, &fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        count += 1;
    }
    assert!(count > 0, "{} is empty", directory.display());
    run(name, b"");
}

#[test]
fn metering_runs_over_its_seeds() {
    over_seeds("metering");
}

#[test]
fn modules_runs_over_its_seeds() {
    over_seeds("modules");
}

#[test]
fn wasi_runs_over_its_seeds() {
    over_seeds("wasi");
}

#[test]
fn manifest_runs_over_its_seeds() {
    over_seeds("manifest");
}

#[test]
fn car_runs_over_its_seeds() {
    over_seeds("car");
}

#[test]
fn unixfs_runs_over_its_seeds() {
    over_seeds("unixfs");
}

#[test]
fn every_target_has_a_test_here() {
    assert_eq!(TARGETS.map(|(name, _)| name), ["metering", "modules", "wasi", "manifest", "car", "unixfs"]);
}
