//! The gate that holds an item, and what it has signed of it. Pure.

use expacti_audit::Entry;
use expacti_protocol::command::{CommandView, Outcome, Submission};
use expacti_protocol::digest::Digest;
use expacti_protocol::session::SessionInfo;
use expacti_protocol::signed::SignedText;
use expacti_signing::{Item, Report, fingerprint_of};
use serde_json::Value;

use super::ports::Refusal;

/// The gate that holds an item, as the log has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its name.
    pub(super) name: Option<String>,
    /// Its key and the item that it signed, if it signs.
    pub(super) stated: Option<Stated>,
}

/// An item in the gate's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stated {
    /// The fingerprint of the gate's key.
    pub(super) key: String,
    /// The digest of its statement.
    pub(super) item_sha256: Digest,
}

impl Holder {
    /// With what is written down of it.
    pub(super) fn into_entry(self, entry: Entry) -> Entry {
        let entry = entry.with_some("gate", self.name);
        match self.stated {
            Some(Stated { key, item_sha256 }) => {
                entry.with("gate_fingerprint", key).with("item_sha256", item_sha256.to_string())
            }
            None => entry,
        }
    }

    /// From the entry of the submission.
    pub(super) fn of_entry(line: &str) -> Option<Self> {
        let entry: Value = serde_json::from_str(line).ok()?;
        let text = |name: &str| Some(entry.get(name)?.as_str()?.to_owned());
        if text("kind")? != "command_submitted" {
            return None;
        }
        let stated = text("gate_fingerprint").zip(text("item_sha256"));
        let stated = match stated {
            Some((key, digest)) => Some(Stated { key, item_sha256: digest.parse().ok()? }),
            None => None,
        };
        Some(Self { name: text("gate"), stated })
    }
}

pub(super) fn refused(why: &str) -> Refusal {
    Refusal::not_entitled(why)
}

/// Whether a statement is about exactly this submission.
pub(super) fn is_about(
    item: &Item,
    submission: &Submission,
    length: usize,
    info: &SessionInfo,
) -> bool {
    let same = Item::of(submission, length, info, item.gate.clone(), [0; 32], item.made_at);
    // The broker knows more of a session than the gate, and shows less of it.
    let same = Item { session: item.session.clone(), challenge: item.challenge, ..same };
    same == *item
}

/// The report, if there is one and it is about exactly this.
pub(super) fn check_report(
    view: &CommandView,
    stated: Option<&Stated>,
    outcome: &Outcome,
    report: Option<&SignedText>,
) -> Result<Option<Report>, Refusal> {
    let (stated, signed) = match (stated, report) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(refused("the gate has not signed what it reports on")),
        (Some(_), None) => {
            return Err(refused("the gate signs what it reports, and has not signed this"));
        }
        (Some(stated), Some(signed)) => (stated, signed),
    };
    let report = Report::verify(signed)
        .map_err(|e| refused(&format!("the gate's report does not count: {e}")))?;
    let same_key = fingerprint_of(&report.gate).as_ref() == Ok(&stated.key);
    let delivered = report.released.as_ref().is_none_or(|released| {
        released.session_id == view.session_id && released.item_sha256 == Some(stated.item_sha256)
    });
    if same_key && delivered && report.command_id == view.id && report.outcome == *outcome {
        Ok(Some(report))
    } else {
        Err(refused("the gate's report is about something else, or by another gate"))
    }
}
