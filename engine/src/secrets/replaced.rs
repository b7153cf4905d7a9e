//! Secrets that are written into a file in the place of something: `sed s/changeme/SECRET/ .env`, and lines
//! of a configuration without `=`: `requirepass SECRET`. It must never take a name for a value.

use std::ops::Range;

use super::names::{ends_in_secret, is_no_value, is_secret_name};

/// Words that stand where a secret is to be put.
const PLACEHOLDERS: [&str; 14] = [
    "changeme",
    "changeit",
    "changethis",
    "default",
    "dummy",
    "example",
    "fixme",
    "insert",
    "none",
    "placeholder",
    "replaceme",
    "replacethis",
    "tbd",
    "todo",
];

/// Where code that replaces text writes a secret: `s/A/B/`, `gsub(/A/, "B")`, `c\NAME VALUE`. `secret_file`:
/// what it changes holds secrets.
pub(super) fn by_code(code: &str, secret_file: bool, found: &mut Vec<Range<usize>>) {
    for (from, to) in substitutions(code) {
        let (Some(pattern), Some(with)) = (code.get(from), code.get(to.clone())) else { continue };
        if let Some(inner) = replacement(pattern, with, secret_file) {
            found.push(to.start + inner.start..to.start + inner.end);
        }
    }
    // The text of sed's `a`, `c` and `i`.
    let mut at = 0;
    for line in code.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let text = line.trim_end();
        let command = text.match_indices(['a', 'c', 'i']).map(|(at, _)| at).find(|at| {
            text.get(at + 1..).is_some_and(|rest| rest.starts_with(['\\', ' ']))
                && text.get(..*at).is_some_and(|address| {
                    address.is_empty()
                        || address.ends_with(['/', '$', ' ', '|'])
                        || address.ends_with(|c: char| c.is_ascii_digit())
                })
        });
        let Some(command) = command else { continue };
        let body = text.get(command + 1..).unwrap_or("");
        let skip = body.len() - body.trim_start_matches(['\\', ' ', '\t']).len();
        let offset = start + command + 1 + skip;
        if let Some(inner) = named_line(body.get(skip..).unwrap_or("")) {
            found.push(offset + inner.start..offset + inner.end);
        }
    }
}

/// The value in a line of a configuration that has only a blank between name and value.
pub(super) fn named_line(line: &str) -> Option<Range<usize>> {
    let text = line.trim_end();
    let start = text.len() - text.trim_start().len();
    let (name, rest) = text.get(start..)?.split_once([' ', '\t'])?;
    let value = rest.trim_start();
    let from = text.len() - value.len();
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    let secret = plain && (ends_in_secret(name) || name == "rootpw");
    (secret && !value.contains([' ', '\t', '$', '=']) && is_value(value))
        .then_some(from..text.len())
}

/// What of a replacement is a secret.
fn replacement(pattern: &str, with: &str, secret_file: bool) -> Option<Range<usize>> {
    // `NAME=value` and `name: value` are found whatever they are part of.
    let named = with.find(['=', ':']).and_then(|at| with.get(..at));
    if named.is_some_and(|name| is_secret_name(name.trim_matches(['"', '\'', ' ', '\\']))) {
        return None;
    }
    // `s/^\(password = \).*/\1SECRET/`: the name is in what is kept.
    let kept =
        with.strip_prefix(['\\', '$']).and_then(|rest| rest.strip_prefix(['1', '2', '3', '&']));
    let kept = kept.or_else(|| with.strip_prefix('&'));
    if let Some(value) = kept {
        let rest = value.trim_start_matches(['"', '\'', ' ']);
        let end = rest.find(['"', '\'', '\\']).unwrap_or(rest.len());
        let from = with.len() - rest.len();
        let named = words(pattern).any(ends_in_secret);
        return (named && is_value(rest.get(..end)?)).then_some(from..from + end);
    }
    if let Some(range) = named_line(with) {
        return Some(range);
    }
    if with.contains([' ', '<', '>']) || !is_value(with) || is_secret_name(with) {
        return None;
    }
    let slot = words(pattern).any(|word| names_a_slot(pattern, word));
    (slot || secret_file && is_placeholder(pattern)).then_some(0..with.len())
}

/// Whether a word of the pattern is a place for a secret: `__TOKEN__`, `${DB_PASSWORD}`,
/// `YOUR_API_KEY`, but not `password`, which may be any word.
fn names_a_slot(pattern: &str, word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let bare = lower.trim_matches(['_', '-', '.']);
    let bare = bare.strip_suffix("_here").or_else(|| bare.strip_suffix("-here")).unwrap_or(bare);
    let bare = ["your_", "your-", "my_", "the_", "insert_", "replace_", "change_"]
        .iter()
        .find_map(|start| bare.strip_prefix(start))
        .unwrap_or(bare);
    let before = pattern.find(word).and_then(|at| pattern.get(..at)).unwrap_or("");
    let before = before.trim_end_matches(' ');
    let opened = ["${", "{{", "@", "%", "<", "$("].iter().any(|open| before.ends_with(open));
    let marked = opened || bare.len() != lower.len();
    let capitals = word.contains('_') && !word.bytes().any(|b| b.is_ascii_lowercase());
    (marked || capitals) && ends_in_secret(bare)
}

