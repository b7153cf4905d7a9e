//! What surrounds a command's operands: redirections, assignments, hosts, secrets, production.
//! It must never treat a value it cannot resolve as harmless.

use crate::Category;
use crate::modifier::Modifier;
use crate::parse::{RedirectOp, Simple, Span};
use crate::program::base_name;
use crate::tables::Arguments;

use super::host::{host_of, is_ip};
use super::segment_score::SegmentScore;
use super::target::resolve;
use super::unwrap::{Scorer, Unit};

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
        secret(scorer, &path, span, score);
        if redirect.op == RedirectOp::Read {
            continue;
        }
        if matches!(
            path.as_str(),
            "/dev/null" | "/dev/stdout" | "/dev/stderr" | "/dev/tty" | "/dev/zero"
        ) || path.starts_with("/dev/fd/")
            || path.starts_with("/dev/pts")
        {
            continue;
        }
        if score.category.base() < Category::FileWrite.base() {
            score.category = Category::FileWrite;
            score.base_span = span;
        }
        let truncates = redirect.op == RedirectOp::Write;
        if path_lists.is_device(&path) {
            score.modifiers.raise(95, span, format!("overwrites the device {path}"));
        }
        if path == "/proc/sysrq-trigger" {
            score.modifiers.raise(95, span, "makes the kernel crash or reboot at once");
        }
        if path_lists.is_vital(&path) && truncates {
            score.modifiers.raise(95, span, format!("nobody can log in or boot without {path}"));
        }
        if path_lists.is_system(&path) {
            score.modifiers.add(
                Modifier::SystemPath,
                span,
                format!("{path} is where the system lives"),
            );
        }
        if path_lists.is_persistence(&path) {
            score.modifiers.add(
                Modifier::Persistence,
                span,
                format!("{path} acts later, by itself"),
            );
        }
        if path_lists.is_tamper(&path) {
            score.modifiers.add(
                Modifier::Tampering,
                span,
                format!("{path} belongs to logs, audit or protection"),
            );
        }
        let empties = unit
            .words
            .first()
            .is_none_or(|word| matches!(word.text.as_str(), ":" | "true"))
            || unit.words.iter().all(|word| {
                matches!(word.text.as_str(), "cat" | "/dev/null" | "echo" | "printf" | "-n" | "")
            });
        if truncates && empties && !simple.compound {
            // As `truncate -s 0` would: what was in it is gone.
            score.category = Category::FileDeletion;
            score.base_span = span;
            score.modifiers.add(Modifier::Destructive, span, format!("empties {path}"));
            if !path_lists.is_temporary(&path) {
                score.modifiers.add(
                    Modifier::Force,
                    span,
                    format!("{path} is emptied without asking"),
                );
            }
        }
        if truncates && !empties && !path_lists.is_temporary(&path) {
            score.modifiers.add(
                Modifier::Force,
                span,
                format!("{path} is replaced without asking"),
            );
        }
        if redirect.target.known() && path_lists.is_temporary(&path) && simple.redirects.len() == 1
        {
            score.reducers.add(
                Modifier::Development,
                span,
                "stays within temporary or development files",
            );
        }
    }
}

