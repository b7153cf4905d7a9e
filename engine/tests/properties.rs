//! What must hold for every command: no panic, additivity, monotonicity, and rules that only ever deny more.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use expacti_engine::{
    Context, Effect, History, MatchKind, Outcome, PolicySet, RiskTables, Rule, RuleSet, Snapshot,
    assess, default_rules, judge, make_visible, mask_secrets,
};
use proptest::prelude::*;

/// Pieces of lines with secrets, in any order.
fn secretive() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "mysql",
        " -p",
        "S3cr-et9x",
        " ",
        "'",
        "\"",
        "\\",
        "$(",
        ")",
        "`",
        "PASSWORD",
        "=",
        ":",
        "\n",
        ";",
        "|",
        "sh -c ",
        "--token",
        "curl -u a:",
        "https://u:p@h",
        "{\"password\": \"",
        "<<E\n",
        "E\n",
        "$X",
        "Bearer ",
        "Authorization: ",
        "echo ",
        "chpasswd",
        "•••",
        "é",
        "&&",
        "{",
        "}",
        "#",
        "$'",
        "<<<",
    ]);
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn score(command: &str) -> u8 {
    assess(command.as_bytes(), &Context::default()).score
}

/// Commands made of parts that mean something.
fn command() -> impl Strategy<Value = String> {
    let program = prop::sample::select(vec![
        "ls",
        "rm",
        "cat",
        "kubectl",
        "git",
        "systemctl",
        "dd",
        "find",
        "curl",
        "docker",
        "chmod",
        "psql",
        "terraform",
        "aws",
        "tar",
        "kill",
        "useradd",
        "crontab",
        "mkfs.ext4",
        "unknown-tool",
        "echo",
        "ssh-keygen",
        "iptables",
        "npm",
    ]);
    let argument = prop::sample::select(vec![
        "-rf",
        "-r",
        "--force",
        "--all",
        "-n",
        "production",
        "/",
        "/etc/passwd",
        "/tmp/x",
        "delete",
        "pod",
        "get",
        "push",
        "stop",
        "nginx",
        "*",
        "*.log",
        "~",
        "$HOME",
        "$x",
        "-y",
        "--dry-run",
        "--help",
        "of=/dev/sda",
        "-delete",
        "-name",
        "'*.gz'",
        "777",
        "http://1.2.3.4/x",
        "~/.ssh/id_rsa",
        "-c",
        "'drop table t'",
        "destroy",
        "s3",
        "rm",
        "apply",
        "status",
        "-o",
        "a=b",
        "-9",
    ]);
    (program, prop::collection::vec(argument, 0..6)).prop_map(|(program, arguments)| {
        std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ")
    })
}

/// Text made of what is special to a shell.
fn nasty() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "$(",
        ")",
        "`",
        "\"",
        "'",
        "{",
        "}",
        "((",
        "))",
        "[[",
        "]]",
        "if ",
        "then ",
        "fi",
        "for x in ",
        "do ",
        "done",
        "case ",
        "esac",
        "<<E\n",
        "E\n",
        "<<<",
        "<(",
        ">",
        "<",
        "|",
        "&&",
        ";",
        ";;",
        "&",
        "\\",
        "\n",
        "$",
        "${x:-",
        "$'",
        "\\x72",
        "rm -rf /",
        "sudo ",
        "sh -c '",
        "eval ",
        "xargs ",
        "find . -exec ",
        "ssh h ",
        "#",
        "!",
        "~",
        "*",
        "é",
        "\u{202e}",
        "\u{0}",
        "\t",
        "a=",
        "a=(",
        "$[",
        "function f ",
        "coproc ",
        "time ",
        "{a,b}",
        "awk '",
        "python -c \"",
        "psql -c '",
        "git -c x=",
        "0",
        " ",
        " ",
        " ",
    ]);
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn rule(id: &str, kind: MatchKind, pattern: &str, effect: Effect) -> Rule {
    Rule { author: "test".to_owned(), ..Rule::new(id, kind, pattern.to_owned(), effect) }
}

