//! What clients have handed over and nobody has approved yet. Plain data: nothing here can write to
//! a target.

pub(crate) mod pending_reply;
pub(crate) mod scp_upload;
pub(crate) mod spool;
