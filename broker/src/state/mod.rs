//! What the broker knows and has not finished with. A command goes: submitted -> (auto) | pending -> decided | expired | withdrawn ->
//! released -> finished | unknown.
//!
//! Pure: requests, the time and the recorder's word go in; what must be written and who must be
//! told comes out. Nothing is told before it is written: the dispatcher commits `writes`, and only
//! then sends `outgoing`. When the commit fails, [`State::rollback`] makes the batch undone.

mod admin;
mod changes;
mod decide;
mod eligibility;
mod ports;
mod secret;
mod sessions;
mod stdin;
mod submit;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_changes;
#[cfg(test)]
mod tests_items;
#[cfg(test)]
mod tests_orders;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use expacti_audit::{Chain, Entry};
use expacti_engine::{History, Snapshot, Voter};
use expacti_protocol::command::{CommandState, CommandView, Grant};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::{DecisionKind, GateEvent};
use expacti_protocol::http::{Change, PrincipalView, RuleView, Target};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::reviewer::ReviewerEvent;
use expacti_protocol::session::SessionView;

pub(crate) use decide::too_late_for;
pub(crate) use ports::{GateId, Now, Recorder, Signer};
pub(crate) use ports::{Outgoing, PrincipalRow, Write};
pub use ports::{Peer, Refusal};
pub(crate) use secret::{for_viewer, not_kept};
use table::Table;

/// What every table can do, whatever it holds.
trait Undo {
    fn keep_job(&mut self);
    fn undo_job(&mut self);
    fn commit(&mut self);
    fn rollback(&mut self);
}

impl<K: Eq + std::hash::Hash + Clone, V: Clone> Undo for Table<K, V> {
    fn keep_job(&mut self) {
        Table::keep_job(self);
    }
    fn undo_job(&mut self) {
        Table::undo_job(self);
    }
    fn commit(&mut self) {
        Table::commit(self);
    }
    fn rollback(&mut self) {
        Table::rollback(self);
    }
}

/// How long a gate may take from an allow to its release. The gate releases at once; past this
/// something is wrong, and an approval must not lie around.
const RELEASE_WINDOW: Duration = Duration::from_secs(30);

/// A command that is not over.
#[derive(Debug, Clone)]
pub(crate) struct OpenCommand {
    pub(crate) view: CommandView,
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) gate: GateId,
    /// When the present state ends by itself.
    pub(crate) deadline: Instant,
    /// When others are asked as well, while it waits.
    pub(crate) escalate_at: Option<Instant>,
    pub(crate) ballots: Vec<Ballot>,
    pub(crate) kind: Option<DecisionKind>,
    pub(crate) signatures: Vec<String>,
    /// Of an item typed without echo: what is written down instead of the digest of its bytes,
    /// which would let a password be guessed.
    pub(crate) salted_digest: Option<Digest>,
}

/// One reviewer's word.
#[derive(Debug, Clone)]
pub(crate) struct Ballot {
    pub(crate) voter: Voter,
    pub(crate) allow: bool,
    pub(crate) grant: Option<Grant>,
}

impl OpenCommand {
    /// The command as it is kept: no secret in it is.
    pub(crate) fn kept(&self) -> CommandView {
        let mut kept = self.view.clone();
        match self.salted_digest {
            Some(salted_digest) => secret::hide(&mut kept, salted_digest),
            None => secret::mask(&mut kept),
        }
        kept
    }

    /// The command as reviewers see it: its secrets only while they decide.
    pub(crate) fn shown(&self) -> CommandView {
        if self.view.state == CommandState::Pending { self.view.clone() } else { self.kept() }
    }
}

/// An open session.
#[derive(Debug, Clone)]
pub(crate) struct OpenSession {
    pub(crate) view: SessionView,
    pub(crate) gate: GateId,
    pub(crate) history: History,
    pub(crate) tags: Vec<String>,
    /// Digests of commands denied in this session.
    pub(crate) denied: BTreeSet<String>,
}

