//! The single packets by which an approved change is carried out. They must never be sent but by
//! the gate's code at the boundary to the target, for a change that was approved.

use bytes::Bytes;

use super::attrs::Attrs;
use super::query::Extension;
use super::wire::{Packet, kind};
use crate::path::RemotePath;

/// How an approved write opens its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// The path must be free; not even a link may be there.
    CreateNew,
    /// The file must exist; its content stays.
    Existing,
    /// The file must exist; its content is discarded.
    Truncate,
}

impl OpenMode {
    fn flags(self) -> u32 {
        const WRITE: u32 = 2;
        const CREATE: u32 = 8;
        const TRUNCATE: u32 = 16;
        const EXCLUSIVE: u32 = 32;
        match self {
            Self::CreateNew => WRITE | CREATE | EXCLUSIVE,
            Self::Existing => WRITE,
            Self::Truncate => WRITE | TRUNCATE,
        }
    }
}

/// One packet that changes something. Its handles are those of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Step<'a> {
    Fsetstat {
        handle: &'a Bytes,
        attrs: Attrs,
    },
    Fsync {
        handle: &'a Bytes,
    },
    Hardlink {
        old: &'a RemotePath,
        new: &'a RemotePath,
    },
    Lsetstat {
        path: &'a RemotePath,
        attrs: Attrs,
    },
    Mkdir {
        path: &'a RemotePath,
        attrs: Attrs,
    },
    OpenWrite {
        path: &'a RemotePath,
        mode: OpenMode,
        attrs: Attrs,
    },
    PosixRename {
        old: &'a RemotePath,
        new: &'a RemotePath,
    },
    Remove {
        path: &'a RemotePath,
    },
    Rename {
        old: &'a RemotePath,
        new: &'a RemotePath,
    },
    Rmdir {
        path: &'a RemotePath,
    },
    Setstat {
        path: &'a RemotePath,
        attrs: Attrs,
    },
    /// `openssh`: the order of OpenSSH on the wire, otherwise that of the IETF draft.
    Symlink {
        target: &'a RemotePath,
        link: &'a RemotePath,
        openssh: bool,
    },
    Write {
        handle: &'a Bytes,
        offset: u64,
        data: &'a [u8],
    },
}

impl Step<'_> {
    /// The packet with this request id.
    pub fn encode(&self, id: u32) -> Bytes {
        let plain = |kind: u8, what: &[u8]| Packet::new(kind).u32(id).string(what);
        let extended = |what: Extension| plain(kind::EXTENDED, what.name().as_bytes());
        match self {
            Self::Fsetstat { handle, attrs } => attrs.write(plain(kind::FSETSTAT, handle)),
            Self::Fsync { handle } => extended(Extension::Fsync).string(handle),
            Self::Hardlink { old, new } => {
                extended(Extension::Hardlink).string(old.as_bytes()).string(new.as_bytes())
            }
            Self::Lsetstat { path, attrs } => {
                attrs.write(extended(Extension::Lsetstat).string(path.as_bytes()))
            }
            Self::Mkdir { path, attrs } => attrs.write(plain(kind::MKDIR, path.as_bytes())),
            Self::OpenWrite { path, mode, attrs } => {
                attrs.write(plain(kind::OPEN, path.as_bytes()).u32(mode.flags()))
            }
            Self::PosixRename { old, new } => {
                extended(Extension::PosixRename).string(old.as_bytes()).string(new.as_bytes())
            }
            Self::Remove { path } => plain(kind::REMOVE, path.as_bytes()),
            Self::Rename { old, new } => plain(kind::RENAME, old.as_bytes()).string(new.as_bytes()),
            Self::Rmdir { path } => plain(kind::RMDIR, path.as_bytes()),
            Self::Setstat { path, attrs } => attrs.write(plain(kind::SETSTAT, path.as_bytes())),
            Self::Symlink { target, link, openssh: true } => {
                plain(kind::SYMLINK, target.as_bytes()).string(link.as_bytes())
            }
            Self::Symlink { target, link, openssh: false } => {
                plain(kind::SYMLINK, link.as_bytes()).string(target.as_bytes())
            }
            Self::Write { handle, offset, data } => {
                plain(kind::WRITE, handle).u64(*offset).string(data)
            }
        }
        .finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::sftp::frame::Framer;
    use crate::sftp::request::{ClientPacket, OpenFlags, Request};

    #[test]
    fn steps_read_as_what_they_are() {
        let path = RemotePath::new(&b"/x"[..]).unwrap();
        for (mode, flags) in
            [(OpenMode::CreateNew, 0x2a), (OpenMode::Existing, 2), (OpenMode::Truncate, 0x12)]
        {
            let attrs = Attrs { mode: Some(0o644), ..Attrs::default() };
            let packet = Step::OpenWrite { path: &path, mode, attrs }.encode(5);
            assert!(crate::sftp::query::tests::changes(&packet));
            let mut framer = Framer::default();
            framer.push(&packet);
            let parsed = ClientPacket::from_frame(framer.next_frame().unwrap().unwrap());
            let ClientPacket::Request(5, request) = parsed else { panic!("{parsed:?}") };
            assert_eq!(
                *request,
                Request::Open { path: path.clone(), flags: OpenFlags(flags), attrs }
            );
        }
    }
}
