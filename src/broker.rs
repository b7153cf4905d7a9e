//! How commands reach the broker: a running one or, for commands that need none, a broker in this
//! process that opens the data directory and listens on a private socket.

use expacti_broker::Broker;
use expacti_protocol::client::{Client, ClientError, Endpoint};
use expacti_protocol::http::Status;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::failure::Failure;
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

impl Link {
    /// The running broker.
    pub(crate) fn running(config: &Config) -> Result<Self, Failure> {
        Ok(Self { client: Client::new(config.endpoint()?)?, offline: None })
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
        installation::create_dirs(&config.home)?;
        let Some(lock) = installation::try_lock(&config.home)? else {
            // A broker is starting or stopping: let its answer, or its failure, stand.
            return Ok(link);
        };
        installation::restrict_umask();
        let broker = Broker::open(daemon::broker_config(config)?)
            .await
            .map_err(|e| Failure::failed(e.to_string()))?;
        let socket = config
            .home
            .broker_socket()
            .with_file_name(format!("offline-{}.sock", std::process::id()));
        let listener = installation::bind(&socket, installation::For::Owner)?;
        let (serving, stop) = (broker.clone(), CancellationToken::new());
        let inner = stop.clone();
        tokio::spawn(async move { serving.serve_unix(listener, inner).await });
        let client = Client::new(Endpoint::unix(&socket).with_token(config.token()?))?;
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
