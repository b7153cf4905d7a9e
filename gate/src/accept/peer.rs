//! Where the process at the other end of the Unix socket lives. Only one of the gate's own user
//! namespace may name a target: a wrapped program lives in another, whatever it knows.

use std::io;

use tokio::net::UnixStream;

/// What a peer from elsewhere is told.
pub(super) const FOREIGN: &str = "this process lives in another user namespace (a wrapped \
     program, a container, a toolbox), and the gate takes connections only from its own: start \
     ssh through `expacti wrap`, outside of it";

/// The user namespace of this gate.
#[derive(Debug)]
pub(super) struct Home {
    #[cfg(target_os = "linux")]
    own: expacti_kernel::UserNamespace,
}

#[cfg(target_os = "linux")]
impl Home {
    pub(super) fn find() -> io::Result<Self> {
        Ok(Self { own: expacti_kernel::UserNamespace::own()? })
    }

    /// Whether the peer lives here. One that is gone, or cannot be looked at, does not; nor does any
    /// on a kernel before 6.5, which cannot tell.
    pub(super) fn is_home_of(&self, stream: &UnixStream) -> bool {
        match namespace(stream) {
            Ok(namespace) => namespace.id() == self.own.id(),
            Err(error) => {
                tracing::warn!(%error, "it cannot be told in which user namespace a peer lives");
                false
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn namespace(stream: &UnixStream) -> io::Result<expacti_kernel::UserNamespace> {
    use expacti_kernel::{UserNamespace, peer_pidfd};
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;

    let pidfd = peer_pidfd(stream)?;
    match UserNamespace::of_pidfd(&pidfd) {
        Err(e)
            if [Errno::NOTTY, Errno::INVAL]
                .contains(&Errno::from_io_error(&e).unwrap_or(Errno::PERM)) => {}
        known => return known,
    }
    // Before Linux 6.11. The number is still this process's if it lives when all is done.
    let pid = stream.peer_cred()?.pid().ok_or(io::ErrorKind::NotFound)?;
    let namespace = UserNamespace::of_pid(pid.unsigned_abs())?;
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    if poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? != 0 {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(namespace)
}

#[cfg(not(target_os = "linux"))]
impl Home {
    pub(super) fn find() -> io::Result<Self> {
        Ok(Self {})
    }

    /// This system has no user namespaces.
    pub(super) fn is_home_of(&self, _stream: &UnixStream) -> bool {
        true
    }
}
