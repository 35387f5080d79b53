//! Assay metering.
