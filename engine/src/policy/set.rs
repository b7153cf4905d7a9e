//! Chooses the policy of a command. It must never choose the weaker of two equals.

use std::borrow::Borrow;
use std::cmp::Ordering;

use super::types::{Policy, PolicyError, PolicyKind, Requirement};
use crate::hidden::beside;
use crate::program::base_name;
use crate::restrict::{
    Done, Likeness, Line, PatternIndex, Suspect, is_far, likeness, policy_level,
};
use crate::rules::{GlobPattern, every_command};
use crate::tables::wildcard;
use crate::{Context, Level, RiskTables};

/// Policies, checked and compiled.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    policies: Vec<Policy>,
    compiled: Vec<Compiled>,
    /// The patterns, by their places.
    index: PatternIndex,
}

#[derive(Clone, Debug)]
struct Compiled {
    /// `None` is `*`, every command.
    pattern: Option<GlobPattern>,
}

/// Seconds people have where nothing else is said.
const DEFAULT_TIMEOUT: u64 = 60;

impl PolicySet {
    /// Checks policies.
    ///
    /// # Errors
    /// Names the first policy that can never be met or has a value out of bounds.
    pub fn build(policies: Vec<Policy>) -> Result<Self, PolicyError> {
        let mut compiled = Vec::with_capacity(policies.len());
        for policy in &policies {
            compiled.push(
                check(policy).map_err(|message| PolicyError { id: policy.id.clone(), message })?,
            );
        }
        let patterns = compiled.iter().map(|compiled: &Compiled| compiled.pattern.as_ref());
        let index = PatternIndex::build(patterns);
        Ok(Self { policies, compiled, index })
    }

    /// The policies, as given.
    #[must_use]
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    /// What a command of a level needs: what the policies of all its parts ask for, together. For each
    /// part the most specific policy counts, of two equals the stricter; without any, one reviewer within
    /// 60 s.
    #[must_use]
    pub fn select(&self, command: &[u8], context: &Context, level: Level) -> Requirement {
        let assessment = crate::assess(command, context);
        let effects = || {
            let tables = RiskTables::builtin();
            Done::of(&Line::read_checked(command, context, tables, &assessment))
        };
        let level = policy_level(&assessment, effects).max(level);
        let tables = RiskTables::builtin();
        let hidden = || -> Vec<Suspect> {
            let asked = |first: &str, known| self.may_ask(first, known);
            let segments = assessment.segments.iter();
            let inside = segments.flat_map(|segment| beside(segment, None, tables, &asked));
            inside.map(Suspect::from).collect()
        };
        let commands = || every_command(command).into_iter().map(Suspect::from).collect();
        let far = is_far(&assessment);
        self.select_with(context, level, commands, effects, hidden, far)
    }

    /// Whether a policy may be about a command that begins with this word.
    pub(crate) fn may_ask(&self, first: &str, known: bool) -> bool {
        self.index.concerns(first, known)
    }

    /// As [`Self::select`], with the commands of the line as they were already read.
    pub(crate) fn select_with<S: Borrow<[Suspect]>>(
        &self,
        context: &Context,
        level: Level,
        commands: impl Fn() -> S,
        effects: impl Fn() -> Done,
        hidden: impl Fn() -> S,
        is_far: bool,
    ) -> Requirement {
        if self.policies.is_empty() {
            return Requirement::default();
        }
        let of = |context: &Context| {
            self.asked_here(context, level, &commands, &effects, &hidden, is_far)
        };
        // A policy for one name of a machine takes the place of none for another.
        let mut asked = of(context);
        for other in context.by_other_names() {
            asked.extend(of(&other));
        }
        if asked.is_empty() {
            return Requirement::default();
        }
        Requirement::together(asked.into_iter().map(requirement).collect())
    }

