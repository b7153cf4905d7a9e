//! The accept loops. An error on one connection must never end them. They limit how many
//! connections there are and how long each may take to log in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use expacti_protocol::client::ClientError;
use expacti_protocol::reviewer::ErrorCode;
use expacti_protocol::session::SessionInfo;
use expacti_protocol::uplink::{Uplink, WrapCheck, WrapRegistration};
use russh::MethodKind;
use russh::server::Config;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::peer::{self, Home};
use super::uplink_header::{self, Refusal};
use super::users::Users;
use crate::auth::agents::Team;
use crate::auth::host_certs;
use crate::auth::login::{Authenticator, Library};
use crate::auth::preauth_limit::PreAuthLimiter;
use crate::auth::registered::Registered;
use crate::client::connection::Connection;
use crate::error::GateError;
use crate::session::signature;
use crate::shared::Shared;
use crate::ssh::serve::{Client, config, library_config, serve};
use crate::transport::backpressure::Backpressure;
use crate::upstream::route::Target;

/// Which part of all connections one user of the machine may have.
const USER_SHARE: usize = 4;

/// How long to wait after an accept that failed, usually for lack of resources.
const PAUSE: Duration = Duration::from_millis(100);

/// The SSH configuration for a team's connections. Its certificate is renewed from time to time, so
/// that a gate can run for years.
struct TeamConfig {
    made: Instant,
    config: Arc<Config>,
}

impl TeamConfig {
    fn new(shared: &Shared) -> Self {
        let names: Vec<&str> = shared.names.iter().map(String::as_str).collect();
        let config = Arc::new(config(shared, &[MethodKind::PublicKey], &names));
        Self { made: Instant::now(), config }
    }

    fn config(&mut self, shared: &Shared) -> Arc<Config> {
        if self.made.elapsed() > host_certs::RENEW {
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
    let configs = Arc::new(LocalConfigs {
        client: Arc::new(config(&shared, &[MethodKind::None], &[])),
        library: Arc::new(library_config(&shared)),
    });
    let own = rustix::process::geteuid().as_raw();
    let home = Arc::new(Home::find().map_err(GateError::Listen)?);
    let all = shared.limits.connections;
    let users = Users::new(if shared.machine { all / USER_SHARE } else { all });
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted.map(|(stream, _)| stream),
        };
        let Some(stream) = survive(accepted).await? else { continue };
        let uid = match stream.peer_cred() {
            Ok(peer) if peer.uid() == own || shared.machine => peer.uid(),
            _ => {
                tracing::warn!("a connection of another user was refused");
                continue;
            }
        };
        let Some(place) = users.enter(uid) else {
            tracing::warn!(uid, "too many connections of one user: one was refused");
            continue;
        };
        let Ok(slot) = Arc::clone(&shared.slots).try_acquire_owned() else {
            tracing::warn!("too many connections: one was refused");
            continue;
        };
        let (shared, configs) = (Arc::clone(&shared), Arc::clone(&configs));
        let (home, cancel) = (Arc::clone(&home), shutdown.child_token());
        shared.tasks.clone().spawn(async move {
            local(shared, &configs, &home, (stream, uid), cancel).await;
            drop((slot, place));
        });
    }
}

/// The SSH configurations for the Unix socket.
struct LocalConfigs {
    client: Arc<Config>,
    library: Arc<Config>,
}

