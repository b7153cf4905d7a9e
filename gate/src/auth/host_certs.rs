//! The gate's host certificates: with one `@cert-authority` line in its known_hosts, a client
//! trusts the gate under the name of every target. It must never sign any key but the gate's own.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::{Certificate, PrivateKey};

/// How long a host certificate is valid. Each connection inside another one gets a new one.
const VALID: Duration = Duration::from_secs(7 * 24 * 3600);

/// When a long-running gate renews its own certificate.
pub(crate) const RENEW: Duration = Duration::from_secs(24 * 3600);

/// Allowance for clients whose clock is slow.
const BEHIND: Duration = Duration::from_secs(3600);

/// Names in one certificate: OpenSSH reads no more than 256.
const MAX_NAMES: usize = 256;

/// A certificate of `key` for those host names. `None` without a name, or when it cannot be made:
/// then clients see the bare key.
pub(crate) fn host(ca: &PrivateKey, key: &PrivateKey, names: &[&str]) -> Option<Certificate> {
    match build(ca, key, names) {
        Ok(certificate) => certificate,
        Err(error) => {
            tracing::warn!(%error, "the gate's host certificate cannot be made");
            None
        }
    }
}

fn build(
    ca: &PrivateKey,
    key: &PrivateKey,
    names: &[&str],
) -> Result<Option<Certificate>, russh::keys::ssh_key::Error> {
    let mut names: Vec<String> = names
        .iter()
        .filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && b != b','))
        // OpenSSH compares in lower case.
        .map(|name| name.to_ascii_lowercase())
        .take(MAX_NAMES)
        .collect();
    names.sort();
    names.dedup();
    let Some(first) = names.first() else { return Ok(None) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut builder = Builder::new_with_random_nonce(
        &mut russh::keys::key::safe_rng(),
        key.public_key(),
        now.saturating_sub(BEHIND).as_secs(),
        (now + VALID).as_secs(),
    )?;
    builder.cert_type(CertType::Host)?.key_id(format!("expacti gate as {first}"))?;
    for name in &names {
        builder.valid_principal(name)?;
    }
    builder.sign(ca).map(Some)
}

/// The known_hosts line by which an OpenSSH client trusts the gate's certificates for hosts that
/// match `patterns` (`*`, or for example `gate.example.com,web-*`).
#[must_use]
pub fn cert_authority_line(patterns: &str, ca: &PrivateKey) -> String {
    let mut public = ca.public_key().clone();
    public.set_comment("");
    // An ed25519 key always has a text form.
    let key = public.to_openssh().unwrap_or_default();
    format!("@cert-authority {patterns} {} expacti-gate-ca\n", key.trim_end())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use russh::keys::Algorithm;
    use russh::keys::HashAlg;

    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap()
    }

    #[test]
    fn a_host_certificate_names_its_hosts_only() {
        let (ca, key) = (key(), key());
        let made = host(&ca, &key, &["Web-1", "", "a b", "a,b", "web-1", "10.0.0.1"]).unwrap();
        assert_eq!(made.valid_principals(), ["10.0.0.1", "web-1"]);
        assert!(made.cert_type().is_host());
        assert_eq!(made.public_key(), key.public_key().key_data());
        made.validate([&ca.public_key().fingerprint(HashAlg::Sha256)]).unwrap();
        assert!(host(&ca, &key, &[]).is_none());
        assert!(host(&ca, &key, &["\u{202e}x"]).is_none());
        let line = cert_authority_line("*", &ca);
        assert!(line.starts_with("@cert-authority * ssh-ed25519 AAAA"), "{line}");
    }
}
