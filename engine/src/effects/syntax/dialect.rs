//! Which shells may read a line. What is read here must mean the same in each of them.

use crate::program::base_name;

/// The shell of an account, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// GNU bash, which also reads `&>` and `[[`.
    Bash,
    /// A shell of the Bourne family that is not known closer, or one with less than bash: dash, ash.
    Posix,
    /// fish, csh, PowerShell, or not known at all: only plain words mean the same everywhere.
    Unknown,
    Zsh,
}

impl Dialect {
    /// The dialect of a shell by its name; `None` is a shell that nobody has asked for yet.
    pub(crate) fn of(shell: Option<&str>) -> Self {
        match shell.map(base_name).map(|name| name.trim_start_matches('-')) {
            Some("bash") => Self::Bash,
            Some("zsh") => Self::Zsh,
            Some("sh" | "dash" | "ash" | "ksh" | "mksh" | "ksh93" | "oksh" | "busybox") => {
                Self::Posix
            }
            Some(_) | None => Self::Unknown,
        }
    }

    /// Whether it has bash's own redirections and tests.
    pub(crate) fn is_bash_or_zsh(self) -> bool {
        matches!(self, Self::Bash | Self::Zsh)
    }

    /// Whether `[ "$x" -gt 1 ]` only compares. ksh and its kin compute what stands there, and run
    /// what an array's subscript in it says.
    pub(crate) fn compares_plainly(self) -> bool {
        matches!(self, Self::Bash)
    }
}
