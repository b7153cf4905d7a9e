//! Paths whose content may only be read after an approval, and paths where a change deserves a
//! warning. They must never be judged but by real paths, as the target resolves them. In doubt a
//! path is a secret.

use crate::path::RemotePath;

/// Names of files that hold a key or a password, in any directory.
const SECRET_NAMES: &[&str] = &[
    ".bash_history",
    ".env",
    ".git-credentials",
    ".htpasswd",
    ".my.cnf",
    ".mysql_history",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".psql_history",
    ".pypirc",
    ".python_history",
    ".s3cfg",
    ".vault-token",
    ".zsh_history",
    "application_default_credentials.json",
    "credentials",
    "credentials.json",
    "gshadow",
    "gshadow-",
    "krb5.keytab",
    "kubeconfig",
    "master.passwd",
    "secrets.json",
    "secrets.yaml",
    "secrets.yml",
    "shadow",
    "shadow-",
    "sudoers",
    "terraform.tfstate",
    "wp-config.php",
];

/// Endings of such names.
const SECRET_ENDINGS: &[&str] =
    &[".jks", ".kdbx", ".key", ".keytab", ".keystore", ".ovpn", ".p12", ".pem", ".pfx", ".ppk"];

/// Directories in which every file is a secret.
const SECRET_DIRECTORIES: &[&str] = &[
    "/.aws/",
    "/.azure/",
    "/.config/gcloud/",
    "/.config/gh/",
    "/.docker/config.json",
    "/.gnupg/",
    "/.kube/",
    "/.password-store/",
    "/.ssh/",
    "/etc/kubernetes/",
    "/etc/letsencrypt/",
    "/etc/openvpn/",
    "/etc/ssl/private/",
    "/etc/sudoers.d/",
    "/etc/wireguard/",
    "/run/secrets/",
    "/var/lib/rancher/",
    "/var/run/secrets/",
];

/// Names in `~/.ssh` and the like that are not secret.
const PUBLIC: &[&str] = &["known_hosts", "known_hosts.old", "config", "authorized_keys"];

/// Whether reading this real path needs an approval.
pub fn is_secret(path: &RemotePath) -> bool {
    let text = String::from_utf8_lossy(path.as_bytes()).to_lowercase();
    let name = text.rsplit('/').next().unwrap_or_default();
    if name.ends_with(".pub") || (text.contains("/.ssh/") && PUBLIC.contains(&name)) {
        return false;
    }
    let whole = format!("{text}/");
    SECRET_NAMES.contains(&name)
        || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || SECRET_DIRECTORIES
            .iter()
            .any(|d| whole.contains(d) || (!d.ends_with('/') && text.ends_with(d)))
        || name.starts_with(".env.")
        || name.starts_with("id_")
        || (name.starts_with("ssh_host_") && name.ends_with("_key"))
        || reads_a_process(&text)
}

/// Memory, environment and open files of running programs, and whole disks.
fn reads_a_process(text: &str) -> bool {
    let process = text.strip_prefix("/proc/").is_some_and(|rest| {
        let part = rest.split_once('/').map_or("", |(_, part)| part);
        ["environ", "mem", "maps", "cmdline", "auxv"].iter().any(|p| part.ends_with(p))
            || part.contains("fd/")
            || part.contains("root/")
            || part.contains("cwd/")
            || rest == "kcore"
    });
    process || text.starts_with("/dev/")
}

