//! Whose signatures count: OpenSSH's `allowed_signers`, and the keys that were taken back. It must never
//! count what it is not sure of: one bad line makes a list unusable.

mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::tz::TimeZone;
use russh::keys::ssh_key::Fingerprint;
use russh::keys::ssh_key::certificate::{CertType, Certificate};
use russh::keys::ssh_key::public::KeyData;

use crate::keys;
use crate::sshsig::{Presence, SignerKey, Verified};
use line::Line;
pub(crate) use line::is_name;

/// The longest list, in bytes.
const MAX_LIST: usize = 1024 * 1024;
/// What a binary list of revoked keys begins with.
const KRL: &[u8] = b"SSHKRL\n\0";
/// The option of a certificate whose signatures need a PIN or a finger.
const VERIFY_REQUIRED: &str = "verify-required";

/// What is wrong with a line of a list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct SignersFault {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub what: String,
}

impl fmt::Display for SignersFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Why a signature is nobody's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerFault {
    /// The key is not on the list.
    #[error("the key {0} is not on the list of signers")]
    Unknown(String),
    /// The authority of a certificate is not on the list.
    #[error("the authority {0} of the certificate is not on the list of signers")]
    UnknownAuthority(String),
    /// The key, or the authority, was taken back.
    #[error("the key {0} is revoked")]
    Revoked(String),
    /// It counts for other purposes only.
    #[error("the key {key} does not count for {namespace}: see namespaces= in the list of signers")]
    Namespace {
        /// The key's fingerprint.
        key: String,
        /// What was signed.
        namespace: String,
    },
    /// It counts later.
    #[error("the key {0} does not count yet")]
    NotYet(String),
    /// It no longer counts.
    #[error("the key {0} does not count any more")]
    Expired(String),
    /// Nobody touched the security key.
    #[error("the security key {0} signed without a touch")]
    NotTouched(String),
    /// The certificate wants a PIN or a finger.
    #[error(
        "the security key {0} signed without a PIN or a finger, which its certificate asks for"
    )]
    NotVerified(String),
    /// A certificate that does not count.
    #[error("the certificate of the key {key} does not count: {why}")]
    Certificate {
        /// The key's fingerprint.
        key: String,
        /// Why not.
        why: String,
    },
}

/// Somebody who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name on the list, or in the certificate.
    pub name: String,
    /// The fingerprint of the key, `SHA256:…`.
    pub key_fingerprint: String,
    /// What the security key says of the person at it; `None` for keys of other kinds.
    pub presence: Option<Presence>,
    /// The first second at which the key no longer counts, if there is one.
    pub valid_before: Option<i64>,
}

/// Keys, and whose they are.
#[derive(Debug, Clone, Default)]
pub struct AllowedSigners {
    lines: Vec<Line>,
}

impl AllowedSigners {
    /// Reads a list. Times without a `Z` are in the zone of the system, as OpenSSH takes them.
    ///
    /// # Errors
    /// With all that is wrong.
    pub fn parse(text: &str) -> Result<Self, Vec<SignersFault>> {
        Self::parse_in(text, &TimeZone::system())
    }

    /// As [`Self::parse`], with times in some zone.
    ///
    /// # Errors
    /// With all that is wrong.
    pub fn parse_in(text: &str, zone: &TimeZone) -> Result<Self, Vec<SignersFault>> {
        let mut lines: Vec<Line> = Vec::new();
        let mut faults = Vec::new();
        let mut people = People::default();
        for (number, text) in numbered(text)? {
            let line = Line::parse(number, text, zone)
                .and_then(|line| line.map(|line| people.add(&line).map(|()| line)).transpose());
            match line {
                Ok(line) => lines.extend(line),
                Err(what) => faults.push(SignersFault { line: number, what }),
            }
        }
        if faults.is_empty() { Ok(Self { lines }) } else { Err(faults) }
    }

    /// The people who are on it by name, in order. Those of authorities are not known.
    #[must_use]
    pub fn people(&self) -> BTreeSet<&str> {
        self.lines.iter().filter_map(Line::person).collect()
    }

