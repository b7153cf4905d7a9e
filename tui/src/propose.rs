//! Rules worth proposing for a command, each with what it would have let through. It must never
//! propose a rule that does not match the command, never ends, or holds everywhere.

use expacti_engine::{
    Approved, Backtest, Context, Effect, Level, MatchKind, Outcome, Rule, RuleSet, Scope, backtest,
    suggest,
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
pub(crate) const TERMS: [u32; 4] = [8, 24, 7 * 24, 30 * 24];

/// The rules proposed at most.
const MOST: usize = 4;

fn context(view: &CommandView) -> Context {
    Context {
        agent: view.session.agent.clone(),
        target: view.session.target.clone(),
        user: view.session.user.clone(),
        cwd: Some(view.cwd.clone()),
        pty: view.pty.is_some(),
        now: view.timestamp.saturating_mul(1_000_000),
        has_stdin_script: view.kind == ItemKind::Stdin,
        ..Context::default()
    }
}

/// What people decided; rules and deadlines decided the rest.
fn decided(views: &[CommandView]) -> Vec<Approved> {
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
pub(crate) fn candidates(view: &CommandView, past: &[CommandView], now_us: i64) -> Vec<Candidate> {
    let Ok(command) = view.text.bytes() else { return Vec::new() };
    let Ok(pattern) = String::from_utf8(command.clone()) else { return Vec::new() };
    let history = decided(past);
    let scope = Scope {
        agent: Some(view.session.agent.clone()),
        target: Some(view.session.target.clone()),
        user: Some(view.session.user.clone()),
        cwd: None,
    };
    let exact = Rule {
        id: String::new(),
        kind: MatchKind::Exact,
        pattern,
        effect: Effect::Allow,
        scope: scope.clone(),
        reason: None,
        author: String::new(),
        created_at: now_us,
        expires_at: None,
        hits: 0,
    };
    let mut found = vec![(exact, "exactly this command".to_owned())];
    for suggestion in suggest(&history, now_us) {
        let mut rule = suggestion.rule;
        // What holds nowhere in particular is narrowed to where the command came from.
        rule.scope.agent = rule.scope.agent.or_else(|| scope.agent.clone());
        rule.scope.target = rule.scope.target.or_else(|| scope.target.clone());
        rule.scope.user = rule.scope.user.or_else(|| scope.user.clone());
        found.push((rule, suggestion.why));
    }
    let context = Context { now: now_us, ..context(view) };
    found
        .into_iter()
        .filter(|(rule, _)| {
            let judged = RuleSet::build(vec![Rule { expires_at: None, ..rule.clone() }]);
            rule.effect == Effect::Allow
                && judged.is_ok_and(|s| s.judge(&command, &context).verdict == Outcome::Allow)
        })
        .map(|(rule, why)| Candidate { backtest: backtest(&rule, &history), rule, why })
        // What would have let HIGH through is not proposed from the screen.
        .filter(|c| c.backtest.highest.is_none_or(|level| level < Level::High))
        .take(MOST)
        .collect()
}
