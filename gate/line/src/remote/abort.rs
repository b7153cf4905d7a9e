//! Why a delivery was aborted. The messages go to the agent and to the log: none may quote the
//! line.

/// Why an approved line was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AbortReason {
    /// The edit buffer is not the approved line.
    #[error("the shell's edit buffer is not the approved line")]
    BufferDiffers,
    /// The edit buffer was not empty before the line was sent.
    #[error("something stands in the shell's edit buffer already")]
    BufferNotEmpty,
    /// The check key was not answered.
    #[error(
        "the shell did not report its edit buffer in time; enter the line again, it is checked by \
         its echo then"
    )]
    CheckTimeout,
    /// The line would continue another command.
    #[error("the shell is in the middle of another command")]
    Continued,
    /// The echo is not the line.
    #[error("the line was not echoed as it was sent")]
    EchoDiffers,
    /// `!` would be expanded after Return.
    #[error("history expansion is on in the shell and could change any line; open a new session")]
    HistoryExpansion,
    /// Time was up before anything was sent.
    #[error("the delivery was not begun in time")]
    NotBegun,
    /// The shell does not read UTF-8, and the line is not ASCII.
    #[error(
        "the line is not ASCII, and the shell does not read UTF-8; log in with LC_ALL set to a \
         UTF-8 locale (ssh -o SetEnv=LC_ALL=C.UTF-8), or write the characters as escapes"
    )]
    NotUtf8,
    /// Another command began while the line was being delivered.
    #[error("the shell ran something else meanwhile")]
    OtherCommand,
    /// Return would not run the line.
    #[error("the shell would not run the line: it has an error or is incomplete")]
    WouldNotRun,
}
