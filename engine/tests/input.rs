//! What becomes of standard input, and how it is judged with its command.
#![allow(clippy::unwrap_used)]

use expacti_engine::{
    Context, Effect, History, InputReport, InputUse, Level, MatchKind, Outcome, RiskTables, Rule,
    RuleSet, Snapshot, judge_input, judge_with_input,
};

fn of(command: &str, pty: bool) -> InputUse {
    report(command, pty).r#use
}

fn report(command: &str, pty: bool) -> InputReport {
    let context = Context { pty, ..Context::default() };
    let tables = RiskTables::builtin();
    let assessment = tables.assess(command.as_bytes(), &context);
    tables.input_use(command.as_bytes(), &context, &assessment)
}

/// Those of a list, set apart by bars and line ends, for which the check fails.
fn wrong(list: &str, right: impl Fn(InputUse) -> bool) -> Vec<(&str, InputUse)> {
    let commands = list.split(['\n', '¦']).map(str::trim).filter(|c| !c.is_empty());
    commands.map(|c| (c, of(c, false))).filter(|(_, found)| !right(*found)).collect()
}

/// Each of these runs what comes on standard input, or may.
#[test]
fn code_is_never_let_through_unseen() {
    let list = include_str!("data/stdin_code.txt");
    let commands = list.split(['\n', '¦']).map(str::trim).filter(|command| !command.is_empty());
    let flows: Vec<&str> = commands.filter(|command| report(command, false).may_flow()).collect();
    assert!(flows.is_empty(), "{flows:?}");
    for line in [
        "alias cat=sh\ncat",
        "tar xf -\n./x </dev/null",
        "trap sh EXIT\nread x",
        "tar x",
        "tar xf - -C /",
        "tar xf - -C ~/",
    ] {
        assert!(!report(line, false).may_flow(), "{line}");
    }
}

#[test]
fn what_only_looks_or_moves_files_is_known() {
    let files =
        "cat > f ¦ tee f ¦ tee -a f >/dev/null ¦ dd of=/tmp/x bs=64k ¦ sort > f ¦ cat | tee f
        sudo tee /etc/x ¦ gzip -d > x ¦ mkdir -p d && cat > d/f ¦ cat > f && chmod 600 f ¦ rm -f f; cat > f
        cat > f && wc -l f ¦ cat > f.new && mv f.new f ¦ cd /srv/app && tee f >/dev/null && echo done";
    assert_eq!(wrong(files, |found| found == InputUse::File), []);
    let archives = "tar xzf - -C /srv ¦ tar x ¦ cd /srv && tar xf - ¦ sudo tar -x -C /srv
        mkdir -p d && tar xzf - -C d ¦ gunzip | tar xf - -C d ¦ tar xf - -C d && echo done ¦ rm -rf d; tar x";
    assert_eq!(wrong(archives, |found| found == InputUse::Archive), []);
    let looks = "cat ¦ wc -l ¦ sha256sum ¦ grep -i error ¦ sort | uniq -c ¦ head -c 3 ¦ jq .a";
    assert_eq!(wrong(looks, |found| found == InputUse::Looks), []);
    let unused = "uptime ¦ df -h ¦ systemctl restart nginx ¦ mkdir -p x && cd x && ls ¦ rm -r x";
    assert_eq!(wrong(unused, |found| found == InputUse::Unused), []);
    let protocol = "git-receive-pack '/srv/x.git' ¦ git-upload-pack '/srv/x.git' ¦ sftp-server
        rsync --server -vlogDtpre.iLsfxCIvu . /srv/x ¦ docker system dial-stdio ¦ scp -t /tmp/x";
    assert_eq!(wrong(protocol, |found| found == InputUse::Protocol), []);
}

#[test]
fn in_an_account_that_may_have_changed_nothing_passes_unseen() {
    let context = Context { tainted: Some("why".to_owned()), ..Context::default() };
    let tables = RiskTables::builtin();
    for (command, expected) in [("wc -l", InputUse::File), ("uptime", InputUse::Unused)] {
        let assessment = tables.assess(command.as_bytes(), &context);
        let found = tables.input_use(command.as_bytes(), &context, &assessment).r#use;
        assert_eq!(found, expected, "{command}");
    }
}

#[test]
fn on_a_terminal_nothing_is_data() {
    for command in ["cat", "psql -c 'select 1'", "less x", "tee f", "uptime"] {
        assert!(!report(command, true).may_flow(), "{command}");
    }
}

