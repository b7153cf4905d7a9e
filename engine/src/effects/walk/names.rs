//! Names of variables and of programs.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::super::value::Value;
use crate::program::base_name;

/// The name of a program that the system has: bare, or by a path in one of its directories.
pub(super) fn installed(word: &str) -> Option<&str> {
    const DIRECTORIES: [&str; 6] =
        ["/bin", "/sbin", "/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    match word.rsplit_once('/') {
        None => Some(word),
        Some((directory, name)) if DIRECTORIES.contains(&directory) => Some(name),
        Some(_) => None,
    }
    .map(base_name)
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

pub(super) fn is_harmless_name(name: &str) -> bool {
    static HARMLESS: LazyLock<HashSet<&str>> =
        LazyLock::new(|| NAMES.split_ascii_whitespace().collect());
    HARMLESS.contains(name)
}

/// Variables whose value a shell or the loader runs, or finds programs by.
pub(super) fn may_hold_code(name: &str) -> bool {
    matches!(
        name,
        "BASH_ENV"
            | "BASH_LOADABLES_PATH"
            | "CDPATH"
            | "ENV"
            | "EDITOR"
            | "FCEDIT"
            | "FPATH"
            | "HOME"
            | "IFS"
            | "MANPAGER"
            | "PAGER"
            | "PATH"
            | "PROMPT_COMMAND"
            | "PS0"
            | "PS1"
            | "PS2"
            | "PS3"
            | "PS4"
            | "SHELLOPTS"
            | "BASHOPTS"
            | "VISUAL"
            | "ZDOTDIR"
            | "fpath"
            | "path"
            | "precmd"
            | "preexec"
    ) || ["LD_", "DYLD_", "BASH_FUNC", "GIT_", "PROMPT", "RPS", "RPROMPT", "LESS"]
        .iter()
        .any(|beginning| name.starts_with(beginning))
        || name.contains(['[', '$', '`'])
}

/// Whether a command that changes what later words mean sets what a shell runs later. In doubt it does.
pub(super) fn sets_code(words: &[Value]) -> bool {
    let Some((program, rest)) = words.split_first() else { return false };
    match program.as_literal() {
        Some("alias" | "bind" | "complete" | "enable" | "hash" | "trap") => !rest.is_empty(),
        Some("shopt") => rest.len() > 1,
        Some("." | "eval" | "exec" | "source") | None => true,
        Some(_) => rest.iter().any(|word| {
            let text = word.as_literal();
            text.is_none_or(|text| {
                let name = text.split('=').next().unwrap_or_default();
                may_hold_code(name.trim_start_matches("-v"))
            })
        }),
    }
}

/// Assignments in front of a command that change how its output looks, and nothing else.
pub(super) fn is_closed_assignment(name: &str, value: &Value) -> bool {
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
