//! Lists, pipelines and here-documents. It must never stop before the end of the text: after an
//! error it records a problem and reads on, so that what follows is still seen.

use super::types::{Cut, Limit, Word};
use super::{Reader, Span};

/// A here-document whose text begins after the next newline.
pub(super) struct PendingHereDoc {
    delimiter: String,
    strip_tabs: bool,
    quoted: bool,
    body: usize,
}

/// Words that close or continue a compound command, and so cannot begin a command.
const CLOSING: [&str; 8] = ["then", "elif", "else", "fi", "do", "done", "esac", "}"];

impl Reader<'_> {
    /// Reads the whole text.
    pub(super) fn program(&mut self) {
        while !self.done() {
            self.commands(&[], true);
            if !self.done() {
                // A stray `)`, `;;` or the like.
                self.problem("a bracket or operator that closes nothing", self.pos);
                self.pos += 1;
            }
        }
        self.finish_heredocs();
    }

    /// Reads commands up to one of the closing words, `)`, `;;` or the end; consumes none of these.
    pub(super) fn list(&mut self, stops: &[&str]) {
        self.commands(stops, false);
    }

    /// As [`Self::list`]; at the top of a text it notes where each command begins.
    fn commands(&mut self, stops: &[&str], top: bool) {
        let mut expect_command = false;
        loop {
            self.newlines();
            if self.done() || self.peek() == b')' {
                break;
            }
            if self.peek() == b';' && matches!(self.byte(self.pos + 1), b';' | b'&') {
                break;
            }
            let bare = self.bare();
            if stops.contains(&bare) {
                break;
            }
            if CLOSING.contains(&bare) {
                self.problem("a word that closes nothing", self.pos);
                self.pos += bare.len();
                continue;
            }
            if !self.charge(1) || self.shared.script.commands.len() > super::MAX_COMMANDS {
                self.limit(Limit::Commands, self.pos);
                self.pos = self.text.len();
                return;
            }
            if top && !expect_command && self.pending.is_empty() {
                let commands = self.shared.script.commands.len();
                self.shared.script.cuts.push(Cut { scope: self.scope, at: self.pos, commands });
            }
            let before = self.pos;
            let first = self.shared.script.commands.len();
            self.pipeline();
            if self.pos == before {
                self.problem("an operator without a command", self.pos);
                self.pos += 1;
                continue;
            }
            expect_command = self.separator(first);
        }
        if expect_command {
            self.problem("an operator without a command", self.pos.saturating_sub(1));
        }
    }

    /// Consumes what stands between two commands; true where another command must follow.
    fn separator(&mut self, first: usize) -> bool {
        self.blanks();
        match (self.peek(), self.byte(self.pos + 1)) {
            (b'&', b'&') | (b'|', b'|') => {
                self.pos += 2;
                self.shared.script.operators += 1;
                return true;
            }
            (b';', b';' | b'&') => {}
            (b';', _) => {
                self.pos += 1;
                self.shared.script.operators += 1;
            }
            (b'&', _) => {
                self.pos += 1;
                self.shared.script.operators += 1;
                for command in self.shared.script.commands.iter_mut().skip(first) {
                    command.background = true;
                }
            }
            (b'\n' | b')' | b'#', _) => {}
            _ if self.done() => {}
            _ => {
                let bare = self.bare();
                // `fi done`: a closing word may follow another without a separator.
                if !CLOSING.contains(&bare) {
                    self.problem("a word or bracket where none can stand", self.pos);
                    if self.peek() == b'(' {
                        self.pos += 1;
                    }
                }
            }
        }
        false
    }

    fn pipeline(&mut self) {
        loop {
            match self.bare() {
                "!" => self.pos += 1,
                "time" => {
                    self.pos += 4;
                    self.blanks();
                    if self.bare() == "-p" {
                        self.pos += 2;
                    }
                }
                _ => break,
            }
            self.blanks();
        }
        let id = self.shared.pipelines;
        self.shared.pipelines += 1;
        let mut stage = 0;
        loop {
            let before = self.pos;
            self.deeper(|reader| reader.command(id, stage));
            if self.pos == before {
                if stage > 0 || !matches!(self.peek(), b'\n' | b';' | b'&') {
                    self.problem("an operator without a command", before);
                }
                return;
            }
            self.blanks();
            if self.peek() != b'|' || self.byte(self.pos + 1) == b'|' {
                return;
            }
            self.pos += 1;
            if self.peek() == b'&' {
                self.pos += 1;
            }
            self.shared.script.operators += 1;
            stage += 1;
            if stage > super::MAX_STAGES {
                self.limit(Limit::Stages, self.pos);
                self.pos = self.text.len();
                return;
            }
            self.newlines();
            if self.done() {
                self.problem("an operator without a command", self.pos.saturating_sub(1));
                return;
            }
        }
    }

    /// The text from here to the next blank or operator.
    pub(super) fn bare(&self) -> &'static str {
        const WORDS: [&str; 23] = [
            "!", "time", "if", "then", "elif", "else", "fi", "for", "select", "while", "until",
            "do", "done", "case", "esac", "in", "function", "coproc", "{", "}", "[[", "]]", "-p",
        ];
        if !matches!(self.peek(), b'a'..=b'z' | b'!' | b'{' | b'}' | b'[' | b']' | b'-') {
            return "";
        }
        let mut end = self.pos;
        while end < self.text.len()
            && end < self.pos + 9
            && !matches!(
                self.byte(end),
                b' ' | b'\t' | b'\n' | b'|' | b'&' | b';' | b'(' | b')' | b'<' | b'>'
            )
        {
            end += 1;
        }
        let bytes = self.text.as_bytes().get(self.pos..end).unwrap_or(&[]);
        WORDS.iter().find(|word| word.as_bytes() == bytes).copied().unwrap_or("")
    }

    /// Skips spaces, tabs and line continuations.
    pub(super) fn blanks(&mut self) {
        loop {
            match self.peek() {
                b' ' | b'\t' => self.pos += 1,
                b'\\' if self.byte(self.pos + 1) == b'\n' => self.pos += 2,
                _ => return,
            }
        }
    }

    /// Skips blanks, comments and newlines, reading the here-documents that follow a newline.
    pub(super) fn newlines(&mut self) {
        loop {
            self.blanks();
            match self.peek() {
                b'#' => {
                    while !self.done() && self.peek() != b'\n' {
                        self.pos += 1;
                    }
                }
                b'\n' => {
                    self.pos += 1;
                    self.heredocs();
                }
                _ => return,
            }
        }
    }

    /// Reads the delimiter of a here-document; returns where its text will be.
    pub(super) fn heredoc_operator(&mut self, strip_tabs: bool) -> Option<(Word, usize)> {
        self.blanks();
        let word = self.single_word()?;
        let body = self.shared.script.bodies.len();
        self.shared.script.bodies.push(Word::default());
        self.pending.push(PendingHereDoc {
            delimiter: word.text.clone(),
            strip_tabs,
            quoted: word.flags.quoted,
            body,
        });
        Some((word, body))
    }

    fn heredocs(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            self.heredoc(&pending);
        }
    }

    fn heredoc(&mut self, pending: &PendingHereDoc) {
        let from = self.pos;
        let mut to = self.text.len();
        let mut next = to;
        let mut at = from;
        while at < self.text.len() {
            let rest = self.text.get(at..).unwrap_or("");
            let length = rest.find('\n').unwrap_or(rest.len());
            let line = rest.get(..length).unwrap_or("");
            let line_text = if pending.strip_tabs { line.trim_start_matches('\t') } else { line };
            if line_text == pending.delimiter {
                to = at;
                next = at + length;
                break;
            }
            // `EOF)` closes both inside a substitution.
            let indent = line.len() - line_text.len();
            if self.in_substitution
                && line_text
                    .strip_prefix(&pending.delimiter)
                    .is_some_and(|after| after.starts_with(')'))
            {
                to = at;
                next = at + indent + pending.delimiter.len();
                break;
            }
            at += length + 1;
        }
        if !self.charge(to.saturating_sub(from)) {
            return;
        }
        let body = self.heredoc_body(pending, (from, to));
        if let Some(slot) = self.shared.script.bodies.get_mut(pending.body) {
            *slot = body;
        }
        self.pos = next;
        // The newline after the delimiter belongs to it, unless more documents or `)` follow.
        if self.peek() == b'\n' {
            self.pos += 1;
        }
    }

    fn heredoc_body(&mut self, pending: &PendingHereDoc, raw: Span) -> Word {
        let mut word = Word { raw, span: self.place.map(raw), ..Word::default() };
        if pending.quoted {
            word.text = self.slice(raw.0, raw.1).to_owned();
        } else {
            let builder = self.expansions(raw.0, raw.1);
            word.text = builder.text;
            word.flags = builder.flags;
        }
        if pending.strip_tabs {
            word.text = word
                .text
                .lines()
                .map(|line| line.trim_start_matches('\t'))
                .collect::<Vec<_>>()
                .join("\n");
        } else if let super::Place::At(base) = self.place
            && self.slice(raw.0, raw.1) == word.text
        {
            word.verbatim = Some(base + raw.0);
        }
        word
    }

    /// Here-documents that never got a newline are empty.
    pub(super) fn finish_heredocs(&mut self) {
        self.pending.clear();
    }
}
