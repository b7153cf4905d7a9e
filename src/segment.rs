//! Ids and names as segments of a URL's path. What would need escaping names nothing the broker has,
//! and is never sent.

use expacti_protocol::exit;

use crate::failure::Failure;
use crate::print;

/// An id: letters, digits and `_`.
pub(crate) fn id(text: &str) -> Result<&str, Failure> {
    checked(text, "id", |c| c == '_')
}

/// The name of a principal or target: letters, digits and `.-_@`.
pub(crate) fn name(text: &str) -> Result<&str, Failure> {
    checked(text, "name", |c| ".-_@".contains(c))
}

fn checked<'a>(text: &'a str, what: &str, also: fn(char) -> bool) -> Result<&'a str, Failure> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || also(c)) {
        Ok(text)
    } else {
        Err(Failure::new(exit::NOT_FOUND, format!("no such {what}: {}", print::safe(text))))
    }
}
