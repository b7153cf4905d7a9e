//! What the gate says of the end of a command, signed. It is signed when it is sent: neither the command nor
//! the agent waits for that.

use expacti_protocol::command::Outcome;
use expacti_protocol::gate::GateRequest;
use expacti_protocol::ids::CommandId;
use expacti_protocol::now_micros;
use expacti_protocol::signed::SignedText;
use expacti_signing::{Delivery, REPORT_NAMESPACE, Report, ReportPurpose};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};

/// The key with which the gate signs what it reports.
pub(crate) struct Reporter {
    key: PrivateKey,
    public: String,
}

/// How a command ended, until the broker has it in its log.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    outcome: Outcome,
    at: i64,
    delivery: Option<Delivery>,
    /// The `ref` of its last report on this connection.
    pub(super) sent: Option<u64>,
}

impl Reporter {
    pub(crate) fn new(key: PrivateKey) -> Result<Self, String> {
        let public = key.public_key().to_openssh().map_err(|error| error.to_string())?;
        Ok(Self { key, public })
    }

    fn sign(&self, report: &Report) -> Option<SignedText> {
        let statement = report.text().ok()?;
        let signed =
            SshSig::sign(&self.key, REPORT_NAMESPACE, HashAlg::Sha256, statement.as_bytes());
        let signature = signed.ok()?.to_pem(LineEnding::LF).ok()?;
        Some(SignedText { statement, signature })
    }
}

impl Ended {
    /// It ended now.
    pub(super) fn now(outcome: Outcome, delivery: Option<Delivery>) -> Self {
        Self { outcome, at: now_micros(), delivery, sent: None }
    }

    /// As a message, noted as sent.
    pub(super) fn request(&mut self, r#ref: u64, id: &CommandId, by: &Reporter) -> GateRequest {
        self.sent = Some(r#ref);
        let report = Report {
            command_id: id.clone(),
            ended_at: self.at,
            gate: by.public.clone(),
            outcome: self.outcome.clone(),
            purpose: ReportPurpose::Report,
            released: self.delivery.clone(),
            version: expacti_signing::VERSION,
        };
        let report = by.sign(&report);
        GateRequest::Finished { r#ref, id: id.clone(), outcome: self.outcome.clone(), report }
    }
}
