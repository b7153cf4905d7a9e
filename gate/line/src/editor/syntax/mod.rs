//! Whether a shell would ask for another line. It decides nothing but the `> ` prompt. What it
//! cannot read it calls complete; it must never recurse or work without a bound.

mod commands;
mod compound;
mod fish;
mod language;
mod scanner;
mod words;

pub use language::{Syntax, is_complete};
