//! A broker and a gate that are only as real as the shim can see: the broker notes who registers,
//! the gate speaks real SSH on its socket and runs every command on this machine.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use expacti_protocol::home::{GATE_HOST_ALIAS, Home};
use expacti_protocol::uplink::{Uplink, UplinkReply, WrapGrant, WrapRegistration};
use russh::server::{Auth, Config, Handler, Msg, Session};
use russh::{Channel, ChannelId};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// What the broker of a [`World`] grants.
pub(crate) const TOKEN: &str = "0123abcd";

/// Waits until `ready` gives something.
pub(crate) fn until<T>(what: &str, ready: impl FnMut() -> Option<T>) -> T {
    until_or(|| what.to_owned(), ready)
}

/// The same, with words that are only found when it fails.
pub(crate) fn until_or<T>(what: impl Fn() -> String, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < deadline, "not in time: {}", what());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The program of `examples/shim.rs`, which cargo builds along with the tests.
pub(crate) fn shim() -> PathBuf {
    let mut dir = std::env::current_exe().unwrap();
    dir.pop();
    if dir.ends_with("deps") {
        dir.pop();
    }
    dir.join("examples/shim")
}

pub(crate) struct World {
    dir: tempfile::TempDir,
    pub(crate) home: Home,
    pub(crate) registered: Arc<Mutex<Vec<WrapRegistration>>>,
    pub(crate) headers: Arc<Mutex<Vec<Uplink>>>,
    pub(crate) commands: Arc<Mutex<Vec<String>>>,
    /// What the gate answers instead of `ok`.
    pub(crate) refuse: Arc<Mutex<Option<String>>>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl World {
    pub(crate) fn new() -> Self {
        // Nothing is said to a broker or a gate in a directory that others may enter.
        let only_own = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        let dir = tempfile::Builder::new().permissions(only_own).tempdir().unwrap();
        let home = Home::at(dir.path());
        let mut world = Self {
            dir,
            home,
            registered: Arc::default(),
            headers: Arc::default(),
            commands: Arc::default(),
            refuse: Arc::default(),
            runtime: None,
        };
        world.start_broker();
        world.start_gate();
        world
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// `shim -- PROGRAM ARGS…` in this world.
    pub(crate) fn wrap(&self, program: &[&str]) -> Command {
        self.wrap_with(&[], program)
    }

    /// `shim OPTIONS -- PROGRAM ARGS…`.
    pub(crate) fn wrap_with(&self, options: &[&str], program: &[&str]) -> Command {
        let mut command = Command::new(shim());
        command
            .args(options)
            .arg("--")
            .args(program)
            .env("EXPACTI_HOME", self.path())
            .env_remove("SSH_AUTH_SOCK");
        command.env_remove("EXPACTI_WRAP");
        command
    }

    fn start_broker(&self) {
        let listener = UnixListener::bind(self.home.broker_socket()).unwrap();
        let registered = Arc::clone(&self.registered);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut text = Vec::new();
                let mut byte = [0];
                // One small request: the head, then a body of the length it names.
                while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    text.push(byte[0]);
                }
                // A client looks whose the socket is before it says anything there.
                if text.is_empty() {
                    continue;
                }
                let head = String::from_utf8_lossy(&text).to_lowercase();
                let namespace = head.starts_with("post /v1/wraps/namespace ");
                assert!(namespace || head.starts_with("post /v1/wraps "), "{head}");
                let length = head.split("content-length: ").nth(1).unwrap();
                let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                if !namespace {
                    registered.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                }
                let grant = serde_json::to_string(&WrapGrant { token: TOKEN.to_owned() }).unwrap();
                let head = format!("content-length: {}\r\nconnection: close", grant.len());
                write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{grant}").unwrap();
            }
        });
    }

    fn start_gate(&mut self) {
        let key = self.path().join("gate_key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status()
            .unwrap();
        assert!(made.success());
        let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        std::fs::write(self.home.gate_known_hosts(), format!("{GATE_HOST_ALIAS} {public}"))
            .unwrap();
        let config = Arc::new(Config {
            auth_rejection_time: Duration::ZERO,
            auth_rejection_time_initial: Some(Duration::ZERO),
            keys: vec![russh::keys::load_secret_key(&key, None).unwrap()],
            ..Config::default()
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (headers, refuse) = (Arc::clone(&self.headers), Arc::clone(&self.refuse));
        let commands = Arc::clone(&self.commands);
        let socket = self.home.gate_socket();
        let listener = runtime.block_on(async { tokio::net::UnixListener::bind(socket).unwrap() });
        runtime.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut line = Vec::new();
                while let Ok(byte) = stream.read_u8().await {
                    if byte == b'\n' {
                        break;
                    }
                    line.push(byte);
                }
                headers.lock().unwrap().push(serde_json::from_slice(&line).unwrap());
                let error = refuse.lock().unwrap().clone();
                let ok = error.is_none();
                let mut reply =
                    serde_json::to_vec(&UplinkReply { ok, error, ..UplinkReply::default() })
                        .unwrap();
                reply.push(b'\n');
                stream.write_all(&reply).await.unwrap();
                if ok {
                    let gate = Gate { commands: Arc::clone(&commands) };
                    let config = Arc::clone(&config);
                    tokio::spawn(async move {
                        if let Ok(session) = russh::server::run_stream(config, stream, gate).await {
                            let _ = session.await;
                        }
                    });
                }
            }
        });
        self.runtime = Some(runtime);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Gate {
    commands: Arc<Mutex<Vec<String>>>,
}

impl Handler for Gate {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: russh::server::ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)?;
        let command = String::from_utf8_lossy(data).into_owned();
        self.commands.lock().unwrap().push(command.clone());
        let handle = session.handle();
        tokio::spawn(async move {
            let output = tokio::process::Command::new("/bin/sh")
                .args(["-c", &command])
                .output()
                .await
                .unwrap();
            let _ = handle.data(channel, output.stdout).await;
            let _ = handle.extended_data(channel, 1, output.stderr).await;
            let status = u32::try_from(output.status.code().unwrap_or(255)).unwrap();
            let _ = handle.exit_status_request(channel, status).await;
            let _ = handle.eof(channel).await;
            let _ = handle.close(channel).await;
        });
        Ok(())
    }
}
