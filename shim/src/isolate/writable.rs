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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_owned_may_be_changed_whatever_its_mode() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let uid = rustix::process::getuid().as_raw();
        let (file, deep) = (dir.join("file"), dir.join("a/b"));
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
        std::fs::create_dir_all(&deep).unwrap();
        assert!(is_writable(&file, uid) && is_changeable(&file, uid));
        // What is not there could be made, or cannot be looked at.
        assert!(is_writable(&dir.join("none"), uid));
        // A directory goes with those above it that can be renamed, outermost first.
        let above = renamable_ancestors(&deep.join("key"), uid);
        let expected = [dir.clone(), dir.join("a"), deep.clone()];
        assert!(above.ends_with(&expected), "{above:?}");
        assert!(!above.contains(&PathBuf::from("/")) && !above.contains(&deep.join("key")));
        if rustix::process::getuid().is_root() {
            // Root may change everything; what follows is about others.
            return;
        }
        for path in ["/", "/etc", "/etc/passwd", "/usr/bin/env"].map(Path::new) {
            assert!(!is_writable(path, uid) && !is_changeable(path, uid), "{}", path.display());
            assert!(renamable_ancestors(path, uid).is_empty(), "{}", path.display());
        }
        assert!(!above.contains(&PathBuf::from("/var")) && !above.contains(&PathBuf::from("/tmp")));
    }
}
