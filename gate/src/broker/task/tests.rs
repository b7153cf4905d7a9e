//! What happens when the broker answers about an item that has ended here.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use expacti_engine::Level;
use expacti_protocol::command::{CommandState, CommandText, ItemKind, StdinTreatment, Submission};
use expacti_protocol::digest::Digest;
use expacti_protocol::gate::{Decision, DecisionKind};
use tokio::sync::broadcast;

use super::*;

const COMMAND: &[u8] = b"uname -a";

struct World {
    task: Task,
    sent: mpsc::UnboundedReceiver<GateRequest>,
    session: SessionId,
    id: CommandId,
}

fn reporter() -> super::super::reporter::Reporter {
    let pair = russh::keys::ssh_key::private::Ed25519Keypair::from_seed(&[1; 32]);
    let key = russh::keys::PrivateKey::new(pair.into(), "").unwrap();
    super::super::reporter::Reporter::new(key).unwrap()
}

impl World {
    fn new() -> Self {
        let (status, _) = watch::channel(LinkStatus::Connected);
        let state = LinkState {
            epoch: AtomicU64::new(0),
            next_ref: AtomicU64::new(1),
            finished: std::sync::Mutex::new(BTreeMap::new()),
            reads: std::sync::Mutex::new(BTreeMap::new()),
            grants_over: broadcast::channel(1).0,
            delivered: Default::default(),
            log: None,
            reporter: reporter(),
            rulebook: crate::approval::PassedOn::default(),
        };
        let endpoint = Endpoint::unix("/nowhere");
        let (_, requests) = mpsc::unbounded_channel();
        let mut task = Task::new(endpoint, requests, status, Arc::new(state));
        let (out, sent) = mpsc::unbounded_channel();
        task.out = out;
        Self { task, sent, session: SessionId::new(), id: CommandId::new() }
    }

    /// Submits the command; the request's number, and what the item hears.
    fn submit(&mut self) -> (u64, mpsc::UnboundedReceiver<BrokerEvent>) {
        let (events, heard) = mpsc::unbounded_channel();
        let submission = Submission {
            resolves_paths: false,
            session_id: self.session.clone(),
            kind: ItemKind::Exec,
            parent: None,
            text: CommandText::new(COMMAND),
            sha256: Digest::of(COMMAND),
            cwd: "~".to_owned(),
            shell: None,
            pty: None,
            dropped_env: Vec::new(),
            env: Vec::new(),
            notes: Vec::new(),
            ready: true,
            interactive: None,
            preview: None,
            item: None,
        };
        self.task.on_request(LinkRequest::Submit {
            epoch: 0,
            submission: Box::new(submission),
            events,
        });
        match self.sent.try_recv().unwrap() {
            GateRequest::Submit { r#ref, .. } => (r#ref, heard),
            other => panic!("{other:?}"),
        }
    }

    fn submitted(&mut self, r#ref: u64) {
        let event = GateEvent::Submitted {
            r#ref,
            id: self.id.clone(),
            state: CommandState::Pending,
            risk_score: 5,
            level: Level::Low,
            timeout_seconds: 60,
            stdin: StdinTreatment::Data,
            drop_stdin: false,
            writes: None,
            unattended: false,
        };
        self.task.on_event(event).unwrap();
    }

    /// A rule allows it, and the release is on the broker's disk.
    fn released(&mut self) {
        let decision = Decision {
            beneath: Vec::new(),
            id: self.id.clone(),
            allow: true,
            comment: None,
            sha256: Digest::of(COMMAND),
            session_id: self.session.clone(),
            decided_by: "whitelist:r1".to_owned(),
            kind: DecisionKind::Rule,
            released: true,
            grant: None,
            input: None,
            input_grant: None,
            instead: None,
            signed: Vec::new(),
        };
        self.task.on_event(GateEvent::Decision(decision)).unwrap();
    }
}

#[test]
fn an_item_that_ended_before_it_had_an_id_is_withdrawn_and_forgotten() {
    let mut w = World::new();
    let (r#ref, heard) = w.submit();
    drop(heard);
    w.submitted(r#ref);
    let sent = w.sent.try_recv().unwrap();
    assert!(matches!(sent, GateRequest::Withdraw { id, .. } if id == w.id));
    assert!(w.task.items.is_empty(), "nothing of it is kept");
    // The broker's release crosses the withdrawal, which settles it there: no outcome is invented.
    w.released();
    assert!(w.sent.try_recv().is_err());
    assert!(w.task.state.finished().is_empty());
}

#[test]
fn a_release_that_nobody_waits_for_any_more_is_reported_as_not_sent() {
    let mut w = World::new();
    let (r#ref, heard) = w.submit();
    w.submitted(r#ref);
    drop(heard);
    w.released();
    match w.sent.try_recv().unwrap() {
        GateRequest::Finished { id, outcome, .. } => {
            assert_eq!(id, w.id);
            assert!(outcome.not_sent && outcome.unknown.is_some());
        }
        other => panic!("{other:?}"),
    }
    assert!(w.task.items.is_empty());
}

#[test]
fn a_release_after_the_withdrawal_reaches_nobody() {
    let mut w = World::new();
    let (r#ref, mut heard) = w.submit();
    w.submitted(r#ref);
    assert!(matches!(heard.try_recv().unwrap(), BrokerEvent::Submitted(_)));
    w.task.on_request(LinkRequest::Withdraw {
        epoch: 0,
        id: w.id.clone(),
        reason: "^C".to_owned(),
    });
    assert!(matches!(w.sent.try_recv().unwrap(), GateRequest::Withdraw { .. }));
    w.released();
    assert!(heard.try_recv().is_err(), "no proof of a release comes out");
    assert!(w.sent.try_recv().is_err());
}
