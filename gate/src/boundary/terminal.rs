//! The pseudo-terminal that the target gets: an allow-listed TERM, a clamped size, constant modes.
//! It must never pass on a mode the client chose: a changed VERASE or ISTRIP turns reviewed text
//! into different text.

use expacti_protocol::session::Pty as PtyInfo;
use russh::Pty;

/// A terminal's size, 1 to 1000 in each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    cols: u32,
    rows: u32,
}

impl Size {
    /// Clamps the client's values; 0 means "unknown" in the protocol and becomes 80x24.
    pub(crate) fn clamped(cols: u32, rows: u32) -> Self {
        let clamp = |n: u32, unknown: u32| if n == 0 { unknown } else { n.clamp(1, 1000) };
        Self { cols: clamp(cols, 80), rows: clamp(rows, 24) }
    }

    /// Columns.
    pub(crate) fn cols(self) -> u32 {
        self.cols
    }

    /// Rows.
    pub(crate) fn rows(self) -> u32 {
        self.rows
    }
}

/// A terminal as it will be requested on the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terminal {
    term: String,
    size: Size,
}

impl Terminal {
    /// The terminal for what the client asked for.
    pub(crate) fn new(term: &str, cols: u32, rows: u32) -> Self {
        Self { term: allowed_term(term).to_owned(), size: Size::clamped(cols, rows) }
    }

    /// Sets another size.
    pub(crate) fn resized(&mut self, size: Size) {
        self.size = size;
    }

    /// `TERM`.
    pub(crate) fn term(&self) -> &str {
        &self.term
    }

    /// The size.
    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// As reviewers see it.
    pub(crate) fn info(&self) -> PtyInfo {
        PtyInfo { term: self.term.clone(), cols: self.size.cols, rows: self.size.rows }
    }
}

const FALLBACK: &str = "xterm-256color";

fn allowed_term(term: &str) -> &str {
    const EXACT: [&str; 8] =
        ["vt100", "vt220", "linux", "alacritty", "foot", "kitty", "ansi", "dumb"];
    const FAMILIES: [&str; 4] = ["xterm", "screen", "tmux", "rxvt"];
    let plain = term.len() <= 32
        && term.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'+' || b == b'.')
        && !term.contains("..");
    let family = FAMILIES.iter().any(|name| {
        term.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '.']))
    });
    if plain && (family || EXACT.contains(&term)) { term } else { FALLBACK }
}

/// The modes of every terminal: those of a fresh Linux console with UTF-8.
pub(crate) const MODES: &[(Pty, u32)] = &[
    (Pty::VINTR, 3),
    (Pty::VQUIT, 28),
    (Pty::VERASE, 127),
    (Pty::VKILL, 21),
    (Pty::VEOF, 4),
    (Pty::VEOL, 255),
    (Pty::VEOL2, 255),
    (Pty::VSTART, 17),
    (Pty::VSTOP, 19),
    (Pty::VSUSP, 26),
    (Pty::VREPRINT, 18),
    (Pty::VWERASE, 23),
    (Pty::VLNEXT, 22),
    (Pty::VDISCARD, 15),
    (Pty::IGNPAR, 0),
    (Pty::PARMRK, 0),
    (Pty::INPCK, 0),
    (Pty::ISTRIP, 0),
    (Pty::INLCR, 0),
    (Pty::IGNCR, 0),
    (Pty::ICRNL, 1),
    (Pty::IUCLC, 0),
    (Pty::IXON, 1),
    (Pty::IXANY, 0),
    (Pty::IXOFF, 0),
    (Pty::IMAXBEL, 1),
    (Pty::IUTF8, 1),
    (Pty::ISIG, 1),
    (Pty::ICANON, 1),
    (Pty::XCASE, 0),
    (Pty::ECHO, 1),
    (Pty::ECHOE, 1),
    (Pty::ECHOK, 1),
    (Pty::ECHONL, 0),
    (Pty::NOFLSH, 0),
    (Pty::TOSTOP, 0),
    (Pty::IEXTEN, 1),
    (Pty::ECHOCTL, 1),
    (Pty::ECHOKE, 1),
    (Pty::PENDIN, 0),
    (Pty::OPOST, 1),
    (Pty::OLCUC, 0),
    (Pty::ONLCR, 1),
    (Pty::OCRNL, 0),
    (Pty::ONOCR, 0),
    (Pty::ONLRET, 0),
    (Pty::CS7, 1),
    (Pty::CS8, 1),
    (Pty::PARENB, 0),
    (Pty::PARODD, 0),
    (Pty::TTY_OP_ISPEED, 38400),
    (Pty::TTY_OP_OSPEED, 38400),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_and_sizes() {
        for ok in ["xterm", "xterm-256color", "screen.xterm-256color", "tmux-256color", "dumb"] {
            assert_eq!(Terminal::new(ok, 80, 24).term(), ok);
        }
        for bad in ["", "xtermx", "../../tmp/x", "xterm-../x", "xterm-\x1b", "vt100x", "XTERM"] {
            assert_eq!(Terminal::new(bad, 80, 24).term(), FALLBACK, "{bad:?}");
        }
        assert_eq!(Size::clamped(0, u32::MAX), Size { cols: 80, rows: 1000 });
        assert_eq!(Size::clamped(1 << 31, 1), Size { cols: 1000, rows: 1 });
    }
}
