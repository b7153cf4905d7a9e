//! The closed grammars of programs, form by form: what looks, what must never be taken for looking, and
//! what writers are said to do.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use expacti_engine::{Context, Effect, Looking, MatchKind, Outcome, RiskTables, Rule, RuleSet};

fn report(line: &str, looking: &Looking) -> expacti_engine::LineReport {
    let context = Context { shell: Some("bash".to_owned()), ..Context::default() };
    RiskTables::builtin().report(line.as_bytes(), &context, looking)
}

fn looks(line: &str) -> bool {
    report(line, &Looking::default()).looks
}

#[track_caller]
fn none(lines: &[&str]) {
    let wrong: Vec<&&str> = lines.iter().filter(|line| looks(line)).collect();
    assert!(wrong.is_empty(), "taken for looking: {wrong:#?}");
}

#[track_caller]
fn all(lines: &[&str]) {
    let why = |line: &&&str| report(line, &Looking::default()).why;
    let wrong: Vec<_> =
        lines.iter().filter(|line| !looks(line)).map(|line| (line, why(&line))).collect();
    assert!(wrong.is_empty(), "not taken for looking: {wrong:#?}");
}

#[test]
fn what_people_look_with() {
    all(&[
        "date +%s",
        "date '+%F %T'",
        "date -d '2 days ago' +%F",
        "dpkg -l | grep nginx",
        "dpkg -S /usr/bin/ls",
        "pip3 list | grep torch",
        "curl --version",
        "sqlite3 --version",
        "git --version",
        "nginx -v 2>&1",
        "crontab -l",
        "service nginx status",
        "dd if=/srv/a.ppm bs=1 skip=$((15+800)) count=30 2>/dev/null | od -t u1",
        "find /app/linux -name '*.c' -exec grep -l start_kernel {} \\;",
        "jq -r '.rules[] | \"\\(.id)|\\(.pattern)\"' /srv/rules.json",
        "jq '.spec.containers[].env' /srv/pod.json",
        "tar -tf a.tar",
        "tar tzvf a.tar.gz",
        "tar -tvf a.tar | grep -i x",
        "unzip -l a.zip",
        "unzip -p a.zip x/y",
        "gzip -dc a.gz | head",
        "zcat /var/log/x.gz",
        "xz -dc a.xz | head -3",
        "bunzip2 -c a.bz2",
        "xxd -l16 -g2 f",
        "ps aux --sort=-%mem | head",
        "ps -eo pid,ppid,cmd --sort=-%cpu",
        "ps axo pid,comm",
        "ps -ef",
        "ip route show",
        "ip -br a",
        "ip link show eth0",
        "ss -tlnp",
        "iptables -L -n -v",
        "ufw status verbose",
        "mount | grep ext4",
        "systemctl show nginx -p MainPID",
        "systemctl --failed",
        "journalctl -u nginx -n 50 --no-pager",
        "hostnamectl",
        "timedatectl",
        "loginctl list-sessions",
        "apt list --installed",
        "apt-cache policy nginx",
        "rpm -qa",
        "rpm -qi bash",
        "sysctl net.ipv4.ip_forward",
        "openssl x509 -in /srv/x.crt -noout -dates",
        "openssl version",
        "bash -n x.sh",
        "grep 'Failed password' /var/log/auth.log",
        "grep PasswordAuthentication /etc/ssh/sshd_config",
        "for i in {1..10}; do cat /srv/out/$i.txt; done",
        "printenv HOME",
        "getent passwd root",
        "lsblk -o NAME,SIZE",
        "smartctl -a /srv/x",
        "nvidia-smi",
        "gcc --version",
        "java -version",
        "du -sh $HOME/.cache/x",
    ]);
}

