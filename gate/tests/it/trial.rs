//! What one test needs: an sshd on 127.0.0.1, a gate on a Unix socket, a home for ssh.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expacti_gate::{
    Gate, GateConfig, GateError, Limits, known_hosts_line, load_or_create_host_key,
};
use expacti_harness::prerequisites;
use expacti_protocol::client::Endpoint;
use expacti_protocol::uplink::{TargetRoute, Uplink};
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, Mode, TOKEN};

pub struct Sshd {
    child: std::process::Child,
    pub port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn keygen(path: &Path, kind: &str) {
    let done = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", kind, "-N", "", "-C", "test", "-f"])
        .arg(path)
        .status()
        .expect("ssh-keygen: install openssh-client");
    assert!(done.success());
}

impl Sshd {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the server and every process below it.
    pub fn kill_all(&mut self) {
        fn below(pid: u32, found: &mut Vec<u32>) {
            let path = format!("/proc/{pid}/task/{pid}/children");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            for child in text.split_whitespace().filter_map(|w| w.parse().ok()) {
                found.push(child);
                below(child, found);
            }
        }
        // From the top, so that no server is left to report how a command died.
        let mut found = vec![self.child.id()];
        below(self.child.id(), &mut found);
        for pid in found {
            std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().ok();
        }
    }

