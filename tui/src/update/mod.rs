//! The one place where the model changes: a message in, effects out. It must never wait, read a
//! clock, or touch the terminal or the network.

mod actions;
mod alerts;
mod broker;
mod decide;
mod decision;
mod dispatch;
mod fetched;
mod field;
mod find;
mod grant;
mod held;
mod keys;
mod list;
mod lock;
mod mouse;
mod navigate;
mod pin;
mod replay;
mod rule;
mod select;
mod session;
mod signing;
mod vote;
mod watch;

pub(crate) use dispatch::update;
pub(crate) use lock::{Lock, allow_lock, comment_lock, deny_lock};
