//! `expacti audit prove`, `audit bundle`, and their verification without a broker.

use std::path::Path;

use expacti_audit::{Evidence, NoteKey, Proven, SignedStatement, encode_hash};
use expacti_broker::{CONTENTS_NAMESPACE, Contents, RecordingDigest, check_statement};
use expacti_heads::{check_ed25519, read_ed25519};
use expacti_protocol::exit;
use expacti_signing::{
    AllowedSigners, DECISION_NAMESPACE, Decision, Presence, Revoked, Signed, Signers,
};
use serde::Serialize;
use serde_json::Value;

use super::audit::describe;
use super::audit_reports::{self, Reported};
use crate::broker::Link;
use crate::cli::VerifyArgs;
use crate::failure::{Failure, Outcome};
use crate::print;

/// Asks for the proof of a command's entries and writes it, as a bundle or without what only that has.
pub(super) async fn write(link: &Link, id: &str, out: Option<&Path>, bundle: bool) -> Outcome {
    let evidence: Evidence = link.client.get(&format!("/v1/proofs/{id}")).await?;
    let evidence = if bundle { evidence.into_bundle() } else { evidence.into_proof() };
    // What the broker sends has to hold before it is handed on.
    let key = read_ed25519(&evidence.key);
    let key = key.ok_or_else(|| Failure::failed("the broker's key is no Ed25519 key"))?;
    let proven = evidence.verify(key, &[], &check_ed25519).map_err(|e| e.to_string());
    proven
        .and_then(|proven| contents(&evidence, &proven))
        .map_err(|e| Failure::failed(format!("the broker's proof does not hold: {e}")))?;
    let Some(path) = out else {
        print::json(&evidence)?;
        return Ok(exit::OK);
    };
    let mut text = serde_json::to_vec_pretty(&evidence)?;
    text.push(b'\n');
    std::fs::write(path, text)
        .map_err(|e| Failure::failed(format!("failed to write {}: {e}", path.display())))?;
    let (count, path) = (evidence.entries.len(), path.display());
    print::note(&format!("wrote {count} entries about {} to {path}", evidence.command));
    Ok(exit::OK)
}

/// A signature of a person over the command.
#[derive(Debug, Serialize)]
struct Signature {
    /// The entry that has it.
    entry: u64,
    /// Who, by the list of signers.
    person: Option<String>,
    fingerprint: String,
    /// What a security key says; absent for keys of other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    touched: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
}

/// What a document proves, and what it does not.
#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    command: String,
    origin: String,
    size: u64,
    root: String,
    key: String,
    entries: Vec<Value>,
    signatures: Vec<Signature>,
    reports: Vec<Reported>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<RecordingDigest>,
    witnesses: Vec<String>,
    not_proven: Vec<String>,
}

/// Verifies a proof or a bundle.
pub(super) fn verify(path: &Path, args: &VerifyArgs, json: bool) -> Outcome {
    let text = read(path)?;
    let signers = args.signers.as_deref().map(|list| signers(list, args.revoked.as_deref()));
    let signers = signers.transpose()?;
    let witnesses = witnesses(&args.witness)?;
    let gates = audit_reports::gates(&args.gate).map_err(Failure::usage)?;
    let given = Given { key: args.key.as_deref(), signers: signers.as_ref(), gates, witnesses };
    match check(&text, &given) {
        Ok(report) if json => print::json(&report)?,
        Ok(report) => show(&report)?,
        Err(why) => {
            if json {
                print::json(&serde_json::json!({"ok": false, "what": why}))?;
            } else {
                print::note(&format!("{} proves nothing: {}", path.display(), print::safe(&why)));
            }
            return Ok(exit::FAILED);
        }
    }
    Ok(exit::OK)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|e| Failure::failed(format!("failed to read {}: {e}", path.display())))
}

fn signers(list: &Path, revoked: Option<&Path>) -> Result<Signers, Failure> {
    let faults = |path: &Path, faults: Vec<expacti_signing::SignersFault>| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Failure::failed(format!("{}: {}", path.display(), faults.join("; ")))
    };
    let text = String::from_utf8(read(list)?)
        .map_err(|_| Failure::failed(format!("{} is no text", list.display())))?;
    let allowed = AllowedSigners::parse(&text).map_err(|found| faults(list, found))?;
    let revoked = match revoked {
        Some(path) => Revoked::parse(read(path)?).map_err(|found| faults(path, found))?,
        None => Revoked::default(),
    };
    Ok(Signers { allowed, revoked })
}

/// The keys of witnesses, as they hand them on.
pub(super) fn witnesses(given: &[String]) -> Result<Vec<NoteKey>, Failure> {
    let read = |text: &String| {
        NoteKey::parse(text.trim()).filter(NoteKey::is_witness).ok_or_else(|| {
            Failure::usage(format!("{text:?} is no key of a witness: expected NAME+ID+BASE64"))
        })
    };
    given.iter().map(read).collect()
}

