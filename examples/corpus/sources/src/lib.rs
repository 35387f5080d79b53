//! Never built: the lock file pins and checks the crates that hold the C programs' sources.
