//! Whether it matters to the rules which shell reads a line. Asking a target costs a channel and an
//! entry in the log, so it is asked only where the answer can spare a person.

use super::set::is_alive;
use super::{Effect, MatchKind, Outcome, RuleSet, Scope};
use crate::Context;

impl RuleSet {
    /// Whether a rule holds for this agent on this target that can allow parts of a line.
    #[must_use]
    pub fn may_need_the_shell(&self, context: &Context) -> bool {
        self.rules().iter().any(|rule| {
            let anywhere = Scope { cwd: None, ..rule.scope.clone() };
            rule.effect == Effect::Allow
                && matches!(rule.kind, MatchKind::Glob | MatchKind::Looks | MatchKind::Work)
                && is_alive(rule, context)
                && anywhere.covers(context)
        })
    }

    /// Whether the rules leave this command to a person only because its shell is not known.
    #[must_use]
    pub fn need_the_shell(&self, command: &[u8], context: &Context) -> bool {
        let verdict = |shell: Option<&str>| {
            let shell = shell.map(str::to_owned);
            let context = Context { shell, resolves_paths: true, ..context.clone() };
            self.judge(command, &context).verdict
        };
        self.may_need_the_shell(context)
            && verdict(None) == Outcome::Review
            // What any known shell reads, one of these does.
            && ["bash", "zsh"].into_iter().any(|shell| verdict(Some(shell)) == Outcome::Allow)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::Rule;

    fn rules(kind: MatchKind, pattern: &str, scope: Scope) -> RuleSet {
        RuleSet::build(vec![Rule {
            scope,
            expires_at: Some(100),
            ..Rule::new("r1", kind, pattern.to_owned(), Effect::Allow)
        }])
        .unwrap()
    }

    fn there() -> Context {
        Context {
            target: "web-1".to_owned(),
            cwd: Some("~".to_owned()),
            now: 50,
            ..Context::default()
        }
    }

    #[test]
    fn only_what_a_known_shell_would_let_through_needs_one() {
        let looks = rules(MatchKind::Looks, "looks", Scope::default());
        for needs in
            [&b"cd /srv && ls -la | head -5"[..], b"df -h; uptime", b"grep 'a b' /etc/hosts"]
        {
            assert!(looks.need_the_shell(needs, &there()), "{}", needs.escape_ascii());
        }
        let never: [&[u8]; 6] =
            [b"ls -la", b"rm -rf /srv", b"cd /srv && make", b"git-upload-pack '/r'", b"", b"\xff"];
        for command in never {
            assert!(!looks.need_the_shell(command, &there()), "{}", command.escape_ascii());
        }
    }

    #[test]
    fn no_rule_that_holds_there_needs_no_shell() {
        let line = b"cd /srv && ls";
        let elsewhere = Scope { target: Some("db-*".to_owned()), ..Scope::default() };
        let exact = rules(MatchKind::Exact, "cd /srv && ls", Scope::default());
        for set in [
            RuleSet::default(),
            exact,
            rules(MatchKind::Looks, "looks", elsewhere),
            rules(MatchKind::Regex, "cd .*", Scope::default()),
        ] {
            assert!(!set.may_need_the_shell(&there()));
            assert!(!set.need_the_shell(line, &there()));
        }
        let looks = rules(MatchKind::Looks, "looks", Scope::default());
        assert!(looks.may_need_the_shell(&there()));
        assert!(!looks.may_need_the_shell(&Context { now: 100, ..there() }), "it has ended");
    }
}
