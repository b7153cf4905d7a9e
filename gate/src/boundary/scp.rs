//! Approved uploads by legacy scp. They are made from the [`Approved`] item whose bytes are their
//! text, and from an upload with exactly the contents that the text names, and in no other way.

use std::sync::Arc;

use bytes::Bytes;
use expacti_protocol::digest::StreamDigest;
use expacti_sftp::scp::Record;

use super::approved::Approved;
use super::channel::{CommandChannel, TargetLost, TargetWriter};
use crate::staging::scp_upload::{PlannedUpload, Upload, UploadEntry};

/// Bytes sent at once.
const PIECE: usize = 32 * 1024;

/// An upload that the broker has released, to be sent once: not `Clone`, consumed entry by entry.
pub(crate) struct ApprovedUpload(PlannedUpload);

/// One record of it.
pub(crate) struct ApprovedEntry {
    entry: UploadEntry,
    line: Option<String>,
    upload: Arc<Upload>,
}

/// The content of a file whose record has been sent.
pub(crate) struct ApprovedContent {
    entry: UploadEntry,
    upload: Arc<Upload>,
    /// How much of it has been read, in bytes.
    done: u64,
    digest: StreamDigest,
}

/// An upload that was released by its announcement: its records, and then exactly as many of the
/// client's bytes as were announced.
pub(crate) struct ApprovedAnnouncement(PlannedUpload);

/// One record of it.
pub(crate) struct AnnouncedRecord(Record);

/// Permission to pass that many of the client's bytes as the content of the announced file. It
/// comes only with the approval of the announcement, and opens no writer but that command's.
pub(crate) struct ContentGrant {
    command: Arc<CommandChannel>,
    left: u64,
}

impl From<std::io::Error> for Unsent {
    fn from(error: std::io::Error) -> Self {
        Self::Spool(error)
    }
}

/// Why something was not sent completely.
#[derive(Debug)]
pub(crate) enum Unsent {
    /// The gate's own copy is no longer what was approved.
    Altered,
    /// The target has gone.
    Lost,
    /// The gate's own copy failed.
    Spool(std::io::Error),
    /// It is not what was announced.
    Other,
}

impl From<TargetLost> for Unsent {
    fn from(_: TargetLost) -> Self {
        Self::Lost
    }
}

impl ApprovedUpload {
    /// The upload, if the approved bytes are exactly its text and each file has the content that
    /// the text names. Otherwise nothing was approved.
    pub(crate) fn new(approved: Approved, planned: PlannedUpload) -> Option<Self> {
        let (bytes, _) = approved.into_parts();
        let fits = !planned.upload().announced
            && planned.is_consistent()
            && planned.text().as_bytes() == &bytes[..];
        fits.then_some(Self(planned))
    }

    /// The entries, in order.
    pub(crate) fn each(self) -> impl Iterator<Item = ApprovedEntry> {
        let upload = Arc::clone(self.0.upload());
        (0..upload.entries.len()).filter_map(move |at| {
            let entry = upload.entries.get(at)?.clone();
            let line = self.0.line(at);
            Some(ApprovedEntry { entry, line, upload: Arc::clone(&upload) })
        })
    }
}

impl ApprovedContent {
    fn new(entry: UploadEntry, upload: Arc<Upload>) -> Self {
        Self { entry, upload, done: 0, digest: StreamDigest::default() }
    }

    /// The next piece; `None` once everything has been read and is what was approved.
    fn next_piece(&mut self) -> Result<Option<Bytes>, Unsent> {
        let size = self.entry.size();
        if self.done >= size {
            return self.check().map(|()| None);
        }
        let left = usize::try_from(size - self.done).unwrap_or(usize::MAX).min(PIECE);
        let all = self.upload.content.pieces().into_iter().next().ok_or(Unsent::Altered)?;
        let bytes = self.upload.content.read(&all, self.entry.start + self.done, left)?;
        if bytes.len() != left {
            return Err(Unsent::Altered);
        }
        self.done += left as u64;
        self.digest.update(&bytes);
        if self.done == size {
            // Before the last piece, not after it: with that the target would have a whole file of
            // bytes that nobody approved, and keep it.
            self.check()?;
        }
        Ok(Some(Bytes::from(bytes)))
    }

