//! The editor's line from its first key to its end. It must never return an invalid line, or
//! keep a secret.

use super::buffer::Buffer;
use super::draw::{Drawing, Size};
use super::history::{History, Search};
use super::key::Key;
use super::outcome::{Line, Mode, Outcome};
use super::syntax::Syntax;
use super::validate::{MAX_INPUT, MAX_LINE, Refusal, is_forbidden, notes, validate};

/// A line that is no longer edited but is still on the screen.
#[derive(Debug)]
struct FinishedLine {
    text: String,
    /// Drawn after it: `^C`, or nothing.
    behind: &'static str,
}

/// The editor.
#[derive(Debug, Default)]
pub struct Editor {
    pub(super) mode: Mode,
    syntax: Syntax,
    pub(super) buffer: Buffer,
    /// Lines for the shell.
    pub(super) history: History,
    /// Lines for programs, of this session only.
    pub(super) inputs: History,
    pub(super) search: Option<Search>,
    /// Why the line being typed will be refused.
    pub(super) refusal: Option<Refusal>,
    finished: Option<FinishedLine>,
    drawing: Drawing,
    rows: Option<u16>,
}

impl Editor {
    /// An empty line with the lines of earlier sessions.
    #[must_use]
    pub fn new(history: History) -> Self {
        Self { history, ..Self::default() }
    }

    /// What lines are for from now on. A secret that is half typed is dropped when it would no
    /// longer be one.
    pub fn set_mode(&mut self, mode: Mode) {
        if mode == self.mode {
            return;
        }
        self.leave_search(false);
        if self.mode == Mode::Secret {
            self.buffer.wipe();
            self.refusal = None;
        }
        self.history.rest();
        self.inputs.rest();
        self.mode = mode;
    }

    /// What lines are for now.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The language of the shell whose lines are typed in [`Mode::Shell`].
    pub fn set_syntax(&mut self, syntax: Syntax) {
        self.syntax = syntax;
    }

    /// The height of the agent's terminal in rows: longer texts are drawn in part. Without it,
    /// every text is drawn whole.
    pub fn set_rows(&mut self, rows: u16) {
        self.rows = Some(rows);
    }

    /// Takes one key.
    pub fn key(&mut self, key: &Key) -> Outcome {
        self.finished = None;
        if !matches!(
            key,
            Key::WordBackspace | Key::WordDelete | Key::Ctrl(b'k' | b'u' | b'w') | Key::LineFeed
        ) {
            self.buffer.end_kill();
        }
        match key {
            Key::LineFeed => Outcome::Nothing,
            Key::Invalid(_) => self.reject(Refusal::NotUtf8),
            Key::PasteTooLong => self.reject(Refusal::TooLong(self.limit())),
            Key::Char(c) if is_forbidden(*c) || matches!(c, '\t' | '\n') => {
                self.reject(Refusal::Control(format!("U+{:04X}", u32::from(*c))))
            }
            _ if self.mode == Mode::Secret => self.secret_key(key),
            _ if self.search.is_some() => self.search_key(key),
            _ => self.edit_key(key),
        }
    }

    /// Drops the line, and a search.
    pub fn clear(&mut self) {
        self.search = None;
        self.refusal = None;
        self.finished = None;
        if self.mode == Mode::Secret {
            self.buffer.wipe();
        } else {
            self.buffer.take();
        }
        self.history.rest();
        self.inputs.rest();
    }

