//! Programs in small languages that only look: `awk '{print $1}'`, `sed -n 1,5p`. What is not understood
//! is refused.

mod address;
mod awk;
mod jq;
mod sed;
mod sql;

pub(super) use address::host_of;

use crate::tables::CodeKind;

/// What a text cannot be taken for.
pub(crate) type Doubt = String;

/// Whether a text in that language only reads what it is given and prints.
pub(crate) fn check(language: CodeKind, text: &str) -> Result<(), Doubt> {
    match language {
        CodeKind::Awk => awk::check(text),
        CodeKind::Jq => jq::check(text),
        CodeKind::Sed => sed::check(text),
        CodeKind::Shell => Err("a shell's text is read elsewhere".to_owned()),
        CodeKind::Sql => sql::check(text),
    }
}

fn no<T>(why: &str) -> Result<T, Doubt> {
    Err(why.to_owned())
}
