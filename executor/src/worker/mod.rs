//! The sandbox child: the same binary, executed again, with nothing but two pipes.
//!
//! Everything that a poster controls is parsed and run there: manifest, module, guest. The child has no keys, no
//! environment, no files and no open sockets; it limits itself before it reads its first byte, is killed with its whole
//! process group when its time is over, and dies with its parent. What it answers is data: blocks are hashed again by
//! the parent, and an answer that is not exactly one well-formed frame is a host fault, never a result (W-14, W-17).
//!
//! Any binary can host it: its `main` calls [`maybe_child_main`] first, and [`run_in_child`] executes it again.

mod child;
mod frame;
mod limits;
mod parent;
mod wire;

pub use child::maybe_child_main;
pub use frame::{BODY_BYTES_MAX, FrameError, HEADER_BYTES_MAX, read_frame, write_frame};
pub use parent::{Cancel, ChildSettings, WorkerFault, run_in_child};
pub use wire::{Prepared, RanTask, Task, WorkReply, WorkRequest};

/// The hidden first argument that makes a binary the child.
pub const CHILD_ARGUMENT: &str = "__assay-worker";
