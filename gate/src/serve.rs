//! The accept loops. They survive every error of a single connection, and bound how many there
//! are and how long each may take to log in.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_protocol::session::SessionInfo;
use russh::server::Config;
use russh::{MethodKind, MethodSet, SshId};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::certificates;
use crate::config::{GateError, Shared};
use crate::door::{Door, Guest};
use crate::entrance::Entrance;
use crate::flow::Flow;
use crate::head;
use crate::server::GateHandler;
use crate::session::Connection;
use crate::stream::{Stream, Wire};
use crate::team::Team;
use crate::upstream::{Target, preferred_of_clients};

/// Wait after an accept that failed for want of resources.
const PAUSE: Duration = Duration::from_millis(100);

fn config(shared: &Shared, methods: &[MethodKind], names: &[&str]) -> Config {
    Config {
        server_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-expacti_",
            env!("CARGO_PKG_VERSION")
        ))),
        methods: MethodSet::from(methods),
        auth_rejection_time: Duration::from_millis(500),
        // OpenSSH's first "none" is a question, not an attempt.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![shared.host_key.clone()],
        certificates: shared.host_certificate(names).into_iter().collect(),
        preferred: preferred_of_clients(),
        max_auth_attempts: 6,
        inactivity_timeout: None,
        keepalive_interval: Some(Duration::from_secs(30)),
        keepalive_max: 4,
        nodelay: true,
        window_size: 2 * 1024 * 1024,
        maximum_packet_size: 32 * 1024,
        ..Config::default()
    }
}

/// The configuration of a connection inside another, as the target `host`.
pub(crate) fn inner_config(shared: &Shared, host: &str) -> Arc<Config> {
    Arc::new(config(shared, &[MethodKind::None, MethodKind::PublicKey], &[host]))
}

/// The configuration of a team's connections. Its certificate is renewed now and then, so that a
/// gate may run for years.
struct Outer {
    made: Instant,
    config: Arc<Config>,
}

impl Outer {
    fn new(shared: &Shared) -> Self {
        let names: Vec<&str> = shared.names.iter().map(String::as_str).collect();
        let config = Arc::new(config(shared, &[MethodKind::PublicKey], &names));
        Self { made: Instant::now(), config }
    }

    fn config(&mut self, shared: &Shared) -> Arc<Config> {
        if self.made.elapsed() > certificates::RENEW {
            *self = Self::new(shared);
        }
        Arc::clone(&self.config)
    }
}

/// See [`crate::Gate::serve_unix`].
pub(crate) async fn unix(
    shared: Arc<Shared>,
    listener: UnixListener,
    shutdown: CancellationToken,
) -> Result<(), GateError> {
    let config = Arc::new(config(&shared, &[MethodKind::None], &[]));
    let own = rustix::process::geteuid().as_raw();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted.map(|(stream, _)| stream),
        };
        let Some(stream) = survive(accepted).await? else { continue };
        match stream.peer_cred() {
            Ok(peer) if peer.uid() == own => {}
            _ => {
                tracing::warn!("a connection of another user was refused");
                continue;
            }
        }
        let Ok(slot) = Arc::clone(&shared.slots).try_acquire_owned() else {
            tracing::warn!("too many connections: one was refused");
            continue;
        };
        let (shared, config) = (Arc::clone(&shared), Arc::clone(&config));
        let cancel = shutdown.child_token();
        shared.tasks.clone().spawn(async move {
            local(shared, config, stream, cancel).await;
            drop(slot);
        });
    }
}

async fn local(
    shared: Arc<Shared>,
    config: Arc<Config>,
    mut stream: UnixStream,
    cancel: CancellationToken,
) {
    let head = tokio::select! {
        () = cancel.cancelled() => return,
        head = tokio::time::timeout(shared.limits.head, head::read(&mut stream)) => head,
    };
    let Ok(Some((uplink, rest))) = head else { return };
    let program = uplink.program.clone();
    let target = Target::from_route(uplink.route, &shared.limits);
    let info = SessionInfo {
        agent: uplink.agent,
        owner: None,
        target: target.alias.clone(),
        host: target.host.clone(),
        port: target.port,
        user: target.user.clone(),
        reason: uplink.reason,
        program,
        client: None,
        host_key: None,
    };
    let flow = Arc::new(Flow::new(shared.limits.buffered, shared.limits.spilled));
    let connection =
        Connection::new(Arc::clone(&shared), cancel.clone(), target, info, uplink.status_line);
    let entrance = Entrance::Local(connection);
    converse(shared, config, stream, rest, entrance, flow, cancel, None).await;
}

