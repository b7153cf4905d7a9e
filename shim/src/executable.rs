//! Finds programs as a shell would, but never a shim in the place of the real program.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::context;
use crate::error::WrapError;

/// `PATH`, or what a shell uses without it.
pub(crate) fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into())
}

/// The first executable of that name in `path`, skipping the shim directories of wraps.
pub(crate) fn find(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute() && !dir.join(context::FILE).exists())
        .map(|dir| dir.join(name))
        .find(|file| is_executable(file))
}

/// Whether it is a program that this user may run.
pub(crate) fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The program as the shell would find it.
pub(crate) fn locate(program: &OsStr, path: &OsStr) -> Result<PathBuf, WrapError> {
    let given = Path::new(program);
    if given.components().count() <= 1 && !given.is_absolute() {
        return find(program, path).ok_or_else(|| WrapError::NotFound(given.to_owned()));
    }
    if !given.exists() {
        return Err(WrapError::NotFound(given.to_owned()));
    }
    if !is_executable(given) {
        let source = std::io::ErrorKind::PermissionDenied.into();
        return Err(WrapError::NotExecutable { program: given.to_owned(), source });
    }
    std::path::absolute(given).map_err(WrapError::io("find the working directory"))
}
