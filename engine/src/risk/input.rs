//! What a command reads from standard input: its own, that of the block around it, or that of the
//! command whose code it is. It must never call input known that is not.

use crate::parse::{Redirect, RedirectOp, Simple, Word, output};

use super::scorer::{Inherit, Scorer};

/// The most lines of input that stand in the place of a variable.
const MAX_LINES: usize = 8;
/// The most commands of a line among which there are such.
const MAX_FILLED: usize = 800;

/// Standard input that is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Input {
    /// The redirection it comes by; none where it is piped in.
    pub(crate) redirect: Option<RedirectOp>,
    /// What it is, where that is known.
    pub(crate) text: Option<Word>,
}

impl Input {
    pub(crate) fn is_piped(&self) -> bool {
        self.redirect.is_none()
    }
}

impl Scorer<'_> {
    /// What a command reads from standard input; `None` where nothing in the line gives it any.
    pub(crate) fn input(&self, index: usize, host: &Simple, inherit: &Inherit) -> Option<Input> {
        // What is in a function reads what a call of it is given.
        let called = || {
            let script = &self.shared.script;
            let name = script.functions.get(host.function?)?;
            let calls = |command: &Simple| {
                command.function != host.function
                    && command.words.first().is_some_and(|word| word.text == *name)
            };
            let mut all = script.commands.iter().enumerate().filter(|(_, it)| calls(it));
            all.find_map(|(at, call)| self.given(at, call))
        };
        let inherited = || inherit.input.clone().map(|input| *input);
        self.given(index, host).or_else(called).or_else(inherited)
    }

    /// What the command itself is given, or the block around it.
    fn given(&self, index: usize, host: &Simple) -> Option<Input> {
        let script = &self.shared.script;
        let redirect = |redirects: &[Redirect]| {
            let given =
                |redirect: &&Redirect| redirect.fd == Some(0) && redirect.op != RedirectOp::Dup;
            let redirect = redirects.iter().rev().find(given)?;
            let text = match redirect.op {
                RedirectOp::HereString => Some(redirect.target.clone()),
                RedirectOp::HereDoc => redirect.body.and_then(|at| script.bodies.get(at)).cloned(),
                _ => None,
            };
            Some(Input { redirect: Some(redirect.op), text })
        };
        let piped = |stage: usize, text: Option<String>, span| {
            let word = |text| Word { text, span, ..Word::default() };
            (stage > 0).then(|| Input { redirect: None, text: text.map(word) })
        };
        let own = redirect(&host.redirects)
            .or_else(|| piped(host.stage, output::before(script, index, host), host.span));
        own.or_else(|| {
            let group = script.groups.get(host.group?)?;
            redirect(&group.redirects).or_else(|| {
                let text = output::fed(script, group.first, group.pipeline, group.stage);
                piped(group.stage, text, host.span)
            })
        })
    }

    /// `while read l; do $l; done`: the command with each line of its input in the place of the variable.
    pub(super) fn each_line(
        &self,
        host: &Simple,
        words: &[Word],
        inherit: &Inherit,
    ) -> Vec<Vec<Word>> {
        let unknown = |word: &Word| word.flags.dynamic && word.text.contains('$');
        let few = self.scores.len() < MAX_FILLED;
        let inside = host.group.is_some() || host.function.is_some();
        if !(few && inside && words.iter().any(unknown)) {
            return Vec::new();
        }
        let Some(text) = self.input(usize::MAX, host, inherit).and_then(|input| input.text) else {
            return Vec::new();
        };
        if !text.known() {
            return Vec::new();
        }
        // The names that any `read` of the block sets.
        let reads = |command: &&Simple| {
            command.words.first().is_some_and(|word| word.text == "read")
                && (command.group, command.function) == (host.group, host.function)
        };
        let readers = self.shared.script.commands.iter().filter(reads);
        let mut all = Vec::new();
        for reader in readers.take(4) {
            let names = reader.words.iter().skip(1).map(|word| word.text.as_str());
            let names: Vec<&str> = names.filter(|name| !name.starts_with('-')).collect();
            let names = if names.is_empty() { vec!["REPLY"] } else { names };
            for line in text.text.lines().filter(|line| !line.trim().is_empty()).take(MAX_LINES) {
                let values = fields(line.trim(), names.len());
                let filled = words.iter().flat_map(|word| filled(word, &names, &values));
                all.push(filled.collect::<Vec<Word>>());
            }
        }
        all.retain(|filled| {
            !filled.is_empty() && filled.len() != words.len()
                || filled.iter().zip(words).any(|(new, old)| new.text != old.text)
        });
        all
    }
}

/// A line as `read` takes it apart: the last name gets what is left.
fn fields(line: &str, count: usize) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = line;
    while out.len() + 1 < count {
        let (first, after) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        out.push(first);
        rest = after.trim_start();
    }
    out.push(rest);
    out
}

/// A word with values in the place of the variables, split where the shell would.
fn filled(word: &Word, names: &[&str], values: &[&str]) -> Vec<Word> {
    if !word.flags.dynamic {
        return vec![word.clone()];
    }
    let mut text = word.text.clone();
    for (name, value) in names.iter().zip(values) {
        text = text.replace(&format!("${{{name}}}"), value);
        text = replaced(&text, name, value);
    }
    if text == word.text {
        return vec![word.clone()];
    }
    let mut flags = word.flags;
    flags.dynamic = text.contains('$');
    flags.expanded = flags.dynamic;
    let new = |text: &str| Word { text: text.to_owned(), verbatim: None, flags, ..word.clone() };
    match word.flags.split {
        true => text.split_whitespace().map(new).collect(),
        false => vec![new(&text)],
    }
}

/// `$name` by its value, but not `$name2`.
fn replaced(text: &str, name: &str, value: &str) -> String {
    let variable = format!("${name}");
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(&variable) {
        let after = rest.get(at + variable.len()..).unwrap_or("");
        let longer = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        out.push_str(rest.get(..at).unwrap_or(""));
        out.push_str(if longer { &variable } else { value });
        rest = after;
    }
    out.push_str(rest);
    out
}
