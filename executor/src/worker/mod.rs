//! The sandbox child: the same binary, executed again or forked from one that was ([`ForkServer`]), with nothing but two pipes.
//!
//! Everything that a poster controls is parsed and run there: manifest, module, guest. The child has no keys, no
//! environment, no files and no open sockets. Before it reads its first byte it puts up its fences ([`Fence`]) and says
//! which of them stand; the parent judges that and sends no work to a child that lacks one that it was told to need ([`Isolation`], W-12). When the
//! guest is compiled and loaded, it gives up what only that needed. It is
//! killed with its whole process group when its time is over, and dies with its parent. What it answers is data: the
//! parent compares it with the job directory and the result's own bytes ([`RanTask::check`]), and an answer that is not
//! exactly one well-formed and consistent frame is a host fault, never a result (W-14, W-17).
//!
//! Any binary can host it: its `main` calls [`maybe_child_main`] first, and [`run_in_child`] executes it again.

mod answer;
mod child;
mod confine;
mod fence;
#[cfg(target_os = "linux")]
mod filter;
mod fork_server;
mod frame;
mod limits;
mod parent;
mod shelf;
mod wire;

pub use answer::CheckedRun;
pub use child::{before_guest, maybe_child_main, maybe_child_with};
pub use fence::{Fence, Fences, Isolation, MissingFence, listed};
pub use fork_server::ForkServer;
pub use frame::FrameError;
pub use parent::{Cancel, ChildSettings, ISOLATION_VARIABLE, WorkerFault, probe_child, run_in_child};
pub use wire::{Code, Manner, Prepared, RanTask, Work, WorkReply, WorkRequest};

/// The hidden first argument that makes a binary the child.
pub const CHILD_ARGUMENT: &str = "__assay-worker";
/// The one that makes it the process that children are forked from.
const FORK_SERVER_ARGUMENT: &str = "__assay-fork-server";
