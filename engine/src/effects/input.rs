//! What a line does with the standard input that it is given. Where it is not known, what comes there
//! may be run.

use serde::{Deserialize, Serialize};

use super::looks::{Looking, objection};
use super::special;
use super::syntax::{Dialect, Unread};
use super::walk::{Performance, Performed, perform};
use crate::modifier::Modifier;
use crate::program::SHELLS;
use crate::tables::RiskTables;
use crate::transfer::describe_transfer;
use crate::{Assessment, Context, Segment};

/// What becomes of a line's standard input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputUse {
    /// An archive that is unpacked.
    Archive,
    /// It is run, in the language of whatever reads it.
    Code,
    /// It is written into a file.
    File,
    /// It passes through a line that only looks: to its output and nowhere else.
    Looks,
    /// Names: of files, of things to work on.
    Names,
    /// The client's side of a protocol that a program on the other side speaks: a push, a transfer.
    Protocol,
    /// Not known: it may be run.
    #[default]
    Unknown,
    /// Nothing reads it.
    Unused,
}

/// What a line does with its standard input, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InputReport {
    /// What becomes of it.
    pub r#use: InputUse,
    /// The program that reads it, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
    /// Where it goes, for files, archives, and transfers that write.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub into: Vec<String>,
    /// The one file that it becomes the content of, or the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<WrittenFile>,
}

/// A file that is written as it comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenFile {
    /// Its path, absolute or below `~`.
    pub path: String,
    /// What it holds stays in front.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub append: bool,
}

impl InputReport {
    /// Whether a person or a rule may let it flow without showing it: what it does is known, it is not run,
    /// and nobody runs it later by itself, as start-up files, programs and jobs are.
    #[must_use]
    pub fn may_flow(&self) -> bool {
        match self.r#use {
            InputUse::Archive => !self.into.iter().any(|path| {
                special::is_special_path(path)
                    || special::holds_start_up_files(path.trim_end_matches('/'))
            }),
            InputUse::File => !self.into.iter().any(|path| special::is_special_path(path)),
            InputUse::Looks | InputUse::Protocol | InputUse::Unused => true,
            InputUse::Code | InputUse::Names | InputUse::Unknown => false,
        }
    }

    fn of(r#use: InputUse) -> Self {
        Self { r#use, ..Self::default() }
    }

    /// In words, for the reviewer: `code for bash`, `into /srv/app.conf`.
    #[must_use]
    pub fn describe(&self) -> String {
        let into = || match self.into.as_slice() {
            [] => String::new(),
            all => format!(" into {}", all.join(", ")),
        };
        let by = || self.reader.as_ref().map_or_else(String::new, |name| format!(" for {name}"));
        match self.r#use {
            InputUse::Archive => format!("unpacked{}", into()),
            InputUse::Code => format!("run as code{}", by()),
            InputUse::File if self.into.is_empty() => "only passed to the output".to_owned(),
            InputUse::File => format!("written{}", into()),
            InputUse::Looks => "only passed to the output".to_owned(),
            InputUse::Names => format!("names{}", by()),
            InputUse::Protocol => format!("a transfer's protocol{}{}", by(), into()),
            InputUse::Unknown => format!("input{}, which may run it", by()),
            InputUse::Unused => "not read".to_owned(),
        }
    }
}

impl RiskTables {
    /// What a line does with its standard input. `assessment` is the line's own.
    #[must_use]
    pub fn input_use(
        &self,
        command: &[u8],
        context: &Context,
        assessment: &Assessment,
    ) -> InputReport {
        let transfer = describe_transfer(command);
        self.input_of(command, context, assessment, transfer.as_deref(), None)
    }

