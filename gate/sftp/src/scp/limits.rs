//! The bounds of one upload. An upload that exceeds them is refused; it must never be shortened.

/// Longest record, in bytes.
pub(super) const MAX_LINE: usize = 4096;

/// Longest name (`NAME_MAX` of Linux), in bytes.
pub(super) const MAX_NAME: usize = 255;

/// How deep directories may be nested.
pub(super) const MAX_DEPTH: usize = 64;

/// Most files and directories of one upload: nobody would review more, and the text of an item is
/// bounded.
pub const MAX_RECORDS: usize = 2000;
