//! Reads one word: removes quoting, follows expansions, notes what is only known at run time.
//! It must never read past an operator, nor drop a substitution.

use super::types::{Limit, Word, WordFlags};
use super::{Place, Reader, Span, Value, ansi, braces, output, read_into};

/// A word under construction.
#[derive(Default)]
pub(super) struct Builder {
    pub(super) text: String,
    pub(super) flags: WordFlags,
    /// Offsets in `text` of unquoted braces and commas.
    braces: Vec<usize>,
    /// Set if the word consists of a single expansion to several words.
    pub(super) many: Option<Vec<String>>,
    pieces: usize,
    printed: Option<Box<str>>,
}

impl Reader<'_> {
    /// Reads a word and appends what it expands to; `None` where no word begins.
    pub(super) fn word(&mut self, out: &mut Vec<Word>) -> Option<Span> {
        let start = self.pos;
        let builder = self.word_text(start)?;
        let raw = (start, self.pos);
        self.finish(builder, raw, out);
        Some(raw)
    }

    /// Reads a word that stays one word.
    pub(super) fn single_word(&mut self) -> Option<Word> {
        let start = self.pos;
        let builder = self.word_text(start)?;
        Some(self.one(builder.text, builder.flags, (start, self.pos)))
    }

    fn finish(&mut self, mut builder: Builder, raw: Span, out: &mut Vec<Word>) {
        if builder.pieces == 1
            && let Some(many) = builder.many.take()
        {
            for text in many {
                out.push(self.one(text, builder.flags, raw));
            }
            return;
        }
        if builder.braces.len() >= 2 {
            let marked: Vec<_> = builder
                .text
                .char_indices()
                .map(|(at, c)| (c, builder.braces.binary_search(&at).is_err()))
                .collect();
            if let Some(words) = braces::expand(&marked) {
                builder.flags.brace = true;
                for text in words {
                    out.push(self.one(text, builder.flags, raw));
                }
                return;
            }
        }
        if builder.flags.split && !builder.flags.dynamic && builder.text.contains([' ', '\t', '\n'])
        {
            for text in builder.text.split_ascii_whitespace() {
                out.push(self.one(text.to_owned(), builder.flags, raw));
            }
            return;
        }
        let mut word = self.one(builder.text, builder.flags, raw);
        word.printed = builder.printed;
        out.push(word);
    }

    fn one(&self, text: String, flags: WordFlags, raw: Span) -> Word {
        let verbatim = match self.place {
            Place::Fixed(_) => None,
            Place::At(base) if self.slice(raw.0, raw.1) == text => Some(base + raw.0),
            Place::At(base) => (raw.1 - raw.0 == text.len() + 2
                && self.slice(raw.0 + 1, raw.1 - 1) == text)
                .then_some(base + raw.0 + 1),
        };
        Word { span: self.place.map(raw), raw, text, verbatim, flags, printed: None }
    }

    fn word_text(&mut self, start: usize) -> Option<Builder> {
        let mut word = Builder::default();
        while !self.done() {
            let c = self.peek();
            match c {
                b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'(' | b')' => break,
                b'<' | b'>' => {
                    if self.byte(self.pos + 1) != b'(' {
                        break;
                    }
                    self.process_substitution(&mut word);
                }
                b'\\' if self.byte(self.pos + 1) == b'\n' => {
                    word.flags.rewritten = true;
                    self.pos += 2;
                }
                b'\\' => self.escape(&mut word),
                b'\'' => self.single_quoted(&mut word),
                b'"' => self.double_quoted(&mut word),
                b'$' => self.dollar(&mut word, false),
                b'`' => self.backtick(&mut word, false),
                _ => self.plain(&mut word, c),
            }
        }
        (self.pos > start).then_some(word)
    }

    fn plain(&mut self, word: &mut Builder, c: u8) {
        match c {
            b'*' | b'?' => word.flags.glob = true,
            // A bracket is a pattern only if it is closed; `[` alone is a program.
            b'[' if self.closes_bracket() => word.flags.glob = true,
            b'{' | b'}' | b',' => word.braces.push(word.text.len()),
            _ => {}
        }
        word.pieces += 1;
        let from = self.pos;
        self.pos += 1;
        // A run of characters without special meaning is taken in one step.
        while self.byte(self.pos).is_ascii_alphanumeric()
            || matches!(
                self.byte(self.pos),
                b'-' | b'_' | b'.' | b'/' | b'=' | b':' | b'@' | b'%' | b'+'
            )
            || self.byte(self.pos) >= 0x80
        {
            self.pos += 1;
        }
        word.text.push_str(self.text.get(from..self.pos).unwrap_or(""));
    }

    fn closes_bracket(&self) -> bool {
        let rest = self.text.as_bytes().get(self.pos + 1..).unwrap_or(&[]);
        rest.iter().take(64).take_while(|b| !b" \t\n;|&<>()".contains(b)).any(|b| *b == b']')
    }

    fn escape(&mut self, word: &mut Builder) {
        word.pieces += 1;
        word.flags.quoted = true;
        let next = self.text.get(self.pos + 1..).and_then(|rest| rest.chars().next());
        let Some(c) = next else {
            word.text.push('\\');
            self.pos += 1;
            return;
        };
        // A leading backslash only bypasses an alias, which is common.
        word.flags.disguised |= c.is_ascii_alphanumeric() && !word.text.is_empty();
        word.text.push(c);
        self.pos += 1 + c.len_utf8();
    }

    fn single_quoted(&mut self, word: &mut Builder) {
        let from = self.pos + 1;
        let Some(length) = self.text.get(from..).and_then(|rest| rest.find('\'')) else {
            self.problem("a quote is never closed", self.pos);
            word.text.push_str(self.text.get(from..).unwrap_or(""));
            self.pos = self.text.len();
            return;
        };
        let inner = self.text.get(from..from + length).unwrap_or("");
        self.quoted_piece(word, inner.is_empty(), from + length + 1);
        word.text.push_str(inner);
        self.pos = from + length + 1;
    }

    /// Notes quotes that only change how a word looks: empty ones, and ones beside bare letters.
    fn quoted_piece(&mut self, word: &mut Builder, empty: bool, end: usize) {
        let before = !word.text.is_empty();
        let next = self.byte(end);
        let after = next.is_ascii_alphanumeric() || matches!(next, b'/' | b'\'' | b'"');
        let glued = word.text.as_bytes().last().is_some_and(u8::is_ascii_alphanumeric);
        word.flags.disguised |=
            (empty && (before || after)) || (glued && next.is_ascii_alphanumeric());
        word.flags.quoted = true;
        word.pieces += 1;
    }

    fn double_quoted(&mut self, word: &mut Builder) {
        let open = self.pos;
        self.pos += 1;
        word.flags.quoted = true;
        let before = word.text.len();
        loop {
            if self.done() {
                self.problem("a quote is never closed", open);
                return;
            }
            match self.peek() {
                b'"' => break,
                b'\\' => match self.byte(self.pos + 1) {
                    b'\n' => {
                        word.flags.rewritten = true;
                        self.pos += 2;
                    }
                    c @ (b'$' | b'`' | b'"' | b'\\') => {
                        word.text.push(char::from(c));
                        self.pos += 2;
                    }
                    _ => {
                        word.text.push('\\');
                        self.pos += 1;
                    }
                },
                b'$' => self.dollar(word, true),
                b'`' => self.backtick(word, true),
                _ => {
                    let from = self.pos;
                    while !self.done() && !matches!(self.peek(), b'"' | b'\\' | b'$' | b'`') {
                        self.pos += 1;
                    }
                    word.text.push_str(self.text.get(from..self.pos).unwrap_or(""));
                }
            }
        }
        self.pos += 1;
        let inner_empty = self.pos == open + 2;
        let added = word.text.split_off(before);
        // Only a piece that is nothing but one expansion can still be many words.
        let many = word.many.is_some();
        self.quoted_piece(word, inner_empty, self.pos);
        if many && word.pieces == 2 {
            word.pieces = 1;
        }
        word.text.push_str(&added);
    }

    pub(super) fn dollar(&mut self, word: &mut Builder, quoted: bool) {
        let start = self.pos;
        word.pieces += 1;
        match self.byte(start + 1) {
            b'(' if self.byte(start + 2) == b'(' => {
                if let Some(end) = self.arithmetic_end(start + 3) {
                    self.expansions(start + 3, end);
                    self.pos = end + 2;
                    word.flags.dynamic = true;
                    word.flags.expanded = true;
                    self.push_raw(word, start);
                } else {
                    self.problem("`$((` that is not arithmetic", start);
                    self.substitution(word, start, quoted);
                }
            }
            b'(' => self.substitution(word, start, quoted),
            b'{' if matches!(self.byte(start + 2), b' ' | b'\t' | b'\n' | b'|') => {
                self.problem("`${ command; }` runs in this shell", start);
                self.shared.script.substitutions.push(self.place.map((start, start + 2)));
                self.pos = start + 3;
                word.flags.substitution = true;
                word.flags.unknown_output = true;
                word.flags.dynamic = true;
                word.flags.expanded = true;
                self.nested_scope(|reader| reader.list(&["}"]));
                if self.peek() == b'}' {
                    self.pos += 1;
                }
                self.push_raw(word, start);
            }
            b'{' => self.parameter(word, start, quoted),
            b'\'' if !quoted => self.ansi_quoted(word, start),
            b'"' if !quoted => {
                self.pos += 1;
                word.pieces -= 1;
                word.flags.rewritten = true;
                self.double_quoted(word);
            }
            b'[' => {
                let mut at = start + 2;
                let mut depth = 1_usize;
                while at < self.text.len() && depth > 0 {
                    match self.byte(at) {
                        b'[' => depth += 1,
                        b']' => depth -= 1,
                        _ => {}
                    }
                    at += 1;
                }
                self.charge(at - start);
                if depth > 0 {
                    self.problem("`$[` is never closed", start);
                }
                self.expansions(start + 2, at.saturating_sub(1));
                self.pos = at;
                word.flags.dynamic = true;
                word.flags.expanded = true;
                self.push_raw(word, start);
            }
            c if c.is_ascii_alphabetic() || c == b'_' => {
                let mut end = start + 2;
                while self.byte(end).is_ascii_alphanumeric() || self.byte(end) == b'_' {
                    end += 1;
                }
                self.pos = end;
                let name = self.text.get(start + 1..end).unwrap_or("");
                self.variable(word, start, name, quoted);
            }
            c if c.is_ascii_digit()
                || matches!(c, b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!') =>
            {
                self.pos = start + 2;
                // Known only after `set --`, and never inside a function, which has its own.
                let name = match c {
                    b'*' => "@",
                    _ if self.function.is_some() => "",
                    _ => self.text.get(start + 1..start + 2).unwrap_or(""),
                };
                self.variable(word, start, name, quoted);
            }
            _ => {
                word.text.push('$');
                self.pos += 1;
            }
        }
    }

    pub(super) fn push_raw(&self, word: &mut Builder, start: usize) {
        word.text.push_str(self.slice(start, self.pos));
    }

    fn ansi_quoted(&mut self, word: &mut Builder, start: usize) {
        let mut end = start + 2;
        while end < self.text.len() && self.byte(end) != b'\'' {
            end += if self.byte(end) == b'\\' { 2 } else { 1 };
        }
        if end >= self.text.len() {
            self.problem("a quote is never closed", start);
            end = self.text.len();
        }
        let (text, encoded) = ansi::decode(self.slice(start + 2, end));
        word.flags.quoted = true;
        word.flags.encoded |= encoded;
        word.flags.rewritten = true;
        word.text.push_str(&text);
        self.pos = (end + 1).min(self.text.len());
    }

    /// A variable whose value may be known from an earlier assignment in the line.
    pub(super) fn variable(&mut self, word: &mut Builder, start: usize, name: &str, quoted: bool) {
        word.flags.expanded = true;
        word.flags.split |= !quoted;
        if name == "IFS" && !self.shared.variables.contains_key("IFS") {
            word.text.push(' ');
            word.flags.disguised = true;
            return;
        }
        match self.shared.variables.get(name) {
            Some(Value::One(value)) => word.text.push_str(value),
            Some(Value::Many(values)) => {
                word.many = Some(values.clone());
                word.text.push_str(&values.join(" "));
            }
            Some(Value::Unknown) | None => {
                word.flags.dynamic = true;
                self.push_raw(word, start);
            }
        }
    }

    fn substitution(&mut self, word: &mut Builder, start: usize, quoted: bool) {
        self.pos = start + 2;
        let first = self.shared.script.commands.len();
        let scope = self.nested_scope(|reader| reader.list(&[]));
        self.close_paren(start);
        self.note_substitution(word, start, first, scope, quoted);
    }

    pub(super) fn close_paren(&mut self, start: usize) {
        if self.peek() == b')' && !self.done() {
            self.pos += 1;
        } else {
            self.problem("a bracket is never closed", start);
            self.pos = self.text.len();
        }
    }

    fn note_substitution(
        &mut self,
        word: &mut Builder,
        start: usize,
        first: usize,
        scope: usize,
        quoted: bool,
    ) {
        let span = self.place.map((start, self.pos));
        self.shared.script.substitutions.push(span);
        word.flags.substitution = true;
        word.flags.expanded = true;
        word.flags.split |= !quoted;
        let commands = self.shared.script.commands.get(first..).unwrap_or(&[]);
        let own: Vec<_> = commands.iter().filter(|command| command.scope == scope).collect();
        if let Some(text) = output::of(&own, &self.shared.script.bodies) {
            word.text.push_str(text.trim_end_matches('\n'));
        } else {
            word.flags.dynamic = true;
            word.flags.unknown_output = true;
            self.push_raw(word, start);
        }
    }

    fn process_substitution(&mut self, word: &mut Builder) {
        let start = self.pos;
        self.pos = start + 2;
        word.pieces += 1;
        let first = self.shared.script.commands.len();
        let scope = self.nested_scope(|reader| reader.list(&[]));
        self.close_paren(start);
        let span = self.place.map((start, self.pos));
        self.shared.script.substitutions.push(span);
        let commands = self.shared.script.commands.get(first..).unwrap_or(&[]);
        let own: Vec<_> = commands.iter().filter(|command| command.scope == scope).collect();
        word.printed = output::of(&own, &self.shared.script.bodies).map(String::into_boxed_str);
        word.flags.substitution = true;
        word.flags.unknown_output |= word.printed.is_none();
        word.flags.dynamic = true;
        word.flags.expanded = true;
        self.push_raw(word, start);
    }

    /// Reads a program inside the program, in place.
    fn nested_scope(&mut self, body: impl FnOnce(&mut Self)) -> usize {
        let scope = self.shared.script.scopes.len();
        let from = self.pos;
        self.shared.script.scopes.push((self.root, (from, from)));
        let outer = std::mem::replace(&mut self.scope, scope);
        let inside = std::mem::replace(&mut self.in_substitution, true);
        let pending = std::mem::take(&mut self.pending);
        self.deeper(body);
        self.finish_heredocs();
        self.pending = pending;
        self.in_substitution = inside;
        self.scope = outer;
        let to = self.pos;
        if let Some(entry) = self.shared.script.scopes.get_mut(scope) {
            entry.1.1 = to;
        }
        scope
    }

    pub(super) fn backtick(&mut self, word: &mut Builder, quoted: bool) {
        let start = self.pos;
        let mut end = start + 1;
        let mut escaped = false;
        while end < self.text.len() && self.byte(end) != b'`' {
            if self.byte(end) == b'\\' {
                escaped = true;
                end += 1;
            }
            end += 1;
        }
        if end >= self.text.len() {
            self.problem("a backtick is never closed", start);
            end = self.text.len();
        }
        word.pieces += 1;
        let first = self.shared.script.commands.len();
        let scope = self.shared.script.scopes.len();
        let place = if escaped {
            Place::Fixed(self.place.map((start, end)))
        } else {
            match self.place {
                Place::At(base) => Place::At(base + start + 1),
                fixed @ Place::Fixed(_) => fixed,
            }
        };
        let inner = self.text.get(start + 1..end).unwrap_or("");
        let decoded = if escaped { unescape_backtick(inner, quoted) } else { inner.to_owned() };
        if self.depth < super::MAX_DEPTH && self.charge(inner.len()) {
            let before = self.shared.script.depth;
            self.shared.script.depth = before.max(self.depth + 1);
            read_into(self.shared, &decoded, place, self.depth + 1, true);
        } else {
            self.limit(Limit::Depth, start);
        }
        self.pos = (end + 1).min(self.text.len());
        self.note_substitution(word, start, first, scope, quoted);
    }

    /// Finds the `))` that closes an arithmetic expression whose inside begins at `from`.
    pub(super) fn arithmetic_end(&mut self, from: usize) -> Option<usize> {
        let mut depth = 0_usize;
        let mut at = from;
        let end = loop {
            match self.byte(at) {
                _ if at >= self.text.len() => break None,
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b')' => break (self.byte(at + 1) == b')').then_some(at),
                b'\\' => at += 1,
                quote @ (b'\'' | b'"') => {
                    at += 1;
                    while at < self.text.len() && self.byte(at) != quote {
                        at += 1;
                    }
                }
                _ => {}
            }
            at += 1;
        };
        (self.charge(at.saturating_sub(from))).then_some(end)?
    }

    /// Follows the expansions in a stretch of text that is not itself a word.
    pub(super) fn expansions(&mut self, from: usize, to: usize) -> Builder {
        let mut word = Builder::default();
        self.pos = from;
        self.deeper(|reader| reader.expansions_into(&mut word, to));
        self.pos = to.max(from).min(self.text.len());
        word
    }

    fn expansions_into(&mut self, word: &mut Builder, to: usize) {
        while self.pos < to && !self.done() {
            match self.peek() {
                b'\\' if self.byte(self.pos + 1) != b'\n' => {
                    let c = self.byte(self.pos + 1);
                    if matches!(c, b'$' | b'`' | b'\\') {
                        word.text.push(char::from(c));
                        self.pos += 2;
                    } else {
                        word.text.push('\\');
                        self.pos += 1;
                    }
                }
                b'$' => self.dollar(word, true),
                b'`' => self.backtick(word, true),
                _ => {
                    let at = self.pos;
                    self.pos += 1;
                    while self.pos < to && !matches!(self.peek(), b'\\' | b'$' | b'`') {
                        self.pos += 1;
                    }
                    word.text.push_str(self.text.get(at..self.pos).unwrap_or(""));
                }
            }
        }
    }
}

/// Inside backticks a backslash only escapes `` ` ``, `\` and `$`, and `"` within double quotes.
fn unescape_backtick(inner: &str, quoted: bool) -> String {
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next @ ('`' | '\\' | '$')) if c == '\\' => {
                text.push(*next);
                chars.next();
            }
            Some('"') if c == '\\' && quoted => {
                text.push('"');
                chars.next();
            }
            _ => text.push(c),
        }
    }
    text
}

/// Whether a text can name a variable.
pub(super) fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
