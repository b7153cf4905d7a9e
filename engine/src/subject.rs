//! A command of a line as those who restrict see it: its words, and which of them are known.

/// A word of a command as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) text: String,
    /// Whether it is this text and nothing else.
    pub(crate) known: bool,
}

/// One command of a line, its wrappers looked through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) words: Vec<Heard>,
    /// It is another way to write a command: an option that nobody knows says nothing here.
    pub(crate) derived: bool,
}

impl Subject {
    /// A command as it stands there.
    pub(crate) fn of(words: Vec<Heard>) -> Self {
        Self { words, derived: false }
    }

    /// A command of which every word is known.
    pub(crate) fn known(words: Vec<String>) -> Self {
        Self::of(words.into_iter().map(|text| Heard { text, known: true }).collect())
    }

    pub(crate) fn all_known(&self) -> bool {
        self.words.iter().all(|word| word.known)
    }
}
