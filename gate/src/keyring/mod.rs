//! The private keys with which the gate logs in to targets are in a process of their own. The gate asks it
//! over a socket pair for one login at a time, in the ssh-agent protocol; it never reads a key itself.

mod client;
mod holder;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use client::{KeyFile, Keyring};
pub use holder::run_key_holder;
