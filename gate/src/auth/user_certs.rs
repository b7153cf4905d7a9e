//! Decides which agent a user certificate belongs to, if any. It must never accept one in doubt,
//! nor one with a critical option that the gate does not know.

use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use expacti_protocol::http::PrincipalView;
use expacti_protocol::principal::Role;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::{Algorithm, Certificate, PublicKey};

/// What a certificate permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// A terminal (`permit-pty`).
    pub(crate) terminal: bool,
}

impl Default for Terms {
    /// Those of an agent that logs in with a bare key.
    fn default() -> Self {
        Self { terminal: true }
    }
}

/// An agent's line at the broker, as in `authorized_keys`:
/// `cert-authority,principals="NAME,…" ssh-ed25519 AAAA…`.
struct Authority {
    key: PublicKey,
    principals: Vec<String>,
}

impl Authority {
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("cert-authority,principals=\"")?;
        let (principals, key) = rest.split_once("\" ")?;
        let principals: Vec<String> =
            principals.split(',').filter(|p| !p.is_empty()).map(str::to_owned).collect();
        if principals.is_empty() {
            return None;
        }
        Some(Self { key: PublicKey::from_openssh(key.trim()).ok()?, principals })
    }
}

/// A certificate's name in messages and for reviewers.
pub(crate) fn name(certificate: &Certificate) -> String {
    let id: String = expacti_protocol::one_line(certificate.key_id()).chars().take(64).collect();
    format!("{id:?} serial {}", certificate.serial())
}

/// The one agent that the certificate belongs to, and its terms. The signature was verified before.
pub(crate) fn judge<'a>(
    certificate: &Certificate,
    agents: &'a [PrincipalView],
    peer: Option<SocketAddr>,
) -> Result<(&'a PrincipalView, Terms), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    judge_at(certificate, agents, peer.map(|peer| peer.ip().to_canonical()), now)
}

fn judge_at<'a>(
    certificate: &Certificate,
    agents: &'a [PrincipalView],
    peer: Option<IpAddr>,
    now: u64,
) -> Result<(&'a PrincipalView, Terms), String> {
    if certificate.cert_type() != CertType::User {
        return Err("it is not a user certificate".to_owned());
    }
    // PROTOCOL.certkeys: valid after <= now < valid before.
    if now < certificate.valid_after() || now >= certificate.valid_before() {
        return Err("it is not valid now".to_owned());
    }
    if matches!(certificate.signature().algorithm(), Algorithm::Rsa { hash: None }) {
        return Err("it is signed with SHA-1".to_owned());
    }
    let named = certificate.valid_principals();
    if named.is_empty() {
        return Err("it names no principal: one for everybody is for nobody".to_owned());
    }
    let mut signed = false;
    let mut fitting = agents.iter().filter(|agent| {
        let line = agent.public_key.as_deref().unwrap_or_default();
        let Some(authority) = Authority::parse(line) else { return false };
        if agent.role != Role::Agent || authority.key.key_data() != certificate.signature_key() {
            return false;
        }
        signed = true;
        named.iter().any(|principal| authority.principals.contains(principal))
    });
    let (agent, other) = (fitting.next(), fitting.next());
    let agent = match (agent, other) {
        (Some(agent), None) => agent,
        (Some(one), Some(other)) => {
            return Err(format!("it fits several agents: {} and {}", one.name, other.name));
        }
        (None, _) if signed => return Err("none of its principals is an agent's".to_owned()),
        (None, _) => return Err("no known authority signed it".to_owned()),
    };
    for (option, value) in certificate.critical_options().iter() {
        match option.as_str() {
            "source-address" => {
                let peer = peer.ok_or("it is for a source address, and there is none")?;
                if !covers(value, peer)? {
                    return Err(format!("it is not for the address {peer}"));
                }
            }
            // It would run instead of what the reviewer sees.
            "force-command" => return Err("force-command is not supported".to_owned()),
            other => {
                let other: String = expacti_protocol::one_line(other).chars().take(64).collect();
                return Err(format!("its critical option {other:?} is not known"));
            }
        }
    }
    let terminal = certificate.extensions().iter().any(|(name, _)| name == "permit-pty");
    Ok((agent, Terms { terminal }))
}