    /// The policies that ask for something by one name of the machine.
    fn asked_here<S: Borrow<[Suspect]>>(
        &self,
        context: &Context,
        level: Level,
        commands: &impl Fn() -> S,
        effects: &impl Fn() -> Done,
        hidden: &impl Fn() -> S,
        is_far: bool,
    ) -> Vec<&Policy> {
        let mut by_effect: Vec<&Policy> = Vec::new();
        let mut places: Vec<usize> = Vec::with_capacity(self.policies.len());
        for (at, policy) in self.policies.iter().enumerate() {
            if !applies_here(policy, context, level) {
                continue;
            }
            if policy.effects.is_empty() {
                places.push(at);
            } else {
                by_effect.push(policy);
            }
        }
        let by_pattern = || self.held(&places);
        let is_new =
            |asked: &[&Policy], policy: &Policy| !asked.iter().any(|known| known.id == policy.id);
        let mut asked: Vec<&Policy> = Vec::new();
        let mut ask_for = |suspect: &Suspect| {
            let mut found = self.asked_for(&places, suspect);
            found.retain(|policy| is_new(&asked, policy));
            asked.append(&mut found);
        };
        if by_pattern().all(|held| held.compiled.pattern.is_none()) {
            // Whatever the commands are.
            ask_for(&Suspect::default());
        } else {
            commands().borrow().iter().for_each(ask_for);
        }
        // What a program may run that nobody knows adds to it, and takes no policy's place.
        let open = |held: &Held<'_>| held.compiled.pattern.is_some() && is_new(&asked, held.policy);
        if by_pattern().any(|held| open(&held)) {
            let hidden = hidden();
            let mut found: Vec<Held<'_>> = Vec::new();
            for suspect in hidden.borrow() {
                let alike = self.alike(&places, suspect).into_iter().map(|(held, _)| held);
                found.extend(alike.filter(|held| open(held)));
            }
            found.sort_unstable_by_key(|held| held.at);
            found.dedup_by_key(|held| held.at);
            asked.extend(found.into_iter().map(|held| held.policy));
        }
        if !by_effect.is_empty() {
            let done = effects();
            asked.extend(by_effect.into_iter().filter(|policy| done.any(&policy.effects)));
        }
        // A part that nobody can read may be what the strictest of them is about.
        if is_far && let Some(strictest) = by_pattern().max_by(|a, b| stricter(a.policy, b.policy))
        {
            asked.push(strictest.policy);
        }
        asked
    }

    /// The policies in these places.
    fn held(&self, places: &[usize]) -> impl Iterator<Item = Held<'_>> {
        places.iter().filter_map(|at| {
            let (policy, compiled) = (self.policies.get(*at)?, self.compiled.get(*at)?);
            Some(Held { at: *at, policy, compiled })
        })
    }

    /// Those of some policies, in their order, that may be about a command, and how likely that is.
    fn alike(&self, here: &[usize], suspect: &Suspect) -> Vec<(Held<'_>, Likeness)> {
        let tables = RiskTables::builtin();
        let mut about = self.index.about(suspect);
        about.sort_unstable();
        let mut alike = Vec::new();
        for held in self.held(here) {
            let likely = match &held.compiled.pattern {
                None => Likeness::Certain,
                Some(_) if about.binary_search(&held.at).is_err() => continue,
                Some(pattern) => likeness(pattern, suspect, tables),
            };
            if likely > Likeness::No {
                alike.push((held, likely));
            }
        }
        alike
    }

    /// The policies that one command needs. The most specific of those that are certainly about it take
    /// the place of all others; those that may be about it are asked as well.
    fn asked_for(&self, here: &[usize], suspect: &Suspect) -> Vec<&Policy> {
        let alike = self.alike(here, suspect);
        let order = |a: &Held<'_>, b: &Held<'_>| {
            let ranks = rank(a.policy, a.compiled).cmp(&rank(b.policy, b.compiled));
            ranks.then_with(|| stricter(a.policy, b.policy))
        };
        // A policy for higher levels takes nobody's place: text that raises the score would make a line
        // need less.
        let replaces = |(held, likely): &&(Held<'_>, Likeness)| {
            *likely == Likeness::Certain && held.policy.min_level.is_none()
        };
        let best = alike.iter().filter(replaces).max_by(|a, b| order(&a.0, &b.0));
        let counts =
            |held: &Held<'_>| best.is_none_or(|(best, _)| order(held, best) != Ordering::Less);
        alike.iter().filter(|(held, _)| counts(held)).map(|(held, _)| held.policy).collect()
    }
}

