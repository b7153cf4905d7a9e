//! Reads an account's answer to the question which shell it has. Whatever is not exactly one of the
//! expected lines says nothing: a shell that is not known is always safe.

use expacti_protocol::shell::PosixShell;

/// What every answer begins with.
const BEGINNING: &str = "expacti-shell/1 ";

/// `set -o` of a bash that reads as it does by itself, and as it does when it was started as `sh`.
const BASH_READS: &str = "braceexpand:hashall:interactive-comments";
const SH_READS: &str = "braceexpand:hashall:interactive-comments:posix";

/// `shopt` of a bash that reads as it does by itself: its defaults, and what has to do with history,
/// completion and messages only. With any other (`extglob`, `expand_aliases`, `lastpipe`, one that is
/// not known here) a line may mean something else.
const BASH_OPTIONS: &[&str] = &[
    "checkhash",
    "checkwinsize",
    "cmdhist",
    "complete_fullquote",
    "direxpand",
    "dirspell",
    "extquote",
    "force_fignore",
    "globasciiranges",
    "globskipdots",
    "gnu_errfmt",
    "histappend",
    "histreedit",
    "histverify",
    "hostcomplete",
    "interactive_comments",
    "lithist",
    "login_shell",
    "mailwarn",
    "no_empty_cmd_completion",
    "patsub_replacement",
    "progcomp",
    "progcomp_alias",
    "promptvars",
    "restricted_shell",
    "sourcepath",
];

/// What `setopt` may list in a zsh that reads as it does by itself: it lists what differs from the
/// defaults.
const ZSH_OPTIONS: &[&str] = &["nobeep", "nohashdirs"];

/// `$-` of the other shells may have these: started with `-c`, remembers programs, expands braces.
const PLAIN_FLAGS: &str = "Bchs";

/// The shell that gave this answer.
pub(crate) fn read_answer(answer: &[u8]) -> Option<PosixShell> {
    let line = std::str::from_utf8(answer).ok()?.strip_suffix('\n')?;
    let printable = line.bytes().all(|b| (b' '..=b'~').contains(&b));
    let fields: Vec<&str> =
        line.strip_prefix(BEGINNING).filter(|_| printable)?.split(' ').collect();
    let (program, fields) = fields.split_last()?;
    let program = match program.rsplit_once('/') {
        Some((_, name)) => name,
        None if program.is_empty() => "",
        None => return None,
    };
    match (fields, program) {
        (["bash", version, set, shopt], "bash") => bash(version, set, shopt),
        // Without /proc (macOS, BSD) its variables alone tell zsh: nothing else has both.
        (["zsh", "0", "0", options @ ..], "zsh" | "") => {
            all(options.iter().copied(), ZSH_OPTIONS).then_some(PosixShell::Zsh)
        }
        (["sh", "", flags], name) if flags.chars().all(|c| PLAIN_FLAGS.contains(c)) => other(name),
        _ => None,
    }
}

/// `BASHOPTS` came with 4.1; an older one cannot be asked.
fn bash(version: &str, set: &str, shopt: &str) -> Option<PosixShell> {
    let shell = match set {
        BASH_READS => PosixShell::Bash,
        SH_READS => PosixShell::Sh,
        _ => return None,
    };
    let version: u32 = version.parse().ok()?;
    (version >= 4 && all(shopt.split(':'), BASH_OPTIONS)).then_some(shell)
}

/// The other shells have no name of their own to ask for: by their program.
fn other(program: &str) -> Option<PosixShell> {
    Some(match program {
        "ash" | "busybox" => PosixShell::Ash,
        "dash" => PosixShell::Dash,
        "ksh" | "ksh93" => PosixShell::Ksh,
        "mksh" => PosixShell::Mksh,
        _ => return None,
    })
}

