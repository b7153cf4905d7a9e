//! What the gate itself asks for before it delivers an item: signatures of people on its own list, by its
//! own settings (`[approval]` of the configuration). Neither the broker nor who holds a token can lower
//! that. Whatever cannot be read or understood is no approval.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use expacti_engine::{
    Context, History, InputUse, ItemSyntax, Level, Policy, PolicyKind, PolicySet, RiskTables, RuleSet,
    Snapshot, judge_as,
};
use expacti_protocol::command::{CommandText, Submission};
use expacti_protocol::gate::DecisionKind;
use expacti_protocol::session::SessionInfo;
use expacti_protocol::signed::SignedText;
use expacti_signing::{Item, Limits, Need, Requirement, Settings, Signers};
use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};
use russh::keys::PrivateKey;

/// The namespace of the gate's signatures of items.
const ITEM_NAMESPACE: &str = "expacti-item";

/// `[approval]` of the configuration.
#[derive(Debug, Clone, Default)]
pub struct ApprovalConfig {
    /// What is asked for.
    pub settings: Settings,
    /// Who may sign: a file in the format of `allowed_signers`.
    pub signers: PathBuf,
    /// Keys that count for nothing any more.
    pub revoked: Option<PathBuf>,
}

/// What the gate asks for, and who may give it.
pub(crate) struct Approvals {
    key: PrivateKey,
    public: String,
    config: Option<ApprovalConfig>,
    /// Each requirement as the engine understands it.
    sets: Vec<Set>,
    signers: Mutex<Option<Read>>,
}

/// A requirement as the engine understands it.
struct Set {
    /// With its level.
    at: Snapshot,
    /// Whatever the level.
    any: Snapshot,
    level: Option<Level>,
}

/// The list of signers as it was read, and which files it was read from.
struct Read {
    of: Vec<Version>,
    signers: Arc<Signers>,
}

/// Which content a file had.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// Proof that an item has what the gate asks for. Only this module makes one, for one delivery.
#[derive(Debug)]
#[must_use]
pub(crate) struct Proven(());

impl Proven {
    /// For tests of the code that wants one.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self(())
    }
}

/// An item that waits, as far as its approval is concerned.
pub(crate) struct Waiting {
    submission: Submission,
    info: Arc<SessionInfo>,
    item: Option<Item>,
    /// What the broker said of it. It can only add to what the gate thinks.
    level: Level,
}

/// What the broker says was decided.
pub(crate) struct Claimed<'a> {
    pub(crate) kind: DecisionKind,
    pub(crate) limits: Limits,
    pub(crate) signed: &'a [SignedText],
    /// The standard input that is allowed with it.
    pub(crate) input: &'a [u8],
}

impl Waiting {
    /// The broker has scored it.
    pub(crate) fn scored(&mut self, level: Level) {
        self.level = self.level.max(level);
    }
}

impl Approvals {
    /// With these settings.
    ///
    /// # Errors
    /// When they ask for what cannot be, or the signers cannot be read.
    pub(crate) fn new(key: PrivateKey, config: Option<ApprovalConfig>) -> Result<Self, String> {
        let public = key.public_key().to_openssh().map_err(|error| error.to_string())?;
        let mut sets = Vec::new();
        if let Some(config) = &config {
            config.settings.check()?;
            for requirement in &config.settings.require {
                sets.push(Set::of(requirement)?);
            }
        }
        let all = Self { key, public, config, sets, signers: Mutex::new(None) };
        if all.config.is_some() {
            all.signers()?;
        }
        Ok(all)
    }

    /// Puts the item into the gate's own words, signed, and returns what is needed to check its approval.
    pub(crate) fn hold(&self, submission: &mut Submission, info: &Arc<SessionInfo>) -> Waiting {
        let length = submission.text.bytes().map_or(0, |bytes| bytes.len());
        let item = self.state(submission, length, info);
        submission.item = item.as_ref().and_then(|item| self.sign(item));
        Waiting {
            submission: match self.config {
                Some(_) => submission.clone(),
                None => Submission { text: CommandText::new(b""), ..submission.clone() },
            },
            info: Arc::clone(info),
            item,
            level: Level::Low,
        }
    }

    fn state(&self, submission: &Submission, length: usize, info: &SessionInfo) -> Option<Item> {
        let mut challenge = [0; 32];
        getrandom::fill(&mut challenge).ok()?;
        Some(Item::of(submission, length, info, self.public.clone(), challenge, now()))
    }

    fn sign(&self, item: &Item) -> Option<SignedText> {
        let statement = item.text().ok()?;
        let signature =
            SshSig::sign(&self.key, ITEM_NAMESPACE, HashAlg::Sha256, statement.as_bytes()).ok()?;
        let signature = signature.to_pem(LineEnding::LF).ok()?;
        Some(SignedText { statement, signature })
    }

