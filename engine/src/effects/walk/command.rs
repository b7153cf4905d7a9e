//! One command: what its program and its arguments do.

use super::super::arguments::{Clause, Understood, understand};
use super::super::code;
use super::super::model::{Class, Effects, Touched};
use super::super::places;
use super::super::syntax::{self, Dialect, Simple};
use super::super::value::{Open, Value};
use super::effects::{network_rank, plain, rank_name, unclosed, with_redirects};
use super::names::{installed, is_closed_assignment, is_harmless_name, may_hold_code};
use super::state::{anything, union};
use super::words::environment;
use super::{Result1, Walker, resolve};
use crate::parse::Span;
use crate::tables::{Act, CodeKind, Kind, Network, Place, Stdin, Terminal};

impl Walker<'_> {
    pub(super) fn simple(
        &mut self,
        simple: &Simple,
        redirected: Effects,
        span: Span,
    ) -> Result1<()> {
        let mut assigned = Vec::new();
        for (name, word) in &simple.assignments {
            let value = self.expand(word)?;
            if simple.words.is_empty() {
                // The next one finds it: `a=1 b=$a`.
                let value = Value { many: false, split: false, ..value.clone() };
                self.state.variables.insert(name.clone(), value);
            }
            assigned.push((name.clone(), value));
        }
        if simple.words.is_empty() {
            let mut effects =
                Effects { reads: redirected.reads, writes: redirected.writes, ..plain() };
            // In a shell that goes on, a name that programs know would mean something.
            effects.redefines = assigned.iter().any(|(name, _)| !is_harmless_name(name));
            self.assigned_code = assigned.iter().any(|(name, _)| may_hold_code(name));
            self.push(Vec::new(), effects, span);
            return Ok(());
        }
        let mut words: Vec<Value> = Vec::with_capacity(simple.words.len());
        for word in &simple.words {
            words.push(self.expand(word)?);
        }
        self.dressed =
            !(assigned.is_empty() && redirected.reads.is_empty() && redirected.writes.is_empty());
        let doubtful = assigned.iter().find(|(name, value)| !is_closed_assignment(name, value));
        let doubt = doubtful.map(|(name, _)| format!("{name} is set for it"));
        self.command(words, redirected, doubt, span)
    }

    /// One command whose words are known, with what its redirections do.
    pub(super) fn command(
        &mut self,
        words: Vec<Value>,
        redirected: Effects,
        doubt: Option<String>,
        span: Span,
    ) -> Result1<()> {
        let name = words.first().and_then(Value::as_literal).map(str::to_owned);
        let Some(name) = name else {
            return self.unknown(words, redirected, "the program is known only at run time", span);
        };
        if let Some(doubt) = doubt {
            return self.unknown(words, redirected, &doubt, span);
        }
        let Some(program) = installed(&name) else {
            let mut effects =
                unclosed("a program outside of the system's directories: its code was not seen");
            effects.runs_unseen = true;
            self.push(words, with_redirects(effects, redirected), span);
            return Ok(());
        };
        match program {
            "cd" => return self.change_directory(words, redirected, span),
            "read" => return self.read(words, redirected, span),
            "test" | "[" => return self.compare(words, redirected, span),
            _ => {}
        }
        let Some(grammar) = self.tables.grammar(program) else {
            let why = format!("what the arguments of {program} do is not known");
            return self.unknown(words, redirected, &why, span);
        };
        if program == "ps" && may_show_environments(&words) {
            let why = "ps: without a user of that name it may show environments";
            return self.unknown(words, redirected, why, span);
        }
        // ksh and its kin compute what is printed as a number.
        if program == "printf" && !self.dialect.compares_plainly() && computes(&words) {
            return self.unknown(words, redirected, "printf: more than a number as one", span);
        }
        let grammar = std::sync::Arc::clone(grammar);
        match understand(&grammar, words.get(1..).unwrap_or(&[])) {
            Err(why) => self.unknown(words, redirected, &format!("{program}: {why}"), span),
            Ok(understood) => self.understood(program, words, understood, redirected, span),
        }
    }

    pub(super) fn unknown(
        &mut self,
        words: Vec<Value>,
        redirected: Effects,
        why: &str,
        span: Span,
    ) -> Result1<()> {
        self.push(words, with_redirects(unclosed(why), redirected), span);
        Ok(())
    }

    pub(super) fn understood(
        &mut self,
        program: &str,
        words: Vec<Value>,
        understood: Understood,
        redirected: Effects,
        span: Span,
    ) -> Result1<()> {
        let mut effects = plain();
        let mut network = "none";
        let mut stdin = None;
        for act in understood.acts.iter() {
            match act {
                Act::Changes(change) => {
                    effects.changes.insert(change.as_str().to_owned());
                }
                Act::ConfiguredBy(place) => {
                    effects.configured_by.insert(
                        match place {
                            Place::Home => "home",
                            Place::Service => "service",
                            Place::WorkingDirectory => "cwd",
                        }
                        .to_owned(),
                    );
                }
                Act::Network(reach) => {
                    network = match reach {
                        Network::Loopback => "loopback",
                        Network::Service => "service",
                        Network::Hosts => "hosts",
                    };
                }
                Act::Private => effects.private = true,
                Act::Redefines => effects.redefines = true,
                Act::Runs => effects.runs_unseen = true,
                Act::Stdin(what) => stdin = Some(what),
                Act::Terminal(what) => {
                    match what {
                        Terminal::Editor => "editor",
                        Terminal::Pager => "pager",
                        Terminal::Plain => "plain",
                        Terminal::Prompts => "prompts",
                        Terminal::Screen => "screen",
                        Terminal::Shell => "shell",
                    }
                    .clone_into(&mut effects.terminal);
                }
                Act::Deletes => {
                    let path = "somewhere".to_owned();
                    effects.deletes.push(Touched {
                        path,
                        class: Class::Plain,
                        open: true,
                        deep: true,
                        climbs: false,
                    });
                }
                // Of no file it makes no other.
                Act::Beside if !understood.uses.iter().any(|used| used.kind == Kind::Delete) => {}
                Act::Beside | Act::Writes => {
                    let path = "somewhere".to_owned();
                    effects.writes.push(Touched {
                        path,
                        class: Class::Plain,
                        open: true,
                        deep: true,
                        climbs: false,
                    });
                }
                Act::Info | Act::InPlace | Act::Opaque | Act::Recursive | Act::Skip => {}
            }
        }
        // `-C DIR`: everything else is seen from there.
        let outer = self.state.directories.clone();
        for used in understood.uses.iter().filter(|used| used.kind == Kind::Cwd) {
            let to = used.value.as_literal().unwrap_or("");
            self.touch(&mut effects.lists, &used.value, false);
            self.state.directories = self
                .state
                .directories
                .take()
                .map(|all| all.iter().map(|from| resolve(to, from)).collect());
        }
        let deep = understood.acts.has(Act::Recursive);
        let in_place = understood.acts.has(Act::InPlace);
        let mut inputs = 0;
        for used in &understood.uses {
            let value = &used.value;
            let is_stdin = value.as_literal() == Some("-");
            match used.kind {
                Kind::Archive | Kind::Input | Kind::Object if is_stdin => {}
                Kind::Archive | Kind::Input | Kind::Object | Kind::Tree => {
                    inputs += usize::from(!value.many);
                    self.touch(&mut effects.reads, value, deep || used.kind == Kind::Tree);
                    if in_place {
                        self.touch(&mut effects.writes, value, deep);
                    }
                }
                Kind::List | Kind::Meta => self.touch(&mut effects.lists, value, deep),
                Kind::Output if value.as_literal() == Some("/dev/null") || is_stdin => {}
                Kind::Output | Kind::Attributes | Kind::Directory => {
                    self.touch(&mut effects.writes, value, deep);
                    if used.kind == Kind::Attributes {
                        effects.changes.insert("permission".to_owned());
                    }
                }
                Kind::Delete => self.touch(&mut effects.deletes, value, deep),
                Kind::Pattern => {
                    effects.private |= value.open != Open::No || places::is_hunt(&value.text);
                }
                Kind::Variable => {
                    let known = value.as_literal().and_then(|name| environment(name, span));
                    effects.private |= known.is_none();
                }
                // Programs that run with somebody else's rights are looked for to use them.
                Kind::Mode => effects.private |= places::is_raised(&value.text),
                Kind::Host | Kind::Url => {
                    let reach =
                        code::host_of(value.as_literal().unwrap_or(""), used.kind == Kind::Url);
                    match reach {
                        Some(reach) if reach > network_rank(network) => network = rank_name(reach),
                        Some(_) => {}
                        None => {
                            let why = format!("{program}: an address that is not read");
                            self.state.directories = outer;
                            return self.unknown(words, redirected, &why, span);
                        }
                    }
                }
                Kind::Code(language) if language != CodeKind::Shell => {
                    // `-e A -e B` is one program, line by line: what is a text in A may go on in B.
                    let texts: Vec<&str> = understood
                        .uses
                        .iter()
                        .filter(|other| other.kind == used.kind)
                        .filter_map(|other| other.value.as_literal())
                        .collect();
                    let alone = code::check(language, value.as_literal().unwrap_or(""));
                    if let Err(why) = alone.and_then(|()| code::check(language, &texts.join("\n")))
                    {
                        self.state.directories = outer;
                        return self.unknown(words, redirected, &format!("{program}: {why}"), span);
                    }
                }
                _ => {}
            }
        }
        network.clone_into(&mut effects.network);
        let stdin = match stdin {
            Some(Stdin::FilterWithoutInput) => {
                let dash = understood.uses.iter().any(|used| used.value.as_literal() == Some("-"));
                if inputs == 0 || dash { "filter" } else { "unused" }
            }
            Some(Stdin::Archive) => "archive",
            Some(Stdin::Code) => "code",
            Some(Stdin::File) => "file",
            Some(Stdin::Filter) => "filter",
            Some(Stdin::Names) => "names",
            Some(Stdin::Protocol) => "protocol",
            Some(Stdin::Unused) | None => "unused",
        };
        stdin.clone_into(&mut effects.stdin);
        let shell = understood.uses.iter().find(|used| used.kind == Kind::Code(CodeKind::Shell));
        let shell = shell.and_then(|used| used.value.as_literal().map(str::to_owned));
        let (inner, clauses) = (understood.command, understood.clauses);
        self.push(words, with_redirects(effects, redirected), span);
        if let Some(pushed) = self.out.commands.last_mut() {
            pushed.started_in.clone_from(&outer);
        }
        self.state.directories = outer;
        if let Some(text) = shell {
            self.text(&text, program, span)?;
        }
        if let Some(mut inner) = inner {
            if program == "xargs" {
                inner = with_items(inner, &understood.options, span);
            }
            // `env A=b cmd`, `time -p cmd`.
            let fed = self.state.fed;
            self.state.fed |= program == "xargs";
            self.depth += 1;
            let state = self.state.clone();
            self.command(inner, Effects::default(), None, span)?;
            // `time` is a word of the shell itself; in all others nothing is left of a `cd`.
            if program == "time" {
                self.state.directories = union(state.directories, self.state.directories.take());
            } else {
                self.state = state;
            }
            self.depth -= 1;
            self.state.fed = fed;
        }
        for Clause { words: clause, together } in clauses {
            let starts: Vec<&Value> = understood
                .uses
                .iter()
                .filter(|used| used.kind == Kind::List)
                .map(|used| &used.value)
                .collect();
            let item = found(&starts, only_name(&understood.options), span);
            let item = Value { many: together, ..item };
            self.depth += 1;
            let state = self.state.clone();
            self.command(replace(clause, "{}", &item), Effects::default(), None, span)?;
            self.state = state;
            self.depth -= 1;
        }
        Ok(())
    }

    /// A line inside a word, as the argument of `sh -c`.
    pub(super) fn text(&mut self, text: &str, program: &str, span: Span) -> Result1<()> {
        let dialect = match Dialect::of(Some(program)) {
            Dialect::Unknown => Dialect::Posix,
            known => known,
        };
        let list = match syntax::read(text, dialect, false) {
            Ok(list) => list,
            Err(unread) => return self.fail(unread.why, span),
        };
        let (state, fixed, outer) = (self.state.clone(), self.fixed, self.dialect);
        self.fixed = Some(self.span(span));
        self.dialect = dialect;
        // Variables of the shell outside are not there, unless they are exported.
        self.state.variables.clear();
        self.depth += 1;
        let done = self.list(&list);
        self.depth -= 1;
        (self.state, self.fixed, self.dialect) = (state, fixed, outer);
        done
    }
}

