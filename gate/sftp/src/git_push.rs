//! What a `git push` asks for, as pure code: the list of refs that a client sends to
//! `git-receive-pack` before the pack (gitprotocol-pack, "Reference Update Request"). It must never
//! skip a ref: a list that cannot be read to its end is not a list.

use std::fmt;

/// Longest list that is read, in bytes.
pub const MAX_REFS: usize = 512 * 1024;

/// A ref that a push would create, move or delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefChange {
    /// The object it points to now; `None` for a new ref.
    pub old: Option<String>,
    /// The object it would point to; `None` when it would be deleted.
    pub new: Option<String>,
    /// Its name.
    pub name: String,
}

/// The beginning of what a client sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefList {
    /// The whole list.
    Complete(Vec<RefChange>),
    /// The list has not ended yet.
    Incomplete,
    /// A list that is not understood here.
    Unreadable,
    /// No list: not even the lengths of its lines can be read.
    Foreign,
}

/// Reads the beginning of what a client sends.
pub fn read_ref_list(mut bytes: &[u8]) -> RefList {
    if bytes.len() > MAX_REFS {
        return RefList::Unreadable;
    }
    let mut found = Vec::new();
    loop {
        let Some((length, rest)) = bytes.split_at_checked(4) else {
            let hex = bytes.iter().all(u8::is_ascii_hexdigit);
            return if hex { RefList::Incomplete } else { RefList::Foreign };
        };
        let length = std::str::from_utf8(length).ok().and_then(|l| {
            l.bytes().all(|b| b.is_ascii_hexdigit()).then(|| usize::from_str_radix(l, 16).ok())?
        });
        let payload = match length {
            Some(0) => return RefList::Complete(found),
            Some(length @ 5..) => length - 4,
            _ => return RefList::Foreign,
        };
        let Some((line, rest)) = rest.split_at_checked(payload) else {
            return if payload > MAX_REFS { RefList::Unreadable } else { RefList::Incomplete };
        };
        bytes = rest;
        // The first line carries the client's capabilities after a zero byte.
        let mut parts = line.splitn(2, |b| *b == 0);
        let text = parts.next().unwrap_or_default();
        let capabilities = parts.next();
        if capabilities.is_some() && !found.is_empty() {
            return RefList::Unreadable;
        }
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let Ok(text) = std::str::from_utf8(text) else { return RefList::Unreadable };
        if capabilities.is_none() && text.strip_prefix("shallow ").is_some_and(is_object) {
            continue;
        }
        match change(text) {
            Some(change) => found.push(change),
            None => return RefList::Unreadable,
        }
    }
}

fn change(text: &str) -> Option<RefChange> {
    let mut words = text.splitn(3, ' ');
    let (old, new, name) = (words.next()?, words.next()?, words.next()?);
    // The rules of `git check-ref-format` that keep a name readable on a screen.
    let named = name.len() <= 1024
        && name.starts_with("refs/")
        && name.chars().all(|c| !c.is_control() && !c.is_whitespace() && !"\\~^:?*[".contains(c));
    (is_object(old) && is_object(new) && old.len() == new.len() && named).then(|| {
        let object = |id: &str| id.bytes().any(|b| b != b'0').then(|| id.to_owned());
        RefChange { old: object(old), new: object(new), name: name.to_owned() }
    })
}

fn is_object(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|b| b.is_ascii_hexdigit())
}

impl RefChange {
    /// Whether it deletes the ref.
    pub fn deletes(&self) -> bool {
        self.new.is_none()
    }
}

/// As one line of text.
impl fmt::Display for RefChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |id: &str| id.get(..10).unwrap_or_default().to_owned();
        let name = &self.name;
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => {
                write!(f, "git update {name}: {}..{}", short(old), short(new))
            }
            (None, Some(new)) => write!(f, "git create {name}: {}", short(new)),
            (Some(old), None) => write!(f, "git DELETE {name}: was {}", short(old)),
            (None, None) => write!(f, "git DELETE {name}"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: &str = "1a2b3c4d5e1a2b3c4d5e1a2b3c4d5e1a2b3c4d5e";
    const ZERO: &str = "0000000000000000000000000000000000000000";

    fn packet(text: &str) -> String {
        format!("{:04x}{text}", text.len() + 4)
    }

    #[test]
    fn a_push() {
        let all = [
            packet(&format!("shallow {A}")),
            packet(&format!("{A} {ZERO} refs/heads/y\0report-status side-band-64k")),
            packet(&format!("{ZERO} {A} refs/heads/x\n")),
            packet(&format!("{A} {A} refs/tags/v1")),
        ]
        .concat();
        let whole = format!("{all}0000PACK...");
        let RefList::Complete(list) = read_ref_list(whole.as_bytes()) else { unreachable!() };
        let shown: Vec<_> = list.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "git DELETE refs/heads/y: was 1a2b3c4d5e",
                "git create refs/heads/x: 1a2b3c4d5e",
                "git update refs/tags/v1: 1a2b3c4d5e..1a2b3c4d5e"
            ]
        );
        for end in 0..all.len() {
            assert_eq!(read_ref_list(&all.as_bytes()[..end]), RefList::Incomplete, "{end}");
        }
        assert_eq!(read_ref_list(b"0000"), RefList::Complete(Vec::new()));
        for foreign in ["0001", "0004", "PACK", "+12f", "x", "id; id; id\n"] {
            assert_eq!(read_ref_list(foreign.as_bytes()), RefList::Foreign, "{foreign}");
        }
        for other in [
            packet("push-cert\0caps"),
            packet(&format!("{A} {ZERO} HEAD")),
            packet(&format!("{A} {ZERO} refs/heads/a b")),
            packet(&format!("{A} {ZERO} refs/heads/a\x1b[2J")),
            packet(&format!("{A} 00 refs/heads/a")),
        ] {
            assert_eq!(
                read_ref_list(format!("{other}0000").as_bytes()),
                RefList::Unreadable,
                "{other:?}"
            );
        }
    }

    proptest! {
        /// A list is read the same whatever follows it, and no ref is skipped.
        #[test]
        fn no_ref_is_passed_over(
            names in proptest::collection::vec("refs/heads/[a-z]{1,8}", 0..10),
            rest in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = Vec::new();
            for name in &names {
                bytes.extend_from_slice(packet(&format!("{A} {ZERO} {name}")).as_bytes());
            }
            bytes.extend_from_slice(b"0000");
            bytes.extend_from_slice(&rest);
            let RefList::Complete(list) = read_ref_list(&bytes) else {
                return Err(TestCaseError::fail("not read"));
            };
            let found: Vec<_> = list.into_iter().map(|change| change.name).collect();
            prop_assert_eq!(found, names);
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            read_ref_list(&bytes);
        }
    }
}
