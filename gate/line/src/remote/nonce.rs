//! The secret that distinguishes a session's markers from a program's output. It must never be
//! shown, logged or put in the environment of a program; and knowing it must never approve
//! anything.

use std::fmt;

/// 128 random bits from the caller, as lower-case hex.
#[derive(Clone, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// Takes the random bits of one session; they must not be used for another.
    pub fn new(random: [u8; 16]) -> Self {
        Self(hex::encode(random))
    }

    /// 32 characters of `0-9a-f`.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonce(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_hex_and_never_printed() {
        let nonce = Nonce::new([0xab; 16]);
        assert_eq!(nonce.as_str(), "ab".repeat(16));
        assert!(!format!("{nonce:?}").contains("ab"));
    }
}
