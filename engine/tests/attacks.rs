//! Lines that were once taken for looking, or could be: each does something else in one shell or program.
#![allow(clippy::unwrap_used)]

use expacti_engine::{Context, Looking, RiskTables};

/// They write, run, reach or read what is secret.
const ATTACKS: &[&str] = &[
    "for _ in 1 2; do echo /etc/shadow; cat $_; done",
    "ps -auxe",
    "find . -type f -exec uniq {} +",
    "find . -type f -exec xxd {} +",
    "find /var/log -type f -exec uniq {} +",
    "ls | xargs -I{} -n1 uniq /etc/hostname",
    r"printf '%s\n' '--output=f' | xargs -I a -I b sort b",
    "ls | xargs -I '' sort x",
    r#"x=$(echo -v); [ "$x" 'a[$(touch M)]' ]"#,
    "[[ -v 'a[$(touch M)]' ]]",
    "[[ 'a[$(touch M)]' -eq 1 ]]",
    "for x in 'a[$(touch M)]'; do [[ x -eq 1 ]]; done",
    r#"ls | while read -r x; do printf '%d\n' "$x"; done"#,
    r#"exit "$x""#,
    r#"x=$(cat f); exit "$x""#,
    "cat ~/.k*/config",
    "cat ~/.a*/config",
    "cat /root/.a*/config",
    "cat /home/*/.k*/config",
    "cat /pro?/self/environ",
    "cat /pro[c]/1/environ",
    "cat /d?v/sda",
    "cat /d*/tcp",
    "cat /var/run/../proc/self/environ",
    "cd /var/run; cat ../proc/self/environ",
    "cd /var/run/../proc/self && cat environ",
    "cat ~/../etc/shadow",
    "cat ~/../../etc/gshadow",
    r#"awk '/[]/"]/{system("touch M")}#"' f"#,
    r#"awk '{if (1) /"/; system("touch M"); if (1) /"/}' f"#,
    r#"awk 'BEGIN{x++ / system("touch M") / 1}'"#,
    r#"awk '{$/"/; system("touch M"); $/"/}' f"#,
    r#"awk '{exit /"/} END{system("touch M"); x=/"/}' f"#,
    r#"awk -e 'BEGIN{print 1,' -e '2 > "f"}'"#,
    "sed 's/[]/a/;#]/b/w f' x",
    "sed 's/[[:alpha:]/a/;#]/b/w f' x",
    r#"sqlite3 -readonly db "select \"writefile\"('/tmp/M','x')""#,
    r#"sqlite3 -readonly db "select data from fsdir where path='/etc/shadow'""#,
    r#"sqlite3 -readonly db "select name from fsdir('/etc')""#,
    "ssh-keygen -l -R host",
    "ssh-keygen -l -H",
    "ssh-add -l -D",
    "echo 'touch M' | bash -ni",
    r"nft list ruleset \; flush ruleset",
    "nft list 'ruleset; flush ruleset'",
    "tmux ls -F '#{E:#{s/X/(/:#{l:#X}touch M)}}'",
    "timeout 5 cd /var/log && cat .kube/config",
    "p=/etc/hostname; for f in $(ls /); do cat $p; p=/etc/shadow; done",
    "p=/etc/hostname; for f in *; do cat $p; p=/etc/shadow; done",
    "p=/etc/hostname; for i in 1 2; do cat $p; p=/etc/shadow; continue; p=/etc/hostname; done",
    "p=/etc/hostname; for i in 1; do p=/etc/shadow; break; p=/etc/hostname; done; cat $p",
    "cd ~; for i in 1; do cd /etc; break; cd ~; done; cat gshadow",
    "p=/a; q=/b; while read -r x; do cat $p; p=$q; q=/etc/shadow; done",
    "a=/etc/hostname; a=/etc/shadow b=$a; cat $b",
    "cat $(echo /etc/shadow; ls | wc -l)",
    "head -n $(echo 1; echo /etc/shadow; ls | wc -l)",
    "head -n $(grep -c x a b) f",
    "x=$(cat f); sort /etc/hostname$x",
    "x=$(cat f); cat /var/log/$x",
    r#"x=$(echo ../../etc/shadow); cat "/var/log/$x""#,
    r#"for f in $(echo ../../etc/shadow); do head "/var/log/$f"; done"#,
    r#"cat "/var/log/$PATH""#,
    r#"awk '{print $1,
$2 > "f"}' x"#,
    "ps -ux -e",
    "x=$(cat f); sort /var/log/a$x.log",
    r#"x=$(cat f); cat "/var/log/$x/environ""#,
    "find /srv -name '*.py' -exec uniq {} +",
    "ls | xargs -I ls -I x ls",
    r#"x=1; y=$(cat f); [ "$x" "$y" ]"#,
    "ssh-keygen -l -p",
    r#"exit "1$(cat f)""#,
    "cat /etc/msmtprc",
    "cat .git/config",
    "cat config/database.yml",
    "zcat dump.sql.gz",
    "cat /etc/tinc/n/rsa_key.priv",
    "cat ~/Library/Keychains/login.keychain-db",
    "unzip -p x.zip etc/shadow",
    "grep -rn 'p[a]ssword' /srv/app",
    "find / -name 'id_r*'",
];

/// Their harmless neighbours.
const LOOKS: &[&str] = &[
    r#"[ "$HOME" = y ] && echo z"#,
    r#"x=$(echo a); [ -n "$x" ] && echo "$x""#,
    r#"x=$(echo a); [ "$x" = b ] || echo no"#,
    "[[ -f /etc/hosts ]]",
    "[[ 2 -gt 1 ]]",
    "ps aux",
    "ps -aux",
    "ps -ef",
    "ps -u root -o pid,args",
    "find . -name '*.py' -exec wc -l {} +",
    "ls /var/log | xargs -I{} ls /var/log/{}",
    "cat ../README.md",
    "cd .. && ls",
    "ssh-keygen -l -f /etc/ssh/ssh_host_rsa_key.pub",
    "bash -n x.sh",
    "nft list table inet filter",
    "a=1 b=2; echo $a $b",
    "for f in a b; do n=$f; echo $n; done",
    "awk '{print ($1+$2)/2; n++} END {print n/2}' f",
    r"sed -n 's/^[[:space:]]*//p' f",
    "sqlite3 -readonly db \"select count(*) from t where a in ('x')\"",
    "tmux ls -F '#{session_name}: #S'",
    "head -n $(ls | wc -l) f",
];

fn looks(line: &str, shell: &str) -> bool {
    let tables = RiskTables::builtin();
    let context = Context { shell: Some(shell.to_owned()), ..Context::default() };
    let assessment = tables.assess(line.as_bytes(), &context);
    let report = tables.report(line.as_bytes(), &context, &Looking::default());
    report.checked(&assessment).looks
}

#[test]
fn no_attack_only_looks() {
    for shell in ["bash", "zsh", "dash", "mksh"] {
        let taken: Vec<&&str> = ATTACKS.iter().filter(|line| looks(line, shell)).collect();
        assert!(taken.is_empty(), "{shell}: {taken:#?}");
    }
}

#[test]
fn their_neighbours_look() {
    let refused: Vec<&&str> = LOOKS.iter().filter(|line| !looks(line, "bash")).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn what_only_some_shells_do_is_refused_in_those() {
    assert!(!looks("cat <1-5>/dev/null", "zsh"));
    assert!(looks("printf '%d' 5", "mksh"));
    assert!(!looks("printf '%d' 'a[$(touch M)]'", "mksh"));
    assert!(!looks("[ 'a[$(touch M)]' -gt 1 ]", "mksh"));
}
