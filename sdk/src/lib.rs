//! Assay sdk.
