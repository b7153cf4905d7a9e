//! Rules as people have signed them: the gate goes by these, whatever the broker says that a rule decided.
//! It takes none that are older than what it has seen, or than it may use, and none while its own clock is
//! behind what it has seen.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use expacti_engine::{PolicySet, RiskTables, RuleSet, Snapshot};
use expacti_protocol::digest::Digest;
use expacti_protocol::signed::SignedRulebook;
use expacti_signing::{Person, Rulebook, RulesRequirement, Signers};
use serde::{Deserialize, Serialize};

/// How often the time that was seen last is written down, in seconds.
const NOTE: i64 = 60;

/// The rulebook that the broker has passed on last. It proves nothing before it is checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct PassedOn(Arc<Mutex<Option<Arc<SignedRulebook>>>>);

impl PassedOn {
    /// The broker has passed on another one.
    pub(crate) fn set(&self, signed: SignedRulebook) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(signed));
    }

    fn get(&self) -> Option<Arc<SignedRulebook>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What people have agreed on, ready to be asked.
pub(crate) struct Agreed {
    pub(crate) book: Rulebook,
    pub(crate) people: Vec<Person>,
    /// The digest of their statement.
    sha256: Digest,
    pub(crate) snapshot: Snapshot,
}

/// What was seen: nothing older is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Seen {
    epoch: u64,
    sha256: Option<Digest>,
    /// The latest time, in seconds since the Unix epoch.
    latest: i64,
}

/// The gate's memory of rulebooks.
pub(crate) struct Rulebooks {
    passed: PassedOn,
    file: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was checked last, by which signers.
    checked: Option<(Arc<SignedRulebook>, Arc<Signers>, Arc<Agreed>)>,
}

impl Rulebooks {
    /// With what the broker passes on, and where to keep what was seen.
    pub(crate) fn new(passed: PassedOn, file: PathBuf) -> Self {
        Self { passed, file, state: Mutex::default() }
    }

    /// What people have agreed on, as far as it may be used now.
    ///
    /// # Errors
    /// With why nothing may be delivered.
    pub(crate) fn agreed(
        &self,
        wanted: &RulesRequirement,
        signers: &Arc<Signers>,
        now: i64,
    ) -> Result<Arc<Agreed>, String> {
        let signed = self.passed.get().ok_or(
            "the broker has passed on no rules that people signed: an administrator signs them with \
             `expacti rules sign`",
        )?;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let known = state
            .checked
            .as_ref()
            .filter(|(of, by, _)| Arc::ptr_eq(of, &signed) && Arc::ptr_eq(by, signers));
        // Whose time has ended counts no longer.
        let known = known.filter(|(.., agreed)| {
            agreed.people.iter().all(|person| person.valid_before.is_none_or(|end| now < end))
        });
        let agreed = match known {
            Some((.., agreed)) => Arc::clone(agreed),
            None => {
                let agreed = Arc::new(read(wanted, &signed, signers, now)?);
                let checked = (Arc::clone(&signed), Arc::clone(signers), Arc::clone(&agreed));
                state.checked = Some(checked);
                agreed
            }
        };
        wanted.is_current(agreed.book.made_at, now).map_err(|fault| fault.to_string())?;
        // From the file each time: another gate may keep its memory there as well.
        let seen = load(&self.file)?;
        // Of the statement, which may be megabytes: once.
        let sha256 = agreed.sha256;
        let next = seen.then(&agreed.book, sha256, now)?;
        if next.epoch != seen.epoch || next.latest >= seen.latest.saturating_add(NOTE) {
            // What was not written down would be forgotten by a restart.
            let _alone = lock(&self.file)?;
            store(&self.file, &load(&self.file)?.then(&agreed.book, sha256, now)?)?;
        }
        Ok(agreed)
    }
}

impl Seen {
    /// What was seen once this rulebook is used.
    fn then(&self, book: &Rulebook, sha256: Digest, now: i64) -> Result<Self, String> {
        if now < self.latest {
            return Err(format!(
                "the gate's clock is {} s behind what it has seen: set it right",
                self.latest.saturating_sub(now)
            ));
        }
        if book.epoch < self.epoch {
            return Err(format!(
                "the broker passed on rules number {}, and number {} was signed since",
                book.epoch, self.epoch
            ));
        }
        if book.epoch == self.epoch && self.sha256.is_some_and(|seen| seen != sha256) {
            return Err(format!(
                "there are two different rulebooks number {}: somebody keeps one from this gate",
                book.epoch
            ));
        }
        Ok(Self { epoch: book.epoch, sha256: Some(sha256), latest: now.max(self.latest) })
    }
}

fn read(
    wanted: &RulesRequirement,
    signed: &SignedRulebook,
    signers: &Signers,
    now: i64,
) -> Result<Agreed, String> {
    let (book, people) = wanted.agreed(signed, signers, now).map_err(|fault| fault.to_string())?;
    let unusable = |error: String| format!("a signed rule cannot be used: {error}");
    let rules = RuleSet::build(book.rules.clone()).map_err(|error| unusable(error.to_string()))?;
    let policies =
        PolicySet::build(book.policies.clone()).map_err(|error| unusable(error.to_string()))?;
    let snapshot = Snapshot { tables: RiskTables::builtin().clone(), rules, policies };
    let sha256 = Digest::of(signed.statement.as_bytes());
    Ok(Agreed { book, people, sha256, snapshot })
}

