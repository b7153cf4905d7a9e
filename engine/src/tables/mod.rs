//! What the engine knows about programs, as data: one TOML file per category beside this file, and
//! the same format for a user's own. It must never decide how points add up.

mod act;
mod effects;
mod grammar;
mod load;
mod path_lists;
mod pattern;
mod program;
mod risk_tables;
mod secrets;
mod synonyms;
mod wildcard;

pub(crate) use act::{Act, Acts, Network, Place, Stdin, Terminal};
pub(crate) use effects::Effect;
pub(crate) use grammar::{Bundle, Choice, CodeKind, Grammar, Kind, Operand, Style, Takes};
pub(crate) use load::Points;
pub use load::TablesError;

/// Whether something of this name can be changed, as in `changes:service`.
pub(crate) fn is_change(name: &str) -> bool {
    act::Change::is_name(name)
}

pub(crate) use path_lists::PathLists;
pub(crate) use pattern::{Arguments, MAX_WORDS};
pub(crate) use program::{CodePlace, Language, Program, Wraps, Writes};
pub use risk_tables::RiskTables;
pub(crate) use secrets::{SecretInput, SecretPlaces, SecretTable};
pub(crate) use synonyms::{Form, Piece, Rewrite, Synonyms};
pub(crate) use wildcard::wildcard;
