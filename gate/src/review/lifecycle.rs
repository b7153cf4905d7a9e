//! The lifecycle of one item, as pure code: which events may occur in each state, and what the gate
//! does next. It has no clock and does no I/O; its driver reports deadlines as events. Bytes leave
//! it only as an [`Approved`] item, once, after the broker's proof of the release.

use bytes::Bytes;
use expacti_engine::Beneath;
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::InputRef;

use super::beneath::NotBeneath;
use crate::approval::Proven;
use crate::boundary::{Approved, Context, HeldItem};
use crate::broker::event::BrokerEvent;
use crate::broker::proof::{Decided, Released};
use crate::client::refusal::Refusal;

/// What happens to an item.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and it is never kept")]
pub(crate) enum Event {
    /// The broker said something about it, or cannot be reached any more.
    Broker(BrokerEvent),
    /// The answer to [`Step::Look`].
    Looked(Result<(), NotBeneath>),
    /// The answer to [`Step::Check`]: whether the context is still the reviewed one.
    Checked(bool),
    /// The gate's own deadline passed.
    Deadline,
    /// Standard input came with it, or its end.
    Joined {
        /// What came.
        bytes: Bytes,
        /// Nothing comes after it.
        ended: bool,
    },
    /// The broker did not answer a request in time.
    NoAnswer,
    /// It was allowed without what the gate itself asks for.
    NotApproved {
        /// Why that is not enough.
        why: String,
        /// Its release is on record.
        released: bool,
    },
    /// The target closed the channel on which the item would have been delivered.
    TargetLost,
    /// The agent withdrew the command, or disconnected.
    Withdrawn(&'static str),
}

/// What the gate must do next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Nothing.
    Wait,
    /// Check whether the context is still the reviewed one.
    Check,
    /// Look where these paths lead on the target.
    Look(Vec<Beneath>),
    /// Ask the broker for the release.
    Release {
        /// The item's id.
        id: CommandId,
        /// The item's session.
        session: SessionId,
        /// SHA-256 of the item's bytes.
        sha256: Digest,
        /// The standard input that is allowed with them.
        input: Option<InputRef>,
    },
    /// Send the bytes. This is the last step of an item that succeeds. What stands behind them is
    /// standard input that came with them and was not allowed.
    Deliver(CommandId, Box<Approved>, Bytes),
    /// The item will never be delivered.
    End(End),
}

