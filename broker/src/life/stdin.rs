//! Does a program run what it reads from standard input? When in doubt: yes.

use expacti_engine::{Assessment, Segment};
use expacti_protocol::command::StdinTreatment;

/// Shells: with `-c CODE` or a script file their standard input is data.
const SHELLS: &[&str] =
    &["sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "busybox", "rbash"];

/// Interpreters that run standard input when no program is named.
const INTERPRETERS: &[&str] = &[
    "python",
    "perl",
    "ruby",
    "node",
    "nodejs",
    "deno",
    "bun",
    "php",
    "lua",
    "tclsh",
    "Rscript",
    "R",
    "julia",
    "irb",
    "pry",
    "ghci",
    "scala",
    "groovy",
    "osascript",
    "pwsh",
    "gdb",
    "bc",
    "ed",
    "ex",
    "vi",
    "vim",
    "emacs",
];

/// Clients that run standard input as their language unless a command or file is given.
const CLIENTS: &[&str] = &[
    "psql",
    "mysql",
    "mariadb",
    "sqlite3",
    "mongosh",
    "mongo",
    "redis-cli",
    "sqlplus",
    "cqlsh",
    "clickhouse-client",
    "influx",
    "cypher-shell",
    "sqlcmd",
    "isql",
];

/// Programs that run other commands given on standard input.
const RUNNERS: &[&str] = &[
    "xargs",
    "parallel",
    "at",
    "batch",
    "crontab",
    "source",
    ".",
    "eval",
    "ssh",
    "telnet",
    "nc",
    "su",
    "sudoedit",
    "screen",
    "tmux",
    "script",
    "expect",
    "make",
    "ansible-console",
    "kubectl",
    "docker",
    "podman",
    "nsenter",
    "chroot",
    "unshare",
    "machinectl",
    "systemd-run",
];

/// How the standard input of a command is to be treated.
pub(crate) fn treatment(assessment: &Assessment) -> StdinTreatment {
    let data = !assessment.uninspectable
        && !assessment.segments.is_empty()
        && assessment.segments.iter().all(|s| !runs_stdin(s));
    if data { StdinTreatment::Data } else { StdinTreatment::Code }
}

fn runs_stdin(segment: &Segment) -> bool {
    let Some(program) = segment.program.as_deref() else { return true };
    let name = program.rsplit('/').next().unwrap_or(program);
    let args: Vec<&str> = segment.argv.iter().skip(1).map(String::as_str).collect();
    let has = |options: &[&str]| args.iter().any(|a| options.contains(a));
    // `. /dev/stdin`, `bash /proc/self/fd/0`, `python /dev/fd/0`.
    if args.iter().any(|a| a.contains("/dev/stdin") || a.ends_with("/fd/0")) && !is_copier(name) {
        return true;
    }
    let base = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let operand = args.iter().any(|a| !a.starts_with('-'));
    let is = |list: &[&str]| list.contains(&name) || (!base.is_empty() && list.contains(&base));
    if is(SHELLS) {
        // A cluster such as -ec also takes code; -s and -i read standard input whatever else.
        let code =
            args.iter().any(|a| a.starts_with('-') && !a.starts_with("--") && a.contains('c'));
        let stdin = args.iter().any(|a| {
            a.starts_with('-') && !a.starts_with("--") && (a.contains('s') || a.contains('i'))
        });
        return !code && (stdin || !operand);
    }
    if is(INTERPRETERS) {
        let code = has(&["-c", "-e", "-E", "-r", "--eval", "-p", "-m"]);
        return has(&["-", "-i"]) || !(code || operand);
    }
    if is(CLIENTS) {
        return !has(&["-c", "-e", "-f", "--command", "--execute", "--eval", "--file"])
            && !args.iter().any(|a| {
                ["--command=", "--execute=", "--eval=", "--file=", "-c", "-e", "-f"]
                    .iter()
                    .any(|p| a.starts_with(p) && a.len() > p.len())
            });
    }
    if name == "sudo" || name == "doas" {
        return has(&["-i", "-s"]) || !operand;
    }
    // What docker and kubectl run was looked into as a segment of its own; with a terminal or
    // without a command they may still hand standard input to a shell inside.
    if matches!(name, "docker" | "podman" | "kubectl") {
        return has(&["exec", "run", "attach", "debug"]) && !inner_is_known(segment)
            || (has(&["apply", "create", "replace"]) && has(&["-"]));
    }
    if name == "tee" || name == "cat" {
        return false;
    }
    is(RUNNERS)
}

/// Programs for which `/dev/stdin` is merely a file to copy from.
fn is_copier(name: &str) -> bool {
    matches!(
        name,
        "cat"
            | "cp"
            | "dd"
            | "tee"
            | "install"
            | "wc"
            | "head"
            | "tail"
            | "sort"
            | "gzip"
            | "tar"
            | "sha256sum"
    )
}

fn inner_is_known(_outer: &Segment) -> bool {
    // The segment of the inner command says what it does with its input; but the outer one cannot
    // tell whether it was found, so it is not trusted.
    false
}
