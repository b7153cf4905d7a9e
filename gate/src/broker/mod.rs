//! The link to the broker: who may ask, the task that speaks, and the broker's word as types.

pub(crate) mod event;
pub(crate) mod link;
pub(crate) mod proof;
pub(crate) mod queue;
mod task;
