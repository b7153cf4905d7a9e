//! Simple commands: assignments, words, redirections. It must never take an assignment for a word
//! or the other way round.

use super::types::{Assignment, Redirect, RedirectOp, Simple, Word};
use super::words::is_name;
use super::{Reader, Span, Value};

/// Builtins whose arguments are assignments too.
const DECLARE: [&str; 7] = ["alias", "declare", "export", "local", "readonly", "typeset", "env"];

impl Reader<'_> {
    pub(super) fn simple(&mut self, pipeline: usize, stage: usize) {
        let start = self.pos;
        let mut command = Simple {
            scope: self.scope,
            pipeline,
            stage,
            in_substitution: self.in_substitution,
            function: self.function,
            ..Simple::default()
        };
        let mut end = start;
        loop {
            self.blanks();
            match self.peek() {
                b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'#'
                    if self.peek() != b'&' || self.byte(self.pos + 1) != b'>' =>
                {
                    break;
                }
                _ if self.done() => break,
                _ => {}
            }
            if let Some(redirect) = self.redirect() {
                command.redirects.extend(redirect);
                end = self.pos;
                continue;
            }
            let declares =
                command.words.first().is_some_and(|word| DECLARE.contains(&word.text.as_str()));
            if (command.words.is_empty() || declares)
                && let Some((name_end, value)) = self.assignment_prefix()
                && (command.words.is_empty() || self.byte(value) == b'(')
            {
                let from = self.pos;
                let assignment = self.assignment(name_end, value);
                command.raw_words.push((from, self.pos));
                if command.words.is_empty() {
                    command.assignments.push(assignment);
                } else {
                    command.words.push(assignment.value);
                }
                end = self.pos;
                continue;
            }
            match self.word(&mut command.words) {
                Some(raw) => command.raw_words.push(raw),
                None => break,
            }
            end = self.pos;
        }
        if end == start {
            return;
        }
        // The scorer calls a command this long uninspectable; what is kept is enough to say why.
        command.words.truncate(1024);
        // A trailing line continuation belongs to no word, so the span ends before it.
        command.span = self.place.map((start, end));
        self.remember(&command);
        self.shared.script.commands.push(command);
    }

    /// Records what variables are known to hold.
    fn remember(&mut self, command: &Simple) {
        if command.words.is_empty() {
            for assignment in &command.assignments {
                self.set(&assignment.name, &assignment.value, &assignment.span);
            }
            return;
        }
        let Some(program) = command.words.first() else { return };
        let arguments = command.words.get(1..).unwrap_or(&[]);
        match program.text.as_str() {
            "declare" | "export" | "local" | "readonly" | "typeset" => {
                for word in arguments {
                    if let Some((name, value)) = word.text.split_once('=')
                        && is_name(name)
                    {
                        let value = Word { text: value.to_owned(), ..word.clone() };
                        self.set(name, &value, &word.span);
                    }
                }
            }
            "set" => {
                let values: Vec<&Word> =
                    arguments.iter().filter(|word| word.text != "--").collect();
                let known = values.iter().all(|word| word.known());
                if arguments.iter().any(|word| word.text == "--") {
                    let all = values.iter().map(|word| word.text.clone()).collect();
                    let value = if known { Value::Many(all) } else { Value::Unknown };
                    self.shared.variables.insert("@".to_owned(), value);
                }
                for (at, word) in values.iter().enumerate().take(9) {
                    self.set(&format!("{}", at + 1), word, &word.span);
                }
            }
            "read" if matches!(command.redirects.as_slice(), [one] if one.op == RedirectOp::HereString) => {
                if let (Some(redirect), Some(name)) = (command.redirects.first(), arguments.last())
                {
                    let name = name.text.clone();
                    self.set(&name, &redirect.target, &redirect.span);
                }
            }
            "read" | "unset" | "mapfile" | "readarray" | "getopts" | "let" | "printf" => {
                for word in arguments {
                    let name = word.text.split(['=', '[']).next().unwrap_or("");
                    if self.shared.variables.contains_key(name) {
                        self.shared.variables.insert(name.to_owned(), Value::Unknown);
                    }
                }
            }
            _ => {}
        }
    }

    fn set(&mut self, name: &str, value: &Word, _span: &Span) {
        let new = if value.known() && !value.flags.glob {
            Value::One(value.text.clone())
        } else {
            Value::Unknown
        };
        match self.shared.variables.get(name) {
            // The array was already stored when it was read.
            Some(Value::Many(_)) if value.text.starts_with('(') => {}
            Some(old) if *old != new => {
                self.shared.variables.insert(name.to_owned(), Value::Unknown);
            }
            Some(_) => {}
            None => {
                self.shared.variables.insert(name.to_owned(), new);
            }
        }
    }

    /// `NAME=`, `NAME+=` or `NAME[...]=`: where the name ends and where the value begins.
    fn assignment_prefix(&mut self) -> Option<(usize, usize)> {
        let mut end = self.pos;
        if !(self.peek().is_ascii_alphabetic() || self.peek() == b'_') {
            return None;
        }
        while self.byte(end).is_ascii_alphanumeric() || self.byte(end) == b'_' {
            end += 1;
        }
        let mut at = end;
        if self.byte(at) == b'[' {
            let mut depth = 0_usize;
            while at < self.text.len() {
                match self.byte(at) {
                    b'[' => depth += 1,
                    b']' => {
                        depth -= 1;
                        if depth == 0 {
                            break;
                        }
                    }
                    b'\n' => return None,
                    _ => {}
                }
                at += 1;
            }
            if !self.charge(at - end) || at >= self.text.len() {
                return None;
            }
            at += 1;
        }
        if self.byte(at) == b'+' {
            at += 1;
        }
        (self.byte(at) == b'=').then_some((end, at + 1))
    }

    fn assignment(&mut self, name_end: usize, value_start: usize) -> Assignment {
        let start = self.pos;
        let name = self.slice(start, name_end).to_owned();
        if self.byte(name_end) == b'[' {
            self.expansions(name_end + 1, value_start.saturating_sub(2));
        }
        let append = self.byte(value_start.saturating_sub(2)) == b'+';
        self.pos = value_start;
        let mut value = if self.peek() == b'(' && !self.done() {
            self.array(&name)
        } else {
            self.single_word().unwrap_or_default()
        };
        if value.span == (0, 0) {
            value.raw = (value_start, value_start);
            value.span = self.place.map(value.raw);
        }
        if append {
            if let Some(Value::One(old)) = self.shared.variables.remove(&name) {
                value.text.insert_str(0, &old);
                value.verbatim = None;
            } else {
                value.flags.dynamic |= !value.text.starts_with('(');
            }
        }
        Assignment { name, value, span: self.place.map((start, self.pos)) }
    }

    /// `(a b c)` after `NAME=`.
    fn array(&mut self, name: &str) -> Word {
        let start = self.pos;
        self.pos += 1;
        let mut words = Vec::new();
        loop {
            self.newlines();
            match self.peek() {
                b')' => {
                    self.pos += 1;
                    break;
                }
                _ if self.done() => {
                    self.problem("an array is never closed", start);
                    break;
                }
                _ => {}
            }
            if self.word(&mut words).is_none() {
                self.problem("an operator inside an array", self.pos);
                self.pos += 1;
            }
        }
        let known = words.iter().all(Word::known);
        let values = words.iter().map(|word| word.text.clone()).collect();
        if !self.shared.variables.contains_key(name) && known {
            self.shared.variables.insert(name.to_owned(), Value::Many(values));
        } else {
            self.shared.variables.insert(name.to_owned(), Value::Unknown);
        }
        let raw = (start, self.pos);
        let mut word = Word {
            text: self.slice(raw.0, raw.1).to_owned(),
            span: self.place.map(raw),
            raw,
            ..Word::default()
        };
        word.flags.dynamic = !known;
        word
    }

    /// Reads a redirection; `&>` writes both outputs and becomes one.
    pub(super) fn redirect(&mut self) -> Option<Vec<Redirect>> {
        let start = self.pos;
        let mut at = start;
        while self.byte(at).is_ascii_digit() {
            at += 1;
        }
        let mut fd = self.slice(start, at).parse().ok();
        if self.byte(at) == b'{' && at == start {
            let mut end = at + 1;
            while self.byte(end).is_ascii_alphanumeric() || self.byte(end) == b'_' {
                end += 1;
            }
            if self.byte(end) != b'}' || end == at + 1 {
                return None;
            }
            at = end + 1;
            fd = Some(10);
        }
        if at > start && !matches!(self.byte(at), b'<' | b'>') {
            return None;
        }
        let rest = self.text.as_bytes().get(at..).unwrap_or(&[]);
        let (op, length) = match rest {
            [b'&', b'>', b'>', ..] => (RedirectOp::Append, 3),
            [b'&', b'>', ..] => (RedirectOp::Write, 2),
            [b'<', b'<', b'<', ..] => (RedirectOp::HereString, 3),
            [b'<', b'<', b'-', ..] => (RedirectOp::HereDoc, 3),
            [b'<', b'<', ..] => (RedirectOp::HereDoc, 2),
            [b'<', b'>', ..] => (RedirectOp::ReadWrite, 2),
            [b'>', b'>', ..] => (RedirectOp::Append, 2),
            [b'>', b'|', ..] => (RedirectOp::Write, 2),
            [b'<' | b'>', b'&', ..] => (RedirectOp::Dup, 2),
            [b'<' | b'>', b'(', ..] => return None,
            [b'<', ..] => (RedirectOp::Read, 1),
            [b'>', ..] => (RedirectOp::Write, 1),
            _ => return None,
        };
        let reads = rest.first() == Some(&b'<');
        let strip = rest.starts_with(b"<<-");
        self.pos = at + length;
        let mut body = None;
        let target = if op == RedirectOp::HereDoc {
            self.heredoc_operator(strip).map(|(word, at)| {
                body = Some(at);
                word
            })
        } else {
            self.blanks();
            self.single_word()
        };
        let Some(target) = target else {
            self.problem("a redirection without a target", start);
            return Some(Vec::new());
        };
        // `>&file` writes a file; `>&2` and `>&-` only duplicate or close.
        let to_file = op == RedirectOp::Dup
            && !reads
            && !target.text.trim_end_matches('-').bytes().all(|b| b.is_ascii_digit());
        Some(vec![Redirect {
            op: if to_file { RedirectOp::Write } else { op },
            fd: fd.or(reads.then_some(0)),
            target,
            body,
            span: self.place.map((start, self.pos)),
        }])
    }
}
