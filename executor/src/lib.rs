//! Assay executor.
