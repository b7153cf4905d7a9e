//! One item, read once: its score, what the rules and policies say of it, what it does with its standard
//! input and how it is shown all come from the same reading. It must never allow anything by itself.

use std::cell::OnceCell;

use crate::effects::{Dialect, InputReport, perform, sentence, shell_of};
use crate::hidden::{beside, goes_elsewhere, moved};
use crate::item::{ItemSyntax, Snapshot, changes_in, words_of_change};
use crate::modifier::Modifier;
use crate::restrict::{Line, Suspect};
use crate::secrets::{self, Found, Masked};
use crate::subject::{Heard, Subject};
use crate::transfer::describe_transfer;
use crate::{Assessment, Context};

/// An item as it was read, for everything that is to be said of it.
pub struct Reading<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) syntax: ItemSyntax<'a>,
    pub(crate) item: &'a [u8],
    pub(crate) context: &'a Context,
    pub(crate) assessment: Assessment,
    /// Its text may be run: it is not the content of a file.
    pub(crate) runs: bool,
    /// Its secrets, where the scorer has looked for them in this very text.
    secrets: Option<Found>,
    line: OnceCell<Line<'a>>,
    commands: OnceCell<Vec<Suspect>>,
    hidden: OnceCell<Vec<Suspect>>,
    transfer: OnceCell<Option<String>>,
}

impl<'a> Reading<'a> {
    /// Reads an item and scores it.
    #[must_use]
    pub fn of(
        snapshot: &'a Snapshot,
        syntax: ItemSyntax<'a>,
        item: &'a [u8],
        context: &'a Context,
    ) -> Self {
        let tables = &snapshot.tables;
        let (assessment, secrets) = match syntax {
            ItemSyntax::Command => tables.assess_with_secrets(item, context),
            ItemSyntax::Control { foreground } => {
                (tables.assess_control(foreground, item, context), None)
            }
            ItemSyntax::File => (tables.assess_file(item, context), None),
            ItemSyntax::Input { foreground } => {
                (tables.assess_input(foreground, item, context), None)
            }
            ItemSyntax::Keys { foreground } => {
                (tables.assess_keys(foreground, item, context), None)
            }
            ItemSyntax::Signature => (tables.assess_signature(item), None),
        };
        Self {
            snapshot,
            syntax,
            item,
            context,
            assessment,
            runs: matches!(syntax, ItemSyntax::Command | ItemSyntax::Input { .. }),
            secrets,
            line: OnceCell::new(),
            commands: OnceCell::new(),
            hidden: OnceCell::new(),
            transfer: OnceCell::new(),
        }
    }

    /// The same of what is the content of a file: what stands in it is not held against deny rules.
    pub(crate) fn of_content(self) -> Self {
        Self { runs: false, ..self }
    }

    /// What it does with its standard input, where it is a command.
    #[must_use]
    pub fn input_use(&self) -> InputReport {
        let tables = &self.snapshot.tables;
        let deceives = self.assessment.terms.iter().any(|term| term.is(Modifier::Deception));
        let performed = || &self.line().performance;
        // What deceives is not performed for the rules.
        let performed: Option<&dyn Fn() -> _> = if deceives { None } else { Some(&performed) };
        let transfer = self.transfer();
        tables.input_of(self.item, self.context, &self.assessment, transfer, performed)
    }

    /// What it moves, if it is a command that moves files.
    #[must_use]
    pub fn transfer(&self) -> Option<&str> {
        self.transfer.get_or_init(|| describe_transfer(self.item)).as_deref()
    }

    /// What it does, in one plain sentence; `None` where any of it is not understood.
    #[must_use]
    pub fn sentence(&self) -> Option<String> {
        self.transfer().map(str::to_owned).or_else(|| {
            let Self { snapshot, context, item, assessment, .. } = self;
            let text = std::str::from_utf8(item).ok().filter(|_| !assessment.uninspectable)?;
            let alike = shell_of(text, context).filter(|_| context.shell.is_none());
            let Some(shell) = alike else {
                return sentence(self.line().performance.as_ref().ok()?, context.pty);
            };
            let (dialect, cwd) = (Dialect::of(Some(shell)), context.cwd.as_deref());
            let line = perform(&snapshot.tables, text, dialect, context.pty, cwd).ok()?;
            sentence(&line, context.pty)
        })
    }

    /// The item with its secrets masked.
    #[must_use]
    pub fn masked(&self) -> Masked {
        match &self.secrets {
            Some(found) => secrets::mask_found(&self.assessment.command, found),
            None => secrets::mask_secrets(self.item),
        }
    }

    /// Whether a rule that denies or a policy may be about commands that begin with this word.
    fn is_asked_about(&self, first: &str, known: bool) -> bool {
        let Snapshot { rules, policies, .. } = self.snapshot;
        rules.may_deny(first, known) || policies.may_ask(first, known)
    }

    /// As the rules see it.
    pub(crate) fn line(&self) -> &Line<'a> {
        self.line.get_or_init(|| {
            let tables = &self.snapshot.tables;
            Line::read_checked(self.item, self.context, tables, &self.assessment)
        })
    }

    /// The commands that the scorer found: deny rules and policies look at the same. Of those that none
    /// is about, only the first word.
    pub(crate) fn commands(&self) -> &[Suspect] {
        self.commands.get_or_init(|| {
            let found = self.assessment.segments.iter().map(|segment| {
                // Where nobody asks about what begins like it, the rest of it is not compared.
                let first = segment.heard().next();
                let asked = |first: &Heard| self.is_asked_about(&first.text, first.known);
                let rest = if first.as_ref().is_some_and(asked) { usize::MAX } else { 0 };
                let words = first.into_iter().chain(segment.heard().skip(1).take(rest)).collect();
                Subject::of(words)
            });
            let words = match self.syntax {
                ItemSyntax::File => {
                    changes_in(self.item).into_iter().flat_map(words_of_change).collect()
                }
                _ => Vec::new(),
            };
            found.chain(words).map(Suspect::from).collect()
        })
    }

    /// What is not said, and may be run all the same; as far as a rule that denies or a policy may be
    /// about it.
    pub(crate) fn hidden(&self) -> &[Suspect] {
        self.hidden.get_or_init(|| {
            let segments = &self.assessment.segments;
            let tables = &self.snapshot.tables;
            let asked = |first: &str, known| self.is_asked_about(first, known);
            let suspects = self.commands().iter().map(Some).chain(std::iter::repeat(None));
            let inside = segments.iter().zip(suspects);
            let inside =
                inside.flat_map(|(segment, suspect)| beside(segment, suspect, tables, &asked));
            let goes = segments.iter().any(goes_elsewhere);
            let moved = if goes { moved(self.line()) } else { Vec::new() };
            inside.chain(moved).map(Suspect::from).collect()
        })
    }
}
