//! What the helpers of one wrap share: who the agent is, where the gate is, which `ssh` is the real
//! one. It lives in the wrap's shim directory, so that a program that cleans its environment (`env -i`,
//! `sudo`, a scheduler) still reaches the gate.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use expacti_protocol::uplink::Uplink;
use serde::{Deserialize, Serialize};

use crate::error::WrapError;

/// The file in the shim directory; it also marks that directory as one of ours.
pub(crate) const FILE: &str = "wrap.json";

/// Where this executable and the stock client are in the directory of an isolated wrap.
pub(crate) const EXPACTI: &str = "expacti";
pub(crate) const CLIENT: &str = "client";

/// What the helpers of one wrap share.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Context {
    /// `--agent`, or the program's name.
    pub(crate) agent: String,
    /// `--reason`.
    pub(crate) reason: Option<String>,
    /// The wrapped program and its arguments.
    pub(crate) program: Vec<String>,
    /// The process of `expacti wrap`.
    pub(crate) wrap_pid: u32,
    /// The gate's socket.
    pub(crate) gate: PathBuf,
    /// The gate's host key.
    pub(crate) known_hosts: PathBuf,
    /// This executable.
    pub(crate) expacti: PathBuf,
    /// The stock client; none when there is no `ssh` on this machine.
    pub(crate) ssh: Option<PathBuf>,
    /// The shim directory.
    pub(crate) dir: PathBuf,
    /// The program reads JSON.
    #[serde(default)]
    pub(crate) json: bool,
}

impl Context {
    /// The stock client.
    pub(crate) fn ssh(&self) -> Result<&Path, WrapError> {
        self.ssh.as_deref().ok_or_else(|| WrapError::NotFound("ssh".into()))
    }

    /// The `ssh` shim.
    pub(crate) fn ssh_shim(&self) -> PathBuf {
        self.dir.join("ssh")
    }

    /// The header of a connection, but for its route.
    pub(crate) fn uplink(&self, status_line: bool) -> Uplink {
        Uplink {
            protocol: expacti_protocol::PROTOCOL_VERSION,
            agent: self.agent.clone(),
            reason: self.reason.clone(),
            program: self.program.clone(),
            wrap_pid: self.wrap_pid,
            status_line,
            json: self.json,
            ..Uplink::default()
        }
    }

    /// The same as the wrapped program sees it: in its own namespaces, everything that the shims need
    /// lies in the wrap's directory.
    pub(crate) fn seen_inside(&self) -> Result<Self, WrapError> {
        let known_hosts = self.dir.join("known_hosts");
        std::fs::copy(&self.known_hosts, &known_hosts)
            .map_err(WrapError::io(format!("read {}", self.known_hosts.display())))?;
        Ok(Self {
            expacti: self.dir.join(EXPACTI),
            ssh: self.ssh.is_some().then(|| self.dir.join(CLIENT)),
            known_hosts,
            ..self.clone()
        })
    }

    /// Writes `wrap.json` and the shims.
    pub(crate) fn store(&self) -> Result<(), WrapError> {
        let text = serde_json::to_vec(self)
            .map_err(|e| WrapError::Usage(format!("the wrap cannot be described: {e}")))?;
        let file = self.dir.join(FILE);
        write(&file, &text, 0o600)?;
        for name in ["ssh", "scp", "sftp"] {
            // Not a link: the name a program was called by is easily lost, a path is not.
            let script = format!(
                "#!/bin/sh\nexec {} __{name} {} \"$@\"\n",
                shell_word(&self.expacti)?,
                shell_word(&file)?
            );
            write(&self.dir.join(name), script.as_bytes(), 0o700)?;
        }
        Ok(())
    }

    /// Reads `wrap.json`.
    pub(crate) fn load(file: &Path) -> Result<Self, WrapError> {
        let text = std::fs::read(file).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => WrapError::WrapEnded,
            _ => WrapError::io(format!("read {}", file.display()))(e),
        })?;
        serde_json::from_slice(&text)
            .map_err(|e| WrapError::Usage(format!("{} is garbled: {e}", file.display())))
    }
}

fn write(path: &Path, text: &[u8], mode: u32) -> Result<(), WrapError> {
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text))
        .map_err(WrapError::io(format!("write {}", path.display())))
}

/// A path as one word of a shell command.
pub(crate) fn shell_word(path: &Path) -> Result<String, WrapError> {
    let text = path.to_str().ok_or_else(|| {
        WrapError::Usage(format!("{path:?} is not UTF-8; move expacti to a plainer path"))
    })?;
    Ok(shell_words::quote(text).into_owned())
}