fn snapshot(denies: &[&str]) -> Snapshot {
    let rule = |pattern: &&str| {
        Rule::new((*pattern).to_owned(), MatchKind::Glob, (*pattern).to_owned(), Effect::Deny)
    };
    let rules = RuleSet::build(denies.iter().map(rule).collect()).unwrap();
    Snapshot { rules, ..Snapshot::default() }
}

fn level(command: &str, input: &str) -> Level {
    let (context, history) = (Context::default(), History::default());
    let snapshot = snapshot(&[]);
    let with =
        judge_with_input(&snapshot, command.as_bytes(), input.as_bytes(), &context, &history);
    let sum: i32 = with.assessment.terms.iter().map(|term| term.points).sum();
    assert_eq!(i32::from(with.assessment.score), sum.clamp(0, 100), "{with:?}");
    let whole = with.assessment.command.len();
    assert!(with.assessment.terms.iter().all(|term| term.span[1] <= whole), "{with:?}");
    let alone = judge_input(&snapshot, command.as_bytes(), input.as_bytes(), &context, &history);
    let whole = alone.assessment.command.len();
    assert!(alone.assessment.terms.iter().all(|term| term.span[1] <= whole), "{alone:?}");
    with.assessment.level
}

#[test]
fn input_is_read_by_whoever_reads_it() {
    assert!(level("bash -s", "rm -rf /srv/x\n") >= Level::High);
    assert!(level("bash", "ls\n") <= Level::Medium);
    assert!(level("sudo -u postgres psql shop", "drop table users;\n") >= Level::High);
    assert!(level("psql shop", "select 1;\n") <= Level::Medium);
    assert!(level("python3 -", "import os\nos.system('rm -rf /srv')\n") >= Level::High);
    assert!(level("python3 -", "print(6*7)\n") <= Level::Medium);
    assert!(level("bash", "r\0m -rf /srv/x\n") >= Level::High);
    assert!(level("./own", "rm -rf /srv/x\n") >= Level::High);
    assert!(level("cat > notes.md", "never run rm -rf / here\n") <= Level::Medium);
    assert_eq!(level("cat > /etc/cron.d/x", "* * * * * root rm -rf /srv\n"), Level::Critical);
    assert_eq!(level("sudo tee /etc/cron.d/x", "* * * * * root rm -rf /srv\n"), Level::Critical);
}

#[test]
fn a_deny_rule_holds_for_what_is_on_standard_input() {
    let (context, history) = (Context::default(), History::default());
    let snapshot = snapshot(&["kubectl delete **", "rm -rf /srv"]);
    for (command, input) in [
        ("bash", "kubectl -n prod delete pod x\n"),
        ("sudo bash -s", "true\nrm -fr /srv/\n"),
        ("cat | sh", "kubectl delete ns prod\n"),
        ("bash", "kubectl del\0ete ns prod\n"),
        ("bash", "\0kubectl \0delete ns prod\n"),
        ("bash", "\u{feff}kubectl delete ns prod\n"),
        ("sh", "\u{feff}\0kubectl del\0ete ns prod\n"),
    ] {
        let verdict =
            judge_with_input(&snapshot, command.as_bytes(), input.as_bytes(), &context, &history);
        assert_eq!(verdict.rule.verdict, Outcome::Deny, "{command} <<< {input}");
        let verdict =
            judge_input(&snapshot, command.as_bytes(), input.as_bytes(), &context, &history);
        assert_eq!(verdict.rule.verdict, Outcome::Deny, "{command}, then {input}");
    }
}

proptest::proptest! {
    /// Bytes of any kind, for a command of any kind: what comes with it never lowers a score.
    #[test]
    fn input_never_lowers_anything(
        command in "[a-z>|&;' .-]{0,20}|bash|psql|python3 -|cat > /etc/x|tar x|xargs rm",
        input in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
    ) {
        let (context, history) = (Context::default(), History::default());
        let snapshot = snapshot(&["kubectl delete **"]);
        let alone =
            expacti_engine::judge(&snapshot, command.as_bytes(), &context, &history);
        let with = judge_with_input(&snapshot, command.as_bytes(), &input, &context, &history);
        assert!(with.assessment.score >= alone.assessment.score);
        assert!(with.rule.verdict != Outcome::Allow);
        assert!(alone.rule.verdict != Outcome::Deny || with.rule.verdict == Outcome::Deny);
        assert!(with.requirement.needed() >= alone.requirement.needed());
    }
}
