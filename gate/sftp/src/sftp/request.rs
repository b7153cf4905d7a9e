//! What a client asks for. It must never decide anything: this is parsing only.

use bytes::Bytes;

use super::attrs::Attrs;
use super::frame::Frame;
use super::wire::{Fields, WireError, kind};
use crate::path::RemotePath;

/// A handle that the gate issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(pub u64);

impl Handle {
    /// `None` for bytes that cannot be a handle of the gate. The packet is well-formed all the
    /// same, so the client is told what it would be told of a closed handle.
    fn read(fields: &mut Fields) -> Result<Option<Self>, WireError> {
        let bytes = fields.string()?;
        Ok(<[u8; 8]>::try_from(&bytes[..]).ok().map(u64::from_be_bytes).map(Self))
    }
}

/// How a file is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFlags(pub u32);

impl OpenFlags {
    const READ: u32 = 1;
    const APPEND: u32 = 4;
    const CREATE: u32 = 8;
    const TRUNCATE: u32 = 16;
    const EXCLUSIVE: u32 = 32;

    /// For reading.
    pub fn read(self) -> bool {
        self.0 & Self::READ != 0
    }

    /// Whether opening it so may change something: anything but plain reading, and unknown flags.
    pub fn changes(self) -> bool {
        self.0 & !Self::READ != 0
    }

    /// Writes go to the end.
    pub fn append(self) -> bool {
        self.0 & Self::APPEND != 0
    }

    /// A missing file is created.
    pub fn create(self) -> bool {
        self.0 & Self::CREATE != 0
    }

    /// Existing content is discarded.
    pub fn truncate(self) -> bool {
        self.0 & Self::TRUNCATE != 0
    }

    /// The file must not exist.
    pub fn exclusive(self) -> bool {
        self.0 & Self::EXCLUSIVE != 0
    }

    /// Whether there are flags that version 3 does not have.
    pub fn unknown(self) -> bool {
        self.0 > 63
    }
}

/// A request. A handle is `None` where the client named something that the gate never issued.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Request {
    Close {
        handle: Option<Handle>,
    },
    ExpandPath {
        path: RemotePath,
    },
    Fsetstat {
        handle: Option<Handle>,
        attrs: Attrs,
    },
    Fstat {
        handle: Option<Handle>,
    },
    Fstatvfs {
        handle: Option<Handle>,
    },
    Fsync {
        handle: Option<Handle>,
    },
    Hardlink {
        old: RemotePath,
        new: RemotePath,
    },
    HomeDirectory {
        user: Bytes,
    },
    Limits,
    Lsetstat {
        path: RemotePath,
        attrs: Attrs,
    },
    Lstat {
        path: RemotePath,
    },
    Mkdir {
        path: RemotePath,
        attrs: Attrs,
    },
    Open {
        path: RemotePath,
        flags: OpenFlags,
        attrs: Attrs,
    },
    Opendir {
        path: RemotePath,
    },
    PosixRename {
        old: RemotePath,
        new: RemotePath,
    },
    Read {
        handle: Option<Handle>,
        offset: u64,
        length: u32,
    },
    Readdir {
        handle: Option<Handle>,
    },
    Readlink {
        path: RemotePath,
    },
    Realpath {
        path: RemotePath,
    },
    Remove {
        path: RemotePath,
    },
    Rename {
        old: RemotePath,
        new: RemotePath,
    },
    Rmdir {
        path: RemotePath,
    },
    Setstat {
        path: RemotePath,
        attrs: Attrs,
    },
    Stat {
        path: RemotePath,
    },
    Statvfs {
        path: RemotePath,
    },
    /// The two paths in the order on the wire: OpenSSH has the target first, the IETF draft the
    /// link.
    Symlink {
        first: RemotePath,
        second: RemotePath,
    },
    /// Names of users and groups; both lists are packed 32-bit numbers.
    UsersGroups {
        users: Bytes,
        groups: Bytes,
    },
    Write {
        handle: Option<Handle>,
        offset: u64,
        data: Bytes,
    },
}

/// A packet from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientPacket {
    /// It is malformed. With the id of the request, unless even that is missing.
    Bad(Option<u32>, WireError),
    /// The first packet of a session.
    Init {
        /// The client's highest version.
        version: u32,
    },
    /// A request with its id.
    Request(u32, Box<Request>),
    /// A type or extension that the gate does not know; it is not passed on.
    Unsupported(u32),
}

impl ClientPacket {
    /// Reads a packet. Any bytes give a result.
    pub fn from_frame(frame: Frame) -> Self {
        let mut fields = Fields::new(frame.body);
        let Ok(id) = fields.u32() else { return Self::Bad(None, WireError::Short) };
        if frame.kind == kind::INIT {
            return Self::Init { version: id };
        }
        match request(frame.kind, fields) {
            Ok(Some(request)) => Self::Request(id, Box::new(request)),
            Ok(None) => Self::Unsupported(id),
            Err(error) => Self::Bad(Some(id), error),
        }
    }
}

