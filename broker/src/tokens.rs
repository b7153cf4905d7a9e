//! Bearer tokens. What is kept of one is its digest.

use expacti_protocol::digest::Digest;

use crate::state::Refusal;

/// A new bearer token: 256 random bits.
pub(crate) fn new_token() -> Result<String, Refusal> {
    let mut raw = [0_u8; 32];
    getrandom::fill(&mut raw).map_err(|e| Refusal::failed(format!("no randomness: {e}")))?;
    Ok(format!("expacti_{}", hex::encode(raw)))
}

/// What is kept of a token. It is random in full, so a plain digest cannot be guessed back.
pub(crate) fn token_hash(token: &str) -> String {
    Digest::of(token.as_bytes()).to_string()
}
