//! What gates have signed of a command's end, checked against what its entries say.

use expacti_audit::SignedStatement;
use expacti_protocol::digest::{Digest, StreamSummary};
use expacti_protocol::signed::SignedText;
use expacti_signing::{Decision, Report, fingerprint_of};
use serde::Serialize;
use serde_json::Value;

/// A gate's word on the end of a command.
#[derive(Debug, Serialize)]
pub(super) struct Reported {
    /// The entry that has it.
    pub(super) entry: u64,
    /// The gate's key.
    pub(super) fingerprint: String,
    /// When it delivered the command, in microseconds since the Unix epoch; absent where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) released_at: Option<i64>,
    /// When it knew how the command ended.
    pub(super) ended_at: i64,
}

/// Reads the keys of gates, as fingerprints.
pub(super) fn gates(given: &[String]) -> Result<Vec<String>, String> {
    let read =
        |key: &String| fingerprint_of(key).map_err(|e| format!("{key:?} is no gate's key: {e}"));
    given.iter().map(read).collect()
}

/// Checks the reports among these entries; with `gates`, each has to be by one of them.
pub(super) fn check(entries: &[Value], gates: &[String]) -> Result<Vec<Reported>, String> {
    let submitted = entries.iter().find(|entry| text(entry, "kind") == Some("command_submitted"));
    let mut all = Vec::new();
    for entry in entries {
        if let Some(report) = entry.get("report") {
            all.push(reported(entry, report, submitted, gates)?);
        }
    }
    Ok(all)
}

fn reported(
    entry: &Value,
    report: &Value,
    submitted: Option<&Value>,
    gates: &[String],
) -> Result<Reported, String> {
    let seq = entry.get("seq").and_then(Value::as_u64).unwrap_or(0);
    let fail = |why: &str| format!("the gate's report in entry {seq} does not count: {why}");
    let SignedStatement { statement, signature } =
        serde_json::from_value(report.clone()).map_err(|e| fail(&e.to_string()))?;
    let report = Report::verify(&SignedText { statement, signature }).map_err(|e| fail(&e))?;
    let fingerprint = fingerprint_of(&report.gate).map_err(|e| fail(&e.to_string()))?;
    if !gates.is_empty() && !gates.contains(&fingerprint) {
        return Err(fail("it is by another gate than those given"));
    }
    let submitted = submitted.ok_or_else(|| fail("its submission is not there"))?;
    if text(submitted, "gate_fingerprint") != Some(&fingerprint) {
        return Err(fail("it is by another gate than the one that held the command"));
    }
    let delivered = report.released.as_ref().is_none_or(|released| {
        let item = released.item_sha256.map(|digest| digest.to_string());
        text(entry, "session_id") == Some(released.session_id.as_str())
            && text(entry, "command_sha256") == Some(&released.sha256.to_string())
            && text(submitted, "item_sha256") == item.as_deref()
    });
    if text(entry, "command_id") != Some(report.command_id.as_str()) || !delivered {
        return Err(fail("it is about another command"));
    }
    if !is_told_by(&report, entry) {
        return Err(fail("the entry says something else"));
    }
    Ok(Reported {
        entry: seq,
        fingerprint,
        released_at: report.released.map(|released| released.at),
        ended_at: report.ended_at,
    })
}

/// Whether an entry says of the end what the gate signed.
fn is_told_by(report: &Report, entry: &Value) -> bool {
    let outcome = &report.outcome;
    let number = |name: &str| entry.get(name).and_then(Value::as_u64);
    let stream = |name: &str, stream: Option<StreamSummary>| {
        number(&format!("{name}_bytes")) == stream.map(|stream| stream.bytes)
            && text(entry, &format!("{name}_sha256"))
                == stream.map(|stream| stream.sha256.to_string()).as_deref()
    };
    let same = text(entry, "comment") == outcome.unknown.as_deref();
    if text(entry, "kind") == Some("withdrawn") {
        return same && outcome.not_sent;
    }
    let kind = if outcome.unknown.is_some() { "unknown" } else { "finished" };
    same && !outcome.not_sent
        && text(entry, "kind") == Some(kind)
        && number("exit_status") == outcome.exit_status.map(u64::from)
        && text(entry, "exit_signal") == outcome.exit_signal.as_deref()
        && number("duration_us") == outcome.duration_us
        && stream("stdin", outcome.stdin)
        && stream("stdout", outcome.stdout)
        && stream("stderr", outcome.stderr)
}

/// Whether a decision is about the item that its gate stated, as the log names that.
pub(super) fn is_about_the_stated_item(decision: &Decision, entries: &[Value]) -> bool {
    let submitted = entries.iter().find(|entry| text(entry, "kind") == Some("command_submitted"));
    let Some(submitted) = submitted.filter(|entry| entry.get("item_sha256").is_some()) else {
        return true;
    };
    decision.decisions.iter().any(|allowed| {
        let digest = allowed.item.text().ok().map(|text| Digest::of(text.as_bytes()).to_string());
        text(submitted, "item_sha256") == digest.as_deref()
            && text(submitted, "gate_fingerprint")
                == fingerprint_of(&allowed.item.gate).ok().as_deref()
    })
}

