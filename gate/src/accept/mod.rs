//! Where connections come in.

pub(crate) mod listener;
mod uplink_header;
