//! What the keys mean now. A mode must never hold a lock or a handle.

use expacti_protocol::command::Grant;
use expacti_protocol::ids::{CommandId, SessionId};
use tui_input::Input;

use super::grants::GrantForm;
use super::list::List;
use super::proposal::RuleProposal;
use crate::player::Player;

/// What the keys mean now.
#[derive(Debug, Default)]
pub(crate) enum Mode {
    /// Keys are actions.
    #[default]
    Normal,
    /// Keys go into the filter.
    Filter(Input),
    /// Keys go into what is searched for in the request or the terminal.
    Search(Input),
    /// Keys go into the comment of a denial: of the command that was selected when it was opened,
    /// or of none. Opened in any case: text that
    /// follows the key must never be read as keys.
    Comment(Option<CommandId>, Input),
    /// An allow waits for its second step.
    Confirm(Box<Confirming>),
    /// A grant is being filled in: an allow that lets what follows pass unreviewed.
    Grant(Box<GrantForm>),
    /// Ending, pausing or resuming a session waits for `y`.
    ConfirmSession(SessionId, SessionControl),
    /// The keys are shown.
    Help(usize),
    /// A recording is played.
    Replay(Box<Player>),
    /// A list over the whole screen.
    List(Box<List>),
    /// A rule is being proposed.
    Rule(Box<RuleProposal>),
}

/// What can be done to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionControl {
    /// End it.
    Kill,
    /// Hold everything, rules or not.
    Pause,
    /// Let rules decide again.
    Resume,
}

/// An allow that waits for its second step; bound to exactly what was shown.
#[derive(Debug)]
pub(crate) struct Confirming {
    /// Which command.
    pub id: CommandId,
    /// The revision that was shown.
    pub revision: u64,
    /// What it takes.
    pub step: SecondStep,
}

/// The second step of an allow.
#[derive(Debug)]
pub(crate) enum SecondStep {
    /// The key `y`.
    Key,
    /// A name, typed, and Enter.
    Name {
        /// What must be typed.
        expected: String,
        /// What was typed.
        input: Input,
    },
    /// The reviewer's PIN, typed, and Enter: after any other step.
    Pin {
        /// What may pass unreviewed after it.
        decision: Option<Grant>,
        /// What was typed. It is not drawn.
        input: Input,
    },
}
