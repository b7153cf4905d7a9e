//! An upload by legacy scp, complete and immutable, with the text by which it is reviewed. Plain
//! data: nothing here is sent anywhere.

use std::sync::Arc;

use expacti_sftp::scp::{Record, Summary, upload_text};
use expacti_sftp::{Change, RemotePath, size};

use super::spool::Sealed;

/// One record of an upload, with its content.
#[derive(Debug, Clone)]
pub(crate) struct UploadEntry {
    pub(crate) record: Record,
    /// For a file: where its content starts in the spool, and its SHA-256.
    pub(crate) start: u64,
    pub(crate) sha256: [u8; 32],
}

/// A complete upload, which cannot change any more.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) entries: Vec<UploadEntry>,
    pub(crate) content: Sealed,
    /// It is one announced file, whose content the client still has.
    pub(crate) announced: bool,
}

/// What one record of an upload would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EntryPlan {
    /// These changes, with real paths from the target's SFTP server; none for a record that only
    /// describes others.
    Changes(Vec<Change>),
    /// A file or directory on the client's word alone, since the target has no SFTP server to ask:
    /// the path as it is shown.
    Unresolved(String),
}

/// An upload with what it would do. Its text is made from both every time, so that it cannot name
/// any content but the one that is sent.
#[derive(Debug, Clone)]
pub(crate) struct PlannedUpload {
    upload: Arc<Upload>,
    /// Where the command sends it.
    to: RemotePath,
    /// The plan of each entry, by index.
    plans: Vec<EntryPlan>,
    notes: Vec<String>,
    previews: Vec<(String, String)>,
}

impl PlannedUpload {
    /// `plans`: one for each entry, by index.
    pub(crate) fn new(
        upload: Arc<Upload>,
        to: RemotePath,
        plans: Vec<EntryPlan>,
        notes: Vec<String>,
        previews: Vec<(String, String)>,
    ) -> Self {
        Self { upload, to, plans, notes, previews }
    }

    /// The item's text.
    pub(crate) fn text(&self) -> String {
        let mut summary = Summary::default();
        for entry in &self.upload.entries {
            match &entry.record {
                Record::File { size, .. } => {
                    summary.files += 1;
                    summary.bytes = summary.bytes.saturating_add(*size);
                }
                Record::Directory { .. } => summary.directories += 1,
                Record::End | Record::Times { .. } => {}
            }
        }
        let lines = (0..self.plans.len()).filter_map(|at| self.line(at));
        let each: Vec<_> = lines
            .flat_map(|lines| lines.split('\n').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        upload_text(&summary, &self.to, &each)
    }

    /// The text of an entry (one line for each change), if it changes anything.
    pub(crate) fn line(&self, entry: usize) -> Option<String> {
        let announced = self.upload.announced;
        match self.plans.get(entry)? {
            EntryPlan::Changes(changes) if changes.is_empty() => None,
            EntryPlan::Changes(changes) => {
                let line = |change: &Change| match change {
                    Change::Write(write) if announced => write.announced(),
                    change => change.to_string(),
                };
                Some(changes.iter().map(line).collect::<Vec<_>>().join("\n"))
            }
            EntryPlan::Unresolved(path) => {
                let what = self.upload.entries.get(entry)?.unresolved(announced)?;
                Some(format!("scp write {path}: {what}"))
            }
        }
    }

    /// Whether every file is planned with exactly the content that the upload has for it, and
    /// nothing else with any.
    pub(crate) fn is_consistent(&self) -> bool {
        let fits = |(entry, plan): (&UploadEntry, &EntryPlan)| {
            let changes = match plan {
                EntryPlan::Changes(changes) => changes,
                // Its line is made from the entry itself.
                EntryPlan::Unresolved(_) => {
                    let writes =
                        matches!(entry.record, Record::File { .. } | Record::Directory { .. });
                    return writes;
                }
            };
            let mut contents = changes.iter().filter_map(|change| match change {
                Change::Write(write) => Some(&write.content),
                _ => None,
            });
            match (&entry.record, contents.next(), contents.next()) {
                (Record::File { size, .. }, Some(content), None) => {
                    content.bytes == *size
                        && content.sha256 == entry.sha256
                        && matches!(content.pieces[..], [] | [(0, _)])
                }
                (Record::File { .. }, _, _) | (_, Some(_), _) => false,
                (_, None, _) => true,
            }
        };
        self.plans.len() == self.upload.entries.len()
            && self.upload.entries.iter().zip(&self.plans).all(fits)
    }

    /// What else a reviewer should know.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Previews of the text files, each with its path.
    pub(crate) fn previews(&self) -> &[(String, String)] {
        &self.previews
    }

    /// The upload.
    pub(crate) fn upload(&self) -> &Arc<Upload> {
        &self.upload
    }
}

impl UploadEntry {
    /// Length of a file's content, in bytes.
    pub(crate) fn size(&self) -> u64 {
        match &self.record {
            Record::File { size, .. } => *size,
            Record::Directory { .. } | Record::End | Record::Times { .. } => 0,
        }
    }

    /// What is written, on the client's word alone.
    fn unresolved(&self, announced: bool) -> Option<String> {
        match &self.record {
            Record::File { mode, .. } => {
                let seen = match announced {
                    true => "content not seen".to_owned(),
                    false => format!("sha256 {}", hex::encode(self.sha256)),
                };
                Some(format!("{}, {seen}, mode {mode:04o}", size(self.size())))
            }
            Record::Directory { mode, .. } => Some(format!("directory mode {mode:04o}")),
            Record::End | Record::Times { .. } => None,
        }
    }
}
