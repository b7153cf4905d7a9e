//! The heads of brokers' logs that this machine has seen, in a file that clients and gates share. A head
//! counts as seen only once it is on disk.

use std::path::PathBuf;

use expacti_protocol::client::{Client, ClientError};
use expacti_protocol::reviewer::ErrorCode;

use crate::judge::{SeenHead, ShownHead, judge};
use crate::store::{Store, StoreError};

/// The memory of heads.
#[derive(Debug, Clone)]
pub struct HeadMemory {
    store: Store,
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
    #[error(transparent)]
    Memory(#[from] StoreError),
    /// The log is not the one that was seen, or its head is not good.
    #[error("{0}")]
    Refused(String),
}

impl HeadMemory {
    /// What `file` remembers of a broker, by its address.
    #[must_use]
    pub fn new(file: PathBuf, broker: String) -> Self {
        Self { store: Store::new(file), broker }
    }

    /// The last head that was seen.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn seen(&self) -> Result<Option<SeenHead>, HeadError> {
        Ok(self.store.read()?.remove(&self.broker))
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
            self.store.path().display()
        ))
    }

    /// Keeps a head, unless more was seen meanwhile.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn remember(&self, now: &SeenHead) -> Result<(), HeadError> {
        Ok(self.store.change(|all| {
            if all.get(&self.broker).is_none_or(|other| other.size < now.size) {
                all.insert(self.broker.clone(), now.clone());
            }
        })?)
    }

    /// Takes a log as it is, whatever was seen of it. `None` forgets what was seen.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn accept(&self, now: Option<&SeenHead>) -> Result<(), HeadError> {
        Ok(self.store.change(|all| {
            match now {
                Some(now) => all.insert(self.broker.clone(), now.clone()),
                None => all.remove(&self.broker),
            };
        })?)
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
