//! How many signatures a command needs, by the gate's own settings. It must never ask for less than what is
//! written there: where something is not known, it is taken for what needs more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use expacti_engine::{Level, Policy, PolicySet};
use serde::{Deserialize, Serialize};

use crate::pattern::{is_wild, wildcard};
use crate::signers::{Person, is_name};

/// The most signatures that can be asked for.
pub const MAX_SIGNATURES: u8 = 16;

/// The part `[approval]` of a gate's settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// What is needed. All that fits a command is needed together.
    pub require: Vec<Requirement>,
    /// Names for groups of targets: globs.
    pub tags: BTreeMap<String, Vec<String>>,
    /// Rules are used only as people have signed them. Without it the broker's word counts for rules, where
    /// nothing above asks for signatures.
    pub rules: Option<RulesRequirement>,
}

/// How many signatures which commands need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Requirement {
    /// Only from this level up.
    pub level: Option<Level>,
    /// Only for these targets: globs, compared with the name that the agent gave and with the host.
    pub targets: Vec<String>,
    /// Only for targets that have all of these tags.
    pub tags: Vec<String>,
    /// Only what does one of these: `deletes`, `writes`, `runs-unseen`, `network`, `changes:NAME`.
    pub effects: Vec<String>,
    /// Only as these users on the target: globs.
    pub users: Vec<String>,
    /// How many people have to sign, 0 to 16. One where nothing is said.
    pub signatures: u8,
    /// Whose signatures count: names or globs. Empty is anybody on the list.
    pub by: Vec<String>,
    /// Only signatures by a security key that was touched count.
    pub touch: bool,
    /// Only signatures by a security key that knew who was there count: by a PIN or a finger.
    pub verify: bool,
}

impl Default for Requirement {
    fn default() -> Self {
        Self {
            level: None,
            targets: Vec::new(),
            tags: Vec::new(),
            effects: Vec::new(),
            users: Vec::new(),
            signatures: 1,
            by: Vec::new(),
            touch: false,
            verify: false,
        }
    }
}

/// What a gate asks for before it goes by rules (`[approval.rules]`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RulesRequirement {
    /// How many people have to sign, 1 to 16.
    pub signatures: u8,
    /// Whose signatures count: names or globs. Empty is anybody on the list.
    pub by: Vec<String>,
    /// Only signatures by a security key that was touched count.
    pub touch: bool,
    /// Only signatures by a security key that knew who was there count.
    pub verify: bool,
    /// The oldest rules that are taken, in hours: 1 to 8,760. Somebody signs again before that.
    pub max_age_hours: u32,
}

impl Default for RulesRequirement {
    fn default() -> Self {
        Self { signatures: 1, by: Vec::new(), touch: false, verify: false, max_age_hours: 24 }
    }
}

impl RulesRequirement {
    /// Finds what can never be met.
    ///
    /// # Errors
    /// With what to write instead.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=MAX_SIGNATURES).contains(&self.signatures) {
            return Err(format!("approval.rules: signatures can be 1 to {}", MAX_SIGNATURES));
        }
        if !(1..=8_760).contains(&self.max_age_hours) {
            return Err("approval.rules: max_age_hours can be 1 to 8760".to_owned());
        }
        Ok(())
    }
}

/// What the gate knows of a command.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// How risky it is.
    pub level: Level,
    /// The target as the agent named it.
    pub target: &'a str,
    /// The host to which the gate connects.
    pub host: &'a str,
    /// The user there.
    pub user: &'a str,
    /// What it does, by the names of [`Requirement::effects`].
    pub effects: &'a BTreeSet<String>,
    /// Whether that is all it does. Otherwise it has every effect.
    pub understood: bool,
}

/// Signatures that a command needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// Of how many people.
    pub signatures: u8,
    /// Who counts: names or globs; empty is anybody on the list.
    pub by: Vec<String>,
    /// Only with a touch.
    pub touch: bool,
    /// Only with a PIN or a finger.
    pub verify: bool,
}

/// What is missing, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Missing(String);

impl Settings {
    /// Finds what can never be met, or says nothing.
    ///
    /// # Errors
    /// With the first of it, and what to write instead.
    pub fn check(&self) -> Result<(), String> {
        for (tag, targets) in &self.tags {
            if tag.is_empty() || targets.is_empty() || targets.iter().any(String::is_empty) {
                return Err(format!("approval.tags: the tag {tag:?} names no targets"));
            }
        }
        if let Some(rules) = &self.rules {
            rules.check()?;
        }
        for (at, requirement) in self.require.iter().enumerate() {
            requirement
                .check(&self.tags)
                .map_err(|why| format!("approval.require, number {}: {why}", at + 1))?;
        }
        Ok(())
    }

