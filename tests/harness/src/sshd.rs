//! A private OpenSSH server on 127.0.0.1; must never use the machine's own host keys or settings.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use crate::{
    process::{Process, descendants, stop_all, with_environment},
    until::until,
};

/// Marks what a session runs: a command outlives its connection and sshd then is not its parent.
const MARK: &str = "EXPACTI_TARGET";

/// Keeps bash (which reads ~/.bashrc below sshd at the first level) and zsh from the start-up files
/// of the user who runs the tests: they may print, and take longer than all of a test.
const NO_STARTUP: &str = "SHLVL=1 ZDOTDIR=/nonexistent";

/// A running sshd with its own directory, keys and port; stopped with all its sessions on drop.
#[derive(Debug)]
pub struct Sshd {
    dir: PathBuf,
    port: u16,
    child: Child,
}

impl Sshd {
    /// Starts one in `dir` (created) that accepts the key in `authorized`; `options` are further
    /// lines of its configuration, and win since sshd takes the first value it sees.
    ///
    /// # Errors
    /// When sshd is missing or does not come up.
    pub fn start(dir: &Path, authorized: &Path, options: &[&str]) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let host_key = dir.join("host_ed25519");
        if !host_key.exists() {
            keygen(&host_key)?;
        }
        if rustix::process::geteuid().is_root() {
            // Debian's sshd, run by root, separates privileges into this directory.
            fs::create_dir_all("/run/sshd").context("failed to make /run/sshd")?;
        }
        for _ in 0..20 {
            if let Some(server) = Self::try_port(dir, authorized, options)? {
                return Ok(server);
            }
        }
        bail!("sshd found no free port in 20 attempts");
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id of the listener.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(0)
    }

    /// Its host key as known_hosts wants it: type and base64.
    ///
    /// # Errors
    /// When the file is unreadable.
    pub fn host_key(&self) -> Result<String> {
        public_half(&self.dir.join("host_ed25519.pub"))
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("sshd.log")).unwrap_or_default()
    }

    /// Its sessions' processes: sshd's own children, login shells and what they run or left behind.
    #[must_use]
    pub fn sessions(&self) -> Vec<Process> {
        let mut found = descendants(self.pid());
        found.extend(self.commands());
        found
    }

    /// The commands that run on the target now, also those whose connection is gone.
    #[must_use]
    pub fn commands(&self) -> Vec<Process> {
        with_environment(MARK, &self.dir.display().to_string())
    }

    /// Ends it and every session of it.
    ///
    /// # Errors
    /// When a process survives.
    pub fn stop(&mut self) -> Result<()> {
        let sessions = self.sessions();
        self.child.kill().ok();
        self.child.wait().ok();
        stop_all(&sessions)
    }

    fn try_port(dir: &Path, authorized: &Path, options: &[&str]) -> Result<Option<Self>> {
        // The port is free now and may be taken a moment later: sshd then exits and we try again.
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let config = dir.join("sshd_config");
        let log = dir.join("sshd.log");
        fs::write(&config, configuration(dir, authorized, port, options))?;
        fs::write(&log, "")?;
        let child = Command::new(binary()?)
            .arg("-D")
            .arg("-f")
            .arg(&config)
            .arg("-E")
            .arg(&log)
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("failed to start sshd")?;
        let mut server = Self { dir: dir.to_owned(), port, child };
        let listening = format!("Server listening on 127.0.0.1 port {port}");
        let up = until("sshd to listen", || {
            if server.log().contains(&listening) {
                return Ok(Some(true));
            }
            Ok(server.child.try_wait()?.map(|_| false))
        })?;
        if up {
            return Ok(Some(server));
        }
        let log = server.log();
        ensure!(log.contains("Address already in use"), "sshd did not start: {log}");
        Ok(None)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("failed to stop sshd: {error:#}");
        }
    }
}

/// Makes an ed25519 key pair without a passphrase at `path` and `path.pub`.
pub(crate) fn keygen(path: &Path) -> Result<()> {
    let status = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "trial", "-f"])
        .arg(path)
        .stdin(Stdio::null())
        .status()
        .context("failed to run ssh-keygen: is openssh-client installed?")?;
    ensure!(status.success(), "ssh-keygen failed for {}", path.display());
    Ok(())
}

/// Type and base64 of a public key file, without its comment.
pub(crate) fn public_half(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("failed to read the key {}", path.display()))?;
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    Ok(words.join(" "))
}

fn binary() -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into(), "/sbin".into()])
        .map(|dir: PathBuf| dir.join("sshd"))
        .find(|candidate| candidate.is_file())
        .context("no sshd found: is openssh-server installed?")
}

fn configuration(dir: &Path, authorized: &Path, port: u16, options: &[&str]) -> String {
    let dir = dir.display();
    let authorized = authorized.display();
    let mut text: String = options.iter().map(|line| format!("{line}\n")).collect();
    text.push_str(&format!(
        "Port {port}\n\
         ListenAddress 127.0.0.1\n\
         HostKey {dir}/host_ed25519\n\
         PidFile {dir}/sshd.pid\n\
         AuthorizedKeysFile {authorized}\n\
         PubkeyAuthentication yes\n\
         PasswordAuthentication no\n\
         KbdInteractiveAuthentication no\n\
         PermitRootLogin yes\n\
         StrictModes no\n\
         UsePAM no\n\
         PrintMotd no\n\
         PrintLastLog no\n\
         MaxStartups 1000\n\
         MaxSessions 1000\n\
         AcceptEnv LANG LC_*\n\
         SetEnv {MARK}={dir} {NO_STARTUP}\n\
         Subsystem sftp internal-sftp\n\
         LogLevel VERBOSE\n"
    ));
    text
}
