//! The SSH gate: it terminates the agent's SSH connection, holds every command until the broker
//! says that it is released, and only then lets its exact bytes go to the target.
//!
//! | floor | room | what happens there |
//! |---|---|---|
//! | top | `accept` | connections come in |
//! | | `ssh`, `auth` | the SSH server towards agents, and who they are |
//! | | `session` | **the security path of one channel**: open, review, deliver, report |
//! | | `exec`, `shell`, `files` | what is particular to commands, interactive shells, files |
//! | | `review` | an item is held until the broker has released it |
//! | | `client` | what an agent sends, and what it is told |
//! | | `upstream` | connections to the target |
//! | | `boundary` | **the only code that writes to a target** |
//! | | `staging` | what was handed over and not approved yet |
//! | | `broker` | the link to the broker, and its word as types |
//! | ground | `transport`, `limits`, `keys` | byte streams, bounds, keys |
//!
//! A room uses only those below it.
//!
//! It must never let a byte that the agent sent reach the target before that. The one place that
//! can write to a target is `boundary`; it takes approved items, constants, and data covered by a
//! grant, and nothing else. Whatever fails on the way, the command does not run.

mod accept;
mod auth;
mod boundary;
mod broker;
mod client;
mod config;
mod error;
mod exec;
mod files;
mod gate;
mod keys;
mod limits;
mod review;
mod session;
mod shared;
mod shell;
mod ssh;
mod staging;
mod transport;
mod upstream;

pub use auth::host_certs::cert_authority_line;
pub use broker::link::LinkStatus;
pub use config::GateConfig;
pub use error::GateError;
pub use gate::Gate;
pub use keys::{KeyError, known_hosts_line, load_or_create_host_key};
pub use limits::Limits;
