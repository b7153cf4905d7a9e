//! `expacti broker`, `expacti gate`: the two servers of a team's deployment.

use std::net::ToSocketAddrs as _;
use std::path::PathBuf;

use expacti_broker::Broker;
use expacti_gate::{Gate, GateConfig, load_or_create_host_key};
use tokio::net::TcpListener;

use crate::cli::{BrokerArgs, GateArgs};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::{daemon, installation, print};

fn failed(what: &str) -> impl Fn(&dyn std::fmt::Display) -> Failure + '_ {
    move |e| Failure::failed(format!("failed to {what}: {e}"))
}

/// `expacti broker`.
pub(crate) fn broker(config: &Config, args: BrokerArgs) -> Outcome {
    installation::create_dirs(&config.home)?;
    let Some(_lock) = installation::try_lock(&config.home)? else {
        return Err(Failure::failed("a broker runs on this data directory already"));
    };
    installation::restrict_umask();
    crate::runtime::raise_descriptors();
    crate::runtime::log_to_stderr();
    let mut settings = daemon::broker_config(config)?;
    if let Some(url) = &args.database {
        let path = url.strip_prefix("sqlite:").ok_or_else(|| {
            Failure::usage(format!("{url:?}: this version keeps its data in sqlite:PATH"))
        })?;
        settings.database = PathBuf::from(path);
    }
    if let Some(path) = args.recordings {
        settings.recordings = path;
    }
    let listen = &args.listen;
    let addresses: Vec<_> = listen
        .to_socket_addrs()
        .map_err(|e| Failure::usage(format!("--listen {listen}: {e}")))?
        .collect();
    if args.tls_cert.is_none() && !addresses.iter().all(|a| a.ip().is_loopback()) {
        return Err(Failure::usage(format!(
            "--listen {listen}: without --tls-cert and --tls-key tokens would cross the network in \
             clear; listen on a loopback address or give a certificate"
        )));
    }
    crate::runtime::start()?.block_on(async {
        let tcp = std::net::TcpListener::bind(addresses.as_slice())
            .map_err(|e| failed(&format!("listen on {listen}"))(&e))?;
        let address = tcp.local_addr()?;
        tcp.set_nonblocking(true)?;
        let broker = Broker::open(settings).await.map_err(|e| Failure::failed(e.to_string()))?;
        let socket = installation::bind(&config.home.broker_socket(), installation::For::Owner)?;
        let stop = tokio_util::sync::CancellationToken::new();
        let (local, local_stop) = (broker.clone(), stop.clone());
        let unix = tokio::spawn(async move { local.serve_unix(socket, local_stop).await });
        let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
        print::note(&format!("the broker listens on {scheme}://{address} and on its Unix socket"));
        let serving = async {
            match (&args.tls_cert, &args.tls_key) {
                (Some(cert), Some(key)) => broker.serve_tls(tcp, cert, key, stop.clone()).await,
                _ => broker.serve_tcp(TcpListener::from_std(tcp)?, stop.clone()).await,
            }
        };
        let asked = broker.shutdown_requested();
        let result = tokio::select! {
            result = serving => result,
            () = daemon::wait_for_stop(&asked) => {
                broker.drain().await;
                Ok(())
            }
        };
        stop.cancel();
        let _ = unix.await;
        let _ = std::fs::remove_file(config.home.broker_socket());
        broker.close().await;
        result.map_err(|e| failed("serve")(&e))?;
        Ok(0)
    })
}

/// `expacti gate`.
pub(crate) fn gate(config: &Config, args: GateArgs) -> Outcome {
    let Some(listen) = args.listen else {
        return Err(Failure::usage(
            "--listen ADDRESS is needed, for example --listen 0.0.0.0:2222",
        ));
    };
    crate::runtime::log_to_stderr();
    crate::runtime::raise_descriptors();
    let key_path = args.host_key.unwrap_or_else(|| config.home.keys().join("gate_ed25519"));
    let host_key =
        load_or_create_host_key(&key_path).map_err(|e| Failure::failed(e.to_string()))?;
    let ca_path = args.host_ca.unwrap_or_else(|| config.home.keys().join("gate_host_ca_ed25519"));
    let host_ca = load_or_create_host_key(&ca_path).map_err(|e| Failure::failed(e.to_string()))?;
    let fingerprint = host_key.public_key().fingerprint(russh::keys::HashAlg::Sha256);
    let mut settings = GateConfig::new(host_key, config.endpoint()?);
    settings.identities = args.identity;
    settings.key_holder = Some(daemon::this_program());
    settings.default_target = args.default_target;
    settings.host_ca = Some(host_ca);
    settings.names = args.name;
    if settings.names.is_empty() {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        settings.names.push(name.trim().to_owned());
    }
    settings.history = Some(config.home.history());
    settings.ask_shell = config.ask_shell();
    settings.reads = config.reads()?;
    settings.approval = config.approval()?;
    settings.heads = Some(super::audit_heads::memory(config)?);
    crate::runtime::start()?.block_on(async {
        let listener = TcpListener::bind(&listen)
            .await
            .map_err(|e| failed(&format!("listen on {listen}"))(&e))?;
        let address = listener.local_addr()?;
        let gate = Gate::new(settings).map_err(|e| Failure::failed(e.to_string()))?;
        let stop = tokio_util::sync::CancellationToken::new();
        print::note(&format!("the gate listens on {address}, host key {fingerprint}"));
        let result = tokio::select! {
            result = gate.serve_tcp(listener, stop.clone()) => result.map_err(|e| Failure::failed(e.to_string())),
            () = daemon::wait_for_stop(&stop) => Ok(()),
        };
        stop.cancel();
        result.map(|()| 0)
    })
}
