//! What is typed without echo: reviewers see it while they decide, and nothing keeps it.

use expacti_protocol::command::{CommandText, CommandView, SECRET_MASK};
use expacti_protocol::digest::Digest;

use super::Refusal;

/// Random bytes before a secret's own, thrown away afterwards.
const SALT: usize = 32;

/// A digest that stands for the bytes in what is written down. Nobody can find the bytes from it,
/// not even by trying all passwords: the salt is not kept.
pub(super) fn blind(bytes: &[u8]) -> Result<Digest, Refusal> {
    let mut salted = vec![0; SALT];
    getrandom::fill(&mut salted)
        .map_err(|e| Refusal::failed(format!("no random bytes to hide a secret with: {e}")))?;
    salted.extend_from_slice(bytes);
    Ok(Digest::of(&salted))
}

/// Takes everything out of a view that tells of the bytes.
pub(super) fn hide(view: &mut CommandView, blind: Digest) {
    view.text = CommandText { command: SECRET_MASK.to_owned(), command_base64: None };
    view.masked = Some(SECRET_MASK.to_owned());
    view.sha256 = blind;
    view.preview = None;
    view.closest = None;
    for term in &mut view.terms {
        term.span = [0, SECRET_MASK.len()];
        term.why = "not kept: typed without echo".to_owned();
    }
    for anomaly in &mut view.anomalies {
        anomaly.evidence = "not kept: typed without echo".to_owned();
    }
}
