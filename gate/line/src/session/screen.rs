//! The agent's screen, emulated, to know where the cursor is. It must never be used to find out
//! what was typed.

/// Larger terminals are emulated at this size; only the cursor's column may be wrong then.
const MAX: u16 = 1000;

pub(super) struct Screen {
    terminal: avt::Terminal,
    /// Where the editor's line begins, through every reflow.
    origin: Option<avt::Anchor>,
    /// The first bytes of an incomplete character.
    partial: Vec<u8>,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (cols, rows) = self.terminal.size();
        write!(f, "Screen({cols}x{rows})")
    }
}

impl Screen {
    pub(super) fn new(cols: u16, rows: u16) -> Self {
        let (cols, rows) = (cols.clamp(1, MAX), rows.clamp(1, MAX));
        let terminal = match avt::Terminal::new(usize::from(cols), usize::from(rows)) {
            Ok(terminal) => terminal,
            // Only a size of zero is refused, and it was clamped.
            Err(_) => unreachable!("the size is at least 1x1"),
        };
        Self { terminal, origin: None, partial: Vec::new() }
    }

    pub(super) fn resize(&mut self, cols: u16, rows: u16) {
        self.terminal.resize(usize::from(cols.clamp(1, MAX)), usize::from(rows.clamp(1, MAX)));
    }

    /// The cursor is where the editor's line begins: remembers that.
    pub(super) fn mark_origin(&mut self) {
        self.origin = Some(self.terminal.anchor_at_cursor());
    }

    /// How many rows up from the cursor, and in which column, the editor's line begins now.
    /// Terminals wrap their rows anew when their size changes.
    pub(super) fn origin(&self) -> Option<(usize, usize)> {
        let at = self.terminal.resolve(self.origin.as_ref()?)?;
        let row = isize::try_from(self.terminal.cursor().row).ok()?;
        Some((usize::try_from(row - at.row).ok()?, at.col))
    }

    pub(super) fn cols(&self) -> u16 {
        u16::try_from(self.terminal.size().0).unwrap_or(MAX)
    }

    pub(super) fn rows(&self) -> u16 {
        u16::try_from(self.terminal.size().1).unwrap_or(MAX)
    }

    /// The cursor's column; equal to the width when the next character wraps.
    pub(super) fn column(&self) -> u16 {
        u16::try_from(self.terminal.cursor().col).unwrap_or(MAX)
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        let joined;
        let mut rest = if self.partial.is_empty() {
            bytes
        } else {
            self.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.partial);
            &joined
        };
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.terminal.feed(text);
                    return;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    self.terminal.feed(String::from_utf8_lossy(valid).as_ref());
                    match error.error_len() {
                        Some(n) => {
                            self.terminal.feed("\u{fffd}");
                            rest = after.get(n..).unwrap_or_default();
                        }
                        None => {
                            self.partial = after.to_vec();
                            return;
                        }
                    }
                }
            }
        }
    }
}
