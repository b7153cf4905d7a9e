//! A scripted broker on a Unix socket: says what the test tells it to, remembers what it heard.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expacti_protocol::PROTOCOL_VERSION;
use expacti_protocol::command::{CommandState, ItemKind, Outcome, StdinTreatment, Submission};
use expacti_protocol::gate::{Decision, DecisionKind, GateEvent, GateRequest};
use expacti_protocol::http::{AgentKeyQuery, PrincipalView, Target};
use expacti_protocol::ids::{CommandId, SessionId};
use expacti_protocol::input::{InputGrant, InputRef};
use expacti_protocol::uplink::{Isolation, WrapCheck, WrapRegistration};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::Message;

/// The token of the one wrap that this broker knows.
pub const TOKEN: &str = "0123abcd";

/// How the broker behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Allows and releases at once.
    Auto,
    /// Waits for the test; answers `release`.
    Manual,
    /// Allows at once without `released`, and never answers `release`.
    StuckRelease,
    /// Denies at once.
    Deny,
    /// Allows and releases lines at once, but none that says `touch` or writes to a file.
    Sift,
    /// Does not even answer `submit`.
    Mute,
    /// Does not answer `open_session` either.
    Deaf,
}

#[derive(Debug, Clone)]
pub struct Item {
    pub id: CommandId,
    pub submission: Submission,
}

struct State {
    mode: Mutex<Mode>,
    timeout: Mutex<u64>,
    log: watch::Sender<Vec<GateRequest>>,
    items: watch::Sender<Vec<Item>>,
    out: Mutex<Option<mpsc::UnboundedSender<Option<GateEvent>>>>,
    refusing: Mutex<bool>,
    agents: Mutex<HashMap<String, PrincipalView>>,
    targets: Mutex<Vec<Target>>,
    /// The answer to a question for the head of the log after that many entries.
    heads: Mutex<Option<HeadAnswer>>,
}

/// Answers who has seen so many entries of the log; `None`: it has no answer.
pub type HeadAnswer = Box<dyn Fn(u64) -> Option<String> + Send>;

#[derive(Clone)]
pub struct Broker {
    state: Arc<State>,
    pub path: PathBuf,
    task: Arc<tokio::task::JoinHandle<()>>,
}

impl Drop for Broker {
    fn drop(&mut self) {
        if Arc::strong_count(&self.task) == 1 {
            self.task.abort();
        }
    }
}

impl Broker {
    pub fn start(dir: &Path, mode: Mode) -> Self {
        let path = dir.join("broker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let state = Arc::new(State {
            mode: Mutex::new(mode),
            timeout: Mutex::new(60),
            log: watch::channel(Vec::new()).0,
            items: watch::channel(Vec::new()).0,
            out: Mutex::new(None),
            refusing: Mutex::new(false),
            agents: Mutex::default(),
            targets: Mutex::default(),
            heads: Mutex::default(),
        });
        let serving = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                if *serving.refusing.lock().unwrap() {
                    continue;
                }
                tokio::spawn(serve(Arc::clone(&serving), stream));
            }
        });
        Self { state, path, task: Arc::new(task) }
    }

    pub fn set_mode(&self, mode: Mode) {
        *self.state.mode.lock().unwrap() = mode;
    }

    pub fn set_timeout(&self, seconds: u64) {
        *self.state.timeout.lock().unwrap() = seconds;
    }

    pub fn add_agent(&self, key: &str, principal: PrincipalView) {
        self.state.agents.lock().unwrap().insert(key.to_owned(), principal);
    }

    pub fn forget_agents(&self) {
        self.state.agents.lock().unwrap().clear();
    }

    pub fn targets(&self) -> Vec<Target> {
        self.state.targets.lock().unwrap().clone()
    }

    pub fn set_targets(&self, targets: Vec<Target>) {
        *self.state.targets.lock().unwrap() = targets;
    }

    pub fn show_heads(&self, heads: HeadAnswer) {
        *self.state.heads.lock().unwrap() = Some(heads);
    }

    /// Cuts the link; with `stay_away` no new one is accepted.
    pub fn cut(&self, stay_away: bool) {
        *self.state.refusing.lock().unwrap() = stay_away;
        if let Some(out) = &*self.state.out.lock().unwrap() {
            out.send(None).ok();
        }
    }

    pub fn say(&self, event: GateEvent) {
        self.state.out.lock().unwrap().as_ref().unwrap().send(Some(event)).ok();
    }

    /// Waits for the n-th submission (from 0).
    pub async fn item(&self, n: usize) -> Item {
        let mut items = self.state.items.subscribe();
        let wait = items.wait_for(|items| items.len() > n);
        let items = tokio::time::timeout(Duration::from_secs(20), wait);
        items.await.expect("a submission").unwrap()[n].clone()
    }

    pub fn items(&self) -> Vec<Item> {
        self.state.items.borrow().clone()
    }

    pub fn log(&self) -> Vec<GateRequest> {
        self.state.log.borrow().clone()
    }

    /// Waits until the broker has heard something.
    pub async fn heard<T>(&self, what: &str, f: impl Fn(&GateRequest) -> Option<T>) -> T {
        let mut log = self.state.log.subscribe();
        let wait = log.wait_for(|log| log.iter().any(|r| f(r).is_some()));
        let log = tokio::time::timeout(Duration::from_secs(20), wait)
            .await
            .unwrap_or_else(|_| panic!("never heard {what}: {:?}", self.log()))
            .unwrap();
        log.iter().find_map(f).unwrap()
    }

    pub async fn outcome(&self, id: &CommandId) -> Outcome {
        self.heard("finished", |r| match r {
            GateRequest::Finished { id: i, outcome, .. } if i == id => Some(outcome.clone()),
            _ => None,
        })
        .await
    }

    /// Waits for an item that contains this; false when none comes.
    pub async fn submitted(&self, part: &str, patience: Duration) -> bool {
        let mut items = self.state.items.subscribe();
        let found = items.wait_for(|items| {
            items.iter().rev().any(|item| item.submission.text.command.contains(part))
        });
        tokio::time::timeout(patience, found).await.is_ok_and(|found| found.is_ok())
    }

    /// Waits until every session that was opened is closed.
    pub async fn sessions_closed(&self) {
        let mut log = self.state.log.subscribe();
        let open = |log: &Vec<GateRequest>| {
            log.iter().fold(0, |open: i64, request| match request {
                GateRequest::OpenSession { .. } => open + 1,
                GateRequest::CloseSession { .. } => open - 1,
                _ => open,
            })
        };
        let wait = log.wait_for(|log| open(log) == 0);
        let closed = tokio::time::timeout(Duration::from_secs(20), wait).await;
        closed.expect("every session is closed").unwrap();
    }

    pub fn decision(item: &Item, allow: bool, comment: Option<&str>) -> Decision {
        Decision {
            beneath: Vec::new(),
            id: item.id.clone(),
            allow,
            comment: comment.map(str::to_owned),
            sha256: item.submission.sha256,
            session_id: item.submission.session_id.clone(),
            decided_by: "alice".to_owned(),
            kind: DecisionKind::Reviewer,
            released: false,
            grant: None,
            input: None,
            input_grant: None,
            instead: None,
            signed: Vec::new(),
        }
    }

    pub fn allow(&self, item: &Item) {
        self.say(GateEvent::Decision(Self::decision(item, true, None)));
    }

    pub fn deny(&self, item: &Item, comment: &str) {
        self.say(GateEvent::Decision(Self::decision(item, false, Some(comment))));
    }
}

