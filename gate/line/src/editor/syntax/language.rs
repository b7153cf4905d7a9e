//! Which language a shell reads. A text in an unknown one must never be called incomplete: the
//! shell will ask for more by itself.

use super::fish::is_complete as fish_is_complete;
use super::scanner::{Scanner, Stop, Within};

/// The language a shell reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Syntax {
    /// sh and the like: bash, zsh, dash, ksh.
    #[default]
    Bourne,
    /// fish.
    Fish,
    /// Another one: every line is submitted, and the shell itself asks for more.
    Unknown,
}

impl Syntax {
    /// The language of a shell, by the name of its program without a path.
    #[must_use]
    pub fn of_shell(name: &str) -> Self {
        match name {
            "ash" | "bash" | "busybox" | "dash" | "ksh" | "mksh" | "sh" | "zsh" => Self::Bourne,
            "fish" => Self::Fish,
            _ => Self::Unknown,
        }
    }

    /// Whether the shell would run this text rather than ask for its next line.
    #[must_use]
    pub fn is_complete(self, text: &str) -> bool {
        match self {
            Self::Bourne => is_complete(text),
            Self::Fish => fish_is_complete(text),
            Self::Unknown => true,
        }
    }
}

/// Whether sh, bash or zsh would run this text rather than ask for its next line.
#[must_use]
pub fn is_complete(text: &str) -> bool {
    !matches!(Scanner::new(text).list(&[], Within::Nothing), Err(Stop::Incomplete))
}
