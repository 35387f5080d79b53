//! CAR in and out.
