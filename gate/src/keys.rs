//! The gate's host key and identities on disk. It must never write a private key that others can
//! read, nor replace an existing one.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use expacti_protocol::private;
use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey, decode_secret_key};

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot use the key file {path}: {why}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What failed.
        why: std::io::Error,
    },
    /// The file holds no usable key.
    #[error("{path} holds no usable private key: {why}", path = path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads the host key at `path`, or makes an ed25519 key there (mode 0600). Two processes that
/// do this at the same time end up with the same key.
///
/// # Errors
/// When the file cannot be read, written, or holds no key.
pub fn load_or_create_host_key(path: &Path) -> Result<PrivateKey, KeyError> {
    let file = |why| KeyError::File { path: path.to_owned(), why };
    let format = |why: String| KeyError::Format { path: path.to_owned(), why };
    match private::read(path) {
        Ok(text) => return decode_secret_key(&text, None).map_err(|e| format(e.to_string())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(file(e)),
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(file)?;
    }
    let mut rng = russh::keys::key::safe_rng();
    let key =
        PrivateKey::random(&mut rng, Algorithm::Ed25519).map_err(|e| format(e.to_string()))?;
    let text = key.to_openssh(LineEnding::LF).map_err(|e| format(e.to_string()))?;
    let fresh = path.with_extension(format!("new-{}", std::process::id()));
    let written = (|| {
        let mut out = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        out.write_all(text.as_bytes())?;
        out.sync_all()?;
        // A hard link fails when the name is taken: the second process uses the first one's key.
        match std::fs::hard_link(&fresh, path) {
            Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => Err(e),
            _ => Ok(()),
        }
    })();
    std::fs::remove_file(&fresh).ok();
    written.map_err(file)?;
    let text = private::read(path).map_err(file)?;
    PrivateKey::from_openssh(&text).map_err(|e| format(e.to_string()))
}

/// The line by which an OpenSSH client knows the gate's host key under the name `alias`.
#[must_use]
pub fn known_hosts_line(alias: &str, key: &PrivateKey) -> String {
    let mut public = key.public_key().clone();
    public.set_comment("");
    // An ed25519 key always has a text form.
    format!("{alias} {}\n", public.to_openssh().unwrap_or_default().trim_end())
}

/// Reads one of the gate's own identities.
pub(crate) fn load_identity(path: &Path) -> Result<PrivateKey, KeyError> {
    let file = |why| KeyError::File { path: path.to_owned(), why };
    let text = private::read(path).map_err(file)?;
    decode_secret_key(&text, None)
        .map_err(|e| KeyError::Format { path: path.to_owned(), why: e.to_string() })
}

/// Reads an unencrypted private key of the user, in any format OpenSSH writes.
pub(crate) fn load_private_key(path: &Path) -> Result<PrivateKey, russh::keys::Error> {
    russh::keys::load_secret_key(path, None)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_host_key_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/host_ed25519");
        let first = load_or_create_host_key(&path).unwrap();
        let second = load_or_create_host_key(&path).unwrap();
        assert_eq!(first.public_key(), second.public_key());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let line = known_hosts_line("expacti-gate", &first);
        assert!(line.starts_with("expacti-gate ssh-ed25519 AAAA"), "{line}");
        let mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for loose in [0o640, 0o604, 0o660] {
            mode(loose);
            for said in [load_or_create_host_key(&path), load_identity(&path)] {
                let said = said.unwrap_err().to_string();
                assert!(said.contains(&format!("chmod 600 {}", path.display())), "{said}");
            }
        }
        mode(0o600);
        assert_eq!(load_identity(&path).unwrap().public_key(), first.public_key());
        std::fs::write(&path, "garbage").unwrap();
        assert!(load_or_create_host_key(&path).is_err());
        // As older versions of ssh-keygen wrote them.
        std::fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("ssh-keygen")
            .args(["-q", "-t", "ecdsa", "-m", "PEM", "-N", "", "-f"])
            .arg(&path)
            .status();
        assert!(made.unwrap().success());
        assert!(load_or_create_host_key(&path).is_ok());
    }
}
