//! Signed heads of the log, and proofs for those who keep one.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use expacti_audit::{Evidence, NoteSignature};
use expacti_protocol::ids::SessionId;
use serde::Deserialize;
use sha2::Digest as _;
use tokio::io::AsyncReadExt as _;

use super::answer::{Answer, view};
use super::lookup::find_command;
use crate::broker::Broker;
use crate::proofs::{Consistency, RecordingDigest};
use crate::state::{Peer, Refusal};

/// What is asked of a head.
#[derive(Deserialize)]
pub(super) struct From {
    /// How many lines the earlier head has.
    from: u64,
}

/// A head says nothing of what is in the log: who may ask anything may ask for it, gates too.
pub(super) async fn checkpoint(
    State(broker): State<Broker>,
    _peer: Peer,
) -> Result<Response, Refusal> {
    let mut note = broker.up_to_head().await?.checkpoint()?;
    note.extend(broker.cosignatures(&note).iter().map(NoteSignature::text));
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

pub(super) async fn consistency(
    State(broker): State<Broker>,
    _peer: Peer,
    Query(From { from }): Query<From>,
) -> Answer<Consistency> {
    broker.up_to_head().await?.consistency(from).map(Json)
}

pub(super) async fn command(
    State(broker): State<Broker>,
    peer: Peer,
    Path(id): Path<String>,
) -> Answer<Evidence> {
    view(&peer)?;
    let found = find_command(&broker, &id).await?;
    let recording = recording(&broker, &found.session_id).await?;
    let id = found.id.as_str();
    let mut log = broker.up_to_head().await?;
    let (size, lines) = (log.size(), broker.reader.audit_about(id, log.size()).await?);
    let mut evidence = log.evidence(id, lines, recording)?;
    drop(log);
    broker.cosign(size, &evidence.checkpoint).await;
    let lines = broker.cosignatures(&evidence.checkpoint);
    evidence.cosignatures = lines.iter().map(|line| line.text().trim_end().to_owned()).collect();
    Ok(Json(evidence))
}

/// What is there of a session's recording.
async fn recording(
    broker: &Broker,
    session: &SessionId,
) -> Result<Option<RecordingDigest>, Refusal> {
    let failed = |e: std::io::Error| {
        Refusal::failed(format!("failed to read the recording of {session}: {e}"))
    };
    // Asked before it is read: a session that ends meanwhile is not said to be over.
    let wanted = session.clone();
    let open = broker.handle.run(move |s, _, _| Ok(s.sessions.get(&wanted).is_some())).await?;
    let mut file = match tokio::fs::File::open(broker.recordings.path(session)).await {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let (mut digest, mut bytes) = (sha2::Sha256::new(), 0_u64);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer).await.map_err(failed)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        digest.update(chunk);
        bytes = bytes.saturating_add(read as u64);
    }
    Ok(Some(RecordingDigest {
        bytes,
        complete: !open,
        session_id: session.to_string(),
        sha256: hex::encode(digest.finalize()),
    }))
}
