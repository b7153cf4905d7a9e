//! What a line does, command by command, for those outside of the engine.

use serde::{Deserialize, Serialize};

use super::looks::{self, Looking};
use super::model::Effects;
use super::syntax::Dialect;
use super::walk::{Performance, perform};
use crate::tables::RiskTables;
use crate::{Assessment, Context};

/// What a line does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineReport {
    /// Whether every command in it only looks.
    pub looks: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The bytes that stop it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<[usize; 2]>,
    /// Its commands in the order in which they run, loops unrolled; empty where the line is not read.
    pub commands: Vec<CommandReport>,
}

/// One command of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandReport {
    /// Start and end (exclusive) in bytes.
    pub span: [usize; 2],
    /// What it does.
    pub effects: Effects,
    /// Why it does not only look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objection: Option<String>,
}

impl RiskTables {
    /// What a line does, and whether it only looks.
    #[must_use]
    pub fn report(&self, command: &[u8], context: &Context, looking: &Looking) -> LineReport {
        let Ok(text) = std::str::from_utf8(command) else {
            return LineReport {
                why: Some("bytes that are not UTF-8".to_owned()),
                ..LineReport::default()
            };
        };
        let dialect = Dialect::of(context.shell.as_deref());
        match perform(self, text, dialect, context.pty, context.cwd.as_deref()) {
            Ok(performance) => report(&performance, looking, context.pty),
            Err(unread) => LineReport {
                why: Some(unread.why.to_owned()),
                span: Some([unread.span.0, unread.span.1]),
                ..LineReport::default()
            },
        }
    }
}

impl LineReport {
    /// Takes back that a line only looks where the scorer could not read it, or saw a deception.
    #[must_use]
    pub fn checked(mut self, assessment: &Assessment) -> Self {
        let deceives =
            assessment.terms.iter().any(|term| term.is(crate::modifier::Modifier::Deception));
        if self.looks && (assessment.uninspectable || deceives) {
            self.looks = false;
            self.why = Some("a part of the line cannot be read with certainty".to_owned());
        }
        self
    }
}

impl LineReport {
    /// What the command does that stands at that place; where the line was not read, nothing is known.
    #[must_use]
    pub fn effects_at(&self, span: [usize; 2]) -> Effects {
        let inside =
            |command: &&CommandReport| command.span[0] <= span[0] && span[1] <= command.span[1];
        // The innermost of those around it.
        let found = self
            .commands
            .iter()
            .filter(inside)
            .min_by_key(|command| command.span[1] - command.span[0]);
        found.map_or_else(
            || {
                let why = self.why.as_deref().unwrap_or("it is not understood");
                super::walk::unclosed(why)
            },
            |command| command.effects.clone(),
        )
    }
}

fn report(performance: &Performance, looking: &Looking, terminal: bool) -> LineReport {
    let commands: Vec<CommandReport> = performance
        .commands
        .iter()
        .map(|command| CommandReport {
            span: [command.span.0, command.span.1],
            effects: command.effects.clone(),
            objection: looks::objection(command, looking, terminal),
        })
        .collect();
    let first = commands.iter().find(|command| command.objection.is_some());
    LineReport {
        looks: first.is_none() && !commands.is_empty(),
        why: first.and_then(|command| command.objection.clone()),
        span: first.map(|command| command.span),
        commands,
    }
}
