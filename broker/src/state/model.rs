//! All that the broker knows and has not finished with, and what makes a change of it hold or be
//! undone: memory must never say more than the disk.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use expacti_audit::Chain;
use expacti_engine::{History, Policy, RiskTables, Snapshot};
use expacti_protocol::command::CommandView;
use expacti_protocol::http::{Change, PrincipalView, RuleView, SigningKey, Target};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::session::SessionView;
use expacti_protocol::signed::SignedRulebook;
use expacti_protocol::taint::TaintView;

use super::open::{OpenCommand, OpenSession, PutOff};
use super::ports::{Now, Outgoing, Recorder, Refusal, Reviewer, Signer, Write};
use super::table::{Table, Undo};
use super::work::Work;

/// Under which key the signed rulebook is kept: there is one.
pub(super) const LAST_RULEBOOK: u8 = 1;

/// All that the broker knows and has not finished with.
pub(crate) struct State {
    pub(crate) chain: Chain,
    committed_chain: Chain,
    /// How long the log was after its last checkpoint.
    pub(super) checkpointed: u64,
    pub(crate) commands: Table<CommandId, OpenCommand>,
    pub(crate) sessions: Table<SessionId, OpenSession>,
    pub(crate) baselines: Table<String, History>,
    /// What each agent does on each target, across its sessions.
    pub(super) work: Table<String, Work>,
    pub(crate) rules: Table<String, RuleView>,
    /// Rules from before a rule had to say what it covers, until somebody was told.
    pub(super) earlier: Table<String, ()>,
    pub(crate) changes: Table<String, Change>,
    pub(crate) policies: Table<String, Policy>,
    pub(crate) principals: Table<String, PrincipalView>,
    pub(crate) targets: Table<String, Target>,
    /// Accounts that may have changed.
    pub(super) taints: Table<String, TaintView>,
    /// By fingerprint.
    /// Agents that were removed, by the id that they had.
    pub(super) former_agents: Table<String, PrincipalView>,
    /// What people prove that it is them with.
    pub(super) proofs: Table<String, Reviewer>,
    pub(super) signing_keys: Table<String, SigningKey>,
    /// What people have signed last.
    pub(super) rulebooks: Table<u8, SignedRulebook>,
    pub(crate) snapshot: Arc<Snapshot>,
    committed_snapshot: Arc<Snapshot>,
    pub(crate) default_timeout: Duration,
    /// Ends that were refused, and when each is tried again. Not undone with a job: it is about the
    /// job that failed.
    pub(super) put_off: HashMap<CommandId, PutOff>,
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
    pub(crate) earlier_rules: Vec<String>,
    pub(crate) changes: Vec<Change>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) principals: Vec<PrincipalView>,
    pub(crate) targets: Vec<Target>,
    pub(crate) taints: Vec<TaintView>,
    pub(crate) former_agents: Vec<PrincipalView>,
    pub(crate) reviewers: Vec<Reviewer>,
    pub(crate) signing_keys: Vec<SigningKey>,
    pub(crate) signed_rulebook: Option<SignedRulebook>,
}

impl State {
    /// Takes up what the disk holds. Everything that was under way when the last broker ended is
    /// ended now: undecided and unreleased commands are denied, released ones are unknown.
    pub(crate) fn new(
        loaded: Loaded,
        tables: RiskTables,
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
            work: Table::default(),
            rules: Table::default(),
            earlier: Table::default(),
            changes: Table::default(),
            policies: Table::default(),
            principals: Table::default(),
            targets: Table::default(),
            taints: Table::default(),
            former_agents: Table::default(),
            proofs: Table::default(),
            signing_keys: Table::default(),
            rulebooks: Table::default(),
            snapshot: Arc::new(Snapshot { tables, ..Snapshot::default() }),
            committed_snapshot: Arc::default(),
            default_timeout,
            put_off: HashMap::new(),
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
        for id in loaded.earlier_rules {
            state.earlier.insert(id, ());
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
        if let Some(signed) = loaded.signed_rulebook {
            state.rulebooks.insert(LAST_RULEBOOK, signed);
        }
        for agent in loaded.former_agents {
            state.former_agents.insert(agent.id.clone(), agent);
        }
        for reviewer in loaded.reviewers {
            state.proofs.insert(reviewer.name.clone(), reviewer);
        }
        for key in loaded.signing_keys {
            state.signing_keys.insert(key.fingerprint.clone(), key);
        }
        state.load_taints(loaded.taints);
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
        f(&mut self.work);
        f(&mut self.rules);
        f(&mut self.earlier);
        f(&mut self.changes);
        f(&mut self.policies);
        f(&mut self.principals);
        f(&mut self.targets);
        f(&mut self.taints);
        f(&mut self.former_agents);
        f(&mut self.proofs);
        f(&mut self.signing_keys);
        f(&mut self.rulebooks);
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
        // A refused job leaves nothing behind, in whatever step it was refused: not in memory, not
        // in what is written, not in what is sent.
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
            self.put_off.remove(&id);
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
}
