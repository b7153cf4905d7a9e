//! The audit log.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use super::answer::{Answer, view};
use super::lookup::Listing;
use crate::broker::{Broker, LogVerdict};
use crate::state::{Peer, Refusal};

/// Lines of one answer of `/v1/audit`.
const AUDIT_PAGE: u64 = 10_000;

pub(super) async fn audit(
    State(broker): State<Broker>,
    peer: Peer,
    Query(listing): Query<Listing>,
) -> Result<Response, Refusal> {
    view(&peer)?;
    let limit = listing.limit.unwrap_or(AUDIT_PAGE).min(AUDIT_PAGE);
    let lines = broker.reader.audit(listing.after.unwrap_or(0), limit).await?;
    let mut text = String::new();
    for (_, line) in lines {
        text.push_str(&line);
        text.push('\n');
    }
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], text).into_response())
}

pub(super) async fn checkpoint(State(broker): State<Broker>, peer: Peer) -> Answer<()> {
    view(&peer)?;
    broker.checkpoint().await.map(Json)
}

pub(super) async fn verify(State(broker): State<Broker>, peer: Peer) -> Answer<serde_json::Value> {
    view(&peer)?;
    Ok(Json(match broker.verify_audit().await? {
        LogVerdict::Whole(good) => serde_json::json!({
            "ok": true, "entries": good.entries, "head": good.head, "checkpoints": good.checkpoints, "key": good.key,
        }),
        LogVerdict::Broken(fault) => {
            serde_json::json!({"ok": false, "seq": fault.seq, "what": fault.what})
        }
    }))
}
