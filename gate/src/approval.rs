//! What the gate itself asks for before it delivers an item: signatures of people on its own list, by its
//! own settings (`[approval]` of the configuration). Neither the broker nor who holds a token can lower
//! that. Whatever cannot be read or understood is no approval.

mod held;
mod rulebook;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use expacti_engine::{
    Beneath, Context, Covered, InputReport, InputUse, Level, Outcome, Policy, PolicySet,
    RiskTables, RuleSet, Snapshot, Tally, Verdict, Vote, Voter, WrittenFile, tally,
};
use expacti_protocol::command::{CommandText, StdinTreatment, Submission};
use expacti_protocol::gate::DecisionKind;
use expacti_protocol::session::SessionInfo;
use expacti_protocol::signed::SignedText;
use expacti_signing::{
    AllowedSigners, ITEM_NAMESPACE, Item, Limits, Need, Person, Place, Revoked, Rulebook, Settings,
    Signers, SignersFault, Subject, Whereabouts, enough, other_names,
};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};

pub(crate) use self::held::{Fed, Waiting};
use self::held::{now, session};
pub(crate) use self::rulebook::PassedOn;
use self::rulebook::Rulebooks;

/// After how many seconds without a change what was read of a file is kept.
const SETTLED: i64 = 2;

/// `[approval]` of the configuration.
#[derive(Debug, Clone, Default)]
pub struct ApprovalConfig {
    /// What is asked for.
    pub settings: Settings,
    /// Who may sign: a file in the format of `allowed_signers`.
    pub signers: PathBuf,
    /// Keys that count for nothing any more.
    pub revoked: Option<PathBuf>,
    /// Where the gate keeps which signed rules it has seen.
    pub seen: PathBuf,
}

/// What the gate asks for, and who may give it.
pub(crate) struct Approvals {
    key: PrivateKey,
    public: String,
    config: Option<ApprovalConfig>,
    /// How the engine is asked whether an item has a level or an effect, in doubt as policies are.
    levels: Vec<(Level, Snapshot)>,
    effects: Vec<(String, Snapshot)>,
    signers: Mutex<Option<Read>>,
    rulebooks: Rulebooks,
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
pub(crate) struct Proven {
    standing: Standing,
    held: Option<Arc<Waiting>>,
}

/// Whether an approval still stands, for what may go on passing under it: asked before each piece.
#[derive(Clone, Default)]
pub(crate) struct Standing(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Standing {
    /// Whether it does.
    pub(crate) fn holds(&self) -> bool {
        self.0.as_ref().is_none_or(|holds| holds())
    }
}

impl std::fmt::Debug for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Standing")
    }
}

impl Proven {
    /// What is to be asked before each piece that passes later, and the item.
    pub(crate) fn into_parts(self) -> (Standing, Option<Arc<Waiting>>) {
        (self.standing, self.held)
    }
}

impl Proven {
    /// For tests of the code that wants one.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self { standing: Standing::default(), held: None }
    }
}

/// What the broker says was decided.
pub(crate) struct Claimed<'a> {
    pub(crate) kind: DecisionKind,
    pub(crate) limits: Limits,
    pub(crate) signed: &'a [SignedText],
    /// The standard input that is allowed with it.
    pub(crate) input: &'a [u8],
    /// What the gate is to look at first.
    pub(crate) beneath: &'a [Beneath],
}

impl Approvals {
    /// With these settings.
    ///
    /// # Errors
    /// When they ask for what cannot be, or the signers cannot be read.
    pub(crate) fn new(
        key: PrivateKey,
        config: Option<ApprovalConfig>,
        passed: PassedOn,
    ) -> Result<Self, String> {
        let public = key.public_key().to_openssh().map_err(|error| error.to_string())?;
        let (mut levels, mut effects) = (Vec::new(), Vec::new());
        if let Some(config) = &config {
            config.settings.check()?;
            // Only what somebody asks about; the highest first.
            let named = config.settings.require.iter().filter_map(|r| r.level);
            for level in named.filter(|level| *level > Level::Low).collect::<BTreeSet<_>>() {
                levels.insert(0, (level, asking(Some(level), None)?));
            }
            let named = config.settings.require.iter().flat_map(|r| r.effects.iter().cloned());
            for effect in named.collect::<BTreeSet<_>>() {
                let snapshot = asking(None, Some(&effect))?;
                effects.push((effect, snapshot));
            }
        }
        let seen = config.as_ref().map(|config| config.seen.clone()).unwrap_or_default();
        let rulebooks = Rulebooks::new(passed, seen);
        let signers = Mutex::new(None);
        let all = Self { key, public, config, levels, effects, signers, rulebooks };
        if all.config.is_some() {
            all.signers()?;
        }
        Ok(all)
    }

