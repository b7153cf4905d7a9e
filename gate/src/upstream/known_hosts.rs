//! known_hosts files as `sshd(8)` describes them: markers, hashed names, wildcards, negation.
//! Pure parsing and matching; it must never take a line it does not understand for a match.

use base64::Engine as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::PublicKey;
use sha1::Sha1;

/// What a line says about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marker {
    /// The host has this key.
    Plain,
    /// This key signs the host's certificates.
    CertAuthority,
    /// This key must not be accepted.
    Revoked,
}

/// One line about the host that was looked up.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The line's marker.
    pub(crate) marker: Marker,
    /// Its key.
    pub(crate) key: PublicKey,
    /// Its location as `FILE:LINE`, for messages.
    pub(crate) location: String,
}

/// All lines of `text` that match `name` (`host`, or `[host]:port` for a port other than 22).
pub(crate) fn lookup(text: &str, file: &str, name: &str) -> Vec<Entry> {
    let name = name.to_ascii_lowercase();
    text.lines()
        .enumerate()
        .filter_map(|(i, line)| {
            let (marker, key) = parse(line, &name)?;
            Some(Entry { marker, key, location: format!("{file}:{}", i + 1) })
        })
        .collect()
}

/// The name under which `ssh` looks a host up.
pub(crate) fn host_name(host: &str, port: u16) -> String {
    if port == 22 {
        host.to_ascii_lowercase()
    } else {
        format!("[{}]:{port}", host.to_ascii_lowercase())
    }
}

/// Whether a name stands for itself and nothing else in a known_hosts file.
pub(crate) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']'))
}

/// The line that records a key, with the name hashed if `hashed`. There is none for a name that a
/// reader would take for a pattern, a marker or two words.
pub(crate) fn line(name: &str, key: &PublicKey, hashed: bool) -> Option<String> {
    if !is_plain_name(name) {
        return None;
    }
    let name = if hashed { hash(name)? } else { name.to_owned() };
    let mut key = key.clone();
    key.set_comment("");
    Some(format!("{name} {}\n", key.to_openssh().ok()?.trim_end()))
}

fn parse(line: &str, name: &str) -> Option<(Marker, PublicKey)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let mut first = words.next()?;
    let marker = match first {
        "@cert-authority" => Marker::CertAuthority,
        "@revoked" => Marker::Revoked,
        other if other.starts_with('@') => return None,
        _ => Marker::Plain,
    };
    if marker != Marker::Plain {
        first = words.next()?;
    }
    if !matches(first, name) {
        return None;
    }
    let (kind, data) = (words.next()?, words.next()?);
    let key = PublicKey::from_openssh(&format!("{kind} {data}")).ok()?;
    Some((marker, key))
}

fn matches(patterns: &str, name: &str) -> bool {
    if patterns.starts_with('|') {
        return matches_hash(patterns, name).unwrap_or(false);
    }
    let mut found = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if wildcard(&negated.to_ascii_lowercase(), name) => return false,
            Some(_) => {}
            None => found |= wildcard(&pattern.to_ascii_lowercase(), name),
        }
    }
    found
}

fn matches_hash(pattern: &str, name: &str) -> Option<bool> {
    let (salt, hash) = pattern.strip_prefix("|1|")?.split_once('|')?;
    let engine = base64::engine::general_purpose::STANDARD;
    let (salt, hash) = (engine.decode(salt).ok()?, engine.decode(hash).ok()?);
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    mac.update(name.as_bytes());
    Some(mac.verify_slice(&hash).is_ok())
}

fn hash(name: &str) -> Option<String> {
    let mut salt = [0u8; 20];
    getrandom::fill(&mut salt).ok()?;
    let mut mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    mac.update(name.as_bytes());
    let engine = base64::engine::general_purpose::STANDARD;
    let hash = engine.encode(mac.finalize().into_bytes());
    Some(format!("|1|{}|{hash}", engine.encode(salt)))
}

