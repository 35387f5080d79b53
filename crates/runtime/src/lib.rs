//! Assay runtime.
