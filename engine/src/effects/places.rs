//! Which places hold secrets, and which are devices. It must never call a place harmless because only
//! part of its name is known.

use std::sync::LazyLock;

use super::model::Class;
use crate::literals::Literals;
use crate::tables::{PathLists, RiskTables, wildcard};

/// Files below `/dev`, `/proc` and `/sys` that tell of the machine and nothing else.
const TELLING: &[&str] = &[
    "/dev/null",
    "/dev/zero",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/version",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/stat",
    "/proc/vmstat",
    "/proc/diskstats",
    "/proc/partitions",
    "/proc/filesystems",
    "/proc/mounts",
    "/proc/swaps",
    "/proc/modules",
    "/proc/interrupts",
    "/proc/devices",
    "/proc/self/status",
    "/proc/self/mounts",
    "/proc/self/mountinfo",
    "/proc/self/cgroup",
    "/proc/1/cgroup",
    "/proc/1/comm",
    "/proc/net/dev",
    "/proc/net/route",
    "/proc/net/tcp",
    "/proc/net/tcp6",
    "/proc/net/udp",
    "/proc/net/unix",
    "/proc/net/arp",
    "/proc/net/fib_trie",
    "/proc/mdstat",
    "/proc/buddyinfo",
    "/proc/zoneinfo",
    "/proc/slabinfo",
    "/proc/softirqs",
    "/proc/cgroups",
    "/proc/cmdline",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/random/uuid",
    "/proc/sys/fs/file-nr",
    "/proc/sys/fs/file-max",
    "/proc/sys/net/ipv4/ip_forward",
    "/proc/sys/vm/swappiness",
    "/proc/sys/vm/overcommit_memory",
    "/proc/pressure/cpu",
    "/proc/pressure/memory",
    "/proc/pressure/io",
    "/sys/class/net",
    "/sys/class/dmi/id/product_name",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/memory.current",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
];

/// Directories below which much is secret: reading all of them in bulk is not looking.
const BULK: &[&str] = &[
    "/",
    "/boot",
    "/data",
    "/dev",
    "/etc",
    "/home",
    "/mnt",
    "/media",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/srv",
    "/sys",
    "/usr",
    "/usr/local",
    "/usr/local/etc",
    "/var",
    "/var/lib",
    "/var/run",
    "/var/backups",
    "/var/spool",
    "/Users",
    "/Library",
    "/System",
    "/private",
    "~",
];

/// Names of files that hold secrets in one installation or another, to try patterns on.
const SAMPLES: &[&str] = &[
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    "server.key",
    "private.key",
    "key.pem",
    "privkey.pem",
    "x.pfx",
    "x.p12",
    "x.jks",
    "x.keytab",
    "x.kdbx",
    "secrets.yml",
    "secrets.yaml",
    "secrets.json",
    "credentials.json",
    "credentials",
    "x.tfstate",
    "shadow",
    "shadow-",
    "gshadow",
    "sudoers",
    "passwd.bak",
    "shadow.bak",
    "wg0.conf",
    "dump.sql",
    "backup.sql",
    "prod.env",
    ".env",
    ".env.local",
    ".netrc",
    ".pgpass",
    ".my.cnf",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".bash_history",
    ".zsh_history",
    "wp-config.php",
    "master.key",
    "token",
    "auth.json",
    "admin.conf",
    "k3s.yaml",
    "krb5.keytab",
    "ssh_host_rsa_key",
    "logins.json",
    "key4.db",
    "Cookies",
    "rclone.conf",
    "htpasswd",
    ".htpasswd",
    ".vault-token",
    "kubeconfig",
    "terraform.tfvars",
    "service-account.json",
];

/// Where secrets lie that are named by their directory.
const SECRET_DIRECTORIES: &[&str] = &[
    "~/.ssh",
    "~/.gnupg",
    "~/.aws",
    "~/.azure",
    "~/.kube",
    "~/.docker",
    "~/.config/gcloud",
    "~/.config/gh",
    "~/.config/op",
    "~/.password-store",
    "/etc/ssl/private",
    "/etc/wireguard",
    "/etc/kubernetes",
    "/etc/letsencrypt",
    "/etc/openvpn",
    "/root/.ssh",
    "/run/secrets",
    "/var/run/secrets",
    "/var/lib/postgresql",
    "/var/lib/mysql",
    "/var/lib/docker",
    "/var/lib/kubelet",
    "/etc/sudoers.d",
    "/etc/NetworkManager/system-connections",
    "/etc/ipsec.d/private",
    "/etc/pki/tls/private",
    "/etc/swanctl/private",
    "/etc/tinc",
    "/var/lib/samba/private",
    "~/.bitcoin",
    "~/.electrum",
    "~/.ethereum",
    "~/.irssi",
    "~/.ngrok2",
    "~/.subversion/auth",
    "~/Library/Keychains",
    "/var/spool/cron",
    "/var/lib/redis",
    "/var/lib/vault",
];