/// What a document is checked against.
struct Given<'a> {
    key: Option<&'a str>,
    signers: Option<&'a Signers>,
    /// Fingerprints of gates' keys.
    gates: Vec<String>,
    witnesses: Vec<NoteKey>,
}

fn check(text: &[u8], given: &Given<'_>) -> Result<Report, String> {
    let Given { key: wanted, signers, gates, witnesses } = given;
    let evidence = Evidence::parse(text).map_err(|e| e.to_string())?;
    let public = read_ed25519(&evidence.key).ok_or("its key is no Ed25519 key")?;
    if let Some(wanted) = *wanted
        && read_ed25519(wanted).ok_or("the key that was given is no Ed25519 key")? != public
    {
        return Err("it is signed by another key than the one given".to_owned());
    }
    let proven = evidence.verify(public, witnesses, &check_ed25519).map_err(|e| e.to_string())?;
    let recording = contents(&evidence, &proven)?;
    let Proven { head, entries } = proven;
    let mut signatures = Vec::new();
    for entry in &entries {
        for signed in signed(entry) {
            signatures.push(signature(entry, &signed?, *signers, &entries)?);
        }
    }
    let reports = audit_reports::check(&entries, gates)?;
    let mut not_proven = not_proven(given, &signatures, recording.as_ref());
    not_proven.extend(not_witnessed(&evidence, given)?);
    not_proven.extend(not_reported(&entries, given, &reports));
    not_proven.extend(otherwise_decided(&entries, &signatures));
    Ok(Report {
        ok: true,
        command: evidence.command,
        origin: head.origin,
        size: head.size,
        root: encode_hash(&head.root),
        key: evidence.key,
        entries,
        signatures,
        reports,
        recording,
        witnesses: witnesses.iter().map(|key| key.name().to_owned()).collect(),
        not_proven,
    })
}

fn signed(entry: &Value) -> impl Iterator<Item = Result<SignedStatement, String>> {
    let all = entry.get("signed").and_then(Value::as_array).into_iter().flatten();
    all.map(|one| {
        serde_json::from_value(one.clone())
            .map_err(|e| format!("what was signed is unreadable: {e}"))
    })
}

/// Whose signature it is, if it is over the command of the entry.
fn signature(
    entry: &Value,
    signed: &SignedStatement,
    signers: Option<&Signers>,
    entries: &[Value],
) -> Result<Signature, String> {
    let seq = entry.get("seq").and_then(Value::as_u64).unwrap_or(0);
    let fail = |why: String| format!("a signature of entry {seq} does not count: {why}");
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let verified = Signed::parse(&signed.signature)
        .and_then(|s| s.verify(DECISION_NAMESPACE, signed.statement.as_bytes()))
        .map_err(|e| fail(e.to_string()))?;
    let decision = Decision::parse(&signed.statement).map_err(|e| fail(e.to_string()))?;
    let is_it = |item: &expacti_signing::Item| {
        text("command_sha256") == Some(item.sha256.to_string().as_str())
            && text("session_id") == Some(item.session_id.as_str())
    };
    if !decision.decisions.iter().any(|allowed| is_it(&allowed.item)) {
        return Err(fail("it is not about this command".to_owned()));
    }
    if !audit_reports::is_about_the_stated_item(&decision, entries) {
        return Err(fail("it is about another item than the gate held".to_owned()));
    }
    let time = text("time").and_then(|time| time.parse::<jiff::Timestamp>().ok());
    let time = time.ok_or_else(|| fail("the entry has no time".to_owned()))?;
    let person = match signers {
        Some(signers) => Some(
            signers
                .person(&verified, DECISION_NAMESPACE, time.as_second())
                .map_err(|e| fail(e.to_string()))?
                .name,
        ),
        None => None,
    };
    let presence = verified.presence();
    Ok(Signature {
        entry: seq,
        person,
        fingerprint: verified.key().fingerprint(),
        touched: presence.map(|Presence { touched, .. }| touched),
        verified: presence.map(|Presence { verified, .. }| verified),
    })
}

/// Checks that the entries are those of which the broker signed that there are no others, and returns what it
/// signed of the recording.
fn contents(evidence: &Evidence, proven: &Proven) -> Result<Option<RecordingDigest>, String> {
    let SignedStatement { statement, signature } = &evidence.contents;
    if !check_statement(&evidence.key, CONTENTS_NAMESPACE, statement, signature) {
        return Err("the broker's signature of the contents does not fit".to_owned());
    }
    let read: Contents = serde_json::from_str(statement)
        .map_err(|e| format!("what the broker signed of the contents is unreadable: {e}"))?;
    let same = read.purpose == CONTENTS_NAMESPACE
        && read.version == 1
        && read.command == evidence.command
        && read.size == proven.head.size
        && read.entries.iter().eq(evidence.entries.iter().map(|entry| &entry.index));
    if !same {
        return Err("the entries are not those that the broker signed for".to_owned());
    }
    let of_session = |entry: &Value, recording: &RecordingDigest| {
        entry.get("session_id").and_then(Value::as_str) == Some(recording.session_id.as_str())
    };
    if read.recording.iter().any(|r| proven.entries.iter().any(|entry| !of_session(entry, r))) {
        return Err("the recording is that of another session".to_owned());
    }
    Ok(read.recording)
}

