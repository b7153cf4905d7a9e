//! Which of some literal texts are in a text, in one pass over it.

use aho_corasick::AhoCorasick;

/// Literal texts to look for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Literals {
    texts: Vec<String>,
    /// Absent where it could not be built; then each is looked for by itself.
    automaton: Option<AhoCorasick>,
}

impl Literals {
    pub(crate) fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let texts: Vec<String> = texts.into_iter().map(|text| text.as_ref().to_owned()).collect();
        let automaton = AhoCorasick::new(&texts).ok();
        Self { texts, automaton }
    }

    /// Whether one of them is in the text.
    pub(crate) fn any_in(&self, text: &str) -> bool {
        match &self.automaton {
            Some(automaton) => automaton.is_match(text),
            None => self.texts.iter().any(|literal| text.contains(literal.as_str())),
        }
    }

    /// Whether one of them stands somewhere where `fits` holds for what follows it.
    pub(crate) fn any_where(&self, text: &str, fits: impl Fn(&str, &str) -> bool) -> bool {
        let fits = |literal: &str, end: usize| fits(literal, text.get(end..).unwrap_or(""));
        match &self.automaton {
            Some(automaton) => automaton.find_overlapping_iter(text).any(|found| {
                let literal = self.texts.get(found.pattern().as_usize());
                literal.is_some_and(|literal| fits(literal, found.end()))
            }),
            None => self.texts.iter().any(|literal| {
                let mut found = text.match_indices(literal.as_str());
                found.any(|(at, _)| fits(literal, at + literal.len()))
            }),
        }
    }
}
