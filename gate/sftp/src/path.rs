//! Paths on a target: bytes of bounded length. Two different paths must never look the same.

use std::fmt;

use bytes::Bytes;

/// Longest path, in bytes (`PATH_MAX` of Linux).
pub const MAX_PATH: usize = 4096;

/// Why bytes cannot be the path of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Longer than [`MAX_PATH`].
    #[error("a path is longer than {MAX_PATH} bytes")]
    Long,
    /// It holds a zero byte.
    #[error("a path holds a zero byte")]
    Nul,
}

/// A path on a target, as bytes; possibly relative, possibly empty.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemotePath(Bytes);

impl RemotePath {
    /// Checks the bytes.
    ///
    /// # Errors
    /// When they are too long or hold a zero byte.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, PathError> {
        let bytes = bytes.into();
        if bytes.len() > MAX_PATH {
            return Err(PathError::Long);
        }
        if bytes.contains(&0) {
            return Err(PathError::Nul);
        }
        Ok(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is absolute.
    pub fn is_absolute(&self) -> bool {
        self.0.starts_with(b"/")
    }

    /// The directory and the name in it, for requests that mean a link itself and not its target.
    /// `None` when the last part is not a name (`..`, `.`, the root, nothing): such a
    /// path has to be resolved as a whole.
    pub fn split_name(&self) -> Option<(Self, Self)> {
        let end = self.0.iter().rposition(|b| *b != b'/')? + 1;
        let whole = self.0.get(..end)?;
        let start = whole.iter().rposition(|b| *b == b'/').map_or(0, |at| at + 1);
        let name = whole.get(start..)?;
        if name == b"." || name == b".." {
            return None;
        }
        let directory = match whole.get(..start)? {
            b"" => Bytes::from_static(b"."),
            found => Bytes::copy_from_slice(found),
        };
        Some((Self(directory), Self(Bytes::copy_from_slice(name))))
    }

    /// The last part; the whole path when it has no slash.
    pub fn name(&self) -> &[u8] {
        self.0.rsplit(|b| *b == b'/').next().unwrap_or_default()
    }

    /// The directory it lies in.
    pub fn directory(&self) -> Self {
        match self.0.iter().rposition(|b| *b == b'/') {
            None => Self(Bytes::from_static(b".")),
            Some(0) => Self(Bytes::from_static(b"/")),
            Some(at) => Self(self.0.slice(..at)),
        }
    }

    /// A name in this directory.
    ///
    /// # Errors
    /// When the whole is too long.
    pub fn join(&self, name: &Self) -> Result<Self, PathError> {
        let mut whole = self.0.to_vec();
        if !whole.ends_with(b"/") {
            whole.push(b'/');
        }
        whole.extend_from_slice(&name.0);
        Self::new(whole)
    }
}

impl fmt::Debug for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As one shell word, so that rules can match it and no two paths look the same: bare when it is
/// plain; in double quotes when it has blanks or the like; in `$'…'` when it has characters that
/// are special in double quotes, control characters, or bytes that are not UTF-8.
impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::str::from_utf8(&self.0).ok();
        match text {
            Some(text) if !text.is_empty() && text.chars().all(is_plain) => f.write_str(text),
            Some(text) if !text.chars().any(|c| is_hidden(c) || "\"\\$`!".contains(c)) => {
                write!(f, "\"{text}\"")
            }
            _ => {
                f.write_str("$'")?;
                for chunk in self.0.utf8_chunks() {
                    for c in chunk.valid().chars() {
                        match c {
                            '\'' => f.write_str("\\'")?,
                            '\\' => f.write_str("\\\\")?,
                            '\n' => f.write_str("\\n")?,
                            '\t' => f.write_str("\\t")?,
                            c if is_hidden(c) => {
                                let mut bytes = [0; 4];
                                for b in c.encode_utf8(&mut bytes).bytes() {
                                    write!(f, "\\x{b:02x}")?;
                                }
                            }
                            c => write!(f, "{c}")?,
                        }
                    }
                    for b in chunk.invalid() {
                        write!(f, "\\x{b:02x}")?;
                    }
                }
                f.write_str("'")
            }
        }
    }
}

/// `~` and `=` would be special to a shell at the beginning, but a real path begins with a slash.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "/._-+@%:,=".contains(c) || (!c.is_ascii() && c.is_alphanumeric())
}

/// Characters that are invisible or move others: controls, bidi and zero-width characters.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn path(bytes: &[u8]) -> RemotePath {
        RemotePath::new(bytes.to_vec()).unwrap()
    }

    #[test]
    fn shown_as_one_word() {
        for (bytes, shown) in [
            (&b"/srv/app/x-1.2_3"[..], "/srv/app/x-1.2_3"),
            ("/srv/übung".as_bytes(), "/srv/übung"),
            (b"/srv/my file", "\"/srv/my file\""),
            (b"/it's", "\"/it's\""),
            (b"/srv/$(touch p)'", "$'/srv/$(touch p)\\''"),
            (b"/a\nb\x1b[2K", "$'/a\\nb\\x1b[2K'"),
            (b"/\xff\xfe", "$'/\\xff\\xfe'"),
            ("/a\u{202e}b".as_bytes(), "$'/a\\xe2\\x80\\xaeb'"),
            (b"", "\"\""),
        ] {
            assert_eq!(path(bytes).to_string(), shown);
        }
    }

    #[test]
    fn names_and_directories() {
        let split = |p: &[u8]| path(p).split_name().map(|(d, n)| (d.to_string(), n.to_string()));
        let is = |d: &str, n: &str| Some((d.to_owned(), n.to_owned()));
        assert_eq!(split(b"/a/b"), is("/a/", "b"));
        assert_eq!(split(b"/a/b//"), is("/a/", "b"));
        assert_eq!(split(b"b"), is(".", "b"));
        assert_eq!(split(b"/b"), is("/", "b"));
        for whole in [&b""[..], b"/", b"..", b"/a/..", b"/a/./", b"."] {
            assert_eq!(split(whole), None);
        }
        assert_eq!(path(b"/a/b").directory().to_string(), "/a");
        assert_eq!(path(b"/b").directory().to_string(), "/");
        assert_eq!(path(b"/").join(&path(b"x")).unwrap().to_string(), "/x");
    }

    #[test]
    fn bounds() {
        assert_eq!(RemotePath::new(vec![b'x'; MAX_PATH + 1]), Err(PathError::Long));
        assert_eq!(RemotePath::new(&b"a\0b"[..]), Err(PathError::Nul));
    }

    proptest! {
        #[test]
        fn different_paths_never_look_the_same(
            names in proptest::collection::vec(
                proptest::collection::vec(
                    prop_oneof![
                        Just(b'\''), Just(b'\\'), Just(b'x'), Just(b'$'), Just(b'\n'), Just(b'n'),
                        Just(b'0'), Just(b'a'), Just(0xc3), Just(0xbc), Just(b' '), 1..=255u8,
                    ],
                    0..6,
                ),
                2..40,
            )
        ) {
            let mut seen = HashMap::new();
            for name in names {
                let shown = path(&name).to_string();
                prop_assert!(!shown.chars().any(char::is_control));
                if let Some(other) = seen.insert(shown, name.clone()) {
                    prop_assert_eq!(other, name);
                }
            }
        }
    }
}
