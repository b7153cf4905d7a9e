//! The constants that the gate itself may type at the target's terminal. The set is closed: it
//! must never hold a byte that anybody else chose.

/// A constant that the gate itself may type at the target's terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Const {
    /// Begins a bracketed paste.
    PasteStart,
    /// Ends a bracketed paste.
    PasteEnd,
    /// Asks the provisioned shell for its edit buffer.
    CheckKey,
    /// Return.
    Return,
    /// `^C`.
    Interrupt,
    /// `^D`.
    Eof,
    /// `^U`, which empties the line that a terminal collects.
    KillLine,
    /// `^Z`.
    Suspend,
    /// `^\`.
    Quit,
}

impl Const {
    /// The bytes that are typed.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::PasteStart => b"\x1b[200~",
            Self::PasteEnd => b"\x1b[201~",
            Self::CheckKey => b"\x18\x1f",
            Self::Return => b"\r",
            Self::Interrupt => b"\x03",
            Self::Eof => b"\x04",
            Self::KillLine => b"\x15",
            Self::Suspend => b"\x1a",
            Self::Quit => b"\x1c",
        }
    }
}
