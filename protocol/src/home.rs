//! Where everything lives: `EXPACTI_HOME`, or the XDG directories; or the places of a service that serves
//! the whole machine.

use std::path::{Path, PathBuf};

/// The directories of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    config: PathBuf,
    data: PathBuf,
    runtime: PathBuf,
    /// Where the sockets of the machine's service lie, if that is the one to talk to.
    service: Option<PathBuf>,
}

/// Where the service of a machine keeps its settings, which only root writes.
pub const SERVICE_CONFIG: &str = "/etc/expacti";

/// Where it keeps its data and keys, which nobody else reads.
pub const SERVICE_DATA: &str = "/var/lib/expacti";

/// Where its sockets lie, which everybody may connect to.
pub const SERVICE_RUNTIME: &str = "/run/expacti";

/// Neither `EXPACTI_HOME` nor `HOME` says where files may be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HomeError {
    /// No directory can be derived.
    #[error("cannot tell where to keep files: set EXPACTI_HOME or HOME")]
    Unset,
    /// A path must be absolute.
    #[error("{0} must be an absolute path, but is {1:?}")]
    Relative(&'static str, String),
}

impl Home {
    /// The installation the environment names. `var` reads the environment.
    pub fn from_env(var: impl Fn(&str) -> Option<String>, uid: u32) -> Result<Self, HomeError> {
        let set = |name: &'static str| var(name).filter(|v| !v.is_empty());
        let absolute = |name: &'static str, value: String| {
            if Path::new(&value).is_absolute() {
                Ok(PathBuf::from(value))
            } else {
                Err(HomeError::Relative(name, value))
            }
        };
        if let Some(dir) = set("EXPACTI_HOME") {
            let dir = absolute("EXPACTI_HOME", dir)?;
            return Ok(Self::at(dir));
        }
        let home = set("HOME").map(|v| absolute("HOME", v)).transpose()?;
        let xdg = |name: &'static str, fallback: &str| -> Result<PathBuf, HomeError> {
            // The XDG base directory specification: a relative path is to be ignored.
            match set(name).filter(|v| Path::new(v).is_absolute()) {
                Some(dir) => Ok(PathBuf::from(dir).join("expacti")),
                None => Ok(home.clone().ok_or(HomeError::Unset)?.join(fallback).join("expacti")),
            }
        };
        let data = xdg("XDG_DATA_HOME", ".local/share")?;
        let runtime = match set("XDG_RUNTIME_DIR").filter(|v| Path::new(v).is_absolute()) {
            Some(dir) => PathBuf::from(dir).join("expacti"),
            None => PathBuf::from(format!("/tmp/expacti-{uid}")),
        };
        Ok(Self { config: xdg("XDG_CONFIG_HOME", ".config")?, data, runtime, service: None })
    }

    /// Everything under one directory.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        Self { config: dir.clone(), data: dir.clone(), runtime: dir, service: None }
    }

    /// That of the machine's service, for the service itself.
    pub fn of_service() -> Self {
        Self {
            config: SERVICE_CONFIG.into(),
            data: SERVICE_DATA.into(),
            runtime: SERVICE_RUNTIME.into(),
            service: Some(SERVICE_RUNTIME.into()),
        }
    }

    /// A user's own one, whose broker and gate are those of the machine's service.
    #[must_use]
    pub fn with_service(self) -> Self {
        Self { service: Some(SERVICE_RUNTIME.into()), ..self }
    }

    /// Whether this is the service's own.
    pub fn is_service(&self) -> bool {
        self.service.as_ref() == Some(&self.runtime)
    }

    /// Where the sockets of the machine's service lie, if that is the one to talk to.
    pub fn service(&self) -> Option<&Path> {
        self.service.as_deref()
    }

    /// The directories themselves: configuration, data, runtime.
    pub fn dirs(&self) -> [&Path; 3] {
        [&self.config, &self.data, &self.runtime]
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// What a gate has seen of signed rules.
    pub fn rulebook_seen(&self) -> PathBuf {
        self.data.join("rulebook_seen.json")
    }

    /// The heads of brokers' logs that this machine has seen.
    pub fn heads_seen(&self) -> PathBuf {
        self.data.join("heads_seen.json")
    }

    /// The heads of others' logs that a witness has cosigned.
    pub fn heads_cosigned(&self) -> PathBuf {
        self.data.join("heads_cosigned.json")
    }

    /// The SQLite database.
    pub fn database(&self) -> PathBuf {
        self.data.join("expacti.db")
    }

    /// The directory of recordings.
    pub fn recordings(&self) -> PathBuf {
        self.data.join("recordings")
    }

    /// The directory of lines typed at interactive shells.
    pub fn history(&self) -> PathBuf {
        self.data.join("history")
    }

    /// The directory of private keys: the gate's host key, the broker's checkpoint key.
    pub fn keys(&self) -> PathBuf {
        self.data.join("keys")
    }

    /// The key by which the gate of the machine's service logs in to targets.
    pub fn target_key(&self) -> PathBuf {
        self.keys().join("target_ed25519")
    }

    /// The public half of it, for whoever puts it on a target.
    pub fn target_public_key(&self) -> PathBuf {
        self.service.as_ref().unwrap_or(&self.data).join("target_key.pub")
    }

    /// The gate's host key as a known_hosts file for the shim.
    pub fn gate_known_hosts(&self) -> PathBuf {
        self.service.as_ref().unwrap_or(&self.data).join("gate_known_hosts")
    }

    /// The log of the background process.
    pub fn log_file(&self) -> PathBuf {
        self.data.join("expacti.log")
    }

    /// The lock that one background process (or one offline command) holds.
    pub fn lock_file(&self) -> PathBuf {
        self.data.join("expacti.lock")
    }

    /// The broker's socket.
    pub fn broker_socket(&self) -> PathBuf {
        self.service.as_ref().unwrap_or(&self.runtime).join("broker.sock")
    }

    /// The gate's socket.
    pub fn gate_socket(&self) -> PathBuf {
        self.service.as_ref().unwrap_or(&self.runtime).join("gate.sock")
    }
}

