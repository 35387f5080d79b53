//! Small jobs, each with one outcome.

use std::path::Path;

use assay_content::{Entry, digest_from_cid, pack_entries};
use assay_protocol::TaskLimits;
use assay_sdk::{Client, JobSpec, PostedJob, job_spec::JobSpecBuilder};

use crate::support::Net;

/// Paid for any outcome, lamports.
pub const BASE_FEE_LAMPORTS: u64 = 1_000_000;
/// Lamports per 10^12 gas.
const PRICE: u64 = 10_000_000_000;
const MANIFEST: &str = r#"{"executable": "job.wasm", "args": [], "output_path": "output/"}"#;

/// Gas for a guest that does next to nothing.
pub fn small() -> TaskLimits {
    TaskLimits { gas_limit: 1_000_000, ..TaskLimits::default() }
}

/// So much gas that it takes a child of its own: a bot runs with its preparation what is done in a hundredth of a second.
pub fn large() -> TaskLimits {
    TaskLimits { gas_limit: 100_000_000, ..TaskLimits::default() }
}

/// A guest that prints a line with this number and returns.
pub fn prints(number: u64) -> String {
    let length = format!("job {number}\n").len();
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\10\00\00\00\{length:02x}\00\00\00")
            (data (i32.const 16) "job {number}\n")
            (func (export "_start")
                (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#
    )
}

/// A guest with this body.
pub fn does(body: &str) -> String {
    format!(r#"(module (memory (export "memory") 1) (func (export "_start") {body}))"#)
}

impl Net {
    /// Posts a small job that prints its number. Numbers that are posted at the same time differ.
    pub async fn post(&self, client: &Client, number: u64) -> PostedJob {
        self.post_guest(client, number, (&prints(number), small())).await
    }

    /// As [`Self::post`], with this many seats.
    pub async fn post_for(&self, client: &Client, number: u64, seats: u8) -> PostedJob {
        let spec = self.builder(number, (&prints(number), small())).redundancy(seats).build().expect("a spec");
        client.post_job(&spec).await.expect("the job is posted")
    }

    /// As [`Self::post_for`], for a provider that runs it alone if there is one.
    pub async fn post_adaptive(&self, client: &Client, number: u64, seats: u8) -> PostedJob {
        let spec = self.builder(number, (&prints(number), small())).adaptive(seats).build().expect("a spec");
        client.post_job(&spec).await.expect("the job is posted")
    }

    /// Posts a job with this guest, in text format.
    pub async fn post_guest(&self, client: &Client, number: u64, (guest, limits): (&str, TaskLimits)) -> PostedJob {
        client.post_job(&self.spec(number, (guest, limits))).await.expect("the job is posted")
    }

    /// Posts a job whose manifest means nothing to anybody. A poster's tools refuse it, so it takes the place of a good
    /// one after they looked.
    pub async fn post_invalid(&self, client: &Client, number: u64) -> PostedJob {
        let spec = self.spec(number, (&prints(number), small()));
        let mut prepared = client.prepare_job(&spec).await.expect("a good job");
        let manifest = format!("not JSON {number}").into_bytes();
        prepared.package = pack_entries([Entry::file("manifest.json", manifest)]).expect("a package");
        prepared.task.job_cid_digest = digest_from_cid(&prepared.package.root).expect("a canonical root");
        let quote = client.quote(&spec, &prepared).await.expect("a quote");
        client.post_prepared(&spec, prepared, quote).await.expect("the job is posted")
    }

    fn spec(&self, number: u64, guest: (&str, TaskLimits)) -> JobSpec {
        self.builder(number, guest).build().expect("a spec")
    }

    fn builder(&self, number: u64, (guest, limits): (&str, TaskLimits)) -> JobSpecBuilder {
        let directory = self.directory(&format!("job-{number}"));
        write_job(&directory, guest);
        let spec = JobSpec::builder(directory, self.network.market()).limits(limits);
        spec.price(PRICE).base_fee_lamports(BASE_FEE_LAMPORTS)
    }
}

fn write_job(directory: &Path, guest: &str) {
    std::fs::create_dir_all(directory).expect("a directory");
    std::fs::write(directory.join("job.wasm"), wat::parse_str(guest).expect("a module")).expect("written");
    std::fs::write(directory.join("manifest.json"), MANIFEST).expect("written");
}