/// Where files are devices. GNU awk connects to what is called `/inet/tcp/0/HOST/PORT`.
const DEVICES: &[&str] = &["/dev", "/inet", "/inet4", "/inet6", "/proc", "/sys"];

/// The class of a path whose every character is known.
pub(crate) fn class(lists: &PathLists, path: &str) -> Class {
    let path = path.trim_end_matches('/');
    let path = if path.is_empty() { "/" } else { path };
    if TELLING.contains(&path) {
        return Class::Plain;
    }
    if let Some(rest) = process_file(path) {
        return if matches!(
            rest,
            "status" | "stat" | "statm" | "comm" | "cmdline" | "limits" | "cgroup" | ""
        ) {
            Class::Plain
        } else {
            Class::Secret
        };
    }
    if DEVICES.iter().any(|top| is_beneath(path, top)) {
        return Class::Device;
    }
    if is_secret(lists, path) {
        return Class::Secret;
    }
    if lists.is_system(path) { Class::System } else { Class::Plain }
}

/// `/proc/4711/status`: what follows the number.
fn process_file(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/proc/")?;
    let (pid, file) = rest.split_once('/').unwrap_or((rest, ""));
    let is_pid = !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit());
    is_pid.then_some(file)
}

fn is_secret(lists: &PathLists, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    // Addresses of remotes, with tokens in them.
    let of_git = path == ".git/config" || path.ends_with("/.git/config");
    of_git || lists.is_secret(path) || is_in_secret_directory(path) || is_secret_name(lists, name)
}

fn is_in_secret_directory(path: &str) -> bool {
    let home = home_of(path);
    SECRET_DIRECTORIES.iter().any(|directory| is_beneath(&home, directory))
}

/// `/root/x` and `/home/bob/x` as `~/x`.
fn home_of(path: &str) -> String {
    if let Some(rest) = path.strip_prefix("/root")
        && (rest.is_empty() || rest.starts_with('/'))
    {
        return format!("~{rest}");
    }
    for top in ["/home/", "/Users/"] {
        if let Some(rest) = path.strip_prefix(top) {
            let rest = rest.split_once('/').map_or("", |(_, rest)| rest);
            return if rest.is_empty() { "~".to_owned() } else { format!("~/{rest}") };
        }
    }
    path.to_owned()
}

/// Words in a file's name that say that it holds a secret.
const SECRET_WORDS: &[&str] = &[
    "secret",
    "password",
    "passwd",
    "credential",
    "private_key",
    "privatekey",
    "private-key",
    "apikey",
    "api_key",
    "api-key",
    "htpasswd",
    "keystore",
    "token",
    "vault",
];

/// Files with passwords for programs, in lower case.
const SECRET_FILES: &[&str] = &[
    ".curlrc",
    ".fetchmailrc",
    ".msmtprc",
    ".viminfo",
    ".wgetrc",
    ".xauthority",
    "database.yml",
    "gitlab.rb",
    "gradle.properties",
    "grafana.ini",
    "hostapd.conf",
    "msmtprc",
    "ngrok.yml",
    "user-data.txt",
    "wallet.dat",
    "wpa_supplicant.conf",
];

/// How the names of source code and of texts about it end.
const SOURCE: &[&str] = &[
    ".py", ".rs", ".go", ".js", ".ts", ".tsx", ".jsx", ".c", ".h", ".cc", ".cpp", ".java", ".rb",
    ".md", ".html", ".css", ".rst", ".php", ".sh",
];

/// Whether a pattern fits nothing but source code: `*.py`.
pub(crate) fn is_source(pattern: &str) -> bool {
    let name = pattern.rsplit('/').next().unwrap_or(pattern);
    let end = name.rfind(['*', '?', ']']).map_or(name, |at| name.get(at + 1..).unwrap_or(""));
    SOURCE.iter().any(|known| end.ends_with(known))
}

/// Whether what is at a path is a secret.
pub(crate) fn is_secret_place(tables: &RiskTables, path: &str) -> bool {
    matches!(class(&tables.path_lists, path), Class::Secret)
}

