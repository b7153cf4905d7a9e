//! Who connected to a Unix socket.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::namespace::UserNamespace;

/// `SO_PEERPIDFD`, Linux 6.5: `include/uapi/asm-generic/socket.h`. The same number on x86, ARM and
/// RISC-V.
const SO_PEERPIDFD: libc::c_int = 77;

/// A descriptor of the process that connected the other end of a Unix socket. It names that process
/// even after its number is used again.
///
/// # Errors
/// `ENOPROTOOPT` before Linux 6.5; `EINVAL` or `ESRCH` when the process is gone and the kernel does not
/// keep it.
#[allow(unsafe_code)]
pub fn peer_pidfd(socket: impl AsFd) -> io::Result<OwnedFd> {
    let mut pidfd: RawFd = -1;
    let mut length = libc::socklen_t::try_from(size_of::<RawFd>()).unwrap_or_default();
    // SAFETY: both pointers are to live variables, and `length` is the size of the first.
    let status = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            (&raw mut pidfd).cast(),
            &raw mut length,
        )
    };
    if status != 0 {
        return Err(io::Error::last_os_error());
    }
    if pidfd < 0 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(pidfd) })
}

/// The user namespace of the process that connected the other end of a Unix socket. An error when the
/// process is gone, or the kernel does not tell.
///
/// # Errors
/// As [`peer_pidfd`], and `EACCES` when this process may not look at the other, and it cannot be placed
/// without.
pub fn peer_user_namespace(socket: impl AsFd) -> io::Result<UserNamespace> {
    let pidfd = peer_pidfd(&socket)?;
    let old = |e: &io::Error| matches!(e.raw_os_error(), Some(libc::ENOTTY | libc::EINVAL));
    let number = || {
        let peer = rustix::net::sockopt::socket_peercred(&socket)?;
        u32::try_from(peer.pid.as_raw_pid()).map_err(io::Error::other)
    };
    // By its number, which is still that process's if it lives when all is done.
    let told = match UserNamespace::of_pidfd(&pidfd) {
        // Before Linux 6.11.
        Err(e) if old(&e) => UserNamespace::of_pid(number()?),
        told @ Ok(_) => return told,
        refused => refused,
    };
    let namespace = match told {
        Err(refused) if refused.kind() == io::ErrorKind::PermissionDenied => {
            UserNamespace::first_of_hidden(number()?)?.ok_or(refused)?
        }
        told => told?,
    };
    let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
    if poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? != 0 {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    Ok(namespace)
}
