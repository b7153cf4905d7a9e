//! Which parts of a text were on the screen. It must never call a part seen that was not drawn.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::visible_text::VisibleText;

/// Parts of the visible form of a text that were on the screen: start to end, apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen(BTreeMap<usize, usize>);

impl Seen {
    /// This part was on the screen.
    pub(crate) fn note(&mut self, range: &Range<usize>) {
        let (mut start, mut end) = (range.start, range.end);
        let touching: Vec<(usize, usize)> = self
            .0
            .range(..=end)
            .filter(|(_, e)| **e >= range.start)
            .map(|(s, e)| (*s, *e))
            .collect();
        for (s, e) in touching {
            (start, end) = (start.min(s), end.max(e));
            self.0.remove(&s);
        }
        self.0.insert(start, end);
    }

    /// Whether the last byte of `text` was on the screen.
    pub(crate) fn end(&self, text: &VisibleText) -> bool {
        // A line break at the very end has no row of its own.
        let last = text.text().len() - usize::from(text.text().ends_with('\n'));
        self.0.values().any(|end| *end >= last)
    }

    /// Bytes of `text` that were on the screen.
    pub(crate) fn bytes(&self, text: &VisibleText) -> usize {
        let all = text.text().len();
        let seen: usize = self.0.iter().map(|(s, e)| e - s).sum();
        // The line breaks between two drawn rows are seen with them.
        if seen + text.breaks >= all { all } else { seen }
    }
}
