//! Looks through wrappers: `sudo`, `env`, `xargs`, `find -exec`, `ssh host cmd`, `sh -c` and their kind.
//! It must never drop the inner command, nor run deeper than the reader allows.

use crate::Context;
use crate::parse::{Place, RedirectOp, Shared, Simple, Span, Word, output, read_into};
use crate::tables::{Arguments, Language, Program, RiskTables, Wraps};

use super::draft::{Draft, name};
use super::{code, segment};

/// What the wrappers around a command say about it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inherit {
    pub(crate) via: Vec<String>,
    /// Where privilege was raised.
    pub(crate) privileged: Option<Span>,
    /// More arguments come from elsewhere.
    pub(crate) more_arguments: Option<Span>,
    /// Runs on another machine or in a container.
    pub(crate) elsewhere: bool,
    pub(crate) depth: usize,
}

/// One command with its wrappers taken off so far.
pub(crate) struct Unit<'a> {
    pub(crate) words: &'a [Word],
    pub(crate) inherit: &'a Inherit,
    /// Assignments and redirections count for the outermost command only.
    pub(crate) simple: Option<&'a Simple>,
    /// The command this one is, or stands in.
    pub(crate) host: &'a Simple,
    pub(crate) index: usize,
    pub(crate) cwd: Option<&'a str>,
}

/// Goes through all commands of a line, those found on the way included.
pub(crate) struct Scorer<'a> {
    pub(crate) tables: &'a RiskTables,
    pub(crate) context: &'a Context,
    pub(crate) shared: &'a mut Shared,
    inherits: Vec<Inherit>,
    pub(crate) drafts: Vec<Draft>,
    cwd: Option<String>,
    /// Files the line itself writes, and what into them: they may be run further on.
    written: Vec<(String, String)>,
}

/// How deep wrappers are looked through.
const MAX_WRAPPERS: usize = 16;

impl<'a> Scorer<'a> {
    pub(crate) fn new(
        tables: &'a RiskTables,
        context: &'a Context,
        shared: &'a mut Shared,
    ) -> Self {
        Self {
            tables,
            context,
            shared,
            inherits: vec![Inherit::default()],
            drafts: Vec::new(),
            cwd: context.cwd.clone(),
            written: Vec::new(),
        }
    }

    pub(crate) fn run(&mut self) {
        let mut index = 0;
        while let Some(slot) = self.shared.script.commands.get_mut(index) {
            let mut simple = std::mem::take(slot);
            let inherit =
                self.inherits.get(simple.inherit.unwrap_or(0)).cloned().unwrap_or_default();
            let words = std::mem::take(&mut simple.words);
            self.unit(index, &simple, &words, &inherit, true);
            self.follow_cd(&words);
            simple.words = words;
            self.follow_writes(index, &simple, &inherit);
            // Later stages of a pipeline look at the earlier ones.
            if let Some(slot) = self.shared.script.commands.get_mut(index) {
                *slot = simple;
            }
            index += 1;
        }
    }

    pub(crate) fn finish(self) -> Vec<Draft> {
        self.drafts
    }

    /// `cd X && rm -rf *`: where relative paths lead from here on.
    fn follow_cd(&mut self, words: &[Word]) {
        let [program, directory, ..] = words else { return };
        if matches!(program.text.as_str(), "cd" | "pushd" | "chdir") && directory.known() {
            self.cwd = Some(super::target::resolve(&directory.text, self.cwd.as_deref()));
        }
    }

    /// `echo 'rm -rf /' > x; sh x`: what a file is given may run later in the line, or by itself.
    fn follow_writes(&mut self, index: usize, simple: &Simple, inherit: &Inherit) {
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
        let path = super::target::resolve(&target.text, self.cwd.as_deref());
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
        if self.tables.places.is_persistence(&path) {
            self.cron(&text, Place::Fixed(span), inherit, "later");
        }
        if self.written.len() < 64 {
            self.written.push((path, text));
        }
    }

