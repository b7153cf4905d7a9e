//! Goes through a line as the shell would, and says of each command what it does. The directory, the
//! variables and the standard input that a command has travel along.

use std::collections::HashMap;

use super::arguments::{Understood, understand};
use super::code;
use super::model::{Class, Effects, Touched};
use super::places;
use super::syntax::{
    self, Change, Dialect, Item, Join, List, Node, Part, Redirect, RedirectOp, Simple, Stage,
    Unread, Word,
};
use super::value::{Open, Value};
use crate::parse::Span;
use crate::program::base_name;
use crate::tables::{Act, CodeKind, Kind, Network, Place, RiskTables, Stdin, Terminal};

/// One command of a line, with what it does where it stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Performed {
    pub(crate) span: Span,
    /// Its words as far as they are known, the program first.
    pub(crate) words: Vec<Value>,
    pub(crate) effects: Effects,
    /// Where it may run; `None`: anywhere.
    pub(crate) directories: Option<Vec<String>>,
    /// Standard input comes from the line itself: a pipe, a file, a text.
    pub(crate) fed: bool,
    /// It has nothing but words: no assignment, and no redirection but to `/dev/null` or another
    /// descriptor.
    pub(crate) bare: bool,
}

/// What happens when a line runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Performance {
    pub(crate) commands: Vec<Performed>,
}

/// The most commands that are gone through, loops unrolled.
const MAX_COMMANDS: usize = 400;
/// The most rounds of a loop that are gone through one by one.
const MAX_ROUNDS: usize = 24;
/// The most directories that a command may run in.
const MAX_DIRECTORIES: usize = 6;

/// Goes through a line. An error says why it cannot be read; then nothing is known of it.
pub(crate) fn perform(
    tables: &RiskTables,
    text: &str,
    dialect: Dialect,
    interactive: bool,
    cwd: Option<&str>,
) -> Result<Performance, Unread> {
    let list = syntax::read(text, dialect, interactive)?;
    let state = State {
        directories: Some(vec![cwd.unwrap_or("~").to_owned()]),
        variables: HashMap::new(),
        fed: false,
    };
    let mut walker = Walker {
        tables,
        dialect,
        out: Performance::default(),
        depth: 0,
        state,
        fixed: None,
        dressed: false,
    };
    walker.list(&list)?;
    Ok(walker.out)
}

/// What a command finds when it starts.
#[derive(Clone, Debug)]
struct State {
    /// `None`: anywhere.
    directories: Option<Vec<String>>,
    variables: HashMap<String, Value>,
    fed: bool,
}

struct Walker<'a> {
    tables: &'a RiskTables,
    dialect: Dialect,
    out: Performance,
    depth: usize,
    state: State,
    /// The span of everything that is read now, where it stands in a text of its own.
    fixed: Option<Span>,
    /// The command that comes next has assignments or redirections.
    dressed: bool,
}

type Result1<T> = Result<T, Unread>;