/// All that the broker knows and has not finished with.
pub(crate) struct State {
    pub(crate) chain: Chain,
    committed_chain: Chain,
    /// How long the log was after its last checkpoint.
    checkpointed: u64,
    pub(crate) commands: Table<CommandId, OpenCommand>,
    pub(crate) sessions: Table<SessionId, OpenSession>,
    pub(crate) baselines: Table<String, History>,
    pub(crate) rules: Table<String, RuleView>,
    pub(crate) changes: Table<String, Change>,
    pub(crate) policies: Table<String, expacti_engine::Policy>,
    pub(crate) principals: Table<String, PrincipalView>,
    pub(crate) targets: Table<String, Target>,
    pub(crate) snapshot: Arc<Snapshot>,
    committed_snapshot: Arc<Snapshot>,
    pub(crate) default_timeout: Duration,
    /// The name of the person the broker belongs to.
    pub(crate) owner: String,
    pub(crate) reviewers: usize,
    /// The broker is about to stop: nothing new is taken.
    pub(crate) stopping: bool,
    pub(crate) recorder: Box<dyn Recorder>,
    pub(crate) signer: Box<dyn Signer>,
    pub(crate) writes: Vec<Write>,
    pub(crate) outgoing: Vec<Outgoing>,
}

/// What the disk holds when the broker starts.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) chain: Chain,
    pub(crate) ends_in_checkpoint: bool,
    pub(crate) open_commands: Vec<CommandView>,
    pub(crate) open_sessions: Vec<SessionView>,
    pub(crate) baselines: HashMap<String, History>,
    pub(crate) rules: Vec<RuleView>,
    pub(crate) changes: Vec<Change>,
    pub(crate) policies: Vec<expacti_engine::Policy>,
    pub(crate) principals: Vec<PrincipalView>,
    pub(crate) targets: Vec<Target>,
}

impl State {
    /// Takes up what the disk holds. Everything that was under way when the last broker ended is
    /// ended now: undecided and unreleased commands are denied, released ones are unknown.
    pub(crate) fn new(
        loaded: Loaded,
        tables: expacti_engine::RiskTables,
        recorder: Box<dyn Recorder>,
        signer: Box<dyn Signer>,
        default_timeout: Duration,
        owner: String,
        now: Now,
    ) -> Result<Self, Refusal> {
        let mut state = Self {
            committed_chain: loaded.chain.clone(),
            checkpointed: if loaded.ends_in_checkpoint { loaded.chain.len() } else { 0 },
            chain: loaded.chain,
            commands: Table::default(),
            sessions: Table::default(),
            baselines: Table::default(),
            rules: Table::default(),
            changes: Table::default(),
            policies: Table::default(),
            principals: Table::default(),
            targets: Table::default(),
            snapshot: Arc::new(Snapshot { tables, ..Snapshot::default() }),
            committed_snapshot: Arc::default(),
            default_timeout,
            owner,
            reviewers: 0,
            stopping: false,
            recorder,
            signer,
            writes: Vec::new(),
            outgoing: Vec::new(),
        };
        for (agent, history) in loaded.baselines {
            state.baselines.insert(agent, history);
        }
        for rule in loaded.rules {
            state.rules.insert(rule.rule.id.clone(), rule);
        }
        for change in loaded.changes {
            state.changes.insert(change.id.to_string(), change);
        }
        for policy in loaded.policies {
            state.policies.insert(policy.id.clone(), policy);
        }
        for principal in loaded.principals {
            state.principals.insert(principal.name.clone(), principal);
        }
        for target in loaded.targets {
            state.targets.insert(target.name.clone(), target);
        }
        state.rebuild_snapshot()?;
        for view in loaded.open_commands {
            state.recover_command(view, now)?;
        }
        for view in loaded.open_sessions {
            state.recover_session(view, now)?;
        }
        Ok(state)
    }

