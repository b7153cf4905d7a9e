//! One session channel of an agent from its `exec` or `shell` request to its end. One task owns
//! it, so that an approval and a withdrawal can never both win.

use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use expacti_protocol::command::{
    CommandText, Interactive, ItemKind, Outcome, StdinTreatment, Submission,
};
use expacti_protocol::digest::Digest;
use expacti_protocol::ids::CommandId;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::boundary::{Approved, Context, Signal, TargetChannel};
use crate::client::{ClientWriter, Exit};
use crate::environment::Environment;
use crate::flow::OpenChannel;
use crate::inbox::{Inbox, Taken};
use crate::life::{End, Event, Life, Step};
use crate::link::{Decided, OpenSession, Submitted};
use crate::message::Refusal;
use crate::running;
use crate::scp::{self, ClientKind, Sink};
use crate::session::Connection;
use crate::sftp;
use crate::shell;
use crate::status::{ERASE, Status};
use crate::terminal::{Size, Terminal};

/// What the client asks for on an open channel besides data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    /// A signal for the command.
    Signal(Signal),
    /// A new size of its terminal.
    Resize(Size),
}

/// What the channel is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// An `exec` request with this command, of this kind of client.
    Exec(Bytes, ClientKind),
    /// The `sftp` subsystem.
    Sftp {
        /// The client has OpenSSH's order of paths in a `SYMLINK`.
        openssh_symlink: bool,
    },
    /// A `shell` request.
    Shell,
}

/// A channel at work.
pub(crate) struct Channel {
    pub(crate) connection: Arc<Connection>,
    pub(crate) client: ClientWriter,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) control: mpsc::Receiver<Control>,
    /// The client closed the channel, or the connection is over.
    pub(crate) gone: CancellationToken,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) environment: Environment,
    pub(crate) _open: OpenChannel,
}

/// An item to be held.
pub(crate) struct Item {
    pub(crate) kind: ItemKind,
    pub(crate) parent: Option<CommandId>,
    pub(crate) bytes: Bytes,
    pub(crate) login_shell: bool,
    pub(crate) notes: Vec<String>,
    pub(crate) cwd: Option<String>,
    pub(crate) interactive: Option<Interactive>,
    pub(crate) preview: Option<String>,
}

/// What became of a held item.
pub(crate) enum Outcomes {
    /// To be delivered now, once.
    Approved(CommandId, Box<Approved>),
    /// Not to be delivered.
    Refused(Refusal),
    /// Allowed, but it would no longer go where it was reviewed for: it was taken back.
    Changed,
    /// Taken back by the agent.
    Withdrawn,
    /// Nobody is there any more.
    Gone,
}

impl Channel {
    /// Serves the request to its end.
    pub(crate) async fn run(mut self, request: Request) {
        let gone = self.gone.clone();
        if let Some(refusal) = self.serve(request).await {
            self.inbox.discard();
            self.connection.note(&refusal.message).await;
            tokio::select! {
                _ = self.client.refuse(&refusal) => {}
                () = gone.cancelled() => {}
            }
        }
        self.inbox.discard();
    }