    /// Whether nobody is on it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// Whose keys were seen, while a list is read.
#[derive(Default)]
struct People {
    /// The person and the line of each key.
    keys: BTreeMap<KeyData, (String, usize)>,
    /// The names as they are written, by the same in small letters.
    names: BTreeMap<String, String>,
}

impl People {
    fn add(&mut self, line: &Line) -> Result<(), String> {
        let Some(person) = line.person() else { return Ok(()) };
        let known = self.keys.entry(line.key.clone());
        let (whose, number) = known.or_insert_with(|| (person.to_owned(), line.number));
        if whose != person {
            return Err(format!("the key is already that of {whose} in line {number}"));
        }
        let known = self.names.entry(person.to_lowercase());
        let written = known.or_insert_with(|| person.to_owned());
        if written != person {
            return Err(format!("{person} and {written} differ only in capital letters"));
        }
        Ok(())
    }
}

/// Keys that count for nothing any more.
#[derive(Debug, Clone, Default)]
pub struct Revoked {
    fingerprints: BTreeSet<Fingerprint>,
}

impl Revoked {
    /// Reads a list with one public key or one `SHA256:…` fingerprint a line, also of authorities.
    ///
    /// # Errors
    /// With all that is wrong.
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, Vec<SignersFault>> {
        let text = text.as_ref();
        let whole = |what: &str| vec![SignersFault { line: 1, what: what.to_owned() }];
        if text.starts_with(KRL) {
            return Err(whole(
                "it is a binary list (KRL), which is not read here: give a text with one public key \
                 or SHA256:… fingerprint a line",
            ));
        }
        let text = std::str::from_utf8(text).map_err(|_| whole("it is no text"))?;
        let mut fingerprints = BTreeSet::new();
        let mut faults = Vec::new();
        for (number, text) in numbered(text)? {
            match revoked(text.trim()) {
                Ok(found) => fingerprints.extend(found),
                Err(what) => faults.push(SignersFault { line: number, what }),
            }
        }
        if faults.is_empty() { Ok(Self { fingerprints }) } else { Err(faults) }
    }

    fn check(&self, key: &KeyData) -> Result<(), SignerFault> {
        if self.fingerprints.contains(&key.fingerprint(russh::keys::HashAlg::Sha256)) {
            return Err(SignerFault::Revoked(keys::fingerprint(key)));
        }
        Ok(())
    }
}

fn revoked(text: &str) -> Result<Option<Fingerprint>, String> {
    if text.is_empty() || text.starts_with('#') {
        return Ok(None);
    }
    if !text.starts_with("SHA256:") {
        return line::public_key(text)
            .map(|key| Some(key.fingerprint(russh::keys::HashAlg::Sha256)));
    }
    // A comment may follow.
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    let found = first.parse::<Fingerprint>().ok().filter(|found| found.is_sha256());
    found
        .map(Some)
        .ok_or_else(|| format!("{first:?} is no fingerprint as `ssh-keygen -l` shows it"))
}

fn numbered(text: &str) -> Result<impl Iterator<Item = (usize, &str)>, Vec<SignersFault>> {
    if text.len() > MAX_LIST {
        let what = format!("the list is longer than {MAX_LIST} bytes");
        return Err(vec![SignersFault { line: 1, what }]);
    }
    Ok(text.split('\n').enumerate().map(|(at, text)| (at + 1, text)))
}

/// Who may sign, without those whose keys were taken back.
#[derive(Debug, Clone, Default)]
pub struct Signers {
    /// Who may.
    pub allowed: AllowedSigners,
    /// Which keys may not.
    pub revoked: Revoked,
}

impl Signers {
    /// Whose signature it is, at a time in seconds since the Unix epoch.
    ///
    /// # Errors
    /// When it does not count, with the reason.
    pub fn person(
        &self,
        verified: &Verified,
        namespace: &str,
        now: i64,
    ) -> Result<Person, SignerFault> {
        let key = verified.key().public();
        let key_fingerprint = keys::fingerprint(key);
        self.revoked.check(key)?;
        if verified.namespace() != namespace {
            let namespace = namespace.to_owned();
            return Err(SignerFault::Namespace { key: key_fingerprint, namespace });
        }
        let presence = verified.presence();
        // ssh-keygen makes and takes signatures without; nobody may have been there.
        if presence.is_some_and(|presence| !presence.touched) {
            return Err(SignerFault::NotTouched(key_fingerprint));
        }
        let at = At { namespace, now };
        let (name, valid_before) = match verified.key() {
            SignerKey::Plain(key) => self.plain(key, at)?,
            SignerKey::Certificate(certificate) => {
                let known = self.certified(certificate, at)?;
                let asks = certificate.critical_options().contains_key(VERIFY_REQUIRED);
                if asks && !presence.is_some_and(|presence| presence.verified) {
                    return Err(SignerFault::NotVerified(key_fingerprint));
                }
                known
            }
        };
        Ok(Person { name, key_fingerprint, presence, valid_before })
    }

