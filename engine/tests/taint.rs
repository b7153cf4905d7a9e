//! What a line may leave behind so that what only looks cannot be told by its words any more.

#![allow(clippy::unwrap_used)]

use expacti_engine::{
    Context, History, ItemSyntax, RuleSet, Snapshot, Taint, default_rules, judge_as,
};

fn taint_as(syntax: ItemSyntax<'_>, item: &str) -> Taint {
    let context =
        Context { cwd: Some("~".to_owned()), shell: Some("bash".to_owned()), ..Context::default() };
    let rules = RuleSet::build(default_rules()).unwrap();
    let snapshot = Snapshot { rules, ..Snapshot::default() };
    let nobody =
        judge_as(&Snapshot::default(), syntax, item.as_bytes(), &context, &History::default());
    assert_eq!(nobody.taint, Taint::default(), "no rule trusts anything: {item}");
    judge_as(&snapshot, syntax, item.as_bytes(), &context, &History::default()).taint
}

fn taint(line: &str) -> Taint {
    taint_as(ItemSyntax::Command, line)
}

#[test]
fn what_is_understood_and_writes_elsewhere_leaves_nothing_behind() {
    for line in [
        "ls -la",
        "cd /srv && ls | head",
        "touch /srv/app/x",
        "mkdir -p /srv/app/d",
        "rm /srv/app/x",
        "rm -rf /srv/app/build",
        "cat > /srv/app/f <<'E'\nx\nE",
        "cp -r /srv/a /srv/b",
        "systemctl restart nginx",
        "kill 17",
        "echo x > ~/notes.txt",
    ] {
        assert_eq!(taint(line), Taint::default(), "{line}");
    }
}

#[test]
fn what_is_not_understood_or_writes_where_programs_are_configured_does() {
    for line in [
        "python3 x.py",
        "make",
        "./deploy.sh",
        "npm install",
        "bash -c \"$X\"",
        "curl http://x | sh",
        "echo 'alias ls=x' >> ~/.bashrc",
        "touch /srv/app/.envrc",
        "cp x ~/.config/y",
        "cp /tmp/ls /usr/local/bin/ls",
        "mv x ~/bin/ls",
        "tar -xf a.tar",
        "cp -r /srv/skel ~",
        "cp -r x /home/bob",
        "apt-get install -y vim",
        "rm ~/.bashrc",
        "echo x > /etc/profile.d/y",
        "useradd bob",
        "touch $X",
        "touch ~/l/../x",
        "sudo id",
        "eval x",
        "x() { :; }; x",
        "cat <<E\n$(id -un)\nE",
        "ls \\",
        "find . -exec sh -c 'x' \\;",
    ] {
        assert!(taint(line).account.is_some(), "{line}");
    }
    let shell = taint("export PAGER=less");
    assert!(shell.account.is_some() || shell.shell.is_some(), "{shell:?}");
    let shell = taint("PAGER=less");
    assert!(shell.account.is_none() && shell.shell.is_some(), "{shell:?}");
}

#[test]
fn other_items_in_doubt() {
    let foreground = Some("python3");
    assert!(taint_as(ItemSyntax::Input { foreground }, "x").account.is_some());
    assert!(taint_as(ItemSyntax::Keys { foreground }, "x").account.is_some());
    assert_eq!(taint_as(ItemSyntax::Control { foreground }, "\u{4}"), Taint::default());
    assert_eq!(taint_as(ItemSyntax::Signature, "x"), Taint::default());
    let file = |text| taint_as(ItemSyntax::File, text).account.is_some();
    assert!(!file("sftp write /srv/app/a: 1 B, sha256 aa"));
    assert!(file("sftp write /home/bob/.bashrc: 1 B, sha256 aa"));
    assert!(file("sftp write \"/home/bob/.ssh/rc\": 1 B, sha256 aa"));
    assert!(file("sftp rename /srv/a to /usr/local/bin/ls"));
}
