//! The directories, sockets and lock of an installation. Everything in it is private to its owner, and
//! one process at a time may have its data open.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use expacti_broker::private_dir;
use expacti_protocol::home::Home;
use tokio::net::UnixListener;

use crate::failure::Failure;

/// The longest path of a Unix socket: `sun_path` has 108 bytes on Linux, 104 on macOS.
const MAX_SOCKET_PATH: usize = 103;

/// The lock of an installation. The one process that has its data open holds it.
pub(crate) struct Lock {
    _guard: fd_lock::RwLockWriteGuard<'static, File>,
}

/// From now on, files that this process creates can be read only by their owner, SQLite's too.
pub(crate) fn restrict_umask() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// Creates the directories of an installation. Those of the machine's service are there: its settings are
/// root's, and everybody may reach its sockets.
pub(crate) fn create_dirs(home: &Home) -> Result<(), Failure> {
    let fail = |dir: &Path, e: &dyn std::fmt::Display| {
        Failure::failed(format!("failed to make {}: {e}", dir.display()))
    };
    let [config, data, runtime] = home.dirs();
    if home.is_service() {
        private_dir(data).map_err(|e| fail(data, &e))?;
        let own = rustix::process::geteuid().as_raw();
        for (dir, others) in [(data, 0o077), (runtime, 0o022)] {
            let about = std::fs::symlink_metadata(dir).map_err(|e| fail(dir, &e))?;
            if !about.is_dir() || about.uid() != own || about.mode() & others != 0 {
                return Err(Failure::failed(format!(
                    "{} is no directory of the service's own, or others may write to it (mode {:04o}): run \
                     `sudo expacti setup` again",
                    dir.display(),
                    about.mode() & 0o7777
                )));
            }
        }
    } else {
        for dir in [config, data, runtime] {
            private_dir(dir).map_err(|e| fail(dir, &e))?;
        }
    }
    for socket in [home.broker_socket(), home.gate_socket()] {
        if socket.as_os_str().len() > MAX_SOCKET_PATH {
            return Err(Failure::usage(format!(
                "the socket path {} is longer than the system allows ({MAX_SOCKET_PATH} bytes): \
                 choose a shorter EXPACTI_HOME",
                socket.display()
            )));
        }
    }
    Ok(())
}

/// Takes the lock; `None` when another process holds it.
pub(crate) fn try_lock(home: &Home) -> Result<Option<Lock>, Failure> {
    let path = home.lock_file();
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|e| Failure::failed(format!("failed to open {}: {e}", path.display())))?;
    // A process takes one lock and holds it to its end: leaking it is intended.
    let lock: &'static mut fd_lock::RwLock<File> = Box::leak(Box::new(fd_lock::RwLock::new(file)));
    match lock.try_write() {
        Ok(guard) => Ok(Some(Lock { _guard: guard })),
        Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Ok(None),
        Err(e) => Err(Failure::failed(format!("failed to lock {}: {e}", path.display()))),
    }
}

/// Who may connect to a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Every user of the machine.
    Everybody,
    /// Its owner.
    Owner,
}

/// Binds a socket; one that a dead process left is replaced. The caller holds the lock.
pub(crate) fn bind(path: &Path, who: For) -> Result<UnixListener, Failure> {
    let fail =
        |e: std::io::Error| Failure::failed(format!("failed to listen on {}: {e}", path.display()));
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fail(e)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(fail)?;
    let mode = match who {
        For::Everybody => 0o666,
        For::Owner => 0o600,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(fail)?;
    Ok(listener)
}
