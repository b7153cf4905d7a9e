//! Follows code a command is given: `sh -c`, standard input, files the line itself writes, crontabs,
//! code in other languages. It must never run deeper than the reader allows, nor take code for data.

use crate::modifier::Modifier;
use crate::parse::{Place, RedirectOp, Simple, Span, Word, output, read_into};
use crate::program::base_name;
use crate::tables::{Arguments, CodePlace, Language, Program};

use super::interpreter::{has_code, operand_is_script};
use super::mongo::mongo;
use super::paths::resolve;
use super::redis::redis;
use super::scorer::{Inherit, MAX_WRAPPERS, Scorer};
use super::sql::sql;
use super::{code, effects};

impl Scorer<'_> {
    /// `echo 'rm -rf /' > x; sh x`: what a file is given may run later in the line, or by itself.
    pub(super) fn follow_writes(&mut self, index: usize, simple: &Simple, inherit: &Inherit) {
        let host = simple;
        let target = simple
            .redirects
            .iter()
            .filter(|redirect| matches!(redirect.op, RedirectOp::Write | RedirectOp::Append))
            .map(|redirect| &redirect.target)
            .chain(
                simple
                    .words
                    .first()
                    .filter(|word| word.text == "tee")
                    .and_then(|_| simple.words.last()),
            )
            .find(|word| word.known());
        let Some(target) = target else { return };
        let path = resolve(&target.text, self.cwd.as_deref());
        let span = target.span;
        let mut alone = simple.clone();
        alone.redirects.retain(|redirect| {
            !matches!(redirect.op, RedirectOp::Write | RedirectOp::Append | RedirectOp::Dup)
        });
        let text = if alone.stage == 0 {
            output::of(&[&alone], &self.shared.script.bodies)
        } else {
            output::before(&self.shared.script, index, host)
        };
        let Some(text) = text else { return };
        if self.tables.path_lists.is_persistence(&path) {
            self.cron(&text, Place::Fixed(span), inherit, "later");
        }
        if self.written.len() < 64 {
            self.written.push((path, text));
        }
    }

    /// Runs what the line wrote into a file, if the file is run.
    pub(super) fn run_written(&mut self, path: &str, span: Span, outer: &Inherit, via: &str) {
        let path = resolve(path, self.cwd.as_deref());
        let texts: Vec<String> = self
            .written
            .iter()
            .filter(|(written, _)| *written == path)
            .map(|(_, text)| text.clone())
            .collect();
        for text in texts.into_iter().take(4) {
            self.nested(&text, Place::Fixed(span), outer, via);
        }
    }

    /// Lines of a crontab, or of any file that runs later: fields of time are left out.
    pub(super) fn cron(&mut self, text: &str, place: Place, outer: &Inherit, via: &str) {
        for line in text.lines().take(32) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let timed = fields.get(..5).is_some_and(|five| {
                five.iter()
                    .all(|field| field.bytes().all(|b| b.is_ascii_digit() || b"*/,-".contains(&b)))
            });
            let skip = if timed { 5 } else { usize::from(line.starts_with('@')) };
            let command = fields.get(skip..).unwrap_or(&[]).join(" ");
            if !command.is_empty() && !command.starts_with('#') {
                self.nested(&command, place, outer, via);
            }
            // `/etc/crontab` names a user in front.
            if timed && let Some(rest) = fields.get(skip + 1..) {
                let first = rest.first().map_or("", |word| base_name(word));
                if self.tables.program(first).is_some() {
                    self.nested(&rest.join(" "), place, outer, via);
                }
            }
        }
    }

    /// Reads a nested shell text; its commands are scored when the loop reaches them.
    pub(crate) fn nested(&mut self, text: &str, place: Place, outer: &Inherit, via: &str) {
        let mut inherit = outer.clone();
        inherit.via.push(via.to_owned());
        inherit.depth += 2;
        if inherit.depth > MAX_WRAPPERS {
            let span = place.map((0, text.len()));
            self.note(
                Modifier::Uninspectable,
                span,
                "code inside code inside code, too deep to read",
            );
            return;
        }
        let depth = inherit.depth;
        let found = read_into(self.shared, text, place, depth, false);
        self.inherits.push(inherit);
        let id = self.inherits.len() - 1;
        for command in self.shared.script.commands.get_mut(found).into_iter().flatten() {
            command.inherit = Some(id);
        }
    }

    /// Values of options that make a program run something: `-c core.pager='...'`, `exec=...`.
    pub(super) fn look_at_hijacks(
        &mut self,
        arguments: &Arguments<'_>,
        words: &[Word],
        outer: &Inherit,
        via: &str,
    ) {
        if !self.scores.last().is_some_and(|score| score.modifiers.has(Modifier::Hijack)) {
            return;
        }
        for flag in &arguments.flags {
            let (Some(value), Some(word)) = (flag.value, words.get(flag.value_at)) else {
                continue;
            };
            let text = value.rsplit_once("exec=").map_or(value, |(_, text)| text);
            let text = text
                .split_once('=')
                .filter(|(key, _)| !key.contains(' '))
                .map_or(text, |(_, text)| text);
            self.maybe_shell(text.trim_start_matches('!'), word.span, outer, via);
        }
    }

    /// Literal arguments of a program nobody knows the name of, which may be a shell.
    pub(super) fn look_at_literals(&mut self, words: &[Word], outer: &Inherit) {
        for word in words.iter().skip(1).filter(|word| word.text.contains(' ')) {
            self.maybe_shell(&word.text.clone(), word.span, outer, "?");
        }
    }

    /// Reads a text as shell if it begins like a command.
    pub(super) fn maybe_shell(&mut self, text: &str, span: Span, outer: &Inherit, via: &str) {
        let first = text.split_whitespace().next().unwrap_or("");
        if self.tables.program(base_name(first)).is_some() {
            self.nested(text, Place::Fixed(span), outer, via);
        }
    }

    /// Code given in options or operands.
    pub(super) fn look_into_code(
        &mut self,
        words: &[Word],
        program: &Program,
        via: &str,
        arguments: &Arguments<'_>,
        outer: &Inherit,
    ) {
        for (place, language) in &program.code {
            for word in code_at(place, words, program, arguments) {
                self.code(&word, *language, outer, via);
            }
        }
    }

    /// One piece of code in one language.
    pub(crate) fn code(&mut self, word: &Word, language: Language, outer: &Inherit, via: &str) {
        if word.flags.unknown_output && matches!(language, Language::Shell | Language::Code) {
            let network = self.runs_network();
            if network {
                self.note(
                    Modifier::PipeToInterpreter,
                    word.span,
                    "code fetched over the network is run",
                );
            }
            self.note(Modifier::Indirect, word.span, "code is made while it runs");
            self.note(Modifier::Uninspectable, word.span, "the code that runs cannot be seen");
        }
        let seen = match language {
            Language::Cron => return self.cron(&word.text.clone(), word.place(), outer, via),
            Language::Shell => {
                let whole_unknown = word.flags.dynamic
                    && word.text.starts_with(['$', '`'])
                    && !word.text.contains(' ');
                if whole_unknown {
                    self.note(Modifier::Indirect, word.span, "code is taken from a variable");
                    self.note(
                        Modifier::Uninspectable,
                        word.span,
                        "the code that runs cannot be seen",
                    );
                }
                return self.nested(&word.text.clone(), word.place(), outer, via);
            }
            Language::Sql => {
                return effects::statements(self, &sql(&word.text), word.span);
            }
            Language::Redis => {
                return effects::statements(self, &redis(&word.text), word.span);
            }
            Language::Mongo => {
                return effects::statements(self, &mongo(&word.text), word.span);
            }
            Language::Awk => code::awk(&word.text),
            Language::Sed => code::sed(&word.text),
            Language::Format if !word.text.contains("#(") => return,
            Language::Format => code::format(&word.text),
            Language::Editor => code::editor(&word.text),
            Language::Code => code::code(&word.text),
        };
        effects::seen(self, &seen, word.span);
        for text in &seen.shell {
            // A literal is a shell line only if it begins like one.
            self.maybe_shell(text, word.span, outer, via);
        }
    }

    /// A program without code of its own runs what it reads.
    pub(super) fn look_at_stdin(
        &mut self,
        (index, host): (usize, &Simple),
        words: &[Word],
        (program, language): (&Program, Language),
        via: &str,
        arguments: &Arguments<'_>,
        outer: &Inherit,
    ) {
        if has_code(program, arguments) || operand_is_script(program, arguments) {
            return;
        }
        let Some(input) = self.input(index, host, outer) else { return };
        // What reads it leaves nothing for the commands in it.
        let outer = &Inherit { input: None, ..outer.clone() };
        if let Some(mut word) = input.text {
            if input.redirect.is_none() {
                word.span = words.first().map_or(host.span, |word| word.span);
            }
            self.code(&word, language, outer, via);
        }
    }
}

