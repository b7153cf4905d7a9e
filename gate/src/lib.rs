//! The SSH gate: it terminates the agent's SSH connection, holds every command until the broker
//! has released it, and only then sends its exact bytes to the target.
//!
//! | floor | room | what happens there |
//! |---|---|---|
//! | top | `accept` | connections come in |
//! | | `ssh`, `auth` | the SSH server towards agents, and who they are |
//! | | `session` | **the security path of one channel**: open, review, deliver, report (`dispatch`) |
//! | | `exec`, `shell`, `files` | what is specific to commands, interactive shells and files |
//! | | `review` | holds an item until the broker has released it |
//! | | `client` | one connection of an agent: its channels, what it sends, what it is told |
//! | | `upstream` | connections to the target |
//! | | `boundary` | **the only code that writes to a target** |
//! | | `staging` | what an agent has handed over and nobody has approved yet |
//! | | `broker` | the link to the broker, and the broker's word as types |
//! | ground | `approval`, `transport`, `limits`, `reads`, `keys`, `keyring` | what the gate itself asks for before it delivers, byte streams, limits, what may be read freely, keys, who holds those for targets |
//!
//! A room uses only the rooms below it.
//!
//! No byte that the agent sent may reach the target before its release. Only `boundary` can write
//! to a target, and it takes approved items, constants and data covered by a grant, and nothing
//! else. Whatever fails on the way, the command does not run.

mod accept;
mod approval;
mod auth;
mod boundary;
mod broker;
mod client;
mod config;
mod error;
mod exec;
mod files;
mod gate;
mod keyring;
mod keys;
mod limits;
mod reads;
mod review;
mod session;
mod shared;
mod shell;
mod ssh;
mod staging;
mod transport;
mod upstream;

pub use approval::ApprovalConfig;
pub use auth::host_certs::cert_authority_line;
pub use broker::link::LinkStatus;
pub use config::GateConfig;
pub use error::GateError;
pub use gate::Gate;
pub use keyring::run_key_holder;
pub use keys::{KeyError, known_hosts_line, load_or_create_host_key};
pub use limits::Limits;
pub use reads::ReadPolicy;
