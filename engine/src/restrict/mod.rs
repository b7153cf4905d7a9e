//! Whether a command is one that a rule forbids or a policy is about. In doubt it is: options are
//! skipped, order does not matter, and a word that is not known may be any word.

mod index;
mod likeness;
mod line;
mod literal;
mod modes;
mod resources;
mod spellings;
mod suspect;
mod words;

pub(crate) use index::PatternIndex;
pub(crate) use likeness::likeness;
pub(crate) use line::{Done, Line, is_far, policy_level};
pub(crate) use spellings::{akin, may_be_akin};
pub(crate) use suspect::Suspect;
pub(crate) use words::Likeness;
