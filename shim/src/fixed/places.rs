//! Where a configuration is read from.

use std::ffi::OsString;
use std::path::PathBuf;

/// Where the configuration is read from.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// The home directory as the user database has it: `ssh` does not ask `HOME`.
    pub(crate) home: PathBuf,
    /// The configuration of the system.
    pub(crate) system: PathBuf,
    /// The user's name.
    pub(crate) user: String,
    /// The user's number.
    pub(crate) uid: u32,
    /// `PATH` at the start of the wrap.
    pub(crate) path: OsString,
}

impl Places {
    /// Those of this process.
    pub(crate) fn of_this_user(path: OsString) -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
        let (home, name) = user.map_or_else(
            || (PathBuf::from("/nonexistent"), format!("{uid}")),
            |user| (user.dir, user.name),
        );
        Self { home, system: PathBuf::from("/etc/ssh"), user: name, uid, path }
    }

    /// The user's own directory of keys and configuration.
    pub(crate) fn ssh_dir(&self) -> PathBuf {
        self.home.join(".ssh")
    }
}

/// Which configuration a connection uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Config {
    /// `-F none`.
    None,
    /// The user's and the system's.
    Usual,
    /// This file, absolute, and nothing else.
    File(PathBuf),
}
