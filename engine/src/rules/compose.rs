//! Rules for lines of several commands: a line is allowed when each of its commands is, where it stands.

use crate::effects::{Performed, objection};
use crate::{Context, Looking};

use super::cover::{StdinCover, takes_input};
use super::types::Rule;

/// What a rule needs to know of one command of a line.
pub(super) struct Part<'a> {
    pub(super) command: &'a Performed,
    /// Its words, if each is known and it has nothing but words.
    pub(super) words: Option<Vec<&'a str>>,
    /// Where it runs, unless that is where the line began.
    pub(super) moved: Option<Vec<String>>,
}

impl<'a> Part<'a> {
    pub(super) fn of(command: &'a Performed, begins_in: &[String]) -> Self {
        let words: Option<Vec<&str>> = if command.bare {
            command.words.iter().map(|word| word.as_literal()).collect()
        } else {
            None
        };
        // As in plain lines: what is not printable may be something else to somebody.
        let words = words.filter(|words| {
            !words.is_empty()
                && words.iter().all(|word| word.bytes().all(|b| (b' '..=b'~').contains(&b)))
        });
        let moved = match &command.started_in {
            Some(directories) if directories == begins_in => None,
            Some(directories) => Some(directories.clone()),
            None => Some(Vec::new()),
        };
        Self { command, words, moved }
    }

    /// A copy of its words, to be kept.
    pub(super) fn owned_words(&self) -> Option<Vec<String>> {
        Some(self.words.as_ref()?.iter().copied().map(str::to_owned).collect())
    }

    /// Whether an ordinary rule holds for it. Behind a `cd` it does only if it names that directory.
    pub(super) fn is_in_scope(&self, rule: &Rule, context: &Context) -> bool {
        match &self.moved {
            None => rule.scope.covers(context),
            Some(directories) => {
                rule.scope.cwd.is_some()
                    && !directories.is_empty()
                    && directories.iter().all(|directory| {
                        let there = Context { cwd: Some(directory.clone()), ..context.clone() };
                        rule.scope.covers(&there)
                    })
            }
        }
    }

    /// Whether what the line feeds it can do nothing but be read.
    pub(super) fn is_fed_harmlessly(&self) -> bool {
        let effects = &self.command.effects;
        !self.command.fed || effects.closed && matches!(effects.stdin.as_str(), "unused" | "filter")
    }

    /// Whether a rule covers what the line itself feeds it: what can do nothing but be read, or with
    /// `--stdin` what is not run.
    pub(super) fn is_fed_within(&self, rule: &Rule) -> bool {
        self.is_fed_harmlessly()
            || rule.stdin == Some(StdinCover::Any) && takes_input(&self.command.effects)
    }

    /// Why it does not only look.
    pub(super) fn objection(&self, looking: &Looking, terminal: bool) -> Option<String> {
        objection(self.command, looking, terminal)
    }
}
