//! What is known of a word when the command runs.

use crate::parse::Span;

/// One argument, or several: what the shell makes of a word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Value {
    /// What it looks like: text, in which `*` stands for what is not known if `open` says so.
    pub(crate) text: String,
    /// The text up to the first part that is not known.
    pub(crate) known: usize,
    /// How much else there may be.
    pub(crate) open: Open,
    /// Whether it may be any number of words, none included.
    pub(crate) many: bool,
    /// Whether the shell splits it at blanks: then each of its words may begin with anything.
    pub(crate) split: bool,
    /// A number, whatever it is.
    pub(crate) numeric: bool,
    pub(crate) span: Span,
}

/// What is not known of a word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Open {
    /// Nothing: the text is what it is.
    #[default]
    No,
    /// Names in a directory: no `/`, and no dot at the beginning.
    Names,
    /// Paths beneath what is known: they do not climb.
    Below,
    /// Anything.
    Anything,
}

impl Value {
    /// A word that is exactly this.
    pub(crate) fn literal(text: impl Into<String>, span: Span) -> Self {
        let text = text.into();
        Self { known: text.len(), text, span, ..Self::default() }
    }

    /// A word of which nothing is known.
    pub(crate) fn unknown(span: Span) -> Self {
        Self { text: "*".to_owned(), open: Open::Anything, span, ..Self::default() }
    }

    /// The text, if it is known.
    pub(crate) fn as_literal(&self) -> Option<&str> {
        (self.open == Open::No && !self.many && !self.numeric).then_some(self.text.as_str())
    }

    /// The beginning that is known, of each of its words.
    pub(crate) fn prefix(&self) -> &str {
        if self.split {
            return "";
        }
        self.text.get(..self.known).unwrap_or("")
    }

    /// Whether it may be an option, whatever it turns out to be.
    pub(crate) fn may_be_option(&self) -> bool {
        match self.as_literal() {
            Some(text) => text.starts_with('-') && text.len() > 1,
            None if self.numeric && self.known == 0 => false,
            None => self.prefix().is_empty() || self.prefix().starts_with(['-', '+']),
        }
    }

    /// Puts known text behind it.
    pub(crate) fn push_text(&mut self, text: &str) {
        if self.open == Open::No {
            self.known += text.len();
        }
        self.text.push_str(text);
        self.numeric = self.text.is_empty();
    }

    /// Puts something behind it.
    pub(crate) fn push(&mut self, other: &Self) {
        if self.open == Open::No {
            self.known += other.known;
        }
        self.text.push_str(&other.text);
        self.open = self.open.max(other.open);
        self.many |= other.many;
        self.split |= other.split;
        self.numeric = self.text.is_empty() || self.numeric && other.numeric;
    }
}
