//! One piece of news. It must never hold a secret.

use std::sync::Arc;

use expacti_engine::Requirement;
use expacti_protocol::command::{CommandState, CommandText, CommandView, ItemKind, StdinTreatment};
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::session::SessionInfo;

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A reviewer allowed or denied.
    Decided,
    /// Nobody decided in time.
    Expired,
    /// A command waits, or others are asked as well by now.
    Pending,
}

/// One piece of news; its command holds no secret.
#[derive(Debug, Clone)]
pub(crate) struct Notice {
    pub(crate) event: Event,
    pub(crate) escalated: bool,
    pub(crate) command: Arc<CommandView>,
}

/// A made-up command, for test messages.
pub(super) fn example(command: &str) -> CommandView {
    let session = SessionInfo {
        agent: "test".to_owned(),
        target: "nowhere".to_owned(),
        user: "nobody".to_owned(),
        ..SessionInfo::default()
    };
    let context = expacti_engine::Context::default();
    let assessment = expacti_engine::assess(command.as_bytes(), &context);
    let masked = expacti_engine::mask_secrets(command.as_bytes());
    let now = expacti_protocol::now_micros();
    CommandView {
        taints: None,
        tainted: None,
        id: CommandId::new(),
        session_id: SessionId::new(),
        text: CommandText::new(command.as_bytes()),
        masked: masked.masked.then_some(masked.text),
        sha256: Digest::of(command.as_bytes()),
        revision: 1,
        state: CommandState::Pending,
        kind: ItemKind::Exec,
        headline: None,
        parent: None,
        cwd: "~".to_owned(),
        shell: None,
        timestamp: now.div_euclid(1_000_000),
        risk_score: assessment.score,
        level: assessment.level,
        terms: assessment.terms,
        uninspectable: assessment.uninspectable,
        anomaly: false,
        anomaly_reasons: Vec::new(),
        anomalies: Vec::new(),
        session,
        pty: None,
        stdin: StdinTreatment::Data,
        input: None,
        dropped_env: Vec::new(),
        env: Vec::new(),
        notes: Vec::new(),
        interactive: None,
        preview: None,
        item: None,
        grant: None,
        rule_why: "no rules".to_owned(),
        closest: None,
        requirement: Requirement::default(),
        votes: Vec::new(),
        approvals_missing: 1,
        may_decide: Vec::new(),
        deadline_ms: now.div_euclid(1000).saturating_add(60_000),
        timeout_seconds: 60,
        retry_of_denied: false,
        allow: None,
        decided_by: None,
        comment: None,
        decided_at: None,
        outcome: None,
        recording_offset: None,
    }
}

/// What `expacti webhook test` sends.
pub(super) fn test_notice() -> Notice {
    let command = "echo 'this is a test of expacti; nothing waits'";
    Notice { event: Event::Pending, escalated: false, command: Arc::new(example(command)) }
}

#[cfg(test)]
pub(super) fn notice(command: &str) -> Notice {
    #[allow(clippy::unwrap_used)]
    let shown = crate::state::for_viewer(example(command)).unwrap();
    Notice { event: Event::Pending, escalated: false, command: Arc::new(shown.into_inner()) }
}
