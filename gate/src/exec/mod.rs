//! A command that was delivered: its output, its standard input, its end.

pub(crate) mod account_shell;
pub(crate) mod git_push;
pub(crate) mod run;
pub(crate) mod stdin;
