//! The byte streams under SSH, for both of the gate's legs, and the algorithms above them.

pub(crate) mod algorithms;
pub(crate) mod backpressure;
pub(crate) mod stream;
