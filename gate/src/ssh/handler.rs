//! One client connection: who is let in, which target it goes to, and what is started on each
//! channel. It must never wait, and never start two things on one channel.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use expacti_protocol::exit::UNDECIDED;
use russh::ChannelId;
use russh::server::{Auth, Handle, Session};
use tokio_util::sync::CancellationToken;

use super::registry::{NewChannel, Received, Registry, Started};
use crate::auth::agents::{AgentIdentity, Wanted, connect};
use crate::auth::login::{Admission, Authenticator};
use crate::client::channel::Channel;
use crate::client::connection::Connection;
use crate::client::writer::ClientWriter;
use crate::session::dispatch::{self, ChannelRequest};
use crate::shared::Shared;
use crate::transport::backpressure::Backpressure;

/// One client connection.
pub(crate) struct GateHandler {
    pub(super) shared: Arc<Shared>,
    pub(super) authenticator: Authenticator,
    pub(super) connection: Option<Arc<Connection>>,
    /// The agent that has logged in, in team mode.
    pub(super) identity: Option<AgentIdentity>,
    /// The target it asked for, until the connection to it is started.
    pub(super) wanted: Option<Wanted>,
    pub(super) backpressure: Arc<Backpressure>,
    pub(super) cancel: CancellationToken,
    pub(super) peer: Option<SocketAddr>,
    pub(super) logged_in: CancellationToken,
    pub(super) channels: Registry,
}

impl Drop for GateHandler {
    fn drop(&mut self) {
        // russh drops the handler when the connection is over, however it ended.
        self.cancel.cancel();
    }
}

impl GateHandler {
    /// `logged_in` is cancelled when the login has succeeded.
    pub(crate) fn new(
        shared: Arc<Shared>,
        authenticator: Authenticator,
        backpressure: Arc<Backpressure>,
        cancel: CancellationToken,
        peer: Option<SocketAddr>,
        logged_in: CancellationToken,
    ) -> Self {
        Self {
            shared,
            authenticator,
            connection: None,
            identity: None,
            wanted: None,
            backpressure,
            cancel,
            peer,
            logged_in,
            channels: Registry::default(),
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

    /// Starts the connection to the target.
    pub(super) fn begin(&mut self, session: &Session) {
        match self.wanted.take() {
            Some(Wanted::Named(target) | Wanted::Default(target)) => {
                let Some(identity) = &self.identity else { return };
                let client = String::from_utf8_lossy(session.remote_sshid()).into_owned();
                self.connection = Some(connect(
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

    /// Makes room for a new channel, unless there are too many.
    pub(super) fn reserve(&mut self) -> Option<NewChannel> {
        let limit = self.shared.limits.channels;
        self.channels.reserve(limit, &self.backpressure, &self.cancel)
    }

    /// Starts the one task of a channel; a second request on it is refused.
    pub(super) fn start(
        &mut self,
        id: ChannelId,
        request: ChannelRequest,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Some(Wanted::Nothing(why)) = &self.wanted {
            let why = why.clone();
            return self.end(id, &why, session);
        }
        // In this order: a channel must not be used up without a connection to serve it.
        let started = self.connection.clone().and_then(|connection| {
            let started = self.channels.start(id)?;
            let backpressure = Arc::clone(&self.backpressure);
            Some(channel(connection, started, session.handle(), backpressure))
        });
        match started {
            Some(channel) => {
                session.channel_success(id)?;
                self.shared.tasks.spawn(dispatch::serve(channel, request));
                Ok(())
            }
            None => session.channel_failure(id),
        }
    }

    /// Tells the client on a channel's standard error why a request was refused.
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
        if !self.channels.refuse(id) {
            return session.channel_failure(id);
        }
        session.channel_success(id)?;
        Self::explain(id, text, session)?;
        session.exit_status_request(id, u32::from(UNDECIDED))?;
        session.eof(id)?;
        session.close(id)
    }

    /// Data from the client.
    pub(super) fn receive(
        &mut self,
        id: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.channels.receive(id, Bytes::copy_from_slice(data)) {
            Received::Done => Ok(()),
            Received::Overflow { tunnel: true } => session.close(id),
            Received::Overflow { tunnel: false } => {
                let why = "too much input while it could not be passed on: closed";
                Self::explain(id, why, session)?;
                session.exit_status_request(id, u32::from(UNDECIDED))?;
                session.eof(id)?;
                session.close(id)
            }
        }
    }
}

/// What the one task of a channel owns.
fn channel(
    connection: Arc<Connection>,
    started: Started,
    handle: Handle,
    backpressure: Arc<Backpressure>,
) -> Channel {
    let Started { input, gone, opening } = started;
    let mut client = ClientWriter::new(opening.half, handle, backpressure);
    if opening.terminal.is_some() {
        client.set_terminal();
    }
    Channel {
        connection,
        client,
        input,
        control: opening.control,
        gone,
        terminal: opening.terminal,
        environment: opening.environment,
        _open: opening.open,
    }
}

async fn open(connection: &Connection) {
    if connection.pool.checked().await.is_ok() {
        connection.current().await.ok();
    }
}
