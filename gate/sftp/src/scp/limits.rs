//! The bounds of one upload. Whatever exceeds them is refused as a whole, never cut.

/// Longest record, in bytes.
pub(super) const MAX_LINE: usize = 4096;

/// Longest name (`NAME_MAX` of Linux), in bytes.
pub(super) const MAX_NAME: usize = 255;

/// Deepest directory below what is uploaded.
pub(super) const MAX_DEPTH: usize = 64;

/// Most files and directories of one upload: nobody reviews more, and the text of an item has its
/// bound.
pub const MAX_RECORDS: usize = 2000;
