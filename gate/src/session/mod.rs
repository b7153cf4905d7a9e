//! The path of one request on a channel, from open to report.

pub(crate) mod dispatch;
