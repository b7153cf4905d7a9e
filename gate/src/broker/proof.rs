//! The broker's word as types. Their fields are private to this module, and they are made only from
//! messages that arrived over the link. A proof cannot be copied, so it is used once.

use expacti_engine::Beneath;
use expacti_protocol::command::Grant;
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::{Decision, DecisionKind};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::{InputGrant, InputRef};
use expacti_protocol::signed::SignedText;

/// Proof that the release of one item is on the broker's disk.
#[derive(Debug)]
pub(crate) struct Released {
    id: CommandId,
    session: SessionId,
    sha256: Digest,
    input: Option<InputRef>,
}

/// A decision of the broker.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) id: CommandId,
    pub(crate) session: SessionId,
    pub(crate) sha256: Digest,
    pub(crate) allow: bool,
    pub(crate) comment: Option<String>,
    pub(crate) kind: DecisionKind,
    /// Keys that may pass unreviewed after the item.
    pub(crate) grant: Option<Grant>,
    /// The standard input that is allowed with the command.
    pub(crate) input: Option<InputRef>,
    /// Standard input that may flow after that.
    pub(crate) input_grant: Option<InputGrant>,
    /// What must lie beneath which directory of the target before the item may be released.
    pub(crate) beneath: Vec<Beneath>,
    /// What the agent might ask instead.
    pub(crate) instead: Option<String>,
    /// What people have signed, as the broker passes it on. It proves nothing before it is checked.
    pub(crate) signed: Vec<SignedText>,
    /// Proof that the release is on disk already. Only this module can make it.
    pub(crate) released: Option<Released>,
}

/// The release the gate asked for, kept until the broker answers it.
#[derive(Debug)]
pub(super) struct ReleaseAsked {
    pub(super) id: CommandId,
    pub(super) session: SessionId,
    pub(super) sha256: Digest,
    pub(super) input: Option<InputRef>,
}

impl Released {
    /// From the broker's `released`, which answers the request with that `ref`; `None` when it is
    /// about another command.
    pub(super) fn from_answer(asked: ReleaseAsked, id: &CommandId) -> Option<Self> {
        (asked.id == *id).then_some(Self {
            id: asked.id,
            session: asked.session,
            sha256: asked.sha256,
            input: asked.input,
        })
    }

    /// The item's id.
    pub(crate) fn id(&self) -> &CommandId {
        &self.id
    }

    /// The item's session.
    pub(crate) fn session(&self) -> &SessionId {
        &self.session
    }

    /// SHA-256 of the item's bytes.
    pub(crate) fn sha256(&self) -> Digest {
        self.sha256
    }

    /// The standard input that goes with it.
    pub(crate) fn input(&self) -> Option<InputRef> {
        self.input
    }

    /// A proof for tests of the code that checks proofs.
    #[cfg(test)]
    pub(crate) fn for_test(id: &CommandId, session: &SessionId, sha256: Digest) -> Self {
        Self { id: id.clone(), session: session.clone(), sha256, input: None }
    }

    /// The same with standard input.
    #[cfg(test)]
    pub(crate) fn with_input(self, input: Option<InputRef>) -> Self {
        Self { input, ..self }
    }
}

impl Decided {
    /// From the broker's `decision`.
    pub(super) fn from_wire(decision: Decision) -> Self {
        let released = (decision.allow && decision.released).then(|| Released {
            id: decision.id.clone(),
            session: decision.session_id.clone(),
            sha256: decision.sha256,
            input: decision.input,
        });
        Self {
            id: decision.id,
            session: decision.session_id,
            sha256: decision.sha256,
            allow: decision.allow,
            comment: decision.comment,
            kind: decision.kind,
            grant: decision.grant,
            input: decision.input,
            input_grant: decision.input_grant,
            beneath: decision.beneath,
            instead: decision.instead,
            signed: decision.signed,
            released,
        }
    }

    /// A decision for tests.
    #[cfg(test)]
    pub(crate) fn for_test(decision: Decision) -> Self {
        Self::from_wire(decision)
    }
}
