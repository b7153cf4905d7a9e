//! The line editor that the agent types at: keys in, whole lines out, and what to draw. Nothing in
//! it can write to the target, and a line it hands out is valid as it stands.
//!
//! The owner feeds bytes to a [`Decoder`], its keys one by one to [`Editor::key`], stops at a
//! [`Outcome::Submit`], and sends [`Editor::draw`]'s bytes to the agent's terminal.

mod buffer;
mod draw;
mod history;
mod keys;
mod layout;
mod syntax;
#[cfg(test)]
mod tests;
mod validate;

pub use history::{History, MAX_BYTES, MAX_LINES};
pub use keys::{Decoder, Key, MAX_PASTE, Stroke};
pub use syntax::{Syntax, is_complete};
pub use validate::{MAX_INPUT, MAX_LINE, Refusal, notes, validate};

use buffer::Buffer;
use draw::{Drawing, Size};
use history::Search;
use validate::is_forbidden;

/// What the line will be for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A shell at its prompt: Enter goes on to a further line while the syntax is incomplete.
    #[default]
    Shell,
    /// A program that reads lines: each Enter submits.
    Program,
    /// A program that reads a secret: nothing is drawn or kept.
    Secret,
}

/// What came of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key means nothing here.
    Bell,
    /// The drawing is out of date.
    Changed,
    /// `^L`: the owner clears the screen, prompts and calls [`Editor::forget_drawing`].
    ClearScreen,
    /// `^D` on an empty line.
    Eof,
    /// `^C`; the line is gone. What [`Editor::finish`] leaves ends with `^C`.
    Interrupt,
    /// Nothing changed.
    Nothing,
    /// `^\`; the line is as it was.
    Quit,
    /// Something was refused, and the line with it: Enter will refuse it again, so that no rest of
    /// it passes for a line of its own. One line of text that says why, for the agent's screen.
    Rejected(String),
    /// A whole line.
    Submit(Line),
    /// `^Z`; the line is as it was.
    Suspend,
}

/// A whole line as typed, without its Enter.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// Valid by [`validate`]; further lines of it are separated by LF.
    pub bytes: Vec<u8>,
    /// What the reviewer must be told of it.
    pub notes: Vec<String>,
    /// Whether it was typed as a secret.
    pub secret: bool,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Line");
        if !self.secret {
            debug.field("text", &String::from_utf8_lossy(&self.bytes));
        }
        debug.field("notes", &self.notes).field("secret", &self.secret).finish()
    }
}

/// A text that left the line but still stands on the screen.
#[derive(Debug)]
struct Gone {
    text: String,
    behind: &'static str,
}

/// The editor.
#[derive(Debug, Default)]
pub struct Editor {
    mode: Mode,
    syntax: Syntax,
    buffer: Buffer,
    /// Lines for the shell.
    history: History,
    /// Lines for programs, of this session only.
    inputs: History,
    search: Option<Search>,
    /// Why the line being typed will be refused.
    spoiled: Option<Refusal>,
    gone: Option<Gone>,
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
            self.spoiled = None;
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
        self.gone = None;
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
        self.spoiled = None;
        self.gone = None;
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

    /// Brings the agent's terminal, `cols` columns wide, from what was drawn last to what shall be
    /// seen. The first time after [`Editor::erase`], [`Editor::finish`] or
    /// [`Editor::forget_drawing`] the cursor must stand behind the prompt, in the column `origin`
    /// (from 0; `cols` where the prompt fills its row).
    ///
    /// A line that was just submitted, interrupted or refused is what is drawn until it is left
    /// with [`Editor::finish`], taken away with [`Editor::erase`], or the next key comes.
    pub fn draw(&mut self, cols: u16, origin: u16) -> Vec<u8> {
        if self.mode == Mode::Secret {
            return self.drawing.erase();
        }
        let size = self.size(cols, origin);
        let dirty = self.buffer.take_dirty();
        if let Some(gone) = &self.gone {
            self.buffer.set_dirty();
            return self.drawing.draw(&gone.text, gone.text.len(), 0, size);
        }
        match &self.search {
            Some(search) => {
                let (text, cursor) = search.shown(self.lines());
                self.buffer.set_dirty();
                self.drawing.draw(&text, cursor, 0, size)
            }
            None => self.drawing.draw(self.buffer.text(), self.buffer.cursor(), dirty, size),
        }
    }

