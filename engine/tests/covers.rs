//! What a rule covers beside the text of a command: a terminal, and standard input.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use expacti_engine::{
    Context, Covered, Effect, MatchKind, Outcome, Rule, RuleSet, RuleVerdict, StdinCover,
    check_rule,
};

const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn rule(id: &str, kind: MatchKind, pattern: &str) -> Rule {
    Rule::new(id, kind, pattern.to_owned(), Effect::Allow)
}

fn with_any(rule: Rule) -> Rule {
    Rule { stdin: Some(StdinCover::Any), ..rule }
}

fn with_digest(rule: Rule) -> Rule {
    Rule { stdin: Some(StdinCover::Digest(DIGEST.to_owned())), ..rule }
}

fn judge(rules: &[Rule], line: &str, context: &Context) -> RuleVerdict {
    RuleSet::build(rules.to_vec()).unwrap().judge(line.as_bytes(), context)
}

fn in_bash() -> Context {
    Context { shell: Some("bash".to_owned()), ..Context::default() }
}

#[test]
fn rules_of_before_cover_nothing_more_than_the_command() {
    let old = r#"{"id":"r","kind":"exact","pattern":"ls","effect":"allow"}"#;
    let rule: Rule = serde_json::from_str(old).unwrap();
    assert!(!rule.terminal && rule.stdin.is_none());
    let text = serde_json::to_string(&rule).unwrap();
    assert!(!text.contains("terminal") && !text.contains("stdin"), "{text}");
    let full = Rule { terminal: true, ..with_digest(rule) };
    let text = serde_json::to_string(&full).unwrap();
    assert_eq!(serde_json::from_str::<Rule>(&text).unwrap(), full);
}

#[test]
fn a_terminal_is_covered_only_where_the_rule_says_so() {
    let on_terminal = Context { pty: true, ..in_bash() };
    let in_shell = Context { in_shell: true, ..on_terminal.clone() };
    let line = "systemctl restart nginx";
    for kind in [MatchKind::Exact, MatchKind::Glob, MatchKind::Regex, MatchKind::Looks] {
        let looks = kind == MatchKind::Looks;
        let (pattern, line) = if looks { ("looks", "ls -la /srv") } else { (line, line) };
        for line in [line.to_owned(), format!("{line} && {line}")] {
            if line.contains("&&") && !matches!(kind, MatchKind::Glob | MatchKind::Looks) {
                continue;
            }
            let plain = rule("r1", kind, pattern);
            let verdict =
                |rule: &Rule, context: &Context| judge(std::slice::from_ref(rule), &line, context);
            assert_eq!(verdict(&plain, &in_bash()).verdict, Outcome::Allow, "{kind:?} {line}");
            assert_eq!(verdict(&plain, &in_shell).verdict, Outcome::Allow, "{kind:?} {line}");
            let refused = verdict(&plain, &on_terminal);
            assert_eq!(refused.verdict, Outcome::Review, "{kind:?} {line}");
            assert!(refused.why.contains("expacti rules cover r1 --terminal"), "{}", refused.why);
            let wide = Rule { terminal: true, ..plain };
            assert_eq!(verdict(&wide, &on_terminal).verdict, Outcome::Allow, "{kind:?} {line}");
        }
    }
    // Of a line, each of its commands; of several rules, the one that covers it.
    let looks = Rule { terminal: true, ..rule("l", MatchKind::Looks, "looks") };
    let glob = rule("g", MatchKind::Glob, line);
    let both = format!("ls && {line}");
    let refused = judge(&[looks.clone(), glob.clone()], &both, &on_terminal);
    assert_eq!(refused.verdict, Outcome::Review);
    assert!(refused.why.contains("cover g --terminal"), "{}", refused.why);
    assert!(!refused.why.contains("cover l"), "{}", refused.why);
    let wide = Rule { id: "w".to_owned(), terminal: true, ..glob.clone() };
    let allowed = judge(&[looks, glob.clone(), wide], &both, &on_terminal);
    assert_eq!(allowed.verdict, Outcome::Allow);
    // A rule that denies covers everything.
    let deny = Rule { effect: Effect::Deny, ..glob };
    assert_eq!(judge(&[deny], line, &on_terminal).verdict, Outcome::Deny);
}

