//! The default rules: commands that only read, off until the user switches them on. No entry may take
//! an option that writes, runs or sends anything, name a file that holds secrets, or tell an intruder
//! who and what is there: looking around (`whoami`, `uname -a`, `ps aux`, `ip addr`) stays a person's call.

use super::types::{Effect, MatchKind, Rule, Scope};

/// Whole lines that only read, on any system.
const LINES: &str = "\
pwd|true|false|uptime|uptime -p|uptime -s|cal|nproc|nproc --all|\
df|df -h|df -i|df -hT|free|free -h|free -m|free -g|vmstat|vmstat 1 5|iostat|mpstat|\
ls|ls -l|ls -1|ls -a|ls -A|ls -la|ls -al|ls -lh|ls -lah|ls -alh|ls -lt|ls -ltr|\
systemctl --failed --no-pager|systemctl list-timers --no-pager|systemctl is-system-running|\
git --version|python3 --version";

/// Words that differ from case to case; `*` is one plain word without an option in it.
const PATTERNS: [(&str, &str); 7] = [
    ("basename", "basename *"),
    ("df-path", "df -h *"),
    ("dirname", "dirname *"),
    ("sleep-digit", "sleep ?"),
    ("systemctl-is-active", "systemctl is-active *"),
    ("systemctl-is-enabled", "systemctl is-enabled *"),
    ("systemctl-is-failed", "systemctl is-failed *"),
];

/// Read-only commands that may run without a person; off until the user switches them on.
#[must_use]
pub fn default_rules() -> Vec<Rule> {
    let rule = |id: String, kind: MatchKind, pattern: &str| Rule {
        id,
        kind,
        pattern: pattern.to_owned(),
        effect: Effect::Allow,
        scope: Scope::default(),
        reason: Some("only looks".to_owned()),
        author: "expacti".to_owned(),
        created_at: 0,
        expires_at: None,
        hits: 0,
    };
    let lines = LINES.split('|').map(|line| {
        let name: String =
            line.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        rule(format!("default-{name}"), MatchKind::Exact, line)
    });
    let patterns = PATTERNS
        .iter()
        .map(|(id, pattern)| rule(format!("default-{id}"), MatchKind::Glob, pattern));
    lines.chain(patterns).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Context, Level, Outcome, RuleSet, assess};

    #[test]
    fn every_default_rule_is_valid_and_low() {
        let rules = default_rules();
        let set = RuleSet::build(rules.clone()).unwrap();
        let ids: std::collections::BTreeSet<&str> =
            rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids.len(), rules.len(), "two rules share a name");
        for rule in &rules {
            let line = rule.pattern.replace('*', "nginx").replace('?', "1");
            let context = Context::default();
            assert_eq!(set.judge(line.as_bytes(), &context).verdict, Outcome::Allow, "{line}");
            let assessment = assess(line.as_bytes(), &context);
            assert!(
                assessment.level == Level::Low && !assessment.uninspectable,
                "{line}: {assessment:?}"
            );
        }
    }
}
