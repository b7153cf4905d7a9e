//! The Unix sockets of this machine that the user can reach: behind each is a program outside that
//! may do what it is asked.

use std::collections::BTreeSet;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Directories of services that take no commands for their caller's user: logs, name lookups,
/// databases with accounts of their own, builders that run as other users.
const HARMLESS: &[&str] = &["/nix/var/nix/daemon-socket", "/var/lib/mysql", "/var/lib/sss/pipes"];

/// The paths of the sockets in the text of `/proc/net/unix`.
pub(crate) fn paths(text: &str) -> BTreeSet<PathBuf> {
    text.lines()
        .skip(1)
        // Num RefCount Protocol Flags Type St Inode Path; the path may contain spaces.
        .filter_map(|line| {
            let mut rest = line;
            for _ in 0..7 {
                rest = rest.trim_start().split_once(' ')?.1;
            }
            Some(rest.trim_start())
        })
        .filter(|path| path.starts_with('/'))
        .map(PathBuf::from)
        .collect()
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
        0000000000000000: 00000003 00000000 00000000 0001 03 16 @quiet\n";

    #[test]
    fn sockets_have_paths_or_names_or_neither() {
        let found: Vec<_> = paths(TEXT).into_iter().collect();
        assert_eq!(found, [Path::new("/home/a b/s  c"), Path::new("/run/dbus/system_bus_socket")]);
        let names: Vec<_> = abstract_names(TEXT).into_iter().collect();
        assert_eq!(names, ["/tmp/.X11-unix/X0"]);
        for garbled in ["", "x", "head\nshort line", "head\n\n"] {
            assert!(paths(garbled).is_empty());
        }
    }
}