    async fn serve(&mut self, request: Request) -> Option<Refusal> {
        let gone = self.gone.clone();
        let pool = Arc::clone(&self.connection.pool);
        let opening = tokio::select! {
            biased;
            () = gone.cancelled() => return None,
            opening = pool.channel() => opening,
        };
        let (lease, mut target) = match opening {
            Ok(opened) => opened,
            Err(error) => return Some(Refusal::target(&error.0)),
        };
        let current = tokio::select! {
            biased;
            () = gone.cancelled() => return None,
            current = self.connection.current() => current,
        };
        let session = match current {
            Ok(session) => session,
            Err(refusal) => return Some(refusal),
        };
        if request == Request::Shell && self.terminal.is_some() {
            return shell::run(self, session, lease, target).await;
        }
        let (mut sink, mut push) = (None, None);
        let (item, eof) = match request {
            Request::Sftp { openssh_symlink } => {
                return sftp::run(self, lease, target, openssh_symlink).await;
            }
            Request::Exec(bytes, client) => {
                sink = match Sink::of(&bytes, client, self.terminal.is_some()) {
                    Ok(sink) => sink,
                    Err(refusal) => {
                        scp::turn_away(&self.client, client, &refusal).await;
                        return Some(refusal);
                    }
                };
                push = crate::push::receives(&bytes);
                let mut item = Item::command(bytes);
                item.notes.extend(sink.as_ref().map(|_| scp::NOTE.to_owned()));
                (item, false)
            }
            Request::Shell => {
                let collected = tokio::select! {
                    biased;
                    () = gone.cancelled() => return None,
                    () = target.lost() => {
                        return Some(Refusal::target("the target closed the connection"));
                    }
                    collected = collect(&self.inbox, &self.connection) => collected,
                };
                match collected {
                    Ok((bytes, eof)) => (Item::login_shell(bytes), eof),
                    Err(refusal) => return Some(refusal),
                }
            }
        };
        let held = {
            let hold = Hold {
                connection: &self.connection,
                client: Some(&self.client),
                inbox: &self.inbox,
                gone: &self.gone,
                environment: &self.environment,
                watcher: None,
            };
            hold.run(&session, item, &mut self.terminal, Some(&mut self.control), Some(&mut target))
                .await
        };
        match held {
            Outcomes::Refused(refusal) => Some(refusal),
            Outcomes::Gone | Outcomes::Changed | Outcomes::Withdrawn => None,
            Outcomes::Approved(id, approved) => {
                let start = running::Start { session, lease, target, id, eof, sink, push };
                running::run(self, start, *approved).await
            }
        }
    }
}

impl Item {
    /// Any item, without anything around it.
    pub(crate) fn new(kind: ItemKind, bytes: Bytes) -> Self {
        Self {
            kind,
            parent: None,
            bytes,
            login_shell: false,
            notes: Vec::new(),
            cwd: None,
            interactive: None,
            preview: None,
        }
    }

    fn command(bytes: Bytes) -> Self {
        Self::new(ItemKind::Exec, bytes)
    }

    fn login_shell(bytes: Bytes) -> Self {
        let notes = vec!["login shell without a terminal".to_owned()];
        Self { login_shell: true, notes, ..Self::new(ItemKind::Stdin, bytes) }
    }

    /// Code for the standard input of a command that runs.
    pub(crate) fn stdin(parent: CommandId, bytes: Bytes) -> Self {
        Self { parent: Some(parent), ..Self::new(ItemKind::Stdin, bytes) }
    }
}

/// Collects input that will be run: to EOF, or until the client has been silent for a while.
pub(crate) async fn collect(
    inbox: &Inbox,
    connection: &Connection,
) -> Result<(Bytes, bool), Refusal> {
    let limits = &connection.shared.limits;
    let mut script = BytesMut::new();
    loop {
        let next = if script.is_empty() {
            inbox.next().await
        } else {
            match tokio::time::timeout(limits.script_idle, inbox.next()).await {
                Ok(next) => next,
                Err(_) => return Ok((script.freeze(), false)),
            }
        };
        match next {
            Taken::Eof => return Ok((script.freeze(), true)),
            Taken::Bytes(bytes) => {
                if script.len() + bytes.len() > limits.script {
                    return Err(Refusal::undecided(&format!(
                        "the script on standard input is longer than {} KiB: copy it to the \
                         target as a file and run that",
                        limits.script / 1024
                    )));
                }
                script.extend_from_slice(&bytes);
            }
        }
    }
}

/// What holding an item needs.
pub(crate) struct Hold<'a> {
    pub(crate) connection: &'a Arc<Connection>,
    /// Where the status line goes; none while a command is writing there.
    pub(crate) client: Option<&'a ClientWriter>,
    pub(crate) inbox: &'a Inbox,
    pub(crate) gone: &'a CancellationToken,
    pub(crate) environment: &'a Environment,
    /// For items of an interactive shell, whose context can change while they are held.
    pub(crate) watcher: Option<&'a Watcher>,
}

/// How an item that is held talks with the interactive shell it would go to.
pub(crate) struct Watcher {
    /// The agent takes the item back.
    pub(crate) withdraw: CancellationToken,
    /// What the broker says when it has taken the item.
    pub(crate) news: mpsc::UnboundedSender<Submitted>,
    /// Asks whether the item would still go where it was reviewed for. No answer is a no.
    pub(crate) check: mpsc::UnboundedSender<oneshot::Sender<bool>>,
}

