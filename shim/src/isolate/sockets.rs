//! The Unix sockets of this machine that the user can reach: behind each is a program outside that
//! may do what it is asked.

use std::collections::BTreeSet;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Directories of services that take no commands for their caller's user: logs, name lookups,
/// databases with accounts of their own, builders that run as other users.
const HARMLESS: &[&str] = &["/nix/var/nix/daemon-socket", "/var/lib/mysql", "/var/lib/sss/pipes"];

/// A socket with a name in the file system, in the text of `/proc/net/unix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    inode: u64,
    /// As it was bound: relative to the directory that its process had then.
    path: PathBuf,
}

/// Reads the text of `/proc/net/unix`.
pub(crate) fn named(text: &str) -> Vec<Named> {
    text.lines()
        .skip(1)
        // Num RefCount Protocol Flags Type St Inode Path; the path may contain spaces.
        .filter_map(|line| {
            let (mut rest, mut inode) = (line, None);
            for _ in 0..7 {
                let (word, behind) = rest.trim_start().split_once(' ')?;
                inode = word.parse().ok();
                rest = behind;
            }
            let path = rest.trim_start();
            let is_path = !path.is_empty() && !path.starts_with('@');
            is_path.then_some(Named { inode: inode?, path: path.into() })
        })
        .collect()
}

/// The paths of all sockets of this machine, and of those that lie beside one: OpenSSH binds under a
/// name that it changes afterwards.
pub(crate) fn all() -> BTreeSet<PathBuf> {
    let text = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let named = named(&text);
    let (absolute, relative): (Vec<_>, Vec<_>) =
        named.into_iter().partition(|socket| socket.path.is_absolute());
    let mut paths: BTreeSet<PathBuf> = absolute.into_iter().map(|socket| socket.path).collect();
    if !relative.is_empty() {
        paths.extend(found_by_process(&relative));
    }
    let dirs: BTreeSet<PathBuf> =
        paths.iter().filter_map(|path| path.parent()).map(Path::to_owned).collect();
    for dir in dirs {
        let Ok(entries) = std::fs::read_dir(dir) else { continue };
        let sockets = entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_socket()));
        paths.extend(sockets.map(|entry| entry.path()));
    }
    paths
}

/// The paths of sockets that were bound by a relative one, in the directories that their processes
/// have now.
fn found_by_process(relative: &[Named]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir("/proc") else { return found };
    for process in entries.flatten().map(|entry| entry.path()) {
        // Those of other users cannot be looked at.
        let Ok(fds) = std::fs::read_dir(process.join("fd")) else { continue };
        let Ok(cwd) = std::fs::read_link(process.join("cwd")) else { continue };
        for fd in fds.flatten() {
            let Ok(to) = std::fs::read_link(fd.path()) else { continue };
            let is_it = |socket: &&Named| to.as_os_str() == &*format!("socket:[{}]", socket.inode);
            found.extend(relative.iter().filter(is_it).map(|socket| cwd.join(&socket.path)));
        }
    }
    found
}

/// The abstract sockets that somebody listens on.
pub(crate) fn abstract_names(text: &str) -> BTreeSet<String> {
    /// `__SO_ACCEPTCON`: somebody accepts connections.
    const LISTENING: &str = "00010000";
    text.lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let name = words.get(7)?.strip_prefix('@')?;
            (words.get(3) == Some(&LISTENING)).then(|| name.to_owned())
        })
        .collect()
}

/// The sockets that the user can reach and that nothing covers yet.
pub(crate) fn reachable(
    all: BTreeSet<PathBuf>,
    is_covered: &dyn Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    let harmless = |path: &Path| HARMLESS.iter().any(|dir| path.starts_with(dir));
    let mut found: Vec<PathBuf> = all
        .into_iter()
        .filter_map(|path| std::fs::canonicalize(path).ok())
        .filter(|path| !harmless(path) && !is_covered(path))
        .filter(|path| {
            std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket())
                && access(path, Access::WRITE_OK).is_ok()
        })
        .collect();
    found.sort();
    found.dedup();
    found
}

/// Whether a directory has nothing but sockets in it: then it can be covered as a whole, also for
/// those that are made later.
pub(crate) fn has_only_sockets(dir: &Path) -> bool {
    std::fs::read_dir(dir).is_ok_and(|mut entries| {
        entries.all(|e| e.and_then(|e| e.file_type()).is_ok_and(|t| t.is_socket()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Num       RefCount Protocol Flags    Type St Inode Path\n\
        0000000000000000: 00000002 00000000 00010000 0001 01 12 /run/dbus/system_bus_socket\n\
        0000000000000000: 00000002 00000000 00010000 0001 01 13 @/tmp/.X11-unix/X0\n\
        0000000000000000: 00000003 00000000 00000000 0001 03 14\n\
        0000000000000000: 00000002 00000000 00000000 0002 01 15 /home/a b/s  c\n\
        0000000000000000: 00000003 00000000 00000000 0001 03 16 @quiet\n\
        0000000000000000: 00000002 00000000 00010000 0001 01 17 r.sock\n";

    #[test]
    fn sockets_have_paths_or_names_or_neither() {
        let found: Vec<_> = named(TEXT).into_iter().map(|s| (s.inode, s.path)).collect();
        let expected =
            [(12, "/run/dbus/system_bus_socket"), (15, "/home/a b/s  c"), (17, "r.sock")];
        assert_eq!(found, expected.map(|(inode, path)| (inode, PathBuf::from(path))));
        let names: Vec<_> = abstract_names(TEXT).into_iter().collect();
        assert_eq!(names, ["/tmp/.X11-unix/X0"]);
        for garbled in ["", "x", "head\nshort line", "head\n\n"] {
            assert!(named(garbled).is_empty());
        }
    }
}
