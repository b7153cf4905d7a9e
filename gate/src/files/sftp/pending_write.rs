//! A file that a client is writing, before any of it is on the target: the request, the bytes so
//! far, and the file as it would be. The client sees its own pending write as the file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use expacti_sftp::{Attrs, OpenFlags, Present, RemotePath};

use crate::boundary::ReadHandle;
use crate::staging::spool::{Budget, Spool, SpoolError};

/// The file type bits of a regular file.
const REGULAR: u32 = 0o100_000;

/// See the module.
#[derive(Debug)]
pub(crate) struct PendingWrite {
    /// As the client named it.
    pub(crate) asked: RemotePath,
    /// As the target resolved it.
    pub(crate) real: RemotePath,
    /// How it was opened.
    pub(crate) flags: OpenFlags,
    /// Permissions of a new file.
    pub(crate) create: Option<u32>,
    /// What is on the target now, where it shows through.
    pub(crate) present: Present,
    /// The target's handle for reading what is there.
    pub(crate) read: Option<ReadHandle>,
    /// An earlier part of it was not carried out: what follows must not be either.
    pub(crate) failed: Arc<AtomicBool>,
    /// Opening the file is itself a change (it creates or truncates) that has not been made yet.
    opens: bool,
    /// How much of the target's file still shows through, in bytes.
    base: u64,
    cut: Option<u64>,
    length: u64,
    attrs: Attrs,
    spool: Spool,
    budget: Arc<Budget>,
}

/// A committed write.
pub(crate) struct Committed {
    pub(crate) spool: Spool,
    pub(crate) cut: Option<u64>,
    /// Attributes to set after writing.
    pub(crate) attrs: Attrs,
    /// Length of the file afterwards, in bytes.
    pub(crate) length: u64,
}

impl PendingWrite {
    /// A file just opened for writing.
    pub(crate) fn new(
        asked: RemotePath,
        real: RemotePath,
        flags: OpenFlags,
        create: Option<u32>,
        present: Present,
        budget: Arc<Budget>,
    ) -> Self {
        let base = if flags.truncate() { 0 } else { present.size() };
        Self {
            opens: flags.truncate() || present == Present::Missing,
            spool: Spool::new(Arc::clone(&budget)),
            failed: Arc::default(),
            attrs: Attrs::default(),
            read: None,
            cut: None,
            length: base,
            asked,
            real,
            flags,
            create,
            present,
            base,
            budget,
        }
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), SpoolError> {
        let offset = if self.flags.append() { self.length } else { offset };
        self.spool.write(offset, data)?;
        self.length = self.length.max(offset.saturating_add(data.len() as u64));
        Ok(())
    }

    /// Adds attributes to be set.
    pub(crate) fn set(&mut self, attrs: &Attrs) {
        if let Some(size) = attrs.size {
            self.spool.truncate(size);
            if size < self.base {
                self.base = size;
                self.cut = Some(size);
            }
            self.length = size;
        }
        self.attrs.owner = attrs.owner.or(self.attrs.owner);
        self.attrs.mode = attrs.mode.or(self.attrs.mode);
        self.attrs.times = attrs.times.or(self.attrs.times);
    }

    /// The file as its client sees it.
    pub(crate) fn attrs(&self) -> Attrs {
        let there = match self.present {
            Present::Missing => {
                Attrs { mode: Some(REGULAR | self.create.unwrap_or(0o644)), ..Attrs::default() }
            }
            Present::There(attrs) => attrs,
        };
        let kind = there.mode.map_or(REGULAR, |mode| mode & !0o7777);
        Attrs {
            size: Some(self.length),
            owner: self.attrs.owner.or(there.owner),
            mode: self.attrs.permissions().map(|mode| kind | mode).or(there.mode),
            times: self.attrs.times.or(there.times),
        }
    }

    /// Length as its client sees it, in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// How much of the target's file shows through, in bytes.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// Copies what was written over what is there.
    pub(crate) fn overlay(&self, offset: u64, under: &mut [u8]) -> std::io::Result<()> {
        self.spool.overlay(offset, under)
    }

    /// Whether committing it would change anything.
    pub(crate) fn is_dirty(&self) -> bool {
        self.opens
            || !self.spool.extents().is_empty()
            || !self.attrs.is_empty()
            || self.cut.is_some()
            || self.length != self.base
    }

    /// Whether anything was written to it.
    pub(crate) fn has_bytes(&self) -> bool {
        !self.spool.extents().is_empty()
    }

    /// Whether an earlier part of it was not carried out.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// The pending write that continues after an `fsync` has committed this one.
    pub(crate) fn successor(&self) -> Self {
        const CREATE_TRUNCATE_EXCLUSIVE: u32 = 8 | 16 | 32;
        Self {
            asked: self.asked.clone(),
            real: self.real.clone(),
            flags: OpenFlags(self.flags.0 & !CREATE_TRUNCATE_EXCLUSIVE),
            create: self.create,
            present: Present::There(self.attrs()),
            read: self.read.clone(),
            failed: Arc::clone(&self.failed),
            opens: false,
            base: self.length,
            cut: None,
            length: self.length,
            attrs: Attrs::default(),
            spool: Spool::new(Arc::clone(&self.budget)),
            budget: Arc::clone(&self.budget),
        }
    }

    /// Ends the writing.
    pub(crate) fn commit(self) -> Committed {
        let reached = self.base.max(self.spool.extents().end());
        let longer = (self.length > reached).then_some(self.length);
        let attrs = Attrs { size: longer, ..self.attrs };
        Committed { spool: self.spool, cut: self.cut, attrs, length: self.length }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn write(flags: u32, present: Present) -> PendingWrite {
        let path = RemotePath::new(&b"/x"[..]).unwrap();
        let budget = Budget::new(1000, 1000);
        PendingWrite::new(path.clone(), path, OpenFlags(flags), Some(0o600), present, budget)
    }

    fn there(size: u64) -> Present {
        Present::There(Attrs { size: Some(size), mode: Some(0o100_644), ..Attrs::default() })
    }

    #[test]
    fn a_new_file_and_a_replaced_one_change_something_even_when_empty() {
        assert!(write(0x1a, Present::Missing).is_dirty());
        assert!(write(0x1a, there(5)).is_dirty());
        assert!(!write(0x02, there(5)).is_dirty());
        assert_eq!(write(0x1a, Present::Missing).attrs().mode, Some(0o100_600));
    }

    #[test]
    fn appending_goes_to_the_end_wherever_the_client_says() {
        let mut write = write(0x0e, there(5));
        write.write(0, b"ab").unwrap();
        write.write(0, b"cd").unwrap();
        assert_eq!(write.length(), 9);
        let next = write.successor();
        assert!(!next.is_dirty() && next.length() == 9 && !next.flags.create());
        let committed = write.commit();
        let pieces: Vec<_> =
            committed.spool.extents().iter().map(|p| (p.offset, p.length)).collect();
        assert_eq!(pieces, [(5, 4)]);
        assert_eq!((committed.cut, committed.attrs), (None, Attrs::default()));
    }

    #[test]
    fn cutting_and_lengthening() {
        let size = |size| Attrs { size: Some(size), ..Attrs::default() };
        let mut write = write(0x02, there(100));
        write.set(&size(10));
        write.write(50, b"x").unwrap();
        write.set(&size(60));
        assert_eq!(write.attrs().size, Some(60));
        let committed = write.commit();
        assert_eq!(
            (committed.cut, committed.attrs.size, committed.length),
            (Some(10), Some(60), 60)
        );
    }
}
