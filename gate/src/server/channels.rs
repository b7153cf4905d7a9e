//! What the callbacks do: who is let in, which channels there are, what is started on each. It must
//! never wait, and never start two things on one channel.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use expacti_protocol::exit::UNDECIDED;
use russh::ChannelId;
use russh::server::{Auth, Handle, Session};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{CONTROLS, Entry, Fresh, GateHandler};
use crate::channel::{self, Control, Request};
use crate::client::ClientWriter;
use crate::config::Shared;
use crate::entrance::{Admission, Entrance};
use crate::flow::Flow;
use crate::inbox::Inbox;
use crate::session::Connection;
use crate::team::{self, Wanted};

impl GateHandler {
    /// `logged_in` is cancelled when the login has succeeded.
    pub(crate) fn new(
        shared: Arc<Shared>,
        entrance: Entrance,
        flow: Arc<Flow>,
        cancel: CancellationToken,
        peer: Option<SocketAddr>,
        logged_in: CancellationToken,
    ) -> Self {
        Self {
            shared,
            entrance,
            connection: None,
            identity: None,
            wanted: None,
            flow,
            cancel,
            peer,
            logged_in,
            channels: HashMap::new(),
        }
    }

    pub(super) fn admit(&mut self, admission: Option<Admission>) -> Auth {
        match admission {
            Some(Admission::Local(connection)) => self.connection = Some(connection),
            Some(Admission::Agent(agent)) => {
                self.identity = Some(agent.identity);
                self.wanted = Some(agent.wanted);
            }
            None => return Auth::reject(),
        }
        Auth::Accept
    }

    /// Begins the connection to the target.
    pub(super) fn begin(&mut self, session: &Session) {
        match self.wanted.take() {
            Some(Wanted::Named(target) | Wanted::Default(target)) => {
                let Some(identity) = &self.identity else { return };
                let client = String::from_utf8_lossy(session.remote_sshid()).into_owned();
                self.connection = Some(team::connect(
                    Arc::clone(&self.shared),
                    self.cancel.clone(),
                    identity,
                    *target,
                    self.peer,
                    &client,
                ));
            }
            nothing => self.wanted = nothing,
        }
        let Some(connection) = self.connection.clone() else { return };
        // The reviewer sees the session at once, and the first command need not wait for it.
        let cancel = self.cancel.clone();
        self.shared.tasks.spawn(async move {
            tokio::select! {
                _ = open(&connection) => {}
                () = cancel.cancelled() => {}
            }
            cancel.cancelled().await;
            connection.close().await;
        });
    }

    /// A new channel's place, unless there are too many.
    pub(super) fn place(&mut self, tunnel: bool) -> Option<(Entry, mpsc::Receiver<Control>)> {
        // russh does not report the end of a channel that the gate closed first.
        self.channels.retain(|_, entry| !entry.control.is_closed());
        if self.channels.len() >= self.shared.limits.channels {
            return None;
        }
        let (control, receiver) = mpsc::channel(CONTROLS);
        let entry = Entry {
            inbox: Arc::new(Inbox::new(Arc::clone(&self.flow))),
            control,
            gone: self.cancel.child_token(),
            fresh: None,
            explained: false,
            terminal: false,
            tunnel,
        };
        Some((entry, receiver))
    }

    /// Starts the one task of a channel; a second request on it is refused.
    pub(super) fn start(
        &mut self,
        id: ChannelId,
        request: Request,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Some(Wanted::Nothing(why)) = &self.wanted {
            let why = why.clone();
            return self.end(id, &why, session);
        }
        let started = self.connection.clone().zip(self.channels.get_mut(&id)).and_then(
            |(connection, entry)| {
                let fresh = entry.fresh.take()?;
                Some(task(connection, entry, fresh, session.handle(), Arc::clone(&self.flow)))
            },
        );
        match started {
            Some(channel) => {
                session.channel_success(id)?;
                self.shared.tasks.spawn(channel.run(request));
                Ok(())
            }
            None => session.channel_failure(id),
        }
    }

    /// Says on standard error of a channel why a request was refused.
    pub(super) fn explain(
        id: ChannelId,
        text: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        session.extended_data(id, 1, Bytes::from(format!("expacti: {text}\n")))
    }

    /// Ends a channel on which nothing was started.
    pub(super) fn end(
        &mut self,
        id: ChannelId,
        text: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let fresh = self.channels.get_mut(&id).and_then(|entry| entry.fresh.take());
        if fresh.is_none() {
            return session.channel_failure(id);
        }
        session.channel_success(id)?;
        Self::explain(id, text, session)?;
        session.exit_status_request(id, u32::from(UNDECIDED))?;
        session.eof(id)?;
        session.close(id)
    }

    pub(super) fn forget(&mut self, id: ChannelId) {
        if let Some(entry) = self.channels.remove(&id) {
            entry.gone.cancel();
        }
    }

    pub(super) fn take_in(
        &mut self,
        id: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(entry) = self.channels.get(&id) else { return Ok(()) };
        if entry.inbox.push(Bytes::copy_from_slice(data)) {
            return Ok(());
        }
        // Past its bounds: close it, forward nothing.
        entry.gone.cancel();
        entry.inbox.discard();
        if entry.tunnel {
            return session.close(id);
        }
        Self::explain(id, "too much input while it could not be passed on: closed", session)?;
        session.exit_status_request(id, u32::from(UNDECIDED))?;
        session.eof(id)?;
        session.close(id)
    }

    pub(super) fn control(&mut self, id: ChannelId, asked: Control) {
        if let Some(entry) = self.channels.get_mut(&id) {
            match (&mut entry.fresh, asked) {
                (Some(fresh), Control::Resize(size)) => {
                    if let Some(terminal) = &mut fresh.terminal {
                        terminal.resized(size);
                    }
                }
                (Some(_), Control::Signal(_)) => {}
                // Past the bound nobody is listening.
                (None, asked) => drop(entry.control.try_send(asked)),
            }
        }
    }
}

fn task(
    connection: Arc<Connection>,
    entry: &Entry,
    fresh: Fresh,
    handle: Handle,
    flow: Arc<Flow>,
) -> channel::Channel {
    let mut client = ClientWriter::new(fresh.half, handle, flow);
    if fresh.terminal.is_some() {
        client.set_terminal();
    }
    channel::Channel {
        connection,
        client,
        inbox: Arc::clone(&entry.inbox),
        control: fresh.control,
        gone: entry.gone.clone(),
        terminal: fresh.terminal,
        environment: fresh.environment,
        _open: fresh.open,
    }
}

async fn open(connection: &Connection) {
    if connection.pool.checked().await.is_ok() {
        connection.current().await.ok();
    }
}
