//! `expacti sessions`, `kill`, `pause`, `resume`.

use expacti_protocol::session::SessionView;

use crate::broker::Link;
use crate::config::Config;
use crate::failure::Outcome;
use crate::{print, segment};

/// `expacti sessions`.
pub(crate) async fn list(config: &Config, limit: u64, json: bool) -> Outcome {
    let link = Link::running_or_offline(config).await?;
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
                print::agent(&s.info),
                print::safe(&format!("{}@{}", s.info.user, s.info.target)),
                s.commands.to_string(),
                print::safe(s.last_command.as_deref().unwrap_or("-")),
            ]
        })
        .collect();
    print::table(&["ID", "STATE", "OPENED", "AGENT", "TARGET", "COMMANDS", "LAST"], &rows)?;
    Ok(0)
}

/// What is done to a running session.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Action {
    Kill,
    Pause,
    Resume,
}

impl Action {
    /// The last segment of its path.
    fn path(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    /// What to print once it is done.
    fn done(self) -> &'static str {
        match self {
            Self::Kill => "ended",
            Self::Pause => "paused",
            Self::Resume => "resumed",
        }
    }
}

/// `expacti kill`, `pause`, `resume`.
pub(crate) async fn act(config: &Config, session: &str, action: Action, json: bool) -> Outcome {
    let link = Link::running(config)?;
    let id = segment::id(session)?;
    let answer: serde_json::Value =
        link.client.post(&format!("/v1/sessions/{id}/{}", action.path()), &()).await?;
    if json {
        print::json(&answer)?;
    } else {
        print::line(&format!("{} {id}", action.done()))?;
    }
    Ok(0)
}
