//! The SSH clients of this system, which a wrapped program must not find, and programs that could not work
//! and would not say why.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::error::WrapError;

use super::plan::Step;
use super::writable::is_writable;

/// Clients of OpenSSH's command line: the shim takes their place.
const REPLACED: &[&str] = &["ssh", "slogin"];

/// Clients that cannot be led through the gate: a message takes their place.
const REFUSED: &[&str] =
    &["dbclient", "hpnssh", "mosh-client", "plink", "pscp", "psftp", "tsh", "lsh", "ssh3"];

/// Programs that are of no use without the rights of their set-user-ID bit: a message takes their place. Root
/// has those rights already.
const POWERLESS: &[&str] =
    &["at", "batch", "crontab", "doas", "newgrp", "pkexec", "run0", "sg", "su", "sudo"];

/// Where programs lie beside `PATH`, as absolute paths and below the home directory.
const PLACES: &[&str] = &[
    "/bin",
    "/usr/bin",
    "/usr/local/bin",
    "/usr/sbin",
    "/opt/homebrew/bin",
    "/home/linuxbrew/.linuxbrew/bin",
    "/nix/var/nix/profiles/default/bin",
    "/run/current-system/sw/bin",
    "/snap/bin",
];
const HOME_PLACES: &[&str] =
    &["bin", ".local/bin", ".cargo/bin", ".nix-profile/bin", ".linuxbrew/bin", "go/bin"];

/// What takes the place of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// The `ssh` shim.
    Shim,
    /// A message.
    Message,
}

/// Every client found: its real path, and what takes its place.
pub(crate) fn find(path: &OsStr, homes: &[PathBuf], uid: u32) -> BTreeMap<PathBuf, Stand> {
    let mut dirs: BTreeSet<PathBuf> = PLACES.iter().map(PathBuf::from).collect();
    dirs.extend(std::env::split_paths(path).filter(|dir| dir.is_absolute()));
    for home in homes {
        dirs.extend(HOME_PLACES.iter().map(|place| home.join(place)));
    }
    let mut found = BTreeMap::new();
    for dir in dirs {
        // A directory that holds a wrap's description is one of shims.
        if dir.join(crate::context::FILE).exists() {
            continue;
        }
        let powerless = if uid == 0 { &[] } else { POWERLESS };
        let message = Stand::Message;
        for (names, stand) in [(REPLACED, Stand::Shim), (REFUSED, message), (powerless, message)] {
            for name in names {
                // Through every link: `/usr/bin/ssh` may lead to /etc/alternatives and on.
                let Ok(real) = std::fs::canonicalize(dir.join(name)) else { continue };
                if real.is_file() && !is_many_programs(&real) {
                    found.insert(real, stand);
                }
            }
        }
    }
    found
}

/// Whether a file is many programs by the name it is called (`busybox`, `snap`): covering it would
/// cover them all.
fn is_many_programs(real: &Path) -> bool {
    matches!(real.file_name().and_then(OsStr::to_str), Some("busybox" | "snap" | "toybox"))
}

/// The steps that put something else in the place of each client. `shim` and `message` are files of
/// the wrap's directory; `base` is a directory for what is laid over others.
pub(crate) fn steps(
    clients: &BTreeMap<PathBuf, Stand>,
    shim: &Path,
    message: &Path,
    base: &Path,
    uid: u32,
) -> Result<Vec<Step>, WrapError> {
    let mut dirs: BTreeMap<&Path, Vec<(&OsStr, Stand)>> = BTreeMap::new();
    let mut steps = Vec::new();
    let file = |stand| if stand == Stand::Shim { shim } else { message };
    for (client, stand) in clients {
        let (Some(dir), Some(name)) = (client.parent(), client.file_name()) else { continue };
        // A directory that the user fills stays writable: there only the file is covered.
        if is_writable(dir, uid) || !is_plain(dir) {
            let (from, at) = (file(*stand).to_owned(), client.clone());
            steps.push(Step::Bind { from, at, read_only: true });
        } else {
            dirs.entry(dir).or_default().push((name, *stand));
        }
    }
    for (number, (dir, names)) in dirs.into_iter().enumerate() {
        let with = base.join(format!("over-{number}"));
        std::fs::create_dir(&with).map_err(WrapError::io(format!("create {}", with.display())))?;
        for (name, stand) in names {
            let to = with.join(name);
            std::fs::copy(file(stand), &to)
                .map_err(WrapError::io(format!("write {}", to.display())))?;
        }
        steps.push(Step::Overlay { at: dir.to_owned(), with });
    }
    Ok(steps)
}

/// Whether a path can stand in the options of an overlay as it is.
fn is_plain(path: &Path) -> bool {
    path.to_str().is_some_and(|p| !p.contains([':', ',', '\\', '\n']))
}
