//! Serves one SSH connection of a client from start to end, over a socket or inside another
//! connection. Whatever ends it must end its channels and its connections to targets.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use russh::keys::Certificate;
use russh::server::Config;
use russh::{MethodKind, MethodSet, SshId};
use tokio_util::sync::CancellationToken;

use super::handler::GateHandler;
use crate::auth::host_certs;
use crate::auth::login::Authenticator;
use crate::auth::preauth_limit::Slot;
use crate::shared::Shared;
use crate::transport::algorithms::preferred_of_clients;
use crate::transport::backpressure::Backpressure;
use crate::transport::stream::{SshStream, Transport};

/// A client about to be served.
pub(crate) struct Client {
    pub(crate) authenticator: Authenticator,
    pub(crate) backpressure: Arc<Backpressure>,
    /// Ends the connection.
    pub(crate) cancel: CancellationToken,
    /// Its address, as the kernel reports it.
    pub(crate) peer: Option<SocketAddr>,
    /// Its slot among clients that have not logged in; released once it has.
    pub(crate) slot: Option<Slot>,
}

/// The SSH configuration of a connection on which the gate uses these host names.
pub(crate) fn config(shared: &Shared, methods: &[MethodKind], names: &[&str]) -> Config {
    Config {
        server_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-expacti_",
            env!("CARGO_PKG_VERSION")
        ))),
        methods: MethodSet::from(methods),
        auth_rejection_time: Duration::from_millis(500),
        // OpenSSH's first "none" is a query, not an attempt.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![shared.host_key.clone()],
        certificates: host_certificate(shared, names).into_iter().collect(),
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

/// The SSH configuration of a library's connection: it may try keys before it tries something else,
/// and nobody guesses here.
pub(crate) fn library_config(shared: &Shared) -> Config {
    let methods = [
        MethodKind::None,
        MethodKind::Password,
        MethodKind::KeyboardInteractive,
        MethodKind::PublicKey,
    ];
    Config {
        auth_rejection_time: Duration::ZERO,
        max_auth_attempts: 32,
        ..config(shared, &methods, &[])
    }
}

/// The SSH configuration of a connection inside another one, as the target `host`.
pub(crate) fn inner_config(shared: &Shared, host: &str) -> Arc<Config> {
    Arc::new(config(shared, &[MethodKind::None, MethodKind::PublicKey], &[host]))
}

/// The certificate that vouches for the host key under these names, for clients that trust the
/// authority.
fn host_certificate(shared: &Shared, names: &[&str]) -> Option<Certificate> {
    host_certs::host(shared.host_ca.as_ref()?, &shared.host_key, names)
}

/// One connection from its first byte of SSH to its end.
pub(crate) async fn serve<S: Transport>(
    shared: Arc<Shared>,
    config: Arc<Config>,
    stream: S,
    rest: Bytes,
    client: Client,
) {
    let Client { authenticator, backpressure, cancel, peer, slot } = client;
    // Whatever ends this function ends the connection's channels and its targets.
    let _over = cancel.clone().drop_guard();
    let logged_in = CancellationToken::new();
    let login = shared.limits.login;
    // The transport as well: russh serves it in a task of its own, which nothing else would end.
    let cut = CancellationToken::new();
    let stream = SshStream::client(stream, rest, Arc::clone(&backpressure), cut.clone());
    let _cut = cut.drop_guard();
    let handler = GateHandler::new(
        shared,
        authenticator,
        backpressure,
        cancel.clone(),
        peer,
        logged_in.clone(),
    );
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
        () = login_timed_out(login, &logged_in, slot) => {
            tracing::info!("a client did not log in in time");
            return;
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a client connection ended with an error");
    }
}

/// Resolves when a client has taken too long to log in. If it logs in, its slot is released.
async fn login_timed_out(login: Duration, logged_in: &CancellationToken, slot: Option<Slot>) {
    if tokio::time::timeout(login, logged_in.cancelled()).await.is_ok() {
        drop(slot);
        std::future::pending::<()>().await;
    }
}