    /// What a command needs: everything that fits it.
    #[must_use]
    pub fn needs(&self, subject: &Subject<'_>) -> Vec<Need> {
        let fits = |requirement: &&Requirement| {
            requirement.signatures > 0 && requirement.fits(subject, &self.tags)
        };
        let mut needs = Vec::new();
        for need in self.require.iter().filter(fits).map(Requirement::need) {
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
        needs
    }
}

impl Requirement {
    fn check(&self, tags: &BTreeMap<String, Vec<String>>) -> Result<(), String> {
        let lists = [&self.targets, &self.tags, &self.effects, &self.users, &self.by];
        if lists.iter().any(|list| list.iter().any(String::is_empty)) {
            return Err("a name in it is empty".to_owned());
        }
        if self.signatures > MAX_SIGNATURES {
            return Err(format!("signatures can be 0 to {MAX_SIGNATURES}"));
        }
        if self.signatures == 0 && (self.touch || self.verify || !self.by.is_empty()) {
            return Err(
                "it asks for 0 signatures, and says of which kind: set signatures to 1 or \
                        more, or leave out by, touch and verify"
                    .to_owned(),
            );
        }
        if let Some(tag) = self.tags.iter().find(|tag| !tags.contains_key(*tag)) {
            return Err(format!("the tag {tag:?} is not in approval.tags"));
        }
        check_effects(&self.effects)?;
        if let Some(name) = self.by.iter().find(|name| !is_wild(name) && !is_name(name)) {
            return Err(format!("{name:?} in by can be nobody's name"));
        }
        let names: BTreeSet<String> = self.by.iter().map(|name| name.to_lowercase()).collect();
        let literal = !self.by.is_empty() && !self.by.iter().any(|name| is_wild(name));
        if literal && names.len() < usize::from(self.signatures) {
            return Err(format!(
                "{} of {} people can never sign: name more in by, or lower signatures",
                self.signatures,
                names.len()
            ));
        }
        Ok(())
    }

    fn fits(&self, subject: &Subject<'_>, tags: &BTreeMap<String, Vec<String>>) -> bool {
        let has = |tag: &String| tags.get(tag).is_none_or(|globs| is_one_of(globs, subject));
        let does = |effect: &String| !subject.understood || subject.effects.contains(effect);
        let is = |user: &String| wildcard(user, subject.user);
        self.level.is_none_or(|level| subject.level >= level)
            && (self.targets.is_empty() || is_one_of(&self.targets, subject))
            && self.tags.iter().all(has)
            && (self.effects.is_empty() || self.effects.iter().any(does))
            && (self.users.is_empty() || self.users.iter().any(is))
    }

    fn need(&self) -> Need {
        Need {
            signatures: self.signatures,
            by: self.by.clone(),
            touch: self.touch,
            verify: self.verify,
        }
    }
}

/// Whether a glob is about the target by one of its names. Names of hosts have no case.
fn is_one_of(globs: &[String], subject: &Subject<'_>) -> bool {
    let names = [subject.target, subject.host];
    let names = names.map(|name| name.trim_end_matches('.').to_lowercase());
    globs.iter().any(|glob| {
        let glob = glob.trim_end_matches('.').to_lowercase();
        names.iter().any(|name| wildcard(&glob, name))
    })
}

/// The engine knows its effects by name; a policy is how it is asked.
fn check_effects(effects: &[String]) -> Result<(), String> {
    let policy = Policy { effects: effects.to_vec(), ..Policy::any("effects", "*") };
    PolicySet::build(vec![policy]).map(|_| ()).map_err(|error| error.message)
}

/// Whether these people are enough. Each is counted once for a need, whatever keys they signed with, and
/// the owner of the agent never.
///
/// # Errors
/// With what is missing.
pub fn enough(needs: &[Need], people: &[Person], owner: Option<&str>) -> Result<(), Missing> {
    let is_owner = |person: &&Person| is_owner(person, owner);
    let counting: Vec<&Person> = people.iter().filter(|person| !is_owner(person)).collect();
    let mut missing: Vec<String> = Vec::new();
    for need in needs {
        let has = need.met_by(&counting);
        if has.len() < usize::from(need.signatures) {
            missing.push(format!("{need}; {}", Names(&has)));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    if let Some(owner) = people.iter().find(is_owner) {
        missing.push(format!("{} answers for the agent and does not count", owner.name));
    }
    Err(Missing(missing.join("; ")))
}

/// Whether somebody answers for the agent. Names that differ only in capital letters are the same.
pub(crate) fn is_owner(person: &Person, owner: Option<&str>) -> bool {
    owner.is_some_and(|owner| owner.to_lowercase() == person.name.to_lowercase())
}

impl Need {
    /// The names of those who count for it. Who differs only in capital letters is the same.
    fn met_by<'a>(&self, people: &[&'a Person]) -> Vec<&'a str> {
        let mut seen = BTreeSet::new();
        let names = people.iter().filter(|person| self.counts(person)).map(|person| &*person.name);
        names.filter(|name| seen.insert(name.to_lowercase())).collect()
    }

    fn counts(&self, person: &Person) -> bool {
        let touched = person.presence.is_some_and(|presence| presence.touched);
        let verified = person.presence.is_some_and(|presence| presence.verified);
        let named = self.by.is_empty() || self.by.iter().any(|name| wildcard(name, &person.name));
        named && (touched || !self.touch) && (verified || !self.verify)
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.signatures == 1 { "signature" } else { "signatures" };
        write!(f, "needs {} {noun}", self.signatures)?;
        match (self.touch, self.verify) {
            (_, true) => f.write_str(" with a PIN or a finger")?,
            (true, false) => f.write_str(" with touch")?,
            (false, false) => {}
        }
        if !self.by.is_empty() {
            write!(f, " by {}", self.by.join(", "))?;
        }
        Ok(())
    }
}

struct Names<'a>(&'a [&'a str]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("has none"),
            names => write!(f, "has {} ({})", names.len(), names.join(", ")),
        }
    }
}
