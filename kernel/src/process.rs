//! What a process gives up before it starts a program.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd};

/// `KEYCTL_JOIN_SESSION_KEYRING` of `keyctl(2)`.
const JOIN_SESSION_KEYRING: libc::c_long = 1;

/// Closes every descriptor from `first` on.
///
/// Call it only where no value of this process owns one of them: in a process that is about to
/// become, or to start, another program.
///
/// # Errors
/// `ENOSYS` before Linux 5.9.
#[allow(unsafe_code)]
pub fn close_from(first: u32) -> io::Result<()> {
    // SAFETY: takes numbers only. What it closes is the caller's promise above.
    let status = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0_u32) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes over a descriptor that this process inherited under a known number. What this process starts
/// does not inherit it again.
///
/// Call it once for a number, and only for one that the starter of this process passed for this.
///
/// # Errors
/// `EBADF` when there is none of that number.
#[allow(unsafe_code)]
pub fn take_descriptor(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    let status = unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    if status < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and by the caller's promise above nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Moves this process into a user namespace, a mount namespace and an IPC namespace of its own. Its
/// next child is the first process of a new PID namespace.
///
/// # Errors
/// `EPERM` where unprivileged user namespaces are not allowed, `ENOSPC` when there are too many,
/// `EINVAL` in a process with threads.
#[allow(unsafe_code)]
pub fn enter_new_namespaces() -> io::Result<()> {
    let flags = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWIPC | libc::CLONE_NEWPID;
    // SAFETY: takes a number only; the flags share or unshare no descriptors and no memory.
    let status = unsafe { libc::unshare(flags) };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes a mount read-only, with every mount below it.
///
/// # Errors
/// `ENOSYS` before Linux 5.12; `EPERM` when this process may not change the mount.
#[allow(unsafe_code)]
pub fn set_read_only(mount: impl AsFd) -> io::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: the empty path is a constant, and the last two arguments are a live structure and its
    // size.
    let status = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Leaves the session keyring of the caller for a new, empty one.
///
/// # Errors
/// `ENOSYS` when the kernel has no keyrings, `EDQUOT` or `ENOMEM`.
#[allow(unsafe_code)]
pub fn join_new_session_keyring() -> io::Result<()> {
    let anonymous: Option<&CStr> = None;
    let name = anonymous.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: a null name asks for an anonymous keyring; nothing is read or written through it.
    let serial = unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, name) };
    if serial >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
