//! The path of one request, from open to report: on a channel, or of a signature.

pub(crate) mod dispatch;
pub(crate) mod signature;
