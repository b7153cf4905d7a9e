//! What is judged, and by what: the syntax of an item, and the tables, rules and policies of one moment.

use crate::rules::every_command;
use crate::subject::Subject;
use crate::{PolicySet, RiskTables, RuleSet};

/// Everything a judgement depends on besides the command; replaced as a whole.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// The risk tables.
    pub tables: RiskTables,
    /// The rules.
    pub rules: RuleSet,
    /// Who must approve.
    pub policies: PolicySet,
}

/// In which syntax the bytes of an item are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ItemSyntax<'a> {
    /// A command line of a shell.
    #[default]
    Command,
    /// A control key.
    Control {
        /// The program in the foreground with its arguments, where known.
        foreground: Option<&'a str>,
    },
    /// A change of files through SFTP, in words.
    File,
    /// A line for a program that is not the shell.
    Input {
        /// The program in the foreground with its arguments, where known.
        foreground: Option<&'a str>,
    },
    /// Keys for a program that reads them one by one.
    Keys {
        /// The program in the foreground with its arguments, where known.
        foreground: Option<&'a str>,
    },
    /// A signature with a key of the user's own, in words.
    Signature,
}

/// The changes in an item, one a line; the summary above several of them changes nothing.
pub(crate) fn changes_in(item: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = item.split(|b| *b == b'\n').collect();
    let summary =
        |line: &&[u8]| line.starts_with(b"sftp upload ") || line.starts_with(b"scp upload ");
    if lines.len() > 1 && lines.first().is_some_and(summary) {
        lines.remove(0);
    }
    lines
}

/// The words of a change, for rules that deny and for policies: as they stand there, and without
/// the quotes around a path.
pub(crate) fn words_of_change(line: &[u8]) -> Vec<Subject> {
    let mut all = every_command(line);
    let text = String::from_utf8_lossy(line);
    all.push(Subject::known(text.split_whitespace().map(str::to_owned).collect()));
    all
}
