//! A command is released at most once, only after an allow by somebody eligibility, and never after its
//! deadline, withdrawal or denial; and the world in which the tests of this module open.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use expacti_engine::{Effect, MatchKind, RiskTables, Rule};
use expacti_protocol::command::{CommandState, CommandText, ItemKind, Submission};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::{Decision, GateEvent};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode, ReviewerEvent};
use expacti_protocol::session::{Pty, SessionInfo};
use serde_json::Value;

use crate::state::{
    GateId, Loaded, Now, Outgoing, Peer, Recorder, Refusal, Shown, Signer, State, Write,
};

#[derive(Clone, Default)]
pub(super) struct FakeRecorder {
    pub(super) broken: Arc<AtomicBool>,
    shown: Arc<std::sync::Mutex<Vec<String>>>,
}

impl FakeRecorder {
    /// Everything that went into a recording.
    pub(super) fn shown(&self) -> Vec<String> {
        self.shown.lock().unwrap().clone()
    }
}

impl Recorder for FakeRecorder {
    fn start(&self, _: &SessionId, _: Option<&Pty>, _: Now) -> Result<(), String> {
        if self.broken.load(Ordering::Relaxed) { Err("disk full".into()) } else { Ok(()) }
    }
    fn mark(&self, session: &SessionId, label: &Shown<String>, now: Now) -> Result<f64, String> {
        self.shown.lock().unwrap().push(label.to_string());
        self.start(session, None, now).map(|()| 1.0)
    }
    fn show(&self, session: &SessionId, line: &Shown<String>, now: Now) -> Result<(), String> {
        self.shown.lock().unwrap().push(line.to_string());
        self.start(session, None, now)
    }
    fn failure(&self, _: &SessionId) -> Option<String> {
        None
    }
}

struct FakeSigner;

impl Signer for FakeSigner {
    fn public_key(&self) -> &str {
        "ssh-ed25519 AAAA"
    }
    fn sign(&self, _: &str) -> Result<String, String> {
        Ok("signature".into())
    }
}

/// A broker without disk or network, and a clock that is set by hand.
pub(super) struct World {
    pub(super) state: State,
    pub(super) recorder: FakeRecorder,
    pub(super) now: Now,
    /// Everything that is on disk.
    pub(super) disk: Vec<Write>,
    /// Everything that gates were told.
    pub(super) told: Vec<(GateId, GateEvent)>,
    /// Everything about commands that reviewers were told.
    pub(super) reviewed: Vec<ReviewerEvent>,
}

pub(super) const GATE: GateId = GateId(1);

