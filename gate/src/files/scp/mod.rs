//! Uploads by legacy scp: which commands ask for one, what the client sends, what that would do on
//! the target, and how an approved upload is carried out.

mod answers;
mod collect;
pub(crate) mod command;
pub(crate) mod download;
mod plan;
pub(crate) mod serve;
