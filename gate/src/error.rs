//! Why a gate cannot serve at all. Errors that concern one connection are reported to its client
//! instead.

use expacti_protocol::client::ClientError;

/// Why a gate cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The broker's address cannot be used.
    #[error(transparent)]
    Broker(#[from] ClientError),
    /// One of the gate's own identities cannot be used.
    #[error("one of the gate's identities: {0}")]
    Identity(String),
    /// The gate's own key cannot be used.
    #[error("the gate's key: {0}")]
    Key(String),
    /// What the gate asks for before it delivers cannot be used.
    #[error("[approval]: {0}")]
    Approval(String),
    /// The listening socket failed.
    #[error("the gate cannot accept connections: {0}")]
    Listen(#[source] std::io::Error),
}
