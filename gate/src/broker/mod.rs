//! The link to the broker: handles for the rest of the gate, the task that owns the WebSocket, and
//! the broker's word as types.

pub(crate) mod event;
pub(crate) mod link;
pub(crate) mod log_watch;
pub(crate) mod proof;
pub(crate) mod queue;
pub(crate) mod reporter;
mod task;
mod writer;
