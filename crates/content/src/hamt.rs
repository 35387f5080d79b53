//! hamt.
