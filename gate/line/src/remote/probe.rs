//! Asks the target, over a separate channel, what reads the terminal: a constant script, whose
//! answer is for the reviewer. It must never contain anything that the agent chose.

use super::provision::for_any_shell;

const SCRIPT: &str = include_str!("shells/probe.sh");

const FIND: &str = include_str!("shells/find.sh");

/// What reads the terminal, as the target said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probe {
    /// The terminal echoes what is typed; if not, a password is likely.
    pub echo: bool,
    /// The terminal passes on whole lines; if not, single keys.
    pub canonical: bool,
    /// The foreground program with its arguments (`psql -d shop`); `None` when it is the
    /// provisioned shell itself.
    pub foreground: Option<String>,
    /// The foreground program's process id.
    pub pid: Option<u32>,
    /// Its user id.
    pub uid: Option<u32>,
    /// The user id that it acts with.
    pub euid: Option<u32>,
    /// The name of the file that it was started from; asked only where the echo is off.
    pub name: Option<String>,
    /// That file, if the account may see it; asked only where the echo is off.
    pub file: Option<String>,
    /// No other process shares the terminal's foreground with it, and it has started none; asked only
    /// where the echo is off.
    pub alone: bool,
    /// Its directory, if the account may see it.
    pub cwd: Option<String>,
}

/// The exec request that asks about this terminal; `None` when that is not a terminal's name.
pub fn probe_command(tty: &str) -> Option<String> {
    valid_tty(tty).then(|| for_any_shell(&SCRIPT.replace("@TTY@", tty)))
}

/// The exec request that asks which terminals the commands of this connection have.
pub fn find_command() -> String {
    for_any_shell(FIND)
}

/// Reads the answer: the one terminal; `None` if there is none, or more than one.
pub fn parse_found(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let mut found = text
        .lines()
        .filter_map(|line| line.strip_prefix("tty=").map(str::trim))
        .filter(|tty| valid_tty(tty));
    let tty = found.next()?.to_owned();
    found.next().is_none().then_some(tty)
}

/// Reads the answer; `None` if it is malformed.
pub fn parse_probe(output: &[u8]) -> Option<Probe> {
    let text = String::from_utf8_lossy(output);
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim()).filter(|line| !line.is_empty())
    };
    let modes = field("stty=")?;
    let mode = |name: &str| modes.split([' ', ';']).any(|word| word == name);
    if !mode("icanon") && !mode("-icanon") {
        return None;
    }
    let pid = field("pid=").and_then(|pid| pid.parse().ok());
    let leader = field("leader=").and_then(|pid| pid.parse().ok());
    let args = field("args=");
    let own = pid.is_some() && pid == leader && args.is_none_or(is_provisioned);
    Some(Probe {
        echo: mode("echo"),
        canonical: mode("icanon"),
        foreground: args.filter(|_| !own).map(str::to_owned),
        pid,
        uid: field("uid=").and_then(|uid| uid.parse().ok()),
        euid: field("euid=").and_then(|uid| uid.parse().ok()),
        name: field("comm=").map(str::to_owned),
        file: field("exe=").map(str::to_owned),
        alone: field("alone=") == Some("1"),
        cwd: field("cwd=").map(str::to_owned),
    })
}

/// Whether these are the arguments with which [`start_command`](super::start_command) starts
/// shells; the process may have become another program by `exec`.
fn is_provisioned(args: &str) -> bool {
    let program = args.split(' ').next().unwrap_or_default();
    let alone = program == args
        && matches!(
            program.rsplit('/').next().unwrap_or_default(),
            "ash" | "dash" | "ksh" | "ksh93" | "mksh" | "sh"
        );
    args.starts_with('-') || alone || args.ends_with(" -C source </dev/fd/9")
}

/// `/dev/pts/N`, `/dev/ttysNNN` and the like: nothing a shell would interpret.
pub(super) fn valid_tty(tty: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    tty.len() <= 32
        && (tty.strip_prefix("/dev/pts/").is_some_and(digits)
            || tty.strip_prefix("/dev/tty").is_some_and(digits))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn only_one_terminal_is_the_one() {
        let found = |text: &str| parse_found(text.as_bytes());
        assert_eq!(found("tty=/dev/?\ntty=/dev/pts/3\n"), Some("/dev/pts/3".to_owned()));
        assert_eq!(found("tty=/dev/pts/3\ntty=/dev/pts/4\n"), None);
        assert_eq!(found("tty=/dev/pts/3;id\n"), None);
        assert_eq!(found(""), None);
    }

    #[test]
    fn only_a_terminals_name_is_probed() {
        for tty in ["/dev/pts/0", "/dev/pts/123", "/dev/ttys003", "/dev/tty1"] {
            assert!(probe_command(tty).is_some(), "{tty}");
        }
        for tty in ["", "/dev/pts/", "/dev/pts/0;id", "/dev/pts/../sda", "/dev/tty $(id)", "pts/0"]
        {
            assert_eq!(probe_command(tty), None, "{tty}");
        }
    }

    #[test]
    fn an_answer_is_read() {
        let probe = parse_probe(
            b"stty=speed 38400 baud; isig icanon iexten -echo echoe\nleader=7\npid=9\nuid=0\n\
              args=psql -d shop \ncwd=/srv\n",
        );
        let expected = Probe {
            echo: false,
            canonical: true,
            foreground: Some("psql -d shop".to_owned()),
            pid: Some(9),
            uid: Some(0),
            cwd: Some("/srv".to_owned()),
            ..Probe::default()
        };
        assert_eq!(probe, Some(expected));
        assert_eq!(parse_probe(b"stty=\n"), None);
        assert_eq!(parse_probe(b"sh: stty: not found\n"), None);
    }

    #[test]
    fn what_reads_without_echo_is_looked_at_closer() {
        let probe = parse_probe(
            b"stty=icanon -echo\nleader=7\npid=9\nuid=1000\neuid=0\nalone=1\ncomm=sudo\n\
              args=sudo ls \nexe=\ncwd=/srv\nalone=0\ncomm=sh\n",
        )
        .unwrap();
        assert_eq!((probe.euid, probe.name.as_deref(), probe.alone), (Some(0), Some("sudo"), true));
        assert_eq!(probe.file, None);
    }

    #[test]
    fn another_program_in_the_shells_place_is_told() {
        let foreground = |args: &str| {
            let answer = format!("stty=-icanon echo\nleader=7\npid=7\nargs={args} \n");
            parse_probe(answer.as_bytes()).unwrap().foreground
        };
        for own in
            ["-bash --posix", "-zsh", "/bin/dash", "ash", "/bin/fish -l -C source </dev/fd/9"]
        {
            assert_eq!(foreground(own), None, "{own}");
        }
        for other in ["zsh", "bash --norc", "/usr/bin/dash -i", "cat -u"] {
            assert_eq!(foreground(other).as_deref(), Some(other));
        }
    }
}
