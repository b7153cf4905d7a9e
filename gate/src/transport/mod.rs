//! The byte streams below SSH on both sides of the gate, their backpressure, and the algorithms.

pub(crate) mod algorithms;
pub(crate) mod backpressure;
pub(crate) mod stream;
