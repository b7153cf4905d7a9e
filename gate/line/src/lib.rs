//! The line gate as pure code: what the agent types goes in, items for review come out, and what
//! is written to the target is named only as "the approved item now" or as one of a closed set of
//! constants. No I/O, no clock.

mod constant;
pub mod editor;
pub mod remote;
pub mod session;

pub use constant::Const;
