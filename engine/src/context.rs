//! Where a command would run, and for whom. It must never hold anything the caller did not give.

use serde::{Deserialize, Serialize};

/// A name of a machine, with the tags that go with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetName {
    /// The name.
    pub target: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// What is known about a command besides its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// The agent that asks.
    pub agent: String,
    /// The host the command would run on.
    pub target: String,
    /// The user it would run as.
    pub user: String,
    /// The working directory, where known.
    pub cwd: Option<String>,
    /// The target's tags, e.g. `production`.
    pub tags: Vec<String>,
    /// What else the same machine is called. What restricts a name restricts the machine; what allows
    /// something for another name does not.
    pub other_names: Vec<TargetName>,
    /// Whether a terminal was asked for.
    pub pty: bool,
    /// Whether it is for the interactive shell of a session: the terminal is the shell's, and no rule
    /// needs to cover it.
    pub in_shell: bool,
    /// The time, in microseconds since the epoch.
    pub now: i64,
    /// The target user's shell, where known; anything that is not a POSIX-like shell cannot be inspected.
    pub shell: Option<String>,
    /// Whether a script follows on standard input.
    pub has_stdin_script: bool,
    /// Whether the gate looks where paths lead on the target before it delivers anything.
    pub resolves_paths: bool,
    /// What may have changed the account so that programs are no longer what they are called: why
    /// whatever only looks is asked about.
    pub tainted: Option<String>,
}

impl Context {
    /// The same command by each other name of the machine.
    pub(crate) fn by_other_names(&self) -> impl Iterator<Item = Self> {
        self.other_names.iter().map(|name| Self {
            target: name.target.clone(),
            tags: name.tags.clone(),
            other_names: Vec::new(),
            ..self.clone()
        })
    }

    /// All names of the machine.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = &str> {
        let others = self.other_names.iter().map(|name| name.target.as_str());
        std::iter::once(self.target.as_str()).chain(others)
    }

    /// Whether the command gets a terminal of its own.
    #[must_use]
    pub fn asks_for_terminal(&self) -> bool {
        self.pty && !self.in_shell
    }
}