/// A policy that holds here.
#[derive(Clone, Copy)]
struct Held<'a> {
    /// Its place among all.
    at: usize,
    policy: &'a Policy,
    compiled: &'a Compiled,
}

impl PolicySet {
    /// What the policies ask for that may hold for commands of this program; `None` is any program.
    #[must_use]
    pub fn touching(&self, program: Option<&str>) -> Vec<Requirement> {
        let fits = |compiled: &Compiled| match (program, literal_program(compiled)) {
            (Some(a), Some(b)) => base_name(a) == b,
            _ => true,
        };
        self.policies
            .iter()
            .zip(&self.compiled)
            .filter(|(_, compiled)| fits(compiled))
            .map(|(policy, _)| requirement(policy))
            .collect()
    }

    /// The policies that a new set would remove, make easier to satisfy, or put a weaker one in
    /// front of; such a change needs the approval that these ask for.
    #[must_use]
    pub fn weakened_by(&self, new: &Self) -> Vec<&Policy> {
        let added: Vec<(&Policy, &Compiled)> = new
            .policies
            .iter()
            .zip(&new.compiled)
            .filter(|(policy, _)| !self.policies.iter().any(|old| old.id == policy.id))
            .collect();
        self.policies
            .iter()
            .zip(&self.compiled)
            .filter(|(old, compiled)| {
                let changed = match new.policies.iter().find(|policy| policy.id == old.id) {
                    None => true,
                    Some(policy) => {
                        policy != *old
                            && (!same_reach(old, policy)
                                || stricter(policy, old).is_lt()
                                || eases(old, policy))
                    }
                };
                changed
                    || added.iter().any(|(policy, by)| {
                        (stricter(policy, old).is_lt() || eases(old, policy))
                            && rank(policy, by) >= rank(old, compiled)
                            && may_overlap(compiled, by)
                    })
            })
            .map(|(old, _)| old)
            .collect()
    }
}

/// The program a pattern names, where it names one.
fn literal_program(compiled: &Compiled) -> Option<&str> {
    compiled.pattern.as_ref()?.program().map(base_name)
}

/// Whether one command may fit both patterns; in doubt it does.
fn may_overlap(a: &Compiled, b: &Compiled) -> bool {
    match (literal_program(a), literal_program(b)) {
        (Some(a), Some(b)) => a == b,
        _ => true,
    }
}

/// Whether two policies hold for the same commands.
fn same_reach(a: &Policy, b: &Policy) -> bool {
    a.pattern == b.pattern
        && a.effects == b.effects
        && a.target == b.target
        && a.user == b.user
        && a.tags == b.tags
        && a.min_level == b.min_level
        && a.hours == b.hours
}

/// Whether a change lets in people who could not decide before.
fn eases(old: &Policy, new: &Policy) -> bool {
    old.kind != new.kind
        || old.role != new.role
        || new.group.iter().any(|person| !old.group.contains(person))
        || (new.group.is_empty() && !old.group.is_empty())
        || new.escalate_to.iter().any(|person| !old.escalate_to.contains(person))
        || earlier(new.escalate_after_seconds, old.escalate_after_seconds)
}

fn earlier(new: Option<u64>, old: Option<u64>) -> bool {
    match (new, old) {
        (Some(new), Some(old)) => new < old,
        (new, _) => new.is_some(),
    }
}

