//! A disk without room (E-16).

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use assay_executor::journal::JOURNAL_FILE;
use assay_protocol::JobStatus;
use rustix::process::{Resource, Rlimit, prlimit};
use tokio::process::Command;

use crate::{
    journals::fill_journal,
    proxy::Proxy,
    support::{
        EXECUTOR, Executor, Net, Process, assert_life, assert_settled_once, outcomes_signed, status, until, until_paid,
        with_port,
    },
};

/// Room for a bot with one small job, many times over.
const DISK: &str = "size=4m,mode=700";
/// Long enough that nothing else a process writes comes near it: its log, its blocks.
const JOURNAL_BYTES: usize = 1 << 20;

/// A disk that can be filled at any moment.
enum Disk {
    /// A file system of its own in memory, mounted at a directory, and a file that takes all of its room.
    Mounted(PathBuf),
    /// No file may grow past the length of this journal.
    Limited(PathBuf),
}

impl Disk {
    /// Mounts a file system where the bot's data will be; `None` where that is not allowed.
    fn mount(executor: &mut Executor) -> Option<Self> {
        let directory = executor.path("disk");
        std::fs::create_dir_all(&directory).expect("a directory");
        let mut mount = std::process::Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", DISK, "assay-test"]).arg(&directory).status();
        executor.config.provider.data_dir = directory.join("data");
        mounted.is_ok_and(|status| status.success()).then_some(Self::Mounted(directory))
    }

    fn limit(executor: &Executor) -> Self {
        let data_dir = &executor.config.provider.data_dir;
        fill_journal(data_dir, JOURNAL_BYTES);
        Self::Limited(data_dir.join(JOURNAL_FILE))
    }

    fn start(&self, executor: &mut Executor) -> Process {
        match self {
            Self::Mounted(_) => executor.start(EXECUTOR, &[]),
            // Whoever grows a file too far is told so, instead of being killed.
            Self::Limited(_) => {
                let mut command = Command::new("sh");
                command.args(["-c", r#"trap "" XFSZ && exec "$@""#, "sh", EXECUTOR]);
                executor.start_by(command, &[])
            }
        }
    }

    fn fill(&self, process: &Process) {
        match self {
            Self::Mounted(directory) => {
                let mut ballast = File::create(ballast(directory)).expect("a file");
                while ballast.write(&[0; 4_096]).is_ok() {}
            }
            Self::Limited(journal) => {
                let bytes = std::fs::metadata(journal).expect("a journal").len();
                let limit = Rlimit { current: Some(bytes), maximum: None };
                prlimit(Some(process.pid()), Resource::Fsize, limit).expect("a lower limit");
            }
        }
    }

    fn make_room(&self) {
        match self {
            Self::Mounted(directory) => std::fs::remove_file(ballast(directory)).expect("the file that takes the room"),
            // The limit ended with its process.
            Self::Limited(_) => {}
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Mounted(directory) = self {
            // Even while a process uses it. If it cannot be done, the directory stays: nothing else is at stake.
            drop(std::process::Command::new("umount").arg("-l").arg(directory).status());
        }
    }
}

fn ballast(directory: &Path) -> PathBuf {
    directory.join("ballast")
}

/// The bot ended by itself and said why.
async fn assert_stopped(process: &mut Process) {
    let exit = process.ended().await;
    assert_eq!(exit.code(), Some(1), "{exit}\n{}", process.log());
    assert!(process.log().contains("error: failed to write the journal"), "{}", process.log());
    assert!(process.log().contains("nothing more is signed; free or repair the disk"), "{}", process.log());
}

/// Out of room before it accepts, out of room before it signs a result, then with room.
async fn stops_and_goes_on(net: &Net, executor: &mut Executor, disk: &Disk) {
    let client = net.network.client();
    let url = &net.network.info().content_url;
    let node = Proxy::down(url).await;
    executor.config.content.publish = vec![with_port(url, node.port)];

    let mut process = disk.start(executor);
    until("the start", || async { process.log().contains("executor_started").then_some(()) }).await;
    disk.fill(&process);
    let posted = net.post(client, 1).await;
    assert_stopped(&mut process).await;
    assert_life(&posted.handle, &["JobCreated"]).await;

    disk.make_room();
    let mut process = disk.start(executor);
    until("an attempt to publish", || async { (node.connections() > 0).then_some(()) }).await;
    disk.fill(&process);
    node.bring_up();
    assert_stopped(&mut process).await;
    assert_eq!(status(client, &posted.handle).await, Some(JobStatus::Assigned));
    assert_eq!(outcomes_signed(client, &posted.handle).await, 0);

    disk.make_room();
    let process = disk.start(executor);
    until_paid(client, &posted.handle, &executor.address()).await;
    assert_settled_once(client, &posted.handle, &executor.address()).await;
    process.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_16_a_full_disk_stops_accepting_and_signing_and_costs_nothing_but_time() {
    let net = Net::start(1).await;
    let mut executor = net.executor(0);
    // Where nothing may be mounted, the test of a journal that cannot grow has to do.
    if let Some(disk) = Disk::mount(&mut executor) {
        stops_and_goes_on(&net, &mut executor, &disk).await;
    }
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn e_16_a_journal_that_cannot_grow_stops_accepting_and_signing_and_costs_nothing_but_time() {
    let net = Net::start(1).await;
    let mut executor = net.executor(0);
    let disk = Disk::limit(&executor);
    stops_and_goes_on(&net, &mut executor, &disk).await;
    net.stop().await;
}
