//! Everything the gate may ask a target without an approval. None of it changes anything: files
//! are opened for reading only, and there is no variant that writes, names, or sets.

use bytes::Bytes;

use super::wire::{Packet, kind};
use crate::path::RemotePath;

/// Extensions of a server that the gate uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Extension {
    /// `expand-path@openssh.com`
    ExpandPath,
    /// `fstatvfs@openssh.com`
    Fstatvfs,
    /// `fsync@openssh.com`
    Fsync,
    /// `hardlink@openssh.com`
    Hardlink,
    /// `home-directory`
    HomeDirectory,
    /// `lsetstat@openssh.com`
    Lsetstat,
    /// `posix-rename@openssh.com`
    PosixRename,
    /// `statvfs@openssh.com`
    Statvfs,
    /// `users-groups-by-id@openssh.com`
    UsersGroups,
}

impl Extension {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::ExpandPath,
        Self::Fstatvfs,
        Self::Fsync,
        Self::Hardlink,
        Self::HomeDirectory,
        Self::Lsetstat,
        Self::PosixRename,
        Self::Statvfs,
        Self::UsersGroups,
    ];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::ExpandPath => "expand-path@openssh.com",
            Self::Fstatvfs => "fstatvfs@openssh.com",
            Self::Fsync => "fsync@openssh.com",
            Self::Hardlink => "hardlink@openssh.com",
            Self::HomeDirectory => "home-directory",
            Self::Lsetstat => "lsetstat@openssh.com",
            Self::PosixRename => "posix-rename@openssh.com",
            Self::Statvfs => "statvfs@openssh.com",
            Self::UsersGroups => "users-groups-by-id@openssh.com",
        }
    }

    /// The version that the gate speaks.
    pub fn version(self) -> &'static str {
        match self {
            Self::Fstatvfs | Self::Statvfs => "2",
            _ => "1",
        }
    }
}

/// A query to a target. Its handles are those of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Query {
    Close { handle: Bytes },
    ExpandPath { path: RemotePath },
    Fstat { handle: Bytes },
    Fstatvfs { handle: Bytes },
    HomeDirectory { user: Bytes },
    Lstat { path: RemotePath },
    OpenRead { path: RemotePath },
    Opendir { path: RemotePath },
    Read { handle: Bytes, offset: u64, length: u32 },
    Readdir { handle: Bytes },
    Readlink { path: RemotePath },
    Realpath { path: RemotePath },
    Stat { path: RemotePath },
    Statvfs { path: RemotePath },
    UsersGroups { users: Bytes, groups: Bytes },
}

/// Which kind of packet answers a query, unless a status does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ReplyKind {
    Attrs,
    Data,
    Extended,
    Handle,
    Name,
    Status,
}

impl Query {
    /// Which kind of packet answers it.
    pub fn reply_kind(&self) -> ReplyKind {
        match self {
            Self::Close { .. } => ReplyKind::Status,
            Self::ExpandPath { .. } | Self::HomeDirectory { .. } => ReplyKind::Name,
            Self::Fstat { .. } | Self::Lstat { .. } | Self::Stat { .. } => ReplyKind::Attrs,
            Self::Fstatvfs { .. } | Self::Statvfs { .. } | Self::UsersGroups { .. } => {
                ReplyKind::Extended
            }
            Self::OpenRead { .. } | Self::Opendir { .. } => ReplyKind::Handle,
            Self::Read { .. } => ReplyKind::Data,
            Self::Readdir { .. } | Self::Readlink { .. } | Self::Realpath { .. } => ReplyKind::Name,
        }
    }

    /// The extension that a server needs for it.
    pub fn extension(&self) -> Option<Extension> {
        Some(match self {
            Self::ExpandPath { .. } => Extension::ExpandPath,
            Self::Fstatvfs { .. } => Extension::Fstatvfs,
            Self::HomeDirectory { .. } => Extension::HomeDirectory,
            Self::Statvfs { .. } => Extension::Statvfs,
            Self::UsersGroups { .. } => Extension::UsersGroups,
            _ => return None,
        })
    }

    /// The first packet of a session.
    pub fn init() -> Bytes {
        Packet::new(kind::INIT).u32(3).finish()
    }