impl Broker {
    /// Waits until this much of an item's standard input has joined it.
    pub async fn joined(&self, item: &Item, bytes: usize) -> InputRef {
        self.heard("join", |request| match request {
            GateRequest::Join { id, input, .. }
                if *id == item.id && input.bytes == bytes as u64 =>
            {
                Some(*input)
            }
            _ => None,
        })
        .await
    }

    /// Allows an item with that much of its standard input.
    pub fn allow_with(&self, item: &Item, input: Option<InputRef>, grant: Option<InputGrant>) {
        let decision = Self::decision(item, true, None);
        self.say(GateEvent::Decision(Decision { input, input_grant: grant, ..decision }));
    }
}

fn is_harmless(item: &Item) -> bool {
    let line = &item.submission.text.command;
    matches!(item.submission.kind, ItemKind::Line | ItemKind::Input)
        && !line.contains("touch")
        && !line.contains('>')
}

/// Whether the request is for the WebSocket; Unix sockets cannot be peeked at with tokio.
async fn upgrade(stream: &UnixStream) -> bool {
    let expected = b"GET /v1/ws/gate";
    let mut head = [0u8; 32];
    loop {
        let peek = rustix::net::RecvFlags::PEEK;
        let peeked = stream
            .async_io(tokio::io::Interest::READABLE, || {
                Ok(rustix::net::recv(stream, &mut head[..], peek)?.0)
            })
            .await;
        match peeked {
            Ok(n) if n >= expected.len() => return head.starts_with(expected),
            Ok(0) | Err(_) => return false,
            Ok(_) => tokio::task::yield_now().await,
        }
    }
}

