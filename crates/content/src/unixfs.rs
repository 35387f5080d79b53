//! unixfs.
