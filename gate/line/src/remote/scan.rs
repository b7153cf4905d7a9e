//! Splits what the target sends into output, markers that carry the nonce, and the few terminal
//! modes that the gate needs to know. It must never lose a byte of output, keep an unbounded number
//! of bytes, or accept a marker without the nonce.

use super::nonce::Nonce;

/// The longest payload of a marker, in bytes: a check report is a line of 16 KiB at most.
const LONGEST_PAYLOAD: usize = 64 * 1024;
/// The longest mode sequence that is read (`ESC [ ? 1049 ; 2004 h`), in bytes; others are output.
const LONGEST_MODE: usize = 32;

/// A piece of what the target sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// What follows the nonce in a marker.
    Marker(Vec<u8>),
    /// A private mode switched on or off; its bytes follow as output.
    Mode { number: u32, on: bool },
    /// For the screen.
    Output(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Plain output.
    Ground,
    /// `held` is a beginning of the marker's prefix, or `ESC [ ?` and parameters.
    Held,
    /// `held` is the payload of a marker.
    Payload,
}

/// The scanner. Bytes that may belong to a marker are held until that is known.
#[derive(Debug)]
pub(super) struct Scanner {
    /// `ESC ] 133 ; nonce ;`
    prefix: Vec<u8>,
    state: State,
    held: Vec<u8>,
    run: Vec<u8>,
}

impl Scanner {
    pub(super) fn new(nonce: &Nonce) -> Self {
        let prefix = format!("\x1b]133;{};", nonce.as_str()).into_bytes();
        Self { prefix, state: State::Ground, held: Vec::new(), run: Vec::new() }
    }

