//! `*` and `?` in the names that tables give.

/// Matches `*` as any run of characters and `?` as one, in bounded time.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let Some(first) = pattern.iter().position(|b| matches!(b, b'*' | b'?')) else {
        return pattern == text;
    };
    // Most that do not fit differ in front of the first wildcard.
    if text.get(..first) != pattern.get(..first) {
        return false;
    }
    let (mut p, mut t) = (first, first);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || text.get(t) == Some(&c) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == b'*')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::wildcard;

    #[test]
    fn wildcards_match_whole_words() {
        assert!(wildcard("delete-*", "delete-stack"));
        assert!(wildcard("*", ""));
        assert!(wildcard("a?c", "abc"));
        assert!(!wildcard("delete", "delete-stack"));
        assert!(!wildcard("a*b", "acbd"));
        assert!(!wildcard(&"*a".repeat(50), &"b".repeat(10_000)));
    }
}
