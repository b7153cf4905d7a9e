//! Rules worth proposing for a command, each with what it would have let through. It must never
//! propose a rule that does not match the command, never ends, or holds everywhere.

use expacti_engine::{
    Approved, Backtest, Context, Effect, History, ItemSyntax, Level, MatchKind, Outcome, Rule,
    RuleSet, Scope, Snapshot, backtest, caution, judge_as, missing_rules, suggest,
};
use expacti_protocol::command::{CommandState, CommandView, ItemKind};

/// A rule with the reason for it and its backtest.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) rule: Rule,
    pub(crate) why: String,
    pub(crate) backtest: Backtest,
}

/// How long a proposed rule holds, in hours.
pub(crate) const LIFETIMES: [u32; 5] = [1, 8, 24, 7 * 24, 30 * 24];

/// The lifetime a proposal begins with, as an index into [`LIFETIMES`]: an hour for uploads, a week
/// for commands.
pub(crate) fn default_lifetime(kind: ItemKind) -> usize {
    if kind == ItemKind::File { 0 } else { 3 }
}

/// The rules proposed at most.
const MAX_CANDIDATES: usize = 4;

fn context(view: &CommandView) -> Context {
    Context {
        agent: view.session.agent.clone(),
        target: view.session.target.clone(),
        user: view.session.user.clone(),
        cwd: Some(view.cwd.clone()),
        pty: view.pty.is_some(),
        in_shell: view.kind != ItemKind::Exec,
        now: view.timestamp.saturating_mul(1_000_000),
        shell: view.shell.map(|shell| shell.as_str().to_owned()),
        has_stdin_script: view.kind == ItemKind::Stdin,
        ..Context::default()
    }
}

/// What people decided; rules and deadlines decided the rest.
fn human_decisions(views: &[CommandView]) -> Vec<Approved> {
    views
        .iter()
        .filter(|v| v.state != CommandState::Pending && v.state != CommandState::Withdrawn)
        .filter(|v| {
            v.decided_by
                .as_deref()
                .is_some_and(|by| !by.starts_with("system:") && !by.starts_with("whitelist:"))
        })
        .filter_map(|v| {
            Some(Approved { command: v.text.bytes().ok()?, context: context(v), allowed: v.allow? })
        })
        .collect()
}

