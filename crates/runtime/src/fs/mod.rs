//! The guest's file system, in memory: nothing of the host's is ever touched.

mod change;
pub mod store;
pub mod tree;

pub use tree::{FileTree, Node, PathError};

/// The output path as the file system knows it: without `./` before it and `/` behind it.
#[must_use]
pub fn trim_output_path(path: &str) -> &str {
    path.trim_start_matches("./").trim_end_matches('/')
}
