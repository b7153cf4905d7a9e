//! Replies of a server: read from the target, written for the client. A handle of the target must
//! never reach the client as a handle of the gate.

use bytes::{Buf as _, Bytes};

use super::attrs::Attrs;
use super::frame::Frame;
use super::query::{Extension, ReplyKind};
use super::request::Handle;
use super::wire::{Fields, Packet, WireError, kind};
use crate::path::RemotePath;

/// The codes of version 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum StatusCode {
    Ok,
    Eof,
    NoSuchFile,
    PermissionDenied,
    Failure,
    BadMessage,
    NoConnection,
    ConnectionLost,
    OpUnsupported,
}

impl StatusCode {
    fn on_wire(self) -> u32 {
        match self {
            Self::Ok => 0,
            Self::Eof => 1,
            Self::NoSuchFile => 2,
            Self::PermissionDenied => 3,
            Self::Failure => 4,
            Self::BadMessage => 5,
            Self::NoConnection => 6,
            Self::ConnectionLost => 7,
            Self::OpUnsupported => 8,
        }
    }

    /// A code of a later version is a failure.
    fn parse(code: u32) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::Eof,
            2 => Self::NoSuchFile,
            3 => Self::PermissionDenied,
            5 => Self::BadMessage,
            6 => Self::NoConnection,
            7 => Self::ConnectionLost,
            8 => Self::OpUnsupported,
            _ => Self::Failure,
        }
    }
}

/// Longest handle of a target, in bytes (the bound of draft-ietf-secsh-filexfer-02).
const MAX_HANDLE: usize = 256;

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reply {
    Attrs(Attrs),
    Data(Bytes),
    /// The reply to an extended request, unparsed.
    Extended(Bytes),
    Handle(Bytes),
    /// The first name of the list, and the whole list unparsed.
    Name {
        first: Option<RemotePath>,
        raw: Bytes,
    },
    Status(StatusCode, String),
}

impl Reply {
    /// A status with a message.
    pub fn status(code: StatusCode, message: &str) -> Self {
        Self::Status(code, message.to_owned())
    }

    /// Whether it is of that kind. A status answers everything.
    pub fn is(&self, answer: ReplyKind) -> bool {
        match self {
            Self::Attrs(_) => answer == ReplyKind::Attrs,
            Self::Data(_) => answer == ReplyKind::Data,
            Self::Extended(_) => answer == ReplyKind::Extended,
            Self::Handle(_) => answer == ReplyKind::Handle,
            Self::Name { .. } => answer == ReplyKind::Name,
            Self::Status(..) => true,
        }
    }

    /// Whether it is the status of success.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Status(StatusCode::Ok, _))
    }

    /// Whether it says that there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Status(StatusCode::NoSuchFile, _))
    }

    /// The status of success.
    pub fn ok() -> Self {
        Self::status(StatusCode::Ok, "")
    }

    /// A handle of the gate.
    pub fn handle(handle: Handle) -> Self {
        Self::Handle(Bytes::copy_from_slice(&handle.0.to_be_bytes()))
    }

    /// The reply to `limits@openssh.com`: sizes that the gate accepts, in bytes, and how many
    /// handles.
    pub fn limits(packet: u64, read: u64, write: u64, handles: u64) -> Self {
        let body = [packet, read, write, handles].map(u64::to_be_bytes).concat();
        Self::Extended(body.into())
    }

    /// Reads a server's packet with the id of the request that it answers.
    ///
    /// # Errors
    /// When no server of version 3 would send it.
    pub fn from_frame(frame: Frame) -> Result<(u32, Self), WireError> {
        let mut fields = Fields::new(frame.body);
        let id = fields.u32()?;
        let reply = match frame.kind {
            kind::STATUS => {
                let code = StatusCode::parse(fields.u32()?);
                // Some old servers send no message and language.
                let message = if fields.is_empty() { Bytes::new() } else { fields.string()? };
                Self::Status(code, String::from_utf8_lossy(&message).into_owned())
            }
            kind::HANDLE => {
                let handle = fields.string()?;
                if handle.len() > MAX_HANDLE {
                    return Err(WireError::Handle);
                }
                Self::Handle(handle)
            }
            kind::DATA => Self::Data(fields.string()?),
            kind::NAME => {
                let raw = fields.rest();
                let mut fields = Fields::new(raw.clone());
                let first = match fields.u32()? {
                    0 => None,
                    _ => Some(fields.path()?),
                };
                Self::Name { first, raw }
            }
            kind::ATTRS => Self::Attrs(Attrs::read(&mut fields)?),
            kind::EXTENDED_REPLY => Self::Extended(fields.rest()),
            _ => return Err(WireError::Long),
        };
        Ok((id, reply))
    }

    /// The packet that answers the request with that id.
    pub fn encode(&self, id: u32) -> Bytes {
        let packet = |kind: u8| Packet::new(kind).u32(id);
        match self {
            Self::Attrs(attrs) => attrs.write(packet(kind::ATTRS)),
            Self::Data(data) => packet(kind::DATA).string(data),
            Self::Extended(body) => packet(kind::EXTENDED_REPLY).raw(body),
            Self::Handle(handle) => packet(kind::HANDLE).string(handle),
            Self::Name { raw, .. } => packet(kind::NAME).raw(raw),
            Self::Status(code, message) => {
                packet(kind::STATUS).u32(code.on_wire()).string(message.as_bytes()).string(b"en")
            }
        }
        .finish()
    }
}

