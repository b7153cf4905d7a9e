//! Items under review, and items that were approved. An [`Approved`] is made from a [`HeldItem`]
//! and the broker's proof that exactly these bytes were released, and in no other way.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use expacti_protocol::command::{Grant, StdinTreatment};
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::{InputGrant, InputRef};

use super::environment::Environment;
use super::terminal::Terminal;
use crate::approval::{Proven, Standing, Waiting};
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
    /// The command does not read it: it is kept from it and dropped.
    pub(crate) drop_stdin: bool,
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
    /// Standard input that came with it, and whether that is all there is.
    joined: BytesMut,
    ended: bool,
    /// What the decision allows of that.
    input: Option<InputRef>,
    input_grant: Option<InputGrant>,
}

impl HeldItem {
    /// An item that the broker has accepted under this id.
    pub(crate) fn new(id: CommandId, session: SessionId, bytes: Bytes, context: Context) -> Self {
        let sha256 = Digest::of(&bytes);
        Self {
            id,
            session,
            bytes,
            sha256,
            context,
            grant: None,
            joined: BytesMut::new(),
            ended: false,
            input: None,
            input_grant: None,
        }
    }

    /// More standard input has come with it, or its end.
    pub(crate) fn join(&mut self, bytes: &[u8], ended: bool) {
        self.joined.extend_from_slice(bytes);
        self.ended |= ended;
    }

    /// What the decision allows of the standard input that came with it. False if that is not what came:
    /// then nothing may be delivered.
    pub(crate) fn allow_input(
        &mut self,
        input: Option<InputRef>,
        grant: Option<InputGrant>,
    ) -> bool {
        if let Some(given) = input {
            let prefix = usize::try_from(given.bytes).ok().and_then(|n| self.joined.get(..n));
            let Some(prefix) = prefix else { return false };
            let whole = self.ended && prefix.len() == self.joined.len();
            if Digest::of(prefix) != given.sha256 || given.ended && !whole {
                return false;
            }
        }
        self.input = input;
        self.input_grant = grant;
        true
    }

    /// The standard input that is allowed with it.
    pub(crate) fn input(&self) -> Option<InputRef> {
        self.input
    }

    /// The first of the standard input that came with it.
    pub(crate) fn joined(&self, bytes: u64) -> &[u8] {
        let whole = self.joined.as_ref();
        usize::try_from(bytes).ok().and_then(|n| whole.get(..n)).unwrap_or(whole)
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

    /// Approves the item if the proof is for exactly this one: same id, same session, same bytes, same
    /// standard input; and it has what the gate itself asks for. Consumes item and proofs. If they do not match, the item is gone and nothing was
    /// approved. The second part of what is returned is the input that came and was not allowed.
    pub(crate) fn release(self, proof: Released, proven: Proven) -> Option<(Approved, Bytes)> {
        let Self { id, session, bytes, context, grant, joined, input, input_grant, .. } = self;
        let sha256 = Digest::of(&bytes);
        let fits = proof.id() == &id
            && proof.session() == &session
            && proof.sha256() == sha256
            && proof.input() == input;
        let mut rest = joined.freeze();
        let named = input;
        let input = match input {
            None => None,
            Some(given) => {
                let n = usize::try_from(given.bytes).ok().filter(|n| *n <= rest.len())?;
                let bytes = rest.split_to(n);
                if Digest::of(&bytes) != given.sha256 {
                    return None;
                }
                Some(ApprovedInput { bytes, ended: given.ended })
            }
        };
        let (standing, held) = proven.into_parts();
        fits.then_some((
            Approved { bytes, sha256, context, grant, input, named, input_grant, standing, held },
            rest,
        ))
    }
}

/// Bytes that the broker has released, to be sent once: not `Clone`, consumed by the delivery.
#[derive(Debug)]
pub(crate) struct Approved {
    bytes: Bytes,
    sha256: Digest,
    context: Context,
    grant: Option<Grant>,
    input: Option<ApprovedInput>,
    /// The same by its digest.
    named: Option<InputRef>,
    input_grant: Option<InputGrant>,
    /// Whether the approval still stands, for what passes later.
    standing: Standing,
    /// What was approved, for what is asked about its standard input.
    held: Option<Arc<Waiting>>,
}

/// Standard input that was approved together with its command, to be sent once.
#[derive(Debug)]
pub(crate) struct ApprovedInput {
    bytes: Bytes,
    ended: bool,
}

impl ApprovedInput {
    /// Whether its end was approved with it.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// The bytes.
    pub(crate) fn text(&self) -> &[u8] {
        &self.bytes
    }

