//! What is known of the remote side: where its prompt is, what runs, what its edit buffer holds.
//! All of it comes from the target and informs the reviewer; none of it may ever decide whether
//! bytes are held.

mod abort;
mod delivery;
mod echo;
mod event;
mod marker;
mod nonce;
mod probe;
mod provision;
mod scan;
mod state;
mod undeliverable;

pub use abort::AbortReason;
pub use delivery::{Delivery, Step};
pub use event::{Check, Event, Hello, LastStatus, Phase};
pub use nonce::Nonce;
pub use probe::{Probe, find_command, parse_found, parse_probe, probe_command};
pub use provision::start_command;
pub use state::Remote;
pub use undeliverable::Undeliverable;
