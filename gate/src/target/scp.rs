//! Uploads by scp that were approved: made from the [`Approved`] item whose bytes are their text,
//! and from an upload whose contents' digests stand in that text; in no other way.

use std::sync::Arc;

use bytes::Bytes;
use expacti_sftp::scp::Record;

use super::{Approved, TargetLost, TargetWriter};
use crate::scp::{Entry, Planned, Upload};

/// Bytes sent at once.
const PIECE: usize = 32 * 1024;

/// An upload that the broker released, to be sent once: not `Clone`, consumed piece by piece.
pub(crate) struct ApprovedUpload(Planned);

/// One record of it.
pub(crate) struct ApprovedEntry {
    entry: Entry,
    line: Option<String>,
    upload: Arc<Upload>,
}

/// The content of a file whose record was sent.
pub(crate) struct ApprovedContent {
    start: u64,
    size: u64,
    upload: Arc<Upload>,
}

/// An upload that the broker released by its announcement: its records, and then exactly as many
/// bytes of the client's as were announced.
pub(crate) struct ApprovedAnnouncement(Planned);

/// One record of it.
pub(crate) struct AnnouncedRecord(Record);

/// Permission to pass so many bytes of the client's as the content of the announced file.
pub(crate) struct ContentGrant {
    left: u64,
}

/// Why something was not sent whole.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// The target has gone.
    Lost,
    /// The gate's own copy failed.
    Spool(std::io::Error),
    /// It is not what was approved.
    Other,
}

impl From<TargetLost> for Unsent {
    fn from(_: TargetLost) -> Self {
        Self::Lost
    }
}

impl ApprovedUpload {
    /// The upload, if the approved bytes are exactly its text and the digest of each file stands
    /// in the file's line. Otherwise nothing was approved.
    pub(crate) fn new(approved: Approved, planned: Planned) -> Option<Self> {
        let (bytes, _) = approved.into_parts();
        let mut entries = planned.upload().entries.iter().enumerate();
        let named = entries.all(|(at, entry)| match &entry.record {
            Record::File { .. } => {
                let hash: String = entry.sha256.iter().map(|b| format!("{b:02x}")).collect();
                planned.line(at).is_some_and(|line| {
                    line.contains(&format!("sha256 {hash}")) && planned.text().contains(line)
                })
            }
            _ => true,
        });
        let fits = named && planned.text().as_bytes() == &bytes[..];
        fits.then_some(Self(planned))
    }

    /// One after another, in their order.
    pub(crate) fn each(self) -> impl Iterator<Item = ApprovedEntry> {
        let upload = Arc::clone(self.0.upload());
        (0..upload.entries.len()).filter_map(move |at| {
            let entry = upload.entries.get(at)?.clone();
            let line = self.0.line(at).map(str::to_owned);
            Some(ApprovedEntry { entry, line, upload: Arc::clone(&upload) })
        })
    }
}

impl ApprovedAnnouncement {
    /// The announcement, if the approved bytes are exactly its text. Otherwise nothing was
    /// approved.
    pub(crate) fn new(approved: Approved, planned: Planned) -> Option<Self> {
        let (bytes, _) = approved.into_parts();
        let fits = planned.upload().announced && planned.text().as_bytes() == &bytes[..];
        fits.then_some(Self(planned))
    }

    /// Its records in their order, and the permission for the content that follows them.
    pub(crate) fn into_parts(self) -> (Vec<AnnouncedRecord>, ContentGrant) {
        let records = self.0.upload().entries.iter().map(|entry| entry.record.clone());
        let left = records.clone().map(|record| match record {
            Record::File { size, .. } => size,
            _ => 0,
        });
        let left = left.sum();
        (records.map(AnnouncedRecord).collect(), ContentGrant { left })
    }
}

impl ApprovedEntry {
    /// What it is.
    pub(crate) fn record(&self) -> &Record {
        &self.entry.record
    }

    /// How it was shown.
    pub(crate) fn line(&self) -> Option<&str> {
        self.line.as_deref()
    }
}

impl TargetWriter {
    /// Sends a record; what is to follow it once the target has taken it.
    pub(crate) async fn record(
        &self,
        approved: ApprovedEntry,
    ) -> Result<Option<ApprovedContent>, Unsent> {
        let ApprovedEntry { entry, upload, .. } = approved;
        self.send(entry.record.encode()).await?;
        Ok(match entry.record {
            Record::File { size, .. } => Some(ApprovedContent { start: entry.start, size, upload }),
            _ => None,
        })
    }

    /// Sends a file's content, and that it was sent whole.
    pub(crate) async fn content(&self, approved: ApprovedContent) -> Result<(), Unsent> {
        let ApprovedContent { start, size, upload } = approved;
        let all = upload.content.pieces().into_iter().next();
        let mut done = 0;
        while done < size {
            let left = usize::try_from(size - done).unwrap_or(usize::MAX).min(PIECE);
            let read = all.as_ref().map(|all| upload.content.read(all, start + done, left));
            let bytes = match read {
                Some(Ok(bytes)) if bytes.len() == left => bytes,
                Some(Err(error)) => return Err(Unsent::Spool(error)),
                _ => return Err(Unsent::Spool(std::io::ErrorKind::UnexpectedEof.into())),
            };
            done += left as u64;
            self.send(Bytes::from(bytes)).await?;
        }
        self.send(Bytes::from_static(b"\0")).await?;
        Ok(())
    }

    /// Sends a record of an announcement.
    pub(crate) async fn announced(&self, record: AnnouncedRecord) -> Result<(), Unsent> {
        Ok(self.send(record.0.encode()).await?)
    }

    /// Passes a piece of the announced content; never more than was approved.
    pub(crate) async fn granted(
        &self,
        grant: &mut ContentGrant,
        bytes: Bytes,
    ) -> Result<(), Unsent> {
        grant.left = grant.left.checked_sub(bytes.len() as u64).ok_or(Unsent::Other)?;
        Ok(self.send(bytes).await?)
    }

    /// Says that the announced content was sent whole.
    pub(crate) async fn whole(&self, grant: ContentGrant) -> Result<(), Unsent> {
        if grant.left > 0 {
            return Err(Unsent::Other);
        }
        Ok(self.send(Bytes::from_static(b"\0")).await?)
    }
}
