//! User namespaces, by descriptor.

use std::fs::{self, File};
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

    /// The first namespace of the system, if this process and the process `pid` both live in it; none
    /// when that cannot be told. It needs no right to look at that process, so that one which hides
    /// itself can be placed all the same. The number may be another process's by now, as for
    /// [`UserNamespace::of_pid`].
    ///
    /// Only root of the first namespace can make one that maps every user to itself. Any other, and one
    /// that maps nobody yet, is seen to be another.
    ///
    /// # Errors
    /// When there is no such process, or `/proc` hides it altogether.
    pub fn first_of_hidden(pid: u32) -> io::Result<Option<Self>> {
        let of_peer = fs::read_to_string(format!("/proc/{pid}/uid_map"))?;
        if maps_every_user(&of_peer) && lives_in_first()? {
            Self::own().map(Some)
        } else {
            Ok(None)
        }
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

/// Whether this process lives in the first user namespace of the system.
fn lives_in_first() -> io::Result<bool> {
    Ok(maps_every_user(&fs::read_to_string("/proc/self/uid_map")?))
}

/// Whether `/proc/PID/uid_map` maps every user to itself: first user inside, first user outside, how
/// many (user_namespaces(7); the last number, 2^32 - 1, is no user).
fn maps_every_user(map: &str) -> bool {
    map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}

/// Whether a process that hides itself (it is not dumpable) can still be placed by others of its user,
/// with [`UserNamespace::first_of_hidden`]: not in another namespace than the first, nor where `/proc`
/// hides the processes of others.
#[must_use]
pub fn can_place_hidden() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    lives_in_first().unwrap_or(false) && proc_shows_all(&mounts)
}

/// Whether no `/proc` of `/proc/self/mountinfo` is mounted with `hidepid` (proc(5)).
fn proc_shows_all(mountinfo: &str) -> bool {
    let mut found = false;
    for line in mountinfo.lines() {
        // "ID PARENT DEVICE ROOT POINT OPTIONS [FIELDS] - TYPE SOURCE OPTIONS"
        let Some((before, after)) = line.split_once(" - ") else { continue };
        if before.split(' ').nth(4) != Some("/proc") {
            continue;
        }
        let mut after = after.split(' ');
        let (kind, options) = (after.next(), after.nth(1).unwrap_or_default());
        let hides = options.split(',').any(|option| {
            option.strip_prefix("hidepid=").is_some_and(|how| !["0", "off"].contains(&how))
        });
        if kind != Some("proc") || hides {
            return false;
        }
        found = true;
    }
    found
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_namespace_maps_every_user() {
        assert!(maps_every_user("         0          0 4294967295\n"));
        for other in [
            "",
            "0 0 1\n",
            "1000 1000 1\n",
            "0 1000 1\n1 100000 65536\n",
            "0 100000 4294967295\n",
            "0 0 4294967295\n0 0 1\n",
        ] {
            assert!(!maps_every_user(other), "{other:?}");
        }
    }

    #[test]
    fn a_proc_that_hides_processes() {
        let mount = |options: &str| {
            format!("22 27 0:21 / /proc rw,relatime shared:5 - proc proc {options}\n")
        };
        for shows in ["rw", "rw,gid=4,hidepid=0", "rw,hidepid=off"] {
            assert!(proc_shows_all(&mount(shows)), "{shows}");
        }
        for hides in ["rw,hidepid=2", "rw,hidepid=invisible,gid=4", "rw,hidepid=ptraceable"] {
            assert!(!proc_shows_all(&mount(hides)), "{hides}");
            assert!(!proc_shows_all(&(mount("rw") + &mount(hides))), "{hides}");
        }
        assert!(!proc_shows_all(""));
        assert!(!proc_shows_all(&mount("rw").replace("- proc", "- tmpfs")));
        assert!(!proc_shows_all("22 27 0:21 / /sys rw - sysfs sysfs rw\n"));
    }
}
