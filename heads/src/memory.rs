//! The heads of brokers' logs that this machine has seen, in a file that clients and gates share. A head
//! counts as seen only once it is on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use expacti_protocol::client::{Client, ClientError};
use expacti_protocol::reviewer::ErrorCode;

use crate::judge::{SeenHead, ShownHead, judge};

/// The memory of heads.
#[derive(Debug, Clone)]
pub struct HeadMemory {
    file: PathBuf,
    /// The broker's address: what it is kept under.
    broker: String,
}

/// Why a broker's log is not known to be good.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The broker could not be asked, or has no answer.
    #[error("failed to ask for the head of the log: {0}")]
    Ask(#[from] ClientError),
    /// What was seen cannot be read or written.
    #[error("failed to {what} the heads of logs in {path}: {why}")]
    Memory {
        /// `read` or `write`.
        what: &'static str,
        /// Which file.
        path: String,
        /// What failed.
        why: String,
    },
    /// The log is not the one that was seen, or its head is not good.
    #[error("{0}")]
    Refused(String),
}

impl HeadMemory {
    /// What `file` remembers of a broker, by its address.
    #[must_use]
    pub fn new(file: PathBuf, broker: String) -> Self {
        Self { file, broker }
    }

    /// The last head that was seen.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn seen(&self) -> Result<Option<SeenHead>, HeadError> {
        Ok(self.read()?.remove(&self.broker))
    }

    /// Asks the broker for the head of its log, and refuses one that does not add to the last one that was
    /// seen. `None` is a log without an entry. To keep it is for [`HeadMemory::remember`].
    ///
    /// # Errors
    /// With both heads where the log went back or forks, and where that cannot be told.
    pub async fn check(&self, client: &Client) -> Result<Option<SeenHead>, HeadError> {
        let seen = self.seen()?;
        let from = seen.as_ref().map_or(0, |seen| seen.size);
        let answer =
            client.get::<ShownHead>(&format!("/v1/checkpoint/consistency?from={from}")).await;
        let shown = match answer {
            Ok(shown) => shown,
            // A log without an entry, or a broker that has no heads yet.
            Err(ClientError::Refused { code: ErrorCode::NotFound, message }) => match seen {
                None => return Ok(None),
                Some(seen) => return Err(self.refused(&seen, &message)),
            },
            Err(other) => return Err(other.into()),
        };
        match (judge(seen.as_ref(), &shown), &seen) {
            (Ok(now), _) => Ok(Some(now)),
            (Err(why), Some(seen)) => Err(self.refused(seen, &why)),
            (Err(why), None) => {
                Err(HeadError::Refused(format!("the log of {} is refused: {why}", self.broker)))
            }
        }
    }

    fn refused(&self, seen: &SeenHead, why: &str) -> HeadError {
        HeadError::Refused(format!(
            "the log of {} is refused: {}. This machine has seen {seen}. Entries were taken away or \
             changed, or another database was put in place: ask who runs the broker. If it was meant, \
             `expacti audit accept` takes it as it is now (with this machine's data directory: the one of {})",
            self.broker,
            expacti_protocol::one_line(why),
            self.file.display()
        ))
    }

    /// Keeps a head, unless more was seen meanwhile.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, now: &SeenHead) -> Result<(), HeadError> {
        self.change(|all| {
            if all.get(&self.broker).is_some_and(|other| other.size >= now.size) {
                return false;
            }
            all.insert(self.broker.clone(), now.clone());
            true
        })
    }

    /// Takes a log as it is, whatever was seen of it. `None` forgets what was seen.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn accept(&self, now: Option<&SeenHead>) -> Result<(), HeadError> {
        self.change(|all| {
            match now {
                Some(now) => all.insert(self.broker.clone(), now.clone()),
                None => all.remove(&self.broker),
            };
            true
        })
    }

    /// The head that a broker shows now, whatever was seen.
    ///
    /// # Errors
    /// When it cannot be asked, or the head is not good in itself.
    pub async fn present(client: &Client) -> Result<Option<SeenHead>, HeadError> {
        match client.get::<ShownHead>("/v1/checkpoint/consistency?from=0").await {
            Ok(shown) => judge(None, &shown).map(Some).map_err(HeadError::Refused),
            Err(ClientError::Refused { code: ErrorCode::NotFound, .. }) => Ok(None),
            Err(other) => Err(other.into()),
        }
    }

    fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, SeenHead>) -> bool,
    ) -> Result<(), HeadError> {
        let failed = |e: std::io::Error| self.failed("write", e.to_string());
        let directory = self.file.parent().unwrap_or(Path::new("."));
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        // Another process may see the same log, or another one, at this moment.
        let lock = self.file.with_added_extension("lock");
        let lock = File::options().create(true).append(true).open(lock).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut all = self.read()?;
        if !change(&mut all) {
            return Ok(());
        }
        let text = serde_json::to_vec_pretty(&all).map_err(|e| failed(e.into()))?;
        let mut fresh = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
        fresh.write_all(&text).map_err(failed)?;
        fresh.as_file().sync_all().map_err(failed)?;
        fresh.persist(&self.file).map_err(|e| failed(e.error))?;
        // The name itself: a head that was forgotten by a crash was not seen.
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)
    }

    fn read(&self) -> Result<BTreeMap<String, SeenHead>, HeadError> {
        match std::fs::read(&self.file) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|e| self.failed("read", e.to_string()))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(e) => Err(self.failed("read", e.to_string())),
        }
    }

    fn failed(&self, what: &'static str, why: String) -> HeadError {
        HeadError::Memory { what, path: self.file.display().to_string(), why }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn head(size: u64, root: &str) -> SeenHead {
        let text = |text: &str| text.to_owned();
        SeenHead { key: text("key"), origin: text("expacti/1"), root: text(root), size }
    }

    #[test]
    fn what_was_seen_stays_until_it_is_accepted_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("data/heads_seen.json");
        let one = HeadMemory::new(file.clone(), "unix:///one".to_owned());
        let other = HeadMemory::new(file.clone(), "unix:///other".to_owned());
        assert_eq!(one.seen().unwrap(), None);
        one.remember(&head(5, "a")).unwrap();
        other.remember(&head(2, "b")).unwrap();
        // Neither an earlier head nor another one of the same size takes its place.
        one.remember(&head(4, "c")).unwrap();
        one.remember(&head(5, "c")).unwrap();
        assert_eq!(one.seen().unwrap(), Some(head(5, "a")));
        one.remember(&head(6, "d")).unwrap();
        assert_eq!(one.seen().unwrap(), Some(head(6, "d")));
        one.accept(Some(&head(1, "e"))).unwrap();
        assert_eq!(one.seen().unwrap(), Some(head(1, "e")));
        one.accept(None).unwrap();
        assert_eq!((one.seen().unwrap(), other.seen().unwrap()), (None, Some(head(2, "b"))));
        // Garbage is no beginning.
        std::fs::write(&file, "{").unwrap();
        assert!(one.seen().is_err() && one.remember(&head(9, "f")).is_err());
    }
}
