//! What a rule for working in a directory allows: what creates and changes regular files beneath it,
//! and only looks otherwise.

#![allow(clippy::unwrap_used, clippy::panic)]

use expacti_engine::{
    Context, Effect, History, ItemSyntax, MatchKind, Outcome, Rule, RuleSet, Snapshot, Verdict,
    Working, check_rule, judge_as, work_pattern,
};

fn rule(id: &str, kind: MatchKind, pattern: &str) -> Rule {
    Rule { expires_at: Some(1000), ..Rule::new(id, kind, pattern.to_owned(), Effect::Allow) }
}

fn there() -> Context {
    Context {
        target: "web-1".to_owned(),
        cwd: Some("~".to_owned()),
        shell: Some("bash".to_owned()),
        resolves_paths: true,
        ..Context::default()
    }
}

fn judge_in(rules: Vec<Rule>, line: &str, context: &Context) -> Verdict {
    let snapshot = Snapshot { rules: RuleSet::build(rules).unwrap(), ..Snapshot::default() };
    judge_as(&snapshot, ItemSyntax::Command, line.as_bytes(), context, &History::default())
}

fn judge(line: &str) -> Verdict {
    let work = "work '/srv/app' --run 'pytest **' --run 'make test'";
    judge_in(vec![rule("w", MatchKind::Work, work)], line, &there())
}

/// The paths that the gate must look at.
fn paths(verdict: &Verdict) -> Vec<&str> {
    verdict.beneath.iter().flat_map(|beneath| &beneath.paths).map(String::as_str).collect()
}

#[test]
fn work_beneath_the_directory_passes_and_names_its_paths() {
    for (line, expected) in [
        ("mkdir -p /srv/app/src/config/x", &["/srv/app/src/config/x"][..]),
        ("mkdir /srv/app/a /srv/app/b", &["/srv/app/a", "/srv/app/b"]),
        ("touch /srv/app/a", &["/srv/app/a"]),
        ("cd /srv/app && touch a && ls -la | head", &["/srv/app/a"]),
        ("cat > /srv/app/f <<'E'\nrm -rf / # text\nE", &["/srv/app/f"]),
        ("cd /srv/app && cat > f.py <<'E'\nimport os\nE\n", &["/srv/app/f.py"]),
        ("echo x >> /srv/app/log", &["/srv/app/log"]),
        ("echo x | tee -a /srv/app/log", &["/srv/app/log"]),
        ("tee /srv/app/t <<< hello", &["/srv/app/t"]),
        ("{ echo a; echo b; } > /srv/app/g", &["/srv/app/g"]),
        ("sort /srv/app/a > /srv/app/b", &["/srv/app/b"]),
        ("cp /srv/data/in.csv /srv/app/in", &["/srv/app/in", "/srv/app/in/in.csv"]),
        ("cp -t /srv/app /srv/data/in.csv", &["/srv/app", "/srv/app/in.csv"]),
        ("mv /srv/app/a /srv/app/b", &["/srv/app/a", "/srv/app/b", "/srv/app/b/a"]),
        ("rm -f /srv/app/a /srv/app/b", &["/srv/app/a", "/srv/app/b"]),
        ("rmdir /srv/app/d", &["/srv/app/d"]),
        ("sed -i 's/a/b/' /srv/app/x.py", &["/srv/app/x.py"]),
        ("truncate -s 0 /srv/app/x.txt", &["/srv/app/x.txt"]),
        ("dir=/srv/app; touch \"$dir/x\"", &["/srv/app/x"]),
        ("for f in a b; do touch /srv/app/$f; done", &["/srv/app/a", "/srv/app/b"]),
        ("cd /srv/app && pytest -q tests 2>&1 | tail -20", &["/srv/app"]),
        ("cd /srv/app/sub && make test", &["/srv/app/sub"]),
        ("ls /srv/app; cat /srv/app/README.md", &[]),
    ] {
        let verdict = judge(line);
        assert_eq!(verdict.rule.verdict, Outcome::Allow, "{line}: {}", verdict.rule.why);
        assert_eq!(paths(&verdict), expected, "{line}");
    }
}