    /// Takes the drawing away; the cursor is back behind the prompt. Only where the prompt filled
    /// its row does it stay at the beginning of the next.
    pub fn erase(&mut self) -> Vec<u8> {
        self.gone = None;
        self.buffer.set_dirty();
        self.drawing.erase()
    }

    /// Leaves the line on the screen and goes to the beginning of the row after it: the line just
    /// submitted or refused, the one just interrupted with `^C` behind it, or else the one being
    /// typed. Arguments as for [`Editor::draw`], which need not be called before: what was not
    /// drawn yet is drawn. In [`Mode::Secret`] there is nothing to leave, not even a row.
    pub fn finish(&mut self, cols: u16, origin: u16) -> Vec<u8> {
        if self.mode == Mode::Secret {
            self.gone = None;
            return self.drawing.erase();
        }
        let size = self.size(cols, origin);
        self.buffer.set_dirty();
        match self.gone.take() {
            Some(gone) => self.drawing.finish(&gone.text, 0, gone.behind, size),
            None => self.drawing.finish(self.buffer.text(), 0, "", size),
        }
    }

    /// Something else has destroyed the drawing, e.g. a resize.
    pub fn forget_drawing(&mut self) {
        self.drawing.forget();
    }

    fn size(&self, cols: u16, origin: u16) -> Size {
        Size::new(cols, self.rows.unwrap_or(u16::MAX), origin)
    }

    fn lines(&self) -> &History {
        if self.mode == Mode::Shell { &self.history } else { &self.inputs }
    }

    fn limit(&self) -> usize {
        if self.mode == Mode::Shell { MAX_LINE } else { MAX_INPUT }
    }

    /// Refuses what was typed, and the line with it.
    fn reject(&mut self, why: Refusal) -> Outcome {
        let text = why.to_string();
        self.spoiled = Some(why);
        Outcome::Rejected(text)
    }