    /// The person of a key, and until when.
    fn plain(&self, key: &KeyData, at: At<'_>) -> Result<(String, Option<i64>), SignerFault> {
        let fingerprint = keys::fingerprint(key);
        let of_key = |line: &&Line| !line.authority && line.key == *key;
        let lines: Vec<&Line> = self.allowed.lines.iter().filter(of_key).collect();
        let lines = at.counting(&lines, &fingerprint, SignerFault::Unknown)?;
        let name = lines.iter().find_map(|line| line.person());
        let name = name.ok_or(SignerFault::Unknown(fingerprint))?;
        Ok((name.to_owned(), end_of(&lines)))
    }

    /// The person of a certificate, and until when.
    fn certified(
        &self,
        certificate: &Certificate,
        at: At<'_>,
    ) -> Result<(String, Option<i64>), SignerFault> {
        let authority = certificate.signature_key();
        self.revoked.check(authority)?;
        let refused = |why: &str| SignerFault::Certificate {
            key: keys::fingerprint(certificate.public_key()),
            why: why.to_owned(),
        };
        let of_key = |line: &&Line| line.authority && line.key == *authority;
        let lines: Vec<&Line> = self.allowed.lines.iter().filter(of_key).collect();
        let lines =
            at.counting(&lines, &keys::fingerprint(authority), SignerFault::UnknownAuthority)?;
        if !keys::signs_with(authority, &certificate.signature().algorithm()) {
            return Err(refused("its authority signed it with an algorithm that does not count"));
        }
        if certificate.cert_type() != CertType::User {
            return Err(refused("it is one of a host"));
        }
        let known = |option: &&String| option.as_str() != VERIFY_REQUIRED;
        if let Some(option) = certificate.critical_options().keys().find(known) {
            return Err(refused(&format!("it has the critical option {option:?}")));
        }
        let now = u64::try_from(at.now).map_err(|_| refused("the time is not known"))?;
        let fingerprint = authority.fingerprint(russh::keys::HashAlg::Sha256);
        if !(certificate.valid_after()..certificate.valid_before()).contains(&now) {
            return Err(refused("it is not valid at this time"));
        }
        certificate
            .validate_at(now, [&fingerprint])
            .map_err(|_| refused("its authority did not sign it"))?;
        let principals: BTreeSet<&String> = certificate.valid_principals().iter().collect();
        let matches =
            |name: &&&String| lines.iter().any(|line| line.principals.matches(name.as_str()));
        let mut names = principals.iter().filter(matches);
        let name = match (names.next(), names.next()) {
            (Some(name), None) if is_name(name) => (*name).clone(),
            (Some(_), None) => {
                return Err(refused("what it is for cannot be the name of a person"));
            }
            (None, _) => return Err(refused("its authority may not name whom it is for")),
            (Some(_), Some(_)) => return Err(refused("it is for more than one person")),
        };
        let naming: Vec<&Line> =
            lines.into_iter().filter(|line| line.principals.matches(&name)).collect();
        let own = i64::try_from(certificate.valid_before()).ok();
        Ok((name, [own, end_of(&naming)].into_iter().flatten().min()))
    }
}

/// What is signed, and when.
#[derive(Clone, Copy)]
struct At<'a> {
    namespace: &'a str,
    now: i64,
}

impl At<'_> {
    /// Those of the lines of a key that count now for this.
    fn counting<'a>(
        self,
        lines: &[&'a Line],
        fingerprint: &str,
        unknown: fn(String) -> SignerFault,
    ) -> Result<Vec<&'a Line>, SignerFault> {
        let mut fault = unknown(fingerprint.to_owned());
        let mut counting = Vec::new();
        for line in lines {
            match self.counts(line, fingerprint) {
                Ok(()) => counting.push(*line),
                Err(why) => fault = why,
            }
        }
        if counting.is_empty() { Err(fault) } else { Ok(counting) }
    }

    fn counts(self, line: &Line, fingerprint: &str) -> Result<(), SignerFault> {
        let key = fingerprint.to_owned();
        if line.namespaces.as_ref().is_some_and(|list| !list.matches(self.namespace)) {
            let namespace = self.namespace.to_owned();
            return Err(SignerFault::Namespace { key, namespace });
        }
        if line.valid_after.is_some_and(|first| self.now < first) {
            return Err(SignerFault::NotYet(key));
        }
        if line.valid_before.is_some_and(|last| self.now > last) {
            return Err(SignerFault::Expired(key));
        }
        Ok(())
    }
}

/// When the last of some lines no longer counts.
fn end_of(lines: &[&Line]) -> Option<i64> {
    let ends: Option<Vec<i64>> = lines.iter().map(|line| line.valid_before).collect();
    ends.and_then(|ends| ends.into_iter().max()).map(|last| last.saturating_add(1))
}