/// Why a change of this real path deserves a second look.
pub fn why_sensitive(path: &RemotePath) -> Option<&'static str> {
    let text = String::from_utf8_lossy(path.as_bytes()).to_lowercase();
    let (whole, name) = (format!("{text}/"), text.rsplit('/').next().unwrap_or_default());
    let within = |directories: &[&str]| directories.iter().any(|d| whole.contains(d));
    let below = |directories: &[&str]| directories.iter().any(|d| whole.starts_with(d));
    if within(&["/.ssh/"]) || name == "authorized_keys" || below(&["/etc/ssh/"]) {
        return Some("SSH's own files: they decide who may log in and what runs at a login");
    }
    if below(&["/etc/sudoers", "/etc/pam.d/", "/etc/security/", "/etc/doas"]) {
        return Some("decides who may become root");
    }
    if ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow"].contains(&text.as_str()) {
        return Some("the accounts of the target");
    }
    let cron = ["/etc/cron", "/etc/anacrontab", "/var/spool/cron/", "/var/spool/at/"];
    if below(&cron) {
        return Some("runs by itself at times (cron, at)");
    }
    if within(&["/systemd/system/", "/systemd/user/", "/systemd/system-generators/"])
        || below(&[
            "/etc/init.d/",
            "/etc/rc.local/",
            "/etc/rc",
            "/etc/udev/",
            "/etc/xdg/autostart/",
        ])
        || within(&["/.config/autostart/", "/.config/systemd/"])
    {
        return Some("runs by itself at the start of the system or of a login");
    }
    const START_UP: &[&str] = &[
        ".bash_aliases",
        ".bash_login",
        ".bash_logout",
        ".bash_profile",
        ".bashrc",
        ".cshrc",
        ".kshrc",
        ".login",
        ".profile",
        ".tcshrc",
        ".vimrc",
        ".xinitrc",
        ".xprofile",
        ".zlogin",
        ".zlogout",
        ".zprofile",
        ".zshenv",
        ".zshrc",
    ];
    if START_UP.contains(&name)
        || below(&["/etc/profile", "/etc/bash", "/etc/zsh", "/etc/environment/", "/etc/fish/"])
        || within(&["/.config/fish/", "/.bashrc.d/"])
    {
        return Some("a start-up file: a shell runs it at the next login");
    }
    if below(&["/etc/ld.so", "/lib/", "/lib64/", "/usr/lib/ld"]) {
        return Some("part of every program that starts on the target");
    }
    if within(&["/.git/hooks/", "/.git/config/"]) || name == ".gitconfig" {
        return Some("git runs commands that it names");
    }
    below(&["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"])
        .then_some("a program on the search path")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn path(text: &str) -> RemotePath {
        RemotePath::new(text.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn secrets() {
        for secret in [
            "/etc/shadow",
            "/home/a/.ssh/id_ed25519",
            "/home/a/.ssh/work",
            "/srv/app/.env",
            "/srv/app/.env.production",
            "/srv/tls/site.PEM",
            "/root/.kube/config",
            "/home/a/.aws/credentials",
            "/home/a/.docker/config.json",
            "/etc/ssh/ssh_host_ed25519_key",
            "/proc/1/environ",
            "/proc/self/root/etc/passwd",
            "/proc/77/task/77/mem",
            "/dev/sda",
            "/etc/ssl/private/x",
            "/home/a/.netrc",
            "/backup/id_rsa",
        ] {
            assert!(is_secret(&path(secret)), "{secret}");
        }
        for open in [
            "/etc/passwd",
            "/home/a/.ssh/id_ed25519.pub",
            "/home/a/.ssh/known_hosts",
            "/srv/app/env",
            "/srv/app/main.py",
            "/proc/cpuinfo",
            "/proc/1/status",
            "/srv/shadow.txt",
        ] {
            assert!(!is_secret(&path(open)), "{open}");
        }
    }

    #[test]
    fn sensitive() {
        for (p, word) in [
            ("/home/a/.ssh/rc", "SSH"),
            ("/root/.ssh", "SSH"),
            ("/etc/cron.d/x", "cron"),
            ("/var/spool/cron/crontabs/root", "cron"),
            ("/etc/sudoers.d/x", "root"),
            ("/etc/systemd/system/x.service", "start of the system"),
            ("/home/a/.bashrc", "start-up"),
            ("/etc/profile.d/x.sh", "start-up"),
            ("/usr/local/bin/x", "search path"),
            ("/srv/r/.git/hooks/post-merge", "git"),
        ] {
            assert!(why_sensitive(&path(p)).unwrap().contains(word), "{p}");
        }
        assert_eq!(why_sensitive(&path("/srv/app/x")), None);
    }
}
