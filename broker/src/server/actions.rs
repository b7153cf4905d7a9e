//! What reviewers do over HTTP and over the WebSocket alike.

use expacti_protocol::command::{CommandText, CommandView};
use expacti_protocol::ids::CommandId;
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode};

use super::pins;
use crate::broker::Broker;
use crate::state::{Peer, Refusal, not_kept, too_late_for};

/// One decision, with the right refusal for a command that is over already.
pub(super) async fn decide(
    broker: &Broker,
    peer: Peer,
    mut message: DecisionMessage,
) -> Result<CommandView, Refusal> {
    let id = message.id.clone();
    // From here on it is in no message any more.
    let proven = match message.pin.take() {
        Some(given) if message.allow => pins::prove(broker, &peer, &given).await?,
        _ => None,
    };
    let decided = broker
        .handle
        .run(move |state, _, now| {
            state.still_known(&peer)?;
            state.decide_with(&peer, &message, proven.as_deref(), now)
        })
        .await;
    match decided {
        Err(refusal) if refusal.code == ErrorCode::NotFound => {
            match broker.reader.command(id.as_str()).await? {
                Some(view) => Err(too_late_for(&view)),
                None => Err(refusal),
            }
        }
        other => other,
    }
}

/// The exact text of a command whose secrets are masked, with the right refusal for a command that is over already.
pub(super) async fn reveal(
    broker: &Broker,
    peer: Peer,
    id: CommandId,
) -> Result<CommandText, Refusal> {
    let wanted = id.clone();
    let revealed = broker
        .handle
        .run(move |state, _, now| {
            state.still_known(&peer)?;
            state.reveal(&peer, &wanted, now)
        })
        .await;
    match revealed {
        Err(refusal) if refusal.code == ErrorCode::NotFound => {
            match broker.reader.command(id.as_str()).await? {
                Some(view) if view.masked.is_none() => Ok(view.text),
                Some(_) => Err(not_kept(&id)),
                None => Err(refusal),
            }
        }
        other => other,
    }
}
