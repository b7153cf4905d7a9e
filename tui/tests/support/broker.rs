//! A broker on a Unix socket that speaks the reviewer's side of the protocol.

use std::path::Path;
use std::sync::{Arc, Mutex};

use expacti_protocol::command::{CommandState, CommandView, Outcome};
use expacti_protocol::principal::Role;
use expacti_protocol::reviewer::{DecisionMessage, ErrorCode, ReviewerEvent, ReviewerRequest};
use expacti_protocol::session::SessionView;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;

#[derive(Default)]
pub(crate) struct State {
    pub sessions: Vec<SessionView>,
    pub commands: Vec<CommandView>,
    pub decisions: Vec<DecisionMessage>,
    /// Each connection breaks after so many messages, one more than the one before; 0: none does.
    pub breaks_after: usize,
    /// Connections so far.
    pub connections: usize,
}

#[derive(Clone)]
pub(crate) struct FakeBroker {
    pub state: Arc<Mutex<State>>,
    news: broadcast::Sender<ReviewerEvent>,
    drop_all: broadcast::Sender<()>,
}

impl FakeBroker {
    pub(crate) fn listen(path: &Path) -> Self {
        let listener = UnixListener::bind(path).expect("bind");
        let broker = Self {
            state: Arc::default(),
            news: broadcast::channel(4096).0,
            drop_all: broadcast::channel(4).0,
        };
        let accepting = broker.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(accepting.clone().serve(stream));
            }
        });
        broker
    }

    pub(crate) fn tell(&self, event: ReviewerEvent) {
        let _ = self.news.send(event);
    }

    pub(crate) fn add(&self, view: CommandView) {
        self.state.lock().unwrap().commands.push(view.clone());
        self.tell(ReviewerEvent::PendingCommand(Box::new(view)));
    }

    pub(crate) fn disconnect_all(&self) {
        let _ = self.drop_all.send(());
    }

    async fn serve(self, stream: UnixStream) {
        let Ok(ws) = tokio_tungstenite::accept_async(stream).await else { return };
        let (mut tx, mut rx) = ws.split();
        let mut left = {
            let mut state = self.state.lock().unwrap();
            state.connections += 1;
            let budget = state.breaks_after;
            state.breaks_after += usize::from(budget > 0);
            if budget == 0 { usize::MAX } else { budget - 1 }
        };
        // Whether one more message may pass.
        let mut pass = move || {
            let any = left > 0;
            left = left.saturating_sub(1);
            any
        };
        let mut news = self.news.subscribe();
        let mut ended = self.drop_all.subscribe();
        let now_ms = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(0));
        let mut first = vec![ReviewerEvent::Hello {
            protocol: 1,
            version: "fake".into(),
            principal: "mara".into(),
            role: Role::Owner,
            now_ms,
            warnings: Vec::new(),
            pin: false,
        }];
        {
            let state = self.state.lock().unwrap();
            first.extend(state.sessions.iter().map(|s| match s.closed_at {
                None => ReviewerEvent::SessionOpened(Box::new(s.clone())),
                Some(_) => ReviewerEvent::SessionClosed(Box::new(s.clone())),
            }));
            first.extend(state.commands.iter().map(|c| match c.state {
                CommandState::Pending => ReviewerEvent::PendingCommand(Box::new(c.clone())),
                _ => ReviewerEvent::CommandUpdated(Box::new(c.clone())),
            }));
        }
        first.push(ReviewerEvent::Synced);
        for event in first {
            let text = serde_json::to_string(&event).unwrap();
            if !pass() || tx.send(Message::text(text)).await.is_err() {
                return;
            }
        }
        loop {
            let answers = tokio::select! {
                message = rx.next() => match message {
                    Some(Ok(Message::Text(_))) if !pass() => return,
                    Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                        Ok(request) => self.answer(request),
                        Err(e) => panic!("{e}: {text}"),
                    },
                    Some(Ok(_)) => Vec::new(),
                    _ => return,
                },
                event = news.recv() => event.into_iter().collect(),
                _ = ended.recv() => return,
            };
            for event in answers {
                let text = serde_json::to_string(&event).unwrap();
                if !pass() || tx.send(Message::text(text)).await.is_err() {
                    return;
                }
            }
        }
    }

    fn answer(&self, request: ReviewerRequest) -> Vec<ReviewerEvent> {
        let mut state = self.state.lock().unwrap();
        match request {
            ReviewerRequest::Decision(decision) => {
                state.decisions.push((*decision).clone());
                let found = state.commands.iter_mut().find(|c| c.id == decision.id);
                match found {
                    Some(c) if c.state == CommandState::Pending => {
                        c.revision += 1;
                        c.allow = Some(decision.allow);
                        c.decided_by = Some("mara".into());
                        c.comment.clone_from(&decision.comment);
                        c.state = if decision.allow {
                            c.outcome =
                                Some(Outcome { exit_status: Some(0), ..Outcome::default() });
                            CommandState::Finished
                        } else {
                            CommandState::Denied
                        };
                        let update = ReviewerEvent::CommandUpdated(Box::new(c.clone()));
                        vec![ReviewerEvent::Ack { r#ref: decision.r#ref }, update]
                    }
                    _ => vec![ReviewerEvent::Error {
                        r#ref: decision.r#ref,
                        code: ErrorCode::TooLate,
                        message: "too late: the command is decided already".into(),
                    }],
                }
            }
            ReviewerRequest::Watch { r#ref, session_id } => {
                use base64::Engine as _;
                let text = b"\x1b[1;32mdeploy@web-1\x1b[0m:\x1b[34m/srv/app\x1b[0m$ df -h /\r\nFilesystem      Size  Used Avail Use% Mounted on\r\n/dev/sda1        40G   31G  7.1G  82% /\r\n\x1b[1;32mdeploy@web-1\x1b[0m:\x1b[34m/srv/app\x1b[0m$ ";
                vec![
                    ReviewerEvent::Ack { r#ref },
                    ReviewerEvent::SessionOutput {
                        session_id,
                        stream: expacti_protocol::gate::Stream::Stdout,
                        offset: 0.0,
                        data: base64::engine::general_purpose::STANDARD.encode(text),
                    },
                ]
            }
            ReviewerRequest::Unwatch { r#ref, .. } | ReviewerRequest::Reveal { r#ref, .. } => {
                vec![ReviewerEvent::Ack { r#ref }]
            }
            ReviewerRequest::Kill { r#ref, session_id } => {
                let mut events = vec![ReviewerEvent::Ack { r#ref }];
                if let Some(s) = state.sessions.iter_mut().find(|s| s.id == session_id) {
                    s.closed_at = Some(s.opened_at + 200);
                    events.push(ReviewerEvent::SessionClosed(Box::new(s.clone())));
                }
                events
            }
        }
    }
}
