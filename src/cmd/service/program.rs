//! The program that the service runs: one that only root can change.

use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// Where a copy goes.
pub(super) const COPY: &str = "/usr/local/lib/expacti/expacti";

/// Which program the service runs.
#[derive(Debug)]
pub(super) enum Program {
    /// This one, where it is.
    InPlace(PathBuf),
    /// A copy of this one, which others than root could change, or the service could not run.
    Copied(PathBuf),
}

/// Looks at this program.
pub(super) fn choose() -> Result<Program, Failure> {
    let fail = |e: std::io::Error| Failure::failed(format!("failed to find this program: {e}"));
    let own = std::fs::canonicalize(std::env::current_exe().map_err(fail)?).map_err(fail)?;
    Ok(if is_roots(&own) { Program::InPlace(own) } else { Program::Copied(own) })
}

/// Whether only root can change a program or replace it, and everybody can run it.
pub(super) fn is_roots(program: &Path) -> bool {
    program.ancestors().all(|path| {
        std::fs::metadata(path).is_ok_and(|about| {
            about.uid() == 0 && about.mode() & 0o022 == 0 && about.mode() & 0o005 == 0o005
        })
    })
}

impl Program {
    /// A line of the plan.
    pub(super) fn planned(&self) -> String {
        match self {
            Self::InPlace(_) => String::new(),
            Self::Copied(own) => format!(
                "  {COPY}\n                        a copy of this program: others than root can change {}, or the \
                 service cannot run it\n",
                own.display()
            ),
        }
    }

    /// Puts it where the service runs it.
    pub(super) fn put(self) -> Result<PathBuf, Failure> {
        let own = match self {
            Self::InPlace(own) => return Ok(own),
            Self::Copied(own) => own,
        };
        let copy = PathBuf::from(COPY);
        let fail =
            |e: std::io::Error| Failure::failed(format!("failed to write {}: {e}", copy.display()));
        let dir = copy.parent().unwrap_or(Path::new("/"));
        match std::fs::create_dir(dir) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(fail(e)),
            _ => {}
        }
        std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).map_err(fail)?;
        let fresh = copy.with_extension("new");
        let _ = std::fs::remove_file(&fresh);
        let mut from = std::fs::File::open(&own).map_err(fail)?;
        let mut to = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(&fresh)
            .map_err(fail)?;
        std::io::copy(&mut from, &mut to).map_err(fail)?;
        to.set_permissions(std::fs::Permissions::from_mode(0o755)).map_err(fail)?;
        to.sync_all().map_err(fail)?;
        drop(to);
        std::fs::rename(&fresh, &copy).map_err(fail)?;
        if is_roots(&copy) {
            Ok(copy)
        } else {
            Err(Failure::failed(format!(
                "others than root can change {} or a directory above it: chown root it, and chmod go-w",
                copy.display()
            )))
        }
    }
}