fn check(policy: &Policy) -> Result<Compiled, String> {
    if policy.id.is_empty() {
        return Err("a policy needs an id".to_owned());
    }
    if policy.timeout_seconds.is_some_and(|s| !(5..=86_400).contains(&s)) {
        return Err("the timeout must be 5 to 86400 seconds".to_owned());
    }
    let timeout = policy.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT);
    if policy.escalate_after_seconds.is_some_and(|s| s == 0 || s >= timeout) {
        return Err(format!("escalation must come before the timeout of {timeout} s"));
    }
    if policy.escalate_after_seconds.is_some() && policy.escalate_to.is_empty() {
        return Err("escalate_to names nobody".to_owned());
    }
    if policy.hours.is_some_and(|(from, to)| from > 23 || to > 24) {
        return Err("hours are 0 to 24".to_owned());
    }
    let mut people = policy.group.clone();
    people.sort();
    people.dedup();
    match policy.kind {
        PolicyKind::Any => {}
        PolicyKind::Quorum => {
            if policy.min == 0 {
                return Err("min must be at least 1".to_owned());
            }
            if people.len() < policy.min as usize {
                return Err(format!(
                    "{} of a group of {} can never approve; name more people or lower min",
                    policy.min,
                    people.len()
                ));
            }
        }
        PolicyKind::All => {
            if people.is_empty() {
                return Err("`all` needs a group".to_owned());
            }
        }
        PolicyKind::Role => {
            if policy.min == 0 {
                return Err("min must be at least 1".to_owned());
            }
            if policy.role.as_ref().is_none_or(String::is_empty) {
                return Err("`role` needs a role".to_owned());
            }
        }
    }
    for effect in &policy.effects {
        if !Done::is_name(effect) {
            return Err(format!(
                "{effect:?} is no effect: use one of deletes, writes, runs-unseen, network, changes:NAME"
            ));
        }
    }
    let pattern = match policy.pattern.trim() {
        "" => return Err("the pattern is empty; `*` is every command".to_owned()),
        "*" | "**" => None,
        pattern => Some(GlobPattern::parse(pattern)?),
    };
    Ok(Compiled { pattern })
}

fn applies_here(policy: &Policy, context: &Context, level: Level) -> bool {
    let part =
        |pattern: &Option<String>, value: &str| pattern.as_ref().is_none_or(|p| wildcard(p, value));
    policy.min_level.is_none_or(|min| level >= min)
        && policy.tags.iter().all(|tag| context.tags.contains(tag))
        && part(&policy.target, &context.target)
        && part(&policy.user, &context.user)
        && policy.hours.is_none_or(|hours| within(hours, context.now))
}

/// Whether a time, in microseconds, lies between two hours of the day, UTC.
fn within((from, to): (u8, u8), now: i64) -> bool {
    let hour = now.div_euclid(3_600_000_000).rem_euclid(24);
    let (from, to) = (i64::from(from), i64::from(to));
    if from == to {
        true
    } else if from < to {
        (from..to).contains(&hour)
    } else {
        hour >= from || hour < to
    }
}

/// How specific a policy is: its pattern first, then everything else it asks for.
fn rank(policy: &Policy, compiled: &Compiled) -> (usize, usize, usize) {
    let (literal, words) = compiled.pattern.as_ref().map_or((0, 0), GlobPattern::weight);
    let narrow = |pattern: &Option<String>| {
        pattern.as_ref().map_or(0, |p| if p.contains(['*', '?']) { 1 } else { 2 })
    };
    let reach = narrow(&policy.target)
        + narrow(&policy.user)
        + policy.tags.len()
        + policy.min_level.map_or(0, |level| level as usize)
        + usize::from(policy.hours.is_some());
    (literal, words, reach)
}