/// The end of an item that will not be delivered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// What to tell the agent; `None` when it has gone.
    pub(crate) refusal: Option<Refusal>,
    /// Tell the broker that it is withdrawn.
    pub(crate) withdraw: Option<(CommandId, &'static str)>,
    /// Tell the broker that it was not sent: the release may be on record.
    pub(crate) unsent: Option<(CommandId, &'static str)>,
}

#[derive(Debug)]
enum ItemState {
    /// The submission has not been answered yet.
    Submitting { session: SessionId, bytes: Bytes, context: Context },
    /// It waits for the decision.
    Pending(HeldItem),
    /// Allowed; the gate is checking whether the context is still the reviewed one.
    Checking(HeldItem),
    /// Allowed if paths lie where they should; the gate is looking.
    Looking(HeldItem),
    /// Allowed; the release is being recorded.
    Releasing(HeldItem),
    /// Delivered or ended.
    Over,
}

/// One item.
#[derive(Debug)]
pub(crate) struct ItemLifecycle {
    state: ItemState,
    /// The context is checked once more between the decision and the release.
    checked: bool,
    /// It has what the gate itself asks for.
    proven: Option<Proven>,
}

impl ItemLifecycle {
    /// An item about to be submitted.
    pub(crate) fn new(session: SessionId, bytes: Bytes, context: Context) -> Self {
        Self {
            state: ItemState::Submitting { session, bytes, context },
            checked: false,
            proven: None,
        }
    }

    /// An item whose context can change while it is held, and is to be checked before its release.
    pub(crate) fn with_check(session: SessionId, bytes: Bytes, context: Context) -> Self {
        Self { checked: true, ..Self::new(session, bytes, context) }
    }

    /// It has what the gate itself asks for, as of now.
    pub(crate) fn prove(&mut self, proven: Proven) {
        self.proven = Some(proven);
    }

    /// The first of the standard input that came with it, while it waits.
    pub(crate) fn joined(&self, bytes: u64) -> &[u8] {
        match &self.state {
            ItemState::Pending(held)
            | ItemState::Checking(held)
            | ItemState::Looking(held)
            | ItemState::Releasing(held) => held.joined(bytes),
            ItemState::Submitting { .. } | ItemState::Over => &[],
        }
    }

    /// Whether an answer of the broker is due (rather than a person's decision).
    pub(crate) fn awaits_answer(&self) -> bool {
        matches!(self.state, ItemState::Submitting { .. } | ItemState::Releasing(_))
    }

    /// Handles an event and returns what to do. After `Deliver` or `End` it only returns `Wait`.
    pub(crate) fn on(&mut self, event: Event) -> Step {
        let (state, step) = match (std::mem::replace(&mut self.state, ItemState::Over), event) {
            (ItemState::Over, _) => (ItemState::Over, Step::Wait),

            (
                ItemState::Submitting { session, bytes, mut context },
                Event::Broker(BrokerEvent::Submitted(submitted)),
            ) => {
                context.stdin = submitted.stdin;
                context.drop_stdin = submitted.drop_stdin;
                (
                    ItemState::Pending(HeldItem::new(submitted.id, session, bytes, context)),
                    Step::Wait,
                )
            }
            (
                state @ ItemState::Submitting { .. },
                Event::Broker(BrokerEvent::Decided(_) | BrokerEvent::Released(_)),
            ) => (state, Step::Wait),

            (ItemState::Pending(mut held), Event::Joined { bytes, ended }) => {
                held.join(&bytes, ended);
                (ItemState::Pending(held), Step::Wait)
            }
            // Nothing is taken in any other state.
            (state, Event::Joined { .. }) => (state, Step::Wait),
            (ItemState::Pending(held), Event::Broker(BrokerEvent::Decided(decided))) => {
                decide(held, decided, self.checked, &mut self.proven)
            }
            (ItemState::Looking(held), Event::Looked(Ok(()))) => after_look(held, self.checked),
            (state @ ItemState::Looking(_), Event::Looked(Err(not))) => {
                fail(state, not.refusal(), Some(OUTSIDE))
            }
            (
                state @ ItemState::Looking(_),
                Event::Broker(
                    BrokerEvent::Decided(_) | BrokerEvent::Released(_) | BrokerEvent::Submitted(_),
                ),
            ) => (state, Step::Wait),
            (state, Event::Looked(_)) => (state, Step::Wait),
            (ItemState::Checking(held), Event::Checked(true)) => release(held),
            (state @ ItemState::Checking(_), Event::Checked(false)) => {
                let step = ended(&state, None, Some(CHANGED));
                (ItemState::Over, step)
            }
            (
                state @ ItemState::Checking(_),
                Event::Broker(
                    BrokerEvent::Decided(_) | BrokerEvent::Released(_) | BrokerEvent::Submitted(_),
                ),
            ) => (state, Step::Wait),
            (state, Event::Checked(_)) => (state, Step::Wait),
            // A release that nobody asked for does not count.
            (state @ ItemState::Pending(_), Event::Broker(BrokerEvent::Released(_))) => {
                (state, Step::Wait)
            }
            (state @ ItemState::Pending(_), Event::Broker(BrokerEvent::Submitted(_))) => {
                (state, Step::Wait)
            }

            (ItemState::Releasing(held), Event::Broker(BrokerEvent::Released(proof))) => {
                (ItemState::Over, send(held, proof, self.proven.take()))
            }
            (
                state @ ItemState::Releasing(_),
                Event::Broker(BrokerEvent::Decided(_) | BrokerEvent::Submitted(_)),
            ) => (state, Step::Wait),

            (state, Event::Broker(BrokerEvent::Refused(why))) => {
                let releasing = matches!(state, ItemState::Releasing(_));
                let reason = releasing.then_some("the broker refused the release");
                fail(state, Refusal::undecided(&why), reason)
            }
            (state, Event::Broker(BrokerEvent::LinkLost)) => {
                fail(state, Refusal::unreachable(), None)
            }
            (state, Event::NoAnswer) => {
                fail(state, Refusal::undecided("the broker did not answer"), Some("no answer"))
            }
            (ItemState::Submitting { session, bytes, context }, Event::NotApproved { .. }) => {
                (ItemState::Submitting { session, bytes, context }, Step::Wait)
            }
            (state, Event::NotApproved { why, released }) => not_approved(&state, &why, released),
            (state, Event::Deadline) => {
                fail(state, Refusal::timed_out(), Some("the gate's own deadline passed"))
            }
            (state, Event::TargetLost) => fail(
                state,
                Refusal::target("the target closed the connection before the command was sent"),
                Some("the target closed the connection"),
            ),
            (state, Event::Withdrawn(reason)) => {
                let step = ended(&state, None, Some(reason));
                (ItemState::Over, step)
            }
        };
        self.state = state;
        step
    }
}

/// Why an item was withdrawn whose context has changed.
pub(crate) const CHANGED: &str = "context changed";

/// Why an item was withdrawn that a rule allowed only beneath a directory.
const OUTSIDE: &str = "not beneath the directory of the rule";

fn after_look(held: HeldItem, checked: bool) -> (ItemState, Step) {
    if checked { (ItemState::Checking(held), Step::Check) } else { release(held) }
}

/// Why an item was withdrawn that was allowed without what the gate itself asks for.
pub(crate) const NOT_APPROVED: &str = "not approved as the gate asks for";

fn not_approved(state: &ItemState, why: &str, released: bool) -> (ItemState, Step) {
    let mut step = ended(state, Some(Refusal::undecided(why)), Some(NOT_APPROVED));
    if let (true, Step::End(end)) = (released, &mut step)
        && let Some(withdrawn) = end.withdraw.take()
    {
        end.unsent = Some(withdrawn);
    }
    (ItemState::Over, step)
}

fn decide(
    mut held: HeldItem,
    mut decided: Decided,
    checked: bool,
    proven: &mut Option<Proven>,
) -> (ItemState, Step) {
    let about_this = decided.id == *held.id()
        && decided.session == *held.session()
        && decided.sha256 == held.sha256();
    if !about_this {
        let why = "the broker's decision was not about this command";
        return fail(ItemState::Pending(held), Refusal::undecided(why), Some(why));
    }
    if !decided.allow {
        let refusal = Refusal::decided(decided.kind, decided.comment.as_deref());
        let end = End { refusal: Some(refusal), withdraw: None, unsent: None };
        return (ItemState::Over, Step::End(end));
    }
    held.grant(decided.grant);
    if !held.allow_input(decided.input, decided.input_grant) {
        let why = "the broker allowed other standard input than came with the command";
        return fail(ItemState::Pending(held), Refusal::undecided(why), Some(why));
    }
    if !decided.beneath.is_empty() {
        // Released before anybody looked: that is not what the rule said.
        if let Some(proof) = decided.released.take() {
            let why = "the broker released it before its paths were looked at";
            let refusal = Some(Refusal::undecided(why));
            let unsent = Some((proof.id().clone(), why));
            return (ItemState::Over, Step::End(End { refusal, withdraw: None, unsent }));
        }
        return (ItemState::Looking(held), Step::Look(decided.beneath));
    }
    if let Some(proof) = decided.released.take() {
        return (ItemState::Over, send(held, proof, proven.take()));
    }
    after_look(held, checked)
}

fn release(held: HeldItem) -> (ItemState, Step) {
    let step = Step::Release {
        id: held.id().clone(),
        session: held.session().clone(),
        sha256: held.sha256(),
        input: held.input(),
    };
    (ItemState::Releasing(held), step)
}

fn send(held: HeldItem, proof: Released, proven: Option<Proven>) -> Step {
    let id = held.id().clone();
    let Some(proven) = proven else {
        let refusal = Some(Refusal::undecided("nobody has checked its approval"));
        return Step::End(End { refusal, withdraw: None, unsent: Some((id, NOT_APPROVED)) });
    };
    match held.release(proof, proven) {
        Some((approved, rest)) => Step::Deliver(id, Box::new(approved), rest),
        None => {
            let why = "the broker's release was not about this command";
            Step::End(End {
                refusal: Some(Refusal::undecided(why)),
                withdraw: None,
                unsent: Some((id, why)),
            })
        }
    }
}

fn fail(state: ItemState, refusal: Refusal, withdraw: Option<&'static str>) -> (ItemState, Step) {
    let step = ended(&state, Some(refusal), withdraw);
    (ItemState::Over, step)
}

fn ended(state: &ItemState, refusal: Option<Refusal>, withdraw: Option<&'static str>) -> Step {
    let end = match (state, withdraw) {
        (
            ItemState::Pending(held) | ItemState::Looking(held) | ItemState::Checking(held),
            Some(reason),
        ) => End { refusal, withdraw: Some((held.id().clone(), reason)), unsent: None },
        // The release may be on disk: report it rather than leave it open forever.
        (ItemState::Releasing(held), reason) => {
            let reason = reason.unwrap_or("the link to the broker was lost");
            End { refusal, withdraw: None, unsent: Some((held.id().clone(), reason)) }
        }
        _ => End { refusal, withdraw: None, unsent: None },
    };
    Step::End(end)
}

#[cfg(test)]
mod tests;
