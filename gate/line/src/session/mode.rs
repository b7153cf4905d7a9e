//! Where what is typed now would go. It decides how keys are shown and what the reviewer is told;
//! it never decides whether they are held.

use super::{Label, LineGate, PROBE_FRESH};
use crate::remote::{self, Probe};

/// How keys are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The shell has not said anything yet.
    Boot,
    /// At the prompt of the shell that was set up.
    Prompt,
    /// At its continuation prompt.
    Continuation,
    /// Nothing is known: lines.
    Unverified,
    /// A program with a line editor of its own: lines.
    Editor,
    /// A program that reads whole lines.
    Cooked,
    /// A program that reads whole lines without echo.
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
            Self::Secret => Label::NoEcho,
            Self::Keys => Label::Raw,
        }
    }

    /// The shell that was set up reads it.
    pub(super) fn is_prompt(self) -> bool {
        matches!(self, Self::Prompt | Self::Continuation)
    }
}

/// The program in the foreground and the state of its terminal, to see a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Foreground {
    pid: Option<u32>,
    program: Option<String>,
    echo: bool,
    canonical: bool,
}

impl Foreground {
    /// Its terminal collects whole lines.
    pub(super) fn collects_lines(&self) -> bool {
        self.canonical
    }

    pub(super) fn of(probe: &Probe) -> Self {
        Self {
            pid: probe.pid,
            program: probe.foreground.clone(),
            echo: probe.echo,
            canonical: probe.canonical,
        }
    }
}

/// Programs that read lines with an editor of their own, also where that does not know bracketed
/// paste, and programs behind which such a one is likely: shells, the interactive modes of
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

impl LineGate {
    /// The mode as far as it is known; `None` when the target has to be asked first.
    pub(super) fn mode_now(&self) -> Option<Mode> {
        Some(match self.remote.label() {
            remote::Label::Boot => Mode::Boot,
            remote::Label::Prompt => Mode::Prompt,
            remote::Label::Continuation => Mode::Continuation,
            remote::Label::Running | remote::Label::Unverified => {
                if !self.can_probe() || self.unprobed {
                    return Some(self.guess());
                }
                let (probe, at) = self.probe.as_ref()?;
                // While a new answer is on its way the last one is of what was before.
                if self.probing.is_some()
                    || self.stale
                    || self.now.saturating_sub(*at) > PROBE_FRESH
                {
                    return None;
                }
                self.mode_of(probe)
            }
        })
    }

    fn mode_of(&self, probe: &Probe) -> Mode {
        if probe.canonical {
            return if !probe.echo || self.asks_for_secret() {
                Mode::Secret
            } else if self.own_shell_reads() {
                Mode::Unverified
            } else {
                Mode::Cooked
            };
        }
        if self.alternate {
            Mode::Keys
        } else if self.paste_mode {
            Mode::Editor
        } else if self.asks_for_secret() {
            Mode::Secret
        } else if self.own_shell_reads() {
            Mode::Unverified
        } else if probe.foreground.as_deref().is_some_and(reads_lines) {
            Mode::Editor
        } else {
            Mode::Keys
        }
    }

    /// As of the last probe the shell that was set up reads the terminal itself, and it is one
    /// whose prompt alone tells when it reads a command: that may have been changed.
    pub(super) fn own_shell_reads(&self) -> bool {
        self.remote.reads_plain_lines()
            && self.probe.as_ref().is_some_and(|(p, _)| p.pid.is_some() && p.foreground.is_none())
    }

    /// Without a side probe.
    pub(super) fn guess(&self) -> Mode {
        if self.alternate {
            Mode::Keys
        } else if self.asks_for_secret() {
            Mode::Secret
        } else {
            Mode::Unverified
        }
    }

    /// The row before the cursor asks for something that must not be shown.
    fn asks_for_secret(&self) -> bool {
        let row = String::from_utf8_lossy(&self.tail).to_lowercase();
        let row = row.trim_end();
        row.ends_with([':', '?', '>'])
            && ["password", "passphrase", "passcode", "pin", "secret", "token", "passwort", "otp"]
                .iter()
                .any(|word| row.split(|c: char| !c.is_alphanumeric()).any(|w| w.starts_with(word)))
    }

    /// The present context, where the last probe is part of it.
    pub(super) fn foreground(&self) -> Option<Foreground> {
        self.probe.as_ref().map(|(probe, _)| Foreground::of(probe))
    }
}
