//! Accepts connections, over the Unix socket and over TCP.

pub(crate) mod listener;
mod peer;
mod uplink_header;
mod users;
