//! Which lines cannot be delivered at all. It must never change a line to make it deliverable.

/// Why a line cannot be delivered to this prompt at all; nothing has been sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// See [`Delivery::MAX_UNVERIFIED`](super::Delivery::MAX_UNVERIFIED).
    #[error(
        "the line is too long for a prompt that cannot be checked (at most 1000 bytes); split it, \
         or leave this shell for the one that the login started"
    )]
    TooLong,
    /// It could be expanded after Return.
    #[error(
        "a line with `!`, or one that begins with `^`, may be changed by a prompt that cannot be \
         checked; say it without (printf '\\041' prints a `!`), or leave this shell for the one \
         that the login started"
    )]
    HistoryExpansion,
    /// An interrupted line may still be there, and would be completed by this one.
    #[error(
        "the line before was interrupted, but may still stand there; press ^C until a new prompt \
         comes, then enter it again"
    )]
    Leftover,
    /// Control characters would be read as keys.
    #[error(
        "a line with control characters cannot be delivered; write them as escapes, for instance \
         with printf"
    )]
    Control,
    /// An echo would not show all of it.
    #[error(
        "a line with zero-width characters cannot be delivered to a prompt that cannot be checked; \
         write them as escapes, for instance with printf"
    )]
    Hidden,
    /// A tab or newline would be read as a key.
    #[error(
        "a line with a tab or newline cannot be delivered to a prompt that cannot be checked; \
         enter one line at a time, with spaces for tabs"
    )]
    NotOneLine,
    /// The line editors of shells read only UTF-8.
    #[error("a line that is not UTF-8 cannot be delivered; write the bytes as escapes")]
    NotUtf8,
}

/// The line as text; tabs and newlines are the only control characters a paste can carry.
pub(super) fn text(line: &[u8]) -> Result<&str, Undeliverable> {
    let text = std::str::from_utf8(line).map_err(|_| Undeliverable::NotUtf8)?;
    if text.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n')) {
        return Err(Undeliverable::Control);
    }
    Ok(text)
}
