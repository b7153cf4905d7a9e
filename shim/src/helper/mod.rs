//! The helper: the one process of a wrap that may name a target to the gate. It runs outside the
//! wrapped program, knows the broker's token for the wrap, and believes nothing of what is asked
//! from inside.
//!
//! From the bottom up: [`message`] is what is said on its socket, [`ask`] is the side of the wrapped
//! program, [`tickets`] keeps resolved routes, [`broker`] and [`gate`] talk to both, [`route`] makes
//! a route of a command line, [`proxy`] and [`agent`] serve programs that speak SSH themselves, [`serve`]
//! is the process, and this file is the wrap's handle of it.

mod agent;
mod agent_message;
mod ask;
mod broker;
mod carry;
mod door;
mod gate;
mod loopback;
mod message;
mod peer;
mod proxy;
mod route;
mod serve;
mod tickets;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Pid;

pub(crate) use ask::{Way, client, uplink};
#[cfg(target_os = "linux")]
pub(crate) use ask::{enter, ready};
pub(crate) use door::pump;
pub(crate) use message::{ClientArgs, FirstRoute, KNOWN_HOSTS_ENV, PROXY_ENV, SOCKET, Start};
pub(crate) use serve::serve;

use crate::error::{HelperError, WrapError};
use message::{Last, Ready};

/// The longest report of a helper about its start.
const MAX_READY: u64 = 64 * 1024;

/// How long a helper may take for its last words.
const LAST_WORDS: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// The wrap's end of a running helper. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Helper {
    /// Its end tells the helper to end.
    stdin: ChildStdin,
    stdout: std::io::Take<ChildStdout>,
    pid: Pid,
    ticket: Option<String>,
    proxy: Option<String>,
    agent: bool,
}

impl Helper {
    /// Starts it, and returns once the broker knows the wrap and the socket is there.
    pub(crate) fn start(expacti: &Path, start: &Start) -> Result<Self, WrapError> {
        let failed = || WrapError::io("start the helper of the wrap");
        let mut child = Command::new(expacti)
            .arg("__helper")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
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
        let mut stdout = BufReader::new(stdout.take(MAX_READY));
        stdout.read_line(&mut line).map_err(failed())?;
        match serde_json::from_str(&line).map_err(HelperError::Garbled)? {
            Ready::Ready { ticket, proxy, agent } => {
                // It has said one line, and says nothing more until the end.
                let stdout = stdout.into_inner();
                Ok(Self { stdin, stdout, pid, ticket, proxy, agent })
            }
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

    /// Where libraries reach the gate.
    pub(crate) fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref()
    }

    /// The socket that stands in for the user's ssh-agent, in the wrap's directory.
    pub(crate) fn agent(&self, dir: &Path) -> Option<PathBuf> {
        self.agent.then(|| dir.join(agent::SOCKET))
    }

    /// Ends it, and returns what the user has to know.
    pub(crate) fn end(self) -> Vec<String> {
        let Self { stdin, mut stdout, .. } = self;
        drop(stdin);
        let mut text = Vec::new();
        // It may have been killed: then its end is here already.
        let ready = poll(&mut [PollFd::new(stdout.get_ref(), PollFlags::IN)], Some(&LAST_WORDS));
        if matches!(ready, Ok(1)) {
            let _ = stdout.read_to_end(&mut text);
        }
        serde_json::from_slice::<Last>(&text).map(|last| last.messages).unwrap_or_default()
    }
}
