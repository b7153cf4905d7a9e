//! Word-wise glob patterns. A `*` must never match an operator, a newline, or an option the pattern
//! does not show.

use crate::tables::wildcard;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct GlobPattern {
    words: Vec<String>,
    /// Ends in `**`: further plain words may follow.
    more: bool,
}

impl GlobPattern {
    /// Compiles a pattern; the error says what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = split(text)?;
        let more = words.last().is_some_and(|word| word == "**");
        if more {
            words.pop();
        }
        let Some(first) = words.first() else {
            return Err("the pattern names no program".to_owned());
        };
        if words.iter().any(|word| word.contains("**")) {
            return Err("`**` stands for further words and can only be the last word".to_owned());
        }
        if first.contains('=') {
            return Err(
                "a pattern cannot set variables; use an exact rule for such a line".to_owned()
            );
        }
        Ok(Self { words, more })
    }

    /// The first word, if it has no wildcard.
    pub(crate) fn program(&self) -> Option<&str> {
        self.words.first().map(String::as_str).filter(|word| !word.contains(['*', '?']))
    }

    /// Whether the words are what the pattern allows.
    pub(crate) fn matches(&self, words: &[String]) -> bool {
        if words.len() < self.words.len() || (!self.more && words.len() > self.words.len()) {
            return false;
        }
        self.words.iter().zip(words).all(|(pattern, word)| word_fits(pattern, word))
    }

    /// As [`Self::matches`], but `*` also stands for options: for rules that deny and for policies.
    pub(crate) fn covers(&self, words: &[String]) -> bool {
        if words.len() < self.words.len() || (!self.more && words.len() > self.words.len()) {
            return false;
        }
        self.words.iter().zip(words).enumerate().all(|(at, (pattern, word))| {
            let word = if at == 0 && !pattern.contains('/') { base(word) } else { word };
            wildcard(pattern, word)
        })
    }

    /// The words, for comparing with a command.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    pub(crate) fn takes_more(&self) -> bool {
        self.more
    }

    /// How narrow a pattern is: literal characters, then words.
    pub(crate) fn weight(&self) -> (usize, usize) {
        let literal = self
            .words
            .iter()
            .map(|word| word.chars().filter(|c| !matches!(c, '*' | '?')).count())
            .sum();
        (literal, self.words.len() * 2 + usize::from(!self.more))
    }
}

pub(crate) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// One word against one pattern word. A wildcard at the start must not bring in an option.
pub(crate) fn word_fits(pattern: &str, word: &str) -> bool {
    let open = pattern.starts_with(['*', '?']);
    if open && word.starts_with(['-', '+']) {
        return false;
    }
    // A wildcard never climbs out of the directory it stands in.
    if pattern.contains(['*', '?'])
        && word.split('/').any(|part| part == "..")
        && !pattern.contains("..")
    {
        return false;
    }
    wildcard(pattern, word)
}

/// Splits a pattern at blanks, quotes keeping words together.
fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' => words.extend(word.take()),
            '\'' | '"' => {
                let text = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some(inner) if inner == c => break,
                        Some(inner) if (' '..='~').contains(&inner) => text.push(inner),
                        Some(_) => return Err("a pattern holds printable ASCII only".to_owned()),
                        None => return Err("a quote is never closed".to_owned()),
                    }
                }
            }
            ';' | '|' | '&' | '<' | '>' | '$' | '`' | '(' | ')' | '\\' | '\n' | '{' | '}' => {
                return Err(format!(
                    "`{}` never matches: patterns allow plain words only; use an exact rule for such a line",
                    c.escape_default()
                ));
            }
            '!'..='~' => word.get_or_insert_default().push(c),
            _ => return Err("a pattern holds printable ASCII only".to_owned()),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_one_plain_word() {
        let fits = |pattern: &str, command: &str| {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            GlobPattern::parse(pattern).unwrap().matches(&words)
        };
        assert!(fits("systemctl status *", "systemctl status nginx"));
        assert!(!fits("systemctl status *", "systemctl status nginx -H"));
        assert!(!fits("systemctl status *", "systemctl status -H"));
        assert!(!fits("systemctl status *", "systemctl status"));
        assert!(!fits("cat /var/log/*", "cat /var/log/../../etc/shadow"));
        assert!(fits("cat /var/log/*", "cat /var/log/nginx/error.log"));
        assert!(fits("git log **", "git log --oneline -5"));
        assert!(fits("git log **", "git log"));
        assert!(fits("journalctl -u * -n ?0", "journalctl -u nginx -n 50"));
        for wrong in ["", "**", "ls; *", "ls ** x", "X=1 ls", "ls $x", "ls 'x", "lſ"] {
            assert!(GlobPattern::parse(wrong).is_err(), "{wrong}");
        }
    }
}