    /// How many entries of the log are known to be on disk.
    pub(crate) fn committed_entries(&self) -> u64 {
        self.committed_chain.len()
    }

    fn each_table(&mut self, mut f: impl FnMut(&mut dyn Undo)) {
        f(&mut self.commands);
        f(&mut self.sessions);
        f(&mut self.baselines);
        f(&mut self.rules);
        f(&mut self.changes);
        f(&mut self.policies);
        f(&mut self.principals);
        f(&mut self.targets);
    }

    /// Runs one job: what it did stays when it succeeds, and did not happen when it is refused.
    pub(crate) fn job<T>(
        &mut self,
        job: impl FnOnce(&mut Self) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mark = (
            self.chain.clone(),
            Arc::clone(&self.snapshot),
            self.writes.len(),
            self.outgoing.len(),
        );
        let result = job(self);
        if result.is_ok() {
            self.each_table(|t| t.keep_job());
        } else {
            self.each_table(|t| t.undo_job());
            (self.chain, self.snapshot) = (mark.0, mark.1);
            self.writes.truncate(mark.2);
            self.outgoing.truncate(mark.3);
        }
        result
    }

    /// What was done is on disk.
    pub(crate) fn commit(&mut self) {
        self.committed_chain = self.chain.clone();
        self.committed_snapshot = Arc::clone(&self.snapshot);
        // What is over lives on in the database only.
        let over: Vec<_> = self
            .commands
            .iter()
            .filter(|(_, c)| c.view.state.is_final())
            .map(|(id, _)| id.clone())
            .collect();
        for id in over {
            self.commands.remove(&id);
        }
        self.each_table(|t| t.commit());
    }

    /// What was done since the last commit did not happen.
    pub(crate) fn rollback(&mut self) {
        self.each_table(|t| t.rollback());
        self.chain = self.committed_chain.clone();
        // A checkpoint that did not happen must not save the next one.
        if self.checkpointed > self.chain.len() {
            self.checkpointed = 0;
        }
        self.snapshot = Arc::clone(&self.committed_snapshot);
        self.writes.clear();
        self.outgoing.clear();
    }