impl Walker<'_> {
    fn span(&self, span: Span) -> Span {
        self.fixed.unwrap_or(span)
    }

    fn fail<T>(&self, why: &'static str, span: Span) -> Result1<T> {
        Err(Unread { why, span: self.span(span) })
    }

    fn list(&mut self, list: &List) -> Result1<()> {
        // All that a chain of `&&` and `||` may have left behind, wherever it stopped: after `cd X; …`,
        // `cd X && a || b` and `! cd X && b` the directory may be another than X, and what was to be
        // assigned may not be.
        let mut left = self.state.clone();
        let mut succeeded = true;
        for item in &list.items {
            if item.join != Join::And || !succeeded {
                self.state = merge(left.clone(), self.state.clone());
            }
            left = match item.join {
                Join::Then => self.state.clone(),
                Join::And | Join::Or => merge(left, self.state.clone()),
            };
            // What follows `&&` runs after this one only if it ran itself.
            succeeded = !item.negated && item.join != Join::Or;
            self.item(item)?;
            // The first of a chain runs in any case: what it assigns is assigned.
            if item.join == Join::Then {
                left.variables.clone_from(&self.state.variables);
            }
        }
        self.state = merge(left, self.state.clone());
        Ok(())
    }

    fn item(&mut self, item: &Item) -> Result1<()> {
        let piped = item.stages.len() > 1;
        for (at, stage) in item.stages.iter().enumerate() {
            if piped {
                // Each runs in a shell of its own, but for the last in zsh.
                let state = self.state.clone();
                self.state.fed |= at > 0;
                self.stage(stage)?;
                let changed = std::mem::replace(&mut self.state, state);
                if at + 1 == item.stages.len() {
                    self.state.directories =
                        union(self.state.directories.take(), changed.directories);
                    self.forget(&changed.variables);
                }
            } else {
                self.stage(stage)?;
            }
        }
        Ok(())
    }

    /// Variables that may have been set elsewhere.
    fn forget(&mut self, changed: &HashMap<String, Value>) {
        for (name, value) in changed {
            match self.state.variables.get(name) {
                Some(old) if old == value => {}
                _ => {
                    self.state.variables.insert(name.clone(), anything((0, 0)));
                }
            }
        }
    }

    fn stage(&mut self, stage: &Stage) -> Result1<()> {
        self.depth += 1;
        if self.depth > 24 || self.out.commands.len() > MAX_COMMANDS {
            return self.fail("too many commands", stage.span);
        }
        let fed = self.state.fed;
        let mut redirected = Effects::default();
        for redirect in &stage.redirects {
            self.redirect(redirect, &mut redirected)?;
        }
        if let Node::Simple(simple) = &stage.node {
            self.simple(simple, redirected, stage.span)?;
        } else {
            if !(redirected.reads.is_empty() && redirected.writes.is_empty()) {
                let effects = Effects {
                    closed: true,
                    stdin: "unused".to_owned(),
                    terminal: "plain".to_owned(),
                    network: "none".to_owned(),
                    ..redirected
                };
                self.push(Vec::new(), effects, stage.span);
            }
            self.node(&stage.node, stage.span)?;
        }
        self.state.fed = fed;
        self.depth -= 1;
        Ok(())
    }

    fn node(&mut self, node: &Node, span: Span) -> Result1<()> {
        match node {
            Node::Simple(_) => Ok(()),
            Node::Group { body, subshell: false } => self.list(body),
            Node::Group { body, subshell: true } => {
                let state = self.state.clone();
                self.list(body)?;
                self.state = state;
                Ok(())
            }
            Node::If { branches, otherwise } => {
                let mut after: Option<State> = None;
                let mut join = |state: State| {
                    after = Some(match after.take() {
                        Some(other) => merge(other, state),
                        None => state,
                    });
                };
                for (condition, body) in branches {
                    self.list(condition)?;
                    let state = self.state.clone();
                    self.list(body)?;
                    join(std::mem::replace(&mut self.state, state));
                }
                self.list(otherwise)?;
                join(self.state.clone());
                if let Some(after) = after {
                    self.state = after;
                }
                Ok(())
            }
            Node::While { condition, body } => self.while_read(condition, body, span),
            Node::For { name, words, body } => self.for_loop(name, words, body, span),
            Node::Test(words) => self.test(words, span),
        }
    }

    /// A loop, round by round where its words are known.
    fn for_loop(&mut self, name: &str, words: &[Word], body: &List, span: Span) -> Result1<()> {
        if !is_harmless_name(name) {
            return self.fail("a loop over a variable that may mean something to a program", span);
        }
        let mut values = Vec::new();
        for word in words {
            values.extend(self.expand(word)?);
        }
        let before = self.state.clone();
        let known = values.len() <= MAX_ROUNDS
            && values.iter().all(|value| !value.many || value.open == Open::Names);
        let rounds = if known { values } else { vec![common(&values, span)] };
        for value in rounds {
            // One word in each round, whichever.
            let value = Value { many: false, ..value };
            self.state.variables.insert(name.to_owned(), value);
            self.list(body)?;
        }
        let after = std::mem::replace(&mut self.state, before.clone());
        self.state = merge(before, after);
        // A second round begins where the first has ended.
        self.again(body, span)
    }

    /// Refuses loops whose rounds change what the next one finds.
    fn again(&mut self, body: &List, span: Span) -> Result1<()> {
        let directories = self.state.directories.clone();
        if directories.as_ref().is_none_or(|all| all.len() > 1) && changes_directory(body) {
            return self.fail("a loop that changes the directory", span);
        }
        Ok(())
    }

    fn while_read(&mut self, condition: &List, body: &List, span: Span) -> Result1<()> {
        let reads = |item: &Item| match item.stages.as_slice() {
            [stage] => matches!(&stage.node, Node::Simple(simple)
                if simple.words.first().and_then(Word::literal).as_deref() == Some("read")),
            _ => false,
        };
        let [only] = condition.items.as_slice() else {
            return self.fail("a loop that is not read", span);
        };
        if !reads(only) {
            return self.fail("a loop that may never end", span);
        }
        let before = self.state.clone();
        // What the first round sets, the second finds: twice is enough, as the values are unknown then.
        for _ in 0..2 {
            self.list(condition)?;
            self.list(body)?;
        }
        let after = std::mem::replace(&mut self.state, before.clone());
        self.state = merge(before, after);
        self.again(body, span)
    }

    /// `[[ … ]]`: names and files; what computes is refused.
    fn test(&mut self, words: &[Word], span: Span) -> Result1<()> {
        let mut effects = plain();
        for word in words {
            let text = word.literal().unwrap_or_default();
            if matches!(
                text.as_str(),
                "-v" | "-R" | "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge" | "-N"
            ) {
                // They evaluate what stands there.
                if words.iter().any(|word| word.literal().is_none()) {
                    return self.fail("a test that computes what is known only at run time", span);
                }
            }
            for value in self.expand(word)? {
                if value.text.contains('/') || value.text.contains('.') {
                    self.touch(&mut effects.lists, &value, false);
                }
            }
        }
        self.push(Vec::new(), effects, span);
        Ok(())
    }

    fn push(&mut self, words: Vec<Value>, effects: Effects, span: Span) {
        let bare = !words.is_empty() && !std::mem::take(&mut self.dressed);
        let performed = Performed {
            span: self.span(span),
            words,
            effects,
            directories: self.state.directories.clone(),
            fed: self.state.fed,
            bare,
        };
        self.out.commands.push(performed);
    }

    fn redirect(&mut self, redirect: &Redirect, effects: &mut Effects) -> Result1<()> {
        match redirect.op {
            RedirectOp::Duplicate => Ok(()),
            RedirectOp::Text => {
                self.expand(&redirect.target)?;
                self.state.fed = true;
                Ok(())
            }
            RedirectOp::Append | RedirectOp::Both | RedirectOp::Read | RedirectOp::Write => {
                let values = self.expand(&redirect.target)?;
                let [value] = values.as_slice() else {
                    return self.fail("a redirection to more than one file", redirect.span);
                };
                if value.many {
                    return self
                        .fail("a redirection to what is known only at run time", redirect.span);
                }
                if redirect.op == RedirectOp::Read {
                    self.state.fed |= redirect.fd == 0;
                    self.touch(&mut effects.reads, value, false);
                } else if value.as_literal() != Some("/dev/null") {
                    self.touch(&mut effects.writes, value, false);
                }
                Ok(())
            }
        }
    }

    /// What a word becomes.
    fn expand(&mut self, word: &Word) -> Result1<Vec<Value>> {
        let span = self.span(word.span);
        let mut out = Value { span, numeric: true, ..Value::default() };
        let mut quoted = false;
        for part in &word.parts {
            let piece = match part {
                Part::Text { text, quoted: quotes } => {
                    quoted |= quotes;
                    Value::literal(text.clone(), span)
                }
                Part::Home => Value::literal("~", span),
                Part::Arithmetic | Part::Numbers => Value {
                    text: "*".to_owned(),
                    open: Open::Names,
                    many: *part == Part::Numbers,
                    numeric: true,
                    span,
                    ..Value::default()
                },
                Part::Glob(glob) => Value {
                    text: if glob == "*" { "*".to_owned() } else { "?".to_owned() },
                    open: Open::Names,
                    many: true,
                    span,
                    ..Value::default()
                },
                Part::Output { list, quoted } => {
                    // What it changes in its own shell stays there.
                    let state = self.state.clone();
                    let first = self.out.commands.len();
                    self.depth += 1;
                    self.list(list)?;
                    self.depth -= 1;
                    self.state = state;
                    let numeric = self.prints_number(first);
                    let text = "*".to_owned();
                    let open = if numeric { Open::Names } else { Open::Anything };
                    Value {
                        text,
                        open,
                        many: !quoted && !numeric,
                        numeric,
                        span,
                        ..Value::default()
                    }
                }
                Part::Parameter { name, change, quoted } => {
                    self.parameter(name, change, *quoted, span)?
                }
            };
            out.push(&piece);
        }
        let numeric = out.numeric && !out.text.is_empty() && out.open != Open::No;
        out.numeric = numeric;
        // An expansion outside quotes that is empty is no word at all.
        Ok(vec![out])
    }

    /// Whether the commands gone through since then print a number: `$(… | wc -l)`.
    fn prints_number(&self, first: usize) -> bool {
        let last = self.out.commands.get(first..).and_then(<[Performed]>::last);
        let words: Vec<&str> =
            last.iter().flat_map(|last| &last.words).filter_map(Value::as_literal).collect();
        matches!(
            words.as_slice(),
            ["wc", "-l" | "-c" | "-w" | "-m"] | ["nproc"] | ["date", "+%s"] | ["id", "-u" | "-g"]
        ) || matches!(words.as_slice(), ["grep" | "egrep" | "fgrep", option, ..] if *option == "-c")
    }

    fn parameter(&self, name: &str, change: &Change, quoted: bool, span: Span) -> Result1<Value> {
        if *change == Change::Length {
            return Ok(Value {
                text: "*".to_owned(),
                open: Open::Names,
                numeric: true,
                span,
                ..Value::default()
            });
        }
        let known = self.state.variables.get(name).cloned().or_else(|| environment(name, span));
        let Some(mut value) = known else {
            return self.fail("a variable that may hold a secret", span);
        };
        value.span = span;
        match change {
            Change::Cut { .. } => {
                value = Value { numeric: false, ..anything(span) };
            }
            Change::Or(text) if value.as_literal() != Some(text.as_str()) => value = anything(span),
            _ => {}
        }
        // The name of the home directory has no blank in it.
        let home = name == "HOME" && value.as_literal() == Some("~");
        if quoted {
            value.many = false;
        } else if !home
            && (value.as_literal().is_some_and(|text| text.bytes().any(|b| !is_word_byte(b)))
                || value.as_literal().is_some_and(str::is_empty)
                || value.as_literal().is_none() && !value.numeric)
        {
            // It is split at blanks, and patterns in it are expanded.
            value = Value { many: true, ..anything(span) };
        }
        Ok(value)
    }

    fn simple(&mut self, simple: &Simple, redirected: Effects, span: Span) -> Result1<()> {
        let mut assigned = Vec::new();
        for (name, word) in &simple.assignments {
            let values = self.expand(word)?;
            let value = values.into_iter().next().unwrap_or_else(|| anything(span));
            assigned.push((name.clone(), value));
        }
        if simple.words.is_empty() {
            let mut effects =
                Effects { reads: redirected.reads, writes: redirected.writes, ..plain() };
            for (name, value) in assigned {
                // In a shell that goes on, a name that programs know would mean something.
                effects.redefines |= !is_harmless_name(&name);
                self.state.variables.insert(name, Value { many: false, ..value });
            }
            self.push(Vec::new(), effects, span);
            return Ok(());
        }
        let mut words: Vec<Value> = Vec::new();
        for word in &simple.words {
            words.extend(self.expand(word)?);
        }
        self.dressed =
            !(assigned.is_empty() && redirected.reads.is_empty() && redirected.writes.is_empty());
        let doubtful = assigned.iter().find(|(name, value)| !is_closed_assignment(name, value));
        let doubt = doubtful.map(|(name, _)| format!("{name} is set for it"));
        self.command(words, redirected, doubt, span)
    }

    /// One command whose words are known, with what its redirections do.
    fn command(
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
        let grammar = std::sync::Arc::clone(grammar);
        match understand(&grammar, words.get(1..).unwrap_or(&[])) {
            Err(why) => self.unknown(words, redirected, &format!("{program}: {why}"), span),
            Ok(understood) => self.understood(program, words, understood, redirected, span),
        }
    }

    fn unknown(
        &mut self,
        words: Vec<Value>,
        redirected: Effects,
        why: &str,
        span: Span,
    ) -> Result1<()> {
        self.push(words, with_redirects(unclosed(why), redirected), span);
        Ok(())
    }

    fn understood(
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
                Act::Writes => {
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
                    if let Err(why) = code::check(language, value.as_literal().unwrap_or("")) {
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
            Some(Stdin::Unused) | None => "unused",
        };
        stdin.clone_into(&mut effects.stdin);
        let shell = understood.uses.iter().find(|used| used.kind == Kind::Code(CodeKind::Shell));
        let shell = shell.and_then(|used| used.value.as_literal().map(str::to_owned));
        let (inner, clauses) = (understood.command, understood.clauses);
        self.push(words.clone(), with_redirects(effects, redirected), span);
        self.state.directories = outer;
        if let Some(text) = shell {
            self.text(&text, program, span)?;
        }
        if let Some(mut inner) = inner {
            if program == "xargs" {
                let fixed = understood.options.iter().find_map(|(name, value)| {
                    (&**name == "-I")
                        .then(|| value.as_ref().and_then(Value::as_literal).map(str::to_owned))?
                });
                let items = Value { many: fixed.is_none(), ..anything(span) };
                inner = match fixed {
                    Some(mark) => replace(inner, &mark, &items),
                    None => inner.into_iter().chain(std::iter::once(items)).collect(),
                };
            }
            // `env A=b cmd`, `time -p cmd`.
            let fed = self.state.fed;
            self.state.fed |= program == "xargs";
            self.depth += 1;
            self.command(inner, Effects::default(), None, span)?;
            self.depth -= 1;
            self.state.fed = fed;
        }
        for clause in clauses {
            let starts: Vec<&Value> = understood
                .uses
                .iter()
                .filter(|used| used.kind == Kind::List)
                .map(|used| &used.value)
                .collect();
            let item = found(&starts, only_name(&understood.options), span);
            self.depth += 1;
            self.command(replace(clause, "{}", &item), Effects::default(), None, span)?;
            self.depth -= 1;
        }
        Ok(())
    }

    /// A line inside a word, as the argument of `sh -c`.
    fn text(&mut self, text: &str, program: &str, span: Span) -> Result1<()> {
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

    fn change_directory(
        &mut self,
        words: Vec<Value>,
        redirected: Effects,
        span: Span,
    ) -> Result1<()> {
        let mut effects = with_redirects(plain(), redirected);
        let operands: Vec<&Value> = words
            .iter()
            .skip(1)
            .filter(|word| !matches!(word.as_literal(), Some("--" | "-P" | "-L")))
            .collect();
        let to = match operands.as_slice() {
            [] => Some(vec!["~".to_owned()]),
            [one] if one.as_literal() == Some("-") => None,
            [one] if one.may_be_option() || one.many => {
                return self.unknown(words, effects, "cd: an option that is not known", span);
            }
            [one] => {
                self.touch(&mut effects.lists, one, false);
                one.as_literal().and_then(|path| {
                    let from = self.state.directories.as_ref()?;
                    Some(from.iter().map(|from| resolve(path, from)).collect())
                })
            }
            _ => return self.unknown(words, effects, "cd: more than one directory", span),
        };
        effects.stdin = "unused".to_owned();
        self.push(words, effects, span);
        self.state.directories = to;
        Ok(())
    }

    /// `read`, `IFS= read -r`.
    fn read(&mut self, words: Vec<Value>, redirected: Effects, span: Span) -> Result1<()> {
        let mut effects = plain();
        effects.stdin = "filter".to_owned();
        for word in words.iter().skip(1) {
            match word.as_literal() {
                Some("-r") => {}
                Some(name) if is_harmless_name(name) => {
                    self.state.variables.insert(name.to_owned(), anything(span));
                }
                _ => {
                    return self.unknown(
                        words,
                        redirected,
                        "read: a name or an option that is not known",
                        span,
                    );
                }
            }
        }
        self.state.variables.insert("REPLY".to_owned(), anything(span));
        self.push(words, with_redirects(effects, redirected), span);
        Ok(())
    }

    /// `[ -f x ]` and `test`.
    fn compare(&mut self, words: Vec<Value>, redirected: Effects, span: Span) -> Result1<()> {
        let mut effects = plain();
        let bracket = words.first().and_then(Value::as_literal) == Some("[");
        let operands =
            words.get(1..words.len().saturating_sub(usize::from(bracket))).unwrap_or(&[]);
        if bracket && words.last().and_then(Value::as_literal) != Some("]") || operands.len() > 9 {
            return self.unknown(words.clone(), redirected, "a test that is not read", span);
        }
        let mut file = false;
        let computes = |text: &str| matches!(text, "-eq" | "-ne" | "-lt" | "-le" | "-gt" | "-ge");
        let any_computes = operands.iter().filter_map(Value::as_literal).any(computes);
        for word in operands {
            match word.as_literal() {
                Some("-v" | "-R" | "-o" | "-a") => {
                    return self.unknown(
                        words.clone(),
                        redirected,
                        "a test that is not read",
                        span,
                    );
                }
                Some(
                    "-b" | "-c" | "-d" | "-e" | "-f" | "-g" | "-h" | "-k" | "-L" | "-p" | "-r"
                    | "-s" | "-S" | "-u" | "-w" | "-x" | "-G" | "-O" | "-nt" | "-ot" | "-ef",
                ) => file = true,
                Some(_) => {
                    if file {
                        self.touch(&mut effects.lists, word, false);
                    }
                    file = false;
                }
                None if word.many => {
                    return self.unknown(
                        words.clone(),
                        redirected,
                        "a test of words that are known only at run time",
                        span,
                    );
                }
                None if any_computes && !word.numeric && !self.dialect.compares_plainly() => {
                    return self.unknown(
                        words.clone(),
                        redirected,
                        "a test that may compute what is known only at run time",
                        span,
                    );
                }
                None => {
                    if file {
                        self.touch(&mut effects.lists, word, false);
                    }
                    file = false;
                }
            }
        }
        self.push(words, with_redirects(effects, redirected), span);
        Ok(())
    }

    /// Adds a place that is touched, in each directory in which the command may run.
    fn touch(&self, to: &mut Vec<Touched>, value: &Value, deep: bool) {
        let open = value.open != Open::No;
        let pattern = match value.open {
            // It may climb, and go anywhere.
            Open::Anything => value.text.replace('*', "**"),
            Open::No | Open::Names => value.text.clone(),
        };
        let absolute = pattern.starts_with(['/', '~']) && value.known > 0;
        let directories = self.state.directories.as_deref();
        let paths: Vec<String> = match directories {
            _ if absolute => vec![resolve(&pattern, "/")],
            Some(all) => all.iter().map(|from| resolve(&pattern, from)).collect(),
            None => Vec::new(),
        };
        let climbs = climbs(&value.text);
        let lists = &self.tables.path_lists;
        if paths.is_empty() || (value.open == Open::Anything && value.known == 0) {
            // Anywhere at all.
            to.push(Touched { path: pattern, class: Class::Secret, open: true, deep, climbs });
            return;
        }
        for path in paths {
            let class = places::class_of_pattern(lists, &path, open, deep);
            let touched = Touched { path, class, open, deep, climbs };
            if !to.contains(&touched) {
                to.push(touched);
            }
        }
    }
}

fn network_rank(name: &str) -> u8 {
    ["none", "loopback", "service", "hosts"]
        .iter()
        .position(|known| *known == name)
        .and_then(|at| u8::try_from(at).ok())
        .unwrap_or(3)
}

fn rank_name(rank: u8) -> &'static str {
    ["none", "loopback", "service", "hosts"].get(usize::from(rank)).copied().unwrap_or("hosts")
}