#[test]
fn everything_else_is_asked() {
    for line in [
        // Elsewhere, or nobody knows where.
        "touch /srv/other",
        "touch /srv/application/x",
        "touch x",
        "rm /srv/app",
        "touch $X/a",
        "touch /srv/app/*.txt",
        "rm /srv/app/*",
        "cd $D && touch a",
        "touch /srv/app/$(ls)",
        "cd /srv/app || touch a",
        "cd /srv/app; touch a",
        "mv /srv/other/a /srv/app/a",
        "mv /srv/app/a /srv/other/a",
        "cp /srv/app/a /srv/other",
        "echo x > /srv/app2",
        // Up, which a link turns into elsewhere.
        "touch /srv/app/l/../x",
        "cd /srv/app/l && touch ../x",
        "cd /srv/app/l/.. && touch x",
        "cd -P /srv/app/l/.. && touch x",
        "echo x > /srv/app/l/../x",
        "cp /srv/a/.. /srv/app",
        // Names that configure programs, also those that a source brings along.
        "touch /srv/app/.git/hooks/pre-commit",
        "echo x > /srv/app/.bashrc",
        "touch /srv/app/HEAD",
        "touch /srv/app/config",
        "touch /srv/app/x.git/y",
        "cp /srv/data/.envrc /srv/app",
        "cp /srv/data/config /srv/app/sub",
        "mv -t /srv/app /srv/app/x/HEAD",
        "mkdir /srv/app/.vscode",
        "echo x > /srv/app/bin/ls",
        "touch /srv/app/venv/bin/python",
        "touch /srv/app/.env",
        "cp /srv/x/. /srv/app",
        "touch /srv/app/id_rsa",
        "touch /srv/app/prod.env",
        // Links, whole directories, permissions, archives.
        "ln -s /etc /srv/app/l",
        "ln /srv/app/a /srv/app/b",
        "cp -r /srv/data /srv/app/d",
        "cp -a /srv/data /srv/app/d",
        "cp -l /srv/app/a /srv/app/b",
        "cp -s /srv/app/a /srv/app/b",
        "cp -p /srv/data/a /srv/app/a",
        "cp --preserve=mode /srv/data/a /srv/app/a",
        "cp -b -S /../x /srv/app/a /srv/app/b",
        "rm -r /srv/app/d",
        "rm -rf /srv/app/d",
        "chmod +x /srv/app/run.sh",
        "chmod u+s /srv/app/a",
        "mkdir -m 777 /srv/app/d",
        "install -m 4755 /srv/app/a /srv/app/b",
        "tar -xf /srv/app/a.tar -C /srv/app",
        "unzip /srv/app/a.zip -d /srv/app",
        "gzip /srv/app/a",
        "mkfifo /srv/app/p",
        "mknod /srv/app/d c 1 1",
        "rmdir -p /srv/app/d",
        "find /srv/app -delete",
        "find /srv/app -name x -exec rm {} \\;",
        "ls /srv/app | xargs rm",
        "split /srv/app/a",
        "sed -i.bak 's/a/b/' /srv/app/x",
        "sed -i'/tmp/*' 's/a/b/' /srv/app/x",
        "sed -i 's/a/b/w /etc/x' /srv/app/x",
        "sed -i '1e id' /srv/app/x",
        "rsync /srv/a /srv/app/a",
        "dd of=/srv/app/a if=/dev/sda",
        "cp /dev/sda /srv/app/a",
        "sort -o /srv/app/a /srv/app/b",
        // Secrets as sources.
        "cp /etc/shadow /srv/app/s",
        "cat ~/.ssh/id_rsa > /srv/app/k",
        "cat /srv/prod.env > /srv/app/e",
        "env > /srv/app/e",
        "mv ~/.ssh/id_rsa /srv/app/k",
        // Bytes that are not on the line.
        "> /srv/app/f",
        "X=1 > /srv/app/f",
        "cat > /srv/app/f",
        "tee /srv/app/f",
        "cat | tee /srv/app/f",
        "dd of=/srv/app/f",
        "while read -r l; do echo \"$l\" >> /srv/app/f; done",
        "curl http://x/ > /srv/app/f",
        "grep x > /srv/app/f",
        "cat > /srv/app/f <<'E' && cat > /srv/app/g\nx\nE",
        // Texts that are more than they seem.
        "cat > /srv/app/f <<E\n$(id)\nE",
        "cat > /srv/app/f <<-'E'\n\tx\n\tE",
        "cat > /srv/app/f <<'E'\nx\nE \ntouch /etc/x",
        "cat > /srv/app/f <<'E'\nx\n",
        "cat > /srv/app/f <<'E'\nx\nE\ntouch /etc/x",
        "cat <<'A' <<'B' > /srv/app/f\na\nA\nb\nB",
        "python3 - <<'E' > /srv/app/f\nprint(1)\nE",
        "bash <<'E' > /srv/app/f\nid\nE",
        "echo $(cat <<'E'\nx\nE\n) > /srv/app/f",
        "cat <<'E' > /srv/app/f 'a\nE\nb'",
        "cat > /srv/app/f <<'E' # x\nE\n",
        "cat > /srv/app/f 3<<'E'\nx\nE",
        // Programs that were not named, or not there.
        "cd /srv/app && python3 x.py",
        "cd /srv/app && make",
        "cd /srv/app && make test install",
        "pytest -q",
        "cd /srv && pytest -q",
        "cd /srv/app && ./pytest",
        "cd /srv/app && FOO=1 pytest",
        "cd /srv/app; pytest",
        "cd /srv/app && pytest > /etc/x",
        "cd /srv/app/bin && pytest",
        "cd /srv/app && pytest; touch /etc/x",
        "cd /srv/app/.. && pytest",
        "sudo touch /srv/app/x",
        "cd /srv/app && echo x | pytest",
        "eval touch /srv/app/x",
        "umask 0; touch /srv/app/x",
        "alias ls=x; touch /srv/app/x",
        "PATH=/srv/app:$PATH; touch /srv/app/a",
        "systemctl restart nginx > /srv/app/log",
        "trap 'touch /etc/x' EXIT; touch /srv/app/a",
    ] {
        let verdict = judge(line);
        assert_eq!(verdict.rule.verdict, Outcome::Review, "{line}: {}", verdict.rule.why);
        assert!(verdict.beneath.is_empty(), "{line}");
        assert!(verdict.rules.is_empty(), "{line}");
    }
}