    /// Takes the next bytes, split anywhere.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut Vec<Token>) {
        let mut rest = bytes;
        while let Some((&byte, after)) = rest.split_first() {
            match self.state {
                State::Ground => {
                    let plain = rest.iter().position(|b| *b == 0x1b).unwrap_or(rest.len());
                    let (run, from_escape) = rest.split_at(plain);
                    self.run.extend_from_slice(run);
                    rest = from_escape;
                    if let Some((&escape, after)) = rest.split_first() {
                        self.held.push(escape);
                        self.state = State::Held;
                        rest = after;
                    }
                }
                State::Held => {
                    if self.held(byte, out) {
                        rest = after;
                    }
                }
                State::Payload => {
                    if self.payload(byte, out) {
                        rest = after;
                    }
                }
            }
        }
        self.flush(out);
    }

    /// The target has ended: what was held back is output after all.
    pub(super) fn finish(&mut self, out: &mut Vec<Token>) {
        if self.state == State::Held {
            self.run.append(&mut self.held);
        }
        self.held.clear();
        self.state = State::Ground;
        self.flush(out);
    }

    /// Whether the byte was consumed; if not, it is read again in the new state.
    fn held(&mut self, byte: u8, out: &mut Vec<Token>) -> bool {
        if self.prefix.get(self.held.len()) == Some(&byte) && self.prefix.starts_with(&self.held) {
            self.held.push(byte);
            if self.held.len() == self.prefix.len() {
                self.held.clear();
                self.flush(out);
                self.state = State::Payload;
            }
            return true;
        }
        let in_mode = match self.held.len() {
            1 => byte == b'[',
            2 => byte == b'?',
            _ => self.held.starts_with(b"\x1b[?") && matches!(byte, b'0'..=b'9' | b';'),
        };
        if in_mode && self.held.len() < LONGEST_MODE {
            self.held.push(byte);
            return true;
        }
        self.state = State::Ground;
        if self.held.starts_with(b"\x1b[?") && matches!(byte, b'h' | b'l') {
            self.flush(out);
            let numbers = self.held.get(3..).unwrap_or_default();
            for number in numbers.split(|b| *b == b';') {
                let number = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok());
                if let Some(number) = number {
                    out.push(Token::Mode { number, on: byte == b'h' });
                }
            }
            self.run.append(&mut self.held);
            self.run.push(byte);
            return true;
        }
        self.run.append(&mut self.held);
        false
    }

    fn payload(&mut self, byte: u8, out: &mut Vec<Token>) -> bool {
        match byte {
            0x07 => {
                out.push(Token::Marker(std::mem::take(&mut self.held)));
                self.state = State::Ground;
                true
            }
            0x1e..=0x7e | 0x80.. if self.held.len() < LONGEST_PAYLOAD => {
                self.held.push(byte);
                true
            }
            // Cut off, or not one of our markers: dropped, as it would show the nonce.
            _ => {
                self.held = Vec::new();
                self.state = State::Ground;
                false
            }
        }
    }

    fn flush(&mut self, out: &mut Vec<Token>) {
        if !self.run.is_empty() {
            out.push(Token::Output(std::mem::take(&mut self.run)));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn nonce() -> Nonce {
        Nonce::new([7; 16])
    }

    fn tokens(parts: &[&[u8]]) -> Vec<Token> {
        let mut scanner = Scanner::new(&nonce());
        let mut out = Vec::new();
        for part in parts {
            scanner.feed(part, &mut out);
        }
        scanner.finish(&mut out);
        out
    }

    fn marker(payload: &str) -> Vec<u8> {
        format!("\x1b]133;{};{payload}\x07", nonce().as_str()).into_bytes()
    }

    #[test]
    fn a_marker_is_cut_out_of_the_output() {
        let bytes = [b"a".as_slice(), &marker("A"), b"b"].concat();
        let expected = [
            Token::Output(b"a".to_vec()),
            Token::Marker(b"A".to_vec()),
            Token::Output(b"b".to_vec()),
        ];
        assert_eq!(tokens(&[&bytes]), expected);
    }

    #[test]
    fn a_marker_without_the_nonce_is_output() {
        for foreign in ["\x1b]133;A\x07", "\x1b]133;00000000;A\x07", "\x1b]0;title\x07"] {
            assert_eq!(tokens(&[foreign.as_bytes()]), [Token::Output(foreign.into())]);
        }
    }

    #[test]
    fn a_broken_marker_ends_at_the_first_byte_no_marker_has() {
        let mut bytes = marker("K;-;touch");
        bytes.pop();
        bytes.extend_from_slice(b"\r\nx\x1b[1m");
        assert_eq!(tokens(&[&bytes]), [Token::Output(b"\r\nx\x1b[1m".to_vec())]);
    }

    #[test]
    fn modes_are_told_and_still_pass() {
        let expected = [
            Token::Output(b"x".to_vec()),
            Token::Mode { number: 1049, on: true },
            Token::Mode { number: 2004, on: true },
            Token::Output(b"\x1b[?1049;2004hy".to_vec()),
        ];
        assert_eq!(tokens(&[b"x\x1b[?1049;2004hy"]), expected);
    }

    #[test]
    fn what_is_held_at_the_end_is_output() {
        assert_eq!(tokens(&[b"x\x1b]13"]).concat_output(), b"x\x1b]13");
        assert_eq!(tokens(&[b"\x1b\x1b\x1b[?9"]).concat_output(), b"\x1b\x1b\x1b[?9");
    }

    #[test]
    fn an_endless_payload_is_not_kept() {
        let mut scanner = Scanner::new(&nonce());
        let mut out = Vec::new();
        let mut start = marker("");
        start.pop();
        scanner.feed(&start, &mut out);
        for _ in 0..200 {
            scanner.feed(&[b'x'; 1024], &mut out);
            assert!(scanner.held.len() <= LONGEST_PAYLOAD);
        }
        assert_eq!(out.concat_output().len(), 200 * 1024 - LONGEST_PAYLOAD);
    }

    trait Concat {
        fn concat_output(&self) -> Vec<u8>;
    }

    impl Concat for Vec<Token> {
        fn concat_output(&self) -> Vec<u8> {
            self.iter()
                .flat_map(|token| match token {
                    Token::Output(bytes) => bytes.clone(),
                    _ => Vec::new(),
                })
                .collect()
        }
    }
}
