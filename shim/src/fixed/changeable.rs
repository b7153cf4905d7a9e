//! Whether a wrapped program could change what is found under a path.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

/// The most symbolic links on one path, as in Linux.
const MOST_LINKS: usize = 40;

/// Whether a wrapped program could change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Changeable {
    /// It could not.
    No,
    /// It could, or it cannot be told.
    Yes(String),
}

/// Whether a process of `uid` that sees `pinned` read-only could change what is found under `path`: the
/// file, or any directory or symbolic link on the way to it. A file that is not there could be made
/// where its directory can be written.
pub(super) fn changeable(path: &Path, pinned: &[PathBuf], uid: u32) -> Changeable {
    match walk(path, pinned, uid) {
        Ok(()) => Changeable::No,
        Err(why) => Changeable::Yes(why),
    }
}

fn walk(path: &Path, pinned: &[PathBuf], uid: u32) -> Result<(), String> {
    if !path.is_absolute() {
        return Err("its path is relative".to_owned());
    }
    let mut rest: VecDeque<OsString> = parts(path)?;
    let mut at = PathBuf::from("/");
    let mut links = 0;
    loop {
        writable(&at, &rest, pinned, uid)?;
        let Some(part) = rest.pop_front() else { return Ok(()) };
        at.push(&part);
        let meta = match std::fs::symlink_metadata(&at) {
            Ok(meta) => meta,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                // It could be made there.
                at.pop();
                return writable(&at, &VecDeque::new(), pinned, uid);
            }
            Err(e) => return Err(format!("{} cannot be looked at: {e}", at.display())),
        };
        if meta.is_symlink() {
            links += 1;
            if links > MOST_LINKS {
                return Err("its path holds too many symbolic links".to_owned());
            }
            // The link stands in a directory that cannot be written, or is pinned.
            let target = std::fs::read_link(&at)
                .map_err(|e| format!("{} cannot be read: {e}", at.display()))?;
            at.pop();
            rest = followed(at, &target, rest)?;
            // From the root again: what leads to the target is another path.
            at = PathBuf::from("/");
            continue;
        }
        if meta.is_file() && meta.nlink() > 1 && meta.uid() == uid {
            return Err(format!("{} has a second name (a hard link)", at.display()));
        }
    }
}

/// The path that a link in the directory `at` leads to, and on to `rest`. `at` holds no links, so that
/// `..` is its parent.
fn followed(
    mut at: PathBuf,
    target: &Path,
    rest: VecDeque<OsString>,
) -> Result<VecDeque<OsString>, String> {
    if target.is_absolute() {
        at = PathBuf::from("/");
    }
    let mut target = target.components().peekable();
    while target.next_if(|part| matches!(part, Component::ParentDir)).is_some() {
        at.pop();
    }
    let mut whole = parts(&target.fold(at, |path, part| path.join(part)))?;
    whole.extend(rest);
    Ok(whole)
}

fn parts(path: &Path) -> Result<VecDeque<OsString>, String> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(Ok(name.to_owned())),
            Component::ParentDir => Some(Err("its path holds ..".to_owned())),
            _ => None,
        })
        .collect()
}

/// Whether this very directory or file can be written; one that is owned can be made writable. A
/// directory above a pinned one does for what is pinned: it cannot be renamed away.
fn writable(
    at: &Path,
    rest: &VecDeque<OsString>,
    pinned: &[PathBuf],
    uid: u32,
) -> Result<(), String> {
    let whole = rest.iter().fold(at.to_owned(), |path, part| path.join(part));
    if pinned.iter().any(|pin| whole.starts_with(pin)) {
        return Ok(());
    }
    let meta =
        std::fs::metadata(at).map_err(|e| format!("{} cannot be looked at: {e}", at.display()))?;
    // Writing to a device does not change it.
    if meta.file_type().is_char_device() {
        return Ok(());
    }
    if meta.uid() == uid {
        return Err(format!("{} belongs to this user", at.display()));
    }
    match accessat(CWD, at, Access::WRITE_OK, AtFlags::EACCESS) {
        Ok(()) => Err(format!("this user can write to {}", at.display())),
        Err(_) => Ok(()),
    }
}
