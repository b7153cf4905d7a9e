//! The one rule for everything that only looks: `looks`, with what narrows or widens it.

use crate::Looking;

/// The words of such a rule's pattern.
const WORD: &str = "looks";
const UNDER: &str = "--under";
const TRUST: &str = "--trust-dir";
const LOOPBACK: &str = "--loopback";

/// Reads the pattern of a looks rule, `looks --under /srv --trust-dir '/srv/my app' --loopback`; the
/// error says what is wrong with it.
pub(super) fn parse(pattern: &str) -> Result<Looking, String> {
    let mut words = words(pattern)?.into_iter();
    if words.next().as_deref() != Some(WORD) {
        return Err(format!("the pattern of such a rule begins with `{WORD}`"));
    }
    let mut looking = Looking::default();
    while let Some(word) = words.next() {
        match word.as_str() {
            LOOPBACK => looking.loopback = true,
            UNDER | TRUST => {
                let directory = words.next().ok_or_else(|| format!("{word} needs a directory"))?;
                let directory = checked(&word, &directory)?;
                if word == UNDER { &mut looking.under } else { &mut looking.trusted }
                    .push(directory);
            }
            other => return Err(format!("{other:?} is no part of a looks rule")),
        }
    }
    Ok(looking)
}

/// The pattern of a looks rule.
///
/// # Errors
/// Names the directory that cannot be one.
pub fn looks_pattern(looking: &Looking) -> Result<String, String> {
    let mut out = WORD.to_owned();
    for (option, directories) in [(UNDER, &looking.under), (TRUST, &looking.trusted)] {
        for directory in directories {
            let directory = checked(option, directory)?;
            out.push_str(&format!(" {option} '{directory}'"));
        }
    }
    if looking.loopback {
        out.push(' ');
        out.push_str(LOOPBACK);
    }
    Ok(out)
}

fn checked(option: &str, directory: &str) -> Result<String, String> {
    let clean = directory.trim_end_matches('/');
    let wrong = |why: &str| Err(format!("{option} {directory}: {why}"));
    if !directory.starts_with('/') && !directory.starts_with("~/") && directory != "~" {
        return wrong("give the absolute path of a directory on the target");
    }
    if clean.split('/').any(|part| matches!(part, "." | "..")) || clean.contains("//") {
        return wrong("`.`, `..` and `//` are not read here");
    }
    if clean.contains(['\'', '*', '?', '[']) || !clean.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return wrong("a directory is plain text: printable ASCII, without quotes and wildcards");
    }
    if option == TRUST && (clean.is_empty() || clean == "~") {
        return wrong("a whole system or home cannot be trusted: name the directories of projects");
    }
    Ok(if clean.is_empty() { "/".to_owned() } else { clean.to_owned() })
}

/// Words, some in single quotes.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').ok_or("a quote is never closed")?,
            None => rest.split_at(rest.find(' ').unwrap_or(rest.len())),
        };
        out.push(word.to_owned());
        rest = after.trim_start();
    }
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_read_as_it_is_written() {
        let looking = Looking {
            loopback: true,
            under: vec!["/srv".to_owned(), "~/x y".to_owned()],
            trusted: vec!["/srv/app".to_owned()],
            tainted: false,
        };
        let pattern = looks_pattern(&looking).unwrap();
        assert_eq!(
            pattern,
            "looks --under '/srv' --under '~/x y' --trust-dir '/srv/app' --loopback"
        );
        assert_eq!(parse(&pattern).unwrap(), looking);
        assert_eq!(parse("looks").unwrap(), Looking::default());
        for wrong in [
            "",
            "look",
            "looks x",
            "looks --under",
            "looks --under srv",
            "looks --trust-dir /",
            "looks --under /a/../b",
            "looks --under '/a",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
