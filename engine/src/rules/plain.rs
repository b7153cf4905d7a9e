//! Reads a command as plain words with a byte scan that knows no shell grammar at all. It must never
//! return words for a command with which a shell would do anything but start one program.

use crate::subject::Subject;

/// The words of a command that is nothing but plain words, quoted or not; `None` for everything else:
/// operators, substitution, redirection, assignments, globs, escapes, control or non-ASCII characters.
pub(crate) fn plain_words(command: &[u8]) -> Option<Vec<String>> {
    if command.len() > 16 * 1024 {
        return None;
    }
    // Most lines that are none show it at once.
    let quotes = |b: &u8| matches!(b, b'\'' | b'"');
    if !command.iter().any(quotes) && !command.iter().all(|b| is_plain(*b)) {
        return None;
    }
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut bytes = command.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b' ' => words.extend(word.take()),
            b'\'' | b'"' => {
                let text = word.get_or_insert_default();
                loop {
                    match bytes.next()? {
                        end if end == byte => break,
                        // Inside double quotes these still mean something; `!` does in a terminal.
                        b'$' | b'`' | b'\\' | b'!' if byte == b'"' => return None,
                        inner @ b' '..=b'~' => text.push(char::from(inner)),
                        _ => return None,
                    }
                }
            }
            // `a=b` is an assignment in front of the program, and zsh expands a leading `=`.
            b'=' => word.as_mut()?.push('='),
            plain if is_plain(plain) => {
                word.get_or_insert_with(|| String::with_capacity(16)).push(char::from(plain));
            }
            _ => return None,
        }
    }
    words.extend(word);
    let first = words.first()?;
    let usable = !first.is_empty()
        && !first.contains(['=', ' ', '\'', '"'])
        && !first.starts_with(['-', '+'])
        && !RESERVED.contains(&first.as_str());
    usable.then_some(words)
}

/// Whether a byte means nothing to any shell, between words or in one; `=` only behind another.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b' ' | b'-' | b'_' | b'.' | b'/' | b':' | b',' | b'@' | b'%' | b'+' | b'='
        )
}

/// Words that begin something other than a simple command.
const RESERVED: [&str; 22] = [
    "if",
    "then",
    "else",
    "elif",
    "fi",
    "for",
    "while",
    "until",
    "do",
    "done",
    "case",
    "esac",
    "select",
    "function",
    "time",
    "coproc",
    "in",
    "nocorrect",
    "noglob",
    "repeat",
    "foreach",
    "end",
];

/// The words of every simple command in a text, however nested; for rules that deny.
pub(crate) fn every_command(command: &[u8]) -> Vec<Subject> {
    let commands = crate::risk::commands_of(&String::from_utf8_lossy(command));
    commands.into_iter().filter(|subject| !subject.words.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::plain_words;

    #[test]
    fn only_plain_words_are_words() {
        for (command, words) in [
            ("ls -la /tmp", Some("ls|-la|/tmp")),
            ("  ls   'a b' \"c\"", Some("ls|a b|c")),
            ("a''b", Some("ab")),
            ("git log --format='%h %s'", Some("git|log|--format=%h %s")),
            ("X=1 ls", None),
            ("ls; id", None),
            ("ls &", None),
            ("ls\nid", None),
            ("ls $(id)", None),
            ("ls \"$x\"", None),
            ("ls *", None),
            ("ls ~", None),
            ("ls > x", None),
            ("ls\tx", None),
            ("l\\s", None),
            ("ls {a,b}", None),
            ("ls \u{a0}x", None),
            ("ls 'x", None),
            ("ls #x", None),
            ("time ls", None),
            ("=ls", None),
            ("ls =x", None),
            ("", None),
            ("'' x", None),
            ("!!", None),
        ] {
            let found = plain_words(command.as_bytes()).map(|words| words.join("|"));
            assert_eq!(found.as_deref(), words, "{command:?}");
        }
        assert_eq!(plain_words(b"ls \xff"), None);
    }
}