pub(super) fn peer(name: &str, role: Role) -> Peer {
    Peer { name: name.into(), role, inside_wrap: false }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Loaded::default())
    }

    pub(super) fn with(loaded: Loaded) -> Self {
        let recorder = FakeRecorder::default();
        let now = Now { micros: 1_774_072_257_000_000, mono: Instant::now() };
        let state = State::new(
            loaded,
            RiskTables::default(),
            Box::new(recorder.clone()),
            Box::new(FakeSigner),
            Duration::from_secs(60),
            "root".into(),
            now,
        )
        .unwrap();
        let mut world =
            Self { state, recorder, now, disk: Vec::new(), told: Vec::new(), reviewed: Vec::new() };
        world.settle(true);
        world
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now.mono += time;
        self.now.micros += i64::try_from(time.as_micros()).unwrap();
    }

    /// The end of a batch: the disk took it, or it did not.
    pub(super) fn settle(&mut self, written: bool) {
        let writes = std::mem::take(&mut self.state.writes);
        let outgoing = std::mem::take(&mut self.state.outgoing);
        if written {
            self.disk.extend(writes);
            self.state.commit();
            for out in outgoing {
                match out {
                    Outgoing::Gate(gate, event) => self.told.push((gate, *event)),
                    Outgoing::Gates(_) => {}
                    Outgoing::Review(news) => {
                        let event = news.event(true);
                        let about_commands = matches!(
                            event,
                            ReviewerEvent::PendingCommand(_) | ReviewerEvent::CommandUpdated(_)
                        );
                        if about_commands {
                            self.reviewed.push(event);
                        }
                    }
                }
            }
        } else {
            self.state.rollback();
        }
    }

    /// Does what is due; what was refused.
    pub(super) fn tick(&mut self) -> Vec<Refusal> {
        let now = self.now;
        let due = self.state.due(now);
        let refused = due.iter().filter_map(|id| self.state.end_due(id, now).err()).collect();
        self.settle(true);
        refused
    }

    pub(super) fn run<T>(
        &mut self,
        job: impl FnOnce(&mut State, Now) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let now = self.now;
        let result = self.state.job(|state| job(state, now));
        self.settle(true);
        result
    }

    pub(super) fn session(&mut self) -> SessionId {
        let info = SessionInfo {
            agent: "bot".into(),
            owner: Some("boss".into()),
            target: "web-1".into(),
            user: "deploy".into(),
            ..SessionInfo::default()
        };
        self.run(|state, now| state.open_session(GATE, info, now)).unwrap()
    }

    pub(super) fn submit(&mut self, session: &SessionId, command: &str) -> CommandId {
        match self.run(|state, now| state.submit(GATE, 1, submission(session, command), now)) {
            Ok(GateEvent::Submitted { id, .. }) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn decide(
        &mut self,
        by: &Peer,
        id: &CommandId,
        allow: bool,
    ) -> Result<CommandState, Refusal> {
        let message = message(id, allow);
        self.run(|state, now| state.decide(by, &message, now)).map(|v| v.state)
    }

    pub(super) fn release(
        &mut self,
        id: &CommandId,
        session: &SessionId,
        command: &str,
    ) -> Result<(), Refusal> {
        let digest = Digest::of(command.as_bytes());
        self.run(|state, now| state.release(GATE, id, session, (digest, None), now))
    }

    pub(super) fn decisions(&self) -> Vec<&Decision> {
        self.told
            .iter()
            .filter_map(|(_, e)| if let GateEvent::Decision(d) = e { Some(d) } else { None })
            .collect()
    }

    /// The kinds of entries about each command, in order, as they are on disk.
    pub(super) fn entries(&self) -> HashMap<String, Vec<(String, Value)>> {
        let mut all: HashMap<String, Vec<(String, Value)>> = HashMap::new();
        for write in &self.disk {
            if let Write::Audit { line, .. } = write {
                let entry: Value = serde_json::from_str(line).unwrap();
                if let Some(id) = entry["command_id"].as_str() {
                    let kind = entry["kind"].as_str().unwrap().to_owned();
                    all.entry(id.to_owned()).or_default().push((kind, entry.clone()));
                }
            }
        }
        all
    }
}

pub(super) fn submission(session: &SessionId, command: &str) -> Submission {
    Submission {
        resolves_paths: false,
        session_id: session.clone(),
        kind: ItemKind::Exec,
        parent: None,
        text: CommandText::new(command.as_bytes()),
        sha256: Digest::of(command.as_bytes()),
        cwd: "~".into(),
        shell: None,
        pty: None,
        dropped_env: Vec::new(),
        env: Vec::new(),
        notes: Vec::new(),
        ready: true,
        interactive: None,
        preview: None,
        item: None,
    }
}

pub(super) fn message(id: &CommandId, allow: bool) -> DecisionMessage {
    DecisionMessage {
        r#ref: None,
        id: id.clone(),
        allow,
        comment: None,
        sha256: None,
        revision: None,
        grant: None,
        input: None,
        input_grant: None,
        trust: false,
        statement: None,
        signature: None,
        pin: None,
    }
}

/// A rule that allows exactly this text.
pub(super) fn rule(pattern: &str) -> Rule {
    Rule::new("", MatchKind::Exact, pattern, Effect::Allow)
}

pub(super) fn code<T>(result: Result<T, Refusal>) -> ErrorCode {
    match result {
        Ok(_) => panic!("was accepted"),
        Err(refusal) => refusal.code,
    }
}
