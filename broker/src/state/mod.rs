//! What the broker knows and has not finished with. A command goes: submitted -> (auto) | pending -> decided | expired | withdrawn ->
//! released -> finished | unknown.
//!
//! Pure: requests, the time and the recorder's answers go in; what must be written and who must be
//! told comes out. Nobody is told before it is written: the dispatcher commits `writes`, and only
//! then sends `outgoing`. When the commit fails, [`State::rollback`] undoes the batch.

mod apply;
mod archive;
mod authority;
mod changes;
mod commands;
mod content;
mod covers;
mod credential;
mod deadlines;
mod decide;
mod digest_key;
mod eligibility;
mod finish;
mod gates;
mod holder;
mod input;
mod log;
mod mask_input;
mod model;
mod open;
mod pauses;
mod policies;
mod ports;
mod principals;
mod quota;
mod reads;
mod recover;
mod release;
mod reveal;
mod reviewers;
mod rulebook;
mod rules;
mod secret;
mod secret_input;
mod sessions;
mod shell;
mod shown;
mod signing_keys;
mod snapshot;
mod submit;
mod table;
mod taint;
mod targets;
#[cfg(test)]
mod tests;
mod unix_users;
mod work;

pub(crate) use commands::too_late_for;
pub(crate) use model::{Loaded, State};
pub(crate) use ports::{GateId, Now, Outgoing, Recorder, Signer, Write};
pub use ports::{Peer, Refusal};
pub(crate) use reviewers::Asked;
pub(crate) use secret::{for_viewer, not_kept};
pub(crate) use sessions::shown_info;
#[cfg(test)]
pub(crate) use shown::Secrets;
pub(crate) use shown::{Kept, Shown};
