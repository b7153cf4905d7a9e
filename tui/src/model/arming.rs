//! When a key may decide: what was on the screen, since when, and which keys came meanwhile. It
//! must never call a request or a question ready that a drawing has not reported as shown.

use expacti_protocol::ids::CommandId;

use super::drawn::DrawnRequest;
use crate::time::{ARMING, Millis};

/// What is on the screen, as the last drawing reported it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnScreen {
    /// The request.
    pub id: CommandId,
    /// In which revision.
    pub revision: u64,
    /// Since when without interruption.
    pub since: Millis,
}

/// What stands between a key and a decision.
#[derive(Debug, Default)]
pub(crate) struct Arming {
    /// The request that is on the screen, if one is.
    pub on_screen: Option<OnScreen>,
    /// Since when the question that is open now is on the screen, all of it.
    pub asked_since: Option<Millis>,
    /// When a decision key was last pressed.
    pub pressed_at: Option<Millis>,
    /// When a decision was last made here.
    pub decided_at: Option<Millis>,
    /// How long a byte takes to the reviewer's terminal and back.
    pub terminal_delay: Millis,
    typing_until: Option<Millis>,
}

impl Arming {
    /// How long a request or a question must have been on the screen before an allow counts:
    /// longer where keys and pictures take long on their way to the reviewer.
    pub(crate) fn delay(&self) -> Millis {
        ARMING + self.terminal_delay
    }

    /// When the request on the screen takes an allow.
    pub(crate) fn request_ready(&self) -> Option<Millis> {
        self.on_screen.as_ref().map(|shown| self.ready_after(shown.since))
    }

    /// When the question that is on the screen takes an answer: it was there for a while, and no
    /// key was pressed in vain. Never while it is not on the screen.
    pub(crate) fn question_ready(&self) -> Option<Millis> {
        self.asked_since.map(|since| self.ready_after(since))
    }

    /// Whether the question takes an answer now.
    pub(crate) fn answerable(&self, now: Millis) -> bool {
        self.question_ready().is_some_and(|ready| now >= ready)
    }

    /// A key pressed too early, or held down, starts the wait afresh.
    fn ready_after(&self, since: Millis) -> Millis {
        self.pressed_at.map_or(since, |pressed| pressed.max(since)) + self.delay()
    }

    /// The request on the screen, when it is that one.
    pub(crate) fn shown(&self, id: &CommandId) -> Option<&OnScreen> {
        self.on_screen.as_ref().filter(|shown| &shown.id == id)
    }

    /// Whether enough time has passed since the last decision: the next request came under a
    /// finger that may still be moving.
    pub(crate) fn rested_since_decision(&self, now: Millis) -> bool {
        self.decided_at.is_none_or(|at| now >= at + self.delay())
    }

    /// A key was pressed that decides, or might have been meant to.
    pub(crate) fn press(&mut self, now: Millis) {
        self.pressed_at = Some(now);
    }

    /// A question was opened. It takes no answer before it was on the screen.
    pub(crate) fn question_opened(&mut self) {
        self.asked_since = None;
    }

    /// What was on the screen is not there any more, or not what it was.
    pub(crate) fn nothing_shown(&mut self) {
        self.on_screen = None;
    }

    /// Takes in what a drawing showed: the only source of "this was on the screen".
    pub(crate) fn drew(&mut self, request: Option<&DrawnRequest>, question: bool, now: Millis) {
        self.on_screen = request.map(|request| {
            let same = |s: &OnScreen| s.id == request.id && s.revision == request.revision;
            self.on_screen.take().filter(same).unwrap_or_else(|| OnScreen {
                id: request.id.clone(),
                revision: request.revision,
                since: now,
            })
        });
        self.asked_since = question.then(|| self.asked_since.unwrap_or(now));
    }

    /// A field or question that the reviewer may be typing into has closed by itself. Until the
    /// keys have rested they mean nothing: they are the rest of that text.
    pub(crate) fn interrupt_typing(&mut self, now: Millis) {
        self.press(now);
        self.typing_until = Some(now + self.delay());
    }

    /// Whether the keys of such a text still come. Each one puts the end of it off.
    pub(crate) fn still_typing(&mut self, now: Millis) -> bool {
        let typing = self.typing_until.is_some_and(|until| now < until);
        self.typing_until = typing.then_some(now + self.delay());
        if typing {
            self.press(now);
        }
        typing
    }
}
