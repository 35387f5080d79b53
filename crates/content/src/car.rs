//! car.