/// The pattern that the name of everything that is found fits: there is one, and nothing takes it back.
fn only_name(options: &[(Box<str>, Option<Value>)]) -> Option<&str> {
    let turns = |name: &str| matches!(name, "-o" | "-or" | "," | "!" | "-not" | "(" | ")");
    if options.iter().any(|(name, _)| turns(name)) {
        return None;
    }
    let mut names = options.iter().filter(|(name, _)| **name == *"-name");
    let (_, value) = names.next()?;
    let text = value.as_ref()?.as_literal()?;
    // Everything in front of it is asked before, and what comes behind it is done after.
    let before = options.iter().position(|(name, _)| **name == *"-name")?;
    let acts = options.iter().position(|(name, _)| name.starts_with("-exec"))?;
    let plain = !text.contains(['/', '\\', '[']) && names.next().is_none();
    (plain && before < acts).then_some(text)
}

/// What `find` puts in the place of `{}`: a path that begins with one of its starting points.
fn found(starts: &[&Value], name: Option<&str>, span: Span) -> Value {
    let literal = match starts {
        [] => Some("."),
        [one] => one.as_literal(),
        _ => None,
    };
    match literal {
        Some(start) => {
            let start = start.trim_end_matches('/');
            Value {
                text: name.map_or_else(|| format!("{start}/*"), |name| format!("{start}/*/{name}")),
                known: start.len() + 1,
                open: Open::Below,
                span,
                ..Value::default()
            }
        }
        None => anything(span),
    }
}