    /// As [`Self::input_use`], with what was read already: the transfer that the line is, and what it
    /// does in this context.
    pub(crate) fn input_of<'p>(
        &self,
        command: &[u8],
        context: &Context,
        assessment: &Assessment,
        transfer: Option<&str>,
        performed: Option<&dyn Fn() -> &'p Result<Performance, Unread>>,
    ) -> InputReport {
        // `tar` is told as a transfer too, but what it reads is an archive and no protocol.
        if let Some(text) = transfer.filter(|text| !text.starts_with("tar")) {
            let reader = assessment.segments.first().and_then(|segment| segment.program.clone());
            // What comes by legacy scp is decided by itself.
            let writes = ["git push to ", "rsync upload to "];
            let into = writes.iter().find_map(|what| text.strip_prefix(what)).map(str::to_owned);
            let into = into.into_iter().collect();
            return InputReport { r#use: InputUse::Protocol, reader, into, file: None };
        }
        let unknown = || {
            let reader = assessment.segments.iter().rev().find_map(|s| s.program.clone());
            // A shell that is given nothing to run runs what it reads.
            let shell = matches!(assessment.segments.last(), Some(last) if reads_a_script(last));
            let r#use = if shell && !assessment.uninspectable && !context.pty {
                InputUse::Code
            } else {
                InputUse::Unknown
            };
            InputReport { reader, ..InputReport::of(r#use) }
        };
        if assessment.uninspectable || context.pty {
            return unknown();
        }
        let Ok(text) = std::str::from_utf8(command) else { return unknown() };
        let shell = shell_of(text, context);
        let dialect = Dialect::of(shell);
        let perform = |text: &str| perform(self, text, dialect, false, context.cwd.as_deref());
        let own;
        let performance = match performed {
            Some(performed) if shell == context.shell.as_deref() => performed(),
            _ => {
                own = perform(text);
                &own
            }
        };
        let Ok(Performance { commands }) = performance else { return unknown() };
        // A rule has more to say about looking; here it matters only where the input goes.
        let unused = commands.iter().all(|command| command.effects.stdin == "unused");
        let looking = Looking { loopback: true, ..Looking::default() };
        let looks = || {
            let deceives = assessment.terms.iter().any(|term| term.is(Modifier::Deception));
            let objects = |command| objection(command, &looking, false).is_some();
            !(deceives || commands.is_empty() || commands.iter().any(objects))
        };
        // Where programs may have been replaced, what passes its input on may do more with it.
        if (unused || context.tainted.is_none()) && looks() {
            return InputReport::of(if unused { InputUse::Unused } else { InputUse::Looks });
        }
        // As another user it does the same with its input.
        let of_sudo = |command: &Performed| {
            let inner = perform(&behind_sudo(command)?).ok()?;
            let [inner] = <[Performed; 1]>::try_from(inner.commands).ok()?;
            Some(Performed { fed: command.fed, ..inner })
        };
        let behind: Vec<Option<Performed>> = commands.iter().map(of_sudo).collect();
        let commands = commands.iter().zip(&behind);
        let commands: Vec<&Performed> =
            commands.map(|(command, inner)| inner.as_ref().unwrap_or(command)).collect();
        match of_commands(&commands) {
            report if report.r#use == InputUse::Unknown => unknown(),
            report => report,
        }
    }
}

/// Whether a command is a shell with nothing but options that leave its script to standard input.
fn reads_a_script(segment: &Segment) -> bool {
    let shell = segment.program.as_deref().is_some_and(|name| SHELLS.contains(&name));
    let options = segment.argv.iter().skip(1);
    shell
        && options.into_iter().all(|word| {
            matches!(word.as_str(), "--login" | "--norc" | "--noprofile" | "--posix")
                || word.strip_prefix('-').is_some_and(|letters| {
                    letters.bytes().all(|letter| b"eilnsuvx".contains(&letter))
                })
        })
}

/// The shell that reads a line. What is read alike everywhere may be read by any.
pub(crate) fn shell_of<'c>(text: &str, context: &'c Context) -> Option<&'c str> {
    match context.shell.as_deref() {
        None if reads_alike(text) => Some("sh"),
        shell => shell,
    }
}

