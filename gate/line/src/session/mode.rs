//! What would read the keys that are typed now. It decides how keys are shown and what the reviewer
//! is told; it must never decide whether keys are held.

use std::time::Duration;

use super::item::Label;
use super::password::asks_for_password;
use super::probe::SideProbe;
use crate::editor;
use crate::remote::{Phase, Probe, Remote};

/// How keys are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The shell has not said anything yet.
    Boot,
    /// At the prompt of the provisioned shell.
    Prompt,
    /// At its continuation prompt.
    Continuation,
    /// Nothing is known: lines.
    Unverified,
    /// A program with a line editor of its own: lines.
    Editor,
    /// A program that reads whole lines.
    Cooked,
    /// A program that reads whole lines without echo, and is not known to ask for a password.
    Silent,
    /// A program that asks for a password.
    Secret,
    /// A program that reads keys.
    Keys,
}

impl Mode {
    pub(super) fn label(self) -> Label {
        match self {
            Self::Prompt => Label::Verified,
            Self::Continuation => Label::Continuation,
            Self::Boot | Self::Unverified | Self::Editor => Label::Unverified,
            Self::Cooked => Label::Cooked,
            Self::Secret | Self::Silent => Label::NoEcho,
            Self::Keys => Label::Raw,
        }
    }

    /// Whether the provisioned shell reads a line.
    pub(super) fn is_prompt(self) -> bool {
        matches!(self, Self::Prompt | Self::Continuation)
    }

    /// Whether the gate does not draw what is typed: the program draws it, or nobody may see it.
    pub(super) fn hides_editor(self) -> bool {
        self.is_silent() || self == Self::Keys
    }

    /// Whether lines are taken in without drawing them anywhere.
    pub(super) fn is_silent(self) -> bool {
        matches!(self, Self::Secret | Self::Silent)
    }

    /// What the editor does with keys in this mode.
    pub(super) fn editor_mode(self) -> editor::Mode {
        match self {
            Self::Prompt => editor::Mode::Shell,
            Self::Secret | Self::Silent => editor::Mode::Secret,
            _ => editor::Mode::Program,
        }
    }
}

/// What the program in the foreground has set on the agent's terminal, as of the output shown so
/// far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TerminalModes {
    pub(super) alternate_screen: bool,
    pub(super) bracketed_paste: bool,
}

/// Programs that read lines with an editor of their own, even one that does not know bracketed
/// paste, and programs after which such an editor is likely: shells, the interactive modes of
/// languages, database clients, whatever enters another machine or container. For any other
/// program that reads keys one by one, keys are collected as they are.
const LINE_READERS: &[&str] = &[
    "R",
    "ash",
    "bash",
    "bc",
    "busybox",
    "clickhouse-client",
    "cqlsh",
    "dash",
    "docker",
    "fish",
    "gdb",
    "ghci",
    "iex",
    "influx",
    "ipython",
    "irb",
    "julia",
    "ksh",
    "kubectl",
    "lua",
    "lxc",
    "machinectl",
    "mariadb",
    "mksh",
    "mongo",
    "mongosh",
    "mysql",
    "node",
    "nsenter",
    "octave",
    "php",
    "podman",
    "psql",
    "python",
    "redis-cli",
    "sftp",
    "sh",
    "sqlite3",
    "sqlplus",
    "ssh",
    "su",
    "sudo",
    "valkey-cli",
    "virsh",
    "zsh",
];

/// Whether the program of a command line is one of them; `python3.11` counts as `python`.
fn reads_lines(command: &str) -> bool {
    let program = command.split_whitespace().next().unwrap_or_default().trim_start_matches('-');
    let name = program.rsplit('/').next().unwrap_or_default();
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    LINE_READERS.contains(&name) || LINE_READERS.contains(&plain)
}

/// What the mode is judged by.
pub(super) struct Evidence<'a> {
    pub(super) remote: &'a Remote,
    pub(super) probe: &'a SideProbe,
    pub(super) terminal: TerminalModes,
    /// The target's row before the cursor.
    pub(super) current_row: &'a [u8],
    /// How many lines the program in the foreground has got.
    pub(super) given: u32,
    pub(super) now: Duration,
}

impl Evidence<'_> {
    /// The mode as far as it is known; `None` when the target has to be asked first.
    pub(super) fn mode(&self) -> Option<Mode> {
        match self.remote.phase() {
            Phase::Boot => Some(Mode::Boot),
            Phase::Prompt => Some(Mode::Prompt),
            Phase::Continuation => Some(Mode::Continuation),
            Phase::Running | Phase::Unverified
                if self.remote.tty().is_none() || self.probe.has_timed_out() =>
            {
                Some(self.guess())
            }
            Phase::Running | Phase::Unverified => {
                self.probe.current(self.now).map(|probe| self.mode_of(probe))
            }
        }
    }

    fn mode_of(&self, probe: &Probe) -> Mode {
        if asks_for_password(probe, self.current_row, self.given) {
            Mode::Secret
        } else if probe.canonical {
            if !probe.echo || asks_for_secret(self.current_row) {
                Mode::Silent
            } else if own_shell_reads(self.remote, self.probe) {
                Mode::Unverified
            } else {
                Mode::Cooked
            }
        } else if self.terminal.alternate_screen {
            Mode::Keys
        } else if self.terminal.bracketed_paste {
            Mode::Editor
        } else if asks_for_secret(self.current_row) {
            Mode::Silent
        } else if own_shell_reads(self.remote, self.probe) {
            Mode::Unverified
        } else if probe.foreground.as_deref().is_some_and(reads_lines) {
            Mode::Editor
        } else {
            Mode::Keys
        }
    }

    /// Without an answer of the target.
    fn guess(&self) -> Mode {
        if self.terminal.alternate_screen {
            Mode::Keys
        } else if asks_for_secret(self.current_row) {
            Mode::Silent
        } else {
            Mode::Unverified
        }
    }
}

/// Whether, as of the last probe, the provisioned shell reads the terminal itself, and is one
/// whose prompt alone tells that it reads a command: the account may have changed that prompt.
pub(super) fn own_shell_reads(remote: &Remote, probe: &SideProbe) -> bool {
    remote.reads_plain_lines() && probe.sees_own_shell()
}

/// Whether the row before the cursor asks for something that is not drawn as it is typed.
fn asks_for_secret(row: &[u8]) -> bool {
    const WORDS: [&str; 8] =
        ["password", "passphrase", "passcode", "pin", "secret", "token", "passwort", "otp"];
    let row = String::from_utf8_lossy(row).to_lowercase();
    let row = row.trim_end();
    row.ends_with([':', '?', '>'])
        && WORDS
            .iter()
            .any(|word| row.split(|c: char| !c.is_alphanumeric()).any(|w| w.starts_with(word)))
}
