//! What host calls cost, version 1: a fixed part, and parts for what they move. Always charged before the work.

/// Every host call.
pub const CALL: u64 = 800;
/// One byte copied between host and guest, or written, or zeroed: this many cost one unit, rounded up.
pub const BYTES_PER_GAS: u64 = 8;
/// One buffer of a vector, one subscription, one argument, one variable.
pub const ITEM: u64 = 160;
/// One component of a path.
pub const PATH_COMPONENT: u64 = 150;
/// One byte of a path.
pub const PATH_BYTE: u64 = 4;
/// Opening, creating, removing, renaming; with [`INODE`] for everything that moves.
pub const PATH_CALL: u64 = 2_000;
/// One file or directory looked at.
pub const INODE: u64 = 100;
/// One entry listed.
pub const DIRECTORY_ENTRY: u64 = 200;
/// One byte of randomness.
pub const RANDOM_BYTE: u64 = 16;