    pub fn start(dir: &Path, extra: &str) -> Option<Self> {
        let program = prerequisites::command("sshd")?;
        std::fs::create_dir_all("/run/sshd").ok();
        for kind in ["ed25519", "ecdsa"] {
            let path = dir.join(format!("host_{kind}"));
            if !path.exists() {
                keygen(&path, kind);
            }
        }
        // Only the first of these counts.
        let environment =
            if extra.contains("SetEnv") { "" } else { "SetEnv SHLVL=1 ZDOTDIR=/nonexistent" };
        for _ in 0..5 {
            let port = free_port();
            let config = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {d}/host_ed25519\n\
                 HostKey {d}/host_ecdsa\nAuthorizedKeysFile {d}/id.pub\nStrictModes no\n\
                 UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 PidFile none\nAcceptEnv LANG LC_*\nMaxSessions 50\nMaxStartups 200\n\
                 PermitRootLogin yes\nPermitUserEnvironment no\nPrintMotd no\n{extra}\n{environment}\n",
                d = dir.display()
            );
            std::fs::write(dir.join("sshd_config"), config).unwrap();
            let log = std::fs::File::create(dir.join("sshd.log")).unwrap();
            let mut child = std::process::Command::new(&program)
                .args(["-D", "-e", "-f"])
                .arg(dir.join("sshd_config"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap();
            for _ in 0..500 {
                if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Some(Self { child, port });
                }
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            child.kill().ok();
            child.wait().ok();
        }
        let log = std::fs::read_to_string(dir.join("sshd.log")).unwrap_or_default();
        panic!("sshd does not start: {log}");
    }
}

/// Passes a connected socket to ssh after the uplink header was exchanged (ProxyUseFdpass).
const HELPER: &str = r#"
import socket, sys, array
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(open(sys.argv[2], "rb").read())
line = b""
while not line.endswith(b"\n"):
    c = s.recv(1)
    if not c:
        sys.exit("the gate closed the connection")
    line += c
if b'"ok":true' not in line:
    sys.exit(line.decode())
out = socket.socket(fileno=1)
socket.send_fds(out, [b"\0"], [s.fileno()])
"#;

pub struct Trial {
    pub broker: Broker,
    pub gate: Arc<Gate>,
    pub sshd: Sshd,
    shutdown: CancellationToken,
    pub dir: tempfile::TempDir,
    extra: String,
    home: Option<tempfile::TempDir>,
    serving: Mutex<Option<JoinHandle<Result<(), GateError>>>>,
}

impl Drop for Trial {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A directory that nobody else may enter: the gate talks to no broker in another one.
pub fn private_dir() -> tempfile::TempDir {
    let only_own = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    tempfile::Builder::new().permissions(only_own).tempdir().unwrap()
}

pub fn user() -> String {
    let out = std::process::Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

impl Trial {
    /// `None` when sshd is not installed.
    pub async fn new(mode: Mode) -> Option<Self> {
        Self::with(mode, Limits::default(), "").await
    }

    /// An account with this login shell, and a home of its own whose start-up files set the prompt
    /// `ready> `. `None` when the shell is not installed.
    pub async fn with_shell(mode: Mode, shell: &str) -> Option<Self> {
        if !prerequisites::program(shell) {
            return None;
        }
        let home = tempfile::tempdir().unwrap();
        for name in [".profile", ".zshrc"] {
            std::fs::write(home.path().join(name), "PS1='ready> '\nHISTFILE=\n").unwrap();
        }
        let environment = format!("SetEnv HOME={} SHELL={shell}", home.path().display());
        let mut trial = Self::with(mode, Limits::default(), &environment).await?;
        trial.home = Some(home);
        Some(trial)
    }

    pub async fn with(mode: Mode, limits: Limits, sshd_extra: &str) -> Option<Self> {
        Self::configured(mode, |config| config.limits = limits, sshd_extra).await
    }

    /// With a gate configured like this.
    pub async fn configured(
        mode: Mode,
        configure: impl FnOnce(&mut GateConfig),
        sshd_extra: &str,
    ) -> Option<Self> {
        let dir = private_dir();
        keygen(&dir.path().join("id"), "ed25519");
        let sshd = Sshd::start(dir.path(), sshd_extra)?;
        let broker = Broker::start(dir.path(), mode);
        let host_key = load_or_create_host_key(&dir.path().join("gate_key")).unwrap();
        std::fs::write(
            dir.path().join("gate_known_hosts"),
            known_hosts_line("expacti-gate", &host_key),
        )
        .unwrap();
        let mut config = GateConfig::new(host_key, Endpoint::unix(&broker.path));
        configure(&mut config);
        let gate = Arc::new(Gate::new(config).unwrap());
        let socket = UnixListener::bind(dir.path().join("gate.sock")).unwrap();
        let shutdown = CancellationToken::new();
        let extra = sshd_extra.to_owned();
        let trial = Self {
            broker,
            gate,
            sshd,
            shutdown,
            dir,
            extra,
            home: None,
            serving: Mutex::default(),
        };
        trial.serve(socket);
        std::fs::write(trial.path("helper.py"), HELPER).unwrap();
        let key = std::fs::read_to_string(trial.path("host_ed25519.pub")).unwrap();
        let line = format!("[127.0.0.1]:{} {key}", trial.sshd.port);
        std::fs::write(trial.path("known_hosts"), line).unwrap();
        trial.uplink_header(|_| {});
        tokio::time::timeout(Duration::from_secs(10), trial.gate.linked()).await.unwrap();
        Some(trial)
    }

    fn serve(&self, socket: UnixListener) {
        let (gate, shutdown) = (Arc::clone(&self.gate), self.shutdown.clone());
        let task = tokio::spawn(async move { gate.serve_unix(socket, shutdown).await });
        *self.serving.lock().unwrap() = Some(task);
    }

    /// Stops the gate and waits until it says that it has stopped.
    pub async fn stop(&self) {
        self.shutdown.cancel();
        let task = self.serving.lock().unwrap().take().unwrap();
        task.await.unwrap().unwrap();
    }

    /// A new server (on another port) with the same configuration.
    pub fn restart_sshd(&mut self) {
        self.sshd = Sshd::start(self.dir.path(), &self.extra).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the uplink header with changes.
    pub fn uplink_header(&self, change: impl FnOnce(&mut Uplink)) {
        let route = TargetRoute {
            alias: "target".to_owned(),
            host: "127.0.0.1".to_owned(),
            port: self.sshd.port,
            user: user(),
            identity_files: vec![self.path("id").display().to_string()],
            known_hosts_files: vec![self.path("known_hosts").display().to_string()],
            ..TargetRoute::default()
        };
        let mut uplink = Uplink {
            protocol: expacti_protocol::PROTOCOL_VERSION,
            token: TOKEN.to_owned(),
            agent: "not believed".to_owned(),
            program: vec!["ssh".to_owned()],
            route,
            ..Uplink::default()
        };
        change(&mut uplink);
        let mut line = serde_json::to_vec(&uplink).unwrap();
        line.push(b'\n');
        std::fs::write(self.path("uplink_header.json"), line).unwrap();
    }

    /// An ssh client whose connection goes through the gate.
    pub fn ssh(&self, args: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        command
            .arg("-F/dev/null")
            .arg(format!(
                "-oProxyCommand=python3 {} {} {}",
                self.path("helper.py").display(),
                self.path("gate.sock").display(),
                self.path("uplink_header.json").display()
            ))
            .arg("-oProxyUseFdpass=yes")
            .arg("-oHostKeyAlias=expacti-gate")
            .arg(format!("-oUserKnownHostsFile={}", self.path("gate_known_hosts").display()))
            .arg("-oGlobalKnownHostsFile=/dev/null")
            .arg("-oStrictHostKeyChecking=yes")
            .arg("-oBatchMode=yes")
            .arg("-oLogLevel=ERROR")
            .arg("-oIdentityFile=/dev/null")
            .args(args)
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub fn spawn(&self, args: &[&str]) -> Child {
        self.ssh(args).spawn().unwrap()
    }

    pub async fn run(&self, args: &[&str]) -> Output {
        finish(self.spawn(args)).await
    }

    pub async fn run_with(&self, args: &[&str], input: &[u8]) -> Output {
        let mut child = self.ssh(args).stdin(Stdio::piped()).spawn().unwrap();
        let (writer, _) = feed(&mut child, input.to_vec());
        let out = finish(child).await;
        writer.abort();
        out
    }
}

/// The public half of a key that has nothing to do with the server.
pub fn other_key(t: &Trial, name: &str) -> String {
    keygen(&t.path(name), "ed25519");
    std::fs::read_to_string(t.path(&format!("{name}.pub"))).unwrap()
}

pub async fn finish(child: Child) -> Output {
    tokio::time::timeout(Duration::from_secs(60), child.wait_with_output())
        .await
        .expect("ssh ends in time")
        .unwrap()
}

/// Runs the test that calls it again in a process of its own, for what is measured of the whole
/// process. Gives `false` in that process; `true` where the test has run there and is over. Nextest
/// gives each test a process by itself.
pub fn ran_alone() -> bool {
    const ALONE: &str = "EXPACTI_TEST_ALONE";
    let of_nextest = std::env::var("NEXTEST_EXECUTION_MODE").is_ok_and(|m| m == "process-per-test");
    let thread = std::thread::current();
    // Tests that run one after the other have no threads of their own.
    let test = thread.name().filter(|name| *name != "main");
    let Some(test) = test.filter(|_| !of_nextest && std::env::var_os(ALONE).is_none()) else {
        return false;
    };
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let status = command.args([test, "--exact", "--nocapture"]).env(ALONE, "1").status().unwrap();
    assert!(status.success(), "{test}");
    true
}

/// Waits until a condition holds.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

/// Writes to a client's standard input until it has it all or wants no more. The counter tells how
/// much went into the pipe, of which the client has read all but the last 64 KiB.
pub fn feed(child: &mut Child, data: Vec<u8>) -> (JoinHandle<()>, Arc<AtomicUsize>) {
    let mut stdin = child.stdin.take().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let writer = tokio::spawn(async move {
        for piece in data.chunks(16 << 10) {
            if stdin.write_all(piece).await.is_err() {
                break;
            }
            counter.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    (writer, written)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
