//! Scores the redirections and variable assignments of a command. It must never treat a value that it
//! cannot resolve as harmless.

use crate::Category;
use crate::modifier::Modifier;
use crate::parse::{RedirectOp, Simple, Span, Word};
use crate::program::base_name;
use crate::tables::PathLists;

use super::paths::resolve;
use super::scorer::{Scorer, Unit};
use super::segment_score::SegmentScore;
use super::words::secret;

/// Redirections to files.
pub(super) fn redirects(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    simple: &Simple,
    score: &mut SegmentScore,
) {
    let path_lists = &scorer.tables.path_lists;
    for redirect in &simple.redirects {
        let path = resolve(&redirect.target.text, unit.cwd);
        let span = redirect.span;
        if matches!(redirect.op, RedirectOp::HereDoc | RedirectOp::HereString | RedirectOp::Dup) {
            continue;
        }
        if path.starts_with("/dev/tcp/") || path.starts_with("/dev/udp/") {
            network_redirect(unit, &path, span, score);
            continue;
        }
        // Reading a secret counts as well, so this comes before reads are passed over.
        secret(scorer, &path, span, score);
        if redirect.op == RedirectOp::Read || is_stream(&path) {
            continue;
        }
        let truncates = redirect.op == RedirectOp::Write;
        writes_file(path_lists, &path, span, truncates, score);
        if truncates {
            loses_content(path_lists, unit, simple, (&path, span), score);
        }
        if redirect.target.known() && path_lists.is_temporary(&path) && simple.redirects.len() == 1
        {
            let why = "stays within temporary or development files";
            score.reducers.add(Modifier::Development, span, why);
        }
    }
}

/// Whether writing to a path leaves nothing behind.
fn is_stream(path: &str) -> bool {
    matches!(path, "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/tty" | "/dev/zero")
        || path.starts_with("/dev/fd/")
        || path.starts_with("/dev/pts")
}

/// Applies what follows from writing a file, with `>` or `>>`.
fn writes_file(
    path_lists: &PathLists,
    path: &str,
    span: Span,
    truncates: bool,
    score: &mut SegmentScore,
) {
    if score.category.base() < Category::FileWrite.base() {
        score.category = Category::FileWrite;
        score.base_span = span;
    }
    if path_lists.is_device(path) {
        score.modifiers.raise(95, span, format!("overwrites the device {path}"));
    }
    if path == "/proc/sysrq-trigger" {
        score.modifiers.raise(95, span, "makes the kernel crash or reboot at once");
    }
    if path_lists.is_vital(path) && truncates {
        score.modifiers.raise(95, span, format!("nobody can log in or boot without {path}"));
    }
    if path_lists.is_system(path) {
        let why = format!("{path} is where the system lives");
        score.modifiers.add(Modifier::SystemPath, span, why);
    }
    if path_lists.is_persistence(path) {
        let why = format!("{path} acts later, by itself");
        score.modifiers.add(Modifier::Persistence, span, why);
    }
    if path_lists.is_tamper(path) {
        let why = format!("{path} belongs to logs, audit or protection");
        score.modifiers.add(Modifier::Tampering, span, why);
    }
}

