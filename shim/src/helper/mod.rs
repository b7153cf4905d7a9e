//! The helper: the one process of a wrap that may name a target to the gate. It runs outside the
//! wrapped program, knows the broker's token for the wrap, and believes nothing of what is asked
//! from inside.
//!
//! From the bottom up: [`message`] is what is said on its socket, [`ask`] is the side of the wrapped
//! program, [`tickets`] keeps resolved routes, [`broker`] and [`gate`] talk to both, [`route`] makes
//! a route of a command line, [`serve`] is the process, and this file is the wrap's handle of it.

mod ask;
mod broker;
mod gate;
mod message;
mod route;
mod serve;
mod tickets;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{ChildStdin, Command, Stdio};

use rustix::process::Pid;

pub(crate) use ask::{client, uplink};
pub(crate) use message::{ClientArgs, FirstRoute, SOCKET, Start};
pub(crate) use serve::serve;

use crate::error::{HelperError, WrapError};
use message::Ready;

/// The longest report of a helper about its start.
const MAX_READY: u64 = 64 * 1024;

/// The wrap's end of a running helper. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Helper {
    /// Its end tells the helper to end.
    _stdin: ChildStdin,
    pid: Pid,
    ticket: Option<String>,
}

impl Helper {
    /// Starts it, and returns once the broker knows the wrap and the socket is there.
    pub(crate) fn start(start: &Start) -> Result<Self, WrapError> {
        let failed = || WrapError::io("start the helper of the wrap");
        let mut child = Command::new(&start.context.expacti)
            .arg("__helper")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed())?;
        let pid = Pid::from_child(&child);
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (mut stdin, stdout) =
            pipes.ok_or_else(|| failed()(std::io::ErrorKind::BrokenPipe.into()))?;
        let mut text = serde_json::to_vec(start).map_err(HelperError::Unwritable)?;
        text.push(b'\n');
        stdin.write_all(&text).map_err(failed())?;
        let mut line = String::new();
        BufReader::new(stdout.take(MAX_READY)).read_line(&mut line).map_err(failed())?;
        match serde_json::from_str(&line).map_err(HelperError::Garbled)? {
            Ready::Ready { ticket } => Ok(Self { _stdin: stdin, pid, ticket }),
            Ready::Failed { message, status } => {
                Err(HelperError::Failed { message, status }.into())
            }
        }
    }

    /// Its process, which belongs to the wrap and not to the wrapped program.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The ticket of the route that the wrap resolved itself.
    pub(crate) fn ticket(&self) -> Option<&str> {
        self.ticket.as_deref()
    }
}