/// Rules for `view`, the narrowest first.
/// `existing` are the rules that hold already: what they cover needs no other.
pub(crate) fn candidates(
    view: &CommandView,
    past: &[CommandView],
    existing: &[Rule],
    now_us: i64,
) -> Vec<Candidate> {
    let Ok(command) = view.text.bytes() else { return Vec::new() };
    let Ok(pattern) = String::from_utf8(command.clone()) else { return Vec::new() };
    let history = human_decisions(past);
    let scope = Scope {
        agent: Some(view.session.agent.clone()),
        target: Some(view.session.target.clone()),
        user: Some(view.session.user.clone()),
        cwd: None,
    };
    let exact = Rule {
        scope: scope.clone(),
        created_at: now_us,
        terminal: view.kind == ItemKind::Exec && view.pty.is_some(),
        ..Rule::new("", MatchKind::Exact, pattern, Effect::Allow)
    };
    let mut found = Vec::new();
    let context = Context { now: now_us, ..context(view) };
    if view.kind != ItemKind::File && !existing.iter().any(|rule| rule.kind == MatchKind::Looks) {
        let pattern = "looks".to_owned();
        let reason = Some("only looks".to_owned());
        let rule = Rule { kind: MatchKind::Looks, pattern, reason, ..exact.clone() };
        let why = format!(
            "this and whatever else only looks, by {} as {} on {}: it reads no secret and changes \
             nothing",
            view.session.agent, view.session.user, view.session.target
        );
        found.push((rule, why));
    }
    if view.kind == ItemKind::File
        && let Some(directory) = directory_of_uploads(&exact.pattern)
    {
        let rule = Rule {
            kind: MatchKind::Glob,
            pattern: format!("sftp write {directory}/*: **"),
            reason: Some(format!("uploads below {directory}")),
            ..exact.clone()
        };
        let why = format!(
            "this and further uploads below {directory}, by {} as {} on {}; never secrets or \
             what acts by itself there",
            view.session.agent, view.session.user, view.session.target
        );
        found.push((rule, why));
    }
    let line = Approved { command: command.clone(), context: context.clone(), allowed: true };
    let missing = match &missing_rules(&line, existing)[..] {
        // All other commands of the line are covered.
        [rule] if view.kind != ItemKind::File && rule.pattern != exact.pattern => {
            let rule = Rule { terminal: exact.terminal, ..rule.clone() };
            let there = rule.scope.cwd.as_ref();
            let there = there.map_or_else(String::new, |cwd| format!(" in {cwd}"));
            let why = format!("`{}`{there}, alone or among what other rules allow", rule.pattern);
            Some((rule, why))
        }
        _ => None,
    };
    let exactly = if exact.terminal {
        "exactly this command, with a terminal"
    } else {
        "exactly this command"
    };
    found.push((exact, exactly.to_owned()));
    let repeated = suggest(&history, existing, now_us).rules;
    let repeated = repeated.into_iter().map(|suggestion| (suggestion.rule, suggestion.why));
    for (mut rule, mut why) in missing.into_iter().chain(repeated) {
        if let Some(caution) = caution(&rule) {
            why = format!("{why}; {}", caution.describe());
        }
        // What holds nowhere in particular is narrowed to where the command came from.
        rule.scope.agent = rule.scope.agent.or_else(|| scope.agent.clone());
        rule.scope.target = rule.scope.target.or_else(|| scope.target.clone());
        rule.scope.user = rule.scope.user.or_else(|| scope.user.clone());
        if !found.iter().any(|(known, _)| known.kind == rule.kind && known.pattern == rule.pattern)
        {
            found.push((rule, why));
        }
    }
    found
        .into_iter()
        .filter(|(rule, _)| {
            let rule = Rule { expires_at: None, ..rule.clone() };
            let reading =
                if view.kind == ItemKind::File { ItemSyntax::File } else { ItemSyntax::Command };
            // It has its part in allowing the command: alone, or beside the rules that hold already.
            let allows = |rules: Vec<Rule>| {
                RuleSet::build(rules).is_ok_and(|rules| {
                    let snapshot = Snapshot { rules, ..Snapshot::default() };
                    let none = History::default();
                    let verdict = judge_as(&snapshot, reading, &command, &context, &none);
                    verdict.rule.verdict == Outcome::Allow && verdict.rules.contains(&rule.id)
                })
            };
            let beside = || existing.iter().cloned().chain(std::iter::once(rule.clone())).collect();
            rule.effect == Effect::Allow && (allows(vec![rule.clone()]) || allows(beside()))
        })
        .map(|(rule, why)| Candidate { backtest: backtest(&rule, &history), rule, why })
        // What would have let HIGH through is not proposed from the screen.
        .filter(|c| c.backtest.highest.is_none_or(|level| level < Level::High))
        .take(MAX_CANDIDATES)
        .collect()
}

/// The directory that all files of an upload lie in or below; none where it is not plain, nor
/// where something else is done as well.
fn directory_of_uploads(item: &str) -> Option<String> {
    let mut lines = item
        .lines()
        .filter(|line| !line.starts_with("sftp upload ") && !line.starts_with("scp upload "));
    let of = |line: &str| {
        let (path, _) = line.strip_prefix("sftp write ")?.split_once(": ")?;
        let (directory, _) = path.rsplit_once('/')?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"/._-+@%:,=".contains(&b);
        let usable = directory.starts_with('/') && path.bytes().all(plain);
        usable.then(|| directory.to_owned())
    };
    let mut common = of(lines.next()?)?;
    for line in lines {
        let directory = of(line)?;
        while directory != common && !directory.starts_with(&format!("{common}/")) {
            common.truncate(common.rfind('/')?);
        }
    }
    // A directory at the root is most of a system.
    (common.matches('/').count() > 1).then_some(common)
}

#[cfg(test)]
mod tests {
    use super::directory_of_uploads;

    #[test]
    fn where_uploads_go() {
        let of = |text: &str| directory_of_uploads(text).unwrap_or_default();
        let line = |path: &str| format!("sftp write {path}: 1 B, sha256 ab, new file mode 0644");
        let (a, b, c) = (line("/srv/app/a"), line("/srv/app/x/b"), line("/srv/application/c"));
        assert_eq!(of(&a), "/srv/app");
        assert_eq!(of(&format!("sftp upload 2 files, 2 B, to /srv/app\n{b}\n{a}")), "/srv/app");
        assert_eq!(of(&format!("{a}\n{c}")), "");
        assert_eq!(of(&format!("{a}\nsftp remove /srv/app/y: 1 B")), "");
        for path in ["\"/srv/my app/a\"", "$'/srv/app/\\n'", "/a", "/x/../*", "relative/x"] {
            assert_eq!(of(&line(path)), "", "{path}");
        }
    }
}
