//! Keeps the bytes of one upload until the decision: in memory, and past a limit in a nameless
//! temporary file. Once sealed they cannot change, and their digest is known.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use expacti_protocol::digest::StreamDigest;
use expacti_sftp::{Content, Extents, Piece};

/// Bytes of one upload that stay in memory; the rest goes to a file.
const IN_MEMORY: usize = 1024 * 1024;

/// Bytes of one channel's pending uploads, in memory and in total.
const MEMORY: u64 = 8 << 20;
const UPLOADS: u64 = 1 << 30;

/// Bytes hashed at a time.
const BLOCK: usize = 64 * 1024;

/// Why an upload cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpoolError {
    /// The channel's uploads are too large together.
    #[error("uploads that wait for review are limited to {}", expacti_sftp::size(*.0))]
    Full(u64),
    /// Too many pieces.
    #[error(transparent)]
    Pieces(#[from] expacti_sftp::TooManyPieces),
    /// The disk failed.
    #[error("the gate cannot keep the upload: {0}")]
    Io(#[from] std::io::Error),
}

/// What all uploads of one channel may use.
#[derive(Debug)]
pub(crate) struct Budget {
    memory: Left,
    all: Left,
    limit: u64,
}

#[derive(Debug)]
struct Left(AtomicU64);

impl Left {
    fn take(&self, bytes: u64) -> bool {
        let taken = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(bytes));
        taken.is_ok()
    }

    fn give(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::AcqRel);
    }
}

impl Budget {
    /// What one channel gets.
    pub(crate) fn of_channel() -> Arc<Self> {
        Self::new(MEMORY, UPLOADS)
    }

    /// Whether that many bytes are left.
    pub(crate) fn has(&self, bytes: u64) -> bool {
        self.all.0.load(Ordering::Acquire) >= bytes
    }

    /// The total, in bytes.
    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// That many bytes in memory, and in total.
    pub(crate) fn new(memory: u64, all: u64) -> Arc<Self> {
        let left = |bytes| Left(AtomicU64::new(bytes));
        Arc::new(Self { memory: left(memory), all: left(all), limit: all })
    }
}

/// A log of what was written, and which parts of it count.
#[derive(Debug)]
pub(crate) struct Spool {
    budget: Arc<Budget>,
    memory: Vec<u8>,
    file: Option<File>,
    filed: u64,
    extents: Extents,
}

impl Spool {
    /// An empty spool.
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self { budget, memory: Vec::new(), file: None, filed: 0, extents: Extents::default() }
    }

    /// Keeps bytes for that offset of the file.
    ///
    /// # Errors
    /// When they cannot be kept; what was kept before still is.
    pub(crate) fn write(&mut self, offset: u64, data: &[u8]) -> Result<(), SpoolError> {
        let bytes = data.len() as u64;
        if !self.budget.all.take(bytes) {
            return Err(SpoolError::Full(self.budget.limit));
        }
        let log = self.memory.len() as u64 + self.filed;
        // The log is contiguous: once there is a file, everything that follows goes there.
        let fits = self.file.is_none()
            && self.memory.len() + data.len() <= IN_MEMORY
            && self.budget.memory.take(bytes);
        if fits {
            self.memory.extend_from_slice(data);
        } else {
            let kept = self.file_away(data);
            if let Err(error) = kept {
                self.budget.all.give(bytes);
                return Err(error.into());
            }
            self.filed += bytes;
        }
        self.extents.insert(offset, bytes, log)?;
        Ok(())
    }

    fn file_away(&mut self, data: &[u8]) -> std::io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        file.write_all_at(data, self.filed)
    }

    /// Forgets everything from `size` on.
    pub(crate) fn truncate(&mut self, size: u64) {
        self.extents.truncate(size);
    }

    /// What was written.
    pub(crate) fn extents(&self) -> &Extents {
        &self.extents
    }

    /// Copies what was written over `under`, which starts at `offset` of the file.
    pub(crate) fn overlay(&self, offset: u64, under: &mut [u8]) -> std::io::Result<()> {
        let end = offset.saturating_add(under.len() as u64);
        for piece in self.extents.within(offset, under.len() as u64) {
            let from = piece.offset.max(offset);
            let to = (piece.offset + piece.length).min(end);
            let range = to_usize(from - offset)..to_usize(to.max(from) - offset);
            if let Some(part) = under.get_mut(range) {
                self.read_log(piece.log + (from - piece.offset), part)?;
            }
        }
        Ok(())
    }

    fn read_log(&self, log: u64, into: &mut [u8]) -> std::io::Result<()> {
        let memory = self.memory.get(to_usize(log)..).unwrap_or_default();
        let (front, back) = into.split_at_mut(memory.len().min(into.len()));
        front.copy_from_slice(memory.get(..front.len()).unwrap_or_default());
        if back.is_empty() {
            return Ok(());
        }
        let Some(file) = &self.file else {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        };
        let at = (log + front.len() as u64).saturating_sub(self.memory.len() as u64);
        file.read_exact_at(back, at)
    }

    /// Ends the writing, and reads everything back for its digest.
    ///
    /// # Errors
    /// When what was kept cannot be read back.
    pub(crate) fn seal(self) -> std::io::Result<Sealed> {
        let pieces: Vec<_> = self.extents.iter().map(|p| (p.offset, p.length)).collect();
        let scattered = Content::is_scattered(&pieces);
        let mut digest = StreamDigest::default();
        let mut block = vec![0; BLOCK];
        for piece in self.extents.iter() {
            if scattered {
                digest.update(&piece.offset.to_be_bytes());
                digest.update(&piece.length.to_be_bytes());
            }
            let mut done = 0;
            while done < piece.length {
                let n = to_usize(piece.length - done).min(BLOCK);
                let Some(into) = block.get_mut(..n) else { break };
                self.read_log(piece.log + done, into)?;
                digest.update(into);
                done += n as u64;
            }
        }
        let sha256 = *digest.summary().sha256.as_bytes();
        let summary = Content { bytes: self.extents.bytes(), sha256, pieces };
        Ok(Sealed { spool: self, summary })
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let memory = self.memory.len() as u64;
        self.budget.memory.give(memory);
        self.budget.all.give(memory + self.filed);
    }
}