/// `> file`: what was in it is gone, whether or not something takes its place.
fn loses_content(
    path_lists: &PathLists,
    unit: &Unit<'_>,
    simple: &Simple,
    (path, span): (&str, Span),
    score: &mut SegmentScore,
) {
    // `cat > f` takes what it is given on standard input.
    let given = simple.stage > 0 || simple.redirects.iter().any(|redirect| redirect.fd == Some(0));
    let copies = unit.words.len() == 1 && unit.words.first().is_some_and(|word| word.text == "cat");
    let prints_nothing = |word: &Word| {
        matches!(word.text.as_str(), "/dev/null" | "echo" | "printf" | "-n" | "")
            || word.text == "cat" && !copies && !given
    };
    let does_nothing = |word: &Word| matches!(word.text.as_str(), ":" | "true");
    let empties =
        unit.words.first().is_none_or(does_nothing) || unit.words.iter().all(prints_nothing);
    let temporary = path_lists.is_temporary(path);
    if !empties {
        if !temporary {
            let why = format!("{path} is replaced without asking");
            score.modifiers.add(Modifier::Force, span, why);
        }
        return;
    }
    // The redirection of a whole block is a command without words, but the block prints something.
    if simple.compound {
        return;
    }
    // As `truncate -s 0` would.
    score.category = Category::FileDeletion;
    score.base_span = span;
    score.modifiers.add(Modifier::Destructive, span, format!("empties {path}"));
    if !temporary {
        let why = format!("{path} is emptied without asking");
        score.modifiers.add(Modifier::Force, span, why);
    }
}

/// A command that reads from or writes to `/dev/tcp/HOST/PORT`.
fn network_redirect(unit: &Unit<'_>, path: &str, span: Span, score: &mut SegmentScore) {
    let host = path.split('/').nth(3).unwrap_or("");
    let is_here = matches!(host, "localhost" | "::1" | "0.0.0.0") || host.starts_with("127.");
    if !is_here {
        let why = format!("{path} is a network connection");
        score.modifiers.add(Modifier::UnlistedHost, span, why);
    }
    if score.category.base() < Category::Network.base() {
        score.category = Category::Network;
        score.base_span = span;
    }
    let shell = unit.words.first().is_none_or(|word| {
        let base = base_name(&word.text);
        matches!(
            base,
            "bash" | "sh" | "zsh" | "dash" | "ksh" | "exec" | "python" | "python3" | "perl" | "0"
        )
    });
    // To open a connection to this machine itself, `exec 3<>/dev/tcp/127.0.0.1/80`, wires nothing.
    let opens = unit.words.len() <= 1
        && unit.words.first().is_none_or(|word| {
            matches!(word.text.as_str(), "exec" | "echo" | ":" | "cat" | "true")
        });
    if is_here && opens {
        return;
    }
    score.modifiers.add(Modifier::Hijack, span, "a command is wired to a network connection");
    if shell {
        score.modifiers.raise(75, span, "a shell is wired to a network connection");
    }
}

/// Variables that make programs run something else, and variables that switch the history off.
pub(super) fn assignments(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    simple: &Simple,
    score: &mut SegmentScore,
) {
    for assignment in &simple.assignments {
        variable(scorer, &assignment.name, &assignment.value.text, assignment.span, score);
    }
    let program = unit.words.first().map_or("", |word| word.text.as_str());
    if matches!(
        program,
        "export" | "declare" | "typeset" | "readonly" | "env" | "sudo" | "local" | "doas"
    ) {
        for word in unit.words.iter().skip(1) {
            if let Some((name, value)) = word.text.split_once('=') {
                variable(scorer, name, value, word.span, score);
            }
        }
    }
    if matches!(program, "unset" | "export" | "declare")
        && let Some(word) =
            unit.words.iter().skip(1).find(|word| {
                matches!(word.text.as_str(), "HISTFILE" | "HISTSIZE" | "PROMPT_COMMAND")
            })
    {
        score.modifiers.add(Modifier::Tampering, word.span, "switches the history off");
        score.modifiers.raise(50, word.span, "what is done next leaves no history");
    }
}

/// Applies what follows from setting a variable.
fn variable(scorer: &Scorer<'_>, name: &str, value: &str, span: Span, score: &mut SegmentScore) {
    if hijacks(name, value) {
        // Whatever the program, these run other code inside it.
        let inside = matches!(
            name,
            "LD_PRELOAD" | "LD_AUDIT" | "DYLD_INSERT_LIBRARIES" | "BASH_ENV" | "PROMPT_COMMAND"
        );
        if inside && score.category.base() < Category::CodeExecution.base() {
            score.category = Category::CodeExecution;
        }
        let why = format!("{name} makes programs run or load something else");
        score.modifiers.add(Modifier::Hijack, span, why);
    }
    history_off(name, value, span, score);
    secret(scorer, value, span, score);
}