/// Whether `ps` may read its options without their dashes, an `e` among them: `ps -auxe`, where there is
/// no user `xe`.
fn may_show_environments(words: &[Value]) -> bool {
    let options = || {
        words
            .iter()
            .skip(1)
            .map(|word| word.as_literal().unwrap_or("-e"))
            .filter(|text| text.starts_with('-') && !text.starts_with("--"))
    };
    let named = |text: &str| {
        text.split_once(['u', 'U']).is_some_and(|(_, user)| user.starts_with(char::is_alphabetic))
    };
    options().any(named) && options().any(|text| text.contains('e'))
}

/// Whether `printf` is to print something as a number that is none.
fn computes(words: &[Value]) -> bool {
    let format = words.get(1).and_then(Value::as_literal).unwrap_or("%d");
    let numbers = format.split('%').skip(1).any(|spec| {
        let conversion = spec.trim_start_matches(|c: char| "0123456789.-+ #'*".contains(c));
        spec.contains('*') || !conversion.starts_with(['s', 'b', 'q', 'c'])
    });
    let plain = |word: &Value| {
        word.numeric
            || word.as_literal().is_some_and(|text| {
                text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-'))
            })
    };
    numbers && !words.get(2..).unwrap_or(&[]).iter().all(plain)
}

/// What `xargs` makes of the words in front of its items. Of `-I`, `-L` and `-n` the last one counts.
fn with_items(words: Vec<Value>, options: &[(Box<str>, Option<Value>)], span: Span) -> Vec<Value> {
    let marks: Vec<Option<&str>> = options
        .iter()
        .filter(|(name, _)| **name == *"-I")
        .map(|(_, value)| value.as_ref().and_then(Value::as_literal))
        .collect();
    let counts = options.iter().any(|(name, _)| matches!(&**name, "-n" | "-L"));
    let many = Value { many: true, split: true, ..anything(span) };
    match marks.as_slice() {
        [] => words.into_iter().chain(std::iter::once(many)).collect(),
        [Some(mark)] if !counts && !mark.is_empty() => replace(words, mark, &anything(span)),
        // It may stand for any of the words, and behind all of them.
        _ => vec![many],
    }
}

fn replace(words: Vec<Value>, mark: &str, with: &Value) -> Vec<Value> {
    let replaced = |word: Value| match word.as_literal() {
        Some(text) if text == mark => Value { span: word.span, ..with.clone() },
        Some(text) if text.contains(mark) => {
            let before = text.split(mark).next().unwrap_or("");
            let mut value = Value::literal(before, word.span);
            value.push(&Value { split: with.split, open: Open::Anything, ..with.clone() });
            value
        }
        _ => word,
    };
    words.into_iter().map(replaced).collect()
}