#[test]
fn options_that_write_run_or_set() {
    none(&[
        // The second operand is an output, or an option behind the first.
        "xxd a b",
        "xxd a -p",
        "uniq a b",
        "lz4 -dc a b",
        "split a",
        "csplit a 5",
        "sqlite3 a.db 'select 1'",
        "sqlite3 -readonly a.db '.shell id'",
        "sqlite3 -readonly a.db '.output x'",
        "sqlite3 -cmd '.shell id' -readonly a.db 'select 1'",
        // They set what others with the same program only show.
        "date 0101",
        "date -s now",
        "date x",
        "hostname evil",
        "sysctl net.ipv4.ip_forward=1",
        "sysctl -w a=1",
        "sysctl -p",
        "ulimit -n 10",
        "ifconfig eth0 10.0.0.1",
        "ifconfig eth0 up",
        "ip link s eth0 up",
        "ip link set eth0 down",
        "ip a add 10.0.0.1/8 dev eth0",
        "ip netns exec x sh",
        "ip -batch x",
        "ss -K dst 10.0.0.1",
        "ss --kill",
        "ss -D x",
        "arp -d host",
        "iptables -F",
        "iptables -L -Z",
        "iptables -A INPUT -j DROP",
        "nft flush ruleset",
        "ufw disable",
        "dmesg -C",
        "dmesg -c",
        "journalctl --vacuum-size=1",
        "journalctl --rotate",
        "mount -a",
        "mount /dev/sda1 /mnt",
        "swapon -a",
        "crontab x",
        "crontab",
        "crontab -r",
        "crontab -u root",
        "ethtool -s eth0 speed 10",
        "smartctl -s on /dev/sda",
        "fuser -k 80/tcp",
        "pidstat -e id",
        "passwd -S -d root",
        "chage -E 0 root",
        "passwd root",
        "update-alternatives --set x y",
        "timedatectl set-time now",
        "hostnamectl set-hostname x",
        "systemctl edit nginx",
        "systemctl set-environment A=b",
        "service nginx restart",
        "service nginx",
        "loginctl kill-session 1",
        // What they install, and what packages bring runs.
        "rpm -i x.rpm",
        "rpm -V bash",
        "rpm --eval '%(id)'",
        "rpm -qp https://example.org/x.rpm",
        "dpkg -i x.deb",
        "dpkg --pre-invoke=id -l",
        "apt install x",
        "apt-get update",
        "pip install x",
        "pip download x",
        "npm install",
        "gem install x",
        // Commands in options.
        "tar -tf a.tar --use-compress-program=id",
        "tar -tf a.tar -I id",
        "tar -tf a.tar --checkpoint=1 --checkpoint-action=exec=id",
        "tar -tf host:a.tar",
        "tar tf host:a.tar",
        "tar xf a.tar",
        "tar -t -x -f a.tar",
        "tar cf a.tar b",
        "unzip a.zip",
        "gzip a",
        "gzip -dk a.gz",
        "bunzip2 -t -d a.bz2",
        "xz -t -d a.xz",
        "zstd -l -d a.zst",
        "7z x a.7z",
        "find . -fprintf x y",
        "fd -x id",
        "rg --pre id x",
        "rg -z x",
        "rg --hostname-bin id x",
        "nm --plugin x.so a.o",
        "nm @x",
        "file -C -m x",
        "file -z x",
        "file -f x",
        "less +!id x",
        "more +!id x",
        "man ls",
        "ldd /srv/x",
        "bat --pager id --paging always x",
        "batcat -L",
        "fish -v -c id",
        "as -V",
        "ksh -version",
        "gdb -version",
        "gpg -version",
        "yq -i .a x",
        "yq 'load(\"/etc/shadow\")' x",
        "yq 'system(\"id\")' x",
        "nice -n 5 id -x",
        "nohup ls",
        "env A=b ls",
        "xargs -a x rm",
        "watch ls",
        "script -c id",
        "openssl x509 -in a -out b",
        "openssl req -new -key k",
        "openssl s_client -connect x:443",
        "openssl rand -writerand x 4",
        "ssh-keygen -f x",
        "curl -o x http://localhost/",
        "nginx",
        "nginx -t",
        "nginx -s stop",
        "nginx -t -c /tmp/x",
        "php x.php",
        "vim x",
        "python3 x.py",
        "python3 -m http.server",
        "node x.js",
        "go version",
        "tmux send-keys id Enter",
        "tmux capture-pane",
        "tmux list-windows -F '#(id)'",
        "ffprobe http://example.org/x",
        "ffprobe concat:a|b",
        "xmllint http://example.org/x",
        "gawk '{print}' /inet/tcp/0/example.org/80",
        "awk '{print}' /inet/tcp/0/example.org/80",
        "zgrep x *.gz",
    ]);
}