#[test]
fn any_input_goes_only_to_what_does_not_run_it() {
    let tar = "tar -xf - -C /srv/app";
    for (kind, pattern) in [
        (MatchKind::Exact, tar),
        (MatchKind::Glob, "tar -xf - -C *"),
        (MatchKind::Regex, "tar -xf - -C /srv/[a-z]+"),
    ] {
        let plain = rule("r", kind, pattern);
        assert_eq!(
            judge(std::slice::from_ref(&plain), tar, &in_bash()).stdin,
            Covered::No,
            "{kind:?}"
        );
        let wide = with_any(plain.clone());
        check_rule(&wide).unwrap();
        assert_eq!(
            judge(std::slice::from_ref(&wide), tar, &in_bash()).stdin,
            Covered::Any,
            "{kind:?}"
        );
        // Of two that allow it, the one that covers its input.
        let wide = Rule { id: "w".to_owned(), ..wide };
        let verdict = judge(&[plain, wide], tar, &in_bash());
        assert_eq!((verdict.stdin, verdict.rule.as_deref()), (Covered::Any, Some("w")));
    }
    let push = with_any(rule("r", MatchKind::Exact, "git-receive-pack '/srv/app.git'"));
    check_rule(&push).unwrap();
    assert_eq!(judge(std::slice::from_ref(&push), &push.pattern, &in_bash()).stdin, Covered::Any);
    for (kind, pattern, line) in [
        (MatchKind::Exact, "python3 -", "python3 -"),
        (MatchKind::Exact, "cat | sh", "cat | sh"),
        (MatchKind::Exact, "cat x | bash -s", "cat x | bash -s"),
        (MatchKind::Exact, "ls; unknown-program", "ls; unknown-program"),
        (MatchKind::Exact, "psql app", "psql app"),
        (MatchKind::Exact, "sed e", "sed e"),
        (MatchKind::Exact, "dpkg -i x.deb", "dpkg -i x.deb"),
        (MatchKind::Exact, "if true; then sh; fi", "if true; then sh; fi"),
        (MatchKind::Glob, "python3 **", "python3 x.py"),
        (MatchKind::Glob, "unknown-program *", "unknown-program x"),
        (MatchKind::Regex, "(sh|tar).*", "sh"),
        (MatchKind::Regex, ".*", "tar -x --to-command=sh -f -"),
        (MatchKind::Regex, "perl .*", "perl -ne 'system $_'"),
    ] {
        let wide = with_any(rule("r", kind, pattern));
        let refused = check_rule(&wide);
        if kind == MatchKind::Regex {
            refused.unwrap();
        } else {
            let why = refused.unwrap_err().to_string();
            assert!(why.contains("--stdin-sha256"), "{pattern}: {why}");
        }
        let verdict = judge(&[wide], line, &in_bash());
        assert_eq!((verdict.verdict, verdict.stdin), (Outcome::Allow, Covered::No), "{line}");
    }
    // Where the shell is not known, the exact text may be allowed, and still nothing is known of it.
    let fish = Context { shell: Some("fish".to_owned()), ..Context::default() };
    let odd = with_any(rule("r", MatchKind::Exact, "cat | wc -l; echo 'a\\' 'b; sh #'"));
    let verdict = judge(&[odd], "cat | wc -l; echo 'a\\' 'b; sh #'", &fish);
    assert_eq!((verdict.verdict, verdict.stdin), (Outcome::Allow, Covered::No));
}

#[test]
fn a_digest_is_named_with_its_rule() {
    let python = with_digest(rule("p", MatchKind::Exact, "python3 -"));
    check_rule(&python).unwrap();
    let other = Rule {
        id: "q".to_owned(),
        stdin: Some(StdinCover::Digest("00".repeat(32))),
        ..python.clone()
    };
    let Covered::Digest(found) = judge(&[python, other], "python3 -", &in_bash()).stdin else {
        panic!("no digest");
    };
    let found: Vec<_> = found.iter().map(|d| (d.rule.as_str(), d.sha256.as_str())).collect();
    assert_eq!(found, [("p", DIGEST), ("q", &"00".repeat(32))]);
    for wrong in ["", "abc", &DIGEST.to_uppercase(), &format!("{DIGEST}0")] {
        let stdin = Some(StdinCover::Digest(wrong.to_owned()));
        let rule = Rule { stdin, ..rule("p", MatchKind::Exact, "python3 -") };
        assert!(check_rule(&rule).is_err(), "{wrong:?}");
    }
}

#[test]
fn of_a_line_every_rule_must_cover_its_input() {
    let looks = rule("l", MatchKind::Looks, "looks");
    let tar = with_any(rule("t", MatchKind::Glob, "tar -xf - -C /srv/app"));
    let restart = rule("s", MatchKind::Glob, "systemctl restart *");
    let named = with_digest(rule("d", MatchKind::Glob, "tar -xf - -C /srv/b"));
    let rules = [looks, tar, restart, named];
    let stdin = |line: &str| {
        let verdict = judge(&rules, line, &in_bash());
        assert_eq!(verdict.verdict, Outcome::Allow, "{line}: {}", verdict.why);
        verdict.stdin
    };
    assert_eq!(stdin("df -h; tar -xf - -C /srv/app"), Covered::Any);
    assert_eq!(stdin("cat | tar -xf - -C /srv/app"), Covered::Any);
    assert_eq!(stdin("tar -xf - -C /srv/app && systemctl restart app"), Covered::No);
    assert_eq!(stdin("ls | head"), Covered::No);
    assert!(matches!(stdin("df -h; tar -xf - -C /srv/b"), Covered::Digest(_)));
    // The rest of what `head` has left is not what the digest is of.
    assert_eq!(stdin("head -1; tar -xf - -C /srv/b"), Covered::No);
    // What the line itself feeds it is not what the digest is of.
    let fed = judge(&rules, "cat x.tar | tar -xf - -C /srv/b", &in_bash());
    assert_eq!(fed.verdict, Outcome::Review);
}

#[test]
fn a_rule_that_denies_covers_everything() {
    let deny = Rule { effect: Effect::Deny, ..rule("d", MatchKind::Glob, "rm **") };
    check_rule(&deny).unwrap();
    for wrong in
        [Rule { terminal: true, ..deny.clone() }, with_any(deny.clone()), with_digest(deny)]
    {
        assert!(check_rule(&wrong).unwrap_err().to_string().contains("covers everything"));
    }
    let looks = with_digest(rule("l", MatchKind::Looks, "looks"));
    assert!(check_rule(&looks).is_err());
}
