//! Turns the bytes of the agent's terminal into keys, however the packets were split. It must never
//! guess across a packet boundary, keep more than a paste may hold, or lose a byte.

use super::key::{Key, PASTE_END, PASTE_START, Stroke};

/// The most bytes one paste may hold, in bytes; the decoder keeps no more.
pub const MAX_PASTE: usize = 1 << 20;
/// The longest CSI sequence that is understood, in bytes. xterm's longest reply has under 100.
const MAX_CSI: usize = 256;
/// OSC, DCS and APC strings are passed on in pieces of this many bytes.
const MAX_TEXT: usize = 4096;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ground,
    /// After a CR.
    Return,
    /// Inside a character of several bytes.
    Utf8,
    Escape,
    Csi,
    /// After `ESC [ [`, which the Linux console sends for function keys.
    ConsoleKey,
    /// Inside a CSI that is too long to mean anything.
    CsiRest,
    /// This many bytes of an X10 mouse report are still to come.
    Mouse(u8),
    Ss3,
    /// Inside an OSC (which BEL may end), DCS, APC, PM or SOS.
    Text {
        osc: bool,
    },
    /// After an ESC in such a string.
    TextEscape {
        osc: bool,
    },
    /// Inside a paste; this many bytes of its end have been seen.
    Paste(usize),
    /// The same, for one that is too long.
    PasteRest(usize),
}

/// The decoder; holds at most [`MAX_PASTE`] bytes.
#[derive(Debug, Default)]
pub struct Decoder {
    state: State,
    held: Vec<u8>,
}

impl Decoder {
    /// Takes bytes and appends the keys that are whole.
    pub fn feed(&mut self, bytes: &[u8], out: &mut Vec<Stroke>) {
        for &byte in bytes {
            // A byte that ends one thing without belonging to it begins the next.
            let mut turns = 0;
            while !self.step(byte, out) && turns < 4 {
                turns += 1;
            }
        }
    }

