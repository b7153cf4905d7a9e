//! What the scorer carries from command to command. It must never score anything itself.

use crate::Context;
use crate::modifier::Modifier;
use crate::parse::{Shared, Simple, Span, Word};
use crate::program::base_name;
use crate::tables::RiskTables;

use super::input::Input;
use super::segment_score::SegmentScore;

/// The deepest nesting of wrappers that is followed.
pub(super) const MAX_WRAPPERS: usize = 16;

/// What the wrappers around a command say about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inherit {
    pub(crate) via: Vec<String>,
    /// Where privilege was raised.
    pub(crate) privileged: Option<Span>,
    /// More arguments come from elsewhere.
    pub(crate) more_arguments: Option<Span>,
    /// How many wrappers and nested texts are around it.
    pub(crate) depth: usize,
    /// Standard input of the command whose code it is.
    pub(crate) input: Option<Box<Input>>,
}

/// One command with its wrappers taken off so far.
pub(crate) struct Unit<'a> {
    pub(crate) words: &'a [Word],
    pub(crate) inherit: &'a Inherit,
    /// Assignments and redirections count for the outermost command only.
    pub(crate) simple: Option<&'a Simple>,
    /// The command of the line that this one is, or is part of.
    pub(crate) host: &'a Simple,
    /// Its index among the commands of the line.
    pub(crate) index: usize,
    pub(crate) cwd: Option<&'a str>,
}

/// The state while all commands of a line are scored, including those found on the way.
pub(crate) struct Scorer<'a> {
    pub(crate) tables: &'a RiskTables,
    pub(crate) context: &'a Context,
    pub(crate) shared: &'a mut Shared,
    pub(super) inherits: Vec<Inherit>,
    pub(crate) scores: Vec<SegmentScore>,
    pub(super) cwd: Option<String>,
    /// Files that the line itself writes, and their content: they may be run later in the line.
    pub(super) written: Vec<(String, String)>,
}

impl<'a> Scorer<'a> {
    pub(crate) fn new(
        tables: &'a RiskTables,
        context: &'a Context,
        shared: &'a mut Shared,
    ) -> Self {
        let commands = shared.script.commands.len();
        Self {
            tables,
            context,
            shared,
            inherits: vec![Inherit::default()],
            scores: Vec::with_capacity(commands),
            cwd: context.cwd.clone(),
            written: Vec::new(),
        }
    }

    /// The scores of all commands, in the order they were found.
    pub(crate) fn finish(self) -> Vec<SegmentScore> {
        self.scores
    }

    /// Applies a modifier to the command just scored.
    pub(crate) fn note(&mut self, modifier: Modifier, span: Span, why: impl Into<String>) {
        if let Some(score) = self.scores.last_mut() {
            score.modifiers.add(modifier, span, why);
        }
    }

    /// Whether a command of the line fetches something.
    pub(crate) fn runs_network(&self) -> bool {
        self.shared.script.commands.iter().any(|command| {
            command.words.iter().take(3).any(|word| {
                matches!(
                    base_name(&word.text),
                    "curl"
                        | "wget"
                        | "fetch"
                        | "aria2c"
                        | "nc"
                        | "ncat"
                        | "netcat"
                        | "socat"
                        | "http"
                        | "lynx"
                        | "GET"
                        | "ftp"
                        | "dig"
                        | "openssl"
                )
            })
        })
    }
}
