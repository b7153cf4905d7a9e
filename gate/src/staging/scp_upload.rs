//! What a client wants to upload by legacy scp, complete and unchangeable, with the text by which it
//! is reviewed. Plain data: nothing here is sent anywhere.

use std::sync::Arc;

use expacti_sftp::Record;

use super::spool::Sealed;

/// One record with what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct UploadEntry {
    pub(crate) record: Record,
    /// Of a file: where its content begins in the spool, and its SHA-256.
    pub(crate) start: u64,
    pub(crate) sha256: [u8; 32],
}

/// A complete upload; nothing can change it any more.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) entries: Vec<UploadEntry>,
    pub(crate) content: Sealed,
    /// One file, whose content is still with the client and in no entry.
    pub(crate) announced: bool,
}

/// An upload with the text that shows it.
#[derive(Debug, Clone)]
pub(crate) struct PlannedUpload {
    upload: Arc<Upload>,
    text: String,
    /// The line of each entry that does something, by its place.
    lines: Vec<Option<String>>,
    notes: Vec<String>,
    previews: Vec<(String, String)>,
}

impl PlannedUpload {
    /// `lines`: of each entry that does something, by its place.
    pub(crate) fn new(
        upload: Arc<Upload>,
        text: String,
        lines: Vec<Option<String>>,
        notes: Vec<String>,
        previews: Vec<(String, String)>,
    ) -> Self {
        Self { upload, text, lines, notes, previews }
    }

    /// The item's text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What a reviewer should know besides.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The texts among the files, each with its path.
    pub(crate) fn previews(&self) -> &[(String, String)] {
        &self.previews
    }

    /// The upload.
    pub(crate) fn upload(&self) -> &Arc<Upload> {
        &self.upload
    }

    /// The line of an entry.
    pub(crate) fn line(&self, entry: usize) -> Option<&str> {
        self.lines.get(entry)?.as_deref()
    }
}
