//! Durations and sizes as people write them on the command line and in the configuration.

use crate::failure::Failure;

/// Reads `90s`, `5m`, `7d`, `1h30m`.
pub(crate) fn seconds(text: &str) -> Result<u64, Failure> {
    let wrong = || Failure::usage(format!("{text:?} is not a duration: write 90s, 5m, 12h or 7d"));
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    let total = span
        .total((jiff::Unit::Second, jiff::SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| wrong())?;
    if total < 1.0 {
        return Err(wrong());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at least 1, and a jiff span is far below 2^64 s"
    )]
    Ok(total as u64)
}

/// A number of bytes: `900`, `64K`, `1M`, `2G`.
pub(crate) fn bytes(text: &str) -> Result<u64, Failure> {
    let (digits, unit) = match text.strip_suffix(['K', 'k']) {
        Some(digits) => (digits, 1024),
        None => match text.strip_suffix(['M', 'm']) {
            Some(digits) => (digits, 1024 * 1024),
            None => match text.strip_suffix(['G', 'g']) {
                Some(digits) => (digits, 1024 * 1024 * 1024),
                None => (text, 1),
            },
        },
    };
    digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)).ok_or_else(|| {
        Failure::usage(format!("{text:?} is not a number of bytes: write 900, 64K or 1M"))
    })
}
