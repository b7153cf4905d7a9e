//! Which ranges of a file a client has written, and where their bytes are in a log. A later write
//! overrides an earlier one. It must never touch the bytes themselves.

use std::collections::BTreeMap;

/// Most pieces one upload may consist of.
const MAX_PIECES: usize = 65_536;

/// A client writes to more separate places than are kept, or past the largest offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upload is written in too many separate pieces")]
pub struct TooManyPieces;

/// A contiguous range: `length` bytes at `offset` of the file, stored at `log`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where in the file.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// Where in the log.
    pub log: u64,
}

impl Piece {
    fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extents {
    /// Offset to length and position in the log; never overlapping.
    pieces: BTreeMap<u64, (u64, u64)>,
}

impl Extents {
    /// Records that the `length` bytes at `offset` are in the log at `log`.
    ///
    /// # Errors
    /// When that would make too many pieces; nothing is recorded then.
    pub fn insert(&mut self, offset: u64, length: u64, log: u64) -> Result<(), TooManyPieces> {
        if length == 0 {
            return Ok(());
        }
        if self.pieces.len() + 2 > MAX_PIECES || offset.checked_add(length).is_none() {
            return Err(TooManyPieces);
        }
        let new = Piece { offset, length, log };
        for old in self.within(offset, length) {
            self.pieces.remove(&old.offset);
            if old.offset < offset {
                self.pieces.insert(old.offset, (offset - old.offset, old.log));
            }
            if old.end() > new.end() {
                let cut = new.end() - old.offset;
                self.pieces.insert(new.end(), (old.end() - new.end(), old.log + cut));
            }
        }
        // Consecutive writes are one piece.
        if let Some((&before, (old, at))) = self.pieces.range_mut(..offset).next_back()
            && before + *old == offset
            && *at + *old == log
        {
            *old += length;
        } else {
            self.pieces.insert(offset, (length, log));
        }
        Ok(())
    }

    /// The pieces that overlap this range, whole, in order.
    pub fn within(&self, offset: u64, length: u64) -> Vec<Piece> {
        let end = offset.saturating_add(length);
        let before = self.pieces.range(..offset).next_back();
        let after = self.pieces.range(offset..end);
        before
            .into_iter()
            .chain(after)
            .map(|(&offset, &(length, log))| Piece { offset, length, log })
            .filter(|piece| piece.end() > offset)
            .collect()
    }

    /// Forgets everything from `size` on.
    pub fn truncate(&mut self, size: u64) {
        for piece in self.within(size, u64::MAX - size) {
            self.pieces.remove(&piece.offset);
            if piece.offset < size {
                self.pieces.insert(piece.offset, (size - piece.offset, piece.log));
            }
        }
    }

    /// All pieces in order.
    pub fn iter(&self) -> impl Iterator<Item = Piece> {
        self.pieces.iter().map(|(&offset, &(length, log))| Piece { offset, length, log })
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Bytes in all pieces.
    pub fn bytes(&self) -> u64 {
        self.pieces.values().map(|(length, _)| length).sum()
    }

    /// Where the last piece ends.
    pub fn end(&self) -> u64 {
        self.iter().last().map_or(0, |piece| piece.end())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_stream_is_one_piece() {
        let mut extents = Extents::default();
        for n in 0..100 {
            extents.insert(50 + n * 10, 10, n * 10).unwrap();
        }
        let piece = Piece { offset: 50, length: 1000, log: 0 };
        assert_eq!(extents.iter().collect::<Vec<_>>(), [piece]);
        assert!(extents.insert(u64::MAX, 2, 0).is_err());
    }

    proptest! {
        /// The result is the same as writing into an array.
        #[test]
        fn extents_behave_like_a_file(
            writes in proptest::collection::vec((0u64..200, 0u64..60, any::<bool>()), 0..40),
            cut in 0u64..200,
        ) {
            let mut file = vec![None; 300];
            let mut log: u64 = 0;
            let mut extents = Extents::default();
            for (offset, length, truncate) in writes {
                extents.insert(offset, length, log).unwrap();
                for i in 0..length {
                    file[usize::try_from(offset + i).unwrap()] = Some(log + i);
                }
                log += length;
                if truncate {
                    extents.truncate(cut);
                    file[usize::try_from(cut).unwrap()..].fill(None);
                }
            }
            let mut got = vec![None; 300];
            let mut last = 0;
            for piece in extents.iter() {
                prop_assert!(piece.offset >= last && piece.length > 0);
                last = piece.end();
                for i in 0..piece.length {
                    got[usize::try_from(piece.offset + i).unwrap()] = Some(piece.log + i);
                }
            }
            prop_assert_eq!(&got, &file);
            let whole: Vec<_> = extents.iter().collect();
            prop_assert_eq!(extents.within(0, u64::MAX), whole);
            prop_assert_eq!(extents.bytes(), file.iter().flatten().count() as u64);
        }
    }
}