    /// Inserts text that is known to be valid.
    fn insert(&mut self, text: &str) -> Outcome {
        if self.buffer.text().len() + text.len() > self.limit() {
            if self.spoiled.is_some() {
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

    fn paste(&mut self, bytes: &[u8]) -> Outcome {
        match self.pasted(bytes) {
            Ok(text) if self.mode == Mode::Secret && text.contains('\n') => {
                self.reject(Refusal::Lines)
            }
            Ok(text) if text.is_empty() => Outcome::Nothing,
            Ok(text) => self.insert(&text),
            Err(why) => self.reject(why),
        }
    }

    fn interrupt(&mut self) -> Outcome {
        self.drop_line("^C");
        Outcome::Interrupt
    }

    fn enter(&mut self) -> Outcome {
        if let Some(why) = self.spoiled.take() {
            return self.refuse_line(&why);
        }
        if self.mode == Mode::Shell && !self.syntax.is_complete(self.buffer.text()) {
            self.buffer.go_to_end();
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
            self.gone = Some(Gone { text: text.clone(), behind: "" });
        }
        Outcome::Submit(Line { bytes: text.into_bytes(), notes, secret })
    }

    fn refuse_line(&mut self, why: &Refusal) -> Outcome {
        self.drop_line("");
        Outcome::Rejected(why.to_string())
    }

    /// Drops the line but for what of it stands on the screen.
    fn drop_line(&mut self, behind: &'static str) {
        let gone = (self.mode != Mode::Secret)
            .then(|| Gone { text: self.buffer.text().to_owned(), behind });
        self.clear();
        self.gone = gone;
    }

    fn secret_key(&mut self, key: &Key) -> Outcome {
        match key {
            Key::Char(c) => return self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Paste(bytes) => return self.paste(bytes),
            Key::Enter => return self.enter(),
            Key::Ctrl(b'c') => return self.interrupt(),
            Key::Ctrl(b'd') if self.is_empty() => return Outcome::Eof,
            Key::Ctrl(b'z') => return Outcome::Suspend,
            Key::Ctrl(b'\\') => return Outcome::Quit,
            Key::Backspace | Key::Ctrl(b'h') => {
                self.buffer.backspace();
            }
            Key::Ctrl(b'u') => self.clear(),
            // Anything else would tell how much there is.
            _ => {}
        }
        Outcome::Nothing
    }

    fn search_key(&mut self, key: &Key) -> Outcome {
        let lines = if self.mode == Mode::Shell { &self.history } else { &self.inputs };
        let Some(search) = &mut self.search else { return Outcome::Nothing };
        let found = match key {
            Key::Char(c) => search.extend(lines, c.encode_utf8(&mut [0; 4])),
            Key::Backspace | Key::Ctrl(b'h') => search.shorten(lines),
            Key::Ctrl(b'r') => search.again(lines),
            Key::Ctrl(b'c' | b'g') => {
                self.leave_search(false);
                true
            }
            Key::Escape => {
                self.leave_search(true);
                true
            }
            Key::Unknown(_) => false,
            _ => {
                self.leave_search(true);
                return match self.edit_key(key) {
                    Outcome::Nothing => Outcome::Changed,
                    outcome => outcome,
                };
            }
        };
        if found { Outcome::Changed } else { Outcome::Bell }
    }

    fn leave_search(&mut self, keep: bool) {
        let Some(search) = self.search.take() else { return };
        let lines = if self.mode == Mode::Shell { &self.history } else { &self.inputs };
        let (text, cursor) =
            if keep { search.result(lines) } else { (search.before.0.as_str(), search.before.1) };
        self.buffer.set(text, cursor);
        // What was drawn was the search.
        self.buffer.set_dirty();
    }

    fn recall(&mut self, older: bool) -> bool {
        let lines = if self.mode == Mode::Shell { &mut self.history } else { &mut self.inputs };
        let line = if older { lines.older(self.buffer.text()) } else { lines.newer() };
        let Some(line) = line else { return false };
        self.buffer.set(line, line.len());
        true
    }

    fn edit_key(&mut self, key: &Key) -> Outcome {
        let buffer = &mut self.buffer;
        let did = match key {
            Key::Char(c) => return self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Paste(bytes) => return self.paste(bytes),
            Key::Enter => return self.enter(),
            Key::Ctrl(b'c') => return self.interrupt(),
            Key::Ctrl(b'd') if buffer.text().is_empty() && self.spoiled.is_none() => {
                return Outcome::Eof;
            }
            Key::Ctrl(b'l') => return Outcome::ClearScreen,
            Key::Ctrl(b'z') => return Outcome::Suspend,
            Key::Ctrl(b'\\') => return Outcome::Quit,
            Key::Left | Key::Ctrl(b'b') => buffer.left(),
            Key::Right | Key::Ctrl(b'f') => buffer.right(),
            Key::Home | Key::Ctrl(b'a') => {
                buffer.home();
                true
            }
            Key::End | Key::Ctrl(b'e') => {
                buffer.end();
                true
            }
            Key::WordLeft => buffer.word_left(),
            Key::WordRight => buffer.word_right(),
            Key::Up => buffer.line_up() || self.recall(true),
            Key::Down => buffer.line_down() || self.recall(false),
            Key::Ctrl(b'p') => self.recall(true),
            Key::Ctrl(b'n') => self.recall(false),
            Key::Backspace | Key::Ctrl(b'h') => buffer.backspace(),
            Key::Delete | Key::Ctrl(b'd') => buffer.delete(),
            Key::WordBackspace => buffer.kill_word_before(),
            Key::WordDelete => buffer.kill_word(),
            Key::Ctrl(b'w') => buffer.kill_to_blank(),
            Key::Ctrl(b'k') => buffer.kill_to_end(),
            Key::Ctrl(b'u') => buffer.kill_to_start(),
            Key::Ctrl(b't') => buffer.transpose(),
            Key::Ctrl(b'y') => match buffer.last_kill() {
                Some(text) => return self.insert(&text),
                None => false,
            },
            Key::Ctrl(b'r') => {
                self.search = Some(Search::new(buffer.text(), buffer.cursor()));
                true
            }
            Key::Escape => return Outcome::Nothing,
            _ => false,
        };
        if did { Outcome::Changed } else { Outcome::Bell }
    }
}
