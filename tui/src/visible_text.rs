//! The exact bytes of a command or a file, every one of them visible. It must never leave a byte
//! out, nor let one through that cannot be seen.

use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

use expacti_engine::make_visible;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthChar as _;

use crate::text::width;

/// Why a part of the text is not plain, for drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The name of a character that would not have been seen.
    Hidden,
    /// A character outside ASCII.
    NonAscii,
}

/// The exact bytes of a command, every one of them visible.
#[derive(Debug, Clone)]
pub(crate) struct VisibleText {
    text: String,
    /// Ranges of `text` that are not plain, in order.
    marks: Vec<(Range<usize>, Mark)>,
    /// Where each replaced character stood: (offset in the wire's `command`, offset in `text`),
    /// both *after* the replacement.
    steps: Vec<(usize, usize)>,
    /// Length of the original in bytes.
    pub bytes: usize,
    /// Lines of the original.
    pub lines: usize,
    /// Characters that would not have been seen.
    pub hidden: usize,
    /// Visible characters outside ASCII.
    pub non_ascii: usize,
    /// Line breaks.
    pub breaks: usize,
    /// A tab is what it is in most files, and is drawn as one character.
    tabs: bool,
    /// The rows at the width they were last asked for.
    cache: RefCell<Option<(usize, Rows)>>,
}

/// Ranges of a command's visible text, one for each row.
pub(crate) type Rows = Arc<Vec<Range<usize>>>;

impl VisibleText {
    /// Makes `bytes` visible; `ascii` names every character outside ASCII.
    pub(crate) fn new(bytes: &[u8], ascii: bool) -> Self {
        Self::make(bytes, ascii, false)
    }

    /// As `new`, for text in which tabs are nothing to point out: files, differences.
    pub(crate) fn of_file(bytes: &[u8], ascii: bool) -> Self {
        Self::make(bytes, ascii, true)
    }

    fn make(bytes: &[u8], ascii: bool, tabs: bool) -> Self {
        let mut shown = Self {
            text: String::with_capacity(bytes.len()),
            marks: Vec::new(),
            steps: Vec::new(),
            bytes: bytes.len(),
            lines: bytes.split(|b| *b == b'\n').count()
                - usize::from(bytes.ends_with(b"\n") && bytes.len() > 1),
            hidden: 0,
            non_ascii: 0,
            breaks: bytes.iter().filter(|b| **b == b'\n').count(),
            tabs,
            cache: RefCell::default(),
        };
        // Offsets of terms count in the text with U+FFFD (three bytes) for each invalid sequence.
        let mut wire = 0;
        for chunk in bytes.utf8_chunks() {
            for cluster in chunk.valid().graphemes(true) {
                shown.cluster(cluster, &mut wire, ascii);
            }
            if !chunk.invalid().is_empty() {
                wire += 3;
                for byte in chunk.invalid() {
                    shown.name(&format!("0x{byte:02X}"), ascii);
                    shown.hidden += 1;
                }
                shown.step(wire);
            }
        }
        shown
    }

    fn cluster(&mut self, cluster: &str, wire: &mut usize, ascii: bool) {
        let several = cluster.chars().nth(1).is_some();
        for c in cluster.chars() {
            *wire += c.len_utf8();
            if c == '\n' || (' '..='~').contains(&c) && !several {
                self.text.push(c);
                continue;
            }
            if c == '\t' && self.tabs && !several && !ascii {
                let start = self.text.len();
                self.text.push('⇥');
                self.mark(start..self.text.len(), Mark::Hidden);
                self.step(*wire);
                continue;
            }
            let plain = !several && {
                let mut buffer = [0; 4];
                c != '\t' && make_visible(c.encode_utf8(&mut buffer).as_bytes()).hidden.is_empty()
            };
            if plain && !ascii {
                let start = self.text.len();
                self.text.push(c);
                self.mark(start..self.text.len(), Mark::NonAscii);
                self.non_ascii += 1;
            } else {
                if plain || several && c.is_alphanumeric() {
                    self.non_ascii += 1;
                } else {
                    self.hidden += 1;
                }
                let name =
                    if c == '\t' { "TAB".to_owned() } else { format!("U+{:04X}", u32::from(c)) };
                self.name(&name, ascii);
                self.step(*wire);
            }
        }
    }

    fn name(&mut self, name: &str, ascii: bool) {
        let start = self.text.len();
        let (open, close) = if ascii { ('<', '>') } else { ('⟨', '⟩') };
        self.text.push(open);
        self.text.push_str(name);
        self.text.push(close);
        self.mark(start..self.text.len(), Mark::Hidden);
    }

    fn mark(&mut self, range: Range<usize>, piece: Mark) {
        match self.marks.last_mut() {
            Some((last, kind)) if *kind == piece && last.end == range.start => last.end = range.end,
            _ => self.marks.push((range, piece)),
        }
    }

    fn step(&mut self, wire: usize) {
        self.steps.push((wire, self.text.len()));
    }