/// Whether a file's name says that it holds a secret.
fn is_secret_name(lists: &PathLists, name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    if matches!(lower.as_str(), "passwd" | "passwd-") {
        return false;
    }
    // Source code about secrets is no secret.
    if SOURCE.iter().any(|end| lower.ends_with(end)) {
        return lists.is_secret(name) || lists.is_secret(&format!("/x/{name}"));
    }
    static WORDS: LazyLock<Literals> = LazyLock::new(|| Literals::new(SECRET_WORDS));
    let worded =
        WORDS.any_where(&lower, |word, after| !(word == "token" && after.starts_with("iz")));
    let ends = [
        ".key", ".pem", ".env", ".pfx", ".p12", ".jks", ".keytab", ".kdbx", ".gpg", ".age",
        ".ovpn", ".ppk", ".tfvars", ".tfstate", ".sql", ".dump", ".priv",
    ];
    let mut pieces = lower.trim_end_matches('~');
    for end in
        [".gz", ".bz2", ".xz", ".zst", ".zip", ".tar", ".tgz", ".bak", ".old", ".orig", ".save"]
    {
        pieces = pieces.strip_suffix(end).unwrap_or(pieces);
    }
    worded
        || SECRET_FILES.contains(&pieces)
        || ends.iter().any(|end| pieces.ends_with(end))
        || lower.starts_with("id_rsa")
        || lower.starts_with(".env")
        || lower.starts_with("shadow")
        || lower.starts_with("wg") && lower.ends_with(".conf")
        || lists.is_secret(&format!("/x/{name}"))
}

