//! Processes by number: this system has no descriptors of them and no user namespaces.

use std::io;

use rustix::process::{Pid, test_kill_process};

use crate::wraps::origin::Unknown;

/// There is one for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NamespaceId;

/// The one that everybody lives in.
#[derive(Debug)]
pub(crate) struct Namespace;

impl Namespace {
    /// That of this process.
    pub(crate) fn own() -> io::Result<Self> {
        Ok(Self)
    }

    /// Which one it is.
    pub(crate) fn id(&self) -> NamespaceId {
        NamespaceId
    }
}

/// A process.
#[derive(Debug)]
pub(crate) struct Process {
    pid: u32,
}

impl Process {
    /// The process that has this number now.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let process = Self { pid };
        if process.is_alive() { Ok(process) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether there is a process with its number.
    pub(crate) fn is_alive(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        pid.is_some_and(|pid| test_kill_process(pid).is_ok())
    }

    /// Whether there is none.
    pub(crate) fn has_ended(&self) -> bool {
        !self.is_alive()
    }

    /// Nobody's, as far as is known here.
    pub(crate) fn is_of(&self, _uid: u32) -> bool {
        false
    }

    /// There is none.
    pub(crate) fn is_in_another_namespace(&self) -> bool {
        false
    }

    /// The one namespace.
    pub(crate) fn lineage(&self) -> Result<Vec<Namespace>, Unknown> {
        if self.is_alive() { Ok(vec![Namespace]) } else { Err(Unknown::Gone) }
    }
}

/// The process at the other end of a socket.
#[derive(Debug)]
pub(crate) struct Peer(Result<Process, Unknown>);

impl Peer {
    /// `pid` is the number that the socket's credentials tell.
    pub(crate) fn of(_: &tokio::net::UnixStream, pid: Option<u32>) -> Self {
        Self(pid.filter(|pid| *pid > 0).map(|pid| Process { pid }).ok_or(Unknown::Unreadable))
    }

    /// Whether it is this process itself.
    pub(crate) fn is_this_process(&self) -> bool {
        self.0.as_ref().is_ok_and(|process| process.pid == std::process::id())
    }

    /// The process.
    pub(crate) fn process(&self) -> Result<&Process, Unknown> {
        self.0.as_ref().map_err(|unknown| *unknown)
    }
}