/// Which of two policies is harder to satisfy.
fn stricter(a: &Policy, b: &Policy) -> Ordering {
    let people = |policy: &Policy| match policy.kind {
        PolicyKind::Any => 1,
        PolicyKind::Quorum | PolicyKind::Role => policy.min.max(1),
        PolicyKind::All => u32::try_from(policy.group.len()).unwrap_or(u32::MAX).max(1),
    };
    let order = |policy: &Policy| match policy.kind {
        PolicyKind::Any if policy.group.is_empty() => 0,
        PolicyKind::Any => 1,
        PolicyKind::Quorum => 2,
        PolicyKind::Role => 3,
        PolicyKind::All => 4,
    };
    let time =
        |policy: &Policy| std::cmp::Reverse(policy.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT));
    people(a)
        .cmp(&people(b))
        .then_with(|| order(a).cmp(&order(b)))
        .then_with(|| time(a).cmp(&time(b)))
        .then_with(|| b.id.cmp(&a.id))
}

impl From<&Policy> for Requirement {
    fn from(policy: &Policy) -> Self {
        requirement(policy)
    }
}

fn requirement(policy: &Policy) -> Requirement {
    let mut group = policy.group.clone();
    group.sort();
    group.dedup();
    let min = match policy.kind {
        PolicyKind::Any => 1,
        PolicyKind::Quorum | PolicyKind::Role => policy.min.max(1),
        PolicyKind::All => u32::try_from(group.len()).unwrap_or(u32::MAX).max(1),
    };
    let who = match (policy.kind, &policy.role) {
        (PolicyKind::Any, _) if group.is_empty() => "any one reviewer".to_owned(),
        (PolicyKind::Any, _) => format!("any one of {}", group.join(", ")),
        (PolicyKind::Quorum, _) => format!("{min} of {}", group.join(", ")),
        (PolicyKind::All, _) => format!("all of {}", group.join(", ")),
        (PolicyKind::Role, role) => {
            format!("{min} with the role {}", role.as_deref().unwrap_or(""))
        }
    };
    Requirement {
        policy: Some(policy.id.clone()),
        kind: policy.kind,
        min,
        group,
        role: policy.role.clone(),
        timeout_seconds: policy.timeout_seconds.unwrap_or(DEFAULT_TIMEOUT),
        escalate_after_seconds: policy.escalate_after_seconds,
        escalate_to: policy.escalate_to.clone(),
        escalated: false,
        also: Vec::new(),
        why: format!("policy {} ({}): {who}", policy.id, about(policy)),
    }
}

