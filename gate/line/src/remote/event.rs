//! What comes from the remote side, as events. All of it was said by the target: it informs the
//! reviewer, and must never decide whether bytes are held.

/// What the provisioned shell says of itself before anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// `bash`, `zsh`, `fish`, `dash`, `ash`, `ksh`, `mksh` or `sh`.
    pub shell: String,
    /// As the shell gives it; may be empty.
    pub version: String,
    /// `/dev/pts/N` or `/dev/ttysNNN`; `None` when it gave something else.
    pub tty: Option<String>,
    /// The shell's process id on the target.
    pub pid: Option<u32>,
    /// Whether it answers the check key with a report of its edit buffer. If not, a line is
    /// delivered as to an unverified prompt.
    pub reports_buffer: bool,
}

/// The shell's answer to the check key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Check {
    /// Its edit buffer. Empty when `foreign`.
    pub buffer: Vec<u8>,
    /// The buffer continues an unfinished command, as far as the shell can tell (zsh).
    pub continued: bool,
    /// The buffer contains control characters that no reviewed line contains.
    pub foreign: bool,
    /// `!` would be expanded after Return.
    pub history_expansion: bool,
    /// The shell would not run the buffer on Return: it has an error or is incomplete.
    pub unready: bool,
    /// The keymap is vi's.
    pub vi: bool,
    /// The shell reads its input as UTF-8.
    pub utf8: bool,
}

/// What came from the remote side, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The alternate screen was entered (`true`) or left; its bytes follow as output.
    AltScreen(bool),
    /// The answer to the check key.
    Check(Check),
    /// The shell is back at its prompt after a command, whose status it gave or not.
    CommandDone {
        /// 0 to 255.
        status: Option<u32>,
    },
    /// The shell begins to run a command.
    CommandStart,
    /// The shell has printed the prompt of a further line (PS2) and reads it.
    ContinuationPrompt,
    /// The shell's directory, at each prompt.
    Cwd(String),
    /// The shell was provisioned.
    Hello(Hello),
    /// For the agent's screen.
    Output(Vec<u8>),
    /// Bracketed paste was switched on or off; its bytes follow as output.
    PasteMode(bool),
    /// The prompt has been printed; the shell reads a line.
    PromptEnd,
    /// The shell begins to print its prompt (not: draws it again).
    PromptStart,
}

/// How the last command ended, as far as the shell has said so without a prompt after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LastStatus {
    /// The shell has said nothing yet.
    #[default]
    NotReported,
    /// The command has ended.
    Reported {
        /// 0 to 255; `None` when what the shell gave was not a number.
        status: Option<u32>,
    },
}

impl LastStatus {
    /// Whether the shell has said that the command is over.
    pub fn is_reported(self) -> bool {
        matches!(self, Self::Reported { .. })
    }

    /// The status, where it is known.
    pub fn status(self) -> Option<u32> {
        match self {
            Self::NotReported => None,
            Self::Reported { status } => status,
        }
    }
}

/// What the gate believes the remote side to be doing: for the reviewer only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Login files run; no prompt yet.
    Boot,
    /// The provisioned shell reads the next line of an unfinished command.
    Continuation,
    /// The provisioned shell reads a command.
    Prompt,
    /// A program runs; only a probe can tell which.
    Running,
    /// Nothing is known: no hello came.
    Unverified,
}

impl Phase {
    /// Whether the provisioned shell reads a line.
    pub fn is_prompt(self) -> bool {
        matches!(self, Self::Prompt | Self::Continuation)
    }
}
