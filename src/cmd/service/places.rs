//! The directories of the service.

use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, lchown};
use std::path::Path;

use expacti_protocol::home::Home;

use super::account::Account;
use crate::failure::Failure;

/// Makes them, or puts their owners and modes right.
pub(super) fn make(home: &Home, account: &Account) -> Result<(), Failure> {
    let [config, data, runtime] = home.dirs();
    directory(config, 0, 0, 0o755)?;
    // Whoever had the number of an earlier service's user may not have it now.
    own(data, account.uid, account.gid)?;
    directory(data, account.uid, account.gid, 0o700)?;
    directory(runtime, account.uid, account.gid, 0o755)
}

fn directory(dir: &Path, uid: u32, gid: u32, mode: u32) -> Result<(), Failure> {
    let fail =
        |e: std::io::Error| Failure::failed(format!("failed to make {}: {e}", dir.display()));
    match std::fs::DirBuilder::new().mode(0o700).create(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(fail(e)),
        _ => {}
    }
    if !std::fs::symlink_metadata(dir).map_err(fail)?.is_dir() {
        return Err(Failure::failed(format!(
            "{} is no directory: find out what it is, and take it away",
            dir.display()
        )));
    }
    lchown(dir, Some(uid), Some(gid)).map_err(fail)?;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(mode)).map_err(fail)
}

/// Gives a directory with all in it to somebody, unless it is theirs. Nothing of theirs may run meanwhile.
pub(super) fn own(dir: &Path, uid: u32, gid: u32) -> Result<(), Failure> {
    let fail =
        |e: std::io::Error| Failure::failed(format!("failed to give {} away: {e}", dir.display()));
    let about = match std::fs::symlink_metadata(dir) {
        Ok(about) => about,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(fail(e)),
    };
    if about.uid() == uid {
        return Ok(());
    }
    give(dir, uid, gid).map_err(fail)
}

fn give(path: &Path, uid: u32, gid: u32) -> std::io::Result<()> {
    if std::fs::symlink_metadata(path)?.is_dir() {
        for entry in std::fs::read_dir(path)? {
            give(&entry?.path(), uid, gid)?;
        }
    }
    // Links are not followed.
    lchown(path, Some(uid), Some(gid))
}
