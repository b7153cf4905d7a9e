//! Heads in a file, which several processes may share. What is changed is on disk when that is answered.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::judge::SeenHead;

/// Heads by a name.
pub(crate) type Heads = BTreeMap<String, SeenHead>;

/// A file of heads.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    file: PathBuf,
}

/// Why heads cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to {what} the heads of logs in {path}: {why}")]
pub struct StoreError {
    what: &'static str,
    path: String,
    why: String,
}

impl Store {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self { file }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.file
    }

    /// What is there.
    pub(crate) fn read(&self) -> Result<Heads, StoreError> {
        match std::fs::read(&self.file) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|e| self.failed("read", e.to_string()))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Heads::new()),
            Err(e) => Err(self.failed("read", e.to_string())),
        }
    }

    /// Changes it, alone; what did not change is not written.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Heads) -> T) -> Result<T, StoreError> {
        let failed = |e: std::io::Error| self.failed("write", e.to_string());
        let directory = self.file.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let lock = self.file.with_added_extension("lock");
        let lock = File::options().create(true).append(true).open(lock).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let before = self.read()?;
        let mut after = before.clone();
        let answer = change(&mut after);
        if after == before {
            return Ok(answer);
        }
        let text = serde_json::to_vec_pretty(&after).map_err(|e| failed(e.into()))?;
        let mut fresh = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
        fresh.write_all(&text).map_err(failed)?;
        fresh.as_file().sync_all().map_err(failed)?;
        fresh.persist(&self.file).map_err(|e| failed(e.error))?;
        // The name itself: a head that was forgotten by a crash was not seen.
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(answer)
    }

    fn failed(&self, what: &'static str, why: String) -> StoreError {
        StoreError { what, path: self.file.display().to_string(), why }
    }
}