    /// The visible text; holds line breaks but no other control character.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The part of the text that stands for bytes `span` of the wire's `command`.
    pub(crate) fn range(&self, span: [usize; 2]) -> Range<usize> {
        let at = |offset: usize| {
            let before = self.steps.partition_point(|(wire, _)| *wire <= offset);
            let (wire, text) =
                before.checked_sub(1).and_then(|i| self.steps.get(i)).copied().unwrap_or((0, 0));
            (text + (offset - wire)).min(self.text.len())
        };
        let [start, end] = span;
        let (start, end) = (at(start), at(end.max(start)));
        start..end.max(start)
    }

    /// Marks that lie in `range`.
    pub(crate) fn marks(
        &self,
        range: &Range<usize>,
    ) -> impl Iterator<Item = &(Range<usize>, Mark)> {
        let first = self.marks.partition_point(|(mark, _)| mark.end <= range.start);
        let end = range.end;
        self.marks.get(first..).unwrap_or_default().iter().take_while(move |(m, _)| m.start < end)
    }

    /// The rows at that width; breaking a megabyte is not done for every frame.
    pub(crate) fn rows(&self, columns: usize) -> Rows {
        let mut cache = self.cache.borrow_mut();
        match &*cache {
            Some((at, rows)) if *at == columns => rows.clone(),
            _ => {
                let rows = Rows::new(self.wrap(columns));
                *cache = Some((columns, rows.clone()));
                rows
            }
        }
    }

    /// Breaks the text into rows of at most `columns`: offsets of each row, line breaks excluded.
    pub(crate) fn wrap(&self, columns: usize) -> Vec<Range<usize>> {
        let columns = columns.max(2);
        let mut rows = Vec::new();
        let (mut start, mut used) = (0, 0);
        let mut names = self.marks.iter().filter(|(_, p)| *p == Mark::Hidden).peekable();
        // Up to where the text belongs to a name that is already counted.
        let mut counted = 0;
        for (at, c) in self.text.char_indices() {
            if c == '\n' {
                rows.push(start..at);
                (start, used) = (at + 1, 0);
                continue;
            }
            if at < counted {
                continue;
            }
            while names.next_if(|(range, _)| range.end <= at).is_some() {}
            let mut w = c.width().unwrap_or(1);
            if names.peek().is_some_and(|(range, _)| range.contains(&at)) {
                // The name of a character stays on one row, where it fits.
                let rest = self.text.get(at..).unwrap_or_default();
                let name = rest.split_inclusive(['⟩', '>']).next().unwrap_or_default();
                if c != '⇥' && width(name) <= columns {
                    w = width(name);
                    counted = at + name.len();
                }
            }
            if used + w > columns {
                rows.push(start..at);
                (start, used) = (at, 0);
            }
            used += w;
        }
        if start < self.text.len() || rows.is_empty() {
            rows.push(start..self.text.len());
        }
        rows
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::string_slice)]
mod tests {
    use super::*;

    #[test]
    fn spans_follow_what_they_point_at() {
        let command = "a\x1bb\u{e9}\u{202e}rm";
        let shown = VisibleText::new(command.as_bytes(), false);
        assert_eq!(shown.text(), "a⟨U+001B⟩bé⟨U+202E⟩rm");
        let at = command.find("rm").unwrap();
        assert_eq!(&shown.text()[shown.range([at, at + 2])], "rm");
        assert_eq!((shown.hidden, shown.non_ascii), (2, 1));
        let ascii = VisibleText::new(command.as_bytes(), true);
        assert_eq!(ascii.text(), "a<U+001B>b<U+00E9><U+202E>rm");
        assert_eq!(&ascii.text()[ascii.range([at, at + 2])], "rm");
    }

    #[test]
    fn spans_count_in_the_wires_text() {
        let bytes = b"x\xff\xfe rm";
        let wire = String::from_utf8_lossy(bytes).into_owned();
        let at = wire.find("rm").unwrap();
        let shown = VisibleText::new(bytes, false);
        assert_eq!(shown.text(), "x⟨0xFF⟩⟨0xFE⟩ rm");
        assert_eq!(&shown.text()[shown.range([at, at + 2])], "rm");
        assert_eq!(shown.range([900, 1000]), shown.text().len()..shown.text().len());
        assert_eq!(shown.range([4, 1]).len(), 0);
    }

    #[test]
    fn rows_hold_every_byte() {
        let shown = VisibleText::new("aaaa\n\n日本語 x\n".as_bytes(), false);
        let rows: Vec<&str> = shown.wrap(4).into_iter().map(|r| &shown.text()[r]).collect();
        assert_eq!(rows, ["aaaa", "", "日本", "語 x"]);
        assert_eq!(shown.lines, 3);
        assert_eq!(VisibleText::new(b"", false).wrap(4), vec![0..0]);
        let shown = VisibleText::new(b"abcd\x01\x02x", false);
        let rows: Vec<&str> = shown.wrap(10).into_iter().map(|r| &shown.text()[r]).collect();
        assert_eq!(rows, ["abcd", "⟨U+0001⟩", "⟨U+0002⟩x"], "names are not broken");
        assert_eq!(shown.wrap(5).iter().map(|r| r.len()).sum::<usize>(), shown.text().len());
    }
}
