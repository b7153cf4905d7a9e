//! Looks through wrappers: `sudo`, `env`, `xargs`, `find -exec`, `ssh host cmd`, `sh -c` and their kind.
//! It must never drop the inner command, nor run deeper than the reader allows.

use crate::modifier::Modifier;
use crate::parse::{Place, Simple, Word};
use crate::program::base_name;
use crate::tables::{Arguments, Program, Wraps};

use super::interpreter::stdin_language;
use super::paths::resolve;
use super::program::{find_is_narrowed, program_name};
use super::scorer::{Inherit, MAX_WRAPPERS, Scorer, Unit};
use super::segment;

impl Scorer<'_> {
    /// Scores every command, including those found on the way.
    pub(crate) fn run(&mut self) {
        let mut index = 0;
        // Nested texts append commands while this loop runs.
        while let Some(slot) = self.shared.script.commands.get_mut(index) {
            let mut simple = std::mem::take(slot);
            let inherit =
                self.inherits.get(simple.inherit.unwrap_or(0)).cloned().unwrap_or_default();
            let words = std::mem::take(&mut simple.words);
            self.unit(index, &simple, &words, &inherit, true);
            self.follow_cd(&words);
            simple.words = words;
            self.follow_writes(index, &simple, &inherit);
            // Put it back: later stages of a pipeline look at the earlier ones.
            if let Some(slot) = self.shared.script.commands.get_mut(index) {
                *slot = simple;
            }
            index += 1;
        }
    }

    /// `cd X && rm -rf *`: where relative paths lead from here on.
    fn follow_cd(&mut self, words: &[Word]) {
        let [program, directory, ..] = words else { return };
        if matches!(program.text.as_str(), "cd" | "pushd" | "chdir") && directory.known() {
            self.cwd = Some(resolve(&directory.text, self.cwd.as_deref()));
        }
    }

    /// Scores one command, then looks for others inside it. What these add goes to the last score of
    /// the list: that of this command, or of the one it wraps.
    fn unit(
        &mut self,
        index: usize,
        host: &Simple,
        words: &[Word],
        inherit: &Inherit,
        outermost: bool,
    ) {
        let simple = outermost.then_some(host);
        let cwd = self.cwd.clone();
        let unit = Unit { words, inherit, simple, host, index, cwd: cwd.as_deref() };
        let score = segment::score(self, &unit);
        let span = score.span;
        self.scores.push(score);
        if words.is_empty() || inherit.depth >= MAX_WRAPPERS {
            if inherit.depth >= MAX_WRAPPERS {
                self.note(Modifier::Uninspectable, span, "wrapped too many times");
            }
            return;
        }
        let tables = self.tables;
        let program_name = program_name(words);
        if let Some(word) = words.first().filter(|word| word.known() && word.text.contains('/')) {
            self.run_written(&word.text.clone(), word.span, inherit, &program_name);
        }
        if words.first().is_some_and(|word| word.flags.dynamic) {
            self.look_at_literals(words, inherit);
        }
        if outermost {
            for words in self.each_line(host, words, inherit) {
                self.inner((index, host), &words, inherit, "read", |_| {});
            }
        }
        let Some(program) = tables.program(&program_name) else {
            // `time -f %e cmd` where `time` is the shell's own word.
            if program_name.starts_with('-') {
                let rest: Vec<Word> = words
                    .iter()
                    .skip_while(|word| word.text.starts_with(['-', '%']))
                    .cloned()
                    .collect();
                if !rest.is_empty() {
                    self.inner((index, host), &rest, inherit, &program_name, |_| {});
                }
            }
            return;
        };
        let arguments = Arguments::of(words, Some(program));
        // The code that it is given reads what it would.
        let runs = program.wraps.is_some() || !program.code.is_empty();
        let input = if runs { self.input(index, host, inherit).map(Box::new) } else { None };
        let given = input.is_some().then(|| Inherit { input, ..inherit.clone() });
        let inherit = given.as_ref().unwrap_or(inherit);
        self.look_through((index, host), words, program, &program_name, &arguments, inherit);
        self.look_into_code(words, program, &program_name, &arguments, inherit);
        self.look_at_hijacks(&arguments, words, inherit, &program_name);
        if program.script.is_some()
            && let Some((_, at)) = arguments.operands.first()
            && let Some(word) = words.get(*at)
        {
            if let Some(printed) = word.printed.clone() {
                self.nested(&printed, Place::Fixed(word.span), inherit, &program_name);
            }
            self.run_written(&word.text.clone(), word.span, inherit, &program_name);
        }
        if let Some(language) = stdin_language(program, &arguments) {
            let reader = (program, language);
            self.look_at_stdin((index, host), words, reader, &program_name, &arguments, inherit);
        }
    }

    fn inner(
        &mut self,
        (index, host): (usize, &Simple),
        words: &[Word],
        outer: &Inherit,
        via: &str,
        change: impl FnOnce(&mut Inherit),
    ) {
        let mut inherit = outer.clone();
        inherit.via.push(via.to_owned());
        inherit.depth += 1;
        change(&mut inherit);
        self.unit(index, host, words, &inherit, false);
    }

    /// The command that a wrapper runs, scored as if it stood alone.
    fn look_through(
        &mut self,
        (index, host): (usize, &Simple),
        words: &[Word],
        program: &Program,
        via: &str,
        arguments: &Arguments<'_>,
        outer: &Inherit,
    ) {
        let Some(wraps) = program.wraps.filter(|_| wraps_here(program, arguments)) else { return };
        let privileged = program.is.contains(crate::tables::Effect::Privilege);
        let span = words.first().map_or((0, 0), |word| word.span);
        match wraps {
            Wraps::Rest | Wraps::Xargs => {
                let Some(first) = first_inner(arguments, program.skip) else { return };
                let mut inner: Vec<Word> = words.get(first..).unwrap_or(&[]).to_vec();
                if wraps == Wraps::Xargs {
                    self.complete((index, host), &mut inner, arguments, outer);
                }
                self.inner((index, host), &inner, outer, via, |inherit| {
                    if privileged {
                        inherit.privileged.get_or_insert(span);
                    }
                    if wraps == Wraps::Xargs {
                        inherit.more_arguments.get_or_insert(span);
                    }
                });
            }
            Wraps::Dashes => {
                if let Some(inner) = after_dashes(words, program, arguments) {
                    self.inner((index, host), inner, outer, via, |_| {});
                }
            }
            Wraps::Find => self.find_exec((index, host), words, via, outer),
            Wraps::Joined => {
                let from = arguments.operands.first().map_or(words.len(), |(_, at)| *at);
                let verb = arguments
                    .operand(0)
                    .is_some_and(|verb| program.wraps_on.iter().any(|on| on == verb));
                let from = from + usize::from(verb);
                self.joined(words.get(from..).unwrap_or(&[]), outer, via);
            }
            Wraps::Ssh => {
                let Some((_, at)) = arguments.operands.get(1) else { return };
                self.joined(words.get(*at..).unwrap_or(&[]), outer, via);
            }
            Wraps::Text => {
                if let Some((_, at)) = arguments.operands.first()
                    && let Some(word) = words.get(*at)
                {
                    self.nested(&word.text.clone(), word.place(), outer, via);
                }
            }
            Wraps::Alias => {
                for word in words.get(1..).unwrap_or(&[]) {
                    if let Some((_, value)) = word.text.split_once('=') {
                        self.nested(value, Place::Fixed(word.span), outer, via);
                    }
                }
            }
        }
    }

    /// Reads words joined by spaces as one shell line, as `ssh` and `eval` do.
    fn joined(&mut self, words: &[Word], outer: &Inherit, via: &str) {
        match words {
            [] => {}
            [word] => self.nested(&word.text.clone(), word.place(), outer, via),
            [first, .., last] => {
                let text =
                    words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
                let verbatim =
                    words.iter().all(|word| word.verbatim.is_some() && !word.flags.quoted)
                        && last.span.1.saturating_sub(first.span.0) == text.len();
                let place = if verbatim {
                    Place::At(first.span.0)
                } else {
                    Place::Fixed((first.span.0, last.span.1))
                };
                self.nested(&text, place, outer, via);
            }
        }
    }

    /// `find / -exec rm {} ;`: `{}` stands for everything beneath the start.
    fn find_exec(
        &mut self,
        (index, host): (usize, &Simple),
        words: &[Word],
        via: &str,
        outer: &Inherit,
    ) {
        let starts: Vec<&Word> = words
            .iter()
            .skip(1)
            .take_while(|word| !word.text.starts_with(['-', '(', '!']))
            .collect();
        let narrowed = find_is_narrowed(words);
        let mut at = 0;
        while let Some(word) = words.get(at) {
            at += 1;
            if !matches!(
                word.text.as_str(),
                "-exec" | "-execdir" | "-ok" | "-okdir" | "-x" | "-X" | "--exec" | "--exec-batch"
            ) {
                continue;
            }
            let mut inner: Vec<Word> = Vec::new();
            while let Some(word) = words.get(at) {
                at += 1;
                if word.text == ";"
                    || (word.text == "+" && inner.last().is_some_and(|last| last.text == "{}"))
                {
                    break;
                }
                inner.push(word.clone());
            }
            if let Some(at) = inner.iter().position(|word| word.text == "{}")
                && !narrowed
                && at > 0
                && let [start, ..] = starts.as_slice()
            {
                // Without tests, the start itself is among what is found.
                let mut whole = (*start).clone();
                whole.flags.glob = true;
                if let Some(slot) = inner.get_mut(at) {
                    *slot = whole;
                }
            }
            if inner.is_empty() {
                continue;
            }
            let span = word.span;
            self.inner((index, host), &inner, outer, via, |inherit| {
                inherit.more_arguments.get_or_insert(span);
            });
        }
    }

    /// Appends what `xargs` reads, if that is constant.
    fn complete(
        &mut self,
        (index, host): (usize, &Simple),
        inner: &mut Vec<Word>,
        arguments: &Arguments<'_>,
        outer: &Inherit,
    ) {
        let input = self.input(index, host, outer).and_then(|input| input.text);
        let Some(input) = input.filter(Word::known).map(|word| word.text) else {
            return self.complete_from_find((index, host), inner);
        };
        let Some(last) = inner.last().cloned() else { return };
        let replace =
            arguments.has(&["-I", "-i", "--replace"]).and_then(|flag| flag.value).unwrap_or("{}");
        let word = |text: &str| Word { text: text.to_owned(), span: last.span, ..Word::default() };
        if let Some(slot) = inner.iter_mut().find(|word| word.text == replace) {
            slot.text = input.trim().to_owned();
        } else {
            inner.extend(input.split_whitespace().take(64).map(word));
        }
    }

    /// `find / | xargs rm -rf`: without tests, the start itself is among what is found.
    fn complete_from_find(&self, (index, host): (usize, &Simple), inner: &mut Vec<Word>) {
        let commands = &self.shared.script.commands;
        let this = host;
        let before =
            commands.get(..index).unwrap_or(&[]).iter().rev().find(|command| {
                command.pipeline == this.pipeline && command.stage + 1 == this.stage
            });
        let Some(find) = before.filter(|command| {
            command
                .words
                .first()
                .is_some_and(|word| matches!(base_name(&word.text), "find" | "fd" | "ls"))
                && !find_is_narrowed(&command.words)
        }) else {
            return;
        };
        let starts =
            find.words.iter().skip(1).take_while(|word| !word.text.starts_with(['-', '(', '!']));
        inner.extend(starts.cloned());
    }
}

