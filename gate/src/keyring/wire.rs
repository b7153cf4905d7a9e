//! What the gate and the holder of its keys say to each other. A request is one line of JSON with a socket;
//! on that socket the holder answers with one line, and from then on it is an ssh-agent.

use std::io::{IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

/// The argument with which this program is the holder of keys.
pub(super) const HOLDER: &str = "__keys";
/// The longest line.
const MAX_LINE: usize = 256 * 1024;

/// The key files of one login.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Wanted {
    pub(super) files: Vec<PathBuf>,
    /// They are the gate's own: nobody else may read them.
    pub(super) own: bool,
}

/// What the holder found in one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Found {
    /// It needs a passphrase.
    Encrypted,
    /// A key it can sign with; the public one, as in a `.pub` file.
    Key(String),
    /// None, and why.
    Unusable(String),
}

/// Sends a line with a socket.
pub(super) fn send(to: impl AsFd, line: &[u8], socket: impl AsFd) -> std::io::Result<()> {
    let fds = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(std::io::Error::other("the socket cannot be passed on"));
    }
    let mut rest = line;
    while !rest.is_empty() {
        let sent = sendmsg(&to, &[IoSlice::new(rest)], &mut control, SendFlags::NOSIGNAL)?;
        rest = rest.get(sent..).unwrap_or_default();
        // The socket goes with the first piece.
        control.clear();
    }
    Ok(())
}

/// Receives a line and its socket; `None` at the end.
pub(super) fn receive(from: impl AsFd) -> std::io::Result<Option<(Vec<u8>, OwnedFd)>> {
    let (mut line, mut passed) = (Vec::new(), None);
    let mut piece = [0; 4096];
    while !line.ends_with(b"\n") {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut piece)];
        let got = match recvmsg(&from, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => continue,
            got => got?,
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                passed = rights.last().or(passed);
            }
        }
        if got.bytes == 0 {
            return Ok(None);
        }
        line.extend_from_slice(piece.get(..got.bytes).unwrap_or_default());
        if line.len() > MAX_LINE {
            return Err(std::io::Error::other("the request is too long"));
        }
    }
    Ok(passed.map(|passed| (line, passed)))
}

/// Reads a line, and not a byte of what follows.
pub(super) fn read_line(from: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\n") {
        from.read_exact(&mut byte)?;
        line.extend_from_slice(&byte);
        if line.len() > MAX_LINE {
            return Err(std::io::Error::other("the answer is too long"));
        }
    }
    Ok(line)
}
