//! The background process of this machine: broker and gate in one, behind Unix sockets.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use expacti_broker::{Broker, BrokerConfig, write_private};
use expacti_engine::RiskTables;
use expacti_gate::{Gate, GateConfig, known_hosts_line, load_or_create_host_key};
use expacti_heads::HeadMemory;
use expacti_protocol::client::{Client, Endpoint, Token};
use expacti_protocol::home::GATE_HOST_ALIAS;
use expacti_protocol::http::Status;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::installation::{For, bind, create_dirs, restrict_umask, try_lock};
use crate::machine;

/// How long the background process may take to be ready, or to stop.
const START_STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// The status of the broker behind an endpoint.
pub(crate) async fn status(endpoint: Endpoint) -> Result<Status, Failure> {
    Ok(Client::new(endpoint)?.get("/v1/status").await?)
}

/// Starts the background process unless it is running, and waits until it is ready.
pub(crate) fn up(config: &Config) -> Result<Status, Failure> {
    let runtime = crate::runtime::start()?;
    let endpoint = Endpoint::unix(config.home.broker_socket());
    if config.is_led_to_service() {
        return runtime.block_on(status(endpoint)).map_err(|failure| match failure.status() {
            expacti_protocol::exit::UNREACHABLE => machine::silent(),
            _ => failure,
        });
    }
    create_dirs(&config.home)?;
    let began = Instant::now();
    loop {
        if let Ok(status) = runtime.block_on(status(endpoint.clone())) {
            return Ok(status);
        }
        start(config)?;
        if began.elapsed() > START_STOP_TIMEOUT {
            return Err(Failure::failed(format!(
                "broker and gate did not start; see {}",
                config.home.log_file().display()
            )));
        }
    }
}

/// What the background process reports on standard output about its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Startup {
    /// Another process has the data open.
    Locked,
    /// Broker and gate are ready.
    Ready,
}

impl Startup {
    fn as_str(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::Ready => "ready",
        }
    }

    fn parse(line: &str) -> Option<Self> {
        [Self::Locked, Self::Ready].into_iter().find(|said| line.trim() == said.as_str())
    }
}

/// Starts one background process and waits for its report. A process that ends at once starts it, so
/// that it is nobody's child: a wrap ends every process that it left running.
fn start(config: &Config) -> Result<(), Failure> {
    let fail = |what: &str, e: std::io::Error| Failure::failed(format!("failed to {what}: {e}"));
    let log_path = config.home.log_file();
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&log_path)
        .map_err(|e| fail(&format!("open {}", log_path.display()), e))?;
    let before = log.seek(SeekFrom::End(0)).unwrap_or(0);
    let expacti = std::env::current_exe().map_err(|e| fail("find this program", e))?;
    let mut child = Command::new("sh")
        .args(["-c", "\"$0\" up --foreground --detached &"])
        .arg(expacti)
        .env_remove("EXPACTI_TOKEN")
        .env_remove("EXPACTI_BROKER")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|e| fail("start broker and gate", e))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut line)
            .map_err(|e| fail("hear from broker and gate", e))?;
    }
    child.wait().map_err(|e| fail("start broker and gate", e))?;
    match Startup::parse(&line) {
        Some(Startup::Ready) => Ok(()),
        // Another process is starting them at this moment: look again.
        Some(Startup::Locked) => {
            std::thread::sleep(Duration::from_millis(20));
            Ok(())
        }
        None => Err(did_not_start(&log_path, before)),
    }
}

/// Why broker and gate did not start: what they wrote to the log after `before`.
fn did_not_start(log: &Path, before: u64) -> Failure {
    let mut said = String::new();
    if let Ok(mut file) = File::open(log)
        && file.seek(SeekFrom::Start(before)).is_ok()
    {
        let _ = file.take(4096).read_to_string(&mut said);
    }
    let (said, log) = (said.trim(), log.display());
    Failure::failed(if said.is_empty() {
        format!("broker and gate did not start; see {log}")
    } else {
        format!("broker and gate did not start: {said} (log: {log})")
    })
}

/// The settings of a broker, from the configuration.
pub(crate) fn broker_config(config: &Config) -> Result<BrokerConfig, Failure> {
    let mut broker = BrokerConfig::of_home(&config.home);
    broker.default_timeout = Duration::from_secs(config.timeout()?);
    if let Some(text) = config.section("risk") {
        broker.tables = RiskTables::with_overrides(&text)
            .map_err(|e| Failure::usage(format!("the section [risk] of the configuration: {e}")))?;
    }
    broker.webhooks = config.webhooks()?;
    broker.witnesses = config.witnesses()?;
    broker.review_url = config.review_url();
    Ok(broker)
}

