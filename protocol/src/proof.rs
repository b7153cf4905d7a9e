//! What proves that a person wants what a request says, beside their token: a signature of that request,
//! or their PIN. Whoever has a signing key or a PIN is asked for it by every way to decide.

use std::fmt;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::signed::SignedText;

/// The header with the statement that was signed, base64.
pub const STATEMENT_HEADER: &str = "expacti-statement";
/// The header with its signature, base64.
pub const SIGNATURE_HEADER: &str = "expacti-signature";
/// The header with the PIN, base64.
pub const PIN_HEADER: &str = "expacti-pin";

/// What an answer says that the request lacked. Nothing happened; the same request with the proof is new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofNeeded {
    /// 32 random bytes in hex, for one request of this person's within the next two minutes.
    pub challenge: Digest,
    /// Who has to prove it.
    pub person: String,
    /// By the PIN.
    pub pin: bool,
    /// By a signature.
    pub signature: bool,
}

/// The request that is to be proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenRequest {
    /// The HTTP method.
    pub method: String,
    /// The path, with a query if there is one.
    pub path: String,
    /// The digest of the body.
    pub sha256: Digest,
}

/// The proof.
#[derive(Debug, Clone, Default)]
pub struct Proof {
    /// The signed request.
    pub signed: Option<SignedText>,
    /// The PIN.
    pub pin: Option<Pin>,
}

/// Gives proofs: asks a key or a person.
pub trait Prover: fmt::Debug + Send + Sync {
    /// The proof for one request, or why there is none.
    fn prove<'a>(
        &'a self,
        needed: &'a ProofNeeded,
        request: &'a ProvenRequest,
    ) -> BoxFuture<'a, Result<Proof, String>>;
}

/// The fewest and the most characters of a PIN.
pub const PIN_LENGTH: std::ops::RangeInclusive<usize> = 4..=64;

/// A PIN; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pin(String);

impl Pin {
    /// Takes a PIN as it was typed.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The PIN itself, for whoever sends or checks it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is wrong with it as a new one.
    ///
    /// # Errors
    /// When it is too short or too long, or cannot be typed.
    pub fn check(&self) -> Result<(), String> {
        let length = self.0.chars().count();
        if !PIN_LENGTH.contains(&length) {
            let (least, most) = (PIN_LENGTH.start(), PIN_LENGTH.end());
            return Err(format!("a PIN has {least} to {most} characters, and not {length}"));
        }
        if self.0.chars().any(char::is_control) {
            return Err("a PIN has no control characters".to_owned());
        }
        let mut chars = self.0.chars();
        let first = chars.next();
        if chars.all(|c| Some(c) == first) {
            return Err("a PIN is not one character again and again".to_owned());
        }
        Ok(())
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn pins() {
        for good in ["4711", "a long sentence that nobody guesses", "ключ1"] {
            Pin::new(good).check().unwrap();
        }
        for bad in ["", "123", "1111", "12\n4", &"12".repeat(33)] {
            assert!(Pin::new(bad).check().is_err(), "{bad:?}");
        }
        assert_eq!(format!("{:?}", Pin::new("4711")), "Pin(…)");
    }
}
