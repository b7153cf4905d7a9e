//! What the words of a command become.

use super::super::syntax::{Change, Item, List, Node, Part, Word};
use super::super::value::{Open, Value};
use super::state::anything;
use super::{Result1, Walker};
use crate::parse::Span;

impl Walker<'_> {
    /// What a word becomes.
    pub(super) fn expand(&mut self, word: &Word) -> Result1<Value> {
        let span = self.span(word.span);
        let mut out = Value { span, numeric: true, ..Value::default() };
        for part in &word.parts {
            let piece = match part {
                Part::Text { text, .. } => {
                    out.push_text(text);
                    continue;
                }
                Part::Home => {
                    out.push_text("~");
                    continue;
                }
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
                    self.depth += 1;
                    self.list(list)?;
                    self.depth -= 1;
                    self.state = state;
                    let numeric = prints_number(list);
                    let text = "*".to_owned();
                    let open = if numeric { Open::Names } else { Open::Anything };
                    Value {
                        text,
                        open,
                        many: !quoted && !numeric,
                        split: !quoted && !numeric,
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
        Ok(out)
    }

    pub(super) fn parameter(
        &self,
        name: &str,
        change: &Change,
        quoted: bool,
        span: Span,
    ) -> Result1<Value> {
        if *change == Change::Length {
            return Ok(Value {
                text: "*".to_owned(),
                open: Open::Names,
                numeric: true,
                span,
                ..Value::default()
            });
        }
        if name == "_" {
            return self.fail("`$_`, which is a word of the command before", span);
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
            value = Value { many: true, split: true, ..anything(span) };
        }
        Ok(value)
    }
}

/// Whether what a substitution runs prints one number and nothing else: `$(… | wc -l)`.
fn prints_number(list: &List) -> bool {
    let [Item { stages, .. }] = list.items.as_slice() else { return false };
    let Some(Node::Simple(simple)) = stages.last().map(|stage| &stage.node) else { return false };
    let words: Option<Vec<String>> = simple.words.iter().map(Word::literal).collect();
    let Some(words) = words.filter(|_| simple.assignments.is_empty()) else { return false };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["wc", "-l" | "-c" | "-w" | "-m"] | ["nproc"] | ["date", "+%s"] | ["id", "-u" | "-g"] => {
            true
        }
        // Of several files it says the names.
        ["grep" | "egrep" | "fgrep", "-c", pattern, rest @ ..] => {
            !pattern.starts_with('-')
                && rest.len() <= 1
                && rest.iter().all(|word| !word.starts_with('-'))
        }
        _ => false,
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./:,+@%=".contains(&byte)
}

/// Variables of the environment that hold no secret, and what is known of them.
pub(super) fn environment(name: &str, span: Span) -> Option<Value> {
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