    /// Whether what was read, all of it, is what was approved.
    fn check(&self) -> Result<(), Unsent> {
        let right = self.digest.summary().sha256.as_bytes() == &self.entry.sha256;
        if right { Ok(()) } else { Err(Unsent::Altered) }
    }
}

impl ApprovedAnnouncement {
    /// The announcement, if the approved bytes are exactly its text. Otherwise nothing was
    /// approved.
    pub(crate) fn new(approved: Approved, planned: PlannedUpload) -> Option<Self> {
        let (bytes, _) = approved.into_parts();
        let fits = planned.upload().announced
            && planned.is_consistent()
            && planned.text().as_bytes() == &bytes[..];
        fits.then_some(Self(planned))
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
    /// Sends a record. Returns the content to send once the target has accepted it, if any.
    pub(crate) async fn record(
        &self,
        approved: ApprovedEntry,
    ) -> Result<Option<ApprovedContent>, Unsent> {
        let ApprovedEntry { entry, upload, .. } = approved;
        self.0.send(entry.record.encode()).await?;
        Ok(match entry.record {
            Record::File { .. } => Some(ApprovedContent::new(entry, upload)),
            _ => None,
        })
    }

    /// Sends a file's content, hashed again as it is sent, and then that it was sent completely. Of
    /// a content that is not the approved one the target gets neither the last piece nor that.
    pub(crate) async fn content(&self, mut approved: ApprovedContent) -> Result<(), Unsent> {
        while let Some(piece) = approved.next_piece()? {
            self.0.send(piece).await?;
        }
        self.0.send(Bytes::from_static(b"\0")).await?;
        Ok(())
    }

    /// Sends a record of an announcement.
    pub(crate) async fn announced(&self, record: AnnouncedRecord) -> Result<(), Unsent> {
        Ok(self.0.send(record.0.encode()).await?)
    }

    /// The records of an announcement, in order, and the permission for the content that follows.
    pub(crate) fn announce(
        &self,
        approved: ApprovedAnnouncement,
    ) -> (Vec<AnnouncedRecord>, ContentGrant) {
        let records = approved.0.upload().entries.iter().map(|entry| entry.record.clone());
        let sizes = records.clone().map(|record| match record {
            Record::File { size, .. } => size,
            _ => 0,
        });
        let grant = ContentGrant { command: Arc::clone(&self.0), left: sizes.sum() };
        (records.map(AnnouncedRecord).collect(), grant)
    }
}

impl ContentGrant {
    /// Passes a piece of the announced content, never more than was approved.
    pub(crate) async fn pass(&mut self, bytes: Bytes) -> Result<(), Unsent> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(Unsent::Other)?;
        Ok(self.command.send(bytes).await?)
    }

