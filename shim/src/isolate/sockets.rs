//! The Unix sockets of this machine that the user can reach: behind each is a program outside that
//! may do what it is asked.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Directories of services that take no commands for their caller's user: logs, name lookups,
/// databases with accounts of their own, builders that run as other users.
const HARMLESS: &[&str] = &["/nix/var/nix/daemon-socket", "/var/lib/mysql", "/var/lib/sss/pipes"];

/// How deep directories are searched.
const MAX_DEPTH: usize = 16;

/// A socket with a name in the file system, in the text of `/proc/net/unix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    inode: u64,
    /// As it was bound: relative to the directory that its process had then.
    path: PathBuf,
}

/// Reads the text of `/proc/net/unix`. Names are any bytes, also newlines.
pub(crate) fn named(text: &[u8]) -> Vec<Named> {
    let mut found: Vec<Named> = Vec::new();
    let mut continues = false;
    for line in text.split(|byte| *byte == b'\n').skip(1) {
        match row(line) {
            Some((_, inode, name)) => {
                continues = !name.is_empty() && !name.starts_with(b"@");
                if continues {
                    let path = OsStr::from_bytes(name).into();
                    found.push(Named { inode, path });
                }
            }
            // The rest of the name before it.
            None if continues => {
                if let Some(last) = found.last_mut().filter(|_| !line.is_empty()) {
                    last.path.as_mut_os_string().push("\n");
                    last.path.as_mut_os_string().push(OsStr::from_bytes(line));
                }
            }
            None => {}
        }
    }
    found
}

/// The flags, the inode and the name of one row: `Num: RefCount Protocol Flags Type St Inode Path`.
fn row(line: &[u8]) -> Option<(&[u8], u64, &[u8])> {
    let mut rest = line;
    let mut words: [&[u8]; 7] = [&[]; 7];
    for word in &mut words {
        let start = rest.iter().position(|byte| *byte != b' ')?;
        rest = rest.get(start..)?;
        let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        (*word, rest) = rest.split_at_checked(end)?;
    }
    let [number, _, _, flags, _, _, inode] = words;
    let inode = std::str::from_utf8(inode).ok()?.parse().ok()?;
    let is_row = number.len() > 8 && number.ends_with(b":") && flags.len() == 8;
    // One space, and then the name as it is.
    is_row.then_some((flags, inode, rest.get(1..).unwrap_or_default()))
}

/// The sockets of this network, and of those that other processes have: a path leads to a socket whatever
/// network its process is in.
fn all_named() -> std::io::Result<Vec<Named>> {
    let own = Path::new("/proc/net/unix");
    let mut found = named(&std::fs::read(own)?);
    let mut seen = BTreeSet::from([std::fs::metadata(own)?.ino()]);
    for process in std::fs::read_dir("/proc")?.flatten() {
        let is_process = process.file_name().as_bytes().iter().all(u8::is_ascii_digit);
        let table = process.path().join("net/unix");
        // Every network has a file of its own. A process may have ended.
        let Some(metadata) = is_process.then(|| std::fs::metadata(&table).ok()).flatten() else {
            continue;
        };
        if seen.insert(metadata.ino()) {
            found.extend(named(&std::fs::read(&table).unwrap_or_default()));
        }
    }
    Ok(found)
}

/// The paths of all sockets of this machine, and of those that lie beside one: OpenSSH binds under a
/// name that it changes afterwards. `dirs` is where sockets are looked for whose path only their process
/// knows.
///
/// # Errors
/// When the kernel does not tell.
pub(crate) fn all(dirs: &[PathBuf]) -> std::io::Result<BTreeSet<PathBuf>> {
    let (absolute, relative): (Vec<_>, Vec<_>) =
        all_named()?.into_iter().partition(|socket| socket.path.is_absolute());
    let mut paths: BTreeSet<PathBuf> = absolute.into_iter().map(|socket| socket.path).collect();
    if !relative.is_empty() {
        paths.extend(relative_ones(relative, dirs));
    }
    let dirs: BTreeSet<PathBuf> =
        paths.iter().filter_map(|path| path.parent()).map(Path::to_owned).collect();
    for dir in dirs {
        let Ok(entries) = std::fs::read_dir(dir) else { continue };
        let sockets = entries.flatten().filter(|e| e.file_type().is_ok_and(|t| t.is_socket()));
        paths.extend(sockets.map(|entry| entry.path()));
    }
    Ok(paths)
}

/// The paths of sockets that were bound by a relative one: in the directories that their processes have
/// now, and where that says nothing, wherever in `dirs` a socket has the name.
fn relative_ones(relative: Vec<Named>, dirs: &[PathBuf]) -> Vec<PathBuf> {
    let held = held();
    let mut found = Vec::new();
    let mut names: BTreeSet<OsString> = BTreeSet::new();
    for socket in relative {
        let mut paths = held
            .sockets
            .iter()
            .filter(|(inode, _)| *inode == socket.inode)
            .map(|(_, cwd)| cwd.join(&socket.path))
            .peekable();
        // A daemon went to another directory; ssh-agent cannot even be looked at.
        let is_searched = if paths.peek().is_some() {
            let before = found.len();
            found.extend(paths.filter(|path| is_socket(path)));
            found.len() == before
        } else {
            held.has_hidden
        };
        if is_searched {
            names.extend(socket.path.file_name().map(OsStr::to_owned));
        }
    }
    if !names.is_empty() {
        dirs.iter().for_each(|dir| sockets_called(&names, dir, MAX_DEPTH, &mut found));
    }
    found
}

