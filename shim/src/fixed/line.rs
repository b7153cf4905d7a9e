//! Lines of `ssh_config(5)`: the keyword, and the words behind it. Where versions of OpenSSH differ,
//! the reading that finds more is taken.

/// A line that says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// In lower case.
    pub(super) keyword: String,
    /// The rest as it stands, for the keywords that take a command.
    pub(super) rest: String,
}

impl Line {
    /// Reads a line; `None` for a comment and an empty line.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            return None;
        }
        // OpenSSH takes a keyword in quotes, too.
        let (keyword, rest) = match text.strip_prefix('"').and_then(|t| t.split_once('"')) {
            Some(split) => split,
            None => {
                let end = text.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(text.len());
                text.split_at_checked(end)?
            }
        };
        let rest = rest.trim_start();
        let rest = rest.strip_prefix('=').unwrap_or(rest).trim();
        Some(Self { keyword: keyword.to_ascii_lowercase(), rest: rest.to_owned() })
    }

    /// The words: quotes are removed, and a `#` at the beginning of a word begins a comment.
    pub(super) fn words(&self) -> Vec<String> {
        self.split(char::is_whitespace, false)
    }

    /// The words by every reading: of a path with a space behind a backslash in it, as newer versions
    /// take it, or with one that is none to OpenSSH.
    pub(super) fn readings(&self) -> Vec<String> {
        let mut words = self.words();
        for word in self.split(|c| " \t\r\n\x0c".contains(c), true) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words
    }

    fn split(&self, is_space: fn(char) -> bool, escapes_space: bool) -> Vec<String> {
        let escaped = |c: &char| matches!(c, '"' | '\'' | '\\') || (escapes_space && *c == ' ');
        let mut words = Vec::new();
        let mut chars = self.rest.chars().peekable();
        loop {
            while chars.next_if(|c| is_space(*c)).is_some() {}
            match chars.peek() {
                None | Some('#') => return words,
                Some(_) => {}
            }
            let mut word = String::new();
            let mut quote = None;
            while let Some(c) = chars.next() {
                match (c, quote) {
                    ('\\', _) if chars.peek().is_some_and(escaped) => {
                        word.extend(chars.next());
                    }
                    (c, Some(open)) if c == open => quote = None,
                    ('"' | '\'', None) => quote = Some(c),
                    (c, None) if is_space(c) => break,
                    (c, _) => word.push(c),
                }
            }
            words.push(word);
        }
    }

    /// The commands of `exec` in a `Match` line; an error when there seems to be one that cannot be
    /// made out.
    pub(super) fn match_exec(&self) -> Result<Vec<String>, ()> {
        let words = self.words();
        let mut commands = Vec::new();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let criterion = word.trim_start_matches('!').to_ascii_lowercase();
            if criterion == "exec" {
                commands.push(words.next().ok_or(())?.clone());
            } else if criterion.starts_with("exec=") {
                commands.push(word.split_once('=').ok_or(())?.1.to_owned());
            }
        }
        let seems = self.rest.to_ascii_lowercase().contains("exec");
        if seems && commands.is_empty() { Err(()) } else { Ok(commands) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Line::parse(text).unwrap().words()
    }

    #[test]
    fn keywords_and_words() {
        assert_eq!(Line::parse("  # x"), None);
        assert_eq!(Line::parse("\t"), None);
        for text in ["Include a b", "include=a b", " INCLUDE = a b # c", "\"Include\" a \"b\""] {
            let line = Line::parse(text).unwrap();
            assert_eq!(
                (line.keyword.as_str(), line.words()),
                ("include", vec!["a".to_owned(), "b".to_owned()]),
                "{text}"
            );
        }
        assert_eq!(words(r#"Include "a b" 'c d' e\"f g\ h"#), ["a b", "c d", "e\"f", "g\\", "h"]);
        assert_eq!(words("Include a#b #c"), ["a#b"]);
        let readings = |text| Line::parse(text).unwrap().readings();
        assert_eq!(readings("Include a\\ b c"), ["a\\", "b", "c", "a b"]);
        assert_eq!(readings("Include a\u{a0}b c"), ["a", "b", "c", "a\u{a0}b"]);
        assert_eq!(readings("Include a b"), ["a", "b"]);
        assert_eq!(words("Include \"\" x"), ["", "x"]);
        assert_eq!(Line::parse("ProxyCommand  nc \"%h\" 22 # x").unwrap().rest, "nc \"%h\" 22 # x");
    }

    #[test]
    fn commands_of_match() {
        let of = |text| Line::parse(text).unwrap().match_exec();
        assert_eq!(of("Match all").unwrap(), Vec::<String>::new());
        assert_eq!(of("Match exec \"test -f x\"").unwrap(), ["test -f x"]);
        assert_eq!(of("Match host a !EXEC true user b exec=/x").unwrap(), ["true", "/x"]);
        assert_eq!(of("Match exec"), Err(()));
        // It could be a criterion in a form that is not known here.
        assert_eq!(of("Match host a,\"exec x\""), Err(()));
    }
}