/// The requests beside the link, in the simplest HTTP there is.
async fn http(state: &State, mut stream: UnixStream) {
    let mut request = Vec::new();
    let (head, body) = loop {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|l| {
                l.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok()
            })
            .unwrap_or(0);
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let (status, answer) = if head.starts_with("GET /v1/gate/authorities ") {
        let agents = state.agents.lock().unwrap();
        let certified = agents.iter().filter(|(key, _)| key.starts_with("cert-authority"));
        let certified: Vec<_> = certified.map(|(_, agent)| agent).collect();
        (200, serde_json::to_string(&certified).unwrap())
    } else if head.starts_with("POST /v1/wraps/check ") {
        let check: WrapCheck = serde_json::from_str(&body).unwrap();
        if check.token == TOKEN {
            let wrap = WrapRegistration {
                agent: "test".to_owned(),
                isolation: Isolation::Namespace,
                with: vec!["docker".to_owned()],
                ..WrapRegistration::default()
            };
            (200, serde_json::to_string(&wrap).unwrap())
        } else {
            (404, "{\"code\":\"not_found\",\"message\":\"no such wrap\"}".to_owned())
        }
    } else if let Some(rest) = head.strip_prefix("GET /v1/checkpoint/consistency?from=") {
        let from = rest.split(' ').next().unwrap().parse().unwrap();
        let heads = state.heads.lock().unwrap();
        match heads.as_ref().and_then(|heads| heads(from)) {
            Some(shown) => (200, shown),
            None if heads.is_none() => {
                (404, "{\"code\":\"not_found\",\"message\":\"no entry yet\"}".to_owned())
            }
            None => (500, "{\"code\":\"failed\",\"message\":\"it has no head\"}".to_owned()),
        }
    } else if head.starts_with("GET /v1/targets ") {
        (200, serde_json::to_string(&*state.targets.lock().unwrap()).unwrap())
    } else {
        let query: AgentKeyQuery = serde_json::from_str(&body).unwrap();
        match state.agents.lock().unwrap().get(&query.public_key) {
            Some(agent) => (200, serde_json::to_string(agent).unwrap()),
            None => (404, "{\"code\":\"not_found\",\"message\":\"no such agent\"}".to_owned()),
        }
    };
    let text = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(text.as_bytes()).await.ok();
}

fn treatment(command: &str) -> StdinTreatment {
    let code = ["bash", "sh", "python3"];
    if command.contains('>') && !command.contains("git-receive-pack")
        || command.split_whitespace().next().is_some_and(|word| code.contains(&word))
    {
        StdinTreatment::Code
    } else {
        StdinTreatment::Data
    }
}

async fn serve(state: Arc<State>, stream: UnixStream) {
    if !upgrade(&stream).await {
        return http(&state, stream).await;
    }
    let Ok(socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let (mut sink, mut source) = socket.split();
    let (out, mut out_rx) = mpsc::unbounded_channel::<Option<GateEvent>>();
    *state.out.lock().unwrap() = Some(out.clone());
    let hello = GateEvent::Hello { protocol: PROTOCOL_VERSION, version: "test".to_owned() };
    out.send(Some(hello)).unwrap();
    loop {
        tokio::select! {
            event = out_rx.recv() => match event {
                Some(Some(event)) => {
                    let text = serde_json::to_string(&event).unwrap();
                    if sink.send(Message::text(text)).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            message = source.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let request: GateRequest = serde_json::from_str(&text).unwrap();
                    state.log.send_modify(|log| log.push(request.clone()));
                    let (events, item) = answer(&state, request);
                    for event in events {
                        out.send(Some(event)).ok();
                    }
                    // Only now may the test decide: a decision follows `submitted`.
                    if let Some(item) = item {
                        state.items.send_modify(|items| items.push(item));
                    }
                }
                Some(Ok(_)) => {}
                _ => return,
            },
        }
    }
}

fn answer(state: &State, request: GateRequest) -> (Vec<GateEvent>, Option<Item>) {
    let mode = *state.mode.lock().unwrap();
    let mut taken = None;
    let events = match request {
        GateRequest::OpenSession { r#ref, .. } if mode != Mode::Deaf => {
            vec![GateEvent::Ack { r#ref, session_id: Some(SessionId::new()), ask_shell: false }]
        }
        GateRequest::CloseSession { r#ref, .. }
        | GateRequest::Join { r#ref, .. }
        | GateRequest::Withdraw { r#ref, .. }
        | GateRequest::FilesRead { r#ref, .. }
        | GateRequest::Finished { r#ref, .. } => {
            vec![GateEvent::Ack { r#ref, session_id: None, ask_shell: false }]
        }
        GateRequest::Release { r#ref, id, .. } if mode != Mode::StuckRelease => {
            vec![GateEvent::Released { r#ref, id }]
        }
        GateRequest::Submit { r#ref, submission } if mode != Mode::Mute && mode != Mode::Deaf => {
            let id = CommandId::new();
            let item = Item { id: id.clone(), submission: *submission };
            let stdin = treatment(&item.submission.text.command);
            let submitted = GateEvent::Submitted {
                r#ref,
                id,
                state: CommandState::Pending,
                risk_score: 12,
                // The least that a broker can say: what the gate asks for must not depend on it.
                level: expacti_engine::Level::Low,
                timeout_seconds: *state.timeout.lock().unwrap(),
                stdin,
                drop_stdin: item.submission.text.command.contains("# drop"),
                writes: None,
                unattended: false,
            };
            let mut events = vec![submitted];
            if mode == Mode::Auto || mode == Mode::StuckRelease {
                let mut decision = Broker::decision(&item, true, None);
                decision.released = mode == Mode::Auto;
                decision.kind = DecisionKind::Rule;
                events.push(GateEvent::Decision(decision));
            } else if mode == Mode::Deny || mode == Mode::Sift {
                let mut decision =
                    Broker::decision(&item, mode == Mode::Sift && is_harmless(&item), None);
                decision.released = decision.allow;
                decision.kind = DecisionKind::Rule;
                events.push(GateEvent::Decision(decision));
            }
            taken = Some(item);
            events
        }
        _ => Vec::new(),
    };
    (events, taken)
}
