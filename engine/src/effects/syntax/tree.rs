//! What a line says, as far as every shell that may read it agrees. Nothing here is a guess: what has
//! another meaning in one of them is not in these types.

use crate::parse::Span;

/// Commands one after another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct List {
    pub(crate) items: Vec<Item>,
}

/// How a pipeline follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Join {
    /// After `&&`: only if the one before succeeded.
    And,
    /// After `||`: only if it failed.
    Or,
    /// After `;` or a newline, or the first: in any case.
    Then,
}

/// One pipeline of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) join: Join,
    /// It succeeds when its last command fails.
    pub(crate) negated: bool,
    /// Each reads what the one before it writes.
    pub(crate) stages: Vec<Stage>,
}

/// A command, simple or compound, with its redirections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) node: Node,
    pub(crate) redirects: Vec<Redirect>,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    For {
        name: String,
        words: Vec<Word>,
        body: List,
    },
    /// In the same shell or in one of its own.
    Group {
        body: List,
        subshell: bool,
    },
    /// Conditions with what follows, then what is done otherwise.
    If {
        branches: Vec<(List, List)>,
        otherwise: List,
    },
    Simple(Simple),
    /// `[[ … ]]`: its words, operators included.
    Test(Vec<Word>),
    /// `while read …`.
    While {
        condition: List,
        body: List,
    },
}

/// A simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Simple {
    pub(crate) assignments: Vec<(String, Word)>,
    pub(crate) words: Vec<Word>,
}

/// `N<FILE` and its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) op: RedirectOp,
    pub(crate) fd: u32,
    pub(crate) target: Word,
    pub(crate) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedirectOp {
    Append,
    /// Both outputs.
    Both,
    /// To another descriptor, which is a digit.
    Duplicate,
    Read,
    /// The text is the target.
    Text,
    Write,
}

/// One word as it stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) parts: Vec<Part>,
    pub(crate) span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// A number that the shell computes.
    Arithmetic,
    /// `*`, `?`, `[a-z]`, outside quotes.
    Glob(String),
    /// `~` at the start of a word.
    Home,
    /// `{1..10}`, outside quotes: one word for each number.
    Numbers,
    /// `$(…)`.
    Output { list: List, quoted: bool },
    /// `$x` and its kind.
    Parameter { name: String, change: Change, quoted: bool },
    /// Text, its quotes removed. `quoted`: some of it was quoted, so that no shell takes it for a keyword.
    Text { text: String, quoted: bool },
}

/// What is done to a parameter's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// `${x%text}`, `${x#text}`: the end or the beginning may be gone.
    Cut {
        from_start: bool,
    },
    /// `${#x}`: its length.
    Length,
    None,
    /// `${x:-text}`.
    Or(String),
}

impl Word {
    /// The text, if nothing in the word is known only at run time.
    pub(crate) fn literal(&self) -> Option<String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text { text, .. } => out.push_str(text),
                _ => return None,
            }
        }
        Some(out)
    }

    /// The text of a word without any quotes, which a shell may take for a keyword.
    pub(super) fn bare(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Text { text, quoted: false }] => Some(text),
            _ => None,
        }
    }
}
