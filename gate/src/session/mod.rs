//! What becomes of one request on a channel.

pub(crate) mod dispatch;