fn all<'a>(mut words: impl Iterator<Item = &'a str>, known: &[&str]) -> bool {
    words.all(|word| known.contains(&word))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::boundary::WHICH_SHELL;

    /// What a shell of this machine says; `None` if there is no such shell.
    fn said(argv: &[&str], environment: &[(&str, &str)]) -> Option<std::process::Output> {
        let output = Command::new(argv[0])
            .args(&argv[1..])
            .args(["-c", WHICH_SHELL])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", "/nonexistent")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .output();
        output.ok()
    }

    /// What the gate would make of it.
    fn read(output: &std::process::Output) -> Option<PosixShell> {
        let clean = output.status.success() && output.stderr.is_empty();
        clean.then(|| read_answer(&output.stdout)).flatten()
    }

    #[test]
    fn real_shells_are_told_from_each_other() {
        let mut asked = 0;
        for (argv, expected) in [
            (&["bash"][..], Some(PosixShell::Bash)),
            (&["zsh"], Some(PosixShell::Zsh)),
            (&["dash"], Some(PosixShell::Dash)),
            (&["ksh93"], Some(PosixShell::Ksh)),
            (&["mksh"], Some(PosixShell::Mksh)),
            (&["busybox", "ash"], Some(PosixShell::Ash)),
            (&["fish"], None),
            (&["tcsh"], None),
            (&["yash"], None),
            (&["python3"], None),
            (&["perl"], None),
            // Set to read in another way.
            (&["bash", "-O", "extglob"], None),
            (&["bash", "-O", "expand_aliases"], None),
            (&["bash", "-O", "lastpipe"], None),
            (&["bash", "-k"], None),
            (&["bash", "-f"], None),
            (&["bash", "+B"], None),
            (&["bash", "--posix"], None),
            (&["zsh", "-o", "rcquotes"], None),
            (&["zsh", "-o", "extendedglob"], None),
            (&["zsh", "-o", "cshjunkiequotes"], None),
            (&["zsh", "--emulate", "sh"], None),
            (&["zsh", "--emulate", "ksh"], None),
            (&["dash", "-f"], None),
            (&["mksh", "-f"], None),
        ] {
            let Some(output) = said(argv, &[]) else { continue };
            asked += 1;
            assert_eq!(read(&output), expected, "{argv:?}: {output:?}");
        }
        assert!(asked >= 10, "bash, dash and zsh at least");
    }

    #[test]
    fn no_environment_makes_a_shell_another() {
        let names = ["BASH_VERSION", "ZSH_VERSION", "HUSH_VERSION", "BASHOPTS", "SHELLOPTS"];
        for (argv, own) in [
            (&["bash"][..], PosixShell::Bash),
            (&["zsh"], PosixShell::Zsh),
            (&["dash"], PosixShell::Dash),
            (&["ksh93"], PosixShell::Ksh),
            (&["mksh"], PosixShell::Mksh),
            (&["busybox", "ash"], PosixShell::Ash),
        ] {
            for name in names {
                for value in ["5", "5.2", "5 x", "braceexpand", ""] {
                    let Some(output) = said(argv, &[(name, value)]) else { continue };
                    let read = read(&output);
                    assert!(read.is_none_or(|shell| shell == own), "{argv:?} {name}={value}");
                }
            }
        }
    }

    #[test]
    fn only_the_exact_line_is_an_answer() {
        let bash = format!("expacti-shell/1 bash 5 {BASH_READS} cmdhist:extquote /usr/bin/bash\n");
        assert_eq!(read_answer(bash.as_bytes()), Some(PosixShell::Bash));
        let sh = format!("expacti-shell/1 bash 4 {SH_READS} cmdhist /bin/bash\n");
        assert_eq!(read_answer(sh.as_bytes()), Some(PosixShell::Sh));
        let zsh = "expacti-shell/1 zsh 0 0 nohashdirs \n";
        assert_eq!(read_answer(zsh.as_bytes()), Some(PosixShell::Zsh), "where /proc is missing");

        let hostile = [
            String::new(),
            "\n".to_owned(),
            "bash\n".to_owned(),
            "expacti-shell/1 \n".to_owned(),
            "expacti-shell/1 bash\n".to_owned(),
            // Noise before, after and within; a second answer; no end; another end.
            format!("Welcome!\n{bash}"),
            format!("{bash}bye\n"),
            format!("{bash}{bash}"),
            format!("{bash}\n"),
            format!(" {bash}"),
            format!("\r{bash}"),
            format!("\u{feff}{bash}"),
            format!("\x1b[2J{bash}"),
            bash.trim_end().to_owned(),
            bash.replace('\n', "\r\n"),
            bash.replace("bash 5", "bash\u{a0}5"),
            bash.replace("bash 5", "bash  5"),
            bash.replace(" /usr", "\0/usr"),
            // The text of the question, as a forced command that echoes it would send it.
            format!("{WHICH_SHELL}\n"),
            // Other versions, settings and programs.
            bash.replace("/1 ", "/2 "),
            bash.replace("bash 5", "bash 3"),
            bash.replace("bash 5", "bash -5"),
            bash.replace("bash 5", "bash x"),
            bash.replace("extquote", "extglob"),
            bash.replace("extquote", "expand_aliases"),
            bash.replace("cmdhist:extquote", ""),
            bash.replace("hashall", "hashall:keyword"),
            bash.replace("braceexpand:", ""),
            bash.replace("/usr/bin/bash", ""),
            bash.replace("/usr/bin/bash", "bash"),
            bash.replace("/usr/bin/bash", "/usr/bin/brush"),
            bash.replace("/usr/bin/bash", "/usr/bin/bash (deleted)"),
            bash.replace("bash 5", "zsh 5"),
            "expacti-shell/1 zsh 1 0 nohashdirs /bin/zsh\n".to_owned(),
            "expacti-shell/1 sh 0 0 nohashdirs /bin/zsh\n".to_owned(),
            "expacti-shell/1 zsh 0 0 nohashdirs rcquotes /bin/zsh\n".to_owned(),
            "expacti-shell/1 zsh 0 0 nohashdirs /bin/dash\n".to_owned(),
            "expacti-shell/1 zsh 0 0\n".to_owned(),
            "expacti-shell/1 sh   \n".to_owned(),
            "expacti-shell/1 sh   /bin/fish\n".to_owned(),
            "expacti-shell/1 sh   /bin/yash\n".to_owned(),
            "expacti-shell/1 sh  f /bin/dash\n".to_owned(),
            "expacti-shell/1 sh 1.36  /bin/busybox\n".to_owned(),
            "expacti-shell/1 sh  /bin/dash\n".to_owned(),
            format!("{}{bash}", "x".repeat(1 << 20)),
        ];
        for answer in hostile {
            assert_eq!(read_answer(answer.as_bytes()), None, "{answer:?}");
        }
        assert_eq!(read_answer(b"expacti-shell/1 sh   /bin/\xffdash\n"), None);
    }
}