async fn local(
    shared: Arc<Shared>,
    configs: &LocalConfigs,
    home: &Home,
    (mut stream, uid): (UnixStream, u32),
    cancel: CancellationToken,
) {
    if !home.is_home_of(&stream) {
        tracing::warn!("a connection from another user namespace was refused");
        let refusing = uplink_header::refuse(&mut stream, peer::FOREIGN.to_owned().into());
        let _ = tokio::time::timeout(shared.limits.uplink_header, refusing).await;
        return;
    }
    let whose = async |token: &str| whose(&shared, token, uid).await;
    let leads = async |uplink: &Uplink, wrap: Option<&WrapRegistration>| match wrap {
        Some(wrap) if shared.machine && uplink.signature.is_none() => {
            let registered = Registered::find(&shared, &uplink.route, wrap).await?;
            let target = registered.target(&shared, uplink.library)?;
            Ok(Some((registered, target)))
        }
        _ => Ok(None),
    };
    let reading = uplink_header::read(&mut stream, whose, leads);
    let header = tokio::select! {
        () = cancel.cancelled() => return,
        header = tokio::time::timeout(shared.limits.uplink_header, reading) => header,
    };
    let Ok(Some(((uplink, wrap, led), rest))) = header else { return };
    if let Some(request) = uplink.signature.clone() {
        let connection = match wrap {
            Some(wrap) => {
                let info = signature::place(of_wrap(uplink, wrap));
                Connection::without_target(Arc::clone(&shared), cancel, info)
            }
            None => Connection::unknown(Arc::clone(&shared), cancel),
        };
        signature::serve(&connection, stream, &request).await;
        return;
    }
    let (library, how) = (uplink.library, (uplink.status_line, uplink.json));
    let (registered, led) = led.unzip();
    let known = wrap.and_then(|wrap| {
        let target = match led {
            Some(target) => target,
            // What the client says of its target leads nowhere there.
            None if shared.machine => return None,
            None => Target::from_route(
                uplink.route.clone(),
                &shared.limits,
                Arc::clone(&shared.keyring),
            ),
        };
        let info = SessionInfo {
            target: target.alias.clone(),
            host: target.host.clone(),
            port: target.port,
            user: target.user.clone(),
            ..of_wrap(uplink, wrap)
        };
        Some((target, info))
    });
    let (authenticator, config) = if library {
        let library = Library { known, registered, cancel: cancel.clone() };
        (Authenticator::Library(Box::new(library)), &configs.library)
    } else {
        let (shared, cancel) = (Arc::clone(&shared), cancel.clone());
        let connection = match known {
            Some((target, info)) => Connection::new(shared, cancel, target, info, how),
            None => Connection::unknown(shared, cancel),
        };
        (Authenticator::Local(connection), &configs.client)
    };
    let backpressure = Backpressure::new(shared.limits.buffered, shared.limits.spilled);
    let client = Client {
        authenticator,
        backpressure: Arc::new(backpressure),
        cancel,
        peer: None,
        slot: None,
    };
    serve(shared, Arc::clone(config), stream, rest, client).await;
}

/// What a reviewer is told of a wrapped program: why and what, from the helper of its wrap; who it is
/// and what keeps it from going round the gate, from the broker.
fn of_wrap(uplink: Uplink, wrap: WrapRegistration) -> SessionInfo {
    SessionInfo {
        agent: wrap.agent,
        owner: wrap.owner,
        reason: uplink.reason,
        program: uplink.program,
        isolation: Some(wrap.isolation),
        with: wrap.with,
        ..SessionInfo::default()
    }
}

/// Asks the broker whose token this is. Without its word, nobody's.
async fn whose(
    shared: &Shared,
    token: &str,
    uid: u32,
) -> Result<Option<WrapRegistration>, Refusal> {
    let check = WrapCheck { token: token.to_owned(), uid: Some(uid) };
    match shared.client.post("/v1/wraps/check", &check).await {
        Ok(wrap) => Ok(Some(wrap)),
        Err(ClientError::Unreachable { .. }) => Ok(None),
        Err(ClientError::Refused { code: ErrorCode::NotFound, .. }) => Err(Refusal {
            why: "the broker does not know this wrap (any more): start the program once more with \
                  `expacti wrap`"
                .to_owned(),
            unknown_token: true,
        }),
        Err(error) => Err(format!(
            "the broker does not say whose connection this is ({error}), so nothing runs; `expacti \
             status` says more"
        )
        .into()),
    }
}

/// See [`crate::Gate::serve_tcp`].
pub(crate) async fn tcp(
    shared: Arc<Shared>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), GateError> {
    let mut team = TeamConfig::new(&shared);
    let limiter = PreAuthLimiter::new(shared.limits.preauth, shared.limits.preauth_each);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let Some((stream, peer)) = survive(accepted).await? else { continue };
        // Counted before anything is read or written.
        let Some(unauthenticated) = limiter.acquire(peer.ip()) else { continue };
        let Ok(slot) = Arc::clone(&shared.slots).try_acquire_owned() else {
            tracing::warn!("too many connections: one was refused");
            continue;
        };
        if stream.set_nodelay(true).is_err() {
            continue;
        }
        let (shared, config) = (Arc::clone(&shared), team.config(&shared));
        let cancel = shutdown.child_token();
        shared.tasks.clone().spawn(async move {
            let backpressure = Backpressure::new(shared.limits.buffered, shared.limits.spilled);
            let client = Client {
                authenticator: Authenticator::Team(Box::<Team>::default()),
                backpressure: Arc::new(backpressure),
                cancel,
                peer: Some(peer),
                slot: Some(unauthenticated),
            };
            serve(shared, config, stream, Bytes::new(), client).await;
            drop(slot);
        });
    }
}

/// Errors of one connection are no reason to stop; errors of the socket itself are.
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
