//! How commands reach the broker: a running one or, for commands that need none, a broker in this
//! process that opens the data directory and listens on a private socket.

use std::sync::Arc;

use expacti_broker::Broker;
use expacti_protocol::client::{Client, ClientError, Endpoint};
use expacti_protocol::http::Status;
use expacti_protocol::proof::Prover;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::failure::Failure;
use crate::prover::Terminal;
use crate::{daemon, installation};

/// A client of the broker, and what must live as long as the client.
pub(crate) struct Link {
    /// Talks to the broker.
    pub(crate) client: Client,
    offline: Option<Offline>,
}

struct Offline {
    broker: Broker,
    stop: CancellationToken,
    socket: std::path::PathBuf,
    _lock: installation::Lock,
}

/// The data directory of this machine, and its lock; none if a broker has it.
async fn open(config: &Config) -> Result<Option<(Broker, installation::Lock)>, Failure> {
    installation::create_dirs(&config.home)?;
    let Some(lock) = installation::try_lock(&config.home)? else { return Ok(None) };
    installation::restrict_umask();
    let broker = Broker::open(daemon::broker_config(config)?)
        .await
        .map_err(|e| Failure::failed(e.to_string()))?;
    Ok(Some((broker, lock)))
}

/// Forgets keys and PIN of somebody who has lost them: only on the broker's own machine, while it does not
/// run.
pub(crate) async fn reset_reviewer(config: &Config, name: &str) -> Result<(), Failure> {
    if config.is_led_to_service() {
        return Err(Failure::usage(format!(
            "the data is that of the service of this machine: stop it, then sudo -u {} expacti reviewer reset {name}",
            crate::machine::SERVICE_USER
        )));
    }
    if !config.home.database().exists() {
        return Err(Failure::failed(format!(
            "no broker has its data here ({} is not there): this works on the broker's machine only",
            config.home.database().display()
        )));
    }
    let Some((broker, _lock)) = open(config).await? else {
        return Err(Failure::new(
            expacti_protocol::exit::REFUSED,
            "the broker runs: stop it first (`expacti down`), so that nobody misses it",
        ));
    };
    let reset = broker.reset_reviewer(name).await;
    broker.close().await;
    reset.map_err(|refusal| Failure::failed(refusal.message))
}

fn prover(config: &Config) -> Arc<dyn Prover> {
    Arc::new(Terminal { key: config.signing_key() })
}

impl Link {
    /// The running broker.
    pub(crate) fn running(config: &Config) -> Result<Self, Failure> {
        let client = Client::new(config.endpoint()?)?.with_prover(prover(config));
        Ok(Self { client, offline: None })
    }

    /// The running broker, or the data directory when none runs on this machine.
    pub(crate) async fn running_or_offline(config: &Config) -> Result<Self, Failure> {
        let link = Self::running(config)?;
        if !config.is_local() || config.is_led_to_service() {
            return Ok(link);
        }
        match link.client.get::<Status>("/v1/status").await {
            Err(ClientError::Unreachable { .. }) => {}
            _ => return Ok(link),
        }
        let Some((broker, lock)) = open(config).await? else {
            // A broker is starting or stopping: let its answer, or its failure, stand.
            return Ok(link);
        };
        let socket = config
            .home
            .broker_socket()
            .with_file_name(format!("offline-{}.sock", std::process::id()));
        let listener = installation::bind(&socket, installation::For::Owner)?;
        let (serving, stop) = (broker.clone(), CancellationToken::new());
        let inner = stop.clone();
        tokio::spawn(async move { serving.serve_unix(listener, inner).await });
        let client = Client::new(Endpoint::unix(&socket).with_token(config.token()?))?
            .with_prover(prover(config));
        Ok(Self { client, offline: Some(Offline { broker, stop, socket, _lock: lock }) })
    }

    /// Closes the link, and writes what was done offline.
    pub(crate) async fn close(self) {
        if let Some(offline) = self.offline {
            offline.stop.cancel();
            let _ = std::fs::remove_file(&offline.socket);
            drop(self.client);
            offline.broker.close().await;
        }
    }
}