/// 400, or as many as `EXPACTI_CASES` says.
fn cases() -> u32 {
    std::env::var("EXPACTI_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_panic_and_terms_always_add_up(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        whole(&bytes);
    }

    #[test]
    fn masking_twice_is_masking_once(text in secretive()) {
        let masked = mask_secrets(text.as_bytes());
        let again = mask_secrets(masked.text.as_bytes());
        prop_assert_eq!(&again.text, &masked.text, "of {}", text);
        for at in 0..=text.len() {
            let [from, to] = masked.span([at.min(text.len()), text.len()]);
            prop_assert!(from <= to && to <= masked.text.len());
        }
    }

    #[test]
    fn a_secret_behind_any_of_these_is_masked(
        form in prop::sample::select(vec![
            "mysql -u root -p", "PGPASSWORD=", "app --token ", "curl -u bob:", "redis-cli -a ",
            "docker run -e API_TOKEN=", "sshpass -p ", "zip -P ", "vault kv put secret/x k=",
            "curl -H 'Authorization: Bearer '", "export DB_PASSWORD=", "7z x -p",
        ]),
        secret in "[A-Za-z0-9]{3}[#%+.:=@_/-][A-Za-z0-9]{4,20}",
        quote in prop::sample::select(vec!["", "'", "\""]),
        around in prop::sample::select(vec![("", ""), ("sudo ", ""), ("cd /x && ", " | tee l"), ("(", ")"), ("x=$(", ")"), ("if ", "; then :; fi")]),
    ) {
        let line = format!("{}{form}{quote}{secret}{quote}{}", around.0, around.1);
        let masked = mask_secrets(line.as_bytes()).text;
        prop_assert!(!masked.contains(&secret), "{} => {}", line, masked);
    }

    #[test]
    fn no_shell_soup_panics(text in nasty()) {
        whole(text.as_bytes());
    }

    #[test]
    fn what_is_wrapped_or_appended_never_scores_lower(command in command()) {
        let plain = score(&command);
        for other in [
            format!("sudo {command}"),
            format!("nohup {command}"),
            format!("timeout 5 {command}"),
            format!("env A=b {command}"),
            format!("({command})"),
            format!("{command}; true"),
            format!("true; {command}"),
            format!("{command} && ls"),
            format!("ls | {command}"),
            format!("if true; then {command}; fi"),
            format!("{command} &"),
            format!("  {}", command.replace(' ', "   ")),
            format!("/usr/bin/{command}"),
            format!("\\{command}"),
            format!("{command} 2>&1"),
            format!("bash -c '{}'", command.replace('\'', "'\\''")),
        ] {
            prop_assert!(score(&other) >= plain, "{} {command:?}, but {} {other:?}", plain, score(&other));
        }
    }

    #[test]
    fn quoting_the_words_never_scores_lower(command in command()) {
        let plain = score(&command);
        let (program, rest) = command.split_once(' ').unwrap_or((&command, ""));
        let (first, tail) = program.split_at(1);
        for other in [format!("'{first}'{tail} {rest}"), format!("\"{program}\" {rest}"), format!("{first}''{tail} {rest}")] {
            prop_assert!(score(&other) >= plain, "{} {command:?}, but {} {other:?}", plain, score(&other));
        }
    }

    #[test]
    fn a_rule_that_denies_never_allows_more(command in command(), denied in command()) {
        let allow = default_rules();
        let before = RuleSet::build(allow.clone()).unwrap();
        let mut rules = allow;
        rules.push(rule("deny", MatchKind::Exact, &denied, Effect::Deny));
        let after = RuleSet::build(rules).unwrap();
        let context = Context::default();
        for line in [command.as_str(), denied.as_str(), "uptime", "ls -la"] {
            let (before, after) = (before.judge(line.as_bytes(), &context).verdict, after.judge(line.as_bytes(), &context).verdict);
            prop_assert!(after != Outcome::Allow || before == Outcome::Allow, "{line}");
        }
        prop_assert_eq!(after.judge(denied.as_bytes(), &context).verdict, Outcome::Deny);
    }

    #[test]
    fn nothing_but_plain_words_is_allowed_by_pattern(text in nasty()) {
        let set = RuleSet::build(vec![
            rule("all", MatchKind::Glob, "ls **", Effect::Allow),
            rule("regex", MatchKind::Regex, "(?s).*", Effect::Allow),
        ]).unwrap();
        let line = format!("ls {text}");
        let special = |c: char| "$`();|&<>\\\n{}*?~#!\t".contains(c) || !c.is_ascii() || c.is_ascii_control();
        let unquoted: String = line.split('\'').step_by(2).collect();
        if unquoted.contains(special) && line.matches('\'').count() % 2 == 0 && !line.contains('"') {
            prop_assert_eq!(set.judge(line.as_bytes(), &Context::default()).verdict, Outcome::Review, "{}", line);
        }
    }

    /// Every other kind of item: terms add up and point into the item, keys are never LOW, and a
    /// line for a program scores no less than what is catastrophic in a shell.
    #[test]
    fn items_of_every_kind_add_up(bytes in prop::collection::vec(any::<u8>(), 0..300), text in nasty(), line in command()) {
        let tables = RiskTables::builtin();
        let context = Context::default();
        for program in [None, Some("psql -h prod"), Some("sudo -i"), Some("vim x"), Some("python3"), Some("redis-cli"), Some("x y")] {
            for item in [bytes.as_slice(), text.as_bytes(), line.as_bytes()] {
                let input = tables.assess_input(program, item, &context);
                let keys = tables.assess_keys(program, item, &context);
                prop_assert!(keys.score >= 25);
                let mut all = vec![input, keys, tables.assess_control(program, item, &context)];
                if program.is_none() {
                    all.push(tables.assess_file(item, &context));
                    all.push(tables.assess_file(format!("sftp write /{}", String::from_utf8_lossy(item)).as_bytes(), &context));
                }
                for found in all {
                    let sum: i32 = found.terms.iter().map(|term| term.points).sum();
                    prop_assert_eq!(i32::from(found.score), sum.clamp(0, 100), "{:?}", found);
                    for term in &found.terms {
                        prop_assert!(term.span[0] <= term.span[1] && term.span[1] <= found.command.len(), "{:?}", found);
                    }
                }
            }
            let (shell, input) = (score(&line), tables.assess_input(program, line.as_bytes(), &context).score);
            prop_assert!(shell < 75 || input >= 75, "{line} for {program:?}: {shell}, {input}");
        }
    }

    #[test]
    fn judging_twice_gives_the_same(command in command()) {
        let context = Context::default();
        let (first, second) = (assess(command.as_bytes(), &context), assess(command.as_bytes(), &context));
        prop_assert_eq!(first, second);
    }
}

fn whole(bytes: &[u8]) {
    let snapshot = Snapshot {
        tables: RiskTables::builtin().clone(),
        rules: RuleSet::build(default_rules()).unwrap(),
        policies: PolicySet::default(),
    };
    let verdict = judge(&snapshot, bytes, &Context::default(), &History::default());
    let sum: i32 = verdict.assessment.terms.iter().map(|term| term.points).sum();
    assert_eq!(i32::from(verdict.assessment.score), sum.clamp(0, 100), "{verdict:?}");
    for term in &verdict.assessment.terms {
        let [from, to] = term.span;
        assert!(
            verdict.assessment.command.get(from..to).is_some(),
            "{term:?} in {:?}",
            verdict.assessment.command
        );
    }
    if verdict.assessment.uninspectable {
        assert!(verdict.assessment.score >= 50, "{verdict:?}");
        assert_ne!(verdict.rule.verdict, Outcome::Allow, "{verdict:?}");
    }
    let shown = make_visible(bytes);
    assert!(shown.text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
    let masked = mask_secrets(bytes);
    assert_eq!(mask_secrets(masked.text.as_bytes()).text, masked.text, "masked twice");
}
