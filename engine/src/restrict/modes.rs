//! Modes of files: `777`, `0777`, `a+rwx` and `ugo=rwx` give the same.

/// What a mode gives, as bits, and whether it takes away everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mode {
    gives: u16,
    exact: bool,
}

/// Read, write and execute for all.
const ALL: u16 = 0o777;

/// Whether a word gives what the wanted mode gives; `None` where one of them is no mode.
pub(super) fn gives(wanted: &str, word: &str) -> Option<bool> {
    let (wanted, word) = (mode(wanted)?, mode(word)?);
    Some(if wanted.exact {
        // The permissions that everybody has are given; a special bit more changes nothing about that.
        let all = word.gives & wanted.gives == wanted.gives;
        match word.exact {
            true => all && word.gives & ALL == wanted.gives & ALL,
            false => all && wanted.gives & ALL != 0,
        }
    } else {
        wanted.gives != 0 && word.gives & wanted.gives == wanted.gives
    })
}

/// Whether this is a mode.
pub(super) fn is_mode(text: &str) -> bool {
    mode(text).is_some()
}

/// Whether a word of which a part is not known may be a mode.
pub(super) fn may_be_mode(text: &str) -> bool {
    let special = ['$', '`', '*', '?', '[', ']', '{', '}', '(', ')'];
    let before = text.split(special).next().unwrap_or("");
    // A variable's name goes on behind its dollar sign.
    let after = if text.contains('$') { "" } else { text.rsplit(special).next().unwrap_or("") };
    before.bytes().chain(after.bytes()).all(|b| b"01234567ugoa+-=rwxXst,".contains(&b))
}

fn mode(text: &str) -> Option<Mode> {
    if text.is_empty() || text.len() > 64 {
        return None;
    }
    let octal = text.strip_prefix(['=', '+']).unwrap_or(text);
    if octal.bytes().all(|b| (b'0'..=b'7').contains(&b)) && !octal.is_empty() {
        let value = u32::from_str_radix(octal, 8).ok()?;
        let gives = u16::try_from(value).ok().filter(|value| *value <= 0o7777)?;
        return Some(Mode { gives, exact: !text.starts_with('+') });
    }
    let mut whole = Mode { gives: 0, exact: false };
    let mut set = 0;
    for clause in text.split(',') {
        let at = clause.find(['+', '-', '='])?;
        let (who, rest) = (clause.get(..at)?, clause.get(at..)?);
        if !who.bytes().all(|b| b"ugoa".contains(&b)) {
            return None;
        }
        let everybody = who.is_empty() || who.contains('a');
        let mut places = 0;
        for (letter, bits) in [('u', 0o4700), ('g', 0o2070), ('o', 0o1007)] {
            if everybody || who.contains(letter) {
                places |= bits;
            }
        }
        let mut operator = '+';
        for letter in rest.chars() {
            let bits = match letter {
                '+' | '-' | '=' => {
                    operator = letter;
                    if letter == '=' {
                        whole.gives &= !places;
                        set |= places & ALL;
                    }
                    continue;
                }
                'r' => 0o444,
                'w' => 0o222,
                'x' | 'X' => 0o111,
                's' => 0o6000,
                't' => 0o1000,
                _ => return None,
            };
            match operator {
                '-' => whole.gives &= !(bits & places),
                _ => whole.gives |= bits & places,
            }
        }
    }
    whole.exact = set == ALL;
    Some(whole)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_what_it_gives() {
        for (wanted, word, same) in [
            ("777", "0777", true),
            ("777", "a+rwx", true),
            ("777", "+rwx", true),
            ("777", "ugo=rwx", true),
            ("777", "=rwx", true),
            ("777", "u=rwx,g=rwx,o=rwx", true),
            ("777", "u+rwx,go+rwx", true),
            ("777", "a=rwX", true),
            ("777", "1777", true),
            ("777", "=777", true),
            ("a+rwx", "777", true),
            ("ugo+rwx", "a=rwx", true),
            ("o+w", "777", true),
            ("o+w", "666", true),
            ("o+w", "a+w", true),
            ("o+w", "o=rw", true),
            ("u+s", "4755", true),
            ("4755", "4755", true),
            ("644", "u=rw,go=r", true),
            ("777", "755", false),
            ("777", "7770", false),
            ("777", "+x", false),
            ("777", "a-rwx", false),
            ("777", "a+rw", false),
            ("755", "777", false),
            ("o+w", "755", false),
            ("o+w", "o-w", false),
            ("o+w", "u+w", false),
            ("u+s", "755", false),
            ("4755", "755", false),
            ("644", "600", false),
        ] {
            assert_eq!(gives(wanted, word), Some(same), "{wanted} {word}");
        }
        for none in ["", "x", "file", "888", "a+rwq", "u", "/srv", "77777"] {
            assert!(!is_mode(none), "{none}");
        }
        assert!(may_be_mode("$x") && may_be_mode("7$x") && may_be_mode("a+$x"));
        assert!(!may_be_mode("/srv/$x") && !may_be_mode("file*") && !may_be_mode("*.sh"));
    }
}
