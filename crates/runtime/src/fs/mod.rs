//! The guest's file system, in memory.

mod tree;

pub use tree::{FileTree, Node, PathError};