#[test]
fn what_may_be_a_secret() {
    none(&[
        "getent shadow",
        "getent gshadow root",
        "printenv AWS_SECRET_ACCESS_KEY",
        "printenv",
        "env",
        "ps auxe",
        "ps e",
        "ps -eo pid,environ",
        "systemctl show nginx",
        "systemctl show nginx -p Environment",
        "systemctl show-environment",
        "docker inspect x",
        "git remote -v",
        "git config -l",
        "history",
        "jq -n env",
        "jq -n --arg a . env",
        "jq -n '$ENV'",
        "jq '\"\\(env)\"' x",
        "jq '\"\\(\"\\($ENV)\")\"' x",
        "jq -n '# \\\n env' x",
        "nginx -T",
        "kubectl get secrets",
        "grep -c 'password=' x",
        "find / -name '*.c' -o -exec cat {} +",
        "find . -name '*.c' -exec true {} \\; -o -exec cat {} \\;",
        "find . -exec cat {} \\; -name '*.c'",
        "find ~ -name '*' -exec cat {} +",
        "find / -name '*.env' -exec cat {} +",
        "grep foo /etc/shadow *",
        "grep -d recurse x /etc",
        "bash -n -",
        "date -f /etc/shadow",
    ]);
}

#[test]
fn other_directories_configure_too() {
    let trusting = Looking { trusted: vec!["/srv/app".to_owned()], ..Looking::default() };
    for line in [
        "cd /srv/app && git status",
        "cd /srv/app && git log --oneline -5",
        "git -C /srv/app diff --stat",
        "cd /srv/app && git branch -a",
        "cd /srv/app && git stash list",
        "cd /srv/app && npm ls",
    ] {
        assert!(report(line, &trusting).looks, "{line}: {:?}", report(line, &trusting).why);
    }
    for line in [
        "git status",
        "cd /srv/app && git -C /tmp/evil status",
        "cd /srv/app && git -C .. status",
        "cd /srv/app && git --git-dir=/tmp/evil/.git log",
        "cd /srv/app && git -c core.pager=id log",
        "cd /srv/app && git log --output=x",
        "cd /srv/app && git diff --no-index a b",
        "cd /srv/app && git branch x",
        "cd /srv/app && git branch -a x",
        "cd /srv/app && git branch -d x",
        "cd /srv/app && git tag x",
        "cd /srv/app && git stash",
        "cd /srv/app && git stash drop",
        "cd /srv/app && git remote show origin",
        "cd /srv/app && git ls-remote",
        "cd /srv/app && git grep -O x",
        "cd /srv/app && git reflog expire --all",
        "cd /srv/app && git cat-file --batch",
        "cd /srv/app && git show --textconv x",
        "cd /srv/app && npm run x",
        "cd /srv/app && npm view x",
    ] {
        assert!(!report(line, &trusting).looks, "{line}");
    }
}