/// Where the inner command begins: after options, assignments and `skip` operands.
fn first_inner(arguments: &Arguments<'_>, skip: usize) -> Option<usize> {
    arguments.operands.get(skip).map(|(_, at)| *at)
}

/// Whether this use of a program runs another one: with `wraps_on`, only some verbs do.
fn wraps_here(program: &Program, arguments: &Arguments<'_>) -> bool {
    let verb = |text: &str| program.wraps_on.iter().any(|on| on == text);
    program.wraps_on.is_empty()
        || arguments.operands.iter().take(2).any(|(text, _)| verb(text))
        || arguments.flags.iter().any(|flag| verb(flag.name))
}

/// The inner command behind `--`, or behind the verb and `skip` operands; `None` where there is none.
fn after_dashes<'a>(
    words: &'a [Word],
    program: &Program,
    arguments: &Arguments<'_>,
) -> Option<&'a [Word]> {
    let dashes = words.iter().position(|word| word.text == "--");
    // `docker compose exec` and `docker container exec` have one more word in front.
    let verb = arguments
        .operands
        .iter()
        .take(2)
        .position(|(text, _)| program.wraps_on.iter().any(|on| on == text))
        .unwrap_or(0);
    let first = match (dashes, arguments.operands.get(program.skip + verb)) {
        (Some(at), _) => at + 1,
        (None, Some((_, at))) if program.skip > 0 => *at,
        _ => return None,
    };
    words.get(first..).filter(|inner| !inner.is_empty())
}
