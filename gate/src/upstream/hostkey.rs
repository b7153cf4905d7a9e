//! Checks that a target's host key is the right one. Anything doubtful is refused, with a message
//! that says what to do. It must never ask the agent.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use expacti_protocol::uplink::HostKeyChecking;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey, PublicKeyOrCertificate};

use super::known_hosts::{Entry, Marker, host_name, line, lookup};
use super::route::{Checked, ConnectError, HostKeys, Target};

/// What is known about a target's host key before connecting.
pub(super) struct Check {
    display: String,
    name: String,
    host: String,
    keygen_hint: String,
    checking: HostKeyChecking,
    entries: Vec<Entry>,
    /// Entries for the host without its port: a match there is accepted, as `ssh` does.
    portless: Vec<Entry>,
    algorithms: Vec<String>,
    source: &'static str,
    report: Report,
}

/// What the check found; shared with the code that waits for the connection.
#[derive(Clone, Default)]
pub(super) struct Report(Arc<Mutex<Finding>>);

#[derive(Default)]
struct Finding {
    failure: Option<String>,
    accepted: Option<String>,
    fingerprint: String,
    add: Option<PublicKey>,
}

impl Report {
    fn with<T>(&self, f: impl FnOnce(&mut Finding) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why the key was refused, if it was.
    pub(super) fn failure(&self) -> Option<ConnectError> {
        self.with(|f| f.failure.clone()).map(ConnectError)
    }

    /// How the key was accepted, after the key exchange. Records a new key if it should be
    /// recorded.
    pub(super) fn accepted(&self, target: &Target) -> Result<Checked, ConnectError> {
        let (accepted, fingerprint, add) =
            self.with(|f| (f.accepted.clone(), f.fingerprint.clone(), f.add.take()));
        let Some(host_key) = accepted else {
            return Err(ConnectError("the target's host key was not checked".to_owned()));
        };
        if let (Some(key), HostKeys::Files { add: Some(file), hash, alias, .. }) =
            (add, &target.host_keys)
        {
            let name = alias.clone().unwrap_or_else(|| host_name(&target.host, target.port));
            if let Err(error) = append(file, &name, &key, *hash) {
                tracing::warn!(file = %file.display(), %error, "the host key was not recorded");
            }
        }
        Ok(Checked { host_key, fingerprint })
    }
}

fn append(file: &std::path::Path, name: &str, key: &PublicKey, hash: bool) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let text = line(name, key, hash).ok_or_else(|| std::io::Error::other("unusable key"))?;
    let needs_newline =
        std::fs::read(file).is_ok_and(|old| !old.is_empty() && !old.ends_with(b"\n"));
    let text = if needs_newline { format!("\n{text}") } else { text };
    let mut out = std::fs::OpenOptions::new().append(true).create(true).mode(0o600).open(file)?;
    out.write_all(text.as_bytes())
}

impl Check {
    /// Reads what is known about the target. A file that exists but cannot be read is an error: it
    /// might contain a `@revoked` line.
    pub(super) fn prepare(target: &Target) -> Result<Self, ConnectError> {
        let mut check = Self {
            display: target.display(),
            name: host_name(&target.host, target.port),
            host: target.host.to_ascii_lowercase(),
            keygen_hint: if target.port == 22 {
                format!("ssh-keyscan {}", target.host)
            } else {
                format!("ssh-keyscan -p {} {}", target.port, target.host)
            },
            checking: HostKeyChecking::Strict,
            entries: Vec::new(),
            portless: Vec::new(),
            algorithms: Vec::new(),
            source: "pinned",
            report: Report::default(),
        };
        match &target.host_keys {
            HostKeys::Pinned(keys) => {
                check.entries = keys
                    .iter()
                    .map(|key| Entry {
                        marker: Marker::Plain,
                        key: key.clone(),
                        location: "the target's pinned keys".to_owned(),
                    })
                    .collect();
            }
            HostKeys::Files { files, checking, alias, algorithms, .. } => {
                check.source = "known_hosts";
                check.checking = *checking;
                check.algorithms.clone_from(algorithms);
                if let Some(alias) = alias {
                    check.name = alias.to_ascii_lowercase();
                    check.host.clone_from(&check.name);
                }
                for file in files {
                    let text = match std::fs::read(file) {
                        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                        Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                        Err(e) => {
                            return Err(ConnectError(format!(
                                "cannot read the known hosts in {}: {e}",
                                file.display()
                            )));
                        }
                    };
                    let file = file.display().to_string();
                    check.entries.extend(lookup(&text, &file, &check.name));
                    if check.name != check.host {
                        check.portless.extend(lookup(&text, &file, &check.host));
                    }
                }
            }
        }
        Ok(check)
    }

    pub(super) fn report(&self) -> Report {
        self.report.clone()
    }

