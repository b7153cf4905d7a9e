//! A change of the target, as a reviewer decides on it: what would be done, to which real path, to
//! what exists there now, with which bytes. It must never hold the bytes themselves, only their
//! digest.

use crate::path::RemotePath;
use crate::sftp::{Attrs, OpenMode};

/// What is at a path before the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Present {
    /// Nothing.
    Missing,
    /// Something, with these attributes.
    There(Attrs),
}

impl Present {
    /// Its length in bytes, zero when nothing is there.
    pub fn size(&self) -> u64 {
        match self {
            Self::Missing => 0,
            Self::There(attrs) => attrs.size.unwrap_or(0),
        }
    }
}

/// The content of an upload, described by lengths and a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Length of all pieces, in bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes in the order of their offsets when they are one piece; otherwise of
    /// each piece's offset and length (64 bits each, big-endian) followed by its bytes.
    pub sha256: [u8; 32],
    /// Offset and length of each piece, in order.
    pub pieces: Vec<(u64, u64)>,
}

impl Content {
    /// How many pieces are listed in the text; the digest covers all of them.
    pub(super) const NAMED: usize = 16;

    /// Whether the digest covers the offsets as well: a single offset could not tell them.
    pub fn is_scattered(pieces: &[(u64, u64)]) -> bool {
        pieces.len() > 1
    }
}

/// A change of the target, or the reading of a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Change {
    Hardlink { old: RemotePath, new: RemotePath },
    Mkdir { path: RemotePath, mode: Option<u32> },
    Read { path: RemotePath, present: Present },
    Remove { path: RemotePath, present: Present },
    Rename { old: RemotePath, new: RemotePath, over: Present, posix: bool },
    Rmdir { path: RemotePath },
    Setstat { path: RemotePath, attrs: Attrs, present: Present, link: bool },
    Symlink { target: RemotePath, link: RemotePath, openssh: bool },
    Write(Box<Upload>),
}

/// A file with new content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The path, as the target resolved it.
    pub path: RemotePath,
    /// What exists there now.
    pub present: Present,
    /// How it is opened.
    pub mode: OpenMode,
    /// The permissions of a new file; the target's umask applies.
    pub create: Option<u32>,
    /// The existing file is truncated to this length first, in bytes.
    pub cut: Option<u64>,
    /// What is written to it.
    pub content: Content,
    /// Set after writing; a size makes the file longer.
    pub attrs: Attrs,
    /// Followed by an `fsync`.
    pub sync: bool,
}

impl Change {
    /// The path that the change is mainly about.
    pub fn path(&self) -> &RemotePath {
        match self {
            Self::Hardlink { new, .. } | Self::Rename { new, .. } => new,
            Self::Symlink { link, .. } => link,
            Self::Write(upload) => &upload.path,
            Self::Mkdir { path, .. }
            | Self::Read { path, .. }
            | Self::Remove { path, .. }
            | Self::Rmdir { path }
            | Self::Setstat { path, .. } => path,
        }
    }

    /// Every path it touches.
    pub fn paths(&self) -> Vec<&RemotePath> {
        match self {
            Self::Hardlink { old, new } | Self::Rename { old, new, .. } => vec![new, old],
            Self::Symlink { target, link, .. } => vec![link, target],
            _ => vec![self.path()],
        }
    }
}
