//! awk: no command, no file but those it is given, no environment.

use super::{Doubt, no};

/// Whether a program only reads what it is given and prints.
pub(super) fn check(text: &str) -> Result<(), Doubt> {
    let bytes = text.as_bytes();
    let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let (mut i, mut depth, mut printing) = (0, 0_usize, None::<usize>);
    // Whether a `/` here begins an expression.
    let mut operand = false;
    while i < bytes.len() {
        match at(i) {
            b'"' => {
                i += 1;
                while at(i) != b'"' {
                    if i >= bytes.len() {
                        return no("a text that is never closed");
                    }
                    i += if at(i) == b'\\' { 2 } else { 1 };
                }
                operand = true;
            }
            b'/' if !operand => {
                i += 1;
                let mut set = false;
                while at(i) != b'/' || set {
                    if i >= bytes.len() || at(i) == b'\n' {
                        return no("an expression that is never closed");
                    }
                    match at(i) {
                        b'\\' => i += 1,
                        b'[' => set = true,
                        b']' => set = false,
                        _ => {}
                    }
                    i += 1;
                }
                operand = true;
            }
            b'#' => {
                while i < bytes.len() && at(i) != b'\n' {
                    i += 1;
                }
                continue;
            }
            b'@' => return no("`@`, which loads or calls by name"),
            b'|' if at(i + 1) == b'|' => {
                i += 1;
                operand = false;
            }
            b'|' => return no("a pipe to or from a command"),
            b'>' if printing.is_some_and(|at| at == depth) => return no("output into a file"),
            b'<' if at(i + 1) != b'=' && depth == 0 => operand = false,
            b'(' | b'[' => {
                depth += 1;
                operand = false;
            }
            b')' | b']' => {
                depth = depth.saturating_sub(1);
                operand = true;
            }
            b'{' | b'}' | b';' | b'\n' => {
                printing = None;
                operand = false;
            }
            c if c.is_ascii_alphabetic() || c == b'_' => {
                let from = i;
                while at(i).is_ascii_alphanumeric() || at(i) == b'_' {
                    i += 1;
                }
                let word = text.get(from..i).unwrap_or("");
                match word {
                    "print" | "printf" => printing = Some(depth),
                    "system" | "getline" | "close" | "fflush" | "ENVIRON" | "ARGV" | "ARGC"
                    | "PROCINFO" | "SYMTAB" | "FUNCTAB" | "include" | "load" | "namespace"
                    | "extension" => {
                        return Err(format!("`{word}`"));
                    }
                    _ => {}
                }
                operand = !matches!(
                    word,
                    "print" | "printf" | "return" | "in" | "if" | "while" | "else" | "do"
                );
                continue;
            }
            c if c.is_ascii_digit() || c == b'$' || c == b'.' => operand = true,
            b' ' | b'\t' | b'\r' => {}
            b'\\' if at(i + 1) == b'\n' => i += 1,
            b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'!' | b'=' | b'<' | b'>' | b',' | b'?'
            | b':' | b'~' | b'&' => operand = false,
            _ => return no("a character that is not read"),
        }
        i += 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use crate::tables::CodeKind;

    fn fits(language: CodeKind, list: &[&str], ok: bool) {
        for text in list {
            assert_eq!(check(language, text).is_ok(), ok, "{text}: {:?}", check(language, text));
        }
    }

    #[test]
    fn awk_that_only_prints() {
        fits(
            CodeKind::Awk,
            &[
                "{print $1}",
                "NR>1 {print $1, $2}",
                "{ sum += $3 } END { print sum/NR }",
                "$3 > 100 && /error/ {print $0}",
                "{if ($1 > 5) print $2; else print \"x > y\"}",
                "BEGIN{FS=\":\"} {printf \"%s\\n\", $1}",
                "/[/|]/ {print}",
                "{print (a > b)}",
                "/start/,/end/",
                "{gsub(/a|b/, \"\"); print length($0)}",
            ],
            true,
        );
        fits(
            CodeKind::Awk,
            &[
                "{system(\"id\")}",
                "{print > \"f\"}",
                "{print $1 >> \"f\"}",
                "{print | \"sh\"}",
                "{\"id\" | getline x}",
                "{getline x < \"/etc/shadow\"}",
                "BEGIN{print ENVIRON[\"X\"]}",
                "BEGIN{ARGV[1]=\"/etc/shadow\"}",
                "@load \"x\"",
                "{f=\"system\"; @f(\"id\")}",
                "{print a/b > \"f/g\"}",
                "{printf(\"%s\", $1) > \"f\"}",
                "{x = 1 / 2; print | \"sh\" / 1}",
            ],
            false,
        );
    }
}
