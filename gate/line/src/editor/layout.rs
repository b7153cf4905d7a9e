//! Where each character of a text is on a terminal of a given width. It must never let a character
//! pass to the terminal that would not be where it was counted.

use super::validate::{drawn_width, escaped};

/// Begins each further line of a text, where there is room.
const CONTINUATION: &str = "> ";
/// Terminals with fewer columns than this do without it.
const CONTINUATION_FITS: usize = 4;

/// One row of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    /// The first character that begins in it, in bytes.
    first: usize,
    lead: Lead,
}

/// What comes before that character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    /// The prompt, up to the origin.
    Origin,
    /// This many columns of the escaped character before it are still to be drawn.
    Owed(usize),
    /// The continuation prompt.
    Line,
}

/// The rows of a text.
#[derive(Debug, Default)]
pub(super) struct Layout {
    rows: Vec<Row>,
    cols: usize,
    origin: usize,
}

/// What one row held.
struct Filled {
    /// The column after the last character.
    col: usize,
    next: Option<Row>,
}

impl Layout {
    /// Lays the text out again where it changed, from the byte `dirty` on; returns the first row
    /// that may have changed.
    pub(super) fn update(
        &mut self,
        text: &str,
        dirty: Option<usize>,
        cols: usize,
        origin: usize,
    ) -> usize {
        if self.rows.is_empty() || self.cols != cols || self.origin != origin {
            self.rows.clear();
            self.rows.push(Row { first: 0, lead: Lead::Origin });
            self.cols = cols;
            self.origin = origin;
        }
        // A row ends where the next character did not fit, so the row before the change counts.
        let unchanged = match dirty {
            Some(dirty) => self.rows.partition_point(|row| row.first < dirty),
            None => self.rows.len(),
        };
        let keep = unchanged.saturating_sub(1);
        self.rows.truncate(keep + 1);
        while let Some(row) = self.rows.last() {
            match self.fill(text, *row, None, None).next {
                Some(next) => self.rows.push(next),
                None => break,
            }
        }
        keep
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// What is in a row, after the origin in the first one.
    pub(super) fn render(&self, text: &str, row: usize) -> String {
        let mut out = String::with_capacity(self.cols.min(256));
        if let Some(row) = self.rows.get(row) {
            self.fill(text, *row, None, Some(&mut out));
        }
        out
    }

    /// The row and column of the character that begins at a byte.
    pub(super) fn position(&self, text: &str, at: usize) -> (usize, usize) {
        let index = self.rows.partition_point(|row| row.first <= at).saturating_sub(1);
        let col = self.rows.get(index).map_or(0, |row| self.fill(text, *row, Some(at), None).col);
        (index, col)
    }

    /// Fills one row, up to the character at the byte `until`, if there is such a bound.
    fn fill(
        &self,
        text: &str,
        row: Row,
        until: Option<usize>,
        mut out: Option<&mut String>,
    ) -> Filled {
        let cols = self.cols;
        let mut put = |piece: &str| {
            if let Some(out) = out.as_deref_mut() {
                out.push_str(piece);
            }
        };
        let wrap = |first, owed| Some(Row { first, lead: Lead::Owed(owed) });
        let mut col = 0;
        match row.lead {
            Lead::Origin => col = self.origin,
            Lead::Line if cols >= CONTINUATION_FITS => {
                put(CONTINUATION);
                col = CONTINUATION.len();
            }
            Lead::Line | Lead::Owed(0) => {}
            Lead::Owed(owed) => {
                let before = text.get(..row.first).and_then(|head| head.chars().next_back());
                let name = before.map(escaped).unwrap_or_default();
                let rest = name.get(name.len().saturating_sub(owed)..).unwrap_or("");
                let fits = rest.len().min(cols);
                put(rest.get(..fits).unwrap_or(""));
                col = fits;
                if fits < rest.len() {
                    return Filled { col, next: wrap(row.first, rest.len() - fits) };
                }
            }
        }
        let mut at = row.first;
        for c in text.get(row.first..).unwrap_or("").chars() {
            if until.is_some_and(|until| at >= until) {
                return Filled { col, next: None };
            }
            if col >= cols {
                return Filled { col, next: wrap(at, 0) };
            }
            let after = at + c.len_utf8();
            match c {
                '\n' => {
                    return Filled { col, next: Some(Row { first: after, lead: Lead::Line }) };
                }
                '\t' => {
                    let to = (col / 8 * 8 + 8).min(cols);
                    put("        ".get(..to - col).unwrap_or(""));
                    col = to;
                }
                _ => match drawn_width(c) {
                    Some(width) if width <= cols => {
                        if col + width > cols {
                            // The terminal would leave the last column as it was.
                            put(" ");
                            return Filled { col: cols, next: wrap(at, 0) };
                        }
                        put(c.encode_utf8(&mut [0; 4]));
                        col += width;
                    }
                    _ => {
                        let name = escaped(c);
                        let fits = name.len().min(cols - col);
                        put(name.get(..fits).unwrap_or(""));
                        col += fits;
                        if fits < name.len() {
                            return Filled { col, next: wrap(after, name.len() - fits) };
                        }
                    }
                },
            }
            at = after;
        }
        // After a full row the cursor is in the next one.
        let full = col >= cols && until.is_none_or(|until| at < until);
        Filled { col, next: if full { wrap(at, 0) } else { None } }
    }
}
