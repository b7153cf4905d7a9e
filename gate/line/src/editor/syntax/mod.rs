//! Whether a shell would ask for more of this. It decides nothing but the `> ` prompt; what it
//! cannot read it calls complete, and it must never recurse or work without a bound.

mod commands;
mod compound;
mod fish;
mod language;
mod scanner;
mod words;

pub use language::{Syntax, is_complete};
