//! What a command does: read from closed grammars, or not known. To allow, everything must be known; to
//! restrict, doubt is enough.
//!
//! [`syntax`] reads a line strictly, [`walk`] goes through it with its directory and variables,
//! [`arguments`] holds each command against the grammar of its program (`tables/grammar`), and
//! [`model::Effects`] is what comes out. [`looks`] says what only looks.

mod arguments;
mod code;
mod input;
mod looks;
mod model;
mod places;
mod reads;
mod report;
mod sentence;
mod special;
mod syntax;
mod value;
mod walk;

pub(crate) use arguments::{Understood, understand};
pub(crate) use input::shell_of;
pub use input::{InputReport, InputUse, WrittenFile};
pub use looks::Looking;
pub(crate) use looks::objection;
pub use model::{Class, Effects, Touched};
pub(crate) use places::is_secret_place;
pub use report::{CommandReport, LineReport};
pub(crate) use sentence::sentence;
pub(crate) use special::{is_special_path, left_behind};
pub use syntax::means_the_same_everywhere;
pub(crate) use syntax::{Dialect, Unread};
pub(crate) use value::Value;
pub(crate) use walk::{Performance, Performed, climbs, perform};
