//! Goes through a line as the shell would, and says of each command what it does. The directory, the
//! variables and the standard input that a command has travel along.

mod builtins;
mod command;
mod effects;
mod loops;
mod names;
mod state;
mod words;

use std::collections::HashMap;

pub(super) use effects::unclosed;
use state::{State, anything, merge, union};

use self::names::sets_code;
use super::model::Effects;
use super::syntax::{self, Dialect, Item, Join, List, Node, Redirect, RedirectOp, Stage, Unread};
use super::value::Value;
use crate::parse::Span;
use crate::tables::RiskTables;

/// One command of a line, with what it does where it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Performed {
    pub(crate) span: Span,
    /// Its words as far as they are known, the program first.
    pub(crate) words: Vec<Value>,
    pub(crate) effects: Effects,
    /// Where it may run; `None`: anywhere.
    pub(crate) directories: Option<Vec<String>>,
    /// Where it is started: elsewhere if an option leads it away, as `-C` does.
    pub(crate) started_in: Option<Vec<String>>,
    /// Standard input comes from the line itself: a pipe, a file, a text.
    pub(crate) fed: bool,
    /// It has nothing but words: no assignment, and no redirection but to `/dev/null` or another
    /// descriptor.
    pub(crate) bare: bool,
    /// Its output goes into one file by a redirection: behind what that holds, or in its place.
    pub(crate) appends: Option<bool>,
    /// It sets what a shell runs later: an alias, a trap, a prompt.
    pub(crate) sets_code: bool,
}

/// What happens when a line runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Performance {
    pub(crate) commands: Vec<Performed>,
}

/// The most commands that are gone through, loops unrolled.
const MAX_COMMANDS: usize = 400;

/// Goes through a line. An error says why it cannot be read; then nothing is known of it.
pub(crate) fn perform(
    tables: &RiskTables,
    text: &str,
    dialect: Dialect,
    interactive: bool,
    cwd: Option<&str>,
) -> Result<Performance, Unread> {
    let list = syntax::read(text, dialect, interactive)?;
    let state = State {
        directories: Some(vec![cwd.unwrap_or("~").to_owned()]),
        variables: HashMap::new(),
        fed: false,
    };
    let mut walker = Walker {
        tables,
        dialect,
        out: Performance { commands: Vec::with_capacity(list.items.len()) },
        depth: 0,
        state,
        fixed: None,
        dressed: false,
        assigned_code: false,
        appends: None,
    };
    walker.list(&list)?;
    Ok(walker.out)
}

struct Walker<'a> {
    tables: &'a RiskTables,
    dialect: Dialect,
    out: Performance,
    depth: usize,
    state: State,
    /// The span of everything that is read now, where it stands in a text of its own.
    fixed: Option<Span>,
    /// The command that comes next has assignments or redirections.
    dressed: bool,
    /// The assignments just read set what a shell runs later.
    assigned_code: bool,
    /// Whether the command that comes next writes its output behind what a file holds.
    appends: Option<bool>,
}

type Result1<T> = Result<T, Unread>;

