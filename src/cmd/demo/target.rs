//! The demo's target: a real SSH server that runs nothing and answers from the script.

use std::sync::Arc;

use expacti_broker::write_private;
use expacti_gate::{known_hosts_line, load_or_create_host_key};
use expacti_protocol::PROTOCOL_VERSION;
use expacti_protocol::home::Home;
use expacti_protocol::uplink::{TargetRoute, Uplink};
use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session};
use russh::{Channel, ChannelId};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::failed::failed;
use super::script::{Script, answer};
use crate::failure::Failure;

/// Where the target listens, and what is needed to log in.
#[derive(Debug)]
pub(super) struct Target {
    port: u16,
    identity: String,
    known_hosts: String,
}

impl Target {
    /// What the helper of a wrap would tell the gate about this agent.
    pub(super) fn uplink(&self, script: &Script, token: String) -> Uplink {
        Uplink {
            protocol: PROTOCOL_VERSION,
            token,
            agent: script.agent.to_owned(),
            reason: Some(script.reason.to_owned()),
            program: vec![script.program.to_owned()],
            wrap_pid: std::process::id(),
            route: TargetRoute {
                alias: script.target.to_owned(),
                host: "127.0.0.1".to_owned(),
                port: self.port,
                user: script.user.to_owned(),
                identity_files: vec![self.identity.clone()],
                identities_only: true,
                known_hosts_files: vec![self.known_hosts.clone()],
                host_key_alias: Some("demo".to_owned()),
                ..TargetRoute::default()
            },
            ..Uplink::default()
        }
    }
}

struct SimulatedTarget {
    login: PublicKey,
}

impl Handler for SimulatedTarget {
    type Error = russh::Error;

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: russh::server::VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(if *key.public_key == self.login { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let (output, status) = answer(command);
        session.channel_success(channel)?;
        session.data(channel, output.as_bytes().to_vec())?;
        session.exit_status_request(channel, status)?;
        session.eof(channel)?;
        session.close(channel)
    }
}

/// Starts the target on a free port of the loopback interface.
pub(super) async fn start(home: &Home, stop: CancellationToken) -> Result<Target, Failure> {
    let keys = home.keys();
    let host_key =
        load_or_create_host_key(&keys.join("demo_target")).map_err(failed("make a key"))?;
    let login = load_or_create_host_key(&keys.join("demo_login")).map_err(failed("make a key"))?;
    let known_hosts = home.keys().join("demo_known_hosts");
    let line = known_hosts_line("demo", &host_key);
    write_private(&known_hosts, format!("{}\n", line.trim_end()).as_bytes())?;
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed("listen on 127.0.0.1"))?;
    let port = listener.local_addr()?.port();
    let config = Arc::new(Config {
        keys: vec![host_key],
        auth_rejection_time_initial: Some(std::time::Duration::ZERO),
        nodelay: true,
        ..Config::default()
    });
    let login_key = login.public_key().clone();
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let Ok((stream, _)) = accepted else { continue };
            let (config, handler) =
                (Arc::clone(&config), SimulatedTarget { login: login_key.clone() });
            tokio::spawn(async move {
                if let Ok(session) = russh::server::run_stream(config, stream, handler).await {
                    let _ = session.await;
                }
            });
        }
    });
    Ok(Target {
        port,
        identity: keys.join("demo_login").display().to_string(),
        known_hosts: known_hosts.display().to_string(),
    })
}
