//! The side of the wrapped program: asks the helper, and hands the connection it gets to the client.

use std::io::{IoSlice, IoSliceMut, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use expacti_protocol::exit;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::door::visit;
use super::message::{Answer, ClientArgs, MAX_LINE, Question, SOCKET};
use crate::error::{GateError, HelperError, WrapError};
use crate::notice;

/// How long the helper may take to answer: it waits for the gate.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// How the helper was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// By its FIFOs ([`super::door`]).
    Door,
    /// By its socket, over which the connection is passed.
    Socket,
}

/// How to run the client for these options and this destination.
pub(crate) fn client(
    dir: &Path,
    args: Vec<String>,
    cwd: PathBuf,
    status_line: bool,
) -> Result<(ClientArgs, Way), WrapError> {
    let question = Question::Client { args, cwd, status_line };
    let (answer, way) = match exchange(&dir.join(SOCKET), &question) {
        Ok((answer, _)) => (answer, Way::Socket),
        Err(WrapError::Helper(HelperError::Forbidden(_))) => {
            (visit(dir, &encode(&question)?)?.0, Way::Door)
        }
        Err(e) => return Err(e),
    };
    match answer {
        Answer::Client(client) => Ok((client, way)),
        answer => Err(unexpected(answer)),
    }
}

/// Makes the namespace of this process known, from within it.
pub(crate) fn enter(dir: &Path) -> Result<(), WrapError> {
    match exchange(&dir.join(SOCKET), &Question::Enter)? {
        (Answer::Entered, _) => Ok(()),
        (answer, _) => Err(unexpected(answer)),
    }
}

/// Has what this process sees checked, and watched from now on. What is returned ends when nobody
/// watches any more.
pub(crate) fn ready(dir: &Path) -> Result<UnixStream, WrapError> {
    match talk(&dir.join(SOCKET), &Question::Ready)? {
        (Answer::Watched, _, stream) => {
            stream.set_read_timeout(None).map_err(WrapError::io("wait for the helper"))?;
            Ok(stream)
        }
        (answer, ..) => Err(unexpected(answer)),
    }
}

/// `expacti __uplink SOCKET TICKET`: the client's `ProxyCommand`. Hands the connection to the client
/// and returns the exit status; errors go to standard error.
pub(crate) fn uplink(socket: &Path, ticket: &str) -> u8 {
    let question = Question::Connect { ticket: ticket.to_owned() };
    let passed = exchange(socket, &question).and_then(|answer| match answer {
        (Answer::Connected, Some(connection)) => pass(&std::io::stdout(), &connection, &[0]),
        (Answer::Connected, None) => Err(GateError::Undeliverable.into()),
        (answer, _) => Err(unexpected(answer)),
    });
    match passed {
        Ok(()) => exit::OK,
        Err(e) => {
            notice::print(&e);
            e.exit_status()
        }
    }
}

fn unexpected(answer: Answer) -> WrapError {
    match answer {
        Answer::Refused { message, status } => {
            HelperError::Failed { message: expacti_protocol::one_line(&message), status }.into()
        }
        _ => HelperError::OtherQuestion.into(),
    }
}

fn encode(question: &Question) -> Result<Vec<u8>, WrapError> {
    let mut line = serde_json::to_vec(question).map_err(HelperError::Unwritable)?;
    line.push(b'\n');
    if line.len() > MAX_LINE {
        return Err(HelperError::TooLong(line.len()).into());
    }
    Ok(line)
}

/// One question and its answer.
fn exchange(socket: &Path, question: &Question) -> Result<(Answer, Option<OwnedFd>), WrapError> {
    talk(socket, question).map(|(answer, passed, _)| (answer, passed))
}

/// The same, with the connection.
fn talk(
    socket: &Path,
    question: &Question,
) -> Result<(Answer, Option<OwnedFd>, UnixStream), WrapError> {
    let line = encode(question)?;
    let mut stream = UnixStream::connect(socket).map_err(|e| match e.kind() {
        // The helper lets every process of this user in: a sandbox does not.
        std::io::ErrorKind::PermissionDenied => HelperError::Forbidden(e).into(),
        std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => {
            WrapError::WrapEnded
        }
        _ => WrapError::io(format!("reach the helper of the wrap at {}", socket.display()))(e),
    })?;
    let failed = || WrapError::io("talk to the helper of the wrap");
    stream.set_read_timeout(Some(ANSWER_TIMEOUT)).map_err(failed())?;
    // It may refuse before it has read everything.
    let written = stream.write_all(&line);
    let (answer, passed) = receive(&stream)?;
    if answer.is_empty() {
        written.map_err(failed())?;
        return Err(HelperError::Closed.into());
    }
    Ok((serde_json::from_slice(&answer).map_err(HelperError::Garbled)?, passed, stream))
}

/// Reads one line and the descriptor that comes with it.
fn receive(stream: &UnixStream) -> Result<(Vec<u8>, Option<OwnedFd>), WrapError> {
    let (mut line, mut passed) = (Vec::new(), None);
    let mut piece = [0; 4096];
    while !line.ends_with(b"\n") {
        if line.len() > MAX_LINE {
            return Err(HelperError::TooLong(line.len()).into());
        }
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut piece)];
        let got = match recvmsg(stream, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => continue,
            got => got.map_err(WrapError::errno("hear from the helper of the wrap"))?,
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                passed = rights.last().or(passed);
            }
        }
        if got.bytes == 0 {
            break;
        }
        line.extend_from_slice(piece.get(..got.bytes).unwrap_or_default());
    }
    Ok((line, passed))
}

/// Passes `socket` over `to` with these bytes. For the client (`ProxyUseFdpass` in `ssh_config(5)`) it is
/// one byte.
pub(super) fn pass(to: &impl AsFd, socket: &impl AsFd, with: &[u8]) -> Result<(), WrapError> {
    let fds = [socket.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(GateError::Undeliverable.into());
    }
    sendmsg(to, &[IoSlice::new(with)], &mut control, SendFlags::empty())
        .map_err(WrapError::errno("hand the connection on"))?;
    Ok(())
}