    /// For the delivery.
    pub(super) fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl Approved {
    /// How many bytes it has, and their digest.
    pub(crate) fn content(&self) -> (u64, Digest) {
        (self.bytes.len() as u64, self.sha256)
    }

    /// The standard input that was approved with it.
    pub(crate) fn input_ref(&self) -> Option<InputRef> {
        self.named
    }

    /// Whether a grant came with the approval.
    pub(crate) fn has_grant(&self) -> bool {
        self.grant.is_some()
    }

    /// The grant that came with the approval.
    pub(super) fn grant(&self) -> Option<Grant> {
        self.grant
    }

    /// What is to be asked before each piece that passes under a grant.
    pub(super) fn standing(&self) -> Standing {
        self.standing.clone()
    }

    /// What was approved.
    pub(super) fn held(&self) -> Option<Arc<Waiting>> {
        self.held.clone()
    }

    /// Standard input that may flow after it.
    pub(super) fn input_grant(&self) -> Option<InputGrant> {
        self.input_grant
    }

    /// The standard input that was approved with it: of a login shell, the bytes themselves.
    pub(super) fn into_command_and_input(self) -> (Option<Bytes>, Option<ApprovedInput>) {
        let Self { bytes, context, input, .. } = self;
        if context.login_shell {
            (None, Some(ApprovedInput { bytes, ended: false }))
        } else {
            (Some(bytes), input)
        }
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
            drop_stdin: false,
            login_shell: false,
        };
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let standing = Standing::default();
        let sha256 = Digest::of(&bytes);
        Self {
            bytes,
            sha256,
            context,
            grant: None,
            input: None,
            named: None,
            input_grant: None,
            standing,
            held: None,
        }
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
            drop_stdin: false,
            login_shell: false,
        };
        HeldItem::new(CommandId::new(), SessionId::new(), Bytes::from_static(bytes), context)
    }

    #[test]
    fn only_the_exact_proof_releases() {
        let proof = |h: &HeldItem| Released::for_test(h.id(), h.session(), h.sha256());
        let item = held(b"uname -a");
        let right = proof(&item);
        assert_eq!(
            item.release(right, Proven::for_test()).unwrap().0.into_parts().0.as_ref(),
            b"uname -a"
        );

        let item = held(b"uname -a");
        let other_id = Released::for_test(&CommandId::new(), item.session(), item.sha256());
        assert!(item.release(other_id, Proven::for_test()).is_none());
        let item = held(b"uname -a");
        let other_session = Released::for_test(item.id(), &SessionId::new(), item.sha256());
        assert!(item.release(other_session, Proven::for_test()).is_none());
        let item = held(b"uname -a");
        let other_bytes = Released::for_test(item.id(), item.session(), Digest::of(b"uname -a "));
        assert!(item.release(other_bytes, Proven::for_test()).is_none());
    }

    #[test]
    fn only_the_standard_input_that_was_named_is_approved() {
        let given = |bytes: &[u8], ended| InputRef {
            bytes: bytes.len() as u64,
            sha256: Digest::of(bytes),
            ended,
        };
        let joined = || {
            let mut item = held(b"sh");
            item.join(b"ls\n", false);
            item.join(b"rm -r x\n", true);
            item
        };
        for (input, fits) in [
            (None, true),
            (Some(given(b"", false)), true),
            (Some(given(b"ls\n", false)), true),
            (Some(given(b"ls\nrm -r x\n", true)), true),
            (Some(given(b"ls\nrm -r x\n", false)), true),
            // Not what came, more than came, an end before the end.
            (Some(given(b"id\n", false)), false),
            (Some(given(b"ls\nrm -r x\nid\n", false)), false),
            (Some(given(b"ls\n", true)), false),
        ] {
            let mut item = joined();
            assert_eq!(item.allow_input(input, None), fits, "{input:?}");
            if !fits {
                continue;
            }
            let proof = Released::for_test(item.id(), item.session(), item.sha256());
            let proof = proof.with_input(input);
            let (approved, rest) = item.release(proof, Proven::for_test()).unwrap();
            let (_, sent) = approved.into_command_and_input();
            let sent = sent.map_or_else(Bytes::new, ApprovedInput::into_bytes);
            assert_eq!([sent.as_ref(), rest.as_ref()].concat(), b"ls\nrm -r x\n");
            assert_eq!(sent.len() as u64, input.map_or(0, |input| input.bytes));
        }
        // The release is for other input than the decision.
        let mut item = joined();
        assert!(item.allow_input(Some(given(b"ls\n", false)), None));
        let proof = Released::for_test(item.id(), item.session(), item.sha256());
        assert!(item.release(proof, Proven::for_test()).is_none());
    }
}
