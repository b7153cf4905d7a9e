//! What a line is for, and the outcome of a key. A secret must never appear in `Debug` output.

/// What a line is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A shell at its prompt: Enter continues to a further line while the syntax is incomplete.
    #[default]
    Shell,
    /// A program that reads lines: each Enter submits.
    Program,
    /// A program that reads a secret: nothing is drawn or kept.
    Secret,
}

/// The outcome of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key means nothing here.
    Bell,
    /// The line has to be drawn again.
    Changed,
    /// `^L`: the caller clears the screen, prompts and calls
    /// [`Editor::forget_drawing`](super::Editor::forget_drawing).
    ClearScreen,
    /// `^D` on an empty line.
    Eof,
    /// `^C`; the line is dropped. What [`Editor::finish`](super::Editor::finish) leaves on the
    /// screen ends with `^C`.
    Interrupt,
    /// Nothing changed.
    Nothing,
    /// `^\`; the line is as it was.
    Quit,
    /// Something was refused, and the line with it: Enter will refuse it again, so that the rest of
    /// it cannot pass for a line. One line of text that says why, for the agent's screen.
    Rejected(String),
    /// A whole line.
    Submit(Line),
    /// `^Z`; the line is as it was.
    Suspend,
}

/// A whole line as typed, without its Enter.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    /// Valid by [`validate`](super::validate()); further lines of it are separated by LF.
    pub bytes: Vec<u8>,
    /// What the reviewer must be told about it.
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
