//! A decision, and the message that carries it to the broker. It must never be sent for other bytes
//! or another revision than the ones that were shown.

use expacti_protocol::command::{Grant, ItemKind};
use expacti_protocol::input::InputGrant;
use expacti_protocol::reviewer::{DecisionMessage, ReviewerRequest};

use crate::model::{Connection, Effect, Item, Stage, Verdict, came};
use crate::time::Millis;

/// What a reviewer decides of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// It may run, and what follows may pass unreviewed.
    Allow(Option<Grant>),
    /// It may not, and the agent is told why.
    Deny(Option<String>),
}

impl Decision {
    /// Which way it went.
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            Self::Allow(_) => Verdict::Allow,
            Self::Deny(_) => Verdict::Deny,
        }
    }

    /// The message, for the bytes of the request and the revision that was shown. From here on the
    /// request counts as decided, so that nothing is sent twice. `signs`: the reviewer has a key, and
    /// whether that wants to be touched.
    pub(super) fn send(
        self,
        connection: &mut Connection,
        item: &mut Item,
        (revision, signs): (u64, Option<bool>),
        now: Millis,
    ) -> Effect {
        let verdict = self.verdict();
        let (comment, grant) = match self {
            Self::Allow(grant) => (None, grant),
            Self::Deny(comment) => (comment, None),
        };
        let view = item.view();
        // Exactly what was shown below the command.
        let input = came(view)
            .filter(|_| verdict == Verdict::Allow && view.kind == ItemKind::Exec)
            .map(|came| came.given);
        let of_input = view.input.as_deref().is_some_and(|input| input.grantable);
        let (grant, input_grant) = match grant {
            Some(Grant { seconds, bytes }) if of_input => {
                (None, Some(InputGrant { seconds, bytes }))
            }
            grant => (grant, None),
        };
        let r#ref = connection.next_ref();
        let message = DecisionMessage {
            r#ref: Some(r#ref),
            id: item.id().clone(),
            allow: verdict == Verdict::Allow,
            comment,
            sha256: Some(item.view().sha256),
            revision: Some(revision),
            grant,
            input,
            input_grant,
            trust: verdict == Verdict::Allow && item.trust,
            statement: None,
            signature: None,
            pin: item.pin.take().filter(|_| verdict == Verdict::Allow),
        };
        // A denial needs no signature: it must be possible at once.
        if let (Some(touch), Verdict::Allow) = (signs, verdict) {
            item.stage = Stage::Signing { r#ref, touch };
            return Effect::Sign(Box::new(message), Box::new(item.view().clone()));
        }
        item.stage = Stage::Sent { r#ref, verdict, at: now };
        Effect::Send(ReviewerRequest::Decision(Box::new(message)))
    }
}
