//! What the screen asks the broker for over HTTP. It must never be needed for a decision.

use std::sync::Arc;

use expacti_engine::Rule;
use expacti_protocol::client::{Client, ClientError};
use expacti_protocol::command::CommandView;
use expacti_protocol::http::Status;

use crate::model::{Answer, Fetch};
use crate::recording::Recording;

/// Commands that a proposed rule is tested against.
const TESTED: usize = 2_000;
/// Commands of the history.
const HISTORY: usize = 500;
/// Commands that are looked through for permissions in force.
const GRANTS: usize = 200;
/// Entries of the audit log.
const AUDIT: u64 = 500;

/// Asks, and says in one line what failed.
pub(crate) async fn fetch(client: &Client, what: &Fetch) -> Result<Answer, String> {
    ask(client, what).await.map_err(|e| e.to_string())
}

async fn ask(client: &Client, what: &Fetch) -> anyhow::Result<Answer> {
    Ok(match what {
        Fetch::Past(session) => {
            let path = format!("/v1/commands?session={session}&limit=12");
            Answer::Commands(client.get(&path).await?)
        }
        Fetch::Sessions => Answer::Sessions(client.get("/v1/sessions?limit=30").await?),
        Fetch::Grants => Answer::Commands(commands(client, GRANTS).await?),
        Fetch::Recording(session) => {
            let path = format!("/v1/sessions/{session}/recording");
            let bytes = client.get_bytes(&path).await?;
            let read = tokio::task::spawn_blocking(move || Recording::parse(bytes.as_ref()));
            Answer::Recording(Arc::new(read.await??))
        }
        Fetch::History => Answer::Commands(commands(client, HISTORY).await?),
        Fetch::Rules => Answer::Rules(client.get("/v1/rules").await?),
        Fetch::Audit => {
            let status: Status = client.get("/v1/status").await?;
            let after = status.audit_entries.saturating_sub(AUDIT);
            let bytes = client.get_bytes(&format!("/v1/audit?after={after}")).await?;
            Answer::Lines(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
        }
        Fetch::Candidates(view) => {
            let past = commands(client, TESTED).await?;
            let view = view.clone();
            let now = expacti_protocol::now_micros();
            let work =
                tokio::task::spawn_blocking(move || crate::propose::candidates(&view, &past, now));
            Answer::Candidates(work.await?)
        }
        Fetch::AddRule(rule) => {
            let added: Rule = client.post("/v1/rules", rule.as_ref()).await?;
            Answer::Done(format!("rule {} added: {}", added.id, added.pattern))
        }
        Fetch::Pause(session, pause) => {
            let word = if *pause { "pause" } else { "resume" };
            let path = format!("/v1/sessions/{session}/{word}");
            let _: serde_json::Value = client.post(&path, &serde_json::json!({})).await?;
            Answer::Done(format!("session {}: {word}d", session.short()))
        }
    })
}

async fn commands(client: &Client, limit: usize) -> Result<Vec<CommandView>, ClientError> {
    client.get(&format!("/v1/commands?limit={limit}")).await
}
