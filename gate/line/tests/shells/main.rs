//! Real shells on a pseudo-terminal: what is approved is what runs, or nothing runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bash;
mod common;
mod fish;
mod harness;
mod probe;
mod zsh;
