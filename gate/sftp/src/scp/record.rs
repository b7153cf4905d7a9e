//! One record of the protocol. It must never accept a line that the record, written out again,
//! would not equal, nor a name that leads out of its directory: what a reviewer is shown is what is
//! sent.

use bytes::{Bytes, BytesMut};

use super::error::ScpError;
use super::limits::MAX_NAME;
use crate::path::RemotePath;

/// What a client announces. The format is that of `source` and `sink` in OpenSSH's `scp.c`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Record {
    /// `C`: a file; its content follows.
    File { mode: u32, size: u64, name: RemotePath },
    /// `D`: a directory; what is in it follows, up to its `E`.
    Directory { mode: u32, name: RemotePath },
    /// `E`: the directory ends.
    End,
    /// `T`: modification and access time of what comes next, in seconds since the Unix epoch.
    Times { modified: u32, accessed: u32 },
}

impl Record {
    /// The line on the wire.
    pub fn encode(&self) -> Bytes {
        let (head, name): (String, &[u8]) = match self {
            Self::File { mode, size, name } => (format!("C{mode:04o} {size} "), name.as_bytes()),
            Self::Directory { mode, name } => (format!("D{mode:04o} 0 "), name.as_bytes()),
            Self::End => ("E".to_owned(), b""),
            Self::Times { modified, accessed } => (format!("T{modified} 0 {accessed} 0"), b""),
        };
        let mut line = BytesMut::from(head.as_bytes());
        line.extend_from_slice(name);
        line.extend_from_slice(b"\n");
        line.freeze()
    }

    pub(super) fn parse(line: &[u8]) -> Result<Self, ScpError> {
        let (kind, rest) = line.split_first().ok_or(ScpError::Unknown)?;
        let record = match kind {
            b'C' | b'D' => {
                let mut fields = rest.splitn(3, |b| *b == b' ');
                let mode = fields.next().and_then(mode_of).ok_or(ScpError::Malformed)?;
                let size = fields.next().and_then(number).ok_or(ScpError::Malformed)?;
                let name = name_of(fields.next().ok_or(ScpError::Malformed)?)?;
                if *kind == b'C' {
                    Self::File { mode, size, name }
                } else {
                    Self::Directory { mode, name }
                }
            }
            b'E' => Self::End,
            b'T' => {
                let fields: Vec<_> = rest.split(|b| *b == b' ').map(number).collect();
                let [Some(modified), Some(_), Some(accessed), Some(_)] = fields[..] else {
                    return Err(ScpError::Malformed);
                };
                let seconds = |n| u32::try_from(n).map_err(|_| ScpError::Malformed);
                Self::Times { modified: seconds(modified)?, accessed: seconds(accessed)? }
            }
            _ => return Err(ScpError::Unknown),
        };
        // Leading zeros, fractions of seconds, the size of a directory: a reviewer would be shown
        // something else than what would be sent, so it is refused.
        let written = record.encode();
        (written.strip_suffix(b"\n") == Some(line)).then_some(record).ok_or(ScpError::Malformed)
    }
}

fn mode_of(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.len() == 4)?;
    u32::from_str_radix(text, 8).ok()
}

fn number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    (text.len() <= 18 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn name_of(name: &[u8]) -> Result<RemotePath, ScpError> {
    let climbs = matches!(name, b"" | b"." | b"..") || name.contains(&b'/');
    if climbs || name.len() > MAX_NAME || name.iter().any(u8::is_ascii_control) {
        return Err(ScpError::Name);
    }
    RemotePath::new(Bytes::copy_from_slice(name)).map_err(|_| ScpError::Name)
}
