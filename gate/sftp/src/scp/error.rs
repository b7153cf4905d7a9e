//! Why an upload is refused. No message may quote what the client sent.

use super::limits::{MAX_DEPTH, MAX_LINE, MAX_RECORDS};

/// Why an upload is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScpError {
    /// A file's content did not end as announced; the client could not read it, or says nonsense.
    #[error("the client did not send a file whole")]
    Content,
    /// Directories in directories.
    #[error("directories are nested more than {MAX_DEPTH} deep")]
    Deep,
    /// A directory without `-r`.
    #[error("the client sends a directory without having asked for `-r`")]
    Directory,
    /// The end came in the middle.
    #[error("the client ended in the middle of the upload")]
    Ended,
    /// `E` without `D`.
    #[error("the client ends a directory that it did not begin")]
    End,
    /// A record without end.
    #[error("a record of the upload is longer than {MAX_LINE} bytes")]
    Long,
    /// Not as scp writes it.
    #[error("a record of the upload is not as scp writes it")]
    Malformed,
    /// Too much.
    #[error(
        "more than {MAX_RECORDS} files and directories at once: nobody could review them. \
         Send an archive, use rsync or sftp, or split the upload"
    )]
    Many,
    /// A name that is none.
    #[error("a name in the upload is empty, too long, leads elsewhere or holds control characters")]
    Name,
    /// Times of nothing.
    #[error("the client sends times that belong to nothing")]
    Times,
    /// Neither a record nor a message.
    #[error("what the client sends is not an upload of scp")]
    Unknown,
}
