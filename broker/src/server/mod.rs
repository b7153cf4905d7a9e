//! HTTP and WebSocket: who is asking, and what they get.

mod actions;
mod answer;
mod auth;
mod body;
mod challenges;
mod commands;
mod doors;
mod gate_ws;
mod log;
mod lookup;
mod machine;
mod pin_door;
mod pins;
mod principals;
mod proof;
mod proofs;
mod reviewer_ws;
mod router;
mod rules;
mod serve;
mod sessions;
mod shared;
mod signing_keys;
mod status;
mod taints;
mod witness;
mod wraps;

pub(crate) use shared::Shared;
pub use witness::serve_witness;
