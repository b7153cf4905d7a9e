//! Connects to a target: transport, host key, login. It must never hand out a connection whose host
//! key was not checked, and never send anything of the agent's: the user name, address and keys
//! come from configuration.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use russh::client::Config;
use russh::{SshId, client};

use super::route::{Checked, ConnectError, Target};
use super::shells::Account;
use super::{hostkey, login, transport};
use crate::boundary::{TargetConnection, TargetHandler};
use crate::transport::algorithms::{HOST_KEY_ORDER, preferred};

/// A connection, and what it turned out to be.
pub(crate) struct Connected {
    pub(crate) connection: TargetConnection,
    pub(crate) checked: Checked,
    pub(crate) account: Account,
}

/// Connects, checks the host key, logs in.
pub(crate) async fn connect(target: &Target) -> Result<Connected, ConnectError> {
    let check = hostkey::Check::prepare(target)?;
    let config = Arc::new(config(target, &check));
    let report = check.report();
    let connecting = async {
        let stream = transport::open(target).await?;
        let handler = TargetHandler::new(move |key| check.judge(key));
        let result = client::connect_stream(config, stream, handler).await;
        result.map_err(|e| report.failure().unwrap_or_else(|| handshake_error(target, &e)))
    };
    let mut handle = tokio::time::timeout(target.connect_timeout, connecting)
        .await
        .map_err(|_| timed_out(target, "connecting"))??;
    let checked = report.accepted(target)?;
    let login = tokio::time::timeout(target.login_timeout, login::login(&mut handle, target))
        .await
        .map_err(|_| timed_out(target, "the login"))??;
    let account = Account {
        host: target.host.clone(),
        port: target.port,
        user: target.user.clone(),
        transport: target.transport.clone(),
        host_key: checked.fingerprint.clone(),
        login,
    };
    Ok(Connected { connection: TargetConnection::new(handle), checked, account })
}

fn timed_out(target: &Target, what: &str) -> ConnectError {
    ConnectError(format!("{what} to {} timed out", target.display()))
}

fn handshake_error(target: &Target, error: &russh::Error) -> ConnectError {
    ConnectError(format!("the SSH handshake with {} failed: {error}", target.display()))
}

fn config(target: &Target, check: &hostkey::Check) -> Config {
    let mut preferred = preferred();
    preferred.key = Cow::Owned(check.algorithms(HOST_KEY_ORDER));
    preferred.host_key_certificates = Cow::Owned(check.certificate_algorithms(HOST_KEY_ORDER));
    Config {
        client_id: SshId::Standard(Cow::Borrowed(concat!(
            "SSH-2.0-expacti_",
            env!("CARGO_PKG_VERSION")
        ))),
        preferred,
        inactivity_timeout: None,
        keepalive_interval: Some(target.keepalive.unwrap_or(Duration::from_secs(30))),
        keepalive_max: 3,
        nodelay: true,
        window_size: 2 * 1024 * 1024,
        maximum_packet_size: 32 * 1024,
        ..Config::default()
    }
}
