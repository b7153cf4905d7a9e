//! Notices in words and as JSON. It must never hold a secret, nor a character that moves a cursor
//! or means something to a chat.

use expacti_engine::make_visible;
use serde_json::{Value, json};

use super::notice::{Event, Notice};

/// The most characters of a command in a message.
const MAX_TEXT: usize = 500;

/// The command as one short line of visible text.
fn command(notice: &Notice) -> String {
    let view = &notice.command;
    let text = view.masked.as_ref().unwrap_or(&view.text.command);
    let line = make_visible(text.as_bytes()).text.replace(['\n', '\t'], " ");
    let mut short: String = line.chars().take(MAX_TEXT).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

/// A name an agent gave, as visible text.
fn safe(text: &str) -> String {
    make_visible(text.as_bytes()).text.replace(['\n', '\t'], " ").chars().take(100).collect()
}

/// How to decide on it.
fn review(notice: &Notice, review_url: Option<&str>) -> String {
    match review_url {
        Some(url) => url.replace("{id}", notice.command.id.as_str()),
        None => "expacti review".to_owned(),
    }
}

/// What happened, in one line without the command.
pub(super) fn headline(notice: &Notice) -> String {
    let view = &notice.command;
    let who = safe(&view.session.agent);
    let place = safe(&format!("{}@{}", view.session.user, view.session.target));
    let by = safe(view.decided_by.as_deref().unwrap_or("the system"));
    match notice.event {
        Event::Pending => {
            let anomaly = if view.anomaly { ", unusual" } else { "" };
            let escalated = if notice.escalated { "still waits: " } else { "" };
            format!("{escalated}{} {}{anomaly}: {who} asks on {place}", view.level, view.risk_score)
        }
        Event::Decided if view.allow == Some(true) => format!("allowed by {by}: {who} on {place}"),
        Event::Decided => format!("denied by {by}: {who} on {place}"),
        Event::Expired => format!("nobody decided in time: {who} on {place} was denied"),
    }
}

/// Everything in one text: headline, command, what to do.
pub(super) fn text(notice: &Notice, review_url: Option<&str>) -> String {
    let mut text = format!("{}\n{}", headline(notice), command(notice));
    if let Some(sentence) = &notice.command.headline {
        text.push_str(&format!("\n({})", make_visible(sentence.as_bytes()).text));
    }
    if notice.event == Event::Pending {
        let people = &notice.command.may_decide;
        text.push_str(&format!(
            "\n{} s to decide: {}",
            notice.command.timeout_seconds,
            review(notice, review_url)
        ));
        if notice.command.requirement.policy.is_some() && !people.is_empty() {
            text.push_str(&format!(
                "\n{} of {}",
                notice.command.approvals_missing,
                safe(&people.join(", "))
            ));
        }
    }
    text
}

/// The generic form.
pub(super) fn generic(notice: &Notice, review_url: Option<&str>, at: i64) -> Value {
    let view = &notice.command;
    json!({
        "type": "expacti",
        "event": notice.event,
        "escalated": notice.escalated,
        "time": at,
        "title": headline(notice),
        "review": review(notice, review_url),
        "command": {
            "id": view.id,
            "session_id": view.session_id,
            "state": view.state,
            "kind": view.kind,
            "command": command(notice),
            "headline": view.headline,
            "risk_score": view.risk_score,
            "level": view.level,
            "anomaly_reasons": view.anomaly_reasons,
            "agent": view.session.agent,
            "target": view.session.target,
            "user": view.session.user,
            "cwd": view.cwd,
            "requirement": view.requirement.why,
            "may_decide": view.may_decide,
            "approvals_missing": view.approvals_missing,
            "deadline_ms": view.deadline_ms,
            "decided_by": view.decided_by,
            "comment": view.comment,
        },
    })
}

/// For Slack: `<`, `>` and `&` begin links, mentions and entities there.
pub(super) fn slack(notice: &Notice, review_url: Option<&str>) -> Value {
    let text =
        text(notice, review_url).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({"text": format!("expacti {text}")})
}

/// For Discord: nobody is mentioned, and no formatting of the agent's counts.
pub(super) fn discord(notice: &Notice, review_url: Option<&str>) -> Value {
    let text = text(notice, review_url).replace('`', "'");
    json!({"content": format!("expacti\n```\n{text}\n```"), "allowed_mentions": {"parse": []}})
}

/// For Telegram: plain text, which it shows as it is.
pub(super) fn telegram(notice: &Notice, review_url: Option<&str>, chat: &str) -> Value {
    json!({
        "chat_id": chat,
        "text": format!("expacti {}", text(notice, review_url)),
        "disable_web_page_preview": true,
    })
}