/// The first packet of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its version; 3 is what the gate speaks.
    pub version: u32,
    /// The extensions it offers, as far as the gate uses them.
    pub extensions: Vec<Extension>,
}

impl Version {
    /// Reads the server's first packet; `None` when it is something else.
    pub fn from_frame(frame: Frame) -> Option<Self> {
        if frame.kind != kind::VERSION || frame.body.remaining() < 4 {
            return None;
        }
        let mut fields = Fields::new(frame.body);
        let version = fields.u32().ok()?;
        let mut extensions = Vec::new();
        while let (Ok(name), Ok(data)) = (fields.string(), fields.string()) {
            let known = Extension::ALL
                .into_iter()
                .find(|e| e.name().as_bytes() == &name[..] && e.version().as_bytes() == &data[..]);
            extensions.extend(known.filter(|e| !extensions.contains(e)));
        }
        Some(Self { version, extensions })
    }

    /// The first packet of the gate to its client: the extensions of the target, and
    /// `limits@openssh.com`, which the gate answers itself.
    pub fn encode(&self) -> Bytes {
        let mut packet = Packet::new(kind::VERSION).u32(3);
        for extension in &self.extensions {
            packet = packet.string(extension.name().as_bytes());
            packet = packet.string(extension.version().as_bytes());
        }
        packet.string(b"limits@openssh.com").string(b"1").finish()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sftp::frame::Framer;

    fn frame(bytes: &[u8]) -> Frame {
        let mut framer = Framer::default();
        framer.push(bytes);
        framer.next_frame().unwrap().unwrap()
    }

    #[test]
    fn there_and_back() {
        let attrs = Attrs { size: Some(5), mode: Some(0o100_600), ..Attrs::default() };
        for reply in [
            Reply::Attrs(attrs),
            Reply::Data(Bytes::from_static(b"abc")),
            Reply::handle(Handle(7)),
            Reply::status(StatusCode::PermissionDenied, "expacti: command denied — no"),
            Reply::limits(1, 2, 3, 4),
        ] {
            assert_eq!(Reply::from_frame(frame(&reply.encode(9))), Ok((9, reply)));
        }
        let raw = Packet::new(kind::NAME).u32(1).u32(1).string(b"/a").string(b"long").u32(0);
        let (_, reply) = Reply::from_frame(frame(&raw.finish())).unwrap();
        assert!(matches!(reply, Reply::Name { first: Some(p), .. } if p.as_bytes() == b"/a"));
    }

    #[test]
    fn versions() {
        let packet = Packet::new(kind::VERSION)
            .u32(3)
            .string(b"posix-rename@openssh.com")
            .string(b"1")
            .string(b"statvfs@openssh.com")
            .string(b"1")
            .string(b"copy-data")
            .string(b"1");
        let version = Version::from_frame(frame(&packet.finish())).unwrap();
        assert_eq!(version, Version { version: 3, extensions: vec![Extension::PosixRename] });
        assert_eq!(Version::from_frame(frame(&version.encode())), Some(version));
    }

    proptest! {
        #[test]
        fn any_bytes(kind in 100u8..=106, body in proptest::collection::vec(any::<u8>(), 0..100)) {
            let frame = Frame { kind, body: body.into() };
            Reply::from_frame(frame.clone()).ok();
            Version::from_frame(Frame { kind: kind::VERSION, ..frame });
        }
    }
}
