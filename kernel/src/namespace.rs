//! User namespaces, by descriptor.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, FromRawFd as _, OwnedFd};

/// `PIDFD_GET_USER_NAMESPACE`, Linux 6.11: `_IO(0xFF, 9)` in `include/uapi/linux/pidfd.h`.
const PIDFD_GET_USER_NAMESPACE: libc::Ioctl = 0xff09;
/// `NS_GET_PARENT`: `_IO(0xb7, 2)` in `include/uapi/linux/nsfs.h`.
const NS_GET_PARENT: libc::Ioctl = 0xb702;

/// Which namespace it is: a number that no other namespace has while a descriptor of it is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NamespaceId {
    device: u64,
    inode: u64,
}

/// A user namespace. It lives at least as long as this value.
#[derive(Debug)]
pub struct UserNamespace {
    fd: OwnedFd,
    id: NamespaceId,
}

impl UserNamespace {
    fn new(fd: OwnedFd) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&fd)?;
        Ok(Self { id: NamespaceId { device: stat.st_dev, inode: stat.st_ino }, fd })
    }

    /// The namespace of this process.
    ///
    /// # Errors
    /// Without `/proc`.
    pub fn own() -> io::Result<Self> {
        Self::new(File::open("/proc/self/ns/user")?.into())
    }

    /// The namespace of the process `pid`. The number may be another process's by now: the caller
    /// holds a descriptor of the process and asks afterwards whether it still lives.
    ///
    /// # Errors
    /// When there is no such process, or this one may not look at it.
    pub fn of_pid(pid: u32) -> io::Result<Self> {
        Self::new(File::open(format!("/proc/{pid}/ns/user"))?.into())
    }

    /// The namespace of a process.
    ///
    /// # Errors
    /// `ENOTTY` or `EINVAL` before Linux 6.11, `ESRCH` when the process is gone, `EACCES` when this
    /// process may not look at it.
    pub fn of_pidfd(pidfd: impl AsFd) -> io::Result<Self> {
        Self::new(ask(pidfd, PIDFD_GET_USER_NAMESPACE)?)
    }

    /// The namespace it was made in; none when that is not below this process's own (then the kernel
    /// does not tell), or when this is the first one.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn parent(&self) -> io::Result<Option<Self>> {
        match ask(&self.fd, NS_GET_PARENT) {
            Ok(fd) => Self::new(fd).map(Some),
            Err(e) if e.raw_os_error() == Some(libc::EPERM) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> NamespaceId {
        self.id
    }
}

/// An `ioctl` that takes no argument and returns a new descriptor.
#[allow(unsafe_code)]
fn ask(fd: impl AsFd, request: libc::Ioctl) -> io::Result<OwnedFd> {
    // SAFETY: these requests read and write no memory of this process.
    let status = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), request, 0) };
    if status < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(status) })
}
