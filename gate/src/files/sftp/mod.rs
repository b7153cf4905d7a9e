//! SFTP, ended in the gate: reading flows, every change is an item.

mod change_queue;
mod handles;
mod pending_write;
mod prepare;
mod requests;
pub(crate) mod serve;
mod service;
