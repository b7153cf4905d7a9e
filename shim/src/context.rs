//! What the helpers of one wrap share: who the agent is, where the gate is, which `ssh` is the real
//! one. It lives in a private directory, so that a program that cleans its environment (`env -i`,
//! `sudo`, a scheduler) still reaches the gate.

use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use expacti_protocol::home::Home;
use expacti_protocol::uplink::Uplink;
use serde::{Deserialize, Serialize};

use crate::error::WrapError;
use crate::process;

/// The file in the private directory; it also marks that directory as one of ours.
pub(crate) const FILE: &str = "wrap.json";

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
    /// The private directory.
    pub(crate) dir: PathBuf,
}

impl Context {
    /// The stock client.
    pub(crate) fn ssh(&self) -> Result<&Path, WrapError> {
        self.ssh.as_deref().ok_or_else(|| WrapError::NotFound("ssh".into()))
    }

    /// The private `ssh`.
    pub(crate) fn private_ssh(&self) -> PathBuf {
        self.dir.join("ssh")
    }

    /// The head of a connection, but for its route.
    pub(crate) fn uplink(&self, status_line: bool) -> Uplink {
        Uplink {
            protocol: expacti_protocol::PROTOCOL_VERSION,
            agent: self.agent.clone(),
            reason: self.reason.clone(),
            program: self.program.clone(),
            wrap_pid: self.wrap_pid,
            status_line,
            ..Uplink::default()
        }
    }

    /// Writes `wrap.json` and the private programs.
    pub(crate) fn store(&self) -> Result<(), WrapError> {
        let text = serde_json::to_vec(self)
            .map_err(|e| WrapError::Usage(format!("the wrap cannot be described: {e}")))?;
        let file = self.dir.join(FILE);
        write(&file, &text, 0o600)?;
        for name in ["ssh", "scp", "sftp"] {
            // Not a link: the name a program is called by is lost in many ways, a path is not.
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
        let gone = "the wrap that this program belongs to has ended";
        let text = std::fs::read(file).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => WrapError::Usage(gone.to_owned()),
            _ => WrapError::io(format!("read {}", file.display()))(e),
        })?;
        serde_json::from_slice(&text)
            .map_err(|e| WrapError::Usage(format!("{} is garbled: {e}", file.display())))
    }
}

fn write(path: &Path, text: &[u8], mode: u32) -> Result<(), WrapError> {
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text))
        .map_err(WrapError::io(format!("write {}", path.display())))
}

fn shell_word(path: &Path) -> Result<String, WrapError> {
    let text = path.to_str().ok_or_else(|| {
        WrapError::Usage(format!("{path:?} is not UTF-8; move expacti to a plainer path"))
    })?;
    Ok(shell_words::quote(text).into_owned())
}

/// Creates the private directory of a wrap and removes those that killed wraps left behind.
pub(crate) fn private_dir(home: &Home) -> Result<tempfile::TempDir, WrapError> {
    let [_, data, runtime] = home.dirs();
    let (first, second) = (runtime.join("wraps"), data.join("wraps"));
    create_in(&first).or_else(|_| create_in(&second)).map_err(WrapError::io(format!(
        "create a private directory in {} or {}",
        first.display(),
        second.display()
    )))
}

fn create_in(base: &Path) -> std::io::Result<tempfile::TempDir> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(base)?;
    // The private `ssh` is a script: it cannot run from a file system mounted noexec.
    #[cfg(target_os = "linux")]
    if rustix::fs::statvfs(base)?.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC) {
        return Err(std::io::Error::other("the file system is mounted noexec"));
    }
    sweep(base);
    tempfile::Builder::new().prefix(&format!("{}-", std::process::id())).tempdir_in(base)
}

/// Removes the directories of wraps whose process is gone.
fn sweep(base: &Path) {
    let Ok(entries) = std::fs::read_dir(base) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|n| n.split('-').next()).and_then(|p| p.parse().ok());
        if pid.is_some_and(|pid| !process::exists(pid)) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The first executable of that name in `path`, passing over the private directories of wraps.
pub(crate) fn find(name: &OsStr, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute() && !dir.join(FILE).exists())
        .map(|dir| dir.join(name))
        .find(|file| is_executable(file))
}

pub(crate) fn is_executable(file: &Path) -> bool {
    file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok()
}

/// The changes of the environment for the wrapped program: name and value, or `None` to remove.
pub(crate) fn environment(
    context: &Context,
    var: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<(&'static str, Option<OsString>)> {
    let ssh = context.private_ssh();
    let mut path = OsString::from(&context.dir);
    if let Some(before) = var("PATH").filter(|p| !p.is_empty()) {
        path.push(":");
        path.push(before);
    }
    let mut changes = vec![
        (expacti_protocol::uplink::WRAP_ENV, Some(context.wrap_pid.to_string().into())),
        ("PATH", Some(path)),
        // A reviewer's token is nothing for an agent.
        ("EXPACTI_TOKEN", None),
        ("AUTOSSH_PATH", Some(ssh.clone().into())),
        ("ANSIBLE_SSH_EXECUTABLE", Some(ssh.clone().into())),
        ("ANSIBLE_SCP_EXECUTABLE", Some(context.dir.join("scp").into())),
        ("ANSIBLE_SFTP_EXECUTABLE", Some(context.dir.join("sftp").into())),
    ];
    // These hold a command line; what is set stays, but for a full path to ssh, which would go round
    // the gate.
    let command = |name: &'static str| -> Option<OsString> {
        let text = var(name)?.into_string().ok()?;
        let first = text.split_whitespace().next()?;
        let names_ssh = first.contains('/') && Path::new(first).file_name() == Some("ssh".as_ref());
        let rest = names_ssh.then(|| text.trim_start().strip_prefix(first)).flatten()?;
        Some(format!("{}{rest}", shell_word(&ssh).ok()?).into())
    };
    for name in ["GIT_SSH_COMMAND", "RSYNC_RSH"] {
        changes.extend(command(name).map(|value| (name, Some(value))));
    }
    if var("RSYNC_RSH").is_none() {
        changes.push(("RSYNC_RSH", Some(ssh.clone().into())));
    }
    let names_ssh = |value: OsString| Path::new(&value).file_name() == Some("ssh".as_ref());
    if var("GIT_SSH").is_none_or(names_ssh) {
        changes.push(("GIT_SSH", Some(ssh.into())));
    }
    changes
}
