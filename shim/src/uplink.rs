//! The client's `ProxyCommand`: connects to the gate's socket, names the target, and hands the
//! connected socket to the client. It carries no SSH bytes itself, and without the gate's `ok` it
//! hands over nothing.

use std::io::{IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use expacti_protocol::exit;
use expacti_protocol::uplink::{MAX_UPLINK, Uplink, UplinkReply};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde::{Deserialize, Serialize};

use crate::error::{GateError, ResolveError, WrapError};
use crate::notice;

/// How long the gate may take to answer; it may connect to the target first.
const REPLY_TIMEOUT: Duration = Duration::from_secs(120);

/// What one connection's helper needs; a file of its own, read once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UplinkHeader {
    /// The gate's socket.
    pub(crate) gate: PathBuf,
    /// What to send there.
    pub(crate) uplink: Uplink,
}

impl UplinkHeader {
    /// Writes the header into a new file of `dir`, readable by this user only.
    pub(crate) fn store(&self, dir: &Path) -> Result<PathBuf, WrapError> {
        let text = serde_json::to_vec(self).map_err(ResolveError::HeaderUnwritable)?;
        let mut file = tempfile::Builder::new()
            .prefix("uplink-")
            .tempfile_in(dir)
            .map_err(WrapError::io("create the head of a connection"))?;
        file.write_all(&text).map_err(WrapError::io("write the head of a connection"))?;
        let (_, path) =
            file.keep().map_err(|e| WrapError::io("keep the head of a connection")(e.error))?;
        Ok(path)
    }
}

/// `expacti __uplink HEADER`: the exit status. Errors go to standard error.
pub(crate) fn uplink(header: &Path) -> u8 {
    match connect(header).and_then(|socket| pass(&std::io::stdout(), &socket)) {
        Ok(()) => exit::OK,
        Err(e) => {
            notice::print(&e);
            e.exit_status()
        }
    }
}

fn connect(path: &Path) -> Result<UnixStream, WrapError> {
    let text = std::fs::read(path).map_err(WrapError::io("read the head of a connection"))?;
    // Best effort: the directory goes with the wrap anyway.
    let _ = std::fs::remove_file(path);
    let header: UplinkHeader =
        serde_json::from_slice(&text).map_err(ResolveError::HeaderGarbled)?;
    let mut line = serde_json::to_vec(&header.uplink).map_err(ResolveError::HeaderUnwritable)?;
    line.push(b'\n');
    if line.len() > MAX_UPLINK {
        return Err(ResolveError::CommandLineTooLong(line.len()).into());
    }
    let at = header.gate.display();
    let mut socket = UnixStream::connect(&header.gate)
        .map_err(WrapError::io(format!("reach the gate at {at} (`expacti up` starts it)")))?;
    let talk = || WrapError::io("talk to the gate");
    socket.set_read_timeout(Some(REPLY_TIMEOUT)).map_err(talk())?;
    socket.write_all(&line).map_err(talk())?;
    let reply = reply_line(&mut socket)?;
    let reply: UplinkReply = serde_json::from_slice(&reply).map_err(GateError::Garbled)?;
    if !reply.ok {
        let why = reply.error.as_deref().unwrap_or("the gate refused the connection");
        return Err(GateError::Refused(expacti_protocol::one_line(why)).into());
    }
    socket.set_read_timeout(None).map_err(talk())?;
    Ok(socket)
}

/// Reads up to the newline and not a byte further: what follows is for the client.
fn reply_line(socket: &mut UnixStream) -> Result<Vec<u8>, WrapError> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        if line.len() >= MAX_UPLINK {
            return Err(GateError::TooLong.into());
        }
        socket.read_exact(&mut byte).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => GateError::Closed.into(),
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
                GateError::Timeout.into()
            }
            _ => WrapError::io("read the gate's answer")(e),
        })?;
        if byte == *b"\n" {
            return Ok(line);
        }
        line.extend(byte);
    }
}

/// Passes `socket` over `to`, as `ProxyUseFdpass` in `ssh_config(5)` wants it: one byte with the
/// descriptor.
fn pass(to: &impl AsFd, socket: &impl AsFd) -> Result<(), WrapError> {
    let fds = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(GateError::Undeliverable.into());
    }
    sendmsg(to, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())
        .map_err(WrapError::errno("hand the connection to ssh"))?;
    Ok(())
}
