//! The SSH gate: it terminates the agent's SSH connection, holds every command until the broker
//! says that it is released, and only then lets its exact bytes go to the target.
//!
//! It must never let a byte that the agent sent reach the target before that. The one place that
//! can write to a target is `boundary`; it takes approved items, constants, and data covered by a
//! grant, and nothing else. Whatever fails on the way, the command does not run.

mod authority;
mod boundary;
mod certificates;
mod channel;
mod client;
mod config;
mod door;
mod entrance;
mod environment;
mod flow;
mod head;
mod history;
mod inbox;
mod jump;
mod keys;
mod known_hosts;
mod life;
mod link;
mod message;
mod output;
mod push;
mod recorder;
mod running;
mod scp;
mod serve;
mod server;
mod session;
mod sftp;
mod shell;
mod status;
mod stream;
mod team;
mod terminal;
mod upstream;

pub use certificates::cert_authority_line;
pub use config::{Gate, GateConfig, GateError, Limits};
pub use keys::{KeyError, known_hosts_line, load_or_create_host_key};
pub use link::LinkStatus;
