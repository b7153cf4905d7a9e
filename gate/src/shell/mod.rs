//! Interactive shells: the agent types into the gate's line editor, and approved lines are typed
//! into the account's own shell.

mod effects;
mod history;
mod in_review;
pub(crate) mod run;
