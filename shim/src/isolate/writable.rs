//! What a user may change in the file system, or have changed by renaming what lies above it.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Whether the user `uid` (this process's) may change a file or the entries of a directory. What
/// cannot be looked at may be changed.
pub(crate) fn is_writable(path: &Path, uid: u32) -> bool {
    // The owner may change the mode.
    std::fs::symlink_metadata(path).map_or(true, |m| m.uid() == uid)
        || access(path, Access::WRITE_OK).is_ok()
}

/// The directories above `path` (absolute, without symbolic links) that the user may rename or
/// replace, outermost first: those whose own parent the user may change.
pub(crate) fn renamable_ancestors(path: &Path, uid: u32) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = path
        .ancestors()
        .skip(1)
        .filter(|dir| dir.parent().is_some_and(|parent| is_writable(parent, uid)))
        .map(Path::to_owned)
        .collect();
    found.reverse();
    found
}

/// Whether the user may change what is found at `path`: the file itself, or a directory above it.
pub(crate) fn is_changeable(path: &Path, uid: u32) -> bool {
    path.ancestors().any(|part| is_writable(part, uid))
}
