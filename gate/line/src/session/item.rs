//! An item as it is submitted for review. Its bytes are final: what goes to the target after an
//! approval must be exactly these.

/// What kind of item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A line or construct at a shell's prompt.
    Line,
    /// A line for the program in the foreground.
    Input,
    /// Keys for the program in the foreground.
    Keys,
    /// A control key.
    Control,
}

/// What is known of the prompt, for the reviewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// At the prompt of the provisioned shell.
    Verified,
    /// At its continuation prompt.
    Continuation,
    /// It is not known who reads.
    Unverified,
    /// A program reads lines.
    Cooked,
    /// A program reads lines without echo.
    NoEcho,
    /// A program reads keys.
    Raw,
}

impl Label {
    /// In the words of the note that a reviewer gets when the context has changed.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Verified => "the shell's prompt",
            Self::Continuation => "the shell's continuation prompt",
            Self::Unverified => "an unverified prompt",
            Self::Cooked => "a program that ran then",
            Self::NoEcho => "a program that asked without echo",
            Self::Raw => "a program that read keys",
        }
    }
}

/// An item to be reviewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// What kind.
    pub kind: Kind,
    /// The bytes; what goes to the target is exactly these.
    pub bytes: Vec<u8>,
    /// What would read them.
    pub label: Label,
    /// The program in the foreground, when it is not the provisioned shell.
    pub foreground: Option<String>,
    /// The working directory there.
    pub cwd: Option<String>,
    /// The provisioned shell, if it reads them: as it named itself.
    pub shell: Option<String>,
    /// Typed without echo.
    pub secret: bool,
    /// Keys may be granted with it.
    pub grantable: bool,
    /// What the reviewer must know.
    pub notes: Vec<String>,
    /// The item in readable form, where its bytes are not text.
    pub preview: Option<String>,
}
