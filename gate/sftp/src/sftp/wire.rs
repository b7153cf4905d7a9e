//! The fields that packets are made of. It must never read past a packet, nor reserve memory for
//! a length that a peer merely claims.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

use crate::path::{PathError, RemotePath};

/// A packet does not have the form that its type demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// It ends too early, or a length points past its end.
    #[error("the packet is cut short")]
    Short,
    /// Bytes follow its last field.
    #[error("the packet has more than its type allows")]
    Long,
    /// Not a path.
    #[error("{0}")]
    Path(#[from] PathError),
    /// A handle longer than 256 bytes.
    #[error("a handle is too long")]
    Handle,
}

/// Reads fields one after another.
#[derive(Debug)]
pub(crate) struct Fields(Bytes);

impl Fields {
    pub(crate) fn new(packet: Bytes) -> Self {
        Self(packet)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, WireError> {
        self.0.try_get_u32().map_err(|_| WireError::Short)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, WireError> {
        self.0.try_get_u64().map_err(|_| WireError::Short)
    }

    pub(crate) fn string(&mut self) -> Result<Bytes, WireError> {
        let length = self.u32()? as usize;
        if length > self.0.len() {
            return Err(WireError::Short);
        }
        Ok(self.0.split_to(length))
    }

    pub(crate) fn path(&mut self) -> Result<RemotePath, WireError> {
        Ok(RemotePath::new(self.string()?)?)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn rest(self) -> Bytes {
        self.0
    }

    /// Nothing may follow.
    pub(crate) fn end(self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError::Long) }
    }
}

/// Writes a packet; its length is filled in at the end.
pub(crate) struct Packet(BytesMut);

impl Packet {
    pub(crate) fn new(kind: u8) -> Self {
        let mut bytes = BytesMut::with_capacity(64);
        bytes.put_u32(0);
        bytes.put_u8(kind);
        Self(bytes)
    }

    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.0.put_u32(value);
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.0.put_u64(value);
        self
    }

    /// At most 4 GiB, which no caller reaches: everything is bounded by a packet's own size.
    pub(crate) fn string(mut self, value: &[u8]) -> Self {
        self.0.put_u32(u32::try_from(value.len()).unwrap_or(u32::MAX));
        self.0.put_slice(value);
        self
    }

    pub(crate) fn raw(mut self, value: &[u8]) -> Self {
        self.0.put_slice(value);
        self
    }

    pub(crate) fn finish(mut self) -> Bytes {
        let length = u32::try_from(self.0.len().saturating_sub(4)).unwrap_or(u32::MAX);
        if let Some(front) = self.0.get_mut(..4) {
            front.copy_from_slice(&length.to_be_bytes());
        }
        self.0.freeze()
    }
}

/// Packet types of draft-ietf-secsh-filexfer-02, section 3.
pub(crate) mod kind {
    pub(crate) const INIT: u8 = 1;
    pub(crate) const VERSION: u8 = 2;
    pub(crate) const OPEN: u8 = 3;
    pub(crate) const CLOSE: u8 = 4;
    pub(crate) const READ: u8 = 5;
    pub(crate) const WRITE: u8 = 6;
    pub(crate) const LSTAT: u8 = 7;
    pub(crate) const FSTAT: u8 = 8;
    pub(crate) const SETSTAT: u8 = 9;
    pub(crate) const FSETSTAT: u8 = 10;
    pub(crate) const OPENDIR: u8 = 11;
    pub(crate) const READDIR: u8 = 12;
    pub(crate) const REMOVE: u8 = 13;
    pub(crate) const MKDIR: u8 = 14;
    pub(crate) const RMDIR: u8 = 15;
    pub(crate) const REALPATH: u8 = 16;
    pub(crate) const STAT: u8 = 17;
    pub(crate) const RENAME: u8 = 18;
    pub(crate) const READLINK: u8 = 19;
    pub(crate) const SYMLINK: u8 = 20;
    pub(crate) const STATUS: u8 = 101;
    pub(crate) const HANDLE: u8 = 102;
    pub(crate) const DATA: u8 = 103;
    pub(crate) const NAME: u8 = 104;
    pub(crate) const ATTRS: u8 = 105;
    pub(crate) const EXTENDED: u8 = 200;
    pub(crate) const EXTENDED_REPLY: u8 = 201;
}
