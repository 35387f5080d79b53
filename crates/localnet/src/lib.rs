//! Assay localnet.
