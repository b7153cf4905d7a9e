//! What the screen asks the broker for over HTTP. It must never be needed for a decision.

use std::sync::Arc;

use expacti_engine::Rule;
use expacti_protocol::client::{Client, ClientError};
use expacti_protocol::command::CommandView;
use expacti_protocol::http::{Change, Changed, RuleView, Status};
use expacti_protocol::ids::SessionId;

use crate::model::{Answer, Choice, Fetch, Rulebook, Subject};
use crate::recording::Recording;

/// Commands that a proposed rule is tested against.
const TESTED: usize = 2_000;
/// Commands of the history.
const HISTORY: usize = 500;
/// Commands of a session whose recording is played.
const CHAPTERS: usize = 10_000;
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
        Fetch::SessionCommands(session) => {
            let path = format!("/v1/commands?session={session}&limit=12");
            Answer::Commands(client.get(&path).await?)
        }
        Fetch::Sessions => Answer::Sessions(client.get("/v1/sessions?limit=30").await?),
        Fetch::Grants => Answer::Commands(commands(client, GRANTS).await?),
        Fetch::Recording(session) => {
            let path = format!("/v1/sessions/{session}/recording");
            let bytes = client.get_bytes(&path).await?;
            let read = tokio::task::spawn_blocking(move || Recording::parse(bytes.as_ref()));
            // How dangerous each chapter was; without it they are only grey.
            let path = format!("/v1/commands?session={session}&limit={CHAPTERS}");
            let commands = client.get(&path).await.unwrap_or_default();
            Answer::Recording(Arc::new(read.await??), commands)
        }
        Fetch::History => Answer::Commands(commands(client, HISTORY).await?),
        Fetch::Rules => Answer::Rules(Box::new(Rulebook {
            rules: client.get("/v1/rules").await?,
            policies: client.get("/v1/policies").await?,
            changes: client.get("/v1/changes").await?,
        })),
        Fetch::Changes => Answer::Changes(client.get("/v1/changes").await?),
        Fetch::Vote(subject, choice) => Answer::Done(vote(client, subject, *choice).await?),
        Fetch::Audit => {
            let status: Status = client.get("/v1/status").await?;
            let after = status.audit_entries.saturating_sub(AUDIT);
            let bytes = client.get_bytes(&format!("/v1/audit?after={after}")).await?;
            Answer::Lines(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
        }
        Fetch::Candidates(view) => {
            let past = commands(client, TESTED).await?;
            let rules: Vec<Rule> = client.get("/v1/rules").await?;
            let view = view.clone();
            let now = expacti_protocol::now_micros();
            let work = move || crate::propose::candidates(&view, &past, &rules, now);
            Answer::Candidates(tokio::task::spawn_blocking(work).await?)
        }
        Fetch::AddRule(rule) => {
            let added: Rule = client.post("/v1/rules", rule.as_ref()).await?;
            Answer::Done(format!("rule {} added: {}", added.id, added.pattern))
        }
        Fetch::Pause(session) => {
            control(client, session, "pause").await?;
            Answer::Done(format!("session {}: paused", session.short()))
        }
        Fetch::Resume(session) => {
            control(client, session, "resume").await?;
            Answer::Done(format!("session {}: resumed", session.short()))
        }
    })
}

/// Pauses a session, or lets it go on.
async fn control(client: &Client, session: &SessionId, what: &str) -> Result<(), ClientError> {
    let _: serde_json::Value =
        client.post(&format!("/v1/sessions/{session}/{what}"), &serde_json::json!({})).await?;
    Ok(())
}

/// Votes, and says what came of it.
async fn vote(client: &Client, subject: &Subject, choice: Choice) -> anyhow::Result<String> {
    let none = serde_json::json!(null);
    let (Subject::Rule(id) | Subject::Change(id)) = subject;
    if !id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b)) {
        anyhow::bail!("its id is not one that can be asked for");
    }
    Ok(match (subject, choice) {
        (Subject::Rule(_), Choice::Drop) => anyhow::bail!("only a change can be dropped"),
        (Subject::Rule(id), Choice::Approve) => {
            let _: RuleView = client.post(&format!("/v1/rules/{id}/approve"), &none).await?;
            "you have approved the rule".to_owned()
        }
        (Subject::Change(id), Choice::Approve) => {
            let path = format!("/v1/changes/{id}/approve");
            let answer: Changed<Change> = client.post(&path, &none).await?;
            match answer {
                Changed::Done(_) => "approved, and carried out".to_owned(),
                Changed::Waiting { change } => format!("approved: {} more needed", change.missing),
            }
        }
        (Subject::Change(id), Choice::Drop) => {
            let _: Change = client.delete(&format!("/v1/changes/{id}")).await?;
            "dropped: nothing changes".to_owned()
        }
    })
}

async fn commands(client: &Client, limit: usize) -> Result<Vec<CommandView>, ClientError> {
    client.get(&format!("/v1/commands?limit={limit}")).await
}
