//! Finds what a request is about by an abbreviation of its id.

use expacti_protocol::command::CommandView;
use expacti_protocol::ids::{
    CommandId, MIN_ABBREVIATION, SessionId, is_too_short, matches_abbreviation,
};
use serde::Deserialize;

use super::answer::view;
use crate::broker::Broker;
use crate::state::{Peer, Refusal};

/// Rows of a listing unless asked otherwise.
pub(super) const PAGE: u64 = 200;

/// What a listing is asked for.
#[derive(Deserialize)]
pub(super) struct Listing {
    pub(super) session: Option<String>,
    pub(super) limit: Option<u64>,
    pub(super) after: Option<u64>,
}

/// What an id is looked for of.
#[derive(Debug, Clone, Copy)]
enum What {
    Command,
    Session,
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Command => "command",
            Self::Session => "session",
        })
    }
}

/// The whole id that an abbreviation stands for.
async fn resolve(broker: &Broker, text: &str, what: What) -> Result<String, Refusal> {
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || text.len() > 64 {
        return Err(Refusal::not_found(format!("{what} {text:?}")));
    }
    if is_too_short(text) {
        return Err(Refusal::invalid(format!(
            "{what} {text:?}: give the whole id, or at least its last {MIN_ABBREVIATION} letters"
        )));
    }
    let wanted = text.to_owned();
    let open: Vec<String> = broker
        .handle
        .run(move |state, _, _| {
            let ids: Vec<String> = match what {
                What::Command => state.pending().map(|v| v.id.to_string()).collect(),
                What::Session => state.sessions.iter().map(|(id, _)| id.to_string()).collect(),
            };
            Ok(ids.into_iter().filter(|id| matches_abbreviation(id, &wanted)).collect())
        })
        .await?;
    let found = if open.is_empty() {
        let escaped = text.replace('_', "\\_");
        let prefix = match what {
            What::Command => CommandId::PREFIX,
            What::Session => SessionId::PREFIX,
        };
        let like = [format!("{escaped}%"), format!("{prefix}\\_{escaped}%"), format!("%{escaped}")];
        let found = match what {
            What::Command => broker.reader.command_ids(&like).await?,
            What::Session => broker.reader.session_ids(&like).await?,
        };
        found.into_iter().filter(|id| matches_abbreviation(id, text)).collect()
    } else {
        open
    };
    match found.as_slice() {
        [] => Err(Refusal::not_found(format!("{what} {text}"))),
        [one] => Ok(one.clone()),
        [first, second, ..] => Err(Refusal::not_found(format!(
            "{what}: {text} is ambiguous, it may be {first} or {second}"
        ))),
    }
}

pub(super) async fn find_command(broker: &Broker, id: &str) -> Result<CommandView, Refusal> {
    let id = resolve(broker, id, What::Command).await?;
    let wanted: CommandId = id.parse().map_err(|_| Refusal::not_found(format!("command {id}")))?;
    let open = broker
        .handle
        .run(move |state, _, _| state.commands.get(&wanted).map(|c| c.for_deciders()).transpose())
        .await?;
    match open {
        Some(view) => Ok(view),
        None => {
            let stored = broker.reader.command(&id).await?;
            stored.ok_or_else(|| Refusal::not_found(format!("command {id}")))
        }
    }
}

/// Nobody learns of ids who may not decide on them.
pub(super) async fn command_id(
    broker: &Broker,
    peer: &Peer,
    id: &str,
) -> Result<CommandId, Refusal> {
    view(peer)?;
    let id = resolve(broker, id, What::Command).await?;
    id.parse().map_err(|_| Refusal::not_found(format!("command {id}")))
}

pub(super) async fn session_id(broker: &Broker, text: &str) -> Result<SessionId, Refusal> {
    let id = resolve(broker, text, What::Session).await?;
    id.parse().map_err(|_| Refusal::not_found(format!("session {id}")))
}
