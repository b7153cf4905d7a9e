//! A connection to the gate: names the target, and waits for the gate's word. It carries no SSH bytes
//! itself.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use expacti_protocol::home::SERVICE_RUNTIME;
use expacti_protocol::socket;
use expacti_protocol::uplink::{MAX_UPLINK, Uplink, UplinkReply};

use crate::error::{GateError, ResolveError, WrapError};

/// How long the gate may take to answer.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// What the gate makes of a connection.
#[derive(Debug)]
pub(crate) enum Opened {
    /// SSH follows on this socket.
    Socket(UnixStream),
    /// The broker does not know the token.
    UnknownToken(WrapError),
}

/// Connects.
pub(crate) fn open(gate: &Path, uplink: &Uplink) -> Result<Opened, WrapError> {
    let mut line = serde_json::to_vec(uplink).map_err(ResolveError::HeaderUnwritable)?;
    line.push(b'\n');
    if line.len() > MAX_UPLINK {
        return Err(ResolveError::CommandLineTooLong(line.len()).into());
    }
    let untrusted = |why| GateError::Untrusted(gate.display().to_string(), why);
    socket::check_directory(gate).map_err(untrusted)?;
    let mut stream = UnixStream::connect(gate).map_err(WrapError::io(format!(
        "reach the gate at {} (`{}` starts it)",
        gate.display(),
        if gate.starts_with(SERVICE_RUNTIME) {
            "sudo systemctl start expacti"
        } else {
            "expacti up"
        }
    )))?;
    #[cfg(target_os = "linux")]
    let peer = rustix::net::sockopt::socket_peercred(&stream)
        .map_err(WrapError::errno("see whose the gate is"))?;
    #[cfg(target_os = "linux")]
    socket::check_peer(gate, peer.uid.as_raw()).map_err(untrusted)?;
    let talk = || WrapError::io("talk to the gate");
    stream.set_read_timeout(Some(REPLY_TIMEOUT)).map_err(talk())?;
    stream.set_write_timeout(Some(REPLY_TIMEOUT)).map_err(talk())?;
    // A gate that refuses early says why, and its answer can be read although it reads no more.
    let written = stream.write_all(&line);
    let reply = reply_line(&mut stream)?;
    let reply: UplinkReply = serde_json::from_slice(&reply).map_err(GateError::Garbled)?;
    if !reply.ok {
        let why = reply.error.as_deref().unwrap_or("the gate refused the connection");
        let refused = GateError::Refused(expacti_protocol::one_line(why)).into();
        return if reply.unknown_token { Ok(Opened::UnknownToken(refused)) } else { Err(refused) };
    }
    written.map_err(talk())?;
    stream.set_read_timeout(None).map_err(talk())?;
    stream.set_write_timeout(None).map_err(talk())?;
    Ok(Opened::Socket(stream))
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