    /// Whether nothing is typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.buffer.text().is_empty()
    }

    /// What is typed so far; in [`Mode::Secret`] that is the secret.
    #[must_use]
    pub fn text(&self) -> &str {
        self.buffer.text()
    }

    /// The shell's lines.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The shell's lines.
    pub fn history_mut(&mut self) -> &mut History {
        &mut self.history
    }

    /// Updates the agent's terminal, `cols` columns wide, from what was drawn last. The first time
    /// after [`Editor::erase`], [`Editor::finish`] or [`Editor::forget_drawing`] the cursor must be
    /// after the prompt, in the column `origin` (from 0; `cols` where the prompt fills its row).
    ///
    /// A line that was just submitted, interrupted or refused is what is drawn until it is left
    /// with [`Editor::finish`], erased with [`Editor::erase`], or the next key comes.
    pub fn draw(&mut self, cols: u16, origin: u16) -> Vec<u8> {
        if self.mode == Mode::Secret {
            return self.drawing.erase();
        }
        let size = self.size(cols, origin);
        let dirty = self.buffer.take_dirty();
        if let Some(finished) = &self.finished {
            self.buffer.set_dirty();
            return self.drawing.draw(&finished.text, finished.text.len(), Some(0), size);
        }
        match &self.search {
            Some(search) => {
                let (text, cursor) = search.shown(self.lines());
                self.buffer.set_dirty();
                self.drawing.draw(&text, cursor, Some(0), size)
            }
            None => self.drawing.draw(self.buffer.text(), self.buffer.cursor(), dirty, size),
        }
    }

    /// Erases the drawing; the cursor is back after the prompt. Only where the prompt filled
    /// its row does it stay at the beginning of the next.
    pub fn erase(&mut self) -> Vec<u8> {
        self.finished = None;
        self.buffer.set_dirty();
        self.drawing.erase()
    }

    /// Leaves the line on the screen and moves to the beginning of the next row: the line just
    /// submitted or refused, the one just interrupted with `^C` after it, or else the one being
    /// typed. Arguments as for [`Editor::draw`], which need not be called before: what was not
    /// drawn yet is drawn. In [`Mode::Secret`] there is nothing to leave, not even a row.
    pub fn finish(&mut self, cols: u16, origin: u16) -> Vec<u8> {
        if self.mode == Mode::Secret {
            self.finished = None;
            return self.drawing.erase();
        }
        let size = self.size(cols, origin);
        self.buffer.set_dirty();
        match self.finished.take() {
            Some(finished) => self.drawing.finish(&finished.text, finished.behind, size),
            None => self.drawing.finish(self.buffer.text(), "", size),
        }
    }

    /// Something else has destroyed the drawing, e.g. a resize.
    pub fn forget_drawing(&mut self) {
        self.drawing.forget();
    }

    fn size(&self, cols: u16, origin: u16) -> Size {
        Size::new(cols, self.rows, origin)
    }

    fn lines(&self) -> &History {
        if self.mode == Mode::Shell { &self.history } else { &self.inputs }
    }

    fn limit(&self) -> usize {
        if self.mode == Mode::Shell { MAX_LINE } else { MAX_INPUT }
    }

    /// Refuses what was typed, and with it the line.
    fn reject(&mut self, why: Refusal) -> Outcome {
        let text = why.to_string();
        self.refusal = Some(why);
        Outcome::Rejected(text)
    }

    /// Inserts text that is known to be valid.
    pub(super) fn insert(&mut self, text: &str) -> Outcome {
        if self.buffer.text().len() + text.len() > self.limit() {
            if self.refusal.is_some() {
                return Outcome::Nothing;
            }
            return self.reject(Refusal::TooLong(self.limit()));
        }
        self.buffer.insert(text);
        if self.mode == Mode::Secret { Outcome::Nothing } else { Outcome::Changed }
    }

    /// A paste as text, with LF for every line break.
    fn pasted(&mut self, bytes: &[u8]) -> Result<String, Refusal> {
        // Breaks may shrink, so the length is checked when it is inserted.
        let text = std::str::from_utf8(bytes).map_err(|_| Refusal::NotUtf8)?;
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        validate(text.as_bytes(), self.limit()).map(|_| ())?;
        Ok(text)
    }

    /// Inserts a paste, or refuses it and the line.
    pub(super) fn paste(&mut self, bytes: &[u8]) -> Outcome {
        match self.pasted(bytes) {
            Ok(text) if self.mode == Mode::Secret && text.contains('\n') => {
                self.reject(Refusal::Lines)
            }
            Ok(text) if text.is_empty() => Outcome::Nothing,
            Ok(text) => self.insert(&text),
            Err(why) => self.reject(why),
        }
    }

    /// `^C`: the line is dropped.
    pub(super) fn interrupt(&mut self) -> Outcome {
        self.drop_line("^C");
        Outcome::Interrupt
    }

    /// Submits the line, continues to a further one, or refuses it.
    pub(super) fn enter(&mut self) -> Outcome {
        if let Some(why) = self.refusal.take() {
            return self.refuse_line(&why);
        }
        if self.mode == Mode::Shell && !self.syntax.is_complete(self.buffer.text()) {
            self.buffer.move_to_end();
            return self.insert("\n");
        }
        let secret = self.mode == Mode::Secret;
        let notes = match validate(self.buffer.text().as_bytes(), self.limit()) {
            Ok(text) => notes(text),
            Err(why) => return self.refuse_line(&why),
        };
        let text = self.buffer.take();
        match self.mode {
            Mode::Shell => self.history.push(&text),
            Mode::Program => self.inputs.push(&text),
            Mode::Secret => {}
        }
        if !secret {
            self.finished = Some(FinishedLine { text: text.clone(), behind: "" });
        }
        Outcome::Submit(Line { bytes: text.into_bytes(), notes, secret })
    }

    /// Drops the line, saying why.
    fn refuse_line(&mut self, why: &Refusal) -> Outcome {
        self.drop_line("");
        Outcome::Rejected(why.to_string())
    }

    /// Drops the line; the part of it that is on the screen stays there.
    fn drop_line(&mut self, behind: &'static str) {
        let finished = (self.mode != Mode::Secret)
            .then(|| FinishedLine { text: self.buffer.text().to_owned(), behind });
        self.clear();
        self.finished = finished;
    }
}
