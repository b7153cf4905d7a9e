//! The directory of one wrap: its shims and its context. Only the user may read it, and it is removed
//! with the wrap.

use std::path::{Path, PathBuf};

use expacti_protocol::home::Home;

use crate::error::WrapError;
use crate::process;

/// Where the directories of wraps lie: the first place that can be used.
pub(crate) fn bases(home: &Home) -> [PathBuf; 2] {
    let [_, data, runtime] = home.dirs();
    [runtime.join("wraps"), data.join("wraps")]
}

/// Creates the shim directory of a wrap and removes those that killed wraps left behind.
pub(crate) fn create(home: &Home) -> Result<tempfile::TempDir, WrapError> {
    let [first, second] = bases(home);
    create_in(&first).or_else(|_| create_in(&second)).map_err(WrapError::io(format!(
        "create a private directory in {} or {}",
        first.display(),
        second.display()
    )))
}

fn create_in(base: &Path) -> std::io::Result<tempfile::TempDir> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(base)?;
    // The shims are scripts: they cannot run from a file system mounted noexec.
    #[cfg(target_os = "linux")]
    if rustix::fs::statvfs(base)?.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC) {
        return Err(std::io::Error::other("the file system is mounted noexec"));
    }
    remove_stale(base);
    tempfile::Builder::new().prefix(&format!("{}-", std::process::id())).tempdir_in(base)
}

/// Removes the directories of wraps whose process is gone.
fn remove_stale(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|n| n.split('-').next()).and_then(|p| p.parse().ok());
        if pid.is_some_and(|pid| !process::exists(pid)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
