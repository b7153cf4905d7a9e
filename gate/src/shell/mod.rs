//! An interactive shell: the agent types at the gate's line editor, and approved lines at the
//! account's own shell.

mod effects;
mod history;
mod in_review;
pub(crate) mod run;