fn is_placeholder(pattern: &str) -> bool {
    let letters: String = pattern
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase();
    PLACEHOLDERS.contains(&letters.as_str())
        || letters.len() > 2 && letters.bytes().all(|b| b == b'x')
        || letters.starts_with("your") && letters.len() > 6
        || letters.starts_with("changeme")
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
        .filter(|word| word.len() > 1)
}

/// Whether a text can be a secret, rather than a variable or a place for one.
fn is_value(text: &str) -> bool {
    let variable =
        text.starts_with(['$', '`', '{', '<', '%', '@', '"', '\'']) || text.contains("${");
    text.len() > 1 && !variable && !is_no_value(text) && !is_placeholder(text)
}

/// The two sides of each substitution in a program of sed, perl or awk.
fn substitutions(code: &str) -> Vec<(Range<usize>, Range<usize>)> {
    let bytes = code.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let mut all = Vec::new();
    let mut at = 0;
    while at < bytes.len() && all.len() < 64 {
        let before = at.checked_sub(1).map_or(b' ', byte);
        let begins = byte(at) == b's'
            && (!before.is_ascii_alphanumeric() || before.is_ascii_digit())
            && before != b'_'
            && before != b'.';
        let delimiter = byte(at + 1);
        let call = code.get(at..).is_some_and(|rest| rest.starts_with("sub("));
        let side = |from: usize, close: u8| {
            let mut end = from;
            while end < bytes.len() && byte(end) != close {
                end += 1 + usize::from(byte(end) == b'\\');
            }
            (end < bytes.len()).then_some(end)
        };
        if call {
            let open = at + 4;
            let found = side(open + 1, byte(open)).and_then(|end| {
                let comma = (end + 1..bytes.len()).find(|at| byte(*at) != b' ')?;
                let quote = (comma + 1..bytes.len()).find(|at| byte(*at) != b' ')?;
                let quoted = byte(comma) == b',' && matches!(byte(quote), b'"' | b'\'');
                let last = side(quote + 1, byte(quote)).filter(|_| quoted)?;
                Some((open + 1..end, quote + 1..last))
            });
            if let Some((pattern, with)) = found.filter(|_| matches!(byte(open), b'/' | b'"')) {
                at = with.end;
                all.push((pattern, with));
            }
        } else if begins
            && delimiter.is_ascii_punctuation()
            && !matches!(delimiter, b'\\' | b'=' | b'.' | b'_' | b'-')
        {
            let found = side(at + 2, delimiter).and_then(|end| {
                let last = side(end + 1, delimiter)?;
                Some((at + 2..end, end + 1..last))
            });
            if let Some((pattern, with)) = found {
                at = with.end;
                all.push((pattern, with));
            }
        }
        at += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str, secret_file: bool) -> Vec<&str> {
        let mut ranges = Vec::new();
        by_code(code, secret_file, &mut ranges);
        ranges.into_iter().filter_map(|range| code.get(range)).collect()
    }

    #[test]
    fn what_takes_the_place_of_a_placeholder_is_a_secret() {
        for (code, secret_file) in [
            ("s/changeme/S3cr-et9/", true),
            ("s|PLACEHOLDER|S3cr-et9|g", true),
            ("s/xxxx/S3cr-et9/", true),
            ("s/__TOKEN__/S3cr-et9/", false),
            ("s/@DB_PASSWORD@/S3cr-et9/g", false),
            ("s#${DB_PASSWORD}#S3cr-et9#", false),
            ("s/{{ db_password }}/S3cr-et9/", false),
            ("s/<password>/S3cr-et9/", false),
            ("s/DB_PASSWORD_HERE/S3cr-et9/", false),
            ("s/your_api_key/S3cr-et9/", false),
            ("s/^requirepass .*/requirepass S3cr-et9/", false),
            (r"s/^\(password = \).*/\1S3cr-et9/", false),
            (r"s/(DB_PASS=).*/$1S3cr-et9/", false),
            (r"/^password/c\password S3cr-et9", false),
            ("gsub(/SECRET_TOKEN/,\"S3cr-et9\")", false),
        ] {
            assert_eq!(found(code, secret_file), ["S3cr-et9"], "{code}");
        }
    }

    #[test]
    fn other_replacements_are_text() {
        for (code, secret_file) in [
            ("s/changeme/production/", false),
            ("s/password/passwd/", true),
            ("s/token/key/g", false),
            ("s/DB_PASSWORD/DB_SECRET/", false),
            ("s/__TOKEN__/$TOKEN/", false),
            ("s/__TOKEN__/${TOKEN}/", false),
            ("s/DEBUG=true/DEBUG=false/", true),
            ("s/^port .*/port 6380/", true),
            ("s/a/b/; s/c/d/", true),
            (r"s/^\(port = \).*/\16380/", false),
            ("s/old/new/", true),
            ("s/password/***/", false),
            ("is/not/a/substitution", true),
        ] {
            assert_eq!(found(code, secret_file), [""; 0], "{code}");
        }
        assert_eq!(named_line("port 6379"), None);
        assert_eq!(named_line("password is wrong"), None);
        assert_eq!(named_line("requirepass \"\""), None);
    }
}