impl Hold<'_> {
    /// Submits an item and waits for what becomes of it.
    pub(crate) async fn run(
        &self,
        session: &OpenSession,
        item: Item,
        terminal: &mut Option<Terminal>,
        mut control: Option<&mut mpsc::Receiver<Control>>,
        mut target: Option<&mut TargetChannel>,
    ) -> Outcomes {
        let limits = &self.connection.shared.limits;
        let link = &self.connection.shared.link;
        let context = Context {
            terminal: terminal.clone(),
            environment: self.environment.clone(),
            stdin: StdinTreatment::Code,
            login_shell: item.login_shell,
        };
        let submission = Submission {
            session_id: session.id.clone(),
            kind: item.kind,
            parent: item.parent,
            text: CommandText::new(&item.bytes),
            sha256: Digest::of(&item.bytes),
            cwd: item.cwd.unwrap_or_else(|| "~".to_owned()),
            pty: terminal.as_ref().map(Terminal::info),
            dropped_env: self.environment.dropped().to_vec(),
            env: self.environment.kept().to_vec(),
            notes: item.notes,
            ready: true,
            interactive: item.interactive,
            preview: item.preview,
        };
        let mut events = link.submit(session.epoch, submission);
        let mut life = match self.watcher {
            Some(_) => Life::with_check(session.id.clone(), item.bytes, context),
            None => Life::new(session.id.clone(), item.bytes, context),
        };
        let mut checking: Option<oneshot::Receiver<bool>> = None;
        let mut deadline = Instant::now() + limits.answer;
        let mut status = Line::new(self.client, terminal.is_some() || self.connection.status_line);
        let has_terminal = terminal.is_some();
        let mut changed = false;
        loop {
            // Withdrawals come first: an approval that races one loses.
            let event = tokio::select! {
                biased;
                () = self.gone.cancelled() => Event::Withdrawn("the client closed the channel"),
                () = taken_back(self.watcher) => Event::Withdrawn("^C"),
                Some(asked) = next_control(&mut control) => match asked {
                    Control::Signal(s) if ends(s) => Event::Withdrawn("the client sent a signal"),
                    Control::Signal(_) => continue,
                    // The target hears of it when the command runs.
                    Control::Resize(size) => {
                        if let Some(terminal) = terminal.as_mut() {
                            terminal.resized(size);
                        }
                        continue;
                    }
                },
                () = self.inbox.interrupted(), if has_terminal && target.is_some() => {
                    Event::Withdrawn("^C")
                }
                still = answered(&mut checking) => {
                    checking = None;
                    changed = !still;
                    Event::Checked(still)
                }
                event = events.recv() => event.unwrap_or(Event::LinkLost),
                () = lost(&mut target), if target.is_some() => {
                    target = None;
                    Event::TargetLost
                }
                () = tokio::time::sleep_until(deadline.into()) => {
                    if life.awaits_answer() { Event::NoAnswer } else { Event::Deadline }
                }
                () = status.tick() => continue,
            };
            let withdrawn = match &event {
                Event::Withdrawn(reason) => Some(*reason),
                _ => None,
            };
            if let Event::Submitted(news) = &event {
                let now = Instant::now();
                deadline = now + news.timeout + limits.deadline_grace;
                status.show(Status::new(news, now));
                if let Some(watcher) = self.watcher {
                    watcher.news.send(news.clone()).ok();
                }
            }
            match life.on(event) {
                Step::Wait => {}
                Step::Check => {
                    deadline = Instant::now() + limits.answer;
                    let (ask, answer) = oneshot::channel();
                    if let Some(watcher) = self.watcher {
                        watcher.check.send(ask).ok();
                    }
                    checking = Some(answer);
                }
                Step::Release { id, session: session_id, sha256 } => {
                    deadline = Instant::now() + limits.answer;
                    link.release(session.epoch, id, session_id, sha256);
                }
                Step::Deliver(id, approved) => {
                    status.erase().await;
                    return Outcomes::Approved(id, approved);
                }
                Step::End(mut end) => {
                    late(&mut events, &mut end, withdrawn.unwrap_or("no longer wanted"));
                    if let Some((id, reason)) = end.withdraw {
                        link.withdraw(session.epoch, id, reason);
                    }
                    if let Some((id, reason)) = end.unsent {
                        let unknown = Some(format!("{reason}: the command was not sent"));
                        link.finished(id, Outcome { unknown, ..Outcome::default() }).await;
                    }
                    status.erase().await;
                    return match end.refusal {
                        Some(refusal) => Outcomes::Refused(refusal),
                        None if changed => Outcomes::Changed,
                        None if self.watcher.is_some() && !self.gone.is_cancelled() => {
                            Outcomes::Withdrawn
                        }
                        None if withdrawn.is_some() && !self.gone.is_cancelled() => {
                            Outcomes::Refused(Refusal {
                                message: "expacti: command withdrawn".to_owned(),
                                status: 130,
                            })
                        }
                        None => Outcomes::Gone,
                    };
                }
            }
        }
    }
}