/// A command that does nothing but what is added to it.
fn plain() -> Effects {
    Effects {
        closed: true,
        stdin: "unused".to_owned(),
        terminal: "plain".to_owned(),
        network: "none".to_owned(),
        ..Effects::default()
    }
}

pub(super) fn unclosed(why: &str) -> Effects {
    let unknown = || "unknown".to_owned();
    Effects {
        why: Some(why.to_owned()),
        stdin: unknown(),
        terminal: unknown(),
        network: unknown(),
        ..Effects::default()
    }
}

fn with_redirects(mut effects: Effects, redirected: Effects) -> Effects {
    effects.reads.extend(redirected.reads);
    effects.writes.extend(redirected.writes);
    effects
}

fn anything(span: Span) -> Value {
    Value::unknown(span)
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
                open: Open::Anything,
                span,
                ..Value::default()
            }
        }
        None => anything(span),
    }
}

fn replace(words: Vec<Value>, mark: &str, with: &Value) -> Vec<Value> {
    let replaced = |word: Value| match word.as_literal() {
        Some(text) if text == mark => Value { span: word.span, ..with.clone() },
        Some(text) if text.contains(mark) => {
            let before = text.split(mark).next().unwrap_or("");
            let mut value = Value::literal(before, word.span);
            value.push(&Value { text: "*".to_owned(), open: Open::Anything, ..Value::default() });
            value
        }
        _ => word,
    };
    words.into_iter().map(replaced).collect()
}