/// Witnesses whose word was not checked.
fn not_witnessed(evidence: &Evidence, given: &Given<'_>) -> Result<Vec<String>, String> {
    let lines = evidence.cosigned().map_err(|e| e.to_string())?;
    let unknown = lines.iter().filter(|line| !given.witnesses.iter().any(|key| key.made(line)));
    let say = |name: &str| {
        format!("that {} has seen the log: give its key with --witness", print::safe(name))
    };
    Ok(unknown.map(|line| say(&line.name)).collect())
}

/// What of the end is only the broker's word.
fn not_reported(entries: &[Value], given: &Given<'_>, reports: &[Reported]) -> Vec<String> {
    let mut all = Vec::new();
    if audit_reports::unsigned(entries) {
        all.push("how it ended: no gate has signed that, only the broker says it".to_owned());
    }
    if !reports.is_empty() && given.gates.is_empty() {
        all.push("whose gate reported it: give the gate's key with --gate".to_owned());
    }
    all
}

/// People who signed, where the log names others.
fn otherwise_decided(entries: &[Value], signatures: &[Signature]) -> Vec<String> {
    let mut all = Vec::new();
    for Signature { entry, person, .. } in signatures {
        let Some(person) = person else { continue };
        let found = entries.iter().find(|e| e.get("seq").and_then(Value::as_u64) == Some(*entry));
        let by = |name| found.and_then(|found| audit_reports::text(found, name));
        let Some(named) = by("decided_by").or_else(|| by("by")) else { continue };
        if !named.split(',').any(|name| name.trim() == person) {
            let (named, person) = (print::safe(named), print::safe(person));
            all.push(format!(
                "that it was {named} who decided, as entry {entry} says: {person} signed"
            ));
        }
    }
    all
}

fn not_proven(
    given: &Given<'_>,
    signatures: &[Signature],
    recording: Option<&RecordingDigest>,
) -> Vec<String> {
    let Given { key, signers, witnesses, .. } = given;
    let mut all = Vec::new();
    if key.is_none() {
        all.push("whose log it is: compare the key with the broker's own, or give it with --key");
    }
    if signatures.is_empty() {
        all.push("that a person allowed it: the entries have no signature, only the broker's word");
    } else if signers.is_none() {
        all.push("whose signatures these are: give the list of signers with --signers");
    }
    if signatures.iter().any(|signature| signature.touched == Some(false)) {
        all.push("that somebody touched the security key: one signed without");
    }
    if witnesses.is_empty() {
        all.push("that others see the same log: no witness was asked for (--witness)");
    }
    all.push("that the log has all that happened: it has what the broker wrote down");
    match recording {
        Some(RecordingDigest { complete: false, .. }) => {
            all.push("how the recording goes on: the session was not over");
        }
        Some(_) => all.push("what is in the recording: compare the file with its digest"),
        None => {}
    }
    all.into_iter().map(str::to_owned).collect()
}

fn show(report: &Report) -> Result<(), Failure> {
    print::line("proven:")?;
    print::line(&format!(
        "  the log {} of {} entries, root {}, is signed by {}",
        report.origin,
        report.size,
        report.root,
        print::safe(&report.key)
    ))?;
    for witness in &report.witnesses {
        print::line(&format!("  {witness} has seen that log"))?;
    }
    print::line(&format!("  it has these entries about {}:", print::safe(&report.command)))?;
    for entry in &report.entries {
        print::line(&format!("  {}", describe(entry)))?;
    }
    print::line(&format!("  and, says the broker, no others up to entry {}", report.size))?;
    for Signature { entry, person, fingerprint, touched, verified } in &report.signatures {
        let person = person.as_deref().map_or("somebody".to_owned(), print::safe);
        let presence = match (touched, verified) {
            (Some(true), Some(true)) => ", touched, with a PIN or a finger",
            (Some(true), _) => ", touched",
            (Some(false), _) => ", not touched",
            (None, _) => "",
        };
        print::line(&format!(
            "  {person} signed for exactly this command (entry {entry}), key {fingerprint}{presence}"
        ))?;
    }
    for Reported { entry, fingerprint, released_at, .. } in &report.reports {
        let what = if released_at.is_some() {
            "what it delivered and how that ended"
        } else {
            "how it ended"
        };
        print::line(&format!(
            "  the gate with the key {fingerprint} signed {what} (entry {entry})"
        ))?;
    }
    if let Some(recording) = &report.recording {
        print::line(&format!(
            "  the recording of {} has {} bytes and the SHA-256 {}",
            print::safe(&recording.session_id),
            recording.bytes,
            print::safe(&recording.sha256)
        ))?;
    }
    print::line("not proven:")?;
    for what in &report.not_proven {
        print::line(&format!("  {what}"))?;
    }
    Ok(())
}
