//! A command of a line as those who restrict see it: its words, and which of them are known.

/// A word of a command as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) text: String,
    /// Whether it is this text and nothing else.
    pub(crate) known: bool,
}

/// One command of a line, its wrappers looked through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject {
    pub(crate) words: Vec<Heard>,
}

impl Subject {
    /// A command of which every word is known.
    pub(crate) fn known(words: Vec<String>) -> Self {
        Self { words: words.into_iter().map(|text| Heard { text, known: true }).collect() }
    }

    pub(crate) fn all_known(&self) -> bool {
        self.words.iter().all(|word| word.known)
    }
}
