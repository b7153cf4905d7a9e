//! The agent's side of a trial: a home with a key, known_hosts and an ssh configuration.
//! It must never read or write the real user's ~/.ssh (ssh takes that from passwd, not from HOME).

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::sshd::{Sshd, keygen, public_half};

/// A temporary home of a client.
#[derive(Debug)]
pub struct ClientHome {
    dir: PathBuf,
}

impl ClientHome {
    pub(crate) fn create(dir: &Path) -> Result<Self> {
        let ssh = dir.join(".ssh");
        fs::create_dir_all(&ssh)?;
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o700))?;
        keygen(&ssh.join("id_ed25519"))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// The home directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The private key's file.
    #[must_use]
    pub fn key(&self) -> PathBuf {
        self.dir.join(".ssh/id_ed25519")
    }

    /// The public key's file.
    #[must_use]
    pub fn public_key(&self) -> PathBuf {
        self.dir.join(".ssh/id_ed25519.pub")
    }

    /// The ssh configuration, to be given with `-F`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.dir.join(".ssh/config")
    }

    /// The known hosts.
    #[must_use]
    pub fn known_hosts(&self) -> PathBuf {
        self.dir.join(".ssh/known_hosts")
    }

    /// Writes the configuration (`Host target`) and known_hosts for a server.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn point_at(&self, server: &Sshd) -> Result<()> {
        let line = format!("[127.0.0.1]:{} {}\n", server.port(), server.host_key()?);
        fs::write(self.known_hosts(), line)?;
        let text = format!(
            "Host target\n\
             \x20 HostName 127.0.0.1\n\
             \x20 Port {port}\n\
             \x20 User {user}\n\
             \x20 IdentityFile {key}\n\
             \x20 IdentitiesOnly yes\n\
             \x20 UserKnownHostsFile {known}\n\
             \x20 GlobalKnownHostsFile /dev/null\n\
             \x20 StrictHostKeyChecking yes\n\
             \x20 BatchMode yes\n\
             \x20 ConnectTimeout 20\n\
             \x20 LogLevel ERROR\n",
            port = server.port(),
            user = user()?,
            key = self.key().display(),
            known = self.known_hosts().display(),
        );
        fs::write(self.config(), text)?;
        Ok(())
    }

    /// The client's public key as an authorized_keys line.
    ///
    /// # Errors
    /// When the file is unreadable.
    pub fn authorized_line(&self) -> Result<String> {
        Ok(format!("{}\n", public_half(&self.public_key())?))
    }
}

/// The name of the user who runs the tests, from passwd: USER may be unset or untrue.
pub(crate) fn user() -> Result<String> {
    let output =
        std::process::Command::new("id").arg("-un").output().context("failed to run id")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