/// What a policy is about, in words.
fn about(policy: &Policy) -> String {
    if policy.effects.is_empty() { policy.pattern.clone() } else { policy.effects.join(", ") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn policy(id: &str, kind: PolicyKind, min: u32, pattern: &str) -> Policy {
        Policy {
            kind,
            min,
            group: vec!["ann".to_owned(), "bob".to_owned(), "cat".to_owned()],
            role: Some("admin".to_owned()),
            ..Policy::any(id, pattern)
        }
    }

    fn chosen(policies: Vec<Policy>, command: &str) -> Option<String> {
        let set = PolicySet::build(policies).unwrap();
        set.select(command.as_bytes(), &Context::default(), Level::Low).policy
    }

    #[test]
    fn the_most_specific_wins_and_ties_go_to_the_stricter() {
        let all = || {
            vec![
                policy("every", PolicyKind::Any, 1, "*"),
                policy("delete", PolicyKind::Quorum, 2, "kubectl delete *"),
                policy("delete-all", PolicyKind::All, 1, "kubectl delete *"),
                policy("kubectl", PolicyKind::Role, 1, "kubectl *"),
            ]
        };
        assert_eq!(chosen(all(), "kubectl delete pod x").as_deref(), Some("delete-all"));
        assert_eq!(chosen(all(), "sudo kubectl delete pod x").as_deref(), Some("delete-all"));
        assert_eq!(chosen(all(), "kubectl -n prod delete pod x").as_deref(), Some("delete-all"));
        assert_eq!(chosen(all(), "ls; sh -c 'kubectl delete ns y'").as_deref(), Some("delete-all"));
        assert_eq!(chosen(all(), "kubectl get pods").as_deref(), Some("kubectl"));
        assert_eq!(chosen(all(), "ls").as_deref(), Some("every"));
        assert_eq!(chosen(Vec::new(), "ls"), None);
    }

    #[test]
    fn hours_level_and_tags_narrow_a_policy() {
        assert!(
            within((22, 6), 23 * 3_600_000_000)
                && within((22, 6), 0)
                && !within((22, 6), 12 * 3_600_000_000)
        );
        let mut night = policy("night", PolicyKind::Any, 1, "*");
        night.min_level = Some(Level::High);
        night.tags = vec!["prod".to_owned()];
        let set = PolicySet::build(vec![night]).unwrap();
        let mut context = Context::default();
        assert_eq!(set.select(b"ls", &context, Level::Critical).policy, None);
        context.tags.push("prod".to_owned());
        assert_eq!(set.select(b"ls", &context, Level::Medium).policy, None);
        assert_eq!(set.select(b"ls", &context, Level::Critical).policy.as_deref(), Some("night"));
    }

    #[test]
    fn a_weaker_set_is_noticed() {
        let old = PolicySet::build(vec![policy("p", PolicyKind::Quorum, 2, "rm *")]).unwrap();
        let weaker = |change: fn(&mut Policy)| {
            let mut changed = policy("p", PolicyKind::Quorum, 2, "rm *");
            change(&mut changed);
            let new = PolicySet::build(vec![changed]).unwrap();
            !old.weakened_by(&new).is_empty()
        };
        assert!(weaker(|p| p.min = 1));
        assert!(weaker(|p| p.pattern = "rm -rf *".to_owned()));
        assert!(weaker(|p| p.group.push("eve".to_owned())));
        assert!(weaker(|p| p.kind = PolicyKind::Any));
        assert!(weaker(|p| p.min_level = Some(Level::High)));
        assert!(!weaker(|_| {}) && !weaker(|p| p.min = 3));
        assert!(!old.weakened_by(&PolicySet::default()).is_empty());
        let with = |pattern: &str, kind, min| {
            let all =
                vec![policy("p", PolicyKind::Quorum, 2, "rm *"), policy("q", kind, min, pattern)];
            !old.weakened_by(&PolicySet::build(all).unwrap()).is_empty()
        };
        assert!(with("rm -rf *", PolicyKind::Any, 1), "a weaker one in front of it");
        assert!(with("rm *", PolicyKind::Quorum, 1));
        assert!(!with("rm -rf *", PolicyKind::Quorum, 3));
        assert!(!with("ls *", PolicyKind::Any, 1) && !with("*", PolicyKind::Any, 1));
    }

    #[test]
    fn policies_nobody_can_meet_are_refused() {
        let wrong = |change: fn(&mut Policy)| {
            let mut policy = policy("p", PolicyKind::Quorum, 2, "*");
            change(&mut policy);
            PolicySet::build(vec![policy]).is_err()
        };
        assert!(wrong(|p| p.min = 4));
        assert!(wrong(|p| p.group = vec!["ann".to_owned(), "ann".to_owned()]));
        assert!(wrong(|p| p.min = 0));
        assert!(wrong(|p| p.timeout_seconds = Some(4)));
        assert!(wrong(|p| p.escalate_after_seconds = Some(60)));
        assert!(wrong(|p| (p.kind, p.role) = (PolicyKind::Role, None)));
        assert!(wrong(|p| (p.kind, p.group) = (PolicyKind::All, Vec::new())));
        assert!(wrong(|p| p.pattern = "ls; rm".to_owned()));
        assert!(!wrong(|_| {}));
    }
}
