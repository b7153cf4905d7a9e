//! The shell of an account, as far as it speaks the language that the engine reads.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A shell whose lines are read. Any other (fish, csh, one that nobody could ask) has no name here: it
/// is not known, and that is always safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum PosixShell {
    /// The one in busybox.
    Ash,
    Bash,
    Dash,
    Ksh,
    Mksh,
    /// A shell that was started as `sh` and is not known closer.
    Sh,
    Zsh,
}

impl PosixShell {
    const ALL: [Self; 7] =
        [Self::Ash, Self::Bash, Self::Dash, Self::Ksh, Self::Mksh, Self::Sh, Self::Zsh];

    /// Its name on the wire, in the log and for the engine.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ash => "ash",
            Self::Bash => "bash",
            Self::Dash => "dash",
            Self::Ksh => "ksh",
            Self::Mksh => "mksh",
            Self::Sh => "sh",
            Self::Zsh => "zsh",
        }
    }

    /// The shell with that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shell| shell.as_str() == name)
    }

    /// From the wire: a name from another version is a shell that is not known.
    ///
    /// # Errors
    /// When it is no text.
    pub fn lenient<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Self>, D::Error> {
        Ok(Option::<String>::deserialize(from)?.as_deref().and_then(Self::parse))
    }
}

impl Serialize for PosixShell {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Holder {
        #[serde(default, deserialize_with = "PosixShell::lenient")]
        shell: Option<PosixShell>,
    }

    #[test]
    fn a_shell_from_another_version_is_not_known() {
        for shell in PosixShell::ALL {
            let wire = serde_json::to_string(&Holder { shell: Some(shell) }).unwrap();
            assert_eq!(serde_json::from_str::<Holder>(&wire).unwrap().shell, Some(shell));
        }
        for text in ["{}", r#"{"shell":null}"#, r#"{"shell":"fish"}"#, r#"{"shell":"BASH"}"#] {
            assert_eq!(serde_json::from_str::<Holder>(text).unwrap().shell, None, "{text}");
        }
    }
}