/// What the entries say of an end that no gate has signed.
pub(super) fn unsigned(entries: &[Value]) -> bool {
    let ends = ["finished", "unknown"];
    entries.iter().any(|entry| {
        text(entry, "kind").is_some_and(|kind| ends.contains(&kind))
            && entry.get("report").is_none()
    })
}

pub(super) fn text<'a>(entry: &'a Value, name: &str) -> Option<&'a str> {
    entry.get(name).and_then(Value::as_str)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use expacti_protocol::command::Outcome;
    use expacti_protocol::ids::{CommandId, SessionId};
    use expacti_signing::{Delivery, REPORT_NAMESPACE, ReportPurpose};
    use russh::keys::PrivateKey;
    use russh::keys::ssh_key::private::Ed25519Keypair;
    use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};
    use serde_json::json;

    use super::*;

    fn key(seed: u8) -> PrivateKey {
        PrivateKey::new(Ed25519Keypair::from_seed(&[seed; 32]).into(), "").unwrap()
    }

    fn public(key: &PrivateKey) -> String {
        key.public_key().to_openssh().unwrap()
    }

    /// The entries of a command, as an honest broker writes them.
    fn entries(key: &PrivateKey) -> Vec<Value> {
        let (id, session) = (CommandId::new(), SessionId::new());
        let (sha256, item) = (Digest::of(b"uptime"), Digest::of(b"item"));
        let stdout = StreamSummary { bytes: 4, sha256: Digest::of(b"out\n") };
        let outcome = Outcome {
            exit_status: Some(7),
            duration_us: Some(5),
            stdout: Some(stdout),
            ..Outcome::default()
        };
        let report = Report {
            command_id: id.clone(),
            ended_at: 9,
            gate: public(key),
            outcome,
            purpose: ReportPurpose::Report,
            released: Some(Delivery {
                at: 4,
                bytes: 6,
                input: None,
                item_sha256: Some(item),
                session_id: session.clone(),
                sha256,
            }),
            version: 1,
        };
        let statement = report.text().unwrap();
        let signature =
            SshSig::sign(key, REPORT_NAMESPACE, HashAlg::Sha256, statement.as_bytes()).unwrap();
        let signature = signature.to_pem(LineEnding::LF).unwrap();
        vec![
            json!({
                "seq": 1, "kind": "command_submitted", "command_id": id.as_str(),
                "gate_fingerprint": fingerprint_of(&public(key)).unwrap(),
                "item_sha256": item.to_string(),
            }),
            json!({
                "seq": 2, "kind": "finished", "command_id": id.as_str(),
                "session_id": session.as_str(), "command_sha256": sha256.to_string(),
                "exit_status": 7, "duration_us": 5, "stdout_bytes": 4,
                "stdout_sha256": stdout.sha256.to_string(),
                "report": {"statement": statement, "signature": signature},
            }),
        ]
    }

    #[test]
    fn an_end_that_the_gate_has_not_signed_is_named() {
        let own = key(1);
        let honest = entries(&own);
        let all = check(&honest, &[]).unwrap();
        assert_eq!((all.len(), all[0].released_at, all[0].ended_at), (1, Some(4), 9));
        let finger = gates(&[public(&own)]).unwrap();
        assert!(check(&honest, &finger).is_ok() && !unsigned(&honest));
        assert!(check(&honest, &gates(&[public(&key(2))]).unwrap()).is_err());
        for (at, field, value) in [
            (1, "exit_status", json!(0)),
            (1, "exit_signal", json!("KILL")),
            (1, "duration_us", json!(6)),
            (1, "comment", json!("it went well")),
            (1, "stdout_bytes", json!(5)),
            (1, "stdout_sha256", json!(Digest::of(b"other").to_string())),
            (1, "stderr_bytes", json!(0)),
            (1, "stdin_bytes", json!(1)),
            (1, "kind", json!("unknown")),
            (1, "kind", json!("withdrawn")),
            (1, "command_id", json!(CommandId::new().as_str())),
            (1, "session_id", json!(SessionId::new().as_str())),
            (1, "command_sha256", json!(Digest::of(b"id").to_string())),
            (0, "item_sha256", json!(Digest::of(b"other").to_string())),
            (0, "gate_fingerprint", json!(gates(&[public(&key(2))]).unwrap()[0])),
        ] {
            let mut other = honest.clone();
            other[at][field] = value;
            assert!(check(&other, &[]).is_err(), "{field}");
        }
        // The report of another end, or of another gate.
        let mut other = honest.clone();
        other[1]["report"] = entries(&own)[1]["report"].clone();
        assert!(check(&other, &[]).is_err());
        let mut other = honest.clone();
        other[1]["report"] = entries(&key(2))[1]["report"].clone();
        assert!(check(&other, &[]).is_err());
        // Without one it is the broker's word, and that is said.
        let mut without = honest;
        without[1].as_object_mut().unwrap().remove("report");
        assert!(check(&without, &[]).unwrap().is_empty() && unsigned(&without));
    }
}