/// Whether a list of addresses and networks, as in `source-address`, has that address.
fn covers(list: &str, peer: IpAddr) -> Result<bool, String> {
    let mut found = false;
    for entry in list.split(',') {
        let wrong = || "its source-address cannot be read".to_owned();
        let (address, length) = match entry.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().map_err(|_| wrong())?)),
            None => (entry, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| wrong())?;
        found |= match (address, peer) {
            (IpAddr::V4(network), IpAddr::V4(peer)) => {
                let length = length.unwrap_or(32);
                let mask = u32::MAX.checked_shl(32u32.checked_sub(length).ok_or_else(wrong)?);
                let mask = mask.unwrap_or(0);
                u32::from(network) & mask == u32::from(peer) & mask
            }
            (IpAddr::V6(network), IpAddr::V6(peer)) => {
                let length = length.unwrap_or(128);
                let mask = u128::MAX.checked_shl(128u32.checked_sub(length).ok_or_else(wrong)?);
                let mask = mask.unwrap_or(0);
                u128::from(network) & mask == u128::from(peer) & mask
            }
            _ => false,
        };
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use russh::keys::ssh_key::certificate::Builder;
    use russh::keys::{Algorithm, PrivateKey};

    use super::*;

    fn key() -> PrivateKey {
        PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).unwrap()
    }

    fn agent(name: &str, principals: &str, ca: &PrivateKey) -> PrincipalView {
        let mut public = ca.public_key().clone();
        public.set_comment("");
        let key = public.to_openssh().unwrap();
        PrincipalView {
            id: "prn_1".to_owned(),
            name: name.to_owned(),
            role: Role::Agent,
            public_key: Some(format!("cert-authority,principals=\"{principals}\" {key}")),
            owner: None,
            unix_user: None,
            former_owners: Vec::new(),
            created_at: 0,
        }
    }

    fn made(ca: &PrivateKey, change: impl FnOnce(&mut Builder)) -> Certificate {
        made_as(CertType::User, ca, change)
    }

    fn made_as(kind: CertType, ca: &PrivateKey, change: impl FnOnce(&mut Builder)) -> Certificate {
        let mut rng = russh::keys::key::safe_rng();
        let subject = key();
        let mut builder =
            Builder::new_with_random_nonce(&mut rng, subject.public_key(), 100, 200).unwrap();
        builder.cert_type(kind).unwrap().key_id("id").unwrap();
        builder.extension("permit-pty", "").unwrap();
        change(&mut builder);
        builder.sign(ca).unwrap()
    }

    fn said(certificate: &Certificate, agents: &[PrincipalView], peer: &str) -> String {
        match judge_at(certificate, agents, peer.parse().ok(), 150) {
            Ok((agent, terms)) => format!("{} {}", agent.name, terms.terminal),
            Err(why) => why,
        }
    }

    #[test]
    fn only_the_agent_it_names_and_only_as_it_says() {
        let (ca, other) = (key(), key());
        let agents = [
            agent("ci", "ci,build", &ca),
            agent("claude", "claude,shared", &ca),
            agent("twin", "twin,shared", &ca),
            agent("ci-of-other", "ci", &other),
        ];
        let plain = |name: &str, ca: &PrivateKey| {
            made(ca, |b| {
                b.valid_principal(name).unwrap();
            })
        };
        assert_eq!(said(&plain("build", &ca), &agents, "::1"), "ci true");
        assert_eq!(said(&plain("claude", &ca), &agents, "::1"), "claude true");
        assert_eq!(said(&plain("ci", &other), &agents, "::1"), "ci-of-other true");
        for (certificate, why) in [
            (plain("nobody", &ca), "none of its principals"),
            (plain("ci", &key()), "no known authority"),
            (plain("shared", &ca), "several agents"),
            (
                made(&ca, |b| {
                    b.all_principals_valid().unwrap();
                }),
                "names no principal",
            ),
            (
                made_as(CertType::Host, &ca, |b| {
                    b.valid_principal("ci").unwrap();
                }),
                "not a user certificate",
            ),
            (
                made(&ca, |b| {
                    b.valid_principal("ci").unwrap();
                    b.critical_option("force-command", "id").unwrap();
                }),
                "force-command",
            ),
            (
                made(&ca, |b| {
                    b.valid_principal("ci").unwrap();
                    b.critical_option("verify-required", "").unwrap();
                }),
                "\"verify-required\" is not known",
            ),
        ] {
            let told = said(&certificate, &agents, "::1");
            assert!(told.contains(why), "{why}: {told}");
        }
        let no_terminal = {
            let mut rng = russh::keys::key::safe_rng();
            let mut builder =
                Builder::new_with_random_nonce(&mut rng, key().public_key(), 0, 200).unwrap();
            builder.cert_type(CertType::User).unwrap().valid_principal("ci").unwrap();
            builder.sign(&ca).unwrap()
        };
        assert_eq!(said(&no_terminal, &agents, "::1"), "ci false");
        assert_eq!(said(&plain("ci", &ca), &[], "::1"), "no known authority signed it");
    }

    #[test]
    fn valid_from_and_until() {
        let ca = key();
        let agents = [agent("ci", "ci", &ca)];
        let certificate = made(&ca, |b| {
            b.valid_principal("ci").unwrap();
        });
        for (now, good) in [(99, false), (100, true), (199, true), (200, false), (u64::MAX, false)]
        {
            assert_eq!(judge_at(&certificate, &agents, None, now).is_ok(), good, "{now}");
        }
    }

    #[test]
    fn source_addresses() {
        let ca = key();
        let agents = [agent("ci", "ci", &ca)];
        for (list, peer, good) in [
            ("10.0.0.0/8,192.168.1.7", "10.255.0.1", true),
            ("10.0.0.0/8,192.168.1.7", "192.168.1.7", true),
            ("10.0.0.0/8,192.168.1.7", "192.168.1.8", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fd12::1", true),
            ("fd00::/8", "fe80::1", false),
            ("10.0.0.0/33", "10.0.0.1", false),
            ("10.0.0.1,nonsense", "10.0.0.1", false),
            ("", "10.0.0.1", false),
            ("10.0.0.0/8", "nothing", false),
        ] {
            let certificate = made(&ca, |b| {
                b.valid_principal("ci").unwrap();
                b.critical_option("source-address", list).unwrap();
            });
            assert_eq!(said(&certificate, &agents, peer) == "ci true", good, "{list} {peer}");
        }
    }

    #[test]
    fn lines_of_the_broker() {
        let ca = key();
        let line = agent("ci", "a,b", &ca).public_key.unwrap();
        assert_eq!(Authority::parse(&line).unwrap().principals, ["a", "b"]);
        for wrong in [
            line.trim_start_matches("cert-authority,"),
            &line.replace("a,b", ""),
            &line.replace("AAAA", "BBBB"),
            "",
        ] {
            assert!(Authority::parse(wrong).is_none(), "{wrong}");
        }
    }
}