/// Variables that decide whether and where a shell keeps its history.
fn history_off(name: &str, value: &str, span: Span, score: &mut SegmentScore) {
    if !matches!(
        name,
        "HISTFILE" | "HISTSIZE" | "HISTFILESIZE" | "HISTCONTROL" | "HISTIGNORE" | "AUDITD"
    ) {
        return;
    }
    let selects = matches!(value, "ignorespace" | "ignoreboth");
    let off = selects || matches!(value, "" | "0" | "/dev/null" | "*");
    if off || name == "HISTFILE" {
        let why = format!("{name} switches the history off");
        score.modifiers.add(Modifier::Tampering, span, why);
        if !selects {
            score.modifiers.raise(50, span, "what is done next leaves no history");
        }
    }
}

/// Whether a variable with this value makes programs run or load something else.
fn hijacks(name: &str, value: &str) -> bool {
    // Appending to the path does not change which programs are found already.
    let appends = value.starts_with("$PATH:") || value.starts_with("${PATH}:");
    // Setting a pager that only prints is the usual way to switch paging off.
    let harmless =
        matches!(value, "" | "cat" | "less" | "more" | "vim" | "vi" | "nano" | "true" | "less -R")
            && !name.starts_with("LD_");
    name == "PATH" && !appends || is_loader(name) && !harmless
}

/// Variables that name a program or code which other programs run or load.
fn is_loader(name: &str) -> bool {
    matches!(
        name,
        "LD_PRELOAD"
            | "LD_LIBRARY_PATH"
            | "LD_AUDIT"
            | "BASH_ENV"
            | "ENV"
            | "PROMPT_COMMAND"
            | "PS4"
            | "SHELLOPTS"
            | "BASHOPTS"
            | "PERL5OPT"
            | "PERL5LIB"
            | "PERL5DB"
            | "RUBYOPT"
            | "RUBYLIB"
            | "NODE_OPTIONS"
            | "PYTHONSTARTUP"
            | "PYTHONHOME"
            | "PYTHONINSPECT"
            | "JAVA_TOOL_OPTIONS"
            | "_JAVA_OPTIONS"
            | "PAGER"
            | "MANPAGER"
            | "LESSOPEN"
            | "LESSCLOSE"
            | "EDITOR"
            | "VISUAL"
            | "BROWSER"
            | "DYLD_INSERT_LIBRARIES"
            | "DYLD_LIBRARY_PATH"
            | "GCONV_PATH"
            | "TAR_OPTIONS"
            | "SSH_ASKPASS"
            | "RSYNC_RSH"
            | "GIT_SSH"
            | "GIT_SSH_COMMAND"
            | "GIT_EXEC_PATH"
            | "GIT_PAGER"
            | "GIT_EDITOR"
            | "GIT_EXTERNAL_DIFF"
            | "GIT_ASKPASS"
            | "GIT_PROXY_COMMAND"
            | "GIT_TEMPLATE_DIR"
            | "GIT_CONFIG_COUNT"
            | "GIT_CONFIG"
            | "GIT_CONFIG_GLOBAL"
            | "GIT_CONFIG_SYSTEM"
            | "GIT_SEQUENCE_EDITOR"
            | "GIT_CONFIG_PARAMETERS"
            | "KUBE_EDITOR"
            | "SYSTEMD_PAGER"
            | "SYSTEMD_EDITOR"
            | "PSQL_EDITOR"
            | "PSQL_PAGER"
            | "CLASSPATH"
            | "ZDOTDIR"
    ) || name.starts_with("BASH_FUNC_")
        || name.starts_with("GIT_CONFIG_KEY")
        || (name.starts_with("npm_config_") && name.ends_with("shell"))
}
