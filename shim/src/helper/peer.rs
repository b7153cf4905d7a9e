//! Who is at the other end of one of the helper's sockets, as the kernel says it.

use std::os::unix::net::UnixStream;

/// Whether it is a process of this user.
#[cfg(target_os = "linux")]
pub(super) fn is_of_this_user(stream: &UnixStream) -> bool {
    rustix::net::sockopt::socket_peercred(stream)
        .is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}

/// Here the mode of the socket and of its directory says it.
#[cfg(not(target_os = "linux"))]
pub(super) fn is_of_this_user(_stream: &UnixStream) -> bool {
    true
}

/// Whether the peer lives in this process's user namespace. A wrapped program in one of its own does
/// not, whatever it can reach.
#[cfg(target_os = "linux")]
pub(super) fn is_outside(stream: &UnixStream) -> bool {
    let own = expacti_kernel::UserNamespace::own();
    let peer = expacti_kernel::peer_user_namespace(stream);
    own.is_ok_and(|own| peer.is_ok_and(|peer| peer.id() == own.id()))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn is_outside(_stream: &UnixStream) -> bool {
    true
}

/// Its number.
#[cfg(target_os = "linux")]
pub(super) fn pid_of(stream: &UnixStream) -> Option<u32> {
    let peer = rustix::net::sockopt::socket_peercred(stream).ok()?;
    u32::try_from(peer.pid.as_raw_pid()).ok()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn pid_of(_stream: &UnixStream) -> Option<u32> {
    None
}
