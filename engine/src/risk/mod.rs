//! Scores commands and items, 0-100, every point explained. It must never score unread text below
//! HIGH.
//!
//! `assess.rs` reads a line and goes through its commands with a [`scorer::Scorer`]: `segment.rs`
//! scores each as it stands, `unwrap.rs` and `nested.rs` look for the commands inside it, `line.rs`
//! adds what holds for the line as a whole.

mod assess;
mod code;
mod deception;
mod effects;
mod files;
mod hosts;
mod input;
mod interpreter;
mod items;
mod line;
mod mongo;
mod nested;
mod operands;
mod paths;
mod program;
mod redirects_env;
mod redis;
mod scorer;
mod segment;
mod segment_score;
mod sql;
mod statements;
mod typed_statement;
mod unwrap;
mod words;

pub use assess::assess;
pub(crate) use assess::commands_of;
pub(crate) use paths::resolve;