fn request(kind: u8, mut fields: Fields) -> Result<Option<Request>, WireError> {
    let f = &mut fields;
    let path = Fields::path;
    let request = match kind {
        kind::OPEN => {
            Request::Open { path: path(f)?, flags: OpenFlags(f.u32()?), attrs: Attrs::read(f)? }
        }
        kind::CLOSE => Request::Close { handle: Handle::read(f)? },
        kind::READ => {
            Request::Read { handle: Handle::read(f)?, offset: f.u64()?, length: f.u32()? }
        }
        kind::WRITE => {
            Request::Write { handle: Handle::read(f)?, offset: f.u64()?, data: f.string()? }
        }
        kind::LSTAT => Request::Lstat { path: path(f)? },
        kind::FSTAT => Request::Fstat { handle: Handle::read(f)? },
        kind::SETSTAT => Request::Setstat { path: path(f)?, attrs: Attrs::read(f)? },
        kind::FSETSTAT => Request::Fsetstat { handle: Handle::read(f)?, attrs: Attrs::read(f)? },
        kind::OPENDIR => Request::Opendir { path: path(f)? },
        kind::READDIR => Request::Readdir { handle: Handle::read(f)? },
        kind::REMOVE => Request::Remove { path: path(f)? },
        kind::MKDIR => Request::Mkdir { path: path(f)?, attrs: Attrs::read(f)? },
        kind::RMDIR => Request::Rmdir { path: path(f)? },
        kind::REALPATH => Request::Realpath { path: path(f)? },
        kind::STAT => Request::Stat { path: path(f)? },
        kind::RENAME => Request::Rename { old: path(f)?, new: path(f)? },
        kind::READLINK => Request::Readlink { path: path(f)? },
        kind::SYMLINK => Request::Symlink { first: path(f)?, second: path(f)? },
        kind::EXTENDED => match extended(f)? {
            Some(request) => request,
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    fields.end()?;
    Ok(Some(request))
}

fn extended(f: &mut Fields) -> Result<Option<Request>, WireError> {
    let path = Fields::path;
    Ok(Some(match &*f.string()? {
        b"posix-rename@openssh.com" => Request::PosixRename { old: path(f)?, new: path(f)? },
        b"hardlink@openssh.com" => Request::Hardlink { old: path(f)?, new: path(f)? },
        b"fsync@openssh.com" => Request::Fsync { handle: Handle::read(f)? },
        b"lsetstat@openssh.com" => Request::Lsetstat { path: path(f)?, attrs: Attrs::read(f)? },
        b"statvfs@openssh.com" => Request::Statvfs { path: path(f)? },
        b"fstatvfs@openssh.com" => Request::Fstatvfs { handle: Handle::read(f)? },
        b"limits@openssh.com" => Request::Limits,
        b"expand-path@openssh.com" => Request::ExpandPath { path: path(f)? },
        b"home-directory" => Request::HomeDirectory { user: f.string()? },
        b"users-groups-by-id@openssh.com" => {
            Request::UsersGroups { users: f.string()?, groups: f.string()? }
        }
        _ => return Ok(None),
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sftp::wire::Packet;

    fn parse(packet: Packet) -> ClientPacket {
        let mut framer = crate::sftp::frame::Framer::default();
        framer.push(&packet.finish());
        ClientPacket::from_frame(framer.next_frame().unwrap().unwrap())
    }

    #[test]
    fn an_open_with_all_attributes() {
        let packet = Packet::new(kind::OPEN).u32(7).string(b"/x").u32(0x1a);
        let attrs = Attrs {
            size: Some(1 << 40),
            owner: Some((1, 2)),
            mode: Some(0o100_644),
            times: Some((3, 4)),
        };
        let ClientPacket::Request(7, request) = parse(attrs.write(packet)) else { panic!() };
        let path = RemotePath::new(&b"/x"[..]).unwrap();
        assert_eq!(*request, Request::Open { path, flags: OpenFlags(0x1a), attrs });
        assert!(OpenFlags(0x1a).changes() && !OpenFlags(1).changes() && OpenFlags(64).changes());
    }

    #[test]
    fn what_is_not_a_request() {
        let bad = |p: Packet| matches!(parse(p), ClientPacket::Bad(Some(1), _));
        assert!(bad(Packet::new(kind::OPEN).u32(1).string(b"/x")));
        assert!(bad(Packet::new(kind::MKDIR).u32(1).string(b"/x\0y").u32(0)));
        assert!(bad(Packet::new(kind::REMOVE).u32(1).string(&[b'x'; 5000])));
        assert!(bad(Packet::new(kind::REMOVE).u32(1).string(b"x").u32(1)), "trailing bytes");
        assert!(bad(Packet::new(kind::REMOVE).u32(1).u32(u32::MAX)));
        assert_eq!(parse(Packet::new(kind::STAT)), ClientPacket::Bad(None, WireError::Short));
        let unknown = Packet::new(kind::EXTENDED).u32(1).string(b"copy-data").u64(0);
        assert_eq!(parse(unknown), ClientPacket::Unsupported(1));
        assert_eq!(parse(Packet::new(99).u32(1)), ClientPacket::Unsupported(1));
        let handle = Packet::new(kind::CLOSE).u32(1).string(b"not eight");
        assert!(
            matches!(parse(handle), ClientPacket::Request(1, r) if *r == Request::Close { handle: None })
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// No bytes make the parser panic, or take more than there is.
        #[test]
        fn any_bytes(kind in 0u8..=255, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            ClientPacket::from_frame(Frame { kind, body: body.into() });
        }

        #[test]
        fn any_bytes_behind_a_path(kind in 3u8..=20, tail in proptest::collection::vec(any::<u8>(), 0..60)) {
            let packet = Packet::new(kind).u32(1).string(b"/a").raw(&tail);
            parse(packet);
        }
    }
}
