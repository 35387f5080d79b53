//! Assay tests.
