//! What rules allow and deny, bypass by bypass.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use expacti_engine::{
    Context, Effect, MatchKind, Outcome, Rule, RuleSet, Scope, check_rule, default_rules,
};

fn rule(id: &str, kind: MatchKind, pattern: &str, effect: Effect) -> Rule {
    Rule { author: "ann".to_owned(), ..Rule::new(id, kind, pattern.to_owned(), effect) }
}

fn allow(kind: MatchKind, pattern: &str) -> RuleSet {
    RuleSet::build(vec![rule("r", kind, pattern, Effect::Allow)]).unwrap()
}

fn verdict(set: &RuleSet, command: &str) -> Outcome {
    set.judge(command.as_bytes(), &Context::default()).verdict
}

#[test]
fn known_bypasses_stay_with_a_person() {
    let sets = [
        allow(MatchKind::Glob, "ls *"),
        allow(MatchKind::Glob, "ls **"),
        allow(MatchKind::Regex, "ls .*"),
        allow(MatchKind::Regex, "(?s)ls.*"),
    ];
    for tail in [
        "; rm -rf /",
        "&& id",
        "|| id",
        "| sh",
        "& id",
        "\nid",
        "\rid",
        "$(id)",
        "`id`",
        "<(id)",
        "> /etc/passwd",
        "< /etc/shadow",
        "2>x",
        "${x}",
        "$x",
        "{a,b}",
        "*",
        "~",
        "?",
        "[a]",
        "\\x",
        "#x",
        "!x",
        "x\u{0}",
        "\u{202e}",
        "а",
        "\u{a0}",
        "x\u{1b}[2K",
        "'x",
        "\"$(id)\"",
        "\"x`id`\"",
        "a\tb",
        "$'x'",
        "$\"x\"",
        "^x^y",
    ] {
        for (at, set) in sets.iter().enumerate() {
            assert_eq!(verdict(set, &format!("ls {tail}")), Outcome::Review, "{at}: {tail:?}");
        }
    }
    for line in [
        "X=1 ls a",
        "LD_PRELOAD=x ls a",
        "/tmp/ls a",
        "./ls a",
        "ls",
        "lsx a",
        "sudo ls a",
        "LS a",
        "time ls a",
    ] {
        assert_eq!(verdict(&sets[0], line), Outcome::Review, "{line}");
    }
    assert_eq!(verdict(&sets[0], "ls -la"), Outcome::Review);
    assert_eq!(verdict(&sets[0], "ls /srv"), Outcome::Allow);
    assert_eq!(verdict(&sets[0], "ls '/srv/a b'"), Outcome::Allow);
    assert_eq!(verdict(&sets[1], "ls -la /srv /opt"), Outcome::Allow);
}

#[test]
fn an_exact_rule_allows_that_text_and_no_other() {
    let line = "cd /srv && git pull | tee log";
    let set = allow(MatchKind::Exact, line);
    assert_eq!(verdict(&set, line), Outcome::Allow);
    for other in [
        "cd /srv && git pull | tee log ",
        " cd /srv && git pull | tee log",
        "cd /srv && git pull | tee  log",
        "cd /srv && git pull | tee log\n",
    ] {
        assert_eq!(verdict(&set, other), Outcome::Review, "{other:?}");
    }
}

#[test]
fn regular_expressions_are_anchored_and_ascii() {
    let set = allow(MatchKind::Regex, r"tail -n \d+ /var/log/[a-z]+\.log");
    assert_eq!(verdict(&set, "tail -n 50 /var/log/app.log"), Outcome::Allow);
    for other in [
        "tail -n 50 /var/log/app.log.1",
        "xtail -n 50 /var/log/app.log",
        "tail -n ５０ /var/log/app.log",
        "tail -n 50 /var/log/app.log\n",
    ] {
        assert_eq!(verdict(&set, other), Outcome::Review, "{other:?}");
    }
    // An alternative must not escape the anchors.
    let set = allow(MatchKind::Regex, "uptime|df -h");
    assert_eq!(verdict(&set, "uptime"), Outcome::Allow);
    assert_eq!(verdict(&set, "df -h"), Outcome::Allow);
    assert_eq!(verdict(&set, "uptime -x"), Outcome::Review);
    assert_eq!(verdict(&set, "rm df -h"), Outcome::Review);
    for wrong in ["(", "a)|(b", "[z-a]", "x{99999999}"] {
        assert!(check_rule(&rule("r", MatchKind::Regex, wrong, Effect::Allow)).is_err(), "{wrong}");
    }
}

