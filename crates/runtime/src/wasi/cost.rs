//! What host calls cost, version 1: a fixed part, and parts for what they move. Always charged before the work.

/// Every host call.
pub const CALL: u64 = 800;
/// One byte copied between host and guest, or written, or zeroed: this many cost one unit, rounded up.
pub const BYTES_PER_GAS: u64 = 8;
/// One buffer of a vector, one subscription, one argument, one variable.
pub const ITEM: u64 = 160;
/// One of the pieces into which `/` divides a path, empty ones too.
pub const PATH_COMPONENT: u64 = 150;
/// One byte of a path.
pub const PATH_BYTE: u64 = 4;
/// One path, of which `path_rename` has two.
pub const PATH: u64 = 2_000;
/// One file or directory that `path_rename` moves, those below it too.
pub const INODE: u64 = 100;
/// One entry of a directory: when its listing begins, and again when it is gone through, be it there still or not.
pub const DIRECTORY_ENTRY: u64 = 200;
/// One byte of randomness.
pub const RANDOM_BYTE: u64 = 16;
