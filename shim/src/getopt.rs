//! `getopt(3)` as the OpenSSH programs use it. It knows nothing of what options mean.
//!
//! It must agree with OpenSSH's own parser on where options end: what it takes for the host or the
//! command is what the gate will be asked for.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

/// One option as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flag {
    /// Its letter.
    pub(crate) letter: u8,
    /// Its value, when it takes one.
    pub(crate) value: Option<OsString>,
}

impl Flag {
    /// The option as `-x` or `-x VALUE`.
    pub(crate) fn push_to(&self, argv: &mut Vec<OsString>) {
        argv.push(OsString::from_vec(vec![b'-', self.letter]));
        argv.extend(self.value.clone());
    }

    /// The value as text, lossily.
    pub(crate) fn text(&self) -> String {
        self.value.as_deref().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Why a command line cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GetoptError {
    /// The last option needs a value.
    #[error("option -{} wants a value", *.0 as char)]
    MissingValue(u8),
    /// No such option.
    #[error("option -{} is not known", .0.escape_ascii())]
    Unknown(u8),
}

/// The options at the front of a command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ParsedOptions {
    /// In order.
    pub(crate) flags: Vec<Flag>,
    /// How many arguments they took.
    pub(crate) consumed: usize,
    /// Whether `--` ended them.
    pub(crate) terminated: bool,
}

/// Reads options up to the first argument that is not one. `optstring` is as for `getopt(3)`.
pub(crate) fn getopt(optstring: &str, args: &[OsString]) -> Result<ParsedOptions, GetoptError> {
    let mut options = ParsedOptions::default();
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        let bytes = arg.as_bytes();
        if bytes == b"--" {
            options.consumed += 1;
            options.terminated = true;
            break;
        }
        let Some(mut cluster) = bytes.strip_prefix(b"-").filter(|c| !c.is_empty()) else { break };
        options.consumed += 1;
        while let Some((&letter, tail)) = cluster.split_first() {
            cluster = tail;
            let value = match takes_value(optstring, letter) {
                None => return Err(GetoptError::Unknown(letter)),
                Some(false) => None,
                Some(true) if !tail.is_empty() => {
                    cluster = &[];
                    Some(OsStr::from_bytes(tail).to_owned())
                }
                Some(true) => {
                    options.consumed += 1;
                    Some(rest.next().ok_or(GetoptError::MissingValue(letter))?.clone())
                }
            };
            options.flags.push(Flag { letter, value });
        }
    }
    Ok(options)
}

fn takes_value(optstring: &str, letter: u8) -> Option<bool> {
    if letter == b':' {
        return None;
    }
    let at = optstring.bytes().position(|c| c == letter)?;
    Some(optstring.as_bytes().get(at + 1) == Some(&b':'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<OsString> {
        shell_words::split(line).unwrap().into_iter().map(OsString::from).collect()
    }

    #[test]
    fn clusters_values_and_the_end() {
        let options = getopt("ab:c", &args("-ac -b 1 -ab2 -b -- -- -a")).unwrap();
        let seen: Vec<String> =
            options.flags.iter().map(|f| format!("{}{}", f.letter as char, f.text())).collect();
        assert_eq!(seen, ["a", "c", "b1", "a", "b2", "b--"]);
        assert!(options.terminated);
        assert_eq!(options.consumed, 7);
        assert_eq!(getopt("ab:c", &args("- -a")).unwrap().consumed, 0);
        assert_eq!(getopt("ab:c", &args("-z")), Err(GetoptError::Unknown(b'z')));
        assert_eq!(getopt("ab:c", &args("-a:")), Err(GetoptError::Unknown(b':')));
        assert_eq!(getopt("ab:c", &args("-ab")), Err(GetoptError::MissingValue(b'b')));
    }
}
