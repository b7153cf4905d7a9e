//! Why an upload is refused. No message may quote what the client sent.

use super::limits::{MAX_DEPTH, MAX_LINE, MAX_RECORDS};

/// Why an upload is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScpError {
    /// A file's content did not end as announced: the client could not read it all, or the stream
    /// is broken.
    #[error("the client did not send a file whole")]
    Content,
    /// Directories are nested too deep.
    #[error("directories are nested more than {MAX_DEPTH} deep")]
    Deep,
    /// A directory without `-r`.
    #[error("the client sends a directory without having asked for `-r`")]
    Directory,
    /// The client ended before the upload was complete.
    #[error("the client ended in the middle of the upload")]
    Ended,
    /// `E` without `D`.
    #[error("the client ends a directory that it did not begin")]
    End,
    /// A record is too long.
    #[error("a record of the upload is longer than {MAX_LINE} bytes")]
    Long,
    /// A record is not written as scp writes it.
    #[error("a record of the upload is not as scp writes it")]
    Malformed,
    /// Too many files and directories.
    #[error(
        "more than {MAX_RECORDS} files and directories at once: nobody could review them. \
         Send an archive, use rsync or sftp, or split the upload"
    )]
    Many,
    /// A name that no file in a directory can have.
    #[error("a name in the upload is empty, too long, leads elsewhere or holds control characters")]
    Name,
    /// Times that no file or directory follows.
    #[error("the client sends times that belong to nothing")]
    Times,
    /// Neither a record nor a message.
    #[error("what the client sends is not an upload of scp")]
    Unknown,
}
