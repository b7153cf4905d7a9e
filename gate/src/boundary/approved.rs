//! Items under review, and items that were approved. An [`Approved`] is made from a [`HeldItem`]
//! and the broker's proof that exactly these bytes were released, and in no other way.

use bytes::Bytes;
use expacti_protocol::command::{Grant, StdinTreatment};
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::{CommandId, SessionId};

use super::environment::Environment;
use super::terminal::Terminal;
use crate::broker::proof::Released;

/// What goes to the target along with the bytes; reviewed and approved with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    /// The terminal, when one was asked for.
    pub(crate) terminal: Option<Terminal>,
    /// The client's variables.
    pub(crate) environment: Environment,
    /// How standard input is treated, as the broker said when it accepted the submission.
    pub(crate) stdin: StdinTreatment,
    /// The bytes are the standard input of a login shell, not a command.
    pub(crate) login_shell: bool,
}

/// Bytes that wait for a decision. Only [`HeldItem::release`] can take them out again.
#[derive(Debug)]
pub(crate) struct HeldItem {
    id: CommandId,
    session: SessionId,
    bytes: Bytes,
    sha256: Digest,
    context: Context,
    grant: Option<Grant>,
}

impl HeldItem {
    /// An item that the broker has accepted under this id.
    pub(crate) fn new(id: CommandId, session: SessionId, bytes: Bytes, context: Context) -> Self {
        let sha256 = Digest::of(&bytes);
        Self { id, session, bytes, sha256, context, grant: None }
    }

    /// The allow came with this grant.
    pub(crate) fn grant(&mut self, grant: Option<Grant>) {
        self.grant = grant;
    }

    /// Its id.
    pub(crate) fn id(&self) -> &CommandId {
        &self.id
    }

    /// Its session.
    pub(crate) fn session(&self) -> &SessionId {
        &self.session
    }

    /// SHA-256 of its bytes.
    pub(crate) fn sha256(&self) -> Digest {
        self.sha256
    }

    /// Approves the item if the proof is for exactly this one: same id, same session, same bytes.
    /// Consumes item and proof. If they do not match, the item is gone and nothing was approved.
    pub(crate) fn release(self, proof: Released) -> Option<Approved> {
        let fits = proof.id() == &self.id
            && proof.session() == &self.session
            && proof.sha256() == Digest::of(&self.bytes);
        let Self { bytes, context, grant, .. } = self;
        fits.then_some(Approved { bytes, context, grant })
    }
}

/// Bytes that the broker has released, to be sent once: not `Clone`, consumed by the delivery.
#[derive(Debug)]
pub(crate) struct Approved {
    bytes: Bytes,
    context: Context,
    grant: Option<Grant>,
}

impl Approved {
    /// Whether a grant came with the approval.
    pub(crate) fn has_grant(&self) -> bool {
        self.grant.is_some()
    }

    /// The grant that came with the approval.
    pub(super) fn grant(&self) -> Option<Grant> {
        self.grant
    }

    /// What goes along with the bytes.
    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    /// An item of this text, for tests of the code that takes approved ones.
    #[cfg(test)]
    pub(super) fn for_test(text: &str) -> Self {
        let context = Context {
            terminal: None,
            environment: Environment::default(),
            stdin: StdinTreatment::Code,
            login_shell: false,
        };
        Self { bytes: Bytes::copy_from_slice(text.as_bytes()), context, grant: None }
    }

    /// For the delivery, in the other modules of the boundary.
    pub(super) fn into_parts(self) -> (Bytes, Context) {
        (self.bytes, self.context)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn held(bytes: &'static [u8]) -> HeldItem {
        let context = Context {
            terminal: None,
            environment: Environment::default(),
            stdin: StdinTreatment::Data,
            login_shell: false,
        };
        HeldItem::new(CommandId::new(), SessionId::new(), Bytes::from_static(bytes), context)
    }

    #[test]
    fn only_the_exact_proof_releases() {
        let proof = |h: &HeldItem| Released::for_test(h.id(), h.session(), h.sha256());
        let item = held(b"uname -a");
        let right = proof(&item);
        assert_eq!(item.release(right).unwrap().into_parts().0.as_ref(), b"uname -a");

        let item = held(b"uname -a");
        let other_id = Released::for_test(&CommandId::new(), item.session(), item.sha256());
        assert!(item.release(other_id).is_none());
        let item = held(b"uname -a");
        let other_session = Released::for_test(item.id(), &SessionId::new(), item.sha256());
        assert!(item.release(other_session).is_none());
        let item = held(b"uname -a");
        let other_bytes = Released::for_test(item.id(), item.session(), Digest::of(b"uname -a "));
        assert!(item.release(other_bytes).is_none());
    }
}