/// Bytes that can no longer change: there is no function that writes to them, and their file has no
/// name.
#[derive(Debug)]
pub(crate) struct Sealed {
    spool: Spool,
    summary: Content,
}

impl Sealed {
    /// Length, digest and offsets.
    pub(crate) fn summary(&self) -> &Content {
        &self.summary
    }

    /// Whether the digest covers the offsets as well.
    pub(crate) fn is_scattered(&self) -> bool {
        Content::is_scattered(&self.summary.pieces)
    }

    /// The pieces, in order.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        self.spool.extents.iter().collect()
    }

    /// At most `most` bytes of a piece, from `skip` bytes into it.
    ///
    /// # Errors
    /// When they cannot be read back.
    pub(crate) fn read(&self, piece: &Piece, skip: u64, most: usize) -> std::io::Result<Vec<u8>> {
        let n = to_usize(piece.length.saturating_sub(skip)).min(most);
        let mut bytes = vec![0; n];
        self.spool.read_log(piece.log + skip, &mut bytes)?;
        Ok(bytes)
    }

    /// The file's beginning as it would be: what was written, over what is there now.
    pub(crate) fn over(&self, mut now: Vec<u8>, length: usize) -> std::io::Result<Vec<u8>> {
        now.resize(length, 0);
        self.spool.overlay(0, &mut now)?;
        Ok(now)
    }
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use expacti_protocol::digest::Digest;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn large_uploads_go_to_a_file_and_come_back_whole() {
        let budget = Budget::new(8 << 20, 64 << 20);
        let mut spool = Spool::new(Arc::clone(&budget));
        let all: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
        for (n, piece) in all.chunks(32_768).enumerate() {
            spool.write(n as u64 * 32_768, piece).unwrap();
        }
        assert!(spool.file.is_some() && spool.memory.len() <= IN_MEMORY);
        let sealed = spool.seal().unwrap();
        assert_eq!(&sealed.summary().sha256, Digest::of(&all).as_bytes());
        assert_eq!(sealed.summary().pieces, [(0, 3_000_000)]);
        let piece = sealed.pieces()[0];
        assert_eq!(sealed.read(&piece, 1_048_000, 2000).unwrap(), all[1_048_000..1_050_000]);
        drop(sealed);
        assert_eq!(budget.all.0.load(Ordering::Relaxed), 64 << 20);
        assert_eq!(budget.memory.0.load(Ordering::Relaxed), 8 << 20);
    }

    #[test]
    fn the_budget_ends() {
        let mut spool = Spool::new(Budget::new(4, 10));
        spool.write(0, b"12345678").unwrap();
        assert!(spool.file.is_some(), "no memory left: a file");
        let error = spool.write(8, b"123").unwrap_err();
        assert!(error.to_string().contains("limited to 10 B"), "{error}");
        spool.write(8, b"12").unwrap();
    }

    proptest! {
        /// Reading what was written over what is there is the same as a file.
        #[test]
        fn as_in_a_file(
            writes in proptest::collection::vec((0usize..200, 0usize..60), 0..30),
            memory in 0u64..400,
            range in (0usize..200, 0usize..60),
        ) {
            let mut file: Vec<u8> = (0..260).map(|n| (n % 7) as u8).collect();
            let base = file.clone();
            let mut spool = Spool::new(Budget::new(memory, 1 << 20));
            for (n, (offset, length)) in writes.into_iter().enumerate() {
                let data = vec![100 + n as u8; length];
                spool.write(offset as u64, &data).unwrap();
                file[offset..offset + length].copy_from_slice(&data);
            }
            let (from, to) = (range.0, range.0 + range.1);
            let mut got = base[from..to].to_vec();
            spool.overlay(from as u64, &mut got).unwrap();
            prop_assert_eq!(&got, &file[from..to]);
            let sealed = spool.seal().unwrap();
            prop_assert_eq!(sealed.over(base, 260).unwrap(), file);
        }
    }
}