/// Broker and gate in this process, until asked to stop.
pub(crate) async fn serve(
    config: &Config,
    broker_config: BrokerConfig,
    ready: impl FnOnce(),
) -> Outcome {
    let home = &config.home;
    let broker = Broker::open(broker_config).await.map_err(|e| Failure::failed(e.to_string()))?;
    let service = home.is_service();
    if service {
        broker.set_machine().map_err(|e| Failure::failed(e.to_string()))?;
    } else {
        broker.set_local();
    }
    let key = load_or_create_host_key(&home.keys().join("gate_ed25519"))
        .map_err(|e| Failure::failed(e.to_string()))?;
    let line = known_hosts_line(GATE_HOST_ALIAS, &key);
    let line = format!("{}\n", line.trim_end());
    let (who, identities) = if service {
        machine::publish(&home.target_public_key(), &(machine::target_key(home)? + "\n"))?;
        machine::publish(&home.gate_known_hosts(), &line)?;
        (For::Everybody, vec![home.target_key()])
    } else {
        write_private(&home.gate_known_hosts(), line.as_bytes())?;
        (For::Owner, Vec::new())
    };
    let broker_socket = bind(&home.broker_socket(), who)?;
    let gate_socket = bind(&home.gate_socket(), who)?;

    let token = broker.local_gate_token().map_err(|e| Failure::failed(e.to_string()))?;
    let endpoint = Endpoint::unix(home.broker_socket()).with_token(Some(Token::new(&token)));
    let stop = broker.shutdown_requested();
    let broker_stop = CancellationToken::new();
    let (serving, inner) = (broker.clone(), broker_stop.clone());
    let serving = tokio::spawn(async move { serving.serve_unix(broker_socket, inner).await });
    let config = GateConfig {
        identities,
        machine: service,
        history: Some(home.history()),
        ask_shell: config.ask_shell(),
        reads: config.reads()?,
        approval: config.approval()?,
        key_holder: Some(this_program()),
        heads: Some(HeadMemory::new(home.heads_seen(), endpoint.display())),
        ..GateConfig::new(key, endpoint)
    };
    let gate = Gate::new(config).map_err(|e| Failure::failed(e.to_string()))?;
    let gate_stop = CancellationToken::new();
    let inner = gate_stop.clone();
    let gating = tokio::spawn(async move {
        gate.serve_unix(gate_socket, inner).await.map_err(|e| e.to_string())
    });
    ready();
    wait_for_stop(&stop).await;
    // Deny what waits while the gate can still tell the agents; then stop the gate, then the broker.
    broker.drain().await;
    gate_stop.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(5), gating).await;
    broker_stop.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(2), serving).await;
    for socket in [home.gate_socket(), home.broker_socket()] {
        let _ = std::fs::remove_file(socket);
    }
    broker.close().await;
    Ok(0)
}

/// This very program, also after another was put in its place.
pub(crate) fn this_program() -> PathBuf {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return running.to_owned();
    }
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("expacti"))
}

/// Waits for a request to stop: from an owner, SIGTERM or SIGINT.
pub(crate) async fn wait_for_stop(stop: &CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (term, int) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    let (Ok(mut term), Ok(mut int)) = (term, int) else { return stop.cancelled().await };
    tokio::select! {
        () = stop.cancelled() => {}
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}

/// `expacti up --foreground`.
pub(crate) fn foreground(config: &Config, detached: bool, service: bool) -> Outcome {
    if config.is_led_to_service() {
        return Err(Failure::usage(format!(
            "broker and gate of this machine are those of its service, which runs as the user {}; to run your \
             own beside it, set EXPACTI_HOME",
            machine::SERVICE_USER
        )));
    }
    if service && !config.home.is_service() {
        return Err(Failure::usage(format!(
            "--service: this is not the user {}, or {} does not say service = true: run `sudo expacti setup`",
            machine::SERVICE_USER,
            machine::client_file().display()
        )));
    }
    create_dirs(&config.home)?;
    let mut out = std::io::stdout();
    let Some(_lock) = try_lock(&config.home)? else {
        if detached {
            writeln!(out, "{}", Startup::Locked.as_str())?;
            return Ok(0);
        }
        return Err(Failure::failed("broker and gate run already (see `expacti status`)"));
    };
    if detached {
        // Leave the terminal and the process group of whoever started this process.
        let _ = rustix::process::setsid();
        let _ = std::env::set_current_dir("/");
    }
    restrict_umask();
    crate::runtime::raise_descriptors();
    crate::runtime::log_to_stderr();
    let broker = BrokerConfig { desktop: config.notify() && !service, ..broker_config(config)? };
    crate::runtime::start()?.block_on(serve(config, broker, || {
        if detached {
            let _ = writeln!(out, "{}", Startup::Ready.as_str());
            if let Ok(null) = OpenOptions::new().write(true).open("/dev/null") {
                let _ = rustix::stdio::dup2_stdout(null);
            }
        } else {
            crate::print::note("broker and gate are ready; stop them with ^C or `expacti down`");
        }
    }))
}

/// `expacti down`.
pub(crate) fn down(config: &Config) -> Outcome {
    let runtime = crate::runtime::start()?;
    let client = Client::new(Endpoint::unix(config.home.broker_socket()))?;
    let asked: Result<(), _> = runtime.block_on(client.post("/v1/shutdown", &()));
    match asked {
        Ok(()) => {}
        Err(expacti_protocol::client::ClientError::Unreachable { .. })
            if config.is_led_to_service() =>
        {
            crate::print::note("the service of this machine was not running");
            return Ok(0);
        }
        Err(expacti_protocol::client::ClientError::Unreachable { .. }) => {
            if config.home.lock_file().exists() && try_lock(&config.home)?.is_none() {
                return Err(Failure::failed(format!(
                    "a process holds {} but does not answer",
                    config.home.lock_file().display()
                )));
            }
            crate::print::note("broker and gate were not running");
            return Ok(0);
        }
        Err(e) => return Err(e.into()),
    }
    let began = Instant::now();
    let runs = || -> Result<bool, Failure> {
        // The data of the service is out of reach, but the socket goes with it.
        if config.is_led_to_service() {
            return Ok(config.home.broker_socket().exists());
        }
        Ok(try_lock(&config.home)?.is_none())
    };
    while runs()? {
        if began.elapsed() > START_STOP_TIMEOUT {
            return Err(Failure::failed("broker and gate did not stop in time"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    crate::print::note("broker and gate stopped");
    Ok(0)
}