/// See [`crate::Gate::serve_tcp`].
pub(crate) async fn tcp(
    shared: Arc<Shared>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), GateError> {
    let mut outer = Outer::new(&shared);
    let door = Door::new(shared.limits.waiting, shared.limits.waiting_each);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let Some((stream, peer)) = survive(accepted).await? else { continue };
        // Before anything is read or written.
        let Some(guest) = door.enter(peer.ip()) else { continue };
        let Ok(slot) = Arc::clone(&shared.slots).try_acquire_owned() else {
            tracing::warn!("too many connections: one was refused");
            continue;
        };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let (shared, config) = (Arc::clone(&shared), outer.config(&shared));
        let cancel = shutdown.child_token();
        shared.tasks.clone().spawn(async move {
            let flow = Arc::new(Flow::new(shared.limits.buffered, shared.limits.spilled));
            let entrance = Entrance::Team(Box::<Team>::default());
            let rest = Bytes::new();
            let from = Some(From { peer, guest: Some(guest) });
            converse(shared, config, stream, rest, entrance, flow, cancel, from).await;
            drop(slot);
        });
    }
}

/// Where a client comes from.
pub(crate) struct From {
    pub(crate) peer: SocketAddr,
    /// Its place among those that have not logged in.
    pub(crate) guest: Option<Guest>,
}

/// One connection from its first byte of SSH to its end.
#[allow(clippy::too_many_arguments)]
pub(crate) async fn converse<S: Wire>(
    shared: Arc<Shared>,
    config: Arc<Config>,
    stream: S,
    rest: Bytes,
    entrance: Entrance,
    flow: Arc<Flow>,
    cancel: CancellationToken,
    from: Option<From>,
) {
    // Whatever ends this function ends the connection's channels and its targets.
    let _over = cancel.clone().drop_guard();
    let logged_in = CancellationToken::new();
    let login = shared.limits.login;
    let (peer, guest) = from.map_or((None, None), |from| (Some(from.peer), from.guest));
    // And the transport: russh serves it in a task of its own, which nothing else ends.
    let cut = CancellationToken::new();
    let stream = Stream::client(stream, rest, Arc::clone(&flow), cut.clone());
    let _cut = cut.drop_guard();
    let handler = GateHandler::new(shared, entrance, flow, cancel.clone(), peer, logged_in.clone());
    let session = async {
        match russh::server::run_stream(config, stream, handler).await {
            Ok(session) => {
                let handle = session.handle();
                tokio::pin!(session);
                tokio::select! {
                    result = &mut session => result,
                    () = cancel.cancelled() => {
                        let goodbye = handle.disconnect(
                            russh::Disconnect::ByApplication,
                            "expacti: the session was ended".to_owned(),
                            String::new(),
                        );
                        // A client that does not listen is cut off.
                        let patience = Duration::from_millis(500);
                        tokio::time::timeout(patience, goodbye).await.ok();
                        tokio::time::timeout(patience, &mut session).await.unwrap_or(Ok(()))
                    }
                }
            }
            Err(error) => Err(error),
        }
    };
    tokio::pin!(session);
    let result = tokio::select! {
        result = &mut session => result,
        () = late(login, &logged_in, guest) => {
            tracing::info!("a client did not log in in time");
            return;
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a client connection ended with an error");
    }
}

/// Ends when a client has taken too long to log in; one that has is no guest any more.
async fn late(login: Duration, logged_in: &CancellationToken, guest: Option<Guest>) {
    if tokio::time::timeout(login, logged_in.cancelled()).await.is_ok() {
        drop(guest);
        std::future::pending::<()>().await;
    }
}

/// Errors of one connection are no reason to stop; those of the socket itself are.
async fn survive<T>(accepted: std::io::Result<T>) -> Result<Option<T>, GateError> {
    match accepted {
        Ok(connection) => Ok(Some(connection)),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::InvalidInput) => {
            Err(GateError::Listen(error))
        }
        Err(error) => {
            tracing::warn!(%error, "accepting a connection failed");
            tokio::time::sleep(PAUSE).await;
            Ok(None)
        }
    }
}
