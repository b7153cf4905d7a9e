//! What a process gives up before it starts a program.

use std::ffi::CStr;
use std::io;

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
