//! The agent's side: its connection, its channels, what it sends and what it is told.

pub(crate) mod channel;
pub(crate) mod connection;
pub(crate) mod end;
pub(crate) mod input;
pub(crate) mod read_log;
pub(crate) mod recorder;
pub(crate) mod refusal;
pub(crate) mod writer;
