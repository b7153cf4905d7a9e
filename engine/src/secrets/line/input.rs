//! What a line writes to a standard input that is a secret, or into files and variables of secrets.

use std::ops::Range;

use super::super::names::is_secret_name;
use super::super::replaced;
use super::super::text;
use super::super::within::{is_secret_file, is_secret_place};
use super::super::word::Unquoted;
use super::{Scan, everywhere, is_masked, is_option, known, placed, program_of};
use crate::parse::{Redirect, RedirectOp, Script, Simple};
use crate::tables::SecretInput;

impl Scan {
    /// What goes into a file, or a variable, that is named like a secret; and what `printf` puts behind
    /// such a name.
    pub(super) fn written(
        &mut self,
        line: &str,
        command: &Simple,
        script: &Script,
        words: &[Unquoted],
        found: &mut Vec<Range<usize>>,
    ) {
        let name = words.first().map_or("", |word| program_of(&word.text));
        let writes =
            |redirect: &&Redirect| matches!(redirect.op, RedirectOp::Write | RedirectOp::Append);
        let written = command.redirects.iter().filter(writes);
        let mut files: Vec<&str> = written.map(|redirect| redirect.target.text.as_str()).collect();
        if files.iter().any(|file| is_secret_file(file)) {
            self.printed(words, SecretInput::Word, found);
        }
        files.extend(words.iter().skip(1).map(|word| word.text.as_str()));
        if matches!(name, "cat" | "tee") && files.iter().any(|file| is_secret_file(file)) {
            self.whole(line, command, script, found);
        }
        if matches!(name, "sed" | "gsed" | "perl" | "awk" | "gawk" | "mawk") {
            let secret_file = files.iter().any(|file| is_secret_place(file));
            for word in words.iter().skip(1) {
                let mut within = Vec::new();
                replaced::by_code(&word.text, secret_file, &mut within);
                for range in within {
                    self.push(word, range, found);
                }
            }
        }
        for redirect in &command.redirects {
            let variable = words.last().is_some_and(|word| is_secret_name(&word.text));
            if name == "read" && redirect.op == RedirectOp::HereString && variable {
                self.input(&placed(line, &redirect.target), SecretInput::All, true, found);
            }
        }
        if name == "printf"
            && let Some(format) = words.get(1)
        {
            for number in text::formatted(&format.text) {
                if let Some(word) = words.get(number + 2) {
                    self.push(word, 0..word.text.len(), found);
                }
            }
        }
    }

    /// A file that holds a secret and nothing else: a here-document of one word.
    fn whole(
        &mut self,
        line: &str,
        command: &Simple,
        script: &Script,
        found: &mut Vec<Range<usize>>,
    ) {
        for redirect in &command.redirects {
            let Some(body) = redirect.body.and_then(|at| script.bodies.get(at)) else { continue };
            let range = text::widen(line, body.span.0..body.span.1);
            let inner = line.get(range.clone()).unwrap_or("");
            if !inner.trim().contains([' ', '\n', '\t']) {
                let word = Unquoted::verbatim(inner, range.start);
                self.input(&word, SecretInput::Word, true, found);
            }
        }
    }

    /// What a command prints into one that reads a secret.
    pub(super) fn printed(
        &mut self,
        words: &[Unquoted],
        input: SecretInput,
        found: &mut Vec<Range<usize>>,
    ) {
        let Some(program) = words.first() else { return };
        let name = program_of(&program.text);
        if !matches!(name, "echo" | "printf" | "print" | "yes") {
            return;
        }
        let operands: Vec<&Unquoted> =
            words.iter().skip(1).filter(|word| !is_option(&word.text)).collect();
        let skip = usize::from(name == "printf" && operands.len() > 1);
        let single = operands.len() == skip + 1;
        for word in operands.iter().skip(skip) {
            self.input(word, input, single, found);
        }
    }

    /// `p=x; echo $p | sudo -S true`: the value is the secret, wherever it stands.
    pub(super) fn printed_by_variable(
        &mut self,
        line: &str,
        command: &Simple,
        input: SecretInput,
        found: &mut Vec<Range<usize>>,
    ) {
        if !command.words.iter().any(|word| word.flags.expanded && word.known()) {
            return;
        }
        let words: Vec<Unquoted> = command.words.iter().map(known).collect();
        let before = self.values.len();
        self.printed(&words, input, &mut Vec::new());
        let new: Vec<String> = self.values.get(before..).unwrap_or(&[]).to_vec();
        for value in new {
            everywhere(line, &value, found);
        }
    }

    /// Here-strings and here-documents of a command that reads a secret.
    pub(super) fn redirected(
        &mut self,
        line: &str,
        redirects: &[Redirect],
        script: &Script,
        input: SecretInput,
        found: &mut Vec<Range<usize>>,
    ) {
        for redirect in redirects {
            if redirect.op == RedirectOp::HereString {
                self.input(&placed(line, &redirect.target), input, true, found);
            }
            if let Some(body) = redirect.body.and_then(|at| script.bodies.get(at)) {
                let (from, to) = body.span;
                let range = text::widen(line, from..to);
                let inner = line.get(range.clone()).unwrap_or("");
                self.input(&Unquoted::verbatim(inner, range.start), input, false, found);
            }
        }
    }

    /// A text that goes to standard input.
    fn input(
        &mut self,
        word: &Unquoted,
        input: SecretInput,
        single: bool,
        found: &mut Vec<Range<usize>>,
    ) {
        let (mut at, mut over) = (0, false);
        for line in word.text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            let content = line.trim_end();
            if content.is_empty() || is_masked(content) {
                continue;
            }
            let skip = match input {
                SecretInput::All => 0,
                SecretInput::Line if over => break,
                SecretInput::Line => 0,
                SecretInput::Pairs => content.find(':').map_or(0, |at| at + 1),
                SecretInput::Word if single && !content.contains([' ', ';', '|']) => 0,
                SecretInput::Word => continue,
            };
            over = true;
            if !content.get(skip..).is_none_or(is_masked) {
                self.push(word, start + skip..start + content.len(), found);
            }
        }
    }
}

/// Whether a command only hands its standard input on, changed or not.
pub(super) fn passes_on(words: &[Unquoted]) -> bool {
    const FILTERS: [&str; 16] = [
        "awk", "base64", "cat", "cut", "dd", "grep", "gunzip", "head", "iconv", "jq", "openssl",
        "pv", "sed", "tail", "tee", "tr",
    ];
    words.first().is_some_and(|word| FILTERS.contains(&program_of(&word.text)))
}

/// What `tee` copies into such a file.
pub(super) fn copied(words: &[Unquoted]) -> Option<SecretInput> {
    let tee = words.iter().position(|word| program_of(&word.text) == "tee")?;
    let mut files = words.iter().skip(tee + 1);
    files.any(|word| is_secret_file(&word.text)).then_some(SecretInput::Word)
}