#[test]
fn this_machine_may_be_asked_where_the_rule_says_so() {
    let loopback = Looking { loopback: true, ..Looking::default() };
    for line in [
        "curl -s http://localhost:5000/status",
        "curl -sk -o /dev/null -w '%{http_code}' https://127.0.0.1:8443/",
        "curl -I localhost:80",
        "curl -X GET http://localhost/",
    ] {
        assert!(report(line, &loopback).looks, "{line}: {:?}", report(line, &loopback).why);
        assert!(!looks(line), "{line}");
    }
    for line in [
        "curl -X POST http://localhost/",
        "curl -d x http://localhost/",
        "curl -w @/etc/shadow http://localhost/",
        "curl -w '%output{x}' http://localhost/",
        "curl -H @/etc/shadow http://localhost/",
        "curl -K x http://localhost/",
        "curl -x http://evil/ http://localhost/",
        "curl -L http://localhost/",
        "curl -b x http://localhost/",
        "curl -c x http://localhost/",
        "curl -O http://localhost/x",
        "curl --resolve localhost:80:10.0.0.1 http://localhost/",
        "curl -T x http://localhost/",
        "wget http://localhost/",
        "docker ps",
        "kubectl get pods",
        "psql -c 'select 1'",
    ] {
        assert!(!report(line, &loopback).looks, "{line}");
    }
}

#[test]
fn writers_say_what_they_do() {
    let effects = |line: &str| report(line, &Looking::default()).commands[0].effects.clone();
    for line in ["systemctl restart nginx", "supervisorctl restart x"] {
        assert!(effects(line).changes.contains("service"), "{line}");
    }
    for (line, change) in [
        ("apt-get -y install nginx", "package"),
        ("dpkg -i x.deb", "package"),
        ("kubectl -n prod delete pod x", "cluster"),
        ("docker run -d nginx", "container"),
        ("ip addr add 10.0.0.1/8 dev eth0", "network"),
        ("iptables -A INPUT -j DROP", "network"),
        ("kill -9 1", "process"),
        ("useradd -m bob", "user"),
        ("crontab -r", "schedule"),
        ("git commit -m x", "repository"),
        ("mount -o ro /dev/sda1 /mnt", "system"),
    ] {
        let done = effects(line);
        assert!(done.closed && done.changes.contains(change), "{line}: {done:?}");
    }
    assert_eq!(effects("cp -t /srv/b /srv/a").writes[0].path, "/srv/b");
    assert_eq!(effects("mv -t /srv/b /srv/a").deletes[0].path, "/srv/a");
    assert!(!effects("find /srv -delete").deletes.is_empty());
    assert!(!effects("rsync -a --delete a b").deletes.is_empty());
    assert_eq!(effects("dpkg -i x.deb").stdin, "code");
    assert_eq!(effects("crontab").stdin, "code");
    assert_eq!(effects("psql").terminal, "shell");
    assert_eq!(effects("psql -c 'select 1'").terminal, "pager");
    assert_eq!(effects("tar xf -").stdin, "archive");
    assert!(effects("gzip a").deletes.iter().any(|touched| touched.path == "~/a"));
}

#[test]
fn a_deny_rule_knows_every_form_of_an_option() {
    for (pattern, lines) in [
        (
            "git push --force",
            &["git push -f", "git push -fu origin main", "git -C /srv push x -f"][..],
        ),
        ("git branch -d", &["git branch --delete x"]),
        ("git commit --amend", &["git commit --amend -m x"]),
        ("docker run --privileged", &["docker run --rm --privileged x"]),
        ("docker rm -f", &["docker rm --force x", "podman-x docker rm -fv y"][..1]),
        ("systemctl disable --now", &["systemctl --now disable x"]),
        ("crontab -r", &["crontab -u bob -r"]),
        ("iptables -F", &["iptables --flush", "iptables -t nat -F"]),
        ("tar --extract", &["tar -xzf a.tgz", "tar -x -f a.tgz"]),
        ("rsync --delete", &["rsync -a --delete a b", "rsync --del a b"]),
    ] {
        let rule = Rule {
            author: "ann".to_owned(),
            ..Rule::new("no", MatchKind::Glob, pattern.to_owned(), Effect::Deny)
        };
        let set = RuleSet::build(vec![rule]).unwrap();
        for line in lines {
            let outcome = set.judge(line.as_bytes(), &Context::default()).verdict;
            assert_eq!(outcome, Outcome::Deny, "{pattern}: {line}");
        }
    }
}
