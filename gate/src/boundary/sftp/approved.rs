//! Approved changes of files. They are made from the [`Approved`] item whose bytes are their text,
//! and from contents whose digests that text names, and in no other way.

use expacti_sftp::{Change, text_of};

use crate::boundary::approved::Approved;
use crate::staging::spool::Sealed;

/// A change with the bytes it would write.
#[derive(Debug)]
pub(crate) struct PlannedChange {
    change: Change,
    content: Option<Sealed>,
}

impl PlannedChange {
    /// A change without content.
    pub(crate) fn bare(change: Change) -> Self {
        Self { change, content: None }
    }

    /// An upload with its content.
    pub(crate) fn upload(change: Change, content: Sealed) -> Self {
        Self { change, content: Some(content) }
    }

    /// The change.
    pub(crate) fn change(&self) -> &Change {
        &self.change
    }

    /// The bytes.
    pub(crate) fn content(&self) -> Option<&Sealed> {
        self.content.as_ref()
    }

    /// Whether an upload has exactly the content that its text names, and nothing else has any.
    fn is_consistent(&self) -> bool {
        match (&self.change, &self.content) {
            (Change::Write(upload), Some(content)) => upload.content == *content.summary(),
            (Change::Write(_), None) | (_, Some(_)) => false,
            (_, None) => true,
        }
    }
}

/// The text of several changes as one item.
pub(crate) fn item_text(planned: &[PlannedChange]) -> String {
    text_of(&planned.iter().map(PlannedChange::change).collect::<Vec<_>>())
}

/// Changes that the broker has released, to be carried out once: not `Clone`, consumed one by one.
#[derive(Debug)]
pub(crate) struct ApprovedChanges(Vec<PlannedChange>);

/// One of them.
#[derive(Debug)]
pub(crate) struct ApprovedChange(PlannedChange);

impl ApprovedChanges {
    /// The changes, if the approved bytes are exactly their text and their contents are the ones it
    /// names. Otherwise nothing was approved, and everything is dropped.
    pub(crate) fn new(approved: Approved, planned: Vec<PlannedChange>) -> Option<Self> {
        let (bytes, _) = approved.into_parts();
        let fits = !planned.is_empty()
            && item_text(&planned).as_bytes() == &bytes[..]
            && planned.iter().all(PlannedChange::is_consistent);
        fits.then_some(Self(planned))
    }

    /// The changes, in order.
    pub(crate) fn each(self) -> impl Iterator<Item = ApprovedChange> {
        self.0.into_iter().map(ApprovedChange)
    }
}

impl ApprovedChange {
    /// What it is.
    pub(crate) fn change(&self) -> &Change {
        &self.0.change
    }

    /// Its content.
    pub(super) fn content(&self) -> Option<&Sealed> {
        self.0.content.as_ref()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use expacti_sftp::{Attrs, OpenMode, Present, RemotePath, Upload};

    use super::*;
    use crate::staging::spool::{Budget, Spool};

    fn sealed(bytes: &[u8]) -> Sealed {
        let mut spool = Spool::new(Budget::new(1024, 1024));
        spool.write(0, bytes).unwrap();
        spool.seal().unwrap()
    }

    fn planned(content: &Sealed, bytes: &[u8]) -> PlannedChange {
        let upload = Upload {
            path: RemotePath::new(&b"/srv/x"[..]).unwrap(),
            present: Present::Missing,
            mode: OpenMode::CreateNew,
            create: Some(0o644),
            cut: None,
            content: content.summary().clone(),
            attrs: Attrs::default(),
            sync: false,
        };
        PlannedChange::upload(Change::Write(Box::new(upload)), sealed(bytes))
    }

    #[test]
    fn only_what_the_text_says() {
        let content = sealed(b"hello");
        let text = item_text(&[planned(&content, b"hello")]);
        assert!(text.starts_with("sftp write /srv/x: 5 B, sha256 2cf24dba5fb0a30e"), "{text}");
        assert!(
            ApprovedChanges::new(Approved::for_test(&text), vec![planned(&content, b"hello")])
                .is_some()
        );
        // Other bytes under the same text; another text; more than the text says; nothing.
        assert!(
            ApprovedChanges::new(Approved::for_test(&text), vec![planned(&content, b"hellO")])
                .is_none()
        );
        let other = text.replace("/srv/x", "/srv/y");
        assert!(
            ApprovedChanges::new(Approved::for_test(&other), vec![planned(&content, b"hello")])
                .is_none()
        );
        let two = vec![planned(&content, b"hello"), planned(&content, b"hello")];
        assert!(ApprovedChanges::new(Approved::for_test(&text), two).is_none());
        assert!(ApprovedChanges::new(Approved::for_test(""), Vec::new()).is_none());
        let change = planned(&content, b"hello").change().clone();
        assert!(
            ApprovedChanges::new(Approved::for_test(&text), vec![PlannedChange::bare(change)])
                .is_none()
        );
    }
}