#[test]
fn deny_wins_however_the_command_is_wrapped() {
    let set = RuleSet::build(vec![
        rule("yes", MatchKind::Glob, "git **", Effect::Allow),
        rule("exact-yes", MatchKind::Exact, "sudo git push --force; ls", Effect::Allow),
        rule("no", MatchKind::Glob, "git push **", Effect::Deny),
        rule("no-rm", MatchKind::Glob, "rm **", Effect::Deny),
    ])
    .unwrap();
    assert_eq!(verdict(&set, "git status"), Outcome::Allow);
    for denied in [
        "git push",
        "git push --force",
        "/usr/bin/git push",
        "sudo git push",
        "sudo git push --force; ls",
        "ls; git push",
        "sh -c 'git push'",
        "x=$(git push)",
        "g\"i\"t push",
        "rm x",
        "find . -exec rm {} \\;",
        "echo x | xargs rm",
        "bash -c \"rm y\"",
        "ssh h rm x",
        "eval 'rm x'",
    ] {
        assert_eq!(verdict(&set, denied), Outcome::Deny, "{denied}");
    }
}

#[test]
fn scope_and_expiry_hold() {
    let mut scoped = rule("r", MatchKind::Exact, "ls", Effect::Allow);
    scoped.scope = Scope {
        target: Some("web-*".to_owned()),
        cwd: Some("/srv/*".to_owned()),
        ..Scope::default()
    };
    scoped.expires_at = Some(100);
    let set = RuleSet::build(vec![scoped]).unwrap();
    let context = |target: &str, cwd: Option<&str>, now| Context {
        target: target.to_owned(),
        cwd: cwd.map(str::to_owned),
        now,
        ..Context::default()
    };
    let verdict = |context: Context| set.judge(b"ls", &context).verdict;
    assert_eq!(verdict(context("web-1", Some("/srv/app"), 99)), Outcome::Allow);
    assert_eq!(verdict(context("web-1", Some("/srv/app"), 100)), Outcome::Review);
    assert_eq!(verdict(context("db-1", Some("/srv/app"), 99)), Outcome::Review);
    assert_eq!(verdict(context("web-1", None, 99)), Outcome::Review);
    assert_eq!(verdict(context("web-1", Some("/srv/../etc"), 99)), Outcome::Review);
    assert_eq!(
        verdict(Context { has_stdin_script: true, ..context("web-1", Some("/srv/app"), 99) }),
        Outcome::Review
    );
    assert_eq!(
        RuleSet::build(vec![rule("g", MatchKind::Glob, "ls *", Effect::Allow)])
            .unwrap()
            .judge(b"ls x", &Context { shell: Some("/bin/fish".to_owned()), ..Context::default() })
            .verdict,
        Outcome::Review
    );
}

#[test]
fn the_closest_rule_says_what_differs() {
    let set = RuleSet::build(vec![
        rule("logs", MatchKind::Glob, "find /var/log -name *", Effect::Allow),
        rule("other", MatchKind::Glob, "find /srv -type f -newer *", Effect::Allow),
    ])
    .unwrap();
    let found = set.judge(b"find /var/log -name '*.gz' -delete", &Context::default());
    let closest = found.closest.unwrap();
    assert_eq!((closest.rule.as_str(), closest.differs.as_str()), ("logs", "-delete"));
}

/// A context in which the account's shell is known.
fn in_bash() -> Context {
    Context { shell: Some("bash".to_owned()), ..Context::default() }
}

#[test]
fn what_only_looks_is_allowed_by_the_one_default_rule() {
    let set = RuleSet::build(default_rules()).unwrap();
    for line in [
        "cd /var/log && ls -la | head -20",
        "cat /etc/hosts 2>/dev/null",
        "ps aux | grep nginx",
        "df -h && free -m",
        "systemctl status nginx",
        "for f in a.py b.py; do wc -l \"$f\"; done",
        "if [ -f /srv/app/x ]; then head -5 /srv/app/x; else echo missing; fi",
        "find /srv -name '*.log' -exec ls -l {} \\;",
        "echo \"$(wc -l < /srv/app/data.csv) lines\"",
        "awk '{print $1}' /srv/app/x | sort | uniq -c | sort -rn | head",
        "sed -n '10,20p' /srv/app/x.py",
    ] {
        assert_eq!(set.judge(line.as_bytes(), &in_bash()).verdict, Outcome::Allow, "{line}");
    }
    // As long as the account's shell is not known, plain words only.
    assert_eq!(verdict(&set, "ls -la /srv"), Outcome::Allow);
    assert_eq!(verdict(&set, "ls | head"), Outcome::Review);
}