    /// Tells the target that the announced content is complete.
    pub(crate) async fn finish(self) -> Result<(), Unsent> {
        if self.left > 0 {
            return Err(Unsent::Other);
        }
        Ok(self.command.send(Bytes::from_static(b"\0")).await?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use expacti_protocol::digest::Digest;
    use expacti_sftp::{Attrs, Change, Content, OpenMode, Present, RemotePath, Upload as Write};

    use super::*;
    use crate::staging::scp_upload::EntryPlan;
    use crate::staging::spool::{Budget, Spool};

    fn path(text: &str) -> RemotePath {
        RemotePath::new(text.as_bytes().to_vec()).unwrap()
    }

    /// A file of which the client sent `bytes`, while its entry names the digest of `named`.
    fn upload(bytes: &[u8], named: &[u8]) -> Arc<Upload> {
        let mut spool = Spool::new(Budget::new(1 << 20, 1 << 20));
        spool.write(0, bytes).unwrap();
        let record = Record::File { mode: 0o644, size: bytes.len() as u64, name: path("x") };
        let sha256 = *Digest::of(named).as_bytes();
        let entries = vec![UploadEntry { record, start: 0, sha256 }];
        Arc::new(Upload { entries, content: spool.seal().unwrap(), announced: false })
    }

    fn planned(upload: &Arc<Upload>, sha256: [u8; 32], bytes: u64) -> PlannedUpload {
        let write = Write {
            path: path("/srv/x"),
            present: Present::Missing,
            mode: OpenMode::CreateNew,
            create: Some(0o644),
            cut: None,
            content: Content { bytes, sha256, pieces: vec![(0, bytes)] },
            attrs: Attrs::default(),
            sync: false,
        };
        let plans = vec![EntryPlan::Changes(vec![Change::Write(Box::new(write))])];
        PlannedUpload::new(Arc::clone(upload), path("/srv"), plans, Vec::new(), Vec::new())
    }

    fn all(mut content: ApprovedContent) -> Result<Vec<u8>, Unsent> {
        let mut all = Vec::new();
        while let Some(piece) = content.next_piece()? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    #[test]
    fn only_the_content_that_the_text_names() {
        let hello = upload(b"hello", b"hello");
        let digest = |bytes: &[u8]| *Digest::of(bytes).as_bytes();
        let right = planned(&hello, digest(b"hello"), 5);
        let text = right.text();
        assert!(text.contains("sftp write /srv/x: 5 B, sha256 2cf24dba5fb0a30e"), "{text}");
        assert!(ApprovedUpload::new(Approved::for_test(&text), right.clone()).is_some());
        assert!(
            ApprovedUpload::new(Approved::for_test(&text.replace("/srv/x", "/srv/y")), right)
                .is_none()
        );
        // The digest stands in the text, but not as that of this file's content.
        let other = planned(&hello, digest(b"hellO"), 5);
        assert!(ApprovedUpload::new(Approved::for_test(&other.text()), other).is_none());
        let longer = planned(&hello, digest(b"hello"), 6);
        assert!(ApprovedUpload::new(Approved::for_test(&longer.text()), longer).is_none());
        // A file without a plan, or a plan without a file.
        let plans = vec![EntryPlan::Changes(Vec::new())];
        let none =
            PlannedUpload::new(Arc::clone(&hello), path("/srv"), plans, Vec::new(), Vec::new());
        assert!(ApprovedUpload::new(Approved::for_test(&none.text()), none).is_none());
        let unplanned = PlannedUpload::new(hello, path("/srv"), Vec::new(), Vec::new(), Vec::new());
        assert!(ApprovedUpload::new(Approved::for_test(&unplanned.text()), unplanned).is_none());
    }

    #[test]
    fn a_content_is_hashed_again_as_it_is_sent() {
        let bytes: Vec<u8> = (0..100_000u32).map(|n| (n % 251) as u8).collect();
        let whole = |upload: Arc<Upload>| {
            let entry = upload.entries.first().unwrap().clone();
            all(ApprovedContent::new(entry, upload))
        };
        assert_eq!(whole(upload(&bytes, &bytes)).unwrap(), bytes);
        assert!(matches!(whole(upload(&bytes, b"another")), Err(Unsent::Altered)));
        assert_eq!(whole(upload(b"", b"")).unwrap(), b"");
    }

    #[test]
    fn of_an_altered_content_the_last_piece_is_kept_back() {
        let sent = |bytes: &[u8]| {
            let upload = upload(bytes, b"another");
            let entry = upload.entries.first().unwrap().clone();
            let mut content = ApprovedContent::new(entry, upload);
            let mut sent = 0;
            loop {
                match content.next_piece() {
                    Ok(piece) => sent += piece.unwrap().len(),
                    Err(Unsent::Altered) => return sent,
                    Err(other) => panic!("{other:?}"),
                }
            }
        };
        assert_eq!(sent(b""), 0);
        assert_eq!(sent(b"hello"), 0);
        assert_eq!(sent(&[7; PIECE]), 0);
        assert_eq!(sent(&[7; 2 * PIECE + 1]), 2 * PIECE);
    }
}