    /// The next moment at which [`State::tick`] has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.commands
            .values()
            .filter(|c| matches!(c.view.state, CommandState::Pending | CommandState::Allowed))
            .map(|c| match c.escalate_at {
                Some(at) if c.view.state == CommandState::Pending => at.min(c.deadline),
                _ => c.deadline,
            })
            .min()
    }

    /// Ends what has passed its deadline.
    pub(crate) fn tick(&mut self, now: Now) -> Result<(), Refusal> {
        let due: Vec<_> = self
            .commands
            .iter()
            .filter(|(_, c)| {
                c.deadline <= now.mono
                    && matches!(c.view.state, CommandState::Pending | CommandState::Allowed)
            })
            .map(|(id, c)| (id.clone(), c.view.state))
            .collect();
        for (id, state) in due {
            if state == CommandState::Pending {
                self.expire(&id, now)?;
            } else {
                self.end_undelivered(&id, "the gate did not release it in time", now)?;
            }
        }
        let due: Vec<_> = self
            .commands
            .iter()
            .filter(|(_, c)| {
                c.view.state == CommandState::Pending
                    && c.escalate_at.is_some_and(|at| at <= now.mono)
            })
            .map(|(id, _)| id.clone())
            .collect();
        for id in due {
            self.escalate(&id, now)?;
        }
        Ok(())
    }

    /// Chains an entry and has it written.
    pub(crate) fn audit(&mut self, entry: &Entry) -> Result<(), Refusal> {
        let link = self.chain.append(entry).map_err(|e| Refusal::failed(e.to_string()))?;
        self.writes.push(Write::Audit { seq: link.seq, line: link.line, hash: link.hash });
        Ok(())
    }

    /// A checkpoint: everything up to now is signed. Nothing new needs no new signature.
    pub(crate) fn checkpoint(&mut self, now: Now) -> Result<(), Refusal> {
        if self.checkpointed == self.chain.len() && !self.chain.is_empty() {
            return Ok(());
        }
        let open = Entry::new("checkpoint", &now.rfc3339()).with("key", self.signer.public_key());
        let message =
            self.chain.checkpoint_message(&open).map_err(|e| Refusal::failed(e.to_string()))?;
        let signature = self
            .signer
            .sign(&message)
            .map_err(|e| Refusal::failed(format!("failed to sign a checkpoint: {e}")))?;
        self.audit(&open.with("signature", signature))?;
        self.checkpointed = self.chain.len();
        Ok(())
    }

    /// Has a command's present state written and told, with its compare-and-set on disk.
    pub(crate) fn store(
        &mut self,
        id: &CommandId,
        from: Option<CommandState>,
    ) -> Result<(), Refusal> {
        let may_decide = match self.commands.get(id) {
            Some(open) if open.view.state == CommandState::Pending => {
                self.may_decide(&open.view, &open.ballots)
            }
            _ => Vec::new(),
        };
        let Some(open) = self.commands.get_mut(id) else {
            return Err(Refusal::not_found(format!("command {id}")));
        };
        open.view.may_decide = may_decide;
        open.view.revision = open.view.revision.saturating_add(1);
        let (view, kept) = (open.shown(), open.kept());
        let body = serde_json::to_string(&kept).map_err(|e| Refusal::failed(e.to_string()))?;
        self.writes.push(Write::Command {
            id: id.clone(),
            session: view.session_id.clone(),
            from,
            to: view.state,
            submitted_at: view.timestamp.saturating_mul(1_000_000),
            view: body,
        });
        self.outgoing.push(Outgoing::Review(
            if from.is_none() && view.state == CommandState::Pending {
                ReviewerEvent::PendingCommand(Box::new(view))
            } else {
                ReviewerEvent::CommandUpdated(Box::new(view))
            },
        ));
        Ok(())
    }

    /// An entry about a command, with the fields every such entry has.
    pub(crate) fn entry_for(&self, kind: &str, view: &CommandView, now: Now) -> Entry {
        let text = view.masked.as_ref().unwrap_or(&view.text.command);
        Entry::new(kind, &now.rfc3339())
            .with("command_id", view.id.as_str())
            .with("session_id", view.session_id.as_str())
            .with("command", text.as_str())
            .with("command_sha256", self.written_digest(view).to_string())
    }

    /// The digest that is written down: never that of what was typed without echo.
    fn written_digest(&self, view: &CommandView) -> Digest {
        self.commands.get(&view.id).and_then(|open| open.salted_digest).unwrap_or(view.sha256)
    }

    /// Tells the gate that holds a command.
    pub(crate) fn tell_gate(&mut self, gate: GateId, event: GateEvent) {
        self.outgoing.push(Outgoing::Gate(gate, event));
    }

    /// The commands that wait for a decision.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &CommandView> {
        self.commands.values().map(|c| &c.view).filter(|v| v.state == CommandState::Pending)
    }

    /// The open sessions with their numbers as of now.
    pub(crate) fn session_views(&self) -> Vec<SessionView> {
        let mut all = self.open_sessions();
        for view in &mut all {
            let pending = self.pending().filter(|c| c.session_id == view.id).count();
            view.pending = u64::try_from(pending).unwrap_or(u64::MAX);
        }
        all
    }

    /// The open commands, oldest first.
    pub(crate) fn open_commands(&self) -> Vec<CommandView> {
        let mut all: Vec<_> = self.commands.values().map(OpenCommand::shown).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// The open sessions, oldest first.
    pub(crate) fn open_sessions(&self) -> Vec<SessionView> {
        let mut all: Vec<_> = self.sessions.values().map(|s| s.view.clone()).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }
}