    /// Whether an allow has what the gate asks for. It is asked when the decision comes, and again when its
    /// release does: a signer who was removed meanwhile does not count.
    ///
    /// # Errors
    /// With why not, in words for the log and the agent.
    pub(crate) fn check(&self, held: &Waiting, claimed: &Claimed<'_>) -> Result<Proven, String> {
        let Some(config) = &self.config else { return Ok(Proven(())) };
        let needs = self.needs(held, claimed.input, config)?;
        if needs.is_empty() {
            return Ok(Proven(()));
        }
        if claimed.kind == DecisionKind::Rule {
            return Err("the gate asks for a signed approval here, and a rule gave none".to_owned());
        }
        let item = held.item.as_ref().ok_or("the gate could not make a statement of it")?;
        let signers = self.signers()?;
        expacti_signing::approve(
            &needs,
            item,
            &claimed.limits,
            claimed.signed,
            &signers,
            now(),
        )
        .map(|_| Proven(()))
        .map_err(|refused| refused.to_string())
    }

    /// What is asked for, of all requirements that the item or its standard input meets.
    fn needs(
        &self,
        held: &Waiting,
        input: &[u8],
        config: &ApprovalConfig,
    ) -> Result<Vec<Need>, String> {
        let bytes = held.submission.text.bytes().map_err(|error| error.to_string())?;
        let mut needs = Vec::new();
        for (set, requirement) in self.sets.iter().zip(&config.settings.require) {
            let names = [&held.info.target, &held.info.host];
            let meets = names.into_iter().any(|name| {
                let session = Context {
                    agent: held.info.agent.clone(),
                    target: name.clone(),
                    user: held.info.user.clone(),
                    tags: config.settings.tags_of([&held.info.target, &held.info.host]),
                    ..Context::default()
                };
                let context = held.submission.context(session);
                let code = || self.runs(&bytes, &context) && !input.is_empty();
                set.is_met(held.submission.syntax(), &bytes, &context, held.level)
                    || code()
                        && set.is_met(
                            ItemSyntax::Command,
                            input,
                            &Context { has_stdin_script: true, ..context.clone() },
                            held.level,
                        )
            });
            if meets && let Some(need) = requirement.need() {
                needs.push(need);
            }
        }
        Ok(needs)
    }

    /// Whether a command may run what comes on its standard input.
    fn runs(&self, command: &[u8], context: &Context) -> bool {
        let tables = RiskTables::builtin();
        let assessment = tables.assess(command, context);
        match tables.input_use(command, context, &assessment).r#use {
            InputUse::Code | InputUse::Names | InputUse::Unknown => true,
            InputUse::Archive
            | InputUse::File
            | InputUse::Looks
            | InputUse::Protocol
            | InputUse::Unused => false,
        }
    }

    /// The signers as the files name them now.
    fn signers(&self) -> Result<Arc<Signers>, String> {
        let Some(config) = &self.config else { return Err("no signers are named".to_owned()) };
        let paths = [Some(&config.signers), config.revoked.as_ref()];
        let versions = || -> Result<Vec<Version>, String> {
            paths.iter().flatten().map(|path| Version::of(path)).collect()
        };
        let before = versions()?;
        let mut read = self.signers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.as_ref().filter(|known| known.of == before) {
            return Ok(Arc::clone(&known.signers));
        }
        *read = None;
        let text = |path: &Path| {
            std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
        };
        let revoked = config.revoked.as_deref().map(text).transpose()?;
        let signers = Signers::parse(&text(&config.signers)?, revoked.as_deref().unwrap_or(""))
            .map_err(|faults| format!("{}: {faults}", config.signers.display()))?;
        let signers = Arc::new(signers);
        // A file that was changed while it was read is read again the next time.
        if versions()? == before {
            *read = Some(Read { of: before, signers: Arc::clone(&signers) });
        }
        Ok(signers)
    }
}

impl Set {
    fn of(requirement: &Requirement) -> Result<Self, String> {
        let policy = |target: Option<&String>, level: Option<Level>| Policy {
            id: "approval".to_owned(),
            kind: PolicyKind::Any,
            min: 1,
            group: Vec::new(),
            role: None,
            pattern: "*".to_owned(),
            effects: requirement.effects.clone(),
            target: target.cloned(),
            user: None,
            tags: requirement.tags.clone(),
            min_level: level,
            hours: None,
            timeout_seconds: None,
            escalate_after_seconds: None,
            escalate_to: Vec::new(),
        };
        let build = |level| {
            let targets = &requirement.targets;
            let policies = match targets.as_slice() {
                [] => vec![policy(None, level)],
                some => some.iter().map(|target| policy(Some(target), level)).collect(),
            };
            let policies = PolicySet::build(policies).map_err(|error| error.to_string())?;
            Ok::<_, String>(Snapshot {
                tables: RiskTables::builtin().clone(),
                rules: RuleSet::default(),
                policies,
            })
        };
        Ok(Self { at: build(requirement.level)?, any: build(None)?, level: requirement.level })
    }

    /// Whether an item is one of those that the requirement is about, by what the gate thinks of it or,
    /// for its level, by what the broker said.
    fn is_met(
        &self,
        syntax: ItemSyntax<'_>,
        bytes: &[u8],
        context: &Context,
        said: Level,
    ) -> bool {
        let meets = |snapshot: &Snapshot| {
            let verdict = judge_as(snapshot, syntax, bytes, context, &History::default());
            verdict.requirement.policy.is_some()
        };
        meets(&self.at) || self.level.is_some_and(|level| said >= level) && meets(&self.any)
    }
}

impl Version {
    fn of(path: &Path) -> Result<Self, String> {
        use std::os::unix::fs::MetadataExt as _;
        let found = std::fs::metadata(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