    /// Puts the item into the gate's own words, signed, and returns what is needed to check its approval.
    pub(crate) fn hold(
        &self,
        submission: &mut Submission,
        info: &Arc<SessionInfo>,
        fed: Option<Fed>,
    ) -> Arc<Waiting> {
        // What it is input of is signed with it: the id of a command tells nothing, and is the broker's.
        if let (Some(_), Some(fed)) = (&self.config, &fed) {
            submission.notes.push(fed.note());
        }
        let length = submission.text.bytes().map_or(0, |bytes| bytes.len());
        let item = self.state(submission, length, info);
        submission.item = item.as_ref().and_then(|item| self.sign(item));
        Arc::new(Waiting {
            submission: match self.config {
                Some(_) => submission.clone(),
                None => Submission { text: CommandText::new(b""), ..submission.clone() },
            },
            info: Arc::clone(info),
            item,
            level: Mutex::new(Level::Low),
            fed,
        })
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
    pub(crate) fn check(
        self: &Arc<Self>,
        held: &Arc<Waiting>,
        claimed: &Claimed<'_>,
    ) -> Result<Proven, String> {
        self.is_approved(held, claimed)?;
        let lasts = self.config.is_some();
        let standing = Standing(lasts.then(|| {
            let (all, held) = (Arc::clone(self), Arc::clone(held));
            let (kind, limits) = (claimed.kind, claimed.limits);
            let (signed, input) = (claimed.signed.to_vec(), claimed.input.to_vec());
            let beneath = claimed.beneath.to_vec();
            let holds = move || {
                let (signed, input, beneath) = (&signed, &input, &beneath);
                all.is_approved(&held, &Claimed { kind, limits, signed, input, beneath }).is_ok()
            };
            Arc::new(holds) as Arc<dyn Fn() -> bool + Send + Sync>
        }));
        Ok(Proven { standing, held: Some(Arc::clone(held)) })
    }

    fn is_approved(&self, held: &Waiting, claimed: &Claimed<'_>) -> Result<(), String> {
        let Some(config) = &self.config else { return Ok(()) };
        let needs = self.needs(held, claimed, config)?;
        let Some(wanted) = &config.settings.rules else {
            if needs.is_empty() {
                return Ok(());
            }
            if claimed.kind == DecisionKind::Rule {
                let why = "the gate asks for a signed approval here, and a rule gave none";
                return Err(why.to_owned());
            }
            return self.signed(held, claimed, &needs).map(drop);
        };
        let agreed = self.rulebooks.agreed(wanted, &self.signers()?, now())?;
        let target = is_signed(&agreed.book, &held.info)?;
        let context = held.submission.context(Context {
            tags: target.map(|target| target.tags.clone()).unwrap_or_default(),
            other_names: other_names(&agreed.book.targets, &whereabouts(&held.info)),
            ..session(&held.info)
        });
        let verdict = held.verdict(&agreed.snapshot, &context, claimed.input)?;
        if verdict.rule.verdict == Outcome::Deny {
            let rule = verdict.rule.rule.unwrap_or_default();
            return Err(format!("a rule that people have signed denies it ({rule})"));
        }
        let people = if claimed.kind == DecisionKind::Rule {
            is_allowed_by(&verdict, &held.input_use(&context)?, claimed)?;
            agreed.people.clone()
        } else {
            self.signed(held, claimed, &needs)?
        };
        // Who answers for the agent, as it was signed, and not only as the broker says.
        let owner = agreed.book.agents.get(&held.info.agent).and_then(Option::as_deref);
        for owner in [owner, held.info.owner.as_deref()] {
            enough(&needs, &people, owner).map_err(|missing| missing.to_string())?;
        }
        if verdict.requirement.policy.is_some() {
            // Names that differ in capital letters only are the same person's.
            let same = |one: &str, other: &str| one.to_lowercase() == other.to_lowercase();
            let voters = people.iter().map(|person| {
                let known = agreed.book.people.iter().find(|(name, _)| same(name, &person.name));
                let (name, role) = known.map_or((person.name.as_str(), ""), |(n, r)| (n, r));
                Voter::new(name, role)
            });
            let behind = [Some(held.info.agent.as_str()), owner, held.info.owner.as_deref()];
            let voters = voters
                .filter(|voter| !behind.iter().flatten().any(|name| same(name, &voter.person)));
            let votes: Vec<Vote> = voters.map(|voter| Vote { voter, allow: true }).collect();
            if tally(&verdict.requirement, &votes) != Tally::Allowed {
                return Err(format!(
                    "a policy that people have signed asks for more signed approvals: {}",
                    verdict.requirement.why
                ));
            }
        }
        Ok(())
    }

    /// Who has signed exactly this.
    fn signed(
        &self,
        held: &Waiting,
        claimed: &Claimed<'_>,
        needs: &[Need],
    ) -> Result<Vec<Person>, String> {
        let item = held.item.as_ref().ok_or("the gate could not make a statement of it")?;
        let signers = self.signers()?;
        expacti_signing::approve(needs, item, &claimed.limits, claimed.signed, &signers, now())
            .map_err(|refused| refused.to_string())
    }

    /// How standard input is to be treated, where the gate asks for more than the broker's word: it flows
    /// unseen only if the gate itself knows why.
    pub(crate) fn treatment(&self, held: &Waiting, said: StdinTreatment) -> StdinTreatment {
        if self.config.is_none() || said == StdinTreatment::Code {
            return said;
        }
        let context = held.submission.context(session(&held.info));
        match held.input_use(&context).map(|report| report.r#use) {
            Ok(InputUse::Looks | InputUse::Protocol) => said,
            Ok(
                InputUse::Archive
                | InputUse::Code
                | InputUse::File
                | InputUse::Names
                | InputUse::Unknown
                | InputUse::Unused,
            )
            | Err(_) => StdinTreatment::Code,
        }
    }

    /// Whether the file that standard input becomes, as the broker says, may be read to compare: where the gate
    /// asks for more than the broker's word, only if the gate knows that it does.
    pub(crate) fn may_compare(&self, held: &Waiting, said: &WrittenFile) -> bool {
        self.config.is_none() || held.writes(said)
    }

    /// What is asked for, of all requirements that the item meets, with what goes with it.
    fn needs(
        &self,
        held: &Waiting,
        claimed: &Claimed<'_>,
        config: &ApprovalConfig,
    ) -> Result<Vec<Need>, String> {
        let context = held.submission.context(session(&held.info));
        let Limits { grant, input_grant, .. } = claimed.limits;
        // Under a grant of keys anything may be typed; what flows unseen into a program may be run by it,
        // unless it is known not to be.
        let unseen = grant.is_some()
            || input_grant.is_some() && !held.input_use(&context)?.may_flow()
            || held.is_fed_in_the_dark();
        let mut level = held.level();
        let mut effects = BTreeSet::new();
        if unseen {
            level = Level::Critical;
        } else {
            let has = |snapshot: &Snapshot| -> Result<bool, String> {
                let verdict = held.verdict(snapshot, &context, claimed.input)?;
                Ok(verdict.requirement.policy.is_some())
            };
            for (named, snapshot) in &self.levels {
                if *named > level && has(snapshot)? {
                    level = *named;
                }
            }
            for (effect, snapshot) in &self.effects {
                if has(snapshot)? {
                    effects.insert(effect.clone());
                }
            }
        }
        let mut needs = config.settings.needs(&Subject {
            level,
            target: &held.info.target,
            host: &held.info.host,
            user: &held.info.user,
            effects: &effects,
            // The engine has been asked for each, and answers yes in doubt.
            understood: !unseen,
        });
        // What a command needed, each piece of its input needs as well.
        if let Some(fed) = &held.fed {
            let bare = Claimed {
                kind: claimed.kind,
                limits: Limits::default(),
                signed: &[],
                input: &[],
                beneath: &[],
            };
            for need in self.needs(&fed.command, &bare, config)? {
                if !needs.contains(&need) {
                    needs.push(need);
                }
            }
        }
        Ok(needs)
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
        let faults = |path: &Path| {
            let path = path.display().to_string();
            move |faults: Vec<SignersFault>| {
                let all: Vec<String> = faults.iter().map(ToString::to_string).collect();
                format!("{path}: {}", all.join("; "))
            }
        };
        let allowed =
            AllowedSigners::parse(&text(&config.signers)?).map_err(faults(&config.signers))?;
        let revoked = match &config.revoked {
            Some(path) => {
                let bytes = std::fs::read(path);
                let bytes = bytes.map_err(|error| format!("{}: {error}", path.display()))?;
                Revoked::parse(bytes).map_err(faults(path))?
            }
            None => Revoked::default(),
        };
        let signers = Arc::new(Signers { allowed, revoked });
        // One that was changed while it was read, or just before, is read again the next time: within a tick of
        // the clock a change does not show.
        if versions()? == before && before.iter().all(Version::is_settled) {
            *read = Some(Read { of: before, signers: Arc::clone(&signers) });
        }
        Ok(signers)
    }
}

fn whereabouts(info: &SessionInfo) -> Whereabouts<'_> {
    Whereabouts {
        target: &info.target,
        host: &info.host,
        port: info.port,
        host_key: info.host_key_sha256.as_deref(),
    }
}

