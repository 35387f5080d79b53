//! Assay content.
