//! Programs in small languages that only look: `awk '{print $1}'`, `sed -n 1,5p`. What is not understood
//! is refused.

use crate::tables::CodeKind;

/// What a text cannot be taken for.
pub(crate) type Doubt = String;

/// Whether a text in that language only reads what it is given and prints.
pub(crate) fn check(language: CodeKind, text: &str) -> Result<(), Doubt> {
    match language {
        CodeKind::Awk => awk(text),
        CodeKind::Jq => jq(text),
        CodeKind::Sed => Sed { bytes: text.as_bytes(), at: 0 }.run(),
        CodeKind::Shell => Err("a shell's text is read elsewhere".to_owned()),
        CodeKind::Sql => sql(text),
    }
}

fn no<T>(why: &str) -> Result<T, Doubt> {
    Err(why.to_owned())
}

/// awk: no command, no file but those it is given, no environment.
fn awk(text: &str) -> Result<(), Doubt> {
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

/// jq: no environment, no modules.
fn jq(text: &str) -> Result<(), Doubt> {
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

/// A script of sed's.
struct Sed<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Sed<'_> {
    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn skip(&mut self, set: &[u8]) {
        while self.at < self.bytes.len() && set.contains(&self.peek()) {
            self.at += 1;
        }
    }

    fn run(&mut self) -> Result<(), Doubt> {
        loop {
            self.skip(b" \t\n;{}");
            if self.at >= self.bytes.len() {
                return Ok(());
            }
            self.addresses()?;
            self.skip(b" \t!");
            let command = self.peek();
            self.at += 1;
            match command {
                b'p' | b'd' | b'D' | b'P' | b'n' | b'N' | b'g' | b'G' | b'h' | b'H' | b'x'
                | b'=' | b'z' | b'F' => {}
                b'q' | b'Q' | b'l' | b'L' => self.skip(b" 0123456789"),
                b'{' => continue,
                b's' => self.substitute()?,
                b'y' => {
                    self.delimited(2)?;
                }
                b'a' | b'i' | b'c' => {
                    // Text to the end of the line, or of several that end in a backslash.
                    while self.at < self.bytes.len() && self.peek() != b'\n' {
                        self.at += if self.peek() == b'\\' { 2 } else { 1 };
                    }
                }
                b'b' | b't' | b'T' | b':' => {
                    self.skip(b" ");
                    while self.peek().is_ascii_alphanumeric() || self.peek() == b'_' {
                        self.at += 1;
                    }
                }
                b'#' => {
                    while self.at < self.bytes.len() && self.peek() != b'\n' {
                        self.at += 1;
                    }
                }
                _ => return no("a command of sed that may write, run or read something"),
            }
            self.skip(b" \t");
            if self.at < self.bytes.len() && !matches!(self.peek(), b'\n' | b';' | b'}' | b'#') {
                return no("a command of sed that is not read");
            }
        }
    }

    /// `1`, `$`, `/x/I`, `1,5`, `1~2`, `/a/,/b/`.
    fn addresses(&mut self) -> Result<(), Doubt> {
        for _ in 0..2 {
            self.skip(b" \t");
            match self.peek() {
                b'0'..=b'9' => self.skip(b"0123456789~"),
                b'$' => self.at += 1,
                b'+' | b'~' => {
                    self.at += 1;
                    self.skip(b"0123456789");
                }
                b'/' => {
                    self.delimited(1)?;
                    self.skip(b"IM");
                }
                b'\\' => {
                    self.at += 1;
                    self.delimited(1)?;
                    self.skip(b"IM");
                }
                _ => return Ok(()),
            }
            self.skip(b" \t");
            if self.peek() != b',' {
                return Ok(());
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Parts that the first character ends: one after `/`, two after `s` and `y`.
    fn delimited(&mut self, parts: usize) -> Result<(), Doubt> {
        let mark = self.peek();
        if mark == b'\\'
            || mark == b'\n'
            || mark.is_ascii_alphanumeric()
            || mark >= 0x80
            || mark == 0
        {
            return no("a delimiter that is not read");
        }
        self.at += 1;
        for part in 0..parts {
            let mut set = false;
            loop {
                let c = self.peek();
                if self.at >= self.bytes.len() || (c == b'\n' && part == 0) {
                    return no("an expression that is never closed");
                }
                // Whether the mark ends the expression inside `[…]` differs from sed to sed.
                if set && c == mark {
                    return no("a delimiter inside a set of characters");
                }
                match c {
                    b'\\' => self.at += 1,
                    b'[' if part == 0 => set = true,
                    b']' => set = false,
                    _ if c == mark => break,
                    _ => {}
                }
                self.at += 1;
            }
            self.at += 1;
        }
        Ok(())
    }

    fn substitute(&mut self) -> Result<(), Doubt> {
        self.delimited(2)?;
        self.skip(b"gpiIMm0123456789");
        Ok(())
    }
}

/// Functions that compute and do nothing else.
const FUNCTIONS: &[&str] = &[
    "abs",
    "age",
    "array_agg",
    "array_length",
    "avg",
    "cast",
    "ceil",
    "ceiling",
    "char_length",
    "coalesce",
    "concat",
    "count",
    "current_date",
    "current_timestamp",
    "date",
    "date_part",
    "date_trunc",
    "datetime",
    "exists",
    "extract",
    "floor",
    "format_type",
    "greatest",
    "group_concat",
    "hex",
    "ifnull",
    "in",
    "instr",
    "json_extract",
    "julianday",
    "least",
    "left",
    "length",
    "lower",
    "ltrim",
    "max",
    "min",
    "mod",
    "now",
    "nullif",
    "over",
    "pg_database_size",
    "pg_indexes_size",
    "pg_relation_size",
    "pg_size_pretty",
    "pg_table_size",
    "pg_total_relation_size",
    "position",
    "printf",
    "quote",
    "rank",
    "replace",
    "reverse",
    "right",
    "round",
    "row_number",
    "rtrim",
    "sqlite_version",
    "strftime",
    "string_agg",
    "substr",
    "substring",
    "sum",
    "time",
    "to_char",
    "total",
    "trim",
    "typeof",
    "upper",
    "values",
    "version",
    "and",
    "or",
    "not",
    "on",
    "using",
    "from",
    "where",
    "by",
    "select",
    "as",
    "any",
    "all",
    "when",
    "then",
    "else",
    "case",
    "having",
    "distinct",
    "like",
    "between",
    "union",
    "except",
    "intersect",
    "numeric",
    "varchar",
    "char",
    "decimal",
    "filter",
    "within",
    "group",
    "order",
    "limit",
    "offset",
    "current_database",
    "current_schema",
    "current_user",
    "pg_is_in_recovery",
    "pg_postmaster_start_time",
    "pragma_table_info",
];

/// SQL that only asks: one or more queries, with functions that are known.
fn sql(text: &str) -> Result<(), Doubt> {
    let lower = text.to_ascii_lowercase();
    let bytes = lower.as_bytes();
    let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let (mut i, mut first, mut last) = (0, true, String::new());
    let mut depth = 0_usize;
    while i < bytes.len() {
        match at(i) {
            b'\'' | b'"' => {
                let mark = at(i);
                i += 1;
                while at(i) != mark {
                    if i >= bytes.len() || at(i) == b'\\' {
                        return no("a text that is not read");
                    }
                    i += 1;
                }
                last.clear();
            }
            b'-' if at(i + 1) == b'-' => return no("a comment"),
            b'/' if at(i + 1) == b'*' => return no("a comment"),
            b';' => {
                first = true;
                last.clear();
            }
            b'(' => {
                depth += 1;
                if !last.is_empty() && !FUNCTIONS.contains(&last.as_str()) {
                    return Err(format!("the function {last} is not known"));
                }
                last.clear();
            }
            b')' => {
                depth = depth.saturating_sub(1);
                last.clear();
            }
            c if c.is_ascii_alphabetic() || c == b'_' => {
                let from = i;
                while at(i).is_ascii_alphanumeric() || matches!(at(i), b'_' | b'.') {
                    i += 1;
                }
                let word = lower.get(from..i).unwrap_or("");
                if first && !matches!(word, "select" | "show" | "explain" | "values" | "describe") {
                    return no("a statement that does not only ask");
                }
                first = false;
                if matches!(
                    word,
                    "into"
                        | "outfile"
                        | "dumpfile"
                        | "load_file"
                        | "update"
                        | "insert"
                        | "delete"
                        | "drop"
                        | "create"
                        | "alter"
                        | "grant"
                        | "revoke"
                        | "truncate"
                        | "copy"
                        | "call"
                        | "do"
                        | "execute"
                        | "set"
                        | "reset"
                        | "lock"
                        | "vacuum"
                        | "analyze"
                        | "attach"
                        | "detach"
                        | "pragma"
                        | "load_extension"
                        | "nextval"
                        | "returning"
                        | "merge"
                        | "replace"
                        | "pg_shadow"
                        | "pg_authid"
                        | "pg_user_mapping"
                        | "mysql.user"
                ) && !(word == "replace" && at(i) == b'(')
                {
                    return Err(format!("`{word}`"));
                }
                last = word.to_owned();
                continue;
            }
            b' ' | b'\n' | b'\t' => {}
            c if c.is_ascii_digit() || b"*,=<>!.+-/%|:".contains(&c) => last.clear(),
            _ => return no("a character that is not read"),
        }
        i += 1;
    }
    Ok(())
}

/// How far an address leads: 1 to this machine, 3 anywhere; `None` if it is not read.
pub(crate) fn host_of(text: &str, url: bool) -> Option<u8> {
    let mut host = text;
    if url {
        let rest = host.strip_prefix("http://").or_else(|| host.strip_prefix("https://"));
        host = match (rest, host.contains("://")) {
            (Some(rest), _) => rest,
            (None, true) => return None,
            (None, false) => host,
        };
        host = host.split(['/', '?', '#']).next().unwrap_or("");
    }
    if text.contains(['{', '}', '@', '\\', ' '])
        || (url && text.contains(['[', ']']))
        || host.is_empty()
    {
        return None;
    }
    let bare = match host.rsplit_once(':') {
        Some((name, port))
            if !port.is_empty()
                && port.bytes().all(|b| b.is_ascii_digit())
                && !name.contains(':') =>
        {
            name
        }
        _ => host,
    };
    let bytes_of = |text: &str| text.split('.').filter(|part| part.parse::<u8>().is_ok()).count();
    let loopback = bare == "localhost"
        || bare == "::1"
        || (bare.starts_with("127.") && bare.split('.').count() == 4 && bytes_of(bare) == 4);
    let plain = bare.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:".contains(&b));
    match (loopback, plain) {
        (true, _) => Some(1),
        (false, true) => Some(3),
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn sed_that_only_prints() {
        fits(
            CodeKind::Sed,
            &[
                "1,5p",
                "s/a/b/g",
                "/x/d",
                "$!d",
                "800,850p;850q",
                "s|/usr|/opt|",
                "/a/,/b/p",
                "s/[;w]/x/",
                "/x/{s/a/b/;p}",
                "5q",
                "1~2p",
                "y/abc/xyz/",
                "a\\ text; e id",
                "s/^[ \\t]*//;s/w e/x/",
            ],
            true,
        );
        fits(
            CodeKind::Sed,
            &[
                "e",
                "1e id",
                "s/a/b/e",
                "s/a/b/w f",
                "w f",
                "1w f",
                "W f",
                "r /etc/shadow",
                "R f",
                "s/x/y/;e id",
                "p;w f",
                "s/[/]/x/w f/",
                "s/a/b/gew",
                "1!e",
                "/x/e",
                "$w f",
                "v;e",
                "M",
                "s\\na\\nb\\ne",
                "s/a\\/b/c/e",
                "a\\\nx\ne id",
            ],
            false,
        );
    }

    #[test]
    fn addresses_on_the_network() {
        for (text, url, reach) in [
            ("http://localhost:5000/x", true, Some(1)),
            ("localhost:80", true, Some(1)),
            ("http://127.0.0.1", true, Some(1)),
            ("http://127.0.0.1.evil.org/", true, Some(3)),
            ("http://localhost.evil.org", true, Some(3)),
            ("http://localhost@evil.org", true, None),
            ("file:///etc/shadow", true, None),
            ("http://{a,b}/", true, None),
            ("example.org", false, Some(3)),
            ("::1", false, Some(1)),
        ] {
            assert_eq!(host_of(text, url), reach, "{text}");
        }
    }
}
