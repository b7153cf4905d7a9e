//! jq: no environment, no modules.

use super::{Doubt, no};

/// Whether a filter only reads what it is given and prints.
pub(super) fn check(text: &str) -> Result<(), Doubt> {
    // Texts are left out, but what is interpolated in them is code.
    let mut outside = String::new();
    let mut chars = text.chars();
    // For each text that was left with `\(`, the parentheses that are open in the code inside.
    let mut left: Vec<usize> = Vec::new();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        if quoted {
            match c {
                '"' => quoted = false,
                '\\' => match chars.next() {
                    Some('(') => {
                        left.push(0);
                        outside.push(' ');
                        quoted = false;
                    }
                    Some(_) => {}
                    None => return no("a text that is never closed"),
                },
                _ => {}
            }
            continue;
        }
        match (c, left.last_mut()) {
            ('"', _) => {
                quoted = true;
                outside.push(' ');
                continue;
            }
            // A comment ends differently from version to version.
            ('#', _) => return no("a comment"),
            ('(', Some(depth)) => *depth += 1,
            (')', Some(0)) => {
                left.pop();
                quoted = true;
                outside.push(' ');
                continue;
            }
            (')', Some(depth)) => *depth -= 1,
            _ => {}
        }
        outside.push(c);
    }
    if quoted || !left.is_empty() {
        return no("a text that is never closed");
    }
    let mut last = ' ';
    let mut word = String::new();
    for c in outside.chars().chain(std::iter::once(' ')) {
        if c.is_ascii_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        // `.env` is a field. The last ones are those of yq.
        let known = matches!(
            word.as_str(),
            "env"
                | "ENV"
                | "__prog_args"
                | "import"
                | "include"
                | "modulemeta"
                | "get_search_list"
                | "load"
                | "load_str"
                | "load_xml"
                | "load_props"
                | "load_base64"
                | "strenv"
                | "envsubst"
                | "eval"
                | "system"
        );
        if known && last != '.' {
            return Err(format!("`{word}`"));
        }
        word.clear();
        last = c;
    }
    Ok(())
}
