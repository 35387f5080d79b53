//! WASI preview1, deterministic: every answer follows from the request and the calls before.
//!
//! Engine-independent: an engine hands in the guest's memory, the gas left and the arguments, and gets back what the
//! call did. Refused are sockets, signals and links; everything else is there.

pub mod abi;
mod clock;
pub mod cost;
mod descriptors;
mod files;
mod memory;
mod paths;
mod process;

pub use abi::Errno;
pub use memory::{Gas, Memory, Stop};

use crate::fs::store::Files;
use descriptors::Descriptors;

/// The state of one run that its host calls see and change.
pub struct Wasi {
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    stdin: Vec<u8>,
    stdin_at: usize,
    /// What was written to stdout.
    pub stdout: Capture,
    /// What was written to stderr.
    pub stderr: Capture,
    /// The guest's files.
    pub files: Files,
    descriptors: Descriptors,
    clock_unix_ns: u64,
    slept_ns: u64,
    gas_limit: u64,
    random: clock::Random,
}

/// What [`Wasi`] starts from.
pub struct Start {
    /// Arguments, `argv[0]` included.
    pub args: Vec<String>,
    /// Environment, in order.
    pub env: Vec<(String, String)>,
    /// Standard input.
    pub stdin: Vec<u8>,
    /// Files.
    pub files: Files,
    /// Most bytes kept of stdout and of stderr, each.
    pub stdio_bytes: u64,
    /// Seed of randomness.
    pub seed: u64,
    /// Start of the clock.
    pub clock_unix_ns: u64,
    /// Gas limit: the clock advances with the gas used.
    pub gas_limit: u64,
}

impl Wasi {
    /// The state before the first call.
    pub fn new(start: Start) -> Self {
        let mut files = start.files;
        let descriptors = Descriptors::new(&mut files);
        let zero_terminated = |text: String| {
            let mut bytes = text.into_bytes();
            bytes.push(0);
            bytes
        };
        Self {
            args: start.args.into_iter().map(zero_terminated).collect(),
            env: start.env.into_iter().map(|(name, value)| zero_terminated(format!("{name}={value}"))).collect(),
            stdin: start.stdin,
            stdin_at: 0,
            stdout: Capture::new(start.stdio_bytes),
            stderr: Capture::new(start.stdio_bytes),
            files,
            descriptors,
            clock_unix_ns: start.clock_unix_ns,
            slept_ns: 0,
            gas_limit: start.gas_limit,
            random: clock::Random::new(start.seed),
        }
    }
}

/// A stream that is kept up to a limit; the rest is dropped and flagged (W-08).
#[derive(Debug)]
pub struct Capture {
    /// What is kept.
    pub bytes: Vec<u8>,
    /// Whether anything was dropped.
    pub cut: bool,
    limit: usize,
}

impl Capture {
    fn new(limit: u64) -> Self {
        Self { bytes: Vec::new(), cut: false, limit: usize::try_from(limit).unwrap_or(usize::MAX) }
    }

    /// Appends bytes, up to the limit.
    pub fn append(&mut self, data: &[u8]) {
        let room = self.limit.saturating_sub(self.bytes.len());
        let kept = data.get(..room.min(data.len())).unwrap_or_default();
        self.bytes.extend_from_slice(kept);
        self.cut |= kept.len() < data.len();
    }
}

/// One host call: the state, the guest's memory and its gas.
pub struct Call<'a> {
    /// State of the run.
    pub wasi: &'a mut Wasi,
    /// The guest's memory.
    pub memory: Memory<'a>,
    /// Gas left.
    pub gas: &'a mut Gas,
}

/// Arguments of a host call, as raw bits; the signature was checked when the module was metered.
#[derive(Clone, Copy)]
pub struct Args<'a>(pub &'a [u64]);

impl Args<'_> {
    fn u64(self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or_default()
    }

    fn u32(self, index: usize) -> u32 {
        // The engine widened an i32: the upper half is nothing.
        u32::try_from(self.u64(index) & u64::from(u32::MAX)).unwrap_or_default()
    }
}