/// Whether a line of plain words, pipes and redirections, which shells of all families read alike.
fn reads_alike(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b" -_./:,+=|>;&'~@".contains(&byte))
}

/// The command that `sudo` runs, where nothing else is asked of it.
fn behind_sudo(command: &Performed) -> Option<String> {
    let words: Option<Vec<&str>> = command.words.iter().map(super::Value::as_literal).collect();
    let words = words?;
    let (program, mut rest) = words.split_first()?;
    if !matches!(*program, "sudo" | "doas") || !command.effects.writes.is_empty() {
        return None;
    }
    loop {
        rest = match rest {
            ["-n" | "-H", rest @ ..] | ["-u", _, rest @ ..] => rest,
            ["--", rest @ ..] => break Some(quoted(rest)),
            [word, ..] if word.starts_with('-') || word.contains('=') => return None,
            [] => return None,
            rest => break Some(quoted(rest)),
        };
    }
}

fn quoted(words: &[&str]) -> String {
    let word = |word: &&str| format!("'{}'", word.replace('\'', "'\\''"));
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// What the commands that are not fed by the line itself do with it: the worst of it.
fn of_commands(commands: &[&Performed]) -> InputReport {
    let mut all: Vec<InputReport> = Vec::new();
    for command in commands.iter().filter(|command| !command.fed) {
        let effects = &command.effects;
        let reader = command.words.first().and_then(|word| word.as_literal().map(str::to_owned));
        let written =
            || effects.writes.iter().map(|touched| touched.path.clone()).collect::<Vec<_>>();
        let closed = effects.closed && !effects.runs_unseen;
        let r#use = match effects.stdin.as_str() {
            // What asks for an answer reads one.
            "unused" if closed && !asks(&effects.terminal) => continue,
            // Code is code, whether or not all of the rest is known.
            "code" => InputUse::Code,
            "protocol" if effects.closed => InputUse::Protocol,
            _ if !closed => InputUse::Unknown,
            "archive" => InputUse::Archive,
            "filter" if effects.network == "hosts" => InputUse::Unknown,
            "filter" | "file" => InputUse::File,
            "names" => InputUse::Names,
            _ => InputUse::Unknown,
        };
        let into = match r#use {
            InputUse::Archive if effects.writes.iter().all(|touched| touched.open) => {
                command.directories.clone().unwrap_or_default()
            }
            InputUse::Archive | InputUse::File => written(),
            // Whoever speaks to a daemon has it do anything.
            InputUse::Protocol if effects.changes.iter().any(|change| change == "container") => {
                vec!["the daemon, which starts what it is told with all rights".to_owned()]
            }
            InputUse::Protocol => vec!["whatever the other side names".to_owned()],
            _ => Vec::new(),
        };
        let file = if r#use == InputUse::File { written_file(command) } else { None };
        all.push(InputReport { r#use, reader, into, file });
    }
    // What one command passes on, a later one of the same pipe may write, unpack or run.
    let piped: Vec<&&Performed> = commands.iter().filter(|command| command.fed).collect();
    let passes = all.iter().any(|report| report.r#use == InputUse::File);
    if passes {
        for command in piped {
            let effects = &command.effects;
            let reader =
                command.words.first().and_then(|word| word.as_literal().map(str::to_owned));
            if !effects.closed || effects.runs_unseen || effects.stdin == "code" {
                let r#use = if effects.closed { InputUse::Code } else { InputUse::Unknown };
                all.push(InputReport { reader, ..InputReport::of(r#use) });
            } else if matches!(effects.stdin.as_str(), "archive" | "protocol") {
                let into = command.directories.clone().unwrap_or_default();
                all.push(InputReport { reader, into, ..InputReport::of(InputUse::Archive) });
            } else if let Some(first) = all.first_mut() {
                // What is written there is not what came.
                first.file = None;
                first.into.extend(effects.writes.iter().map(|touched| touched.path.clone()));
            }
        }
    }
    let found = all
        .into_iter()
        .max_by_key(|report| worst(report.r#use))
        .unwrap_or_else(|| InputReport::of(InputUse::Unused));
    let stays = matches!(found.r#use, InputUse::File | InputUse::Archive | InputUse::Protocol);
    if stays && !is_left_alone(commands, found.r#use) {
        return InputReport::of(InputUse::Unknown);
    }
    found
}

/// The file that a command writes its input to as it comes; `None` where it is not known to do just that.
fn written_file(command: &Performed) -> Option<WrittenFile> {
    let [written] = command.effects.writes.as_slice() else { return None };
    let words: Option<Vec<&str>> = command.words.iter().map(super::Value::as_literal).collect();
    let (program, rest) = words.as_deref()?.split_first()?;
    let append = match (*program, rest) {
        ("cat", [] | ["-"]) => command.appends?,
        ("tee", ["-a" | "--append", path]) if !path.starts_with('-') => true,
        ("tee", [path]) if !path.starts_with('-') => false,
        ("dd", rest) if rest.iter().all(|word| is_plain_operand(word)) => false,
        _ => return None,
    };
    let known = !written.open && !written.deep && !written.climbs;
    let path = written.path.clone();
    (known && path.starts_with(['/', '~'])).then_some(WrittenFile { path, append })
}

/// An operand of `dd` under which the whole of its input becomes the whole of the file.
fn is_plain_operand(word: &str) -> bool {
    ["of=", "bs=", "obs=", "ibs=", "status="].iter().any(|name| word.starts_with(name))
}

/// What a shell does itself, whatever lies in the account.
const BUILTINS: &[&str] = &[":", "[", "cd", "echo", "exit", "false", "pwd", "test", "true", "wait"];

/// Whether nothing else of the line can run what is made of the input, or be told by it what to do.
fn is_left_alone(commands: &[&Performed], r#use: InputUse) -> bool {
    let writes = |command: &&Performed| {
        let effects = &command.effects;
        effects.stdin != "unused"
            && (!effects.writes.is_empty() || matches!(&*effects.stdin, "archive" | "protocol"))
    };
    let first = commands.iter().position(writes).unwrap_or(commands.len());
    let special = || {
        let written = commands.iter().flat_map(|command| &command.effects.writes);
        written.clone().any(special::is_special)
    };
    // A program that begins later may be what was written, or be configured by it.
    let named = r#use == InputUse::File && !special();
    commands.iter().enumerate().all(|(at, command)| {
        let effects = &command.effects;
        let device = |touched: &super::Touched| {
            ["/dev/", "/proc/", "/sys/"].iter().any(|top| touched.path.starts_with(top))
        };
        if effects.redefines || effects.writes.iter().any(device) {
            return false;
        }
        // What reads it was looked at, and has begun.
        if at == first || at < first && !command.fed && effects.stdin != "unused" {
            return true;
        }
        let program = command.words.first().and_then(super::Value::as_literal);
        if command.words.is_empty() || program.is_some_and(|name| BUILTINS.contains(&name)) {
            return effects.closed;
        }
        let harmless = special::left_behind(effects).is_none();
        if at < first {
            return harmless;
        }
        named && harmless && effects.configured_by.is_empty() && effects.network == "none"
    })
}

fn worst(r#use: InputUse) -> u8 {
    match r#use {
        InputUse::Unused => 0,
        InputUse::Looks => 1,
        InputUse::File => 2,
        InputUse::Archive => 3,
        InputUse::Protocol => 4,
        InputUse::Names => 5,
        InputUse::Code => 6,
        InputUse::Unknown => 7,
    }
}

/// Whether it reads commands or text of its own from whoever runs it.
fn asks(terminal: &str) -> bool {
    !matches!(terminal, "plain" | "pager" | "prompts")
}