    /// Whether something unfinished waits that [`Decoder::flush`] would end. A paste does not: only
    /// its closing bracket ends it.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        !matches!(self.state, State::Ground | State::Paste(_) | State::PasteRest(_))
    }

    /// Ends what is unfinished, 50 ms after the last byte: a lone ESC is the Escape key.
    pub fn flush(&mut self, out: &mut Vec<Stroke>) {
        match self.state {
            State::Ground | State::Paste(_) | State::PasteRest(_) => return,
            State::Return => {}
            State::Escape => out.push(Stroke::new(Key::Escape)),
            State::Utf8 => out.push(Stroke::new(Key::Invalid(self.take()))),
            _ => self.unknown(out),
        }
        self.state = State::Ground;
        self.held.clear();
    }

    /// Drops everything unfinished, even a paste.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// The bytes held have no meaning.
    fn unknown(&mut self, out: &mut Vec<Stroke>) {
        let bytes = self.take();
        if !bytes.is_empty() {
            out.push(Stroke::new(Key::Unknown(bytes)));
        }
        self.state = State::Ground;
    }

    /// The bytes held are this key.
    fn known(&mut self, key: Key, out: &mut Vec<Stroke>) {
        out.push(Stroke { key, raw: self.take() });
        self.state = State::Ground;
    }

    /// Whether the byte was consumed; if not, it is read again in the new state.
    fn step(&mut self, byte: u8, out: &mut Vec<Stroke>) -> bool {
        match self.state {
            State::Ground => {
                self.ground(byte, out);
                true
            }
            State::Return => self.after_return(byte, out),
            State::Utf8 => self.utf8(byte, out),
            State::Escape => self.escape(byte, out),
            State::Csi => self.csi(byte, out),
            State::ConsoleKey => self.console_key(byte, out),
            State::CsiRest => self.csi_rest(byte, out),
            State::Mouse(left) => self.mouse(left, byte, out),
            State::Ss3 => self.ss3(byte, out),
            State::Text { osc } => self.text(osc, byte, out),
            State::TextEscape { .. } => self.text_escape(byte, out),
            State::Paste(seen) => self.paste(seen, byte, out),
            State::PasteRest(seen) => self.paste_rest(seen, byte),
        }
    }

    fn ground(&mut self, byte: u8, out: &mut Vec<Stroke>) {
        let key = match byte {
            b'\r' => {
                self.state = State::Return;
                Key::Enter
            }
            b'\n' => {
                out.push(Stroke { key: Key::Enter, raw: vec![byte] });
                return;
            }
            b'\t' => Key::Tab,
            0x7f => Key::Backspace,
            0x00 => Key::Invalid(vec![byte]),
            0x1b => {
                self.held.push(byte);
                self.state = State::Escape;
                return;
            }
            0x01..=0x1a => Key::Ctrl(byte | 0x60),
            0x1c..=0x1f => Key::Ctrl(byte | 0x40),
            0x20..=0x7e => Key::Char(char::from(byte)),
            0xc2..=0xf4 => {
                self.held.push(byte);
                self.state = State::Utf8;
                return;
            }
            _ => Key::Invalid(vec![byte]),
        };
        out.push(Stroke::new(key));
    }

    fn after_return(&mut self, byte: u8, out: &mut Vec<Stroke>) -> bool {
        self.state = State::Ground;
        if byte == b'\n' {
            out.push(Stroke::new(Key::LineFeed));
        }
        byte == b'\n'
    }

    fn utf8(&mut self, byte: u8, out: &mut Vec<Stroke>) -> bool {
        self.held.push(byte);
        let key = match std::str::from_utf8(&self.held) {
            Ok(text) => match text.chars().next() {
                Some(c) if !c.is_control() => Key::Char(c),
                _ => Key::Invalid(self.held.clone()),
            },
            Err(error) if error.error_len().is_none() => return true,
            Err(_) => {
                self.held.pop();
                out.push(Stroke::new(Key::Invalid(self.take())));
                self.state = State::Ground;
                return false;
            }
        };
        self.held.clear();
        self.state = State::Ground;
        out.push(Stroke::new(key));
        true
    }

    fn escape(&mut self, byte: u8, out: &mut Vec<Stroke>) -> bool {
        let key = match byte {
            b'[' => {
                self.held.push(byte);
                self.state = State::Csi;
                return true;
            }
            b'O' => {
                self.held.push(byte);
                self.state = State::Ss3;
                return true;
            }
            b']' | b'P' | b'X' | b'^' | b'_' => {
                self.held.push(byte);
                self.state = State::Text { osc: byte == b']' };
                return true;
            }
            b'b' => Key::WordLeft,
            b'f' => Key::WordRight,
            b'd' => Key::WordDelete,
            0x7f | 0x08 => Key::WordBackspace,
            0x20..=0x7e => Key::Alt(char::from(byte)),
            _ => {
                self.held.clear();
                self.state = State::Ground;
                out.push(Stroke::new(Key::Escape));
                return false;
            }
        };
        self.held.push(byte);
        self.known(key, out);
        true
    }

    fn csi(&mut self, byte: u8, out: &mut Vec<Stroke>) -> bool {
        match byte {
            0x20..=0x3f => {
                self.held.push(byte);
                if self.held.len() >= MAX_CSI {
                    self.unknown(out);
                    self.state = State::CsiRest;
                }
            }
            b'[' if self.held.len() == 2 => {
                self.held.push(byte);
                self.state = State::ConsoleKey;
            }
            b'M' if self.held.len() == 2 => {
                self.held.push(byte);
                self.state = State::Mouse(3);
            }
            0x40..=0x7e => {
                self.held.push(byte);
                if self.held == PASTE_START {
                    self.held.clear();
                    self.state = State::Paste(0);
                    return true;
                }
                match csi_key(self.held.get(2..).unwrap_or(&[])) {
                    Some(key) => self.known(key, out),
                    None => self.unknown(out),
                }
            }
            _ => {
                self.unknown(out);
                return false;
            }
        }
        true
    }

    fn console_key(&mut self, byte: u8, out: &mut Vec<Stroke>) -> bool {
        let belongs = (0x20..0x7f).contains(&byte);
        if belongs {
            self.held.push(byte);
        }
        self.unknown(out);
        belongs
    }

    fn csi_rest(&mut self, byte: u8, out: &mut Vec<Stroke>) -> bool {
        match byte {
            0x20..=0x3f => {
                self.held.push(byte);
                if self.held.len() >= MAX_CSI {
                    self.unknown(out);
                    self.state = State::CsiRest;
                }
                true
            }
            0x40..=0x7e => {
                self.held.push(byte);
                self.unknown(out);
                true
            }
            _ => {
                self.unknown(out);
                false
            }
        }
    }

    fn mouse(&mut self, left: u8, byte: u8, out: &mut Vec<Stroke>) -> bool {
        if byte < 0x20 {
            self.unknown(out);
            return false;
        }
        self.held.push(byte);
        self.state = State::Mouse(left.saturating_sub(1));
        if left <= 1 {
            self.unknown(out);
        }
        true
    }

    fn text(&mut self, osc: bool, byte: u8, out: &mut Vec<Stroke>) -> bool {
        match byte {
            0x1b => {
                self.held.push(byte);
                self.state = State::TextEscape { osc };
            }
            0x07 if osc => {
                self.held.push(byte);
                self.unknown(out);
            }
            // No reply holds a control byte: it was cut off, and this is a key.
            0x00..=0x1f | 0x7f => {
                self.unknown(out);
                return false;
            }
            _ => {
                self.held.push(byte);
                if self.held.len() >= MAX_TEXT {
                    self.unknown(out);
                    self.state = State::Text { osc };
                }
            }
        }
        true
    }

    fn text_escape(&mut self, byte: u8, out: &mut Vec<Stroke>) -> bool {
        if byte == b'\\' {
            self.held.push(byte);
            self.unknown(out);
            return true;
        }
        // The ESC ended the text without belonging to it: it begins something of its own.
        self.held.pop();
        self.unknown(out);
        self.held.push(0x1b);
        self.state = State::Escape;
        false
    }

    fn ss3(&mut self, byte: u8, out: &mut Vec<Stroke>) -> bool {
        if !(0x20..0x7f).contains(&byte) {
            self.unknown(out);
            return false;
        }
        self.held.push(byte);
        if byte >= 0x40 || self.held.len() >= 8 {
            match (self.held.len() == 3).then(|| cursor_key(byte)).flatten() {
                Some(key) => self.known(key, out),
                None => self.unknown(out),
            }
        }
        true
    }

    fn paste(&mut self, seen: usize, byte: u8, out: &mut Vec<Stroke>) -> bool {
        match PASTE_END.get(seen) {
            Some(&next) if next == byte && seen + 1 == PASTE_END.len() => {
                out.push(Stroke::new(Key::Paste(self.take())));
                self.state = State::Ground;
                return true;
            }
            Some(&next) if next == byte => {
                self.state = State::Paste(seen + 1);
                return true;
            }
            _ => {}
        }
        self.state = State::Paste(0);
        if seen == 0 {
            self.held.push(byte);
        } else {
            // Its end begins with its only ESC, so nothing shorter can match.
            self.held.extend_from_slice(PASTE_END.get(..seen).unwrap_or(&[]));
        }
        if self.held.len() > MAX_PASTE {
            self.held = Vec::new();
            self.state = State::PasteRest(0);
            out.push(Stroke::new(Key::PasteTooLong));
        }
        seen == 0
    }

    fn paste_rest(&mut self, seen: usize, byte: u8) -> bool {
        match PASTE_END.get(seen) {
            Some(&next) if next == byte && seen + 1 == PASTE_END.len() => {
                self.state = State::Ground;
                true
            }
            Some(&next) if next == byte => {
                self.state = State::PasteRest(seen + 1);
                true
            }
            _ => {
                self.state = State::PasteRest(0);
                seen == 0
            }
        }
    }
}

fn cursor_key(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'F' => Key::End,
        b'H' => Key::Home,
        _ => return None,
    })
}

/// The key of what follows `ESC [`.
fn csi_key(rest: &[u8]) -> Option<Key> {
    match rest {
        [last] => cursor_key(*last),
        b"1~" | b"7~" => Some(Key::Home),
        b"4~" | b"8~" => Some(Key::End),
        b"2~" => Some(Key::Insert),
        b"3~" => Some(Key::Delete),
        b"5~" => Some(Key::PageUp),
        b"6~" => Some(Key::PageDown),
        // xterm's modifiers: 3 is Meta, 5 is Control, 7 is both.
        b"1;3C" | b"1;5C" | b"1;7C" => Some(Key::WordRight),
        b"1;3D" | b"1;5D" | b"1;7D" => Some(Key::WordLeft),
        b"3;3~" | b"3;5~" => Some(Key::WordDelete),
        _ => None,
    }
}