/// The pieces of code that a program is given in one place.
fn code_at(
    place: &CodePlace,
    words: &[Word],
    program: &Program,
    arguments: &Arguments<'_>,
) -> Vec<Word> {
    let operand = |nth: usize| {
        let (_, at) = arguments.operands.get(nth)?;
        words.get(*at).cloned()
    };
    // `awk -e CODE FILE`: where an option has the code or names its file, no operand is code.
    let given = || program.has_code_option(arguments) || arguments.has(&["-f", "--file"]).is_some();
    match place {
        CodePlace::First if given() => Vec::new(),
        CodePlace::First => operand(0).into_iter().collect(),
        CodePlace::Second if given() => Vec::new(),
        CodePlace::Second => operand(1).into_iter().collect(),
        CodePlace::Operands => {
            let from = arguments.operands.first().map_or(words.len(), |(_, at)| *at);
            joined(words.get(from..).unwrap_or(&[])).into_iter().collect()
        }
        CodePlace::Words => words.iter().skip(1).cloned().collect(),
        CodePlace::PlusWords => {
            words.iter().skip(1).filter(|word| word.text.starts_with('+')).cloned().collect()
        }
        CodePlace::Option(option) => {
            let given = arguments.flags.iter().filter(|flag| flag.name == option);
            given
                .filter_map(|flag| {
                    let (value, mut word) = (flag.value?, words.get(flag.value_at)?.clone());
                    // `--eval=CODE`: the code is only part of the word.
                    if word.text != value {
                        word.text = value.to_owned();
                        word.verbatim = None;
                    }
                    Some(word)
                })
                .collect()
        }
        CodePlace::Verb(verb) if arguments.operand(0) == Some(verb) => {
            operand(1).into_iter().collect()
        }
        CodePlace::Verb(_) => Vec::new(),
    }
}

/// Words joined by spaces, as one word.
fn joined(words: &[Word]) -> Option<Word> {
    let ([first, .., last] | [first @ last]) = words else { return None };
    let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    Some(Word { text, span: (first.span.0, last.span.1), ..first.clone() })
}
