//! Assay cli.
