//! Parameter expansion, `${...}`, as far as values are known from the line itself.
//! It must never take an unknown value for a known one.

use super::words::{Builder, is_name};
use super::{Reader, Value};

impl Reader<'_> {
    /// Reads `${...}` that begins at `start`.
    pub(super) fn parameter(&mut self, word: &mut Builder, start: usize, quoted: bool) {
        self.pos = start + 2;
        let Some(end) = self.parameter_end(start) else {
            self.problem("`${` is never closed", start);
            self.expansions(start + 2, self.text.len());
            self.pos = self.text.len();
            word.flags.dynamic = true;
            self.push_raw(word, start);
            return;
        };
        let inner = self.text.get(start + 2..end).unwrap_or("");
        if is_name(inner) {
            self.pos = end + 1;
            self.variable(word, start, inner, quoted);
            return;
        }
        word.flags.expanded = true;
        word.flags.split |= !quoted;
        let name_end = inner
            .bytes()
            .position(|b| !(b.is_ascii_alphanumeric() || b == b'_'))
            .unwrap_or(inner.len());
        // Whatever the operator, its argument may hold substitutions.
        let argument = self.expansions(start + 2 + name_end, end);
        self.pos = end + 1;
        word.flags.substitution |= argument.flags.substitution;
        word.flags.unknown_output |= argument.flags.unknown_output;
        match self.value_of(inner, name_end, &argument) {
            Some(Value::One(text)) => word.text.push_str(&text),
            Some(Value::Many(texts)) => {
                word.text.push_str(&texts.join(" "));
                word.many = Some(texts);
            }
            Some(Value::Unknown) | None => {
                word.flags.dynamic = true;
                self.push_raw(word, start);
            }
        }
    }

    /// The `}` that closes `${` at `start`.
    fn parameter_end(&mut self, start: usize) -> Option<usize> {
        let mut depth = 1_usize;
        let mut at = start + 2;
        let mut double = false;
        while at < self.text.len() {
            match self.byte(at) {
                b'\\' => at += 1,
                b'"' => double = !double,
                b'\'' if !double => {
                    // An apostrophe inside an outer double quote is plain text.
                    if let Some(length) = self.text.get(at + 1..).and_then(|rest| rest.find('\''))
                        && self.slice(at + 1, at + 1 + length).len() < 4096
                        && !self.slice(at + 1, at + 1 + length).contains('"')
                    {
                        at += length + 1;
                    }
                }
                b'$' if self.byte(at + 1) == b'{' => {
                    depth += 1;
                    at += 1;
                }
                b'$' if self.byte(at + 1) == b'(' => {
                    at = self.skip_parens(at + 1);
                }
                b'}' if !double => {
                    depth -= 1;
                    if depth == 0 {
                        break;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        self.charge(at.saturating_sub(start));
        (at < self.text.len() && depth == 0).then_some(at)
    }

    /// The matching `)`, approximately; only used to find the end of `${...}`.
    fn skip_parens(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        let mut at = open;
        while at < self.text.len() {
            match self.byte(at) {
                b'(' => depth += 1,
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        return at;
                    }
                }
                b'\\' => at += 1,
                _ => {}
            }
            at += 1;
        }
        at
    }

    fn value_of(&self, inner: &str, name_end: usize, argument: &Builder) -> Option<Value> {
        if let Some(name) = inner.strip_prefix('!').filter(|name| is_name(name)) {
            let Some(Value::One(name)) = self.shared.variables.get(name) else {
                return None;
            };
            return self.shared.variables.get(name).cloned();
        }
        let name = inner.get(..name_end)?;
        let operator = inner.get(name_end..)?;
        let stored = self.shared.variables.get(name).cloned();
        if let Some(index) = operator.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return match (stored?, index) {
                (Value::Many(values), "@" | "*") => Some(Value::Many(values)),
                (Value::Many(values), index) => {
                    Some(Value::One(values.get(index.parse::<usize>().ok()?)?.clone()))
                }
                (value, "@" | "*" | "0") => Some(value),
                _ => None,
            };
        }
        // The default applies if the variable is unset. Where its value is unknown, either could apply.
        for default in [":-", ":=", "-", "="] {
            if operator.starts_with(default) {
                return match stored {
                    Some(Value::Unknown) => None,
                    Some(value) => Some(value),
                    None if argument.flags.dynamic => None,
                    None => Some(Value::One(argument.text.get(default.len()..)?.to_owned())),
                };
            }
        }
        let value = match stored {
            Some(Value::One(value)) => value,
            // These begin with a slash on every system.
            None if matches!(name, "HOME" | "PATH" | "PWD" | "SHELL") && operator == ":0:1" => {
                return Some(Value::One("/".to_owned()));
            }
            _ => return None,
        };
        transform(&value, operator).map(Value::One)
    }
}

/// The result of applying an operator to a known value.
fn transform(value: &str, operator: &str) -> Option<String> {
    if operator.contains(['$', '`', '*', '?', '[', '\\']) {
        return None;
    }
    match operator {
        "^^" => return Some(value.to_uppercase()),
        ",," => return Some(value.to_lowercase()),
        "@P" | "@E" => return None,
        _ => {}
    }
    if let Some(rest) = operator.strip_prefix("//") {
        let (from, to) = rest.split_once('/').unwrap_or((rest, ""));
        return (!from.is_empty()).then(|| value.replace(from, to));
    }
    if let Some(rest) = operator.strip_prefix('/') {
        let (from, to) = rest.split_once('/').unwrap_or((rest, ""));
        return (!from.is_empty()).then(|| value.replacen(from, to, 1));
    }
    if let Some(rest) = operator.strip_prefix('#') {
        let rest = rest.trim_start_matches('#');
        return Some(value.strip_prefix(rest).unwrap_or(value).to_owned());
    }
    if let Some(rest) = operator.strip_prefix('%') {
        let rest = rest.trim_start_matches('%');
        return Some(value.strip_suffix(rest).unwrap_or(value).to_owned());
    }
    let rest = operator.strip_prefix(':')?;
    let (from, length) = match rest.split_once(':') {
        Some((from, length)) => (from.trim().parse::<usize>().ok()?, length.trim().parse().ok()?),
        None => (rest.trim().parse::<usize>().ok()?, usize::MAX),
    };
    Some(value.chars().skip(from).take(length).collect())
}