/// Whether target and agent are those that people have signed; what the target is then, if it is registered.
/// Where any are signed, others are nobody's.
fn is_signed<'a>(book: &'a Rulebook, info: &SessionInfo) -> Result<Option<&'a Place>, String> {
    if !book.agents.is_empty() && !book.agents.contains_key(&info.agent) {
        return Err(format!("people have signed other agents than {}", info.agent));
    }
    let Some(place) = book.targets.get(&info.target) else {
        // In a team's deployment the broker alone says which machine a name is; beside it the agent's ssh does.
        let of_wrap = info.isolation.is_some();
        if book.targets.is_empty() && of_wrap {
            return Ok(None);
        }
        return Err(format!("people have not signed which machine {} is", info.target));
    };
    if (place.host.as_str(), place.port) != (info.host.as_str(), info.port) {
        return Err(format!(
            "the target {} is {}:{} as people have signed it, and not {}:{}",
            info.target, place.host, place.port, info.host, info.port
        ));
    }
    if !info.host_key_sha256.as_ref().is_some_and(|shown| place.host_keys.contains(shown)) {
        return Err(format!(
            "the host key of {} is none of those that people have signed",
            info.target
        ));
    }
    Ok(Some(place))
}

/// Whether signed rules allow an item, within these limits.
fn is_allowed_by(
    verdict: &Verdict,
    report: &InputReport,
    claimed: &Claimed<'_>,
) -> Result<(), String> {
    if verdict.rule.verdict != Outcome::Allow {
        return Err(format!("no rule that people have signed allows it: {}", verdict.rule.why));
    }
    if !verdict.beneath.iter().all(|one| claimed.beneath.contains(one)) {
        return Err("a signed rule allows it only beneath a directory".to_owned());
    }
    let Limits { grant, input, input_grant } = claimed.limits;
    let flows = verdict.rule.stdin == Covered::Any;
    if grant.is_some() || input.is_some() || input_grant.is_some() && !flows {
        return Err("no rule that people have signed lets that pass with it".to_owned());
    }
    // What a transfer writes is in its standard input, which nobody sees.
    if report.r#use == InputUse::Protocol && !report.into.is_empty() && !flows {
        return Err("no rule that people have signed covers what the transfer sends".to_owned());
    }
    Ok(())
}

