//! Lists, pipelines, compound commands and redirections.

use super::tree::{Item, Join, List, Node, Redirect, RedirectOp, Simple, Stage, Word};
use super::words::is_name;
use super::{Dialect, Reader, Result};

/// Words that begin or go on with something else than a simple command, in one shell or another.
/// Those that are read here are handled before.
const KEYWORDS: &[&str] = &[
    "!",
    "{",
    "}",
    "case",
    "do",
    "done",
    "elif",
    "else",
    "esac",
    "fi",
    "for",
    "function",
    "if",
    "in",
    "select",
    "then",
    "until",
    "while",
    "coproc",
    "[[",
    "]]",
    "foreach",
    "end",
    "repeat",
    "always",
    "nocorrect",
    "noglob",
    "typeset",
    "let",
    "namespace",
    "integer",
    "float",
    "declare",
    "local",
    "readonly",
    "export",
    "private",
];

impl Reader<'_> {
    /// Commands up to one of the words that end them, which is left to be read.
    pub(super) fn list(&mut self, ends: &[&str]) -> Result<List> {
        let bracketed = usize::from(ends.contains(&")"));
        self.bracketed += bracketed;
        let list = self.items(ends);
        self.bracketed -= bracketed;
        list
    }

    fn items(&mut self, ends: &[&str]) -> Result<List> {
        let mut list = List::default();
        let mut join = Join::Then;
        loop {
            self.newlines()?;
            if self.ends(ends) {
                if join != Join::Then {
                    return self.fail("an operator without a command");
                }
                return Ok(list);
            }
            let (negated, stages) = self.pipeline()?;
            list.items.push(Item { join, negated, stages });
            self.blanks()?;
            join = match (self.peek(), self.at(self.pos + 1)) {
                (b'&', b'&') => {
                    self.pos += 2;
                    Join::And
                }
                (b'|', b'|') => {
                    self.pos += 2;
                    Join::Or
                }
                (b'&', _) => return self.fail("a command in the background"),
                (b';', b';') => return self.fail("`;;`"),
                (b';', _) => {
                    self.pos += 1;
                    Join::Then
                }
                (b'\n', _) => Join::Then,
                (b')', _) if ends.contains(&")") => return Ok(list),
                _ if self.done() => return Ok(list),
                _ => return self.fail("an operator that is not read"),
            };
        }
    }

    fn ends(&self, ends: &[&str]) -> bool {
        if self.done() {
            return true;
        }
        if self.peek() == b')' {
            return ends.contains(&")");
        }
        let word = self.keyword();
        ends.contains(&word)
    }

    /// The letters at this place, if they are a whole word.
    fn keyword(&self) -> &str {
        let mut end = self.pos;
        while matches!(self.at(end), b'a'..=b'z' | b'{' | b'}' | b'!' | b'[' | b']') {
            end += 1;
        }
        let after = self.at(end);
        let whole = end >= self.bytes.len()
            || matches!(after, b' ' | b'\t' | b'\n' | b';' | b')' | b'&' | b'|' | b'<' | b'>');
        if whole { self.slice(self.pos, end) } else { "" }
    }

    /// Steps over a keyword that must stand here.
    fn expect(&mut self, word: &'static str) -> Result<()> {
        if self.keyword() != word {
            return self.fail("a compound command that is not complete");
        }
        self.pos += word.len();
        Ok(())
    }

    fn pipeline(&mut self) -> Result<(bool, Vec<Stage>)> {
        let mut stages = Vec::new();
        let mut negated = false;
        loop {
            self.blanks()?;
            if stages.is_empty() && self.keyword() == "!" {
                negated = true;
                self.pos += 1;
                self.blanks()?;
            }
            stages.push(self.deeper(Self::stage)?);
            self.blanks()?;
            if self.peek() != b'|' || self.at(self.pos + 1) == b'|' {
                return Ok((negated, stages));
            }
            if self.at(self.pos + 1) == b'&' {
                return self.fail("`|&`");
            }
            self.pos += 1;
            self.newlines()?;
        }
    }

    fn stage(&mut self) -> Result<Stage> {
        let start = self.pos;
        if self.peek() == b'(' {
            if self.at(start + 1) == b'(' {
                return self.fail("arithmetic as a command");
            }
            self.pos += 1;
            let body = self.list(&[")"])?;
            if self.peek() != b')' {
                return self.fail("a subshell that is never closed");
            }
            self.pos += 1;
            return self.compound(Node::Group { body, subshell: true }, start);
        }
        match self.keyword() {
            "{" => {
                self.pos += 1;
                let body = self.list(&["}"])?;
                self.expect("}")?;
                self.compound(Node::Group { body, subshell: false }, start)
            }
            "if" => self.branches(start),
            "for" => self.for_loop(start),
            "while" => {
                self.pos += "while".len();
                let condition = self.list(&["do"])?;
                let body = self.body()?;
                self.compound(Node::While { condition, body }, start)
            }
            "[[" if self.dialect.is_bash_or_zsh() => {
                self.pos += 2;
                let mut words = Vec::new();
                loop {
                    self.blanks()?;
                    if self.keyword() == "]]" {
                        self.pos += 2;
                        break;
                    }
                    if self.starts("&&") || self.starts("||") {
                        let text = self.slice(self.pos, self.pos + 2);
                        words.push(self.operator(text));
                        self.pos += 2;
                        continue;
                    }
                    match self.word()? {
                        Some(word) => words.push(word),
                        None => return self.fail("a test that is not read"),
                    }
                }
                self.compound(Node::Test(words), start)
            }
            word if KEYWORDS.contains(&word) => self.fail("a keyword that is not read"),
            _ => self.simple(start),
        }
    }

    fn operator(&self, text: &str) -> Word {
        let part = super::Part::Text { text: text.to_owned(), quoted: false };
        Word { parts: vec![part], span: (self.pos, self.pos + text.len()) }
    }

    /// `do … done`.
    fn body(&mut self) -> Result<List> {
        self.expect("do")?;
        let body = self.list(&["done"])?;
        self.expect("done")?;
        if body.items.is_empty() {
            return self.fail("a loop without a command");
        }
        Ok(body)
    }

    fn branches(&mut self, start: usize) -> Result<Stage> {
        let mut branches = Vec::new();
        self.pos += "if".len();
        loop {
            let condition = self.list(&["then"])?;
            self.expect("then")?;
            let body = self.list(&["elif", "else", "fi"])?;
            if condition.items.is_empty() || body.items.is_empty() {
                return self.fail("a condition without a command");
            }
            branches.push((condition, body));
            match self.keyword() {
                "elif" => self.pos += "elif".len(),
                "else" => {
                    self.pos += "else".len();
                    let otherwise = self.list(&["fi"])?;
                    self.expect("fi")?;
                    return self.compound(Node::If { branches, otherwise }, start);
                }
                _ => {
                    self.expect("fi")?;
                    let otherwise = List::default();
                    return self.compound(Node::If { branches, otherwise }, start);
                }
            }
        }
    }

    fn for_loop(&mut self, start: usize) -> Result<Stage> {
        self.pos += "for".len();
        self.blanks()?;
        let Some(name) = self.word()?.and_then(|word| word.literal()).filter(|name| is_name(name))
        else {
            return self.fail("a loop that is not read");
        };
        self.newlines()?;
        self.expect("in")?;
        let mut words = Vec::new();
        loop {
            self.blanks()?;
            match self.word()? {
                Some(word) => words.push(word),
                None => break,
            }
        }
        match self.peek() {
            b';' | b'\n' => self.pos += 1,
            _ => return self.fail("a loop that is not read"),
        }
        self.newlines()?;
        let body = self.body()?;
        self.compound(Node::For { name, words, body }, start)
    }

    /// A compound command with the redirections after it, and nothing else.
    fn compound(&mut self, node: Node, start: usize) -> Result<Stage> {
        let mut redirects = Vec::new();
        loop {
            self.blanks()?;
            match self.redirect()? {
                Some(redirect) => redirects.push(redirect),
                None => break,
            }
        }
        let closed = self.done() || matches!(self.peek(), b';' | b'\n' | b'|' | b'&' | b')');
        if !closed && self.keyword().is_empty() {
            return self.fail("a word after a compound command");
        }
        Ok(Stage { node, redirects, span: (start, self.pos) })
    }

    fn simple(&mut self, start: usize) -> Result<Stage> {
        let mut simple = Simple::default();
        let mut redirects = Vec::new();
        let mut end = start;
        loop {
            self.blanks()?;
            if let Some(redirect) = self.redirect()? {
                redirects.push(redirect);
            } else if simple.words.is_empty()
                && let Some((name, value)) = self.assignment()?
            {
                simple.assignments.push((name, value));
            } else if let Some(word) = self.word()? {
                simple.words.push(word);
            } else {
                break;
            }
            end = self.pos;
        }
        if end == start {
            return self.fail("an operator without a command");
        }
        if let Some(first) = simple.words.first().and_then(Word::bare)
            && KEYWORDS.contains(&first)
        {
            return Err(self.unread("a keyword that is not read", start));
        }
        // `f() { …; }`
        if self.peek() == b'(' {
            return self.fail("a function, or an array");
        }
        Ok(Stage { node: Node::Simple(simple), redirects, span: (start, end) })
    }

    /// `NAME=value` in front of a command or alone.
    fn assignment(&mut self) -> Result<Option<(String, Word)>> {
        let mut end = self.pos;
        while self.at(end).is_ascii_alphanumeric() || self.at(end) == b'_' {
            end += 1;
        }
        let name = self.slice(self.pos, end);
        match self.at(end) {
            b'=' if is_name(name) => {}
            b'+' | b'[' if is_name(name) && (self.at(end) == b'[' || self.at(end + 1) == b'=') => {
                return self.fail("an assignment that is not read");
            }
            _ => return Ok(None),
        }
        let name = name.to_owned();
        self.pos = end + 1;
        if self.peek() == b'(' {
            return self.fail("an array");
        }
        let at = self.pos;
        // `~` is also expanded after a colon there, and a leading `=` means something to zsh.
        let value = self.word()?.unwrap_or(Word { parts: Vec::new(), span: (at, at) });
        Ok(Some((name, value)))
    }

    /// A redirection, if one stands here.
    fn redirect(&mut self) -> Result<Option<Redirect>> {
        let start = self.pos;
        let digit = self.peek().is_ascii_digit() && matches!(self.at(start + 1), b'<' | b'>');
        let from = if digit { start + 1 } else { start };
        let rest = self.bytes.get(from..).unwrap_or(&[]);
        let both = self.dialect.is_bash_or_zsh();
        if self.dialect == Dialect::Zsh && is_range(rest) {
            return self.fail("a range of numbers");
        }
        let (op, length) = match rest {
            [b'&', b'>', b'>', ..] => return self.fail("`&>>`"),
            [b'&', b'>', ..] if both && !digit => (RedirectOp::Both, 2),
            [b'<', b'<', b'<', ..] if both => (RedirectOp::Text, 3),
            [b'<', b'<', ..] => return self.here_document(digit).map(Some),
            [b'<', b'>', ..] => return self.fail("a file opened for reading and writing"),
            [b'<' | b'>', b'(', ..] => return self.fail("a process substitution"),
            [b'<', b'&', ..] => return self.fail("a descriptor that is read"),
            [b'>', b'>', ..] => (RedirectOp::Append, 2),
            [b'>', b'|', ..] => return self.fail("`>|`"),
            [b'>', b'&', ..] => (RedirectOp::Duplicate, 2),
            [b'<', ..] => (RedirectOp::Read, 1),
            [b'>', ..] => (RedirectOp::Write, 1),
            _ => return Ok(None),
        };
        self.pos = from + length;
        let default = if matches!(op, RedirectOp::Read | RedirectOp::Text) { 0 } else { 1 };
        let fd = if digit { u32::from(self.at(start) - b'0') } else { default };
        if op != RedirectOp::Duplicate {
            self.blanks()?;
        }
        let Some(target) = self.word()? else {
            return self.fail("a redirection without a target");
        };
        if op == RedirectOp::Duplicate {
            // `>&f` writes a file, `>&-` closes.
            let text = target.literal().unwrap_or_default();
            if !(text.len() == 1 && text.bytes().all(|b| b.is_ascii_digit())) {
                return Err(self.unread("a redirection that is not to a descriptor", start));
            }
        }
        Ok(Some(Redirect { op, fd, target, span: (start, self.pos) }))
    }

    /// Blanks, line continuations and a comment.
    pub(super) fn blanks(&mut self) -> Result<()> {
        loop {
            match self.peek() {
                b' ' | b'\t' => self.pos += 1,
                b'\\' if self.at(self.pos + 1) == b'\n' => self.pos += 2,
                // Where a word could begin; within one it is a character like others.
                b'#' => {
                    if self.interactive {
                        return self.fail("a comment, which not every interactive shell knows");
                    }
                    while !self.done() && self.peek() != b'\n' {
                        self.pos += 1;
                    }
                }
                _ => return Ok(()),
            }
        }
    }

    fn newlines(&mut self) -> Result<()> {
        loop {
            self.blanks()?;
            if self.peek() != b'\n' {
                return Ok(());
            }
            self.pos += 1;
            self.skip_here_document();
        }
    }
}

/// `<1-10>`: names that are numbers, to zsh.
fn is_range(rest: &[u8]) -> bool {
    let Some(inside) = rest.strip_prefix(b"<") else { return false };
    let digits = inside.iter().take_while(|b| b.is_ascii_digit() || **b == b'-').count();
    inside.get(digits) == Some(&b'>') && inside.iter().take(digits).any(|b| *b == b'-')
}