/// `*` and `?`, in linear space and at most quadratic time.
fn wildcard(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || Some(c) == name.get(n) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    p = at + 1;
                    n = taken + 1;
                    star = Some((at, n));
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == b'*'))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGPKSUTyz1HwHReFVvD5obVsALAgJRNarH4TRpNePnAS";

    fn found(patterns: &str, name: &str) -> bool {
        !lookup(&format!("{patterns} {KEY}\n"), "f", name).is_empty()
    }

    #[test]
    fn patterns() {
        assert!(found("web-1", "web-1"));
        assert!(found("WEB-1", "web-1"));
        assert!(found("a,web-*,b", "web-1"));
        assert!(found("web-?", "web-1"));
        assert!(!found("web-?", "web-12"));
        assert!(!found("web-*,!web-1", "web-1"));
        assert!(!found("!web-1", "web-2"));
        assert!(found("[web-1]:2222", "[web-1]:2222"));
        assert!(!found("web-1", "[web-1]:2222"));
        assert!(found("*", "[web-1]:2222"));
        assert!(!found("@unknown web-1", "web-1"));
        assert!(!found("|1|AAAA|AAAA", "web-1"));
        assert!(!found("|2|x|y", "|2|x|y"));
        assert_eq!(lookup("# web-1 x\n\nweb-1 ssh-ed25519 AAAA\nweb-1\n", "f", "web-1").len(), 0);
        let revoked = format!("@revoked * {KEY}\n@cert-authority *.example.org {KEY} ca\n");
        let both = lookup(&revoked, "f", "a.example.org");
        let markers: Vec<_> = both.iter().map(|e| (e.marker, e.location.as_str())).collect();
        assert_eq!(markers, [(Marker::Revoked, "f:1"), (Marker::CertAuthority, "f:2")]);
    }

    #[test]
    fn hashed_lines_of_our_own_and_of_ssh_keygen() {
        let key = PublicKey::from_openssh(KEY).unwrap();
        let own = line("[web-1]:2222", &key, true).unwrap();
        assert!(own.starts_with("|1|"));
        assert_eq!(lookup(&own, "f", "[web-1]:2222").len(), 1);
        assert_eq!(lookup(&own, "f", "[web-1]:2223").len(), 0);

        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        std::fs::write(&file, format!("web-1,10.0.0.1 {KEY}\n[db]:2222 {KEY}\n")).unwrap();
        let hashed = Command::new("ssh-keygen").arg("-H").arg("-f").arg(&file).output().unwrap();
        assert!(hashed.status.success(), "ssh-keygen (package openssh-client) failed");
        let text = std::fs::read_to_string(&file).unwrap();
        for name in ["web-1", "10.0.0.1", "[db]:2222"] {
            assert_eq!(lookup(&text, "f", name).len(), 1, "{name}");
        }
        assert_eq!(lookup(&text, "f", "db").len(), 0);
    }

    #[test]
    fn only_plain_names_are_recorded() {
        let key = PublicKey::from_openssh(KEY).unwrap();
        for odd in ["*", "a,b", "!a", "@revoked *", "|1|x|y", "#a", "a b", "a\nb", "a\tb", "", "é"]
        {
            assert_eq!(line(odd, &key, false), None, "{odd:?}");
            assert_eq!(line(odd, &key, true), None, "{odd:?}");
        }
        assert!(line("[fe80::1]:22", &key, false).is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        /// The stock tool is the oracle for which lines speak of a host.
        #[test]
        fn agrees_with_ssh_keygen(
            patterns in proptest::collection::vec("!?[ab*?.]{1,4}", 1..4),
            name in "[ab.]{1,4}",
        ) {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("known_hosts");
            let text = format!("{} {KEY}\n", patterns.join(","));
            std::fs::write(&file, &text).unwrap();
            let oracle = Command::new("ssh-keygen")
                .args(["-F", &name, "-f"])
                .arg(&file)
                .output()
                .expect("ssh-keygen: install openssh-client");
            let stock = !oracle.stdout.is_empty();
            prop_assert_eq!(!lookup(&text, "f", &name).is_empty(), stock, "{} {}", text, name);
        }

        #[test]
        fn never_panics(text in ".{0,200}", name in ".{0,40}") {
            lookup(&text, "f", &name);
            lookup(&format!("{text} {KEY}"), "f", &name);
        }
    }
}
