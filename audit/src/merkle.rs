//! The Merkle tree over the log's lines (RFC 6962): one root stands for all of them, and a few hashes prove
//! that a line is in it, or that a later root only adds to an earlier one. A line is hashed without its line
//! feed.

use sha2::{Digest as _, Sha256};

/// A hash of the tree.
pub type TreeHash = [u8; 32];

/// The hash of a line.
#[must_use]
pub fn leaf_hash(line: &[u8]) -> TreeHash {
    Sha256::new().chain_update([0x00]).chain_update(line).finalize().into()
}

fn node_hash(left: &TreeHash, right: &TreeHash) -> TreeHash {
    Sha256::new().chain_update([0x01]).chain_update(left).chain_update(right).finalize().into()
}

fn empty_root() -> TreeHash {
    Sha256::digest([]).into()
}

/// The tree as its few complete subtrees: enough to go on and to know the root, not to prove anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    /// The roots of the complete subtrees, the largest first.
    peaks: Vec<TreeHash>,
}

impl CompactRange {
    /// How many lines there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a line.
    pub fn append(&mut self, line: &[u8]) {
        let mut hash = leaf_hash(line);
        // Each complete subtree of the new one's size becomes its left half.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return empty_root() };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The tree with all its complete subtrees, 64 bytes a line: it proves.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The roots of the complete subtrees of 1, 2, 4, … lines.
    levels: Vec<Vec<TreeHash>>,
}

impl Tree {
    /// How many lines there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Adds a line.
    pub fn append(&mut self, line: &[u8]) {
        let mut hash = leaf_hash(line);
        let mut level = 0;
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(level) else { return };
            hashes.push(hash);
            match hashes.as_slice() {
                [.., left, right] if hashes.len() % 2 == 0 => hash = node_hash(left, right),
                _ => return,
            }
            level += 1;
        }
    }

    /// The root of the first `size` lines; `None` when there are fewer.
    #[must_use]
    pub fn root(&self, size: u64) -> Option<TreeHash> {
        if size == 0 { Some(empty_root()) } else { self.subtree(0, size) }
    }

    /// Proves that line `index`, from 0, is one of the first `size`.
    #[must_use]
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<TreeHash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let (mut from, mut to, mut proof) = (0, size, Vec::new());
        while to - from > 1 {
            let middle = from + half(to - from);
            if index < middle {
                proof.push(self.subtree(middle, to)?);
                to = middle;
            } else {
                proof.push(self.subtree(from, middle)?);
                from = middle;
            }
        }
        proof.reverse();
        Some(proof)
    }

    /// Proves that the first `new` lines begin with the first `old`.
    #[must_use]
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<TreeHash>> {
        if old > new || new > self.size() {
            return None;
        }
        if old == 0 {
            return Some(Vec::new());
        }
        let (mut from, mut to, mut proof) = (0, new, Vec::new());
        while old != to {
            let middle = from + half(to - from);
            if old <= middle {
                proof.push(self.subtree(middle, to)?);
                to = middle;
            } else {
                proof.push(self.subtree(from, middle)?);
                from = middle;
            }
        }
        if from > 0 {
            proof.push(self.subtree(from, to)?);
        }
        proof.reverse();
        Some(proof)
    }

    /// The root of the lines from `from` up to `to`, where `from` is a multiple of the subtree's size.
    fn subtree(&self, from: u64, to: u64) -> Option<TreeHash> {
        let size = to.checked_sub(from).filter(|size| *size > 0)?;
        if size.is_power_of_two() {
            let level = self.levels.get(usize::try_from(size.trailing_zeros()).ok()?)?;
            return level.get(usize::try_from(from / size).ok()?).copied();
        }
        let middle = from + half(size);
        Some(node_hash(&self.subtree(from, middle)?, &self.subtree(middle, to)?))
    }
}

/// The largest power of two below `size`: the lines of the left half of a tree of two or more.
fn half(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// Whether a proof shows that a line with that hash is line `index`, from 0, of the `size` lines of a root.
#[must_use]
pub fn includes(
    root: &TreeHash,
    size: u64,
    index: u64,
    leaf: &TreeHash,
    proof: &[TreeHash],
) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for other in proof {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            hash = node_hash(other, &hash);
            while at % 2 == 0 && at != 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            hash = node_hash(&hash, other);
        }
        (at, last) = (at / 2, last / 2);
    }
    last == 0 && hash == *root
}

/// Whether a proof shows that the `new` lines of one root begin with the `old` lines of another.
#[must_use]
pub fn extends(
    old: u64,
    old_root: &TreeHash,
    new: u64,
    new_root: &TreeHash,
    proof: &[TreeHash],
) -> bool {
    if old == 0 || old == new {
        let same = if old == new { old_root == new_root } else { *old_root == empty_root() };
        return proof.is_empty() && same;
    }
    if old > new {
        return false;
    }
    // A complete tree is a node of the later one, so the proof need not name it.
    let own = old.is_power_of_two().then_some(old_root);
    let mut hashes = own.into_iter().chain(proof);
    let Some(first) = hashes.next() else { return false };
    let (mut at, mut last) = (old - 1, new - 1);
    while at % 2 == 1 {
        (at, last) = (at / 2, last / 2);
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for other in hashes {
        if last == 0 {
            return false;
        }
        if at % 2 == 1 || at == last {
            old_hash = node_hash(other, &old_hash);
            new_hash = node_hash(other, &new_hash);
            while at % 2 == 0 && at != 0 {
                (at, last) = (at / 2, last / 2);
            }
        } else {
            new_hash = node_hash(&new_hash, other);
        }
        (at, last) = (at / 2, last / 2);
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}