fn network_redirect(unit: &Unit<'_>, path: &str, span: Span, score: &mut SegmentScore) {
    score.modifiers.add(Modifier::UnlistedHost, span, format!("{path} is a network connection"));
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

fn variable(scorer: &Scorer<'_>, name: &str, value: &str, span: Span, score: &mut SegmentScore) {
    let hijacks = matches!(
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
        || (name.starts_with("npm_config_") && name.ends_with("shell"));
    // A pager that only prints is the usual way to switch paging off.
    let harmless =
        matches!(value, "" | "cat" | "less" | "more" | "vim" | "vi" | "nano" | "true" | "less -R")
            && !name.starts_with("LD_");
    // Adding to the end of the path changes nothing that is found already.
    let appends = value.starts_with("$PATH:") || value.starts_with("${PATH}:");
    if (hijacks && !harmless) || (name == "PATH" && !appends) {
        // Whatever the program is, these run other code inside it.
        let inside = matches!(
            name,
            "LD_PRELOAD" | "LD_AUDIT" | "DYLD_INSERT_LIBRARIES" | "BASH_ENV" | "PROMPT_COMMAND"
        );
        if inside && score.category.base() < Category::CodeExecution.base() {
            score.category = Category::CodeExecution;
        }
        score.modifiers.add(
            Modifier::Hijack,
            span,
            format!("{name} makes programs run or load something else"),
        );
    }
    if matches!(
        name,
        "HISTFILE" | "HISTSIZE" | "HISTFILESIZE" | "HISTCONTROL" | "HISTIGNORE" | "AUDITD"
    ) {
        let off = matches!(value, "" | "0" | "/dev/null" | "*" | "ignorespace" | "ignoreboth");
        if off || name == "HISTFILE" {
            score.modifiers.add(
                Modifier::Tampering,
                span,
                format!("{name} switches the history off"),
            );
            if value != "ignorespace" && value != "ignoreboth" {
                score.modifiers.raise(50, span, "what is done next leaves no history");
            }
        }
    }
    secret(scorer, value, span, score);
}

/// Data that leaves for a host on no list: a remote destination of `scp` and `rsync`, an answer
/// smuggled into a name that is looked up, standard input of `nc` and `ssh`.
fn leaves(unit: &Unit<'_>, program: &str, arguments: &Arguments<'_>, score: &mut SegmentScore) {
    let Some(applied) = score
        .modifiers
        .list
        .iter()
        .find(|applied| applied.modifier == Modifier::UnlistedHost)
        .cloned()
    else {
        return;
    };
    let last = arguments.operands.last().map_or("", |(text, _)| *text);
    let fed = Some(unit.host).is_some_and(|simple| {
        simple.stage > 0
            || simple
                .redirects
                .iter()
                .any(|redirect| redirect.fd == Some(0) && redirect.op != RedirectOp::Dup)
    });
    let sends = match program {
        "scp" | "rsync" | "pscp" => {
            arguments.operands.len() > 1 && host_of(last).is_some() && last.contains(':')
        }
        "sftp" | "nc" | "ncat" | "netcat" | "socat" | "telnet" | "ftp" => fed,
        _ => false,
    };
    if sends {
        score.modifiers.raise(50, applied.span, format!("data leaves: {}", applied.why));
    }
}

/// Hosts a network program talks to.
pub(super) fn hosts(
    scorer: &Scorer<'_>,
    unit: &Unit<'_>,
    arguments: &Arguments<'_>,
    score: &mut SegmentScore,
) {
    let listed = |host: &str| {
        scorer.tables.path_lists.hosts.iter().any(|pattern| crate::tables::wildcard(pattern, host))
    };
    let ssh = unit.words.first().is_some_and(|word| {
        matches!(
            base_name(&word.text),
            "ssh"
                | "mosh"
                | "autossh"
                | "ssh-copy-id"
                | "telnet"
                | "nc"
                | "ncat"
                | "netcat"
                | "ftp"
                | "rlogin"
                | "rsh"
        )
    });
    for (nth, (text, at)) in arguments.operands.iter().enumerate() {
        let host = host_of(text).or_else(|| {
            (ssh && nth == 0
                && !text.is_empty()
                && !text.contains(['/', ' '])
                && text.parse::<u16>().is_err())
            .then_some(*text)
        });
        let Some(host) = host else { continue };
        // Looking a name up tells nobody much.
        if listed(host) || score.category == Category::Inspection {
            continue;
        }
        let span = unit.words.get(*at).map_or(score.base_span, |word| word.span);
        let why = if is_ip(host) {
            format!("{host} is a bare address")
        } else {
            format!("{host} is on no list of known hosts")
        };
        score.modifiers.add(Modifier::UnlistedHost, span, why);
        break;
    }
    let program = unit.words.first().map_or("", |word| base_name(&word.text));
    leaves(unit, program, arguments, score);
    if matches!(program, "dig" | "nslookup" | "host" | "drill" | "ping")
        && let Some(word) = unit.words.iter().skip(1).find(|word| {
            word.flags.substitution && word.flags.unknown_output && !word.text.contains("name")
        })
    {
        score.category = Category::Network;
        score.modifiers.add(
            Modifier::UnlistedHost,
            word.span,
            "what is looked up carries the output of a command",
        );
        score.modifiers.raise(50, word.span, "data leaves in the name that is looked up");
    }
}

/// What any word of any command can mean: secrets, production, disguise.
pub(super) fn everywhere(scorer: &Scorer<'_>, unit: &Unit<'_>, score: &mut SegmentScore) {
    let program = unit.words.first().map_or("", |word| base_name(&word.text));
    // These look at the name of a file, not into it; these print what they are given.
    let names_only = matches!(
        program,
        "ls" | "stat"
            | "test"
            | "["
            | "dirname"
            | "basename"
            | "realpath"
            | "mkdir"
            | "cd"
            | "echo"
            | "printf"
            | "locate"
            | "tree"
            | "du"
            | "ssh"
            | "which"
    );
    let names_only = names_only
        || (program == "find"
            && !unit.host.in_substitution
            && !unit.words.iter().any(|word| word.text.starts_with("-exec")));
    // A certificate is public; the keys that share its file's ending are not read by this verb.
    let names_only = names_only
        || (program == "openssl"
            && unit.words.get(1).is_some_and(|word| {
                matches!(word.text.as_str(), "x509" | "crl" | "verify" | "s_client")
            }));
    let searches = matches!(program, "grep" | "egrep" | "rg" | "ag" | "sed" | "awk");
    for (nth, word) in unit.words.iter().enumerate().take(crate::tables::MAX_WORDS) {
        let text = word.text.as_str();
        if nth > 0
            && !names_only
            && !(searches && nth == 1)
            && text.len() < 1024
            && !text.contains(' ')
        {
            let value = text
                .split_once('=')
                .filter(|(option, _)| option.starts_with('-'))
                .map_or(text, |(_, value)| value);
            // `@file` and `name=@file` are read by what they are given to.
            let value =
                value.rsplit_once("=@").map_or(value, |(_, file)| file).trim_start_matches('@');
            let path = resolve(value, unit.cwd.filter(|_| value.contains('/')));
            secret(scorer, &path, word.span, score);
        }
        if nth > 0 && !text.contains([' ', '\n']) && scorer.tables.path_lists.is_production(text) {
            score.modifiers.add(Modifier::Production, word.span, format!("{text} is production"));
        }
        let path_like = nth == 0 || text.starts_with(['/', '~']);
        if word.flags.encoded || (word.flags.disguised && path_like) {
            score.modifiers.add(
                Modifier::Obfuscation,
                word.span,
                format!("written so that {text} is hard to see"),
            );
        }
    }
    if let Some(simple) = unit.simple {
        for redirect in simple.redirects.iter().filter(|redirect| redirect.body.is_none()) {
            let text = &redirect.target.text;
            if !text.contains([' ', '\n']) && scorer.tables.path_lists.is_production(text) {
                score.modifiers.add(
                    Modifier::Production,
                    redirect.span,
                    format!("{text} is production"),
                );
            }
        }
    }
}

fn secret(scorer: &Scorer<'_>, path: &str, span: Span, score: &mut SegmentScore) {
    if scorer.tables.path_lists.is_secret(path) {
        score.modifiers.add(Modifier::Secret, span, format!("{path} holds secrets"));
    }
}