/// The item has ended here; what the broker has said meanwhile must not be left open there. What
/// it says from now on finds the queue closed, and the link answers it.
fn late(events: &mut mpsc::UnboundedReceiver<Event>, end: &mut End, why: &'static str) {
    events.close();
    while let Ok(event) = events.try_recv() {
        match event {
            Event::Submitted(news) => end.withdraw = Some((news.id, why)),
            Event::Released(proof) => end.unsent = Some((proof.id().clone(), why)),
            Event::Decided(Decided { released: Some(proof), .. }) => {
                end.unsent = Some((proof.id().clone(), why));
            }
            Event::Decided(_) => end.withdraw = None,
            _ => {}
        }
    }
    if end.unsent.is_some() {
        end.withdraw = None;
    }
}

fn ends(signal: Signal) -> bool {
    matches!(signal, Signal::Int | Signal::Term | Signal::Hup | Signal::Quit | Signal::Kill)
}

async fn taken_back(watcher: Option<&Watcher>) {
    match watcher {
        Some(watcher) => watcher.withdraw.cancelled().await,
        None => std::future::pending().await,
    }
}

/// Whether the context is still the reviewed one; a question that nobody answers is a no.
async fn answered(checking: &mut Option<oneshot::Receiver<bool>>) -> bool {
    match checking {
        Some(answer) => answer.await.unwrap_or(false),
        None => std::future::pending().await,
    }
}

async fn next_control(control: &mut Option<&mut mpsc::Receiver<Control>>) -> Option<Control> {
    match control {
        Some(control) => control.recv().await,
        None => std::future::pending().await,
    }
}

async fn lost(target: &mut Option<&mut TargetChannel>) {
    match target {
        Some(target) => target.lost().await,
        None => std::future::pending().await,
    }
}

/// The status line of one held item.
struct Line<'a> {
    client: Option<&'a ClientWriter>,
    status: Option<Status>,
    drawn: bool,
    next: tokio::time::Instant,
}

impl<'a> Line<'a> {
    fn new(client: Option<&'a ClientWriter>, wanted: bool) -> Self {
        let client = client.filter(|_| wanted);
        Self { client, status: None, drawn: false, next: tokio::time::Instant::now() }
    }

    fn show(&mut self, status: Status) {
        // What is decided at once leaves no flicker.
        self.next = tokio::time::Instant::now() + std::time::Duration::from_millis(150);
        self.status = Some(status);
    }

    /// Draws when it is time to; ends after each drawing.
    async fn tick(&mut self) {
        let (Some(client), Some(status)) = (self.client, &self.status) else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(self.next).await;
        self.next += std::time::Duration::from_secs(1);
        self.drawn = true;
        // A client that does not read its screen must not hold up the decision.
        let line = status.draw(Instant::now());
        let drawing = client.say(&line);
        if tokio::time::timeout(std::time::Duration::from_millis(200), drawing).await.is_err() {
            self.client = None;
        }
    }

    async fn erase(&mut self) {
        if let (Some(client), true) = (self.client, self.drawn) {
            let limit = std::time::Duration::from_millis(200);
            tokio::time::timeout(limit, client.say(ERASE)).await.ok();
        }
    }
}

/// Ends a channel whose command ran.
pub(crate) async fn finish(client: &ClientWriter, gone: &CancellationToken, exit: &Exit) {
    tokio::select! {
        _ = client.finish(exit) => {}
        () = gone.cancelled() => {}
    }
}