    fn of(&self, marker: Marker) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |e| e.marker == marker)
    }

    /// The algorithms to offer: those the user allows, and among them the types known for the host
    /// first, so that the target shows a key that can be compared.
    pub(super) fn algorithms(&self, all: &[Algorithm]) -> Vec<Algorithm> {
        let mut chosen: Vec<Algorithm> = if self.algorithms.is_empty() {
            all.to_vec()
        } else {
            let named = |name: &String| all.iter().find(|a| a.to_string() == *name).cloned();
            self.algorithms.iter().filter_map(named).collect()
        };
        let known: Vec<Algorithm> =
            self.of(Marker::Plain).map(|e| without_hash(&e.key.algorithm())).collect();
        // A stable sort keeps the order within both groups.
        chosen.sort_by_key(|a| !known.contains(&without_hash(a)));
        chosen
    }

    /// Certificate algorithms are offered only if an authority is known for the host.
    pub(super) fn certificate_algorithms(&self, all: &[Algorithm]) -> Vec<Algorithm> {
        if self.of(Marker::CertAuthority).next().is_some() { all.to_vec() } else { Vec::new() }
    }

    /// Whether to go on with a target that shows this key. Keeps the reason.
    pub(super) fn judge(&self, shown: &PublicKeyOrCertificate) -> bool {
        match self.verdict(shown) {
            Ok((how, add)) => {
                let fingerprint = shown.public_key().fingerprint(HashAlg::Sha256).to_string();
                self.report.with(|f| {
                    f.accepted = Some(how);
                    f.fingerprint = fingerprint;
                    f.add = add;
                });
                true
            }
            Err(why) => {
                self.report.with(|f| f.failure = Some(why));
                false
            }
        }
    }

    fn verdict(
        &self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<(String, Option<PublicKey>), String> {
        let key = shown.public_key();
        let same = |entry: &&Entry| entry.key.key_data() == key.key_data();
        let revoked = self.entries.iter().chain(&self.portless).find(|e| {
            e.marker == Marker::Revoked
                && (e.key.key_data() == key.key_data()
                    || shown.certificate().is_some_and(|c| e.key.key_data() == c.signature_key()))
        });
        if let Some(entry) = revoked {
            return Err(format!(
                "the host key of {} is revoked ({}): connection refused",
                self.display, entry.location
            ));
        }
        if let Some(certificate) = shown.certificate() {
            match self.certified(certificate) {
                Ok(()) => return Ok((format!("certificate ({})", self.source), None)),
                Err(why) => tracing::info!(host = %self.display, %why, "host certificate not used"),
            }
        }
        if self.of(Marker::Plain).any(|e| same(&e)) {
            return Ok((self.source.to_owned(), None));
        }
        let other = self.of(Marker::Plain).next();
        if other.is_none()
            && self.portless.iter().filter(|e| e.marker == Marker::Plain).any(|e| same(&e))
        {
            return Ok((self.source.to_owned(), None));
        }
        let fingerprint = key.fingerprint(HashAlg::Sha256);
        let kind = key_type(&key.algorithm());
        if self.checking == HostKeyChecking::Off {
            return Ok(("not checked (StrictHostKeyChecking=no)".to_owned(), None));
        }
        match other {
            Some(entry) => Err(format!(
                "the host key of {host} has CHANGED: it shows {kind} {fingerprint}, but {place} \
                 has another. Somebody may be in between, or the host was reinstalled. If you are \
                 sure of the new key, remove the old one: ssh-keygen -R '{name}'",
                host = self.display,
                place = entry.location,
                name = self.name,
            )),
            None if self.checking == HostKeyChecking::AcceptNew => {
                Ok(("accept-new".to_owned(), Some(key)))
            }
            None if self.source == "pinned" => Err(format!(
                "the host key of {}, {kind} {fingerprint}, is none of those pinned for the target",
                self.display
            )),
            None => Err(format!(
                "the host key of {host} is not known: {kind} {fingerprint}. Connect once with ssh \
                 to accept it, or add the line of `{hint}` to known_hosts after comparing the \
                 fingerprint",
                host = self.display,
                hint = self.keygen_hint,
            )),
        }
    }

    /// Judges a host certificate as `ssh` does: it must come from a known authority, be of type
    /// host, name this host, be valid now, and have no critical options (none are defined for
    /// hosts).
    fn certified(&self, certificate: &Certificate) -> Result<(), String> {
        let authorities: Vec<_> = self
            .of(Marker::CertAuthority)
            .filter(|e| e.key.key_data() == certificate.signature_key())
            .map(|e| e.key.fingerprint(HashAlg::Sha256))
            .collect();
        if authorities.is_empty() {
            return Err("no known authority signed it".to_owned());
        }
        if certificate.cert_type() != CertType::Host {
            return Err("it is not a host certificate".to_owned());
        }
        if !certificate.valid_principals().iter().any(|p| p.eq_ignore_ascii_case(&self.host)) {
            return Err(format!("it is not for {}", self.host));
        }
        if certificate.critical_options().iter().next().is_some() {
            return Err("it has critical options".to_owned());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| e.to_string())?;
        certificate
            .validate_at(now.as_secs(), authorities.iter())
            .map_err(|e| format!("it is not valid: {e}"))
    }
}

fn without_hash(algorithm: &Algorithm) -> Algorithm {
    match algorithm {
        Algorithm::Rsa { .. } => Algorithm::Rsa { hash: None },
        other => other.clone(),
    }
}

fn key_type(algorithm: &Algorithm) -> String {
    match algorithm {
        Algorithm::Rsa { .. } => "RSA".to_owned(),
        Algorithm::Ed25519 => "ED25519".to_owned(),
        Algorithm::Ecdsa { .. } => "ECDSA".to_owned(),
        other => other.to_string(),
    }
}
