//! Facts about how a command uses its program. It must never score anything.

use std::borrow::Cow;

use crate::parse::Word;
use crate::program::base_name;
use crate::tables::{Program, Wraps};

use super::deception;

/// The name a command is looked up by.
pub(crate) fn program_name(words: &[Word]) -> Cow<'_, str> {
    let text = words.first().map_or("", |word| word.text.as_str());
    let base = base_name(text);
    if base.is_ascii() { Cow::Borrowed(base) } else { Cow::Owned(deception::ascii_of(base)) }
}

/// Whether a program only runs another one, so that its own operands are not files.
pub(crate) fn hands_on(program: &Program) -> bool {
    matches!(
        program.wraps,
        Some(Wraps::Rest | Wraps::Xargs | Wraps::Joined | Wraps::Text | Wraps::Alias | Wraps::Ssh)
    )
}

/// `--help` or `--version` as the only argument, or the last one after a verb.
pub(crate) fn only_helps(words: &[Word], program: &Program) -> bool {
    // `python3 --version` reads no script; `python3 x --version` does.
    if program.wraps.is_some_and(|wraps| wraps != Wraps::Dashes)
        || program.stdin.is_some() && words.len() > 2
    {
        return false;
    }
    match words {
        [_, only] | [_, _, only] => {
            only.known()
                && matches!(
                    only.text.as_str(),
                    "--help" | "--version" | "-help" | "-version" | "--usage"
                )
        }
        _ => false,
    }
}

/// Whether `find` is given tests, so that it takes only part of what is there.
pub(crate) fn find_is_narrowed(words: &[Word]) -> bool {
    words.iter().any(|word| {
        matches!(
            word.text.as_str(),
            "-name"
                | "-iname"
                | "-path"
                | "-ipath"
                | "-regex"
                | "-iregex"
                | "-mtime"
                | "-mmin"
                | "-ctime"
                | "-cmin"
                | "-atime"
                | "-amin"
                | "-newer"
                | "-size"
                | "-empty"
                | "-user"
                | "-group"
                | "-perm"
                | "-inum"
                | "-nouser"
                | "-nogroup"
                | "-wholename"
                | "-iwholename"
                | "-samefile"
                | "-links"
                | "-uid"
                | "-gid"
                | "-newermt"
                | "-executable"
                | "-lname"
                | "-xtype"
        )
    })
}

/// The pattern of names that `find` is given.
pub(crate) fn pattern_of_find(words: &[Word]) -> Option<&Word> {
    let at = words.iter().position(|word| {
        matches!(
            word.text.as_str(),
            "-name" | "-iname" | "-path" | "-ipath" | "-regex" | "-iregex" | "-wholename"
        )
    })?;
    words.get(at + 1).filter(|word| word.text.contains(['*', '?', '[', '.']))
}
