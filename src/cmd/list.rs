//! `expacti pending`, `sessions`, `kill`, `pause`, `resume`.

use expacti_protocol::command::CommandView;
use expacti_protocol::session::SessionView;

use crate::broker::Link;
use crate::cmd::decide::urlencode;
use crate::config::Config;
use crate::failure::Outcome;
use crate::print;

/// `expacti pending`.
pub(crate) async fn pending(config: &Config, json: bool) -> Outcome {
    let link = Link::online(config)?;
    let all: serde_json::Value = link.client.get("/v1/pending").await?;
    if json {
        print::json(&all)?;
        return Ok(0);
    }
    let all: Vec<CommandView> = serde_json::from_value(all)?;
    if all.is_empty() {
        print::note("nothing waits for a decision");
        return Ok(0);
    }
    let now_ms = expacti_protocol::now_micros() / 1000;
    let rows: Vec<_> = all
        .iter()
        .map(|c| {
            let anomaly = if c.anomaly { " !" } else { "" };
            vec![
                c.id.to_string(),
                format!("{} {}{anomaly}", c.risk_score, print::level(c.level)),
                print::span((c.deadline_ms - now_ms) / 1000),
                print::safe(&c.session.agent),
                print::safe(&format!("{}@{}", c.session.user, c.session.target)),
                match &c.headline {
                    Some(sentence) => print::safe(&format!("{} ({sentence})", c.text.command)),
                    None => print::safe(c.masked.as_ref().unwrap_or(&c.text.command)),
                },
            ]
        })
        .collect();
    print::table(&["ID", "RISK", "LEFT", "AGENT", "TARGET", "COMMAND"], &rows)?;
    Ok(0)
}

/// `expacti sessions`.
pub(crate) async fn sessions(config: &Config, limit: u64, json: bool) -> Outcome {
    let link = Link::any(config).await?;
    let all: Vec<SessionView> = link.client.get(&format!("/v1/sessions?limit={limit}")).await?;
    link.close().await;
    if json {
        print::json(&all)?;
        return Ok(0);
    }
    let rows: Vec<_> = all
        .iter()
        .map(|s| {
            let state = match (s.closed_at, s.pending, s.paused) {
                (Some(_), ..) => "ended",
                (None, _, true) => "paused",
                (None, 0, _) => "open",
                (None, ..) => "waiting",
            };
            vec![
                s.id.to_string(),
                state.to_owned(),
                print::time(s.opened_at),
                print::safe(&s.info.agent),
                print::safe(&format!("{}@{}", s.info.user, s.info.target)),
                s.commands.to_string(),
                print::safe(s.last_command.as_deref().unwrap_or("-")),
            ]
        })
        .collect();
    print::table(&["ID", "STATE", "OPENED", "AGENT", "TARGET", "COMMANDS", "LAST"], &rows)?;
    Ok(0)
}

/// `expacti kill`, `pause`, `resume`.
pub(crate) async fn act(
    config: &Config,
    session: &str,
    verb: &str,
    done: &str,
    json: bool,
) -> Outcome {
    let link = Link::online(config)?;
    let id = urlencode(session)?;
    let answer: serde_json::Value =
        link.client.post(&format!("/v1/sessions/{id}/{verb}"), &()).await?;
    if json {
        print::json(&answer)?;
    } else {
        print::line(&format!("{done} {id}"))?;
    }
    Ok(0)
}
