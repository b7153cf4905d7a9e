//! Allows that the reviewer's key signs. One must never be sent that is not the one which was signed, or
//! whose request has changed or ended meanwhile.

use std::collections::BTreeSet;

use expacti_protocol::command::CommandState;
use expacti_protocol::ids::CommandId;
use expacti_protocol::reviewer::{DecisionMessage, ReviewerRequest};
use expacti_protocol::signed::SignedText;

use crate::model::{Effect, Model, Stage, Verdict};
use crate::text::clean;

/// A key has signed an allow, or has not.
pub(super) fn signed(
    model: &mut Model,
    message: DecisionMessage,
    answer: Result<SignedText, String>,
    effects: &mut Vec<Effect>,
) {
    let (now, synced) = (model.clock.now, model.connection.is_synced());
    let short = message.id.short().to_owned();
    let Some(item) = model.requests.items.get_mut(&message.id) else {
        return model.hint(format!("{short} ended before it was signed"));
    };
    let Stage::Signing { r#ref, .. } = item.stage else {
        return model.hint(format!("{short} was decided or has changed before it was signed"));
    };
    // An earlier attempt, which was taken back.
    if message.r#ref != Some(r#ref) {
        return;
    }
    let open = item.state() == CommandState::Pending;
    let same = message.revision == Some(item.view().revision);
    let signed = match answer {
        Ok(signed) if open && same && synced => signed,
        Ok(_) => {
            item.stage = Stage::Open;
            return model.warn(format!("{short} not allowed: it changed while it was signed"));
        }
        Err(why) => {
            let why = clean(&why, 300);
            item.stage = Stage::Refused { why: why.clone() };
            return model.decisions.fail(message.id, format!("{short} not signed: {why}"));
        }
    };
    item.stage = Stage::Sent { r#ref, verdict: Verdict::Allow, at: now };
    let message = DecisionMessage {
        statement: Some(signed.statement),
        signature: Some(signed.signature),
        ..message
    };
    effects.push(Effect::Send(ReviewerRequest::Decision(Box::new(message))));
}

/// The requests for which a key is asked.
pub(super) fn under_way(model: &Model) -> BTreeSet<CommandId> {
    let signing = |item: &&crate::model::Item| matches!(item.stage, Stage::Signing { .. });
    model.requests.items.values().filter(signing).map(|item| item.id().clone()).collect()
}
