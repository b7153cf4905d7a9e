//! Word-wise glob patterns. A `*` must never match an operator, a newline, or an option the pattern
//! does not show.

use crate::tables::wildcard;

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct GlobPattern {
    words: Vec<String>,
    /// Words with typed parameters as they were written, by their place; `words` has `*` for each.
    typed: Vec<(usize, String)>,
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
        let mut typed = Vec::new();
        for (at, word) in words.iter_mut().enumerate() {
            if word.contains([OPEN, CLOSE]) {
                typed.push((at, word.clone()));
                *word = untyped(word)?;
            }
        }
        if typed.first().is_some_and(|(at, _)| *at == 0) {
            return Err("a typed parameter cannot stand for the program".to_owned());
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
        Ok(Self { words, typed, more })
    }

    /// The first word, if it has no wildcard.
    pub(crate) fn program(&self) -> Option<&str> {
        self.words.first().map(String::as_str).filter(|word| !word.contains(['*', '?']))
    }

    /// Whether the words are what the pattern allows.
    pub(crate) fn matches(&self, words: &[impl AsRef<str>]) -> bool {
        if words.len() < self.words.len() || (!self.more && words.len() > self.words.len()) {
            return false;
        }
        self.words.iter().zip(words).all(|(pattern, word)| word_fits(pattern, word.as_ref()))
            && self.typed.iter().all(|(at, pattern)| {
                words.get(*at).is_some_and(|word| fits_type(pattern, word.as_ref()))
            })
    }

    /// The words, for comparing with a command.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// A line that it matches, with a word in the place of each wildcard.
    pub(crate) fn filled(&self, word: &str) -> String {
        let fill = |pattern: &String| pattern.replace('*', word).replace('?', "x");
        let quote = |text: String| {
            let plain =
                text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:,@%+=".contains(&b));
            if plain && !text.is_empty() {
                text
            } else {
                format!("'{}'", text.replace('\'', "'\\''"))
            }
        };
        self.words.iter().map(fill).map(quote).collect::<Vec<_>>().join(" ")
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
        (literal, self.words.len() * 2 + usize::from(!self.more) + self.typed.len())
    }
}

/// Braces outside quotes, which begin and end a typed parameter; quoted ones are text.
const OPEN: char = '\x01';
const CLOSE: char = '\x02';

/// Whether a byte may stand in a parameter.
type Holds = fn(u8) -> bool;

/// The types of parameters, and the bytes each may hold; none of them is ever empty.
const TYPES: [(&str, Holds); 4] = [
    ("\x01hex\x02", |b| b.is_ascii_hexdigit()),
    ("\x01name\x02", |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@')),
    ("\x01number\x02", |b| b.is_ascii_digit()),
    ("\x01path\x02", |b| {
        b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@' | b'/' | b'+')
    }),
];

/// A word with `*` in the place of each typed parameter.
fn untyped(word: &str) -> Result<String, String> {
    let mut out = word.to_owned();
    for (name, _) in TYPES {
        out = out.replace(name, "*");
    }
    if out.contains([OPEN, CLOSE]) {
        let shown = |text: &str| text.replace(OPEN, "{").replace(CLOSE, "}");
        return Err(format!(
            "{:?} has a parameter that is not known: use one of {}, or quote the brace",
            shown(word),
            shown(&TYPES.map(|(name, _)| name).join(", "))
        ));
    }
    Ok(out)
}

/// Whether a word fits a pattern with typed parameters: a name or number begins with no dash.
fn fits_type(pattern: &str, word: &str) -> bool {
    let Some(open) = pattern.find(OPEN) else { return wildcard(pattern, word) };
    let (before, rest) = (pattern.get(..open).unwrap_or(""), pattern.get(open..).unwrap_or(""));
    let Some((name, may)) = TYPES.iter().find(|(name, _)| rest.starts_with(name)) else {
        return false;
    };
    let after = rest.get(name.len()..).unwrap_or("");
    // What stands before may hold wildcards itself: every place it can end is tried.
    (0..=word.len()).any(|start| {
        let Some(value) = word.get(start..) else { return false };
        if !word.get(..start).is_some_and(|head| wildcard(before, head)) || value.starts_with('-') {
            return false;
        }
        let longest = value.bytes().take_while(|b| may(*b)).count();
        (1..=longest).any(|end| value.get(end..).is_some_and(|tail| fits_type(after, tail)))
    })
}

/// One word against one pattern word. A wildcard at the start must not bring in an option.
pub(crate) fn word_fits(pattern: &str, word: &str) -> bool {
    let Some(at) = pattern.find(['*', '?']) else { return pattern == word };
    if at == 0 && word.starts_with(['-', '+']) {
        return false;
    }
    // A wildcard never climbs out of the directory it stands in.
    wildcard(pattern, word) && (pattern.contains("..") || !word.split('/').any(|part| part == ".."))
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
            ';' | '|' | '&' | '<' | '>' | '$' | '`' | '(' | ')' | '\\' | '\n' => {
                return Err(format!(
                    "`{}` never matches: patterns allow plain words only; use an exact rule for such a line",
                    c.escape_default()
                ));
            }
            '{' => word.get_or_insert_default().push(OPEN),
            '}' => word.get_or_insert_default().push(CLOSE),
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
    fn a_typed_parameter_is_what_it_says() {
        let fits = |pattern: &str, command: &str| {
            let words: Vec<String> = command.split(' ').map(str::to_owned).collect();
            GlobPattern::parse(pattern).unwrap().matches(&words)
        };
        assert!(fits("kill {number}", "kill 4711"));
        assert!(fits("tail -n {number} /var/log/{name}.log", "tail -n 50 /var/log/app-1.log"));
        assert!(fits("git show {hex}", "git show 0a1b2c"));
        assert!(fits("cat /srv/{path}", "cat /srv/app/x.conf"));
        assert!(fits("x --lines={number}-{number}", "x --lines=1-20"));
        for (pattern, command) in [
            ("kill {number}", "kill -9"),
            ("kill {number}", "kill -1"),
            ("kill {number}", "kill 1x"),
            ("cat /srv/{name}", "cat /srv/a/b"),
            ("cat /srv/{name}", "cat /srv/"),
            ("cat /srv/{path}", "cat /srv/../etc/shadow"),
            ("cat {name}", "cat --version"),
            ("cat {path}", "cat /etc/x y"),
            ("git show {hex}", "git show HEAD"),
        ] {
            assert!(!fits(pattern, command), "{pattern}: {command}");
        }
        assert!(fits("docker inspect -f '{{.Id}}' *", "docker inspect -f {{.Id}} x"), "quoted");
        for wrong in ["{name} x", "ls {x}", "ls {", "ls a}", "ls {numbers}"] {
            assert!(GlobPattern::parse(wrong).is_err(), "{wrong}");
        }
    }

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
