//! Requests that people sign: changes of what is allowed, and whatever else decides beside a decision.

use expacti_protocol::digest::Digest;
use expacti_protocol::proof::{ProofNeeded, ProvenRequest};
use expacti_protocol::signed::SignedText;
use serde::{Deserialize, Serialize};

use crate::check::Reason;
use crate::signer::SigningKey;
use crate::signers::{Person, Signers};
use crate::sshsig::Signed;
use crate::statement::{StatementError, VERSION, parse_up_to, text_up_to};

/// What a signature of a request is made for.
pub const REQUEST_NAMESPACE: &str = "expacti-request";

/// The longest statement about a request, in bytes.
const MAX_REQUEST: usize = 16 * 1024;

/// The purpose of a [`Request`]; also the namespace of its signature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RequestPurpose {
    /// `expacti-request`.
    #[default]
    #[serde(rename = "expacti-request")]
    Request,
}

/// One request to the broker, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Who asks.
    pub by: String,
    /// What the broker gave for exactly one request.
    pub challenge: Digest,
    /// The HTTP method.
    pub method: String,
    /// The path, with a query if there is one.
    pub path: String,
    /// Always `expacti-request`.
    pub purpose: RequestPurpose,
    /// The digest of the body; of nothing, where there is none.
    pub sha256: Digest,
    /// Always 1.
    pub version: u32,
}

impl Request {
    /// A request of that person's.
    #[must_use]
    pub fn new(by: &str, challenge: Digest, method: &str, path: &str, sha256: Digest) -> Self {
        Self {
            by: by.to_owned(),
            challenge,
            method: method.to_owned(),
            path: path.to_owned(),
            purpose: RequestPurpose::Request,
            sha256,
            version: VERSION,
        }
    }

    /// The canonical text.
    ///
    /// # Errors
    /// When it cannot be written as JSON, or is too long.
    pub fn text(&self) -> Result<String, StatementError> {
        text_up_to(self, MAX_REQUEST)
    }

    /// Whose signature of exactly this request it is.
    ///
    /// # Errors
    /// When it is about another request, or nobody's.
    pub fn signer(
        &self,
        signed: &SignedText,
        signers: &Signers,
        now: i64,
    ) -> Result<Person, Reason> {
        let said: Self = parse_up_to(&signed.statement, MAX_REQUEST)?;
        if said != *self {
            return Err(Reason::Request(self.difference(&said)));
        }
        let verified = Signed::parse(&signed.signature)?
            .verify(REQUEST_NAMESPACE, signed.statement.as_bytes())?;
        Ok(signers.person(&verified, REQUEST_NAMESPACE, now)?)
    }

    fn difference(&self, said: &Self) -> &'static str {
        if said.challenge != self.challenge {
            "it was signed for another request, or too long ago"
        } else if said.by != self.by {
            "it was signed for somebody else"
        } else {
            "it is about another request"
        }
    }
}

/// Signs a request to the broker, as it asks for.
///
/// # Errors
/// When the key does not sign, with the reason.
pub async fn prove(
    key: &SigningKey,
    needed: &ProofNeeded,
    request: &ProvenRequest,
) -> Result<SignedText, String> {
    let ProvenRequest { method, path, sha256 } = request;
    let request = Request::new(&needed.person, needed.challenge, method, path, *sha256);
    let statement = request.text().map_err(|error| error.to_string())?;
    let signed = key.sign(REQUEST_NAMESPACE, statement.as_bytes()).await;
    let signature = signed.map_err(|error| error.to_string())?;
    Ok(SignedText { statement, signature })
}
