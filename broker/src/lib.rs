//! The broker: scores commands, asks reviewers, records, and keeps the log.
//!
//! [`Broker::open`] takes up the data directory; [`Broker::serve_unix`] and
//! [`Broker::serve_tcp`] answer HTTP and WebSocket. Nothing that is asked for happens before it is
//! on disk, and nothing is allowed because something failed.

mod broker;
mod dispatcher;
mod files;
mod guards;
mod keys;
mod notify;
mod proofs;
mod recordings;
mod server;
mod state;
mod store;
mod tokens;
mod users;
mod witnesses;
mod wraps;

pub use broker::{Broker, BrokerConfig, LogVerdict, OpenError};
pub use files::{private_dir, write_private};
pub use keys::{KeyError, check_checkpoint, check_statement};
pub use notify::{Event as WebhookEvent, Format as WebhookFormat, Webhook, WebhookError};
pub use proofs::{CONTENTS_NAMESPACE, Contents, RecordingDigest};
pub use server::serve_witness;
pub use state::{Peer, Refusal};
pub use store::StoreError;
pub use witnesses::WitnessConfig;
