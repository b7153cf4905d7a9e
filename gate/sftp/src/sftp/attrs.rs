//! Attributes of a file, as in version 3. What a packet does not set must never be set.

use super::wire::{Fields, Packet, WireError};

const SIZE: u32 = 1;
const UIDGID: u32 = 2;
const PERMISSIONS: u32 = 4;
const ACMODTIME: u32 = 8;
const EXTENDED: u32 = 0x8000_0000;

/// Attributes. `None`: not given, or not to be changed. Vendors' extended attributes are skipped
/// and never passed on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attrs {
    /// Length in bytes.
    pub size: Option<u64>,
    /// User and group.
    pub owner: Option<(u32, u32)>,
    /// The mode with the file type, as in `stat(2)`.
    pub mode: Option<u32>,
    /// Last access and modification, in seconds since the Unix epoch.
    pub times: Option<(u32, u32)>,
}

impl Attrs {
    /// The file type within the mode.
    const KIND: u32 = 0o170_000;

    pub(crate) fn read(fields: &mut Fields) -> Result<Self, WireError> {
        let flags = fields.u32()?;
        let mut attrs = Self::default();
        if flags & SIZE != 0 {
            attrs.size = Some(fields.u64()?);
        }
        if flags & UIDGID != 0 {
            attrs.owner = Some((fields.u32()?, fields.u32()?));
        }
        if flags & PERMISSIONS != 0 {
            attrs.mode = Some(fields.u32()?);
        }
        if flags & ACMODTIME != 0 {
            attrs.times = Some((fields.u32()?, fields.u32()?));
        }
        if flags & EXTENDED != 0 {
            // Each takes at least eight bytes, so the packet's own length bounds the loop.
            for _ in 0..fields.u32()? {
                fields.string()?;
                fields.string()?;
            }
        }
        Ok(attrs)
    }

    pub(crate) fn write(&self, mut packet: Packet) -> Packet {
        let flag = |there: bool, flag: u32| if there { flag } else { 0 };
        packet = packet.u32(
            flag(self.size.is_some(), SIZE)
                | flag(self.owner.is_some(), UIDGID)
                | flag(self.mode.is_some(), PERMISSIONS)
                | flag(self.times.is_some(), ACMODTIME),
        );
        if let Some(size) = self.size {
            packet = packet.u64(size);
        }
        if let Some((user, group)) = self.owner {
            packet = packet.u32(user).u32(group);
        }
        if let Some(mode) = self.mode {
            packet = packet.u32(mode);
        }
        if let Some((accessed, modified)) = self.times {
            packet = packet.u32(accessed).u32(modified);
        }
        packet
    }

    /// The permission bits, with setuid, setgid and sticky.
    pub fn permissions(&self) -> Option<u32> {
        self.mode.map(|mode| mode & 0o7777)
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode.is_some_and(|mode| mode & Self::KIND == 0o040_000)
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.mode.is_some_and(|mode| mode & Self::KIND == 0o120_000)
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode.is_some_and(|mode| mode & Self::KIND == 0o100_000)
    }

    /// Whether no attribute is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