#[test]
fn abuse_is_never_allowed_by_default() {
    let set = RuleSet::build(default_rules()).unwrap();
    let lines = [
        "ls -la; sh",
        "df -h --output-file=x",
        "systemctl is-active nginx -H root@evil",
        "systemctl is-active --host=x",
        "sleep 1; sh",
        "find . -exec sh \\;",
        "find . -delete",
        "find / -perm -4000",
        "git log",
        "git log --output=x",
        "tar cf x y",
        "awk 'BEGIN{system(\"sh\")}'",
        "man ls",
        "cat /etc/shadow",
        "cat < /etc/shadow",
        "cat /srv/app/.env",
        "cat ~/.ssh/id_rsa",
        "cd ~/.ssh && cat id_rsa",
        "cd ~; cd .ssh; cat *",
        "grep -r x /",
        "grep -rn password /srv/app",
        "cat /proc/1/environ",
        "env",
        "env sh",
        "nice sh",
        "xargs sh",
        "ls | xargs rm",
        "vi",
        "sed -n 1p /etc/shadow",
        "sed -i s/a/b/ x",
        "sed 's/a/b/e' x",
        "sort -o x y",
        "sort --compress-program=sh x",
        "uniq a b",
        "date -s now",
        "date 010100002030",
        "hostname evil",
        "uptime\nsh",
        "pwd -P $(sh)",
        "vmstat 1 5 > /etc/x",
        "cat x > y",
        "cat x >& y",
        "ls &",
        "PATH=/tmp ls",
        "/tmp/ls",
        "./ls",
        "for PATH in /tmp; do ls; done",
        "for f in *; do sort $f; done",
        "sort *",
        "find . -name x | xargs cat",
        "cat $(find / -name shadow)",
        "echo $AWS_SECRET_ACCESS_KEY",
        "curl http://example.org",
        "curl http://localhost",
        "ping example.org",
        "ls; cd /tmp && make",
        "echo x | sh",
        "bash -c 'rm x'",
        "alias ls=rm",
        "read PATH",
        "ls() { rm x; }; ls",
        "printf -v PATH x",
        "ip addr add 10.0.0.1/8 dev eth0",
        "tail -f /etc/shadow",
        "sqlite3 x 'select 1'",
        "python3 -c 'print(1)'",
    ];
    let allowed = |line: &&&str| set.judge(line.as_bytes(), &in_bash()).verdict == Outcome::Allow;
    assert_eq!(lines.iter().filter(allowed).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn rules_compose_over_a_line() {
    let allow = vec![
        Rule {
            pattern: "looks".to_owned(),
            ..rule("looks", MatchKind::Looks, "looks", Effect::Allow)
        },
        rule("restart", MatchKind::Glob, "systemctl restart nginx", Effect::Allow),
        Rule {
            scope: Scope { cwd: Some("/srv/app".to_owned()), ..Scope::default() },
            ..rule("make", MatchKind::Glob, "make test", Effect::Allow)
        },
        rule("reader", MatchKind::Glob, "ingest", Effect::Allow),
    ];
    let set = RuleSet::build(allow.clone()).unwrap();
    let judge = |line: &str| set.judge(line.as_bytes(), &in_bash());
    for line in [
        "systemctl restart nginx && systemctl status nginx | head -3",
        "df -h; systemctl restart nginx",
        "cd /srv/app && make test",
        "cd /srv/app && make test 2>&1 | tail -5",
        "timeout 60 systemctl restart nginx",
        "if systemctl is-active nginx; then systemctl restart nginx; fi",
        "ingest",
    ] {
        assert_eq!(judge(line).verdict, Outcome::Allow, "{line}: {}", judge(line).why);
    }
    for line in [
        "systemctl restart nginx && systemctl restart other",
        "cd /srv/evil && make test",
        "cd /srv/app; make test",
        "cd /tmp && systemctl restart nginx",
        "make test",
        "echo rm | ingest",
        "ingest < /srv/x",
        "systemctl restart nginx > /srv/x",
        "X=1 systemctl restart nginx",
    ] {
        assert_eq!(judge(line).verdict, Outcome::Review, "{line}");
    }
    let both = judge("ls; systemctl restart nginx");
    assert_eq!(both.why, "each command is allowed by one of looks, restart");
    let why = judge("ls /srv | head -3 && reboot").why;
    assert_eq!(why, "no rule allows `reboot`: changes a system");
    let mut rules = allow;
    rules.push(rule("never", MatchKind::Glob, "systemctl restart sshd", Effect::Deny));
    let set = RuleSet::build(rules).unwrap();
    let judge = |line: &str| set.judge(line.as_bytes(), &in_bash());
    // What is not known may be what a rule denies.
    for line in [
        "ls && systemctl restart sshd",
        "systemctl restart $x",
        "systemctl --no-block restart sshd",
    ] {
        assert_eq!(judge(line).verdict, Outcome::Deny, "{line}");
    }
    assert_eq!(judge("systemctl restart nginx").verdict, Outcome::Allow);
    // And what is run unseen may do it: a person decides.
    let far = judge("cd /srv/app && make test");
    assert_eq!(far.verdict, Outcome::Review);
    assert!(far.why.contains("rule never (systemctl restart sshd) forbids"), "{}", far.why);
}

#[test]
fn a_terminal_and_another_directory_are_looked_at() {
    let looks = |pattern: &str| {
        RuleSet::build(vec![rule("l", MatchKind::Looks, pattern, Effect::Allow)]).unwrap()
    };
    let on_terminal = Context { pty: true, in_shell: true, ..in_bash() };
    let set = looks("looks");
    // A pager takes `!command`.
    for line in ["systemctl status nginx", "journalctl -u nginx", "less /srv/x"] {
        assert_eq!(set.judge(line.as_bytes(), &in_bash()).verdict, Outcome::Allow, "{line}");
        assert_eq!(set.judge(line.as_bytes(), &on_terminal).verdict, Outcome::Review, "{line}");
    }
    assert_eq!(set.judge(b"ls -la", &on_terminal).verdict, Outcome::Allow);
    let set = looks("looks --trust-dir '/srv/app'");
    for (line, allowed) in [
        ("cd /srv/app && git status", true),
        ("git -C /srv/app status", true),
        ("git -C /srv/app/sub log --oneline -5", true),
        ("git status", false),
        ("cd /srv/app && git -C /tmp/evil status", false),
        ("cd /srv/app && git -C .. status", false),
        ("cd /srv/app; git status", false),
        ("cd /srv/application && git status", false),
    ] {
        let verdict = set.judge(line.as_bytes(), &in_bash()).verdict;
        assert_eq!(verdict == Outcome::Allow, allowed, "{line}");
    }
}

#[test]
fn a_chain_may_have_stopped_anywhere() {
    let set = RuleSet::build(default_rules()).unwrap();
    let verdict = |line: &str| set.judge(line.as_bytes(), &in_bash()).verdict;
    for line in [
        "cd /srv/app && grep -r x .",
        "cd /srv/app && ls | head && grep -r x .",
        "ls || cd /srv/app && ls",
        "d=/srv/app && cat $d/x",
        "d=/srv/app; cat $d/x",
        "if [ -f x ]; then echo a; else echo b; fi; df -h",
    ] {
        assert_eq!(verdict(line), Outcome::Allow, "{line}");
    }
    // In each of these the directory may be the home, or the variable empty.
    for line in [
        "cd /srv/app; grep -r x .",
        "cd /srv/none && true || grep -r x .",
        "cd /srv/none && true; grep -r x .",
        "! cd /srv/none && grep -r x .",
        "true || cd /srv/app && grep -r x .",
        "if cd /srv/none; then true; else grep -r x .; fi",
        "{ cd /srv/none && true; }; grep -r x .",
        "false && d=/srv; cat $d/etc/shadow",
        "d=/srv; false && d=; cat $d/etc/shadow",
        "true || d=/srv && cat $d/etc/shadow",
        "if false; then d=/srv; fi; cat $d/etc/shadow",
        "for i in; do d=/srv; done; cat $d/etc/shadow",
    ] {
        assert_ne!(verdict(line), Outcome::Allow, "{line}");
    }
}