/// What the processes of this user hold.
#[derive(Debug, Default)]
struct Held {
    /// Sockets, with the directory of the process.
    sockets: Vec<(u64, PathBuf)>,
    /// There are processes of this user that cannot be looked at.
    has_hidden: bool,
}

fn held() -> Held {
    let mut held = Held::default();
    let Ok(entries) = std::fs::read_dir("/proc") else { return held };
    let uid = rustix::process::getuid().as_raw().to_string();
    let is_own = |process: &Path| {
        let status = std::fs::read_to_string(process.join("status")).unwrap_or_default();
        let ids = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
        ids.split_whitespace().any(|id| id == uid)
    };
    for process in entries.flatten().map(|entry| entry.path()) {
        let (Ok(fds), Ok(cwd)) =
            (std::fs::read_dir(process.join("fd")), std::fs::read_link(process.join("cwd")))
        else {
            held.has_hidden |= is_own(&process);
            continue;
        };
        for fd in fds.flatten() {
            let Ok(to) = std::fs::read_link(fd.path()) else { continue };
            let inode = to.to_str().and_then(|to| to.strip_prefix("socket:[")?.strip_suffix(']'));
            if let Some(inode) = inode.and_then(|inode| inode.parse().ok()) {
                held.sockets.push((inode, cwd.clone()));
            }
        }
    }
    held
}

fn is_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|m| m.file_type().is_socket())
}

/// The sockets below `dir` that have one of these names.
fn sockets_called(names: &BTreeSet<OsString>, dir: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 {
            sockets_called(names, &entry.path(), depth - 1, found);
        } else if kind.is_socket() && names.contains(&entry.file_name()) {
            found.push(entry.path());
        }
    }
}

/// The abstract sockets that somebody listens on.
pub(crate) fn abstract_names(text: &[u8]) -> BTreeSet<String> {
    /// `__SO_ACCEPTCON`: somebody accepts connections.
    const LISTENING: &[u8] = b"00010000";
    text.split(|byte| *byte == b'\n')
        .filter_map(row)
        .filter(|(flags, _, _)| *flags == LISTENING)
        .filter_map(|(_, _, name)| name.strip_prefix(b"@"))
        .map(|name| String::from_utf8_lossy(name).into_owned())
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
        .filter(|path| is_socket(path) && access(path, Access::WRITE_OK).is_ok())
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
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::net::UnixListener;

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
        let text = [
            TEXT.as_bytes(),
            b"0000000000000000: 00000002 00000000 00010000 0001 01 18 /a\nb\xff\n",
        ]
        .concat();
        let found: Vec<_> = named(&text).into_iter().map(|s| (s.inode, s.path)).collect();
        let expected: [(u64, &[u8]); 4] = [
            (12, b"/run/dbus/system_bus_socket"),
            (15, b"/home/a b/s  c"),
            (17, b"r.sock"),
            (18, b"/a\nb\xff"),
        ];
        assert_eq!(found, expected.map(|(inode, path)| (inode, OsStr::from_bytes(path).into())));
        let names: Vec<_> = abstract_names(TEXT.as_bytes()).into_iter().collect();
        assert_eq!(names, ["/tmp/.X11-unix/X0"]);
        for garbled in ["", "x", "head\nshort line", "head\n\n"] {
            assert!(named(garbled.as_bytes()).is_empty());
        }
    }

    #[test]
    fn sockets_whose_process_went_away_are_found_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let deep = dir.join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let _here = UnixListener::bind(deep.join("agent.sock")).unwrap();
        let _other = UnixListener::bind(deep.join("other.sock")).unwrap();
        std::fs::create_dir(dir.join("c")).unwrap();
        std::fs::write(dir.join("c/agent.sock"), "").unwrap();
        // This process holds it, but works in another directory.
        let text = std::fs::read("/proc/net/unix").unwrap();
        let is_it = |socket: &Named| socket.path == deep.join("agent.sock");
        let inode = named(&text).into_iter().find(is_it).unwrap().inode;
        let relative = |path: &str| vec![Named { inode, path: path.into() }];
        let dirs = [dir.clone()];
        assert_eq!(relative_ones(relative("./agent.sock"), &dirs), [deep.join("agent.sock")]);
        assert_eq!(relative_ones(relative("b/agent.sock"), &dirs), [deep.join("agent.sock")]);
        assert!(relative_ones(relative("none.sock"), &dirs).is_empty());
        assert!(all(&dirs).unwrap().contains(&deep.join("other.sock")));
    }

    #[test]
    fn a_directory_of_sockets_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = UnixListener::bind(dir.path().join("s")).unwrap();
        assert!(has_only_sockets(dir.path()));
        let found = reachable([dir.path().join("s")].into(), &|_| false);
        assert_eq!(found, [dir.path().canonicalize().unwrap().join("s")]);
        assert!(reachable([dir.path().join("s")].into(), &|_| true).is_empty());
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(!has_only_sockets(dir.path()));
        assert!(reachable([dir.path().join("file")].into(), &|_| false).is_empty());
        assert!(!has_only_sockets(&dir.path().join("none")));
    }
}