impl Walker<'_> {
    fn span(&self, span: Span) -> Span {
        self.fixed.unwrap_or(span)
    }

    fn fail<T>(&self, why: &'static str, span: Span) -> Result1<T> {
        Err(Unread { why, span: self.span(span) })
    }

    fn list(&mut self, list: &List) -> Result1<()> {
        // All that a chain of `&&` and `||` may have left behind, wherever it stopped: after `cd X; …`,
        // `cd X && a || b` and `! cd X && b` the directory may be another than X, and what was to be
        // assigned may not be.
        let mut left = self.state.clone();
        let mut succeeded = true;
        for (at, item) in list.items.iter().enumerate() {
            if at > 0 && (item.join != Join::And || !succeeded) {
                let state = std::mem::take(&mut self.state);
                self.state = merge(left.clone(), state);
            }
            match item.join {
                Join::Then if at == 0 => {}
                Join::Then => left.clone_from(&self.state),
                Join::And | Join::Or => left = merge(left, self.state.clone()),
            }
            // What follows `&&` runs after this one only if it ran itself.
            succeeded = !item.negated && item.join != Join::Or;
            self.item(item)?;
            // The first of a chain runs in any case: what it assigns is assigned.
            if item.join == Join::Then {
                left.variables.clone_from(&self.state.variables);
            }
        }
        self.state = merge(left, std::mem::take(&mut self.state));
        Ok(())
    }

    fn item(&mut self, item: &Item) -> Result1<()> {
        let piped = item.stages.len() > 1;
        for (at, stage) in item.stages.iter().enumerate() {
            if piped {
                // Each runs in a shell of its own, but for the last in zsh.
                let state = self.state.clone();
                self.state.fed |= at > 0;
                self.stage(stage)?;
                let changed = std::mem::replace(&mut self.state, state);
                if at + 1 == item.stages.len() {
                    self.state.directories =
                        union(self.state.directories.take(), changed.directories);
                    self.forget(&changed.variables);
                }
            } else {
                self.stage(stage)?;
            }
        }
        Ok(())
    }

    /// Variables that may have been set elsewhere.
    fn forget(&mut self, changed: &HashMap<String, Value>) {
        for (name, value) in changed {
            match self.state.variables.get(name) {
                Some(old) if old == value => {}
                _ => {
                    self.state.variables.insert(name.clone(), anything((0, 0)));
                }
            }
        }
    }

    fn stage(&mut self, stage: &Stage) -> Result1<()> {
        self.depth += 1;
        if self.depth > 24 || self.out.commands.len() > MAX_COMMANDS {
            return self.fail("too many commands", stage.span);
        }
        let fed = self.state.fed;
        let mut redirected = Effects::default();
        for redirect in &stage.redirects {
            self.redirect(redirect, &mut redirected)?;
        }
        if let Node::Simple(simple) = &stage.node {
            self.simple(simple, redirected, stage.span)?;
        } else {
            if !(redirected.reads.is_empty() && redirected.writes.is_empty()) {
                let effects = Effects {
                    closed: true,
                    stdin: "unused".to_owned(),
                    terminal: "plain".to_owned(),
                    network: "none".to_owned(),
                    ..redirected
                };
                self.push(Vec::new(), effects, stage.span);
            }
            self.node(&stage.node, stage.span)?;
        }
        self.state.fed = fed;
        self.depth -= 1;
        Ok(())
    }

    fn node(&mut self, node: &Node, span: Span) -> Result1<()> {
        match node {
            Node::Simple(_) => Ok(()),
            Node::Group { body, subshell: false } => self.list(body),
            Node::Group { body, subshell: true } => {
                let state = self.state.clone();
                self.list(body)?;
                self.state = state;
                Ok(())
            }
            Node::If { branches, otherwise } => {
                let mut after: Option<State> = None;
                let mut join = |state: State| {
                    after = Some(match after.take() {
                        Some(other) => merge(other, state),
                        None => state,
                    });
                };
                for (condition, body) in branches {
                    self.list(condition)?;
                    let state = self.state.clone();
                    self.list(body)?;
                    join(std::mem::replace(&mut self.state, state));
                }
                self.list(otherwise)?;
                join(self.state.clone());
                if let Some(after) = after {
                    self.state = after;
                }
                Ok(())
            }
            Node::While { condition, body } => self.while_read(condition, body, span),
            Node::For { name, words, body } => self.for_loop(name, words, body, span),
            Node::Test(words) => self.test(words, span),
        }
    }

    fn push(&mut self, words: Vec<Value>, effects: Effects, span: Span) {
        let bare = !words.is_empty() && !std::mem::take(&mut self.dressed);
        let assigned = std::mem::take(&mut self.assigned_code);
        let sets_code = assigned || effects.redefines && sets_code(&words);
        let performed = Performed {
            span: self.span(span),
            words,
            effects,
            directories: self.state.directories.clone(),
            started_in: self.state.directories.clone(),
            fed: self.state.fed,
            bare,
            appends: self.appends.take(),
            sets_code,
        };
        self.out.commands.push(performed);
    }

    fn redirect(&mut self, redirect: &Redirect, effects: &mut Effects) -> Result1<()> {
        match redirect.op {
            RedirectOp::Duplicate => Ok(()),
            RedirectOp::Text => {
                self.expand(&redirect.target)?;
                self.state.fed = true;
                Ok(())
            }
            RedirectOp::Append | RedirectOp::Both | RedirectOp::Read | RedirectOp::Write => {
                let value = self.expand(&redirect.target)?;
                if value.many {
                    return self
                        .fail("a redirection to what is known only at run time", redirect.span);
                }
                if redirect.op == RedirectOp::Read {
                    self.state.fed |= redirect.fd == 0;
                    self.touch(&mut effects.reads, &value, false);
                } else if value.as_literal() != Some("/dev/null") {
                    self.touch(&mut effects.writes, &value, false);
                    if redirect.fd == 1 && redirect.op != RedirectOp::Both {
                        self.appends = Some(redirect.op == RedirectOp::Append);
                    }
                }
                Ok(())
            }
        }
    }
}

/// Whether a path goes up somewhere.
pub(crate) fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

/// A path seen from a directory, without `.`, `..` and `//`.
fn resolve(path: &str, from: &str) -> String {
    crate::risk::resolve(path, Some(from))
}
