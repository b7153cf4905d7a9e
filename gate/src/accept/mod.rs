//! Accepts connections, over the Unix socket and over TCP.

pub(crate) mod listener;
mod uplink_header;
