//! What the reviewer searches for in a long text. It must never change what counts as seen.

use std::ops::Range;

use crate::search::matches;
use crate::visible_text::VisibleText;

/// A text of a request that can be searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Section {
    /// The command.
    Command,
    /// What goes with it for reading.
    Preview,
}

/// A match: in which text of the request, and where; in the order of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Match {
    /// In which text.
    pub section: Section,
    /// The byte it begins at.
    pub at: usize,
}

/// A search, and where it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Find {
    /// What is searched for. With a capital letter in it, capital and small letters differ.
    pub needle: String,
    /// The last match.
    pub at: Option<Match>,
}

impl Find {
    /// A new search.
    pub(crate) fn new(needle: &str) -> Self {
        Self { needle: needle.to_owned(), at: None }
    }

    /// The matches of which a part is in that row of the text.
    pub(crate) fn ranges(&self, shown: &VisibleText, row: &Range<usize>) -> Vec<Range<usize>> {
        let text = shown.text();
        if self.needle.is_empty() {
            return Vec::new();
        }
        // A match may be broken between two rows.
        let mut from = row.start.saturating_sub(self.needle.len());
        let mut to = (row.end + self.needle.len()).min(text.len());
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        while !text.is_char_boundary(to) {
            to += 1;
        }
        let part = text.get(from..to).unwrap_or_default();
        matches(part, &self.needle).map(|at| from + at..from + at + self.needle.len()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_are_found_across_the_edges_of_rows() {
        let shown = VisibleText::new("éé rm -rf éé".as_bytes(), false);
        let find = Find::new("rm -rf");
        for row in shown.wrap(5) {
            let found = find.ranges(&shown, &row);
            let touches = found.iter().any(|r| r.start < row.end && row.start < r.end);
            let text = shown.text().get(row.clone()).unwrap_or_default();
            assert_eq!(touches, text.contains(['r', 'm', '-', 'f']), "{text:?}");
        }
    }
}
