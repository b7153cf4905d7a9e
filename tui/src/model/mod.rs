//! Everything the reviewer's screen knows. It must never change except in `update`, and never
//! hold a string of the broker's for drawing that was not made clean on the way in.

mod alerts;
mod arming;
mod ballot;
mod card;
mod clock;
mod confirm;
mod connection;
mod decisions;
mod drawn;
mod filter;
mod find;
mod grants;
mod item;
mod list;
mod message;
mod mode;
mod pane;
mod proposal;
mod reading;
mod requests;
mod reviewer;
mod rows;
mod rule_text;
mod rulebook;
mod seen;
mod sessions;
mod settings;
mod state;
mod wake;
mod watching;

pub use confirm::{Confirm, ConfirmKind};

pub(crate) use ballot::{Ballot, Choice, Subject, Voting};
pub(crate) use card::{ClosestRule, Destination, ScoreTerm};
pub(crate) use clock::Clock;
pub(crate) use connection::{Connection, ConnectionId, LinkState};
pub(crate) use decisions::{LastDecision, Verdict};
pub(crate) use drawn::{Area, Drawn, DrawnRequest};
pub(crate) use find::{Find, Match, Section};
pub(crate) use grants::{ActiveGrant, GrantField, GrantForm, words};
pub(crate) use item::{Item, Stage, came, result};
pub(crate) use list::List;
pub(crate) use message::{Answer, Effect, Fetch, LinkMsg, Msg, Notice, NoticeAction};
pub(crate) use mode::{Confirming, Mode, SecondStep, SessionControl};
pub(crate) use pane::Pane;
pub(crate) use proposal::RuleProposal;
pub(crate) use requests::{QueueRow, Requests};
pub(crate) use reviewer::Reviewer;
pub(crate) use rows::{ListRow, Tone, audit_row, history_row};
pub(crate) use rulebook::Rulebook;
pub(crate) use sessions::{Session, Sessions};
pub(crate) use settings::Settings;
pub(crate) use state::{Model, ReplayWanted};
pub(crate) use watching::LiveTerminal;
