//! Compound commands: groups, loops, conditions, functions. It must never skip a command inside one.

use super::types::{Block, Group, Redirect, RedirectOp, Simple};
use super::words::is_name;
use super::{Reader, Value};

impl Reader<'_> {
    /// Reads one command of a pipeline.
    pub(super) fn command(&mut self, pipeline: usize, stage: usize) {
        let start = self.pos;
        let first = self.shared.script.commands.len();
        match self.bare() {
            "{" => {
                self.pos += 1;
                self.list(&["}"]);
                self.expect("}", start);
            }
            "[[" => self.condition(start),
            "if" => self.conditional(start),
            "while" | "until" => {
                self.pos += 5;
                self.list(&["do"]);
                self.body(start);
            }
            "for" => self.for_loop(start, 3),
            "select" => self.for_loop(start, 6),
            "case" => self.case(start),
            "function" => return self.function_keyword(start),
            "coproc" => return self.coproc(pipeline, stage),
            _ if self.peek() == b'(' && self.byte(self.pos + 1) == b'(' => {
                if let Some(end) = self.arithmetic_end(start + 2) {
                    self.expansions(start + 2, end);
                    self.pos = end + 2;
                } else {
                    self.subshell(start);
                }
            }
            _ if self.peek() == b'(' => self.subshell(start),
            _ => {
                if let Some((name, after)) = self.function_header() {
                    self.pos = after;
                    self.function_body(name, start);
                    return;
                }
                return self.simple(pipeline, stage);
            }
        }
        self.trailing_redirects((start, first), pipeline, stage);
        if stage > 0 || self.peek() == b'|' && self.byte(self.pos + 1) != b'|' {
            let commands = first..self.shared.script.commands.len();
            self.shared.script.blocks.push(Block { pipeline, stage, commands });
        }
    }

    fn subshell(&mut self, start: usize) {
        self.pos += 1;
        self.list(&[]);
        self.close_paren(start);
    }

    /// Consumes a closing word, or records that it is missing.
    fn expect(&mut self, word: &str, start: usize) {
        self.newlines();
        if self.bare() == word {
            self.pos += word.len();
        } else {
            self.problem("a compound command is never closed", start);
        }
    }

    /// The redirections of the compound command that begins at `start`, with its first command.
    fn trailing_redirects(
        &mut self,
        (start, first): (usize, usize),
        pipeline: usize,
        stage: usize,
    ) {
        let mut redirects: Vec<Redirect> = Vec::new();
        loop {
            self.blanks();
            let Some(redirect) = self.redirect() else { break };
            redirects.extend(redirect);
        }
        let given = |redirect: &Redirect| redirect.fd == Some(0) && redirect.op != RedirectOp::Dup;
        if stage > 0 || redirects.iter().any(given) {
            let script = &mut self.shared.script;
            let group = script.groups.len();
            let redirects = redirects.clone();
            script.groups.push(Group { redirects, pipeline, stage, first });
            // A block further inside that has input of its own keeps that.
            for command in script.commands.iter_mut().skip(first) {
                command.group.get_or_insert(group);
            }
        }
        if redirects.is_empty() {
            return;
        }
        let command = Simple {
            redirects,
            span: self.place.map((start, self.pos)),
            scope: self.scope,
            pipeline,
            stage,
            in_substitution: self.in_substitution,
            compound: true,
            function: self.function,
            ..Simple::default()
        };
        self.shared.script.commands.push(command);
    }

    fn conditional(&mut self, start: usize) {
        self.pos += 2;
        self.list(&["then"]);
        self.expect("then", start);
        loop {
            self.list(&["elif", "else", "fi"]);
            match self.bare() {
                "elif" => {
                    self.pos += 4;
                    self.list(&["then"]);
                    self.expect("then", start);
                }
                "else" => {
                    self.pos += 4;
                    self.list(&["fi"]);
                    self.expect("fi", start);
                    return;
                }
                _ => {
                    self.expect("fi", start);
                    return;
                }
            }
        }
    }

    /// `do ... done` or `{ ... }`.
    fn body(&mut self, start: usize) {
        self.blanks();
        if self.peek() == b';' && self.byte(self.pos + 1) != b';' {
            self.pos += 1;
        }
        self.newlines();
        if self.bare() == "{" {
            self.pos += 1;
            self.list(&["}"]);
            self.expect("}", start);
            return;
        }
        self.expect("do", start);
        self.list(&["done"]);
        self.expect("done", start);
    }

    fn for_loop(&mut self, start: usize, keyword: usize) {
        self.pos += keyword;
        self.blanks();
        if self.starts("((") {
            let from = self.pos + 2;
            if let Some(end) = self.arithmetic_end(from) {
                self.expansions(from, end);
                self.pos = end + 2;
            } else {
                self.problem("`for ((` is never closed", start);
                self.pos += 2;
            }
            self.body(start);
            return;
        }
        let from = self.pos;
        while self.byte(self.pos).is_ascii_alphanumeric() || self.peek() == b'_' {
            self.pos += 1;
        }
        let name = self.slice(from, self.pos).to_owned();
        if !is_name(&name) {
            self.problem("`for` without a name", start);
        }
        self.newlines();
        if self.bare() == "in" {
            self.pos += 2;
            let mut words = Vec::new();
            loop {
                self.blanks();
                if self.word(&mut words).is_none() {
                    break;
                }
            }
            let known =
                words.len() <= 16 && words.iter().all(|word| word.known() && !word.flags.glob);
            let value = if known && !words.is_empty() {
                Value::Many(words.into_iter().map(|word| word.text).collect())
            } else {
                Value::Unknown
            };
            self.shared.variables.insert(name, value);
        } else {
            self.shared.variables.insert(name, Value::Unknown);
        }
        self.body(start);
    }

    fn case(&mut self, start: usize) {
        self.pos += 4;
        self.blanks();
        let mut words = Vec::new();
        self.word(&mut words);
        self.newlines();
        self.expect("in", start);
        loop {
            self.newlines();
            if self.bare() == "esac" || self.done() {
                break;
            }
            if self.peek() == b'(' {
                self.pos += 1;
            }
            loop {
                self.blanks();
                let before = self.pos;
                self.word(&mut words);
                self.blanks();
                if self.peek() == b'|' {
                    self.pos += 1;
                } else if self.peek() == b')' {
                    self.pos += 1;
                    break;
                } else {
                    self.problem("a case pattern is never closed", start);
                    if self.pos == before {
                        return;
                    }
                    break;
                }
            }
            self.list(&["esac"]);
            while matches!(self.peek(), b';' | b'&') {
                self.pos += 1;
            }
            if self.peek() == b')' {
                break;
            }
        }
        self.expect("esac", start);
    }

    /// `[[ ... ]]`: only what is expanded inside matters.
    fn condition(&mut self, start: usize) {
        self.pos += 2;
        let mut words = Vec::new();
        loop {
            self.newlines();
            if self.bare() == "]]" {
                self.pos += 2;
                return;
            }
            if self.done() {
                self.problem("`[[` is never closed", start);
                return;
            }
            let regex = self.starts("=~");
            if self.word(&mut words).is_none() {
                match self.peek() {
                    b'(' | b')' | b'<' | b'>' => self.pos += 1,
                    b'&' | b'|' if self.byte(self.pos + 1) == self.peek() => self.pos += 2,
                    _ => {
                        self.problem("`[[` is never closed", start);
                        return;
                    }
                }
            } else if regex {
                self.blanks();
                self.regex();
            }
        }
    }

    /// The right side of `=~`, where brackets and `|` are plain text.
    fn regex(&mut self) {
        let mut depth = 0_usize;
        while !self.done() {
            match self.peek() {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                b' ' | b'\t' if depth == 0 => return,
                b'\n' => return,
                b'\\' => self.pos += 1,
                b'[' if self.byte(self.pos + 1) == b'[' => {
                    // A character class such as `[[:space:]]`.
                    while !self.done() && !matches!(self.peek(), b']' | b'\n') {
                        self.pos += 1;
                    }
                }
                b'|' | b'<' | b'>' | b'&' | b';' => {}
                _ => {
                    let mut words = Vec::new();
                    if self.word(&mut words).is_some() {
                        continue;
                    }
                }
            }
            self.pos += 1;
        }
        self.pos = self.pos.min(self.text.len());
    }

    /// `name ()`, and where its body begins.
    fn function_header(&self) -> Option<(String, usize)> {
        let mut end = self.pos;
        while end < self.text.len()
            && !matches!(
                self.byte(end),
                b' ' | b'\t'
                    | b'\n'
                    | b'|'
                    | b'&'
                    | b';'
                    | b'('
                    | b')'
                    | b'<'
                    | b'>'
                    | b'$'
                    | b'`'
                    | b'"'
                    | b'\''
                    | b'\\'
                    | b'='
            )
        {
            end += 1;
        }
        if end == self.pos {
            return None;
        }
        let mut at = end;
        while matches!(self.byte(at), b' ' | b'\t') {
            at += 1;
        }
        if self.byte(at) != b'(' {
            return None;
        }
        at += 1;
        while matches!(self.byte(at), b' ' | b'\t') {
            at += 1;
        }
        (self.byte(at) == b')').then(|| (self.slice(self.pos, end).to_owned(), at + 1))
    }

    fn function_keyword(&mut self, start: usize) {
        self.pos += 8;
        self.blanks();
        if let Some((name, after)) = self.function_header() {
            self.pos = after;
            return self.function_body(name, start);
        }
        match self.single_word() {
            Some(word) => self.function_body(word.text, start),
            None => self.problem("`function` without a name", start),
        }
    }

    fn function_body(&mut self, name: String, start: usize) {
        let index = self.shared.script.functions.len();
        self.shared.script.functions.push(name);
        self.newlines();
        let outer = self.function.replace(index);
        let before = self.pos;
        let id = self.shared.pipelines;
        self.shared.pipelines += 1;
        self.deeper(|reader| reader.command(id, 0));
        if self.pos == before {
            self.problem("a function without a body", start);
        }
        self.function = outer;
    }

    fn coproc(&mut self, pipeline: usize, stage: usize) {
        self.pos += 6;
        self.blanks();
        let from = self.pos;
        while self.byte(self.pos).is_ascii_alphanumeric() || self.peek() == b'_' {
            self.pos += 1;
        }
        let name_end = self.pos;
        self.blanks();
        let named = name_end > from
            && self.pos > name_end
            && (self.peek() == b'('
                || matches!(
                    self.bare(),
                    "{" | "[[" | "if" | "while" | "until" | "for" | "case" | "select"
                ));
        if !named {
            self.pos = from;
        }
        self.deeper(|reader| reader.command(pipeline, stage));
    }
}
