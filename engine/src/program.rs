//! How a word names a program. It must never look at the file system: a name is text.

/// The shells whose grammar is read here.
pub(crate) const SHELLS: [&str; 7] = ["sh", "bash", "zsh", "dash", "ash", "ksh", "mksh"];

/// The name without its directory.
pub(crate) fn base_name(word: &str) -> &str {
    word.rfind('/').and_then(|at| word.get(at + 1..)).unwrap_or(word)
}

/// Whether the word names that program: by its bare name, or where systems keep it.
pub(crate) fn is_installed(word: &str, name: &str) -> bool {
    const SYSTEM: [&str; 4] = ["/bin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"];
    match word.rsplit_once('/') {
        None => word == name,
        Some((directory, last)) => last == name && SYSTEM.contains(&directory),
    }
}

/// Whether the target's shell, where known, speaks the language that is read here.
pub(crate) fn reads_as_posix(shell: Option<&str>) -> bool {
    shell.is_none_or(|shell| SHELLS.contains(&base_name(shell)))
}

/// Programs that do the same by another name: a rule about one is about the others.
const FAMILIES: &[&[&str]] = &[
    &["apt", "apt-get", "aptitude"],
    &["docker", "podman", "nerdctl"],
    &["dnf", "yum", "microdnf", "dnf5"],
    &["iptables", "ip6tables", "iptables-nft", "iptables-legacy"],
    &["kubectl", "oc"],
    &["mongo", "mongosh"],
    &["mysql", "mariadb"],
    &["mysqladmin", "mariadb-admin"],
    &["nc", "ncat", "netcat"],
    &["pip", "pip3"],
    &["python", "python2", "python3"],
    &["terraform", "tofu", "terragrunt"],
    &["docker-compose", "podman-compose"],
    &["redis-cli", "valkey-cli", "keydb-cli"],
];

/// The programs that do the same, this one among them; none where there is no other.
pub(crate) fn family(name: &str) -> &'static [&'static str] {
    let of = |name: &str| FAMILIES.iter().find(|family| family.contains(&name)).copied();
    // `python3.11` is one of them as well.
    let bare = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let versioned = || if bare.len() < name.len() { of(bare) } else { None };
    of(name).or_else(versioned).unwrap_or(&[])
}