/// What a function does.
pub type Handler = fn(&mut Call<'_>, Args<'_>) -> Result<(), Stop>;

/// The function of this name; every name of the profile has one.
#[must_use]
pub fn handler(name: &str) -> Option<Handler> {
    Some(match name {
        "args_get" => |call, args| call.args_get(args),
        "args_sizes_get" => |call, args| call.args_sizes_get(args),
        "clock_res_get" => |call, args| call.clock_res_get(args),
        "clock_time_get" => |call, args| call.clock_time_get(args),
        "environ_get" => |call, args| call.environ_get(args),
        "environ_sizes_get" => |call, args| call.environ_sizes_get(args),
        "fd_advise" => |call, args| call.fd_advise(args),
        "fd_allocate" => |call, args| call.fd_allocate(args),
        "fd_close" => |call, args| call.fd_close(args),
        "fd_datasync" => |call, args| call.fd_datasync(args),
        "fd_fdstat_get" => |call, args| call.fd_fdstat_get(args),
        "fd_fdstat_set_flags" => |call, args| call.fd_fdstat_set_flags(args),
        "fd_fdstat_set_rights" => |call, args| call.fd_fdstat_set_rights(args),
        "fd_filestat_get" => |call, args| call.fd_filestat_get(args),
        "fd_filestat_set_size" => |call, args| call.fd_filestat_set_size(args),
        "fd_filestat_set_times" => |call, args| call.fd_filestat_set_times(args),
        "fd_pread" => |call, args| call.fd_pread(args),
        "fd_prestat_dir_name" => |call, args| call.fd_prestat_dir_name(args),
        "fd_prestat_get" => |call, args| call.fd_prestat_get(args),
        "fd_pwrite" => |call, args| call.fd_pwrite(args),
        "fd_read" => |call, args| call.fd_read(args),
        "fd_readdir" => |call, args| call.fd_readdir(args),
        "fd_renumber" => |call, args| call.fd_renumber(args),
        "fd_seek" => |call, args| call.fd_seek(args),
        "fd_sync" => |call, args| call.fd_sync(args),
        "fd_tell" => |call, args| call.fd_tell(args),
        "fd_write" => |call, args| call.fd_write(args),
        "path_create_directory" => |call, args| call.path_create_directory(args),
        "path_filestat_get" => |call, args| call.path_filestat_get(args),
        "path_filestat_set_times" => |call, args| call.path_filestat_set_times(args),
        "path_open" => |call, args| call.path_open(args),
        "path_remove_directory" => |call, args| call.path_remove_directory(args),
        "path_rename" => |call, args| call.path_rename(args),
        "path_unlink_file" => |call, args| call.path_unlink_file(args),
        "poll_oneoff" => |call, args| call.poll_oneoff(args),
        "proc_exit" => |call, args| call.proc_exit(args),
        "random_get" => |call, args| call.random_get(args),
        "sched_yield" => |_, _| Ok(()),
        // A deterministic run has no peers, no signals and no links.
        "path_link" | "path_readlink" | "path_symlink" | "proc_raise" | "sock_accept" | "sock_recv" | "sock_send"
        | "sock_shutdown" => |_, _| Err(Errno::NotSupported.into()),
        _ => return None,
    })
}

impl Call<'_> {
    /// Runs a function: charges the call, then does it. The error number is the guest's answer.
    ///
    /// # Errors
    /// [`Stop`] when the call does not return; never [`Stop::Errno`].
    pub fn run(&mut self, handler: Handler, args: Args<'_>) -> Result<Errno, Stop> {
        self.gas.charge(cost::CALL)?;
        match handler(self, args) {
            Ok(()) => Ok(Errno::Success),
            Err(Stop::Errno(errno)) => Ok(errno),
            Err(stop) => Err(stop),
        }
    }
}

/// A length as `u64`; the platform's lengths always fit.
fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
