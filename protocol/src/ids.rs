//! Identifiers: a prefix that says what it names and a UUIDv7 in 26 lower-case base-32 letters
//! (the TypeID form, Crockford's alphabet), for example `cmd_01h455vb4pex5vsknk084sn02q`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an id of the form {prefix}_…")]
pub struct IdError {
    text: String,
    prefix: &'static str,
}

fn encode(prefix: &str, value: u128) -> String {
    let mut id = String::with_capacity(prefix.len() + 27);
    id.push_str(prefix);
    id.push('_');
    for i in (0..26).rev() {
        let index = usize::try_from((value >> (5 * i)) & 31).unwrap_or(0);
        id.push(char::from(ALPHABET.get(index).copied().unwrap_or(b'0')));
    }
    id
}

fn is_valid(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix)
        .and_then(|t| t.strip_prefix('_'))
        .is_some_and(|rest| rest.len() == 26 && rest.bytes().all(|b| ALPHABET.contains(&b)))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// What every id of this kind begins with, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id; ids made later sort later.
            #[allow(clippy::new_without_default)]
            pub fn new() -> Self {
                Self(encode($prefix, uuid::Uuid::now_v7().as_u128()))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The last four letters: enough to tell a few ids on a screen apart.
            pub fn short(&self) -> &str {
                self.0.get(self.0.len().saturating_sub(4)..).unwrap_or(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                if is_valid($prefix, text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { text: text.chars().take(64).collect(), prefix: $prefix })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id!(
    /// Names one item under review: a command, a shell line, a script on standard input.
    CommandId, "cmd"
);
id!(
    /// Names one SSH connection of an agent through the gate.
    SessionId, "sess"
);
id!(
    /// Names a change of rules or policies that waits for approval.
    ChangeId, "chg"
);
id!(
    /// Names a rule.
    RuleId, "rule"
);
id!(
    /// Names an approval policy.
    PolicyId, "pol"
);
id!(
    /// Names a person or program that connects to the broker.
    PrincipalId, "prn"
);

/// The fewest letters of an id's random part that may stand for it.
pub const MIN_ABBREVIATION: usize = 4;

/// How many letters of an id, after its prefix, say when it was made: the time and the version. Ids that
/// are made at the same time share them.
const TIME_LETTERS: usize = 11;

/// Whether text stands for an id: the whole id, its last letters as the reviewer's screen shows them, or
/// its beginning (with or without the `cmd_` part). It needs four letters of the random part.
pub fn matches_abbreviation(id: &str, text: &str) -> bool {
    let bare = id.split_once('_').map_or(id, |(_, bare)| bare);
    id == text || (!is_too_short(text) && (is_beginning(id, bare, text) || bare.ends_with(text)))
}

fn is_beginning(id: &str, bare: &str, text: &str) -> bool {
    let enough = TIME_LETTERS + MIN_ABBREVIATION;
    let prefix = id.len() - bare.len();
    (id.starts_with(text) && text.len() >= prefix + enough)
        || (bare.starts_with(text) && text.len() >= enough)
}

/// Whether text is shorter than any abbreviation of an id.
pub fn is_too_short(text: &str) -> bool {
    text.split_once('_').map_or(text, |(_, bare)| bare).len() < MIN_ABBREVIATION
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_typed_and_sortable() {
        let a = CommandId::new();
        let b = CommandId::new();
        assert!(a.as_str().starts_with("cmd_"));
        assert_eq!(a.as_str().len(), 30);
        assert_ne!(a, b);
        assert_eq!(a.as_str().parse::<CommandId>().unwrap(), a);
        assert!(a.as_str().parse::<SessionId>().is_err());
        assert!("cmd_'; drop table commands".parse::<CommandId>().is_err());
        assert!(serde_json::from_str::<CommandId>("\"cmd_\"").is_err());
    }

    #[test]
    fn abbreviations() {
        let id = "cmd_01h455vb4pex5vsknk084sn02q";
        for yes in [id, "cmd_01h455vb4pex5vs", "01h455vb4pex5vs", "n02q", "sknk084sn02q"] {
            assert!(matches_abbreviation(id, yes), "{yes}");
        }
        // The beginning alone is the time: an agent can make many ids that share it.
        for no in
            ["", "q", "02q", "cmd_02", "n02x", "cmd_01h4", "01h455vb4pex5v", "cmd_01h455vb4pex5v"]
        {
            assert!(!matches_abbreviation(id, no), "{no}");
        }
    }
}