/// Whether a path is a directory or lies in it.
pub(crate) fn is_beneath(path: &str, directory: &str) -> bool {
    if directory == "/" {
        return path.starts_with('/');
    }
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The class of a place of which only a pattern is known: the worst of what it may be. `deep`: with all
/// that lies in it.
pub(crate) fn class_of_pattern(lists: &PathLists, pattern: &str, open: bool, deep: bool) -> Class {
    if !open {
        let own = class(lists, pattern);
        return if own == Class::Plain || own == Class::System {
            if deep && holds_secrets(pattern) { Class::Secret } else { own }
        } else {
            own
        };
    }
    let directory = directory_of(pattern);
    let tail = pattern.get(directory.len()..).unwrap_or("").trim_start_matches('/');
    let source = is_source(pattern);
    if deep && holds_secrets(&directory) && !source {
        return Class::Secret;
    }
    if DEVICES.iter().any(|top| is_beneath(&directory, top) || may_lie_in(pattern, top)) {
        return Class::Device;
    }
    // Nothing is known of where it is, or it may be anywhere below a place that holds secrets.
    if directory.is_empty() || pattern.contains("**") && holds_secrets(&directory) && !source {
        return Class::Secret;
    }
    let home = home_of(&directory);
    if SECRET_DIRECTORIES.iter().any(|secret| {
        is_beneath(&home, secret)
            || is_beneath(secret, &home) && pattern.contains("**") && !source
            || may_lie_in(pattern, secret) && !(source && pattern.contains("**"))
    }) {
        return Class::Secret;
    }
    let last = tail.rsplit('/').next().unwrap_or(tail);
    let hidden = last.starts_with('.');
    let fits = |name: &&str| {
        (hidden || !name.starts_with('.') || last.starts_with("**")) && wildcard(last, name)
    };
    if SAMPLES.iter().any(fits) {
        return Class::Secret;
    }
    if lists.is_system(&directory) { Class::System } else { Class::Plain }
}

/// Whether something that the pattern fits lies in the directory. `~` stands for every home.
fn may_lie_in(pattern: &str, directory: &str) -> bool {
    let Some(below) = directory.strip_prefix("~/") else { return begins(pattern, directory) };
    let homes = ["~/", "/root/", "/home/?/", "/Users/?/"];
    homes.iter().any(|home| begins(pattern, &format!("{home}{below}")))
}

/// Whether the pattern's first parts fit those of the directory, in which `?` is any name.
fn begins(pattern: &str, directory: &str) -> bool {
    let mut parts = pattern.split('/');
    for name in directory.split('/') {
        let Some(part) = parts.next() else { return false };
        if part.contains("**") {
            return true;
        }
        let hidden = name.starts_with('.') && !part.starts_with('.');
        if name != "?" && (hidden || !wildcard(part, name)) {
            return false;
        }
    }
    parts.next().is_some()
}

/// The directory in front of the first character that is not known.
fn directory_of(pattern: &str) -> String {
    let cut = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
    let known = pattern.get(..cut).unwrap_or("");
    match known.rfind('/') {
        Some(0) => "/".to_owned(),
        Some(at) => known.get(..at).unwrap_or("").to_owned(),
        None if known.starts_with('~') => "~".to_owned(),
        None => String::new(),
    }
}

/// Whether a directory holds secrets somewhere beneath it.
fn holds_secrets(directory: &str) -> bool {
    let directory = directory.trim_end_matches('/');
    let directory = if directory.is_empty() { "/" } else { directory };
    let home = home_of(directory);
    BULK.contains(&directory)
        || home == "~"
        || SECRET_DIRECTORIES
            .iter()
            .any(|secret| is_beneath(secret, directory) || is_beneath(secret, &home))
}

/// Whether permissions include those of the owner or group for whoever runs the file.
pub(crate) fn is_raised(mode: &str) -> bool {
    let digits = mode.trim_start_matches(['-', '/', '+']);
    let special = digits.len() >= 4 && !digits.starts_with(['0', '1']);
    special || digits.contains('s') || digits.contains('*')
}

/// What logs say of a login and what settings about passwords are called is no password.
const HARMLESS: [&str; 10] = [
    "failed password",
    "accepted password",
    "invalid password",
    "password authentication",
    "passwordauthentication",
    "passwordauth",
    "permitemptypasswords",
    "authentication failure",
    "/etc/passwd",
    "shadowsocks",
];

/// What only a search for credentials has.
const HUNTED: [&str; 66] = [
    "passw",
    "passwd",
    "pwd=",
    "secret",
    "credential",
    "api_key",
    "api-key",
    "apikey",
    "api.key",
    "access_key",
    "access-key",
    "accesskey",
    "private key",
    "private_key",
    "private.key",
    "privatekey",
    "begin rsa",
    "begin openssh",
    "begin ec",
    "akia",
    "aws_",
    "bearer",
    "ghp_",
    "gho_",
    "github_pat",
    "hf_",
    "xox",
    "sk-",
    "id_rsa",
    "id_ed25519",
    "id_dsa",
    ".pem",
    ".pfx",
    ".p12",
    ".kdbx",
    ".keystore",
    ".jks",
    "authorized_keys",
    ".netrc",
    ".pgpass",
    ".git-credentials",
    "shadow",
    "_token",
    "-token",
    "token=",
    "token:",
    "auth_token",
    "authtoken",
    "oauth",
    "jwt",
    "keytab",
    "htpasswd",
    ".ovpn",
    ".env",
    "_history",
    "wallet",
    "mnemonic",
    "seed phrase",
    "keepass",
    "connectionstring",
    "connection_string",
    "conn_str",
    "vault",
    "encryption_key",
    "signing_key",
    "client_secret",
];

/// Whether a text looks for credentials: a pattern or name that only a search for them has.
pub(crate) fn is_hunt(pattern: &str) -> bool {
    static PHRASES: LazyLock<Literals> = LazyLock::new(|| Literals::new(HARMLESS));
    static WORDS: LazyLock<Literals> = LazyLock::new(|| Literals::new(HUNTED));
    let mut lower = pattern.to_ascii_lowercase();
    if PHRASES.any_in(&lower) {
        for phrase in HARMLESS {
            lower = lower.replace(phrase, "");
        }
    }
    if WORDS.any_in(&lower) {
        return true;
    }
    // `p[a]ssword`, `pass\(word\|phrase\)`, `id_r*`
    let bare: String = lower.chars().filter(|c| !"[]\\()?^$".contains(*c)).collect();
    if bare.len() < lower.len() && WORDS.any_in(&bare) {
        return true;
    }
    if lower.trim_end_matches(['*', '?']).starts_with("id_") && lower.ends_with(['*', '?']) {
        return true;
    }
    // `token` and `key` by themselves.
    if matches!(
        lower.trim_matches(|c: char| !c.is_ascii_alphanumeric()),
        "token" | "tokens" | "key" | "keys" | "pass" | "pwd" | "cred" | "creds" | "auth"
    ) {
        return true;
    }
    // `[A-Za-z0-9+/]{40,}`: any long random text.
    let random = (lower.contains("a-z0-9")
        || lower.contains("0-9a-f")
        || lower.contains("a-f0-9")
        || lower.contains("0-9a-z"))
        && lower.contains('{');
    random
        && lower
            .split('{')
            .skip(1)
            .filter_map(|rest| {
                rest.split([',', '}']).next()?.trim_end_matches('\\').parse::<u32>().ok()
            })
            .any(|least| least >= 16)
}
