//! awk: no command, no file but those it is given, no environment.

use super::{Doubt, no};

/// Whether a program only reads what it is given and prints.
pub(super) fn check(text: &str) -> Result<(), Doubt> {
    let bytes = text.as_bytes();
    let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let (mut i, mut printing) = (0, None::<usize>);
    // For each parenthesis that is open, whether it belongs to `if`, `while` and their kin.
    let mut open: Vec<bool> = Vec::new();
    // Whether an operand has just ended: a `/` divides then, and begins an expression otherwise.
    let mut operand = false;
    let mut word = "";
    while i < bytes.len() {
        let (from, before) = (i, std::mem::take(&mut word));
        match at(i) {
            b'"' => {
                i += 1;
                while at(i) != b'"' {
                    if i >= bytes.len() || at(i) == b'\n' {
                        return no("a text that is never closed");
                    }
                    i += if at(i) == b'\\' { 2 } else { 1 };
                }
                operand = true;
            }
            b'/' if !operand => {
                i = expression(bytes, i)?;
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
            b'>' if printing == Some(open.len()) => return no("output into a file"),
            b'(' | b'[' => {
                let conditional = matches!(before, "if" | "while" | "for" | "switch");
                open.push(conditional && at(i) == b'(');
                operand = false;
            }
            // A statement follows `if (x)`, which may begin with an expression.
            b')' | b']' => operand = !open.pop().unwrap_or(false),
            b'{' | b'}' | b';' => {
                printing = None;
                operand = false;
            }
            // Behind a comma or an operator the statement goes on.
            b'\n' if operand => {
                printing = None;
                operand = false;
            }
            b'\n' => {}
            // `x++` is an operand still, and `++x` none yet.
            b'+' | b'-' if at(i + 1) == at(i) => i += 1,
            c if c.is_ascii_alphabetic() || c == b'_' => {
                while at(i).is_ascii_alphanumeric() || at(i) == b'_' {
                    i += 1;
                }
                word = text.get(from..i).unwrap_or("");
                match word {
                    "print" | "printf" => printing = Some(open.len()),
                    "system" | "getline" | "close" | "fflush" | "ENVIRON" | "ARGV" | "ARGC"
                    | "PROCINFO" | "SYMTAB" | "FUNCTAB" | "include" | "load" | "namespace"
                    | "extension" => {
                        return Err(format!("`{word}`"));
                    }
                    _ => {}
                }
                operand = !matches!(
                    word,
                    "print"
                        | "printf"
                        | "return"
                        | "in"
                        | "if"
                        | "while"
                        | "else"
                        | "do"
                        | "exit"
                        | "case"
                        | "delete"
                        | "next"
                        | "nextfile"
                        | "break"
                        | "continue"
                        | "default"
                        | "BEGIN"
                        | "END"
                        | "function"
                        | "func"
                );
                continue;
            }
            c if c.is_ascii_digit() || c == b'.' => operand = true,
            b' ' | b'\t' | b'\r' => word = before,
            b'\\' if at(i + 1) == b'\n' => {
                i += 1;
                word = before;
            }
            b'$' | b'+' | b'-' | b'*' | b'/' | b'%' | b'^' | b'!' | b'=' | b'<' | b'>' | b','
            | b'?' | b':' | b'~' | b'&' => operand = false,
            _ => return no("a character that is not read"),
        }
        i += 1;
    }
    Ok(())
}

/// The `/` at which an expression ends that begins at `from`. Sets of characters with a slash in them
/// are read where every awk reads them alike: where an awk would end the expression at that slash, it
/// refuses the set that is not closed.
fn expression(bytes: &[u8], from: usize) -> Result<usize, Doubt> {
    let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let (mut i, mut set) = (from + 1, false);
    while at(i) != b'/' || set {
        if i >= bytes.len() || at(i) == b'\n' {
            return no("an expression that is never closed");
        }
        match at(i) {
            b'\\' => i += 1,
            b'[' if set && matches!(at(i + 1), b':' | b'.' | b'=') => {
                let (kind, begin) = (at(i + 1), i + 2);
                i = begin;
                while at(i).is_ascii_alphabetic() {
                    i += 1;
                }
                if at(i) != kind || at(i + 1) != b']' || i == begin {
                    return no("a set of characters that is not read");
                }
                i += 1;
            }
            b'[' if !set => {
                set = true;
                i += usize::from(at(i + 1) == b'^');
                if at(i + 1) == b']' {
                    return no("a set of characters that begins with `]`");
                }
            }
            b']' => set = false,
            _ => {}
        }
        i += 1;
    }
    Ok(i)
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
                "{print ($1+$2)/2; n++; print n/2}",
                "/^[[:space:]]*x/ {print $NF/1024 \"M\"}",
                "{print $1\n if ($2 > 5) print $3}",
                "{ if ($1 > 5) { print $1 } else if (/x/) print a[$1]/2 }",
                "BEGIN { for (i = 0; i < 3; i++) print i }",
                "{a[$1]++} END {for (k in a) print k, a[k]/NR}",
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
                // What the reader could take for an expression or a text, and awk does not.
                "/[]/\"]/{system(\"id\")}#\"",
                "{if (1) /\"/; system(\"id\"); if (1) /\"/}",
                "BEGIN{x++ / system(\"id\") / 1}",
                "{$/\"/; system(\"id\"); $/\"/}",
                "{exit /\"/} END{system(\"id\"); x=/\"/}",
                "{print $1,\n$2 > \"f\"}",
                "{print $1, # x\n$2 > \"f\"}",
                "{print a ?\n b : c > \"f\"}",
                "{print a &&\n b > \"f\"}",
                "{print \\\n a > \"f\"}",
                "/[[:alpha:]/\"]/{system(\"id\")}#\"",
                "{print \"a\nb\"; x = \"\" ; system(\"id\")}",
            ],
            false,
        );
    }
}
