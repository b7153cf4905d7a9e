//! What is open: commands and sessions that are not over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use expacti_engine::{
    Beneath, Context, Digested, GivenInput, InputSecrets, Taint, TargetName, Voter,
};
use expacti_protocol::command::{CommandState, CommandView, Grant};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::DecisionKind;
use expacti_protocol::input::{InputGrant, InputRef};
use expacti_protocol::session::SessionView;
use expacti_protocol::signed::SignedText;

use super::digest_key::DigestKey;
use super::ports::{GateId, Now, Refusal};
use super::secret;
use super::shown::{Secrets, Shown};

/// A command that is not over.
#[derive(Debug, Clone)]
pub(crate) struct OpenCommand {
    pub(crate) view: CommandView,
    pub(crate) bytes: Arc<[u8]>,
    /// Standard input that came while it waited.
    pub(super) joined: Joined,
    /// The end of the standard input that it was given: what comes later goes on there.
    pub(super) given: GivenInput,
    /// Standard input that rules name, as long as no other was submitted.
    pub(super) covered: Vec<Digested>,
    /// The secrets that it reads from its standard input, as far as it was given any.
    pub(super) reads: InputSecrets,
    /// Under which digests of its standard input are written down, if that holds secrets.
    pub(super) key: Option<DigestKey>,
    /// What must be seen nowhere once it is decided.
    pub(super) secrets: Secrets,
    /// The gate that holds it; none holds what the last broker left open.
    pub(crate) gate: Option<GateId>,
    /// When the present state ends by itself.
    pub(crate) deadline: Instant,
    /// When others are asked as well, while it waits.
    pub(crate) escalate_at: Option<Instant>,
    pub(crate) ballots: Vec<Ballot>,
    pub(crate) kind: Option<DecisionKind>,
    /// Of an item typed without echo, and of standard input with secrets: what is written down instead
    /// of the digest of its bytes, which would let a password be guessed.
    pub(crate) salted_digest: Option<Digest>,
    /// What must lie beneath which directory of the target, if a rule decides.
    pub(crate) beneath: Vec<Beneath>,
    /// The rules that allow it, if they do.
    pub(crate) rules: Vec<String>,
    /// What it may leave behind.
    pub(crate) taint: Taint,
    /// All who approved it go on trusting the account.
    pub(crate) trust: bool,
}

/// Standard input that came while its command waited.
#[derive(Debug, Clone, Default)]
pub(super) struct Joined {
    pub(super) bytes: Arc<Vec<u8>>,
    /// How many times it gave people the whole time again.
    pub(super) restarts: u8,
}

/// One reviewer's vote.
#[derive(Debug, Clone)]
pub(crate) struct Ballot {
    pub(crate) voter: Voter,
    pub(crate) allow: bool,
    pub(crate) grant: Option<Grant>,
    pub(crate) input: Option<InputRef>,
    pub(crate) input_grant: Option<InputGrant>,
    pub(crate) trust: bool,
    /// What this person signed.
    pub(crate) signed: Option<SignedText>,
}

impl OpenCommand {
    /// What those who allowed it have signed.
    pub(crate) fn signed(&self) -> Vec<SignedText> {
        let allows = self.ballots.iter().filter(|ballot| ballot.allow);
        allows.filter_map(|ballot| ballot.signed.clone()).collect()
    }

    /// Whether a digest of what it is about would let a secret be guessed: then a statement that names it,
    /// and a signature of that, are not written down.
    pub(super) fn has_hidden_digest(&self) -> bool {
        self.salted_digest.is_some() || self.key.is_some()
    }

    /// What those who allowed it have signed, as far as it may be written down.
    pub(super) fn signed_in_the_log(&self) -> Vec<SignedText> {
        if self.has_hidden_digest() { Vec::new() } else { self.signed() }
    }

    /// The command as it is kept, and as everybody may see it: no secret in it is.
    pub(crate) fn shown(&self) -> Result<Shown<CommandView>, Refusal> {
        let mut shown = self.view.clone();
        // Whoever decides has signed it; the log has that.
        shown.item = None;
        let typed = shown.interactive.as_ref().is_some_and(|i| i.secret);
        match self.salted_digest {
            Some(salted_digest) if typed => secret::hide(&mut shown, salted_digest),
            salted_digest => {
                secret::mask(&mut shown, &self.secrets);
                shown.sha256 = salted_digest.unwrap_or(shown.sha256);
            }
        }
        if let Some(key) = &self.key {
            key.cover(&mut shown);
        }
        Shown::of(&shown, &self.secrets)
    }

    /// The command as those see it who decide: its secrets only while they do.
    pub(crate) fn for_deciders(&self) -> Result<CommandView, Refusal> {
        if self.view.state == CommandState::Pending {
            Ok(self.view.clone())
        } else {
            self.shown().map(Shown::into_inner)
        }
    }
}

/// An open session.
#[derive(Debug, Clone)]
pub(crate) struct OpenSession {
    pub(crate) view: SessionView,
    pub(crate) gate: GateId,
    /// Under which name its work is kept.
    pub(crate) work: String,
    pub(crate) tags: Vec<String>,
    /// What else the machine is called.
    pub(crate) other_names: Vec<TargetName>,
    /// Why words may mean something else in its shell.
    pub(crate) redefined: Option<String>,
}

impl OpenSession {
    /// What the engine may know of anything that is asked for in it.
    pub(crate) fn context(&self, now: Now) -> Context {
        let info = &self.view.info;
        Context {
            agent: info.agent.clone(),
            target: info.target.clone(),
            user: info.user.clone(),
            cwd: Some("~".to_owned()),
            tags: self.tags.clone(),
            other_names: self.other_names.clone(),
            now: now.micros,
            ..Context::default()
        }
    }
}

/// An end that was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct PutOff {
    /// When it is tried again.
    pub(super) until: Instant,
    /// How long it was put off.
    pub(super) pause: Duration,
}