/// One policy, for what has this level or effect.
fn asking(level: Option<Level>, effect: Option<&String>) -> Result<Snapshot, String> {
    let policy = Policy {
        effects: effect.cloned().into_iter().collect(),
        min_level: level,
        ..Policy::any("approval", "*")
    };
    let policies = PolicySet::build(vec![policy]).map_err(|error| error.to_string())?;
    Ok(Snapshot { tables: RiskTables::builtin().clone(), rules: RuleSet::default(), policies })
}

/// A file of signers that cannot be looked at, and what would be in it.
fn missing(path: &Path, error: &std::io::Error) -> String {
    let what = format!("{}: {error}", path.display());
    if error.kind() == std::io::ErrorKind::NotFound {
        format!("{what}: it says whose keys count, in lines like `alice ssh-ed25519 AAAA…`")
    } else {
        what
    }
}

impl Version {
    /// Whether it is some seconds since it was changed.
    fn is_settled(&self) -> bool {
        now().saturating_sub(self.modified.0.max(self.changed.0)) > SETTLED
    }

    fn of(path: &Path) -> Result<Self, String> {
        use std::os::unix::fs::MetadataExt as _;
        let found = std::fs::metadata(path).map_err(|error| missing(path, &error))?;
        // Whoever can write it decides who approves.
        let own = rustix::process::geteuid().as_raw();
        if found.mode() & 0o022 != 0 || ![0, own].contains(&found.uid()) {
            return Err(format!(
                "{}: somebody else than you and root can write it: chown it, and chmod go-w",
                path.display()
            ));
        }
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
            size: found.size(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}