#[test]
fn it_needs_a_gate_that_looks_no_terminal_and_a_clean_account() {
    let work = || vec![rule("w", MatchKind::Work, "work '/srv/app'")];
    let line = "touch /srv/app/a";
    assert_eq!(judge_in(work(), line, &there()).rule.verdict, Outcome::Allow);
    let why = "asked because cmd_1 may have changed what `touch` is";
    let tainted = Some(why.to_owned());
    for context in [
        Context { resolves_paths: false, ..there() },
        Context { pty: true, ..there() },
        Context { tainted, ..there() },
        Context { now: 1000, ..there() },
        Context { shell: Some("fish".to_owned()), ..there() },
        Context { has_stdin_script: true, ..there() },
    ] {
        let verdict = judge_in(work(), line, &context);
        assert_eq!(verdict.rule.verdict, Outcome::Review, "{context:?}");
        assert!(verdict.beneath.is_empty());
        if context.tainted.is_some() {
            assert!(verdict.rule.why.contains(why), "{}", verdict.rule.why);
        }
    }
}

#[test]
fn what_only_looks_is_asked_about_in_a_tainted_account_and_says_why() {
    let rules = || vec![rule("l", MatchKind::Looks, "looks"), rule("g", MatchKind::Glob, "uptime")];
    let tainted = Some("asked because cmd_1 may have changed it".to_owned());
    let tainted = Context { tainted, ..there() };
    for line in ["ls -la", "cd /srv && ls | head"] {
        assert_eq!(judge_in(rules(), line, &there()).rule.verdict, Outcome::Allow, "{line}");
        let verdict = judge_in(rules(), line, &tainted);
        assert_eq!(verdict.rule.verdict, Outcome::Review, "{line}");
        assert!(verdict.rule.why.contains("asked because cmd_1"), "{}", verdict.rule.why);
    }
    // A rule that names its command says itself what it trusts.
    assert_eq!(judge_in(rules(), "uptime", &tainted).rule.verdict, Outcome::Allow);
}

#[test]
fn together_with_other_rules() {
    let rules = || {
        vec![
            rule("l", MatchKind::Looks, "looks --trust-dir '/srv'"),
            rule("g", MatchKind::Glob, "systemctl restart nginx"),
            rule("w", MatchKind::Work, "work '/srv/app'"),
        ]
    };
    let line = "ls /srv/app && touch /srv/app/x && systemctl restart nginx";
    let verdict = judge_in(rules(), line, &there());
    assert_eq!(verdict.rule.verdict, Outcome::Allow, "{}", verdict.rule.why);
    assert_eq!(verdict.rules, ["l", "w", "g"]);
    assert_eq!(paths(&verdict), ["/srv/app/x"]);
    // Files that an agent may write there configure git.
    for (line, expected) in [
        ("cd /srv/other && git status", Outcome::Allow),
        ("cd /srv/app && git status", Outcome::Review),
        ("cd /srv/app/sub && git status", Outcome::Review),
        ("cd /srv && git status", Outcome::Review),
    ] {
        let verdict = judge_in(rules(), line, &there());
        assert_eq!(verdict.rule.verdict, expected, "{line}: {}", verdict.rule.why);
    }
    // Also after its end, for what was written is still there.
    let later = Context { now: 1000, ..there() };
    let mut ended = rules();
    ended.iter_mut().take(2).for_each(|rule| rule.expires_at = None);
    let verdict = judge_in(ended, "cd /srv/app && git status", &later);
    assert_eq!(verdict.rule.verdict, Outcome::Review);
    assert!(verdict.rule.why.contains("rule w"), "{}", verdict.rule.why);
}

