//! The one item that is under review or being typed. There must never be a second one, and an
//! approval is taken out when it is used, so that it cannot be used twice.

use std::time::Duration;

use super::item::Submission;
use super::probe::Foreground;
use crate::remote::{AbortReason, Delivery};

/// What the gate is doing.
#[derive(Debug)]
pub(super) enum State {
    /// Keys go to the editor, or to the collection of keys.
    Editing,
    /// An item is under review.
    Held(Context),
    /// An item was released; what reads the terminal is looked at once more before it is typed.
    Released { context: Context, grant: bool },
    /// An approved item is being typed.
    Delivering(Box<OngoingDelivery>),
}

/// An item, and what must still be true when it is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Context {
    pub(super) submission: Submission,
    pub(super) epoch: u64,
    /// `None`: at a prompt, where the epoch alone tells every change.
    pub(super) foreground: Option<Foreground>,
}

/// A delivery, and what follows from it.
#[derive(Debug)]
pub(super) struct OngoingDelivery {
    pub(super) delivery: Delivery,
    pub(super) deadline: Duration,
    /// Given up. Until its next prompt, the remote side is tidying up.
    pub(super) aborted: Option<AbortReason>,
    /// It is for a program: nothing tells when the program is done with it.
    pub(super) to_program: bool,
    /// No marker may tell when the command ends.
    pub(super) end_unmarked: bool,
    pub(super) grant: bool,
}

/// The item under review, and one that is about to be reviewed again.
#[derive(Debug)]
pub(super) struct Review {
    pub(super) state: State,
    /// The caller has asked whether the context still holds; a probe will tell.
    pub(super) is_checking: bool,
    /// An item whose context has changed, to be reviewed again.
    pub(super) resubmit: Option<Submission>,
}

impl Review {
    pub(super) fn new() -> Self {
        Self { state: State::Editing, is_checking: false, resubmit: None }
    }

    /// Whether keys are processed: no item is under review or being typed.
    pub(super) fn is_editing(&self) -> bool {
        matches!(self.state, State::Editing)
    }

    /// Takes the held item out, if there is one.
    pub(super) fn take_held(&mut self) -> Option<Context> {
        match std::mem::replace(&mut self.state, State::Editing) {
            State::Held(context) => Some(context),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Takes the released item out, if there is one, and whether a grant comes with it.
    pub(super) fn take_released(&mut self) -> Option<(Context, bool)> {
        match std::mem::replace(&mut self.state, State::Editing) {
            State::Released { context, grant } => Some((context, grant)),
            other => {
                self.state = other;
                None
            }
        }
    }

    /// Takes the delivery out once it is over.
    pub(super) fn take_finished(&mut self) -> Option<Box<OngoingDelivery>> {
        match std::mem::replace(&mut self.state, State::Editing) {
            State::Delivering(ongoing) if ongoing.delivery.is_done() => Some(ongoing),
            other => {
                self.state = other;
                None
            }
        }
    }

    pub(super) fn delivering(&mut self) -> Option<&mut OngoingDelivery> {
        match &mut self.state {
            State::Delivering(ongoing) => Some(ongoing),
            _ => None,
        }
    }
}