/// What several values have in common, as one word.
fn common(values: &[Value], span: Span) -> Value {
    let Some(first) = values.first() else { return anything(span) };
    if values.iter().all(|value| {
        value.numeric
            || value
                .as_literal()
                .is_some_and(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
    }) {
        return Value {
            text: "*".to_owned(),
            open: Open::Names,
            numeric: true,
            span,
            ..Value::default()
        };
    }
    let mut prefix = first.prefix();
    for value in values {
        let same = prefix.bytes().zip(value.prefix().bytes()).take_while(|(a, b)| a == b).count();
        prefix = prefix.get(..same).unwrap_or("");
    }
    Value {
        text: format!("{prefix}*"),
        known: prefix.len(),
        open: Open::Anything,
        span,
        ..Value::default()
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./:,+@%=".contains(&byte)
}

/// The directories of both.
fn union(a: Option<Vec<String>>, b: Option<Vec<String>>) -> Option<Vec<String>> {
    let (mut a, b) = (a?, b?);
    for directory in b {
        if !a.contains(&directory) {
            a.push(directory);
        }
    }
    (a.len() <= MAX_DIRECTORIES).then_some(a)
}

/// What may be found after either.
fn merge(a: State, b: State) -> State {
    let mut variables = a.variables;
    for (name, value) in &mut variables {
        if !b.variables.contains_key(name) {
            *value = anything((0, 0));
        }
    }
    for (name, value) in b.variables {
        match variables.get(&name) {
            Some(old) if *old == value => {}
            _ => {
                variables.insert(name, anything((0, 0)));
            }
        }
    }
    State { directories: union(a.directories, b.directories), variables, fed: a.fed }
}

fn changes_directory(list: &List) -> bool {
    list.items.iter().flat_map(|item| &item.stages).any(|stage| match &stage.node {
        Node::Simple(simple) => {
            simple.words.first().and_then(Word::literal).as_deref() == Some("cd")
        }
        Node::Group { body, .. } | Node::For { body, .. } | Node::While { body, .. } => {
            changes_directory(body)
        }
        Node::If { branches, otherwise } => {
            changes_directory(otherwise)
                || branches.iter().any(|(condition, body)| {
                    changes_directory(condition) || changes_directory(body)
                })
        }
        Node::Test(_) => false,
    })
}

/// Whether a path goes up somewhere.
pub(crate) fn climbs(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}

/// A path seen from a directory, without `.`, `..` and `//`.
fn resolve(path: &str, from: &str) -> String {
    crate::risk::resolve(path, Some(from))
}

/// The name of a program that the system has: bare, or by a path in one of its directories.
fn installed(word: &str) -> Option<&str> {
    const DIRECTORIES: [&str; 6] =
        ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    match word.rsplit_once('/') {
        None => Some(word),
        Some((directory, name)) if DIRECTORIES.contains(&directory) => Some(name),
        Some(_) => None,
    }
    .map(base_name)
}

/// Variables of the environment that hold no secret, and what is known of them.
fn environment(name: &str, span: Span) -> Option<Value> {
    match name {
        "HOME" => Some(Value::literal("~", span)),
        "UID" | "EUID" | "PPID" | "RANDOM" | "SECONDS" | "LINENO" | "COLUMNS" | "LINES"
        | "SHLVL" => Some(Value {
            text: "*".to_owned(),
            open: Open::Names,
            numeric: true,
            span,
            ..Value::default()
        }),
        "PWD" | "OLDPWD" | "USER" | "LOGNAME" | "SHELL" | "PATH" | "LANG" | "LC_ALL" | "TERM"
        | "HOSTNAME" | "HOST" | "OSTYPE" | "MACHTYPE" | "HOSTTYPE" | "BASH_VERSION"
        | "ZSH_VERSION" | "EDITOR" | "VISUAL" | "PAGER" | "TZ" | "TMPDIR" | "VIRTUAL_ENV"
        | "CONDA_PREFIX" | "CONDA_DEFAULT_ENV" | "JAVA_HOME" | "GOPATH" | "GOROOT"
        | "CARGO_HOME" | "RUSTUP_HOME" | "NVM_DIR" | "PYTHONPATH" | "LD_LIBRARY_PATH"
        | "MANPATH" | "DISPLAY" | "XDG_RUNTIME_DIR" | "XDG_CONFIG_HOME" | "XDG_DATA_HOME"
        | "SSH_TTY" | "KUBECONFIG" | "DOCKER_HOST" | "DEBIAN_FRONTEND" | "CI" => {
            Some(anything(span))
        }
        _ => None,
    }
}

/// Names of variables that no shell and no program knows.
const NAMES: &str = "\
    line lines file files f d dir dirs directory folder path_name name names item items i j k n m x y z \
    a b c e g h l o p q r s t u v w id ids pid pids port ports host hosts ip ips svc service services unit \
    units pkg pkgs package packages user_name users group groups count counts total num number idx index \
    size sizes len result results out output value values val key_name word words arg entry entries row rows \
    col cols field fields part parts step version ver branch branches commit repo repos url urls tag tags \
    level log logs conf config cfg cmd_name tool tools bin prog program test tests script scripts src dst \
    target source base root_dir tmp ext suffix prefix disk disks dev_name iface ifaces pod pods ns container \
    containers image images node nodes job jobs day days month year date_str now start end_at first last \
    found missing left right old new cur current prev next max min sum avg pattern msg message text title \
    label color lang env_name db table tables col1 col2 rest junk ignored dummy _ F FILE DIR LINE NAME COUNT \
    N I PID FILES DIRS SIZE RESULT OUTPUT COUNTER TOTAL VERSION_FOUND";

fn is_harmless_name(name: &str) -> bool {
    NAMES.split_ascii_whitespace().any(|known| known == name)
}

/// Assignments in front of a command that change how its output looks, and nothing else.
fn is_closed_assignment(name: &str, value: &Value) -> bool {
    let Some(text) = value.as_literal() else { return false };
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-@+".contains(&b));
    match name {
        "IFS" => text.is_empty(),
        "TZ" => {
            text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+/".contains(&b))
                && !text.starts_with('/')
                && !text.contains("..")
        }
        "LANG" | "LANGUAGE" | "NO_COLOR" | "COLUMNS" | "CLICOLOR" => plain,
        _ => name.starts_with("LC_") && plain,
    }
}