    /// The packet with this request id.
    pub fn encode(&self, id: u32) -> Bytes {
        let plain = |kind: u8, what: &[u8]| Packet::new(kind).u32(id).string(what);
        let extended = |what: Extension| plain(kind::EXTENDED, what.name().as_bytes());
        match self {
            Self::Close { handle } => plain(kind::CLOSE, handle),
            Self::ExpandPath { path } => extended(Extension::ExpandPath).string(path.as_bytes()),
            Self::Fstat { handle } => plain(kind::FSTAT, handle),
            Self::Fstatvfs { handle } => extended(Extension::Fstatvfs).string(handle),
            Self::HomeDirectory { user } => extended(Extension::HomeDirectory).string(user),
            Self::Lstat { path } => plain(kind::LSTAT, path.as_bytes()),
            // SSH_FXF_READ alone, and no attributes.
            Self::OpenRead { path } => plain(kind::OPEN, path.as_bytes()).u32(1).u32(0),
            Self::Opendir { path } => plain(kind::OPENDIR, path.as_bytes()),
            Self::Read { handle, offset, length } => {
                plain(kind::READ, handle).u64(*offset).u32(*length)
            }
            Self::Readdir { handle } => plain(kind::READDIR, handle),
            Self::Readlink { path } => plain(kind::READLINK, path.as_bytes()),
            Self::Realpath { path } => plain(kind::REALPATH, path.as_bytes()),
            Self::Stat { path } => plain(kind::STAT, path.as_bytes()),
            Self::Statvfs { path } => extended(Extension::Statvfs).string(path.as_bytes()),
            Self::UsersGroups { users, groups } => {
                extended(Extension::UsersGroups).string(users).string(groups)
            }
        }
        .finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sftp::frame::Framer;
    use crate::sftp::wire::Fields;

    /// Whether a server would change anything for this packet, judged from the bytes alone.
    pub(crate) fn changes(packet: &[u8]) -> bool {
        let mut framer = Framer::default();
        framer.push(packet);
        let frame = framer.next_frame().unwrap().unwrap();
        assert_eq!(framer.next_frame(), Ok(None), "one packet, not two");
        let mut fields = Fields::new(frame.body);
        fields.u32().unwrap();
        match frame.kind {
            kind::OPEN => {
                fields.string().unwrap();
                fields.u32().unwrap() != 1
            }
            kind::EXTENDED => !matches!(
                &*fields.string().unwrap(),
                b"expand-path@openssh.com"
                    | b"fstatvfs@openssh.com"
                    | b"home-directory"
                    | b"statvfs@openssh.com"
                    | b"users-groups-by-id@openssh.com"
            ),
            k => ![
                kind::CLOSE,
                kind::FSTAT,
                kind::LSTAT,
                kind::OPENDIR,
                kind::READ,
                kind::READDIR,
                kind::READLINK,
                kind::REALPATH,
                kind::STAT,
            ]
            .contains(&k),
        }
    }

    proptest! {
        #[test]
        fn no_question_changes_anything(
            bytes in proptest::collection::vec(1u8..=255, 0..100),
            n in any::<u64>(),
            id in any::<u32>(),
        ) {
            let path = RemotePath::new(bytes.clone()).unwrap();
            let handle = Bytes::from(bytes);
            let length = u32::try_from(n >> 32).unwrap();
            for query in [
                Query::Close { handle: handle.clone() },
                Query::ExpandPath { path: path.clone() },
                Query::Fstat { handle: handle.clone() },
                Query::Fstatvfs { handle: handle.clone() },
                Query::HomeDirectory { user: handle.clone() },
                Query::Lstat { path: path.clone() },
                Query::OpenRead { path: path.clone() },
                Query::Opendir { path: path.clone() },
                Query::Read { handle: handle.clone(), offset: n, length },
                Query::Readdir { handle: handle.clone() },
                Query::Readlink { path: path.clone() },
                Query::Realpath { path: path.clone() },
                Query::Stat { path: path.clone() },
                Query::Statvfs { path },
                Query::UsersGroups { users: handle.clone(), groups: handle },
            ] {
                prop_assert!(!changes(&query.encode(id)), "{query:?}");
            }
        }
    }
}