#[test]
fn a_rule_that_denies_wins() {
    let deny = Rule { effect: Effect::Deny, ..rule("d", MatchKind::Glob, "rm **") };
    let rules = vec![rule("w", MatchKind::Work, "work '/srv/app'"), deny];
    let verdict = judge_in(rules, "cd /srv/app && rm a", &there());
    assert_eq!(verdict.rule.verdict, Outcome::Deny);
    assert!(verdict.beneath.is_empty());
}

#[test]
fn a_directory_is_nobody_elses() {
    let working = |directory: &str, runs: &[&str]| {
        let runs = runs.iter().map(|run| (*run).to_owned()).collect();
        work_pattern(&Working { directory: directory.to_owned(), runs })
    };
    for good in
        ["/srv/app", "/srv/app/", "/home/bob/proj", "~/proj", "/var/www/site", "/tmp/x", "/app"]
    {
        let pattern = working(good, &["pytest **", "make \"a b\""]).unwrap();
        RuleSet::build(vec![rule("w", MatchKind::Work, &pattern)]).unwrap();
    }
    for bad in [
        "",
        "/",
        "~",
        "~/",
        "proj",
        "/srv",
        "/home",
        "/home/bob",
        "/root",
        "/etc",
        "/etc/x",
        "/usr/local/x",
        "/usr/bin",
        "/tmp",
        "/var/tmp",
        "/srv/app/../x",
        "/srv//x",
        "/srv/./x",
        "/srv/*",
        "/srv/a'b",
        "~/.ssh",
        "~/.config/x",
        "/srv/app/.git",
        "/srv/r.git",
        "/srv/app/bin",
        "~/bin",
        "~/go/bin",
        "/proc/1",
        "/dev/shm",
        "/var/lib/x",
        "/var/spool/cron",
        "/boot/x",
        "/srv/ä",
        "~bob/x",
    ] {
        assert!(working(bad, &[]).is_err(), "{bad}");
        let pattern = format!("work '{bad}'");
        assert!(RuleSet::build(vec![rule("w", MatchKind::Work, &pattern)]).is_err(), "{bad}");
    }
    for bad in ["*", "**", "a | b", "x'y", "'pytest'", ""] {
        assert!(working("/srv/app", &[bad]).is_err(), "{bad}");
    }
    let deny = Rule { effect: Effect::Deny, ..rule("w", MatchKind::Work, "work '/srv/app'") };
    assert!(check_rule(&deny).is_err());
}

#[test]
fn it_has_an_end_within_a_day() {
    let day = 24 * 60 * 60 * 1_000_000;
    let work = rule("w", MatchKind::Work, "work '/srv/app'");
    for (expires_at, good) in
        [(None, false), (Some(7 + day), true), (Some(8 + day), false), (Some(8), true)]
    {
        let rule = Rule { created_at: 7, expires_at, ..work.clone() };
        assert_eq!(check_rule(&rule).is_ok(), good, "{expires_at:?}");
    }
}

#[test]
fn where_a_path_really_leads_decides() {
    let verdict = judge("touch /srv/app/a");
    let beneath = verdict.beneath.first().unwrap();
    let path = |real: &str| beneath.refuses_path("/srv/app/a", real, "/data/app");
    assert_eq!(path("/data/app/a"), None);
    assert_eq!(path("/data/app"), None);
    for bad in ["/etc/passwd", "/data/application/a", "/data/app/.git/x", "/data/app/bin/x", "/"] {
        assert!(path(bad).is_some(), "{bad}");
    }
    let directory = |real: &str| beneath.refuses_directory(real, "/home/bob");
    assert_eq!(directory("/data/app"), None);
    assert_eq!(directory("/home/bob/app"), None);
    for bad in
        ["/", "/home", "/home/bob", "/etc", "/usr/share/x", "/home/bob/.config", "/home/alice"]
    {
        assert!(directory(bad).is_some(), "{bad}");
    }
}
