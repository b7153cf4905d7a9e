//! Processes by descriptor, and the user namespaces in which they live.

use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};

pub(crate) use expacti_kernel::NamespaceId;
use expacti_kernel::{UserNamespace, peer_pidfd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, retry_on_intr};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::wraps::origin::Unknown;

/// A user namespace, held open: as long as this lives no other one has its number.
pub(crate) type Namespace = UserNamespace;

/// More namespaces in one another than the kernel allows (32 below the first).
const MAX_LINEAGE: usize = 64;

/// A process, held by a descriptor.
#[derive(Debug)]
pub(crate) struct Process {
    pidfd: OwnedFd,
    pid: u32,
}

impl Process {
    /// Holds the process that has this number now.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let pidfd = pidfd_open(number.ok_or(Errno::SRCH)?, PidfdFlags::empty())?;
        Ok(Self { pidfd, pid })
    }

    /// Its number.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it is known that it has not ended.
    pub(crate) fn is_alive(&self) -> bool {
        self.ready().is_ok_and(|ready| ready == 0)
    }

    /// Whether it is known that it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ready().is_ok_and(|ready| ready > 0)
    }

    /// A descriptor of a process becomes readable when the process ends.
    fn ready(&self) -> rustix::io::Result<usize> {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        retry_on_intr(|| poll(&mut fds, Some(&Timespec::default())))
    }

    /// The user namespace it lives in, and that one's ancestors as far as the kernel tells.
    pub(crate) fn lineage(&self) -> Result<Vec<Namespace>, Unknown> {
        let mut lineage = vec![self.namespace().map_err(|e| unknown(&e))?];
        while let Some(youngest) = lineage.last() {
            match youngest.parent().map_err(|e| unknown(&e))? {
                Some(parent) if lineage.len() < MAX_LINEAGE => lineage.push(parent),
                Some(_) => return Err(Unknown::Unreadable),
                None => break,
            }
        }
        // Also the descriptor of an ended process may still tell a namespace: whoever has its sockets
        // now does not need to live there.
        if self.is_alive() { Ok(lineage) } else { Err(Unknown::Gone) }
    }

    /// Whether it runs as that user, and as nobody else beside.
    pub(crate) fn is_of(&self, uid: u32) -> bool {
        let uids = || -> io::Result<bool> {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.number()?))?;
            let line = status.lines().find_map(|line| line.strip_prefix("Uid:"));
            // Real, effective, saved, and that of the file system.
            let uids = line.unwrap_or_default().split_ascii_whitespace();
            Ok(uids.map(|one| one.parse().ok()).eq([Some(uid); 4]))
        };
        uids().unwrap_or(false) && self.is_alive()
    }

    /// Whether it is known to live in another user namespace than the first of the system.
    pub(crate) fn is_in_another_namespace(&self) -> bool {
        let first = self.number().and_then(Namespace::first_of_hidden);
        matches!(first, Ok(None)) && self.is_alive()
    }

    fn namespace(&self) -> io::Result<Namespace> {
        let told = match Namespace::of_pidfd(&self.pidfd) {
            Err(e) if is_unsupported(&e) => self.namespace_by_number(),
            told => told,
        };
        match told {
            Err(refused) if refused.kind() == io::ErrorKind::PermissionDenied => {
                Namespace::first_of_hidden(self.number()?)?.ok_or(refused)
            }
            told => told,
        }
    }

    /// The same before Linux 6.11.
    fn namespace_by_number(&self) -> io::Result<Namespace> {
        Namespace::of_pid(self.number()?)
    }

    /// Its number as it is now. Who asks something by it asks afterwards whether the process still
    /// lives: then the number was its own all the time.
    fn number(&self) -> io::Result<u32> {
        let info =
            std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.pidfd.as_raw_fd()))?;
        Ok(pid_of_fdinfo(&info).ok_or(io::ErrorKind::NotFound)?)
    }
}

/// What `/proc/self/fdinfo/N` says of a descriptor of a process: its number here, -1 when it has ended,
/// 0 when it cannot be seen from here.
fn pid_of_fdinfo(info: &str) -> Option<u32> {
    let number = info.lines().find_map(|line| line.strip_prefix("Pid:"))?;
    number.trim().parse().ok().filter(|pid| *pid > 0)
}

/// Whether the kernel does not know the request.
fn is_unsupported(error: &io::Error) -> bool {
    [Errno::NOTTY, Errno::INVAL, Errno::OPNOTSUPP]
        .into_iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn unknown(error: &io::Error) -> Unknown {
    if error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
        || error.kind() == io::ErrorKind::NotFound
    {
        Unknown::Gone
    } else {
        Unknown::Unreadable
    }
}

/// The process at the other end of a socket, as the kernel named it when the connection was accepted.
#[derive(Debug)]
pub(crate) struct Peer(Result<Process, Unknown>);

impl Peer {
    /// Asks the kernel. `pid` is the number that the socket's credentials tell.
    pub(crate) fn of(stream: &tokio::net::UnixStream, pid: Option<u32>) -> Self {
        let pidfd = peer_pidfd(stream).map_err(|e| match Errno::from_io_error(&e) {
            Some(Errno::NOPROTOOPT) => Unknown::KernelTooOld,
            _ => unknown(&e),
        });
        Self(pidfd.and_then(|pidfd| match pid {
            Some(pid) if pid > 0 => Ok(Process { pidfd, pid }),
            // It is in a PID namespace that cannot be seen from here.
            _ => Err(Unknown::Unreadable),
        }))
    }

    /// As if the process with this number had connected.
    #[cfg(test)]
    pub(crate) fn of_pid(pid: u32) -> Self {
        Self(Process::open(pid).map_err(|e| unknown(&e)))
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_numbers_of_a_descriptor() {
        assert_eq!(pid_of_fdinfo("pos:\t0\nflags:\t02\nPid:\t4711\nNSpid:\t4711\n"), Some(4711));
        for gone in ["Pid:\t-1\n", "Pid:\t0\n", "", "NSpid:\t5\n"] {
            assert_eq!(pid_of_fdinfo(gone), None, "{gone}");
        }
    }

    #[test]
    fn both_ways_to_a_namespace_agree() {
        let this = Process::open(std::process::id()).unwrap();
        let own = Namespace::own().unwrap().id();
        assert_eq!(this.lineage().unwrap().first().unwrap().id(), own);
        assert_eq!(this.namespace_by_number().unwrap().id(), own);
    }

    #[test]
    fn an_ended_process_lives_nowhere() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let process = Process::open(child.id()).unwrap();
        assert!(process.is_alive());
        drop(child.stdin.take());
        // Ended, and not yet waited for: the number is still its own.
        let mut fds = [PollFd::new(&process.pidfd, PollFlags::IN)];
        assert_eq!(poll(&mut fds, None).unwrap(), 1);
        assert_eq!(process.lineage().unwrap_err(), Unknown::Gone);
        child.wait().unwrap();
        assert_eq!(process.lineage().unwrap_err(), Unknown::Gone);
        assert!(process.namespace_by_number().is_err());
    }
}
