//! Which key does what while a line, a secret or a search is edited. No key but Enter may submit a
//! line.

use super::history::Search;
use super::key::Key;
use super::line_editor::Editor;
use super::outcome::{Mode, Outcome};

impl Editor {
    /// While a secret is typed.
    pub(super) fn secret_key(&mut self, key: &Key) -> Outcome {
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
            // Even a bell would tell something about the secret.
            _ => {}
        }
        Outcome::Nothing
    }

    /// While an incremental search (`^R`) lasts.
    pub(super) fn search_key(&mut self, key: &Key) -> Outcome {
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

    /// Ends a search, with the line found if `keep`, otherwise with the line as it was before.
    pub(super) fn leave_search(&mut self, keep: bool) {
        let Some(search) = self.search.take() else { return };
        let lines = if self.mode == Mode::Shell { &self.history } else { &self.inputs };
        let (text, cursor) =
            if keep { search.result(lines) } else { (search.before.0.as_str(), search.before.1) };
        self.buffer.set(text, cursor);
        // What was drawn was the search.
        self.buffer.set_dirty();
    }

    /// Shows an older or newer line of the history; false when there is none.
    fn recall(&mut self, older: bool) -> bool {
        let lines = if self.mode == Mode::Shell { &mut self.history } else { &mut self.inputs };
        let line = if older { lines.older(self.buffer.text()) } else { lines.newer() };
        let Some(line) = line else { return false };
        self.buffer.set(line, line.len());
        true
    }

    /// While a line is edited.
    pub(super) fn edit_key(&mut self, key: &Key) -> Outcome {
        let buffer = &mut self.buffer;
        let changed = match key {
            Key::Char(c) => return self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Paste(bytes) => return self.paste(bytes),
            Key::Enter => return self.enter(),
            Key::Ctrl(b'c') => return self.interrupt(),
            Key::Ctrl(b'd') if buffer.text().is_empty() && self.refusal.is_none() => {
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
        if changed { Outcome::Changed } else { Outcome::Bell }
    }
}
