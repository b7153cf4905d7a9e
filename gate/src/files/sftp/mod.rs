//! SFTP, terminated in the gate: reads pass, and every change is an item.

mod change_queue;
mod handles;
mod pending_write;
mod prepare;
mod requests;
pub(crate) mod serve;
mod service;
