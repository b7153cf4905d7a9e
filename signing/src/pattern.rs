//! Patterns as in OpenSSH: `*` and `?`, lists with commas, `!` for all but. Bounded time for any input.

/// Matches `*` as any run of characters and `?` as one.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    // Where the last `*` stands, and what it has swallowed so far.
    let mut star = None;
    while let Some(letter) = text.get(t) {
        match (pattern.get(p), star) {
            (Some('*'), _) => {
                star = Some((p, t));
                p += 1;
            }
            (Some(wanted), _) if *wanted == '?' || wanted == letter => {
                p += 1;
                t += 1;
            }
            (_, Some((at, from))) => {
                p = at + 1;
                t = from + 1;
                star = Some((at, from + 1));
            }
            (_, None) => return false,
        }
    }
    pattern.iter().skip(p).all(|letter| *letter == '*')
}

/// Whether a text has a wildcard in it.
pub(crate) fn is_wild(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// A list of patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Patterns(Vec<(bool, String)>);

impl Patterns {
    /// Reads a list; `None` where a part of it is empty or no printable text.
    pub(crate) fn parse(list: &str) -> Option<Self> {
        let mut patterns = Vec::new();
        for part in list.split(',') {
            let (negated, pattern) =
                part.strip_prefix('!').map_or((false, part), |rest| (true, rest));
            let printable =
                !pattern.chars().any(|letter| letter.is_control() || letter.is_whitespace());
            if pattern.is_empty() || !printable {
                return None;
            }
            patterns.push((negated, pattern.to_owned()));
        }
        Some(Self(patterns))
    }

    /// Whether one matches and none that is negated does.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let matching = || self.0.iter().filter(|(_, pattern)| wildcard(pattern, text));
        matching().next().is_some() && matching().all(|(negated, _)| !negated)
    }

    /// The first of them, as it is written.
    pub(crate) fn first(&self) -> Option<&str> {
        self.0.first().filter(|(negated, _)| !negated).map(|(_, pattern)| pattern.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Patterns, wildcard};

    #[test]
    fn wildcards_match_whole_texts() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*@example.com", "alice@example.com", true),
            ("*@example.com", "alice@example.com.evil", false),
            ("alice", "alice2", false),
            ("Alice", "alice", false),
            ("*é", "josé", true),
        ] {
            assert_eq!(wildcard(pattern, text), matches, "{pattern} {text}");
        }
        assert!(!wildcard(&"*a".repeat(50), &"b".repeat(10_000)));
    }

    #[test]
    fn what_is_negated_never_matches() {
        let list = Patterns::parse("*@example.com,!mallory@*").unwrap();
        assert!(list.matches("alice@example.com"));
        assert!(!list.matches("mallory@example.com"));
        assert!(!Patterns::parse("!mallory").unwrap().matches("alice"));
        assert_eq!(list.first(), Some("*@example.com"));
        assert_eq!(Patterns::parse("!a,b").unwrap().first(), None);
        for bad in ["", "a,,b", "a,", "!", "a b", "a\tb", "a\0"] {
            assert_eq!(Patterns::parse(bad), None, "{bad:?}");
        }
    }
}