/// The host name under which the shim knows the local gate's key.
pub const GATE_HOST_ALIAS: &str = "expacti-gate";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn one_directory_or_xdg() {
        let env = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned())
        };
        let one = Home::from_env(env(&[("EXPACTI_HOME", "/x"), ("HOME", "/h")]), 7).unwrap();
        assert_eq!(one, Home::at("/x"));
        let xdg = Home::from_env(env(&[("HOME", "/h"), ("XDG_RUNTIME_DIR", "/run/u")]), 7).unwrap();
        assert_eq!(xdg.config_file(), Path::new("/h/.config/expacti/config.toml"));
        assert_eq!(xdg.database(), Path::new("/h/.local/share/expacti/expacti.db"));
        assert_eq!(xdg.broker_socket(), Path::new("/run/u/expacti/broker.sock"));
        let bare = Home::from_env(env(&[("HOME", "/h")]), 7).unwrap();
        assert_eq!(bare.broker_socket(), Path::new("/tmp/expacti-7/broker.sock"));
        // The sockets are the service's, and nothing else is.
        let led = bare.clone().with_service();
        assert_eq!(led.dirs(), bare.dirs());
        assert_eq!(led.database(), bare.database());
        assert_eq!(led.broker_socket(), Path::new("/run/expacti/broker.sock"));
        assert_eq!(led.broker_socket(), Home::of_service().broker_socket());
        assert_eq!(led.gate_socket(), Home::of_service().gate_socket());
        assert_eq!(led.gate_known_hosts(), Home::of_service().gate_known_hosts());
        assert_eq!(
            Home::of_service().target_key().parent(),
            Some(Path::new("/var/lib/expacti/keys"))
        );
        assert_eq!(Home::from_env(env(&[]), 7), Err(HomeError::Unset));
        assert!(Home::from_env(env(&[("EXPACTI_HOME", "x")]), 7).is_err());
    }
}