fn load(file: &Path) -> Result<Seen, String> {
    match std::fs::read_to_string(file) {
        Ok(text) => serde_json::from_str(&text).map_err(|error| {
            format!("{}: what this gate has seen of rules cannot be read: {error}", file.display())
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Seen::default()),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}

/// Keeps other gates with this memory from writing it, until what is returned is dropped.
fn lock(file: &Path) -> Result<File, String> {
    let file = file.with_added_extension("lock");
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    let lock = File::options().create(true).append(true).open(&file).map_err(failed)?;
    lock.lock().map_err(failed)?;
    Ok(lock)
}

fn store(file: &Path, seen: &Seen) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", file.display());
    let text = serde_json::to_string(seen).map_err(|error| error.to_string())?;
    let directory = file.parent().unwrap_or(Path::new("."));
    let mut fresh = tempfile::NamedTempFile::new_in(directory).map_err(failed)?;
    fresh.write_all(text.as_bytes()).map_err(failed)?;
    fresh.as_file().sync_all().map_err(failed)?;
    fresh.persist(file).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use expacti_signing::{AllowedSigners, RULES_NAMESPACE, Revoked};
    use russh::keys::PrivateKey;
    use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};

    use super::*;

    fn book(epoch: u64) -> Rulebook {
        Rulebook {
            agents: Default::default(),
            epoch,
            made_at: 1_000,
            people: Default::default(),
            policies: Vec::new(),
            purpose: Default::default(),
            rules: Vec::new(),
            targets: Default::default(),
            version: 1,
        }
    }

    #[test]
    fn nothing_older_than_what_was_seen_is_taken() {
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let seen = Seen::default().then(&book(3), one, 2_000).unwrap();
        assert_eq!(seen, Seen { epoch: 3, sha256: Some(one), latest: 2_000 });
        assert!(seen.then(&book(3), one, 2_000).is_ok());
        assert!(seen.then(&book(4), other, 2_001).is_ok());
        for (number, digest, now, why) in [
            (2, one, 2_000, "number 3 was signed since"),
            (3, other, 2_000, "two different rulebooks"),
            (4, other, 1_999, "1 s behind"),
        ] {
            let refused = seen.then(&book(number), digest, now).unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }

    #[test]
    fn what_was_seen_outlives_the_gate_and_garbage_is_no_beginning() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("seen");
        assert_eq!(load(&file).unwrap(), Seen::default());
        let seen = Seen { epoch: 7, sha256: Some(Digest::of(b"x")), latest: 5 };
        store(&file, &seen).unwrap();
        assert_eq!(load(&file).unwrap(), seen);
        for garbage in ["", "{}", "{\"epoch\":-1}", "null"] {
            std::fs::write(&file, garbage).unwrap();
            assert!(load(&file).is_err(), "{garbage:?}");
        }
    }

    /// Passed on by a broker, as alice has signed it.
    fn passed_on(book: &Rulebook, key: &PrivateKey) -> PassedOn {
        let statement = book.text().unwrap();
        let signature =
            SshSig::sign(key, RULES_NAMESPACE, HashAlg::Sha512, statement.as_bytes()).unwrap();
        let signatures = vec![signature.to_pem(LineEnding::LF).unwrap()];
        let passed = PassedOn::default();
        passed.set(SignedRulebook { statement, signatures });
        passed
    }

    /// Alice's key, and a list with her on it.
    fn alice(dir: &Path, options: &str) -> (PrivateKey, Arc<Signers>) {
        let key = crate::keys::load_or_create_host_key(&dir.join("key")).unwrap();
        let list = format!("alice {options}{}\n", key.public_key().to_openssh().unwrap());
        let allowed = AllowedSigners::parse(&list).unwrap();
        (key, Arc::new(Signers { allowed, revoked: Revoked::default() }))
    }

    #[test]
    fn rules_end_with_the_key_that_signed_them() {
        let dir = tempfile::tempdir().unwrap();
        // The first minute of 1970.
        let (key, signers) = alice(dir.path(), "valid-before=\"19700101000100Z\" ");
        let passed = passed_on(&Rulebook { made_at: 10, ..book(1) }, &key);
        let rulebooks = Rulebooks::new(passed, dir.path().join("seen"));
        let wanted = RulesRequirement::default();
        assert!(rulebooks.agreed(&wanted, &signers, 30).is_ok());
        // The list was not read again, nor were the rules.
        assert!(rulebooks.agreed(&wanted, &signers, 90).is_err(), "kept beyond valid-before");
    }

    #[test]
    fn two_gates_with_one_memory_forget_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (key, signers) = alice(dir.path(), "");
        let file = dir.path().join("seen");
        let signed = |epoch| Rulebooks::new(passed_on(&book(epoch), &key), file.clone());
        let wanted = RulesRequirement::default();
        let (one, other) = (signed(5), signed(6));
        assert!(one.agreed(&wanted, &signers, 1_001).is_ok());
        assert!(other.agreed(&wanted, &signers, 1_002).is_ok());
        // The first would go on with what it has, and write that down.
        assert!(one.agreed(&wanted, &signers, 1_100).is_err(), "number 5 after number 6");
        assert!(signed(5).agreed(&wanted, &signers, 1_101).is_err(), "number 5 after number 6");
        assert!(signed(6).agreed(&wanted, &signers, 1_102).is_ok());
    }
}
