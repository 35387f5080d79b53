//! dagpb.