    /// Runs what the line wrote into a file, if the file is run.
    fn run_written(&mut self, path: &str, span: Span, outer: &Inherit, via: &str) {
        let path = super::target::resolve(path, self.cwd.as_deref());
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
    fn cron(&mut self, text: &str, place: Place, outer: &Inherit, via: &str) {
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
                let first = rest.first().map_or("", |word| output::base_name(word));
                if self.tables.program(first).is_some() {
                    self.nested(&rest.join(" "), place, outer, via);
                }
            }
        }
    }

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
        let draft = segment::score(self, &unit);
        let span = draft.span;
        self.drafts.push(draft);
        if words.is_empty() || inherit.depth >= MAX_WRAPPERS {
            if inherit.depth >= MAX_WRAPPERS {
                self.note(name::UNINSPECTABLE, span, "wrapped too many times");
            }
            return;
        }
        let tables = self.tables;
        let program_name = segment::program_name(words);
        if let Some(word) = words.first().filter(|word| word.known() && word.text.contains('/')) {
            self.run_written(&word.text.clone(), word.span, inherit, &program_name);
        }
        if words.first().is_some_and(|word| word.flags.dynamic) {
            self.look_at_literals(words, inherit);
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
        if matches!(program.stdin, Some(Language::Shell | Language::Cron)) {
            self.look_at_stdin((index, host), words, program, &program_name, &arguments, inherit);
        }
    }

    /// Adds a cause to the draft of the command just scored.
    pub(crate) fn note(&mut self, name: &'static str, span: Span, why: impl Into<String>) {
        if let Some(draft) = self.drafts.last_mut() {
            draft.causes.add(name, span, why);
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

    /// Reads a nested shell text; its commands are scored when the loop reaches them.
    pub(crate) fn nested(&mut self, text: &str, place: Place, outer: &Inherit, via: &str) {
        let mut inherit = outer.clone();
        inherit.via.push(via.to_owned());
        inherit.depth += 2;
        if inherit.depth > MAX_WRAPPERS {
            let span = place.map((0, text.len()));
            self.note(name::UNINSPECTABLE, span, "code inside code inside code, too deep to read");
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

    fn look_through(
        &mut self,
        (index, host): (usize, &Simple),
        words: &[Word],
        program: &Program,
        via: &str,
        arguments: &Arguments<'_>,
        outer: &Inherit,
    ) {
        let Some(wraps) = program.wraps else { return };
        if !program.wraps_on.is_empty() {
            let verb = |text: &str| program.wraps_on.iter().any(|on| on == text);
            let on = arguments.operands.iter().take(2).any(|(text, _)| verb(text))
                || arguments.flags.iter().any(|flag| verb(flag.name));
            if !on {
                return;
            }
        }
        let privileged = program.is.contains(crate::tables::Effect::Privilege);
        let span = words.first().map_or((0, 0), |word| word.span);
        match wraps {
            Wraps::Rest | Wraps::Xargs => {
                let Some(first) = first_inner(arguments, program.skip) else { return };
                let mut inner: Vec<Word> = words.get(first..).unwrap_or(&[]).to_vec();
                if wraps == Wraps::Xargs {
                    self.complete((index, host), &mut inner, arguments);
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
                    _ => return,
                };
                let inner = words.get(first..).unwrap_or(&[]);
                if !inner.is_empty() {
                    self.inner((index, host), inner, outer, via, |inherit| {
                        inherit.elsewhere = true
                    });
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
                let mut elsewhere = outer.clone();
                elsewhere.elsewhere = true;
                self.joined(words.get(*at..).unwrap_or(&[]), &elsewhere, via);
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

    /// Values of options that make a program run something: `-c core.pager='...'`, `exec=...`.
    fn look_at_hijacks(
        &mut self,
        arguments: &Arguments<'_>,
        words: &[Word],
        outer: &Inherit,
        via: &str,
    ) {
        if !self.drafts.last().is_some_and(|draft| draft.causes.has(name::HIJACK)) {
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
    fn look_at_literals(&mut self, words: &[Word], outer: &Inherit) {
        for word in words.iter().skip(1).filter(|word| word.text.contains(' ')) {
            self.maybe_shell(&word.text.clone(), word.span, outer, "?");
        }
    }

    /// Reads a text as shell if it begins like a command.
    fn maybe_shell(&mut self, text: &str, span: Span, outer: &Inherit, via: &str) {
        let first = text.split_whitespace().next().unwrap_or("");
        if self.tables.program(output::base_name(first)).is_some() {
            self.nested(text, Place::Fixed(span), outer, via);
        }
    }

    /// Words joined by spaces are one shell line, as `ssh` and `eval` see them.
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
        let narrowed = segment::find_is_narrowed(words);
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
                // Unnarrowed, the start itself is among what is found.
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

    /// Adds what `xargs` reads, where that is constant.
    fn complete(
        &mut self,
        (index, host): (usize, &Simple),
        inner: &mut Vec<Word>,
        arguments: &Arguments<'_>,
    ) {
        let input =
            output::before(&self.shared.script, index, host).or_else(|| self.constant_stdin(host));
        let Some(input) = input else { return self.complete_from_find((index, host), inner) };
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

    /// `find / | xargs rm -rf`: unnarrowed, the start itself is among what is found.
    fn complete_from_find(&self, (index, host): (usize, &Simple), inner: &mut Vec<Word>) {
        let commands = &self.shared.script.commands;
        let this = host;
        let before =
            commands.get(..index).unwrap_or(&[]).iter().rev().find(|command| {
                command.pipeline == this.pipeline && command.stage + 1 == this.stage
            });
        let Some(find) =
            before.filter(|command| {
                command.words.first().is_some_and(|word| {
                    matches!(output::base_name(&word.text), "find" | "fd" | "ls")
                }) && !segment::find_is_narrowed(&command.words)
            })
        else {
            return;
        };
        let starts =
            find.words.iter().skip(1).take_while(|word| !word.text.starts_with(['-', '(', '!']));
        inner.extend(starts.cloned());
    }

    fn constant_stdin(&self, simple: &Simple) -> Option<String> {
        let redirect = simple.redirects.iter().rev().find(|redirect| redirect.fd == Some(0))?;
        let word = match redirect.op {
            RedirectOp::HereString => &redirect.target,
            RedirectOp::HereDoc => self.shared.script.bodies.get(redirect.body?)?,
            _ => return None,
        };
        word.known().then(|| word.text.clone())
    }

    /// Code given in options or operands.
    fn look_into_code(
        &mut self,
        words: &[Word],
        program: &Program,
        via: &str,
        arguments: &Arguments<'_>,
        outer: &Inherit,
    ) {
        for (option, language) in &program.code {
            let mut texts: Vec<Word> = Vec::new();
            match option.as_str() {
                "1" | "2" => {
                    let at = usize::from(option == "2");
                    let given = program.code.iter().any(|(other, _)| {
                        other.starts_with('-') && arguments.has(&[other.as_str()]).is_some()
                    });
                    if !given
                        && arguments.has(&["-f", "--file"]).is_none()
                        && let Some((_, at)) = arguments.operands.get(at)
                        && let Some(word) = words.get(*at)
                    {
                        texts.push(word.clone());
                    }
                }
                "*" => {
                    if let Some((_, from)) = arguments.operands.first() {
                        let rest = words.get(*from..).unwrap_or(&[]);
                        if let [first, .., last] | [first @ last] = rest {
                            let text = rest
                                .iter()
                                .map(|word| word.text.as_str())
                                .collect::<Vec<_>>()
                                .join(" ");
                            texts.push(Word {
                                text,
                                span: (first.span.0, last.span.1),
                                ..first.clone()
                            });
                        }
                    }
                }
                "+*" => texts.extend(
                    words.iter().skip(1).filter(|word| word.text.starts_with('+')).cloned(),
                ),
                option if option.starts_with('-') => {
                    for flag in arguments.flags.iter().filter(|flag| flag.name == option) {
                        let (Some(value), Some(word)) = (flag.value, words.get(flag.value_at))
                        else {
                            continue;
                        };
                        let mut word = word.clone();
                        if word.text != value {
                            word.text = value.to_owned();
                            word.verbatim = None;
                        }
                        texts.push(word);
                    }
                }
                verb => {
                    if arguments.operand(0) == Some(verb)
                        && let Some((_, at)) = arguments.operands.get(1)
                        && let Some(word) = words.get(*at)
                    {
                        texts.push(word.clone());
                    }
                }
            }
            for word in texts {
                self.code(&word, *language, outer, via);
            }
        }
    }

    /// One piece of code in one language.
    pub(crate) fn code(&mut self, word: &Word, language: Language, outer: &Inherit, via: &str) {
        if word.flags.unknown_output && matches!(language, Language::Shell | Language::Code) {
            let network = self.runs_network();
            if network {
                self.note(name::PIPE, word.span, "code fetched over the network is run");
            }
            self.note(name::INDIRECT, word.span, "code is made while it runs");
            self.note(name::UNINSPECTABLE, word.span, "the code that runs cannot be seen");
        }
        let seen = match language {
            Language::Cron => return self.cron(&word.text.clone(), word.place(), outer, via),
            Language::Shell => {
                let whole_unknown = word.flags.dynamic
                    && word.text.starts_with(['$', '`'])
                    && !word.text.contains(' ');
                if whole_unknown {
                    self.note(name::INDIRECT, word.span, "code is taken from a variable");
                    self.note(name::UNINSPECTABLE, word.span, "the code that runs cannot be seen");
                }
                return self.nested(&word.text.clone(), word.place(), outer, via);
            }
            Language::Sql => {
                return segment::statements(self, &super::sql::sql(&word.text), word.span);
            }
            Language::Redis => {
                return segment::statements(self, &super::sql::redis(&word.text), word.span);
            }
            Language::Mongo => {
                return segment::statements(self, &super::sql::mongo(&word.text), word.span);
            }
            Language::Awk => code::awk(&word.text),
            Language::Sed => code::sed(&word.text),
            Language::Editor => code::editor(&word.text),
            Language::Code => code::code(&word.text),
        };
        segment::seen(self, &seen, word.span);
        for text in &seen.shell {
            // A literal is a shell line only if it begins like one.
            self.maybe_shell(text, word.span, outer, via);
        }
    }

    /// Whether a command of the line fetches something.
    pub(crate) fn runs_network(&self) -> bool {
        self.shared.script.commands.iter().any(|command| {
            command.words.iter().take(3).any(|word| {
                matches!(
                    output::base_name(&word.text),
                    "curl"
                        | "wget"
                        | "fetch"
                        | "aria2c"
                        | "nc"
                        | "ncat"
                        | "netcat"
                        | "socat"
                        | "http"
                        | "lynx"
                        | "GET"
                        | "ftp"
                        | "dig"
                        | "openssl"
                )
            })
        })
    }

    /// A shell without code of its own runs what it reads.
    fn look_at_stdin(
        &mut self,
        (index, host): (usize, &Simple),
        words: &[Word],
        program: &Program,
        via: &str,
        arguments: &Arguments<'_>,
        outer: &Inherit,
    ) {
        let has_code =
            program.code.iter().any(|(option, _)| arguments.has(&[option.as_str()]).is_some());
        let has_script = arguments.operand(0).is_some_and(|script| {
            !matches!(script, "-" | "/dev/stdin" | "/proc/self/fd/0" | "/dev/fd/0")
        }) && arguments.has(&["-s"]).is_none();
        if has_code || (has_script && program.script.is_some()) {
            return;
        }
        let simple = host;
        let span = words.first().map_or(simple.span, |word| word.span);
        if let Some(redirect) =
            simple.redirects.iter().rev().find(|redirect| redirect.fd == Some(0))
        {
            let word = match redirect.op {
                RedirectOp::HereString => Some(redirect.target.clone()),
                RedirectOp::HereDoc => {
                    redirect.body.and_then(|at| self.shared.script.bodies.get(at)).cloned()
                }
                _ => None,
            };
            match word {
                Some(word) if program.stdin == Some(Language::Cron) => {
                    self.cron(&word.text.clone(), word.place(), outer, via)
                }
                Some(word) => self.code(&word, Language::Shell, outer, via),
                None => {}
            }
            return;
        }
        if let Some(text) = output::before(&self.shared.script, index, host) {
            if program.stdin == Some(Language::Cron) {
                self.cron(&text, Place::Fixed(span), outer, via);
            } else {
                self.nested(&text, Place::Fixed(span), outer, via);
            }
        }
    }
}

/// Where the inner command begins: after options, assignments and `skip` operands.
fn first_inner(arguments: &Arguments<'_>, skip: usize) -> Option<usize> {
    arguments.operands.get(skip).map(|(_, at)| *at)
}
