//! A team's deployment: broker and gate as processes of their own, plain ssh to the gate, and a
//! target that accepts only the gate's key. It must never give the agent a key the target accepts.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use crate::{
    client::user,
    run::Launch,
    sshd::{keygen, public_half},
    trial::Trial,
    until::until,
};

/// A running broker and gate beside a [`Trial`]'s target; its agent logs in with the client's key.
#[derive(Debug)]
pub struct Team<'t> {
    trial: &'t Trial,
    dir: PathBuf,
    broker: Server,
    gate: Server,
    token: String,
}

#[derive(Debug)]
struct Server {
    name: &'static str,
    args: Vec<String>,
    home: PathBuf,
    log: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl<'t> Team<'t> {
    /// Starts both, adds a reviewer `alice`, an agent `bot` of `boss`, a gate and the target as `target`.
    ///
    /// # Errors
    /// When one of them does not start or refuses what it is told.
    pub fn start(trial: &'t Trial) -> Result<Self> {
        let dir = trial.dir().join("team");
        fs::create_dir(&dir)?;
        let key = dir.join("gate_key");
        keygen(&key)?;
        // The agent's key opens the gate; the gate's key, and no other, opens the target.
        fs::write(
            trial.dir().join("authorized_keys"),
            format!("{}\n", public_half(&key.with_extension("pub"))?),
        )?;
        let mut broker = Server::new("broker", trial.home(), &dir, vec![]);
        broker.start(trial)?;
        let token = |args: &[&str]| -> Result<String> {
            let answer = trial.expacti(args)?.json()?;
            let token = answer.get("token").and_then(|token| token.as_str());
            Ok(token.with_context(|| format!("no token in {answer}"))?.to_owned())
        };
        let reviewer = token(&["reviewer", "add", "alice", "--role", "admin", "--json"])?;
        let gate_token = dir.join("gate.token");
        write_private(&gate_token, &token(&["gate", "add", "edge", "--json"])?)?;
        let public = trial.client().public_key().display().to_string();
        // Somebody else answers for the agent: whoever does decides nothing on it.
        token(&["reviewer", "add", "boss", "--role", "viewer", "--json"])?;
        let agent = ["agent", "add", "bot", "--key", &public, "--owner", "boss"];
        trial.expacti(&agent)?.expect_code(0)?;
        let address = format!("{}@127.0.0.1:{}", user()?, trial.sshd().port());
        let host_key = trial.sshd().host_key()?;
        trial
            .expacti(&["target", "add", "target", &address, "--host-key", &host_key])?
            .expect_code(0)?;
        let gate = Server::new(
            "gate",
            dir.join("g"),
            &dir,
            vec![
                "--broker".to_owned(),
                format!("http://127.0.0.1:{}", broker.port),
                "--token-file".to_owned(),
                gate_token.display().to_string(),
                "--identity".to_owned(),
                key.display().to_string(),
            ],
        );
        let mut team = Self { trial, dir, broker, gate, token: reviewer };
        team.start_gate()?;
        Ok(team)
    }

    /// The broker's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.broker.port)
    }

    /// The token of the reviewer `alice`, an admin.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Prepares `ssh OPTIONS user%target@gate ARGS...` with the stock client, no `wrap` in between.
    ///
    /// # Errors
    /// When the user's name cannot be found out.
    pub fn ssh(&self, options: &[&str], args: &[&str]) -> Result<Launch> {
        let port = self.gate.port.to_string();
        let key = self.trial.client().key().display().to_string();
        let known = format!("UserKnownHostsFile={}", self.known_hosts().display());
        let login = format!("{}%target@127.0.0.1", user()?);
        let mut argv = vec!["ssh", "-p", &port, "-i", &key, "-o", &known];
        for option in ["IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=yes"] {
            argv.extend(["-o", option]);
        }
        argv.extend(options);
        argv.push(&login);
        argv.extend(args);
        Ok(self.trial.direct(&argv))
    }

    /// The broker's process.
    #[must_use]
    pub fn broker_pid(&self) -> i32 {
        self.broker.pid()
    }

    /// The gate's process.
    #[must_use]
    pub fn gate_pid(&self) -> i32 {
        self.gate.pid()
    }

    /// The gate's port on 127.0.0.1.
    #[must_use]
    pub fn gate_port(&self) -> u16 {
        self.gate.port
    }

    /// The gate's `EXPACTI_HOME`.
    #[must_use]
    pub fn gate_home(&self) -> &Path {
        &self.gate.home
    }

    /// Kills the broker, if it runs, and starts it again on the same port.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart_broker(&mut self) -> Result<()> {
        self.broker.start(self.trial)
    }

    /// Kills the gate, if it runs, and starts it again on the same port.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn restart_gate(&mut self) -> Result<()> {
        self.start_gate()
    }

    fn known_hosts(&self) -> PathBuf {
        self.dir.join("known_hosts")
    }

    fn start_gate(&mut self) -> Result<()> {
        self.gate.start(self.trial)?;
        let output = Command::new("ssh-keygen")
            .args(["-y", "-f"])
            .arg(self.gate.home.join("keys/gate_ed25519"))
            .output()?;
        ensure!(output.status.success(), "the gate's host key is unreadable");
        let key = String::from_utf8_lossy(&output.stdout).into_owned();
        fs::write(self.known_hosts(), format!("[127.0.0.1]:{} {key}", self.gate.port))?;
        Ok(())
    }
}

impl Server {
    fn new(name: &'static str, home: PathBuf, dir: &Path, args: Vec<String>) -> Self {
        let log = dir.join(format!("{name}.log"));
        Self { name, args, home, log, port: 0, child: None }
    }

    fn pid(&self) -> i32 {
        self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok()).unwrap_or(0)
    }

    fn start(&mut self, trial: &Trial) -> Result<()> {
        self.stop();
        // Port 0 the first time; the log says which one it became.
        let log = File::create(&self.log)?;
        let child = Command::new(trial.binary())
            .arg(self.name)
            .arg("--listen")
            .arg(format!("127.0.0.1:{}", self.port))
            .args(&self.args)
            .envs(trial.environment())
            .env("EXPACTI_HOME", &self.home)
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("failed to start the {}", self.name))?;
        self.child = Some(child);
        let what = format!("the {} to listen", self.name);
        self.port = until(&what, || {
            let said = fs::read_to_string(&self.log)?;
            let exited = match self.child.as_mut() {
                Some(child) => child.try_wait()?,
                None => None,
            };
            ensure!(exited.is_none(), "the {} ended: {said}", self.name);
            Ok(port(&said))
        })?;
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Writes a file that only its owner can read, as a token has to be kept.
fn write_private(path: &Path, text: &str) -> Result<()> {
    fs::write(path, "")?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(fs::write(path, text)?)
}

/// The port in `... listens on http://127.0.0.1:PORT ...` or `... listens on 127.0.0.1:PORT, ...`.
fn port(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("listens on ")?;
    let (_, rest) = rest.split_once("127.0.0.1:")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    // A half-written line has no character after the number yet.
    (rest.len() > digits.len()).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_what_servers_say() {
        let broker = "the broker listens on http://127.0.0.1:7443 and on its Unix socket\n";
        assert_eq!(port(broker), Some(7443));
        assert_eq!(port("x\nthe gate listens on 127.0.0.1:2222, host key SHA256:x\n"), Some(2222));
        assert_eq!(port("the gate listens on 127.0.0.1:22"), None);
        assert_eq!(port(""), None);
    }
}
