//! Commands that look around: what the system is, who is there, what could be abused.

/// Programs that are used to look around before an attack.
const RECON: [&str; 34] = [
    "whoami",
    "id",
    "groups",
    "uname",
    "hostname",
    "w",
    "who",
    "last",
    "lastlog",
    "ifconfig",
    "ip",
    "netstat",
    "ss",
    "arp",
    "route",
    "ps",
    "getent",
    "finger",
    "env",
    "printenv",
    "lsmod",
    "lsof",
    "mount",
    "lscpu",
    "dmidecode",
    "systemd-detect-virt",
    "getcap",
    "nmap",
    "arp-scan",
    "hostnamectl",
    "sestatus",
    "lsb_release",
    "users",
    "pstree",
];

/// Whether a command looks around: what the system is, who is there, what could be abused.
pub(super) fn is_recon(program: &str, argv: &[String]) -> bool {
    let any = |needles: &[&str]| {
        argv.iter().any(|word| needles.iter().any(|needle| word.contains(needle)))
    };
    RECON.contains(&program)
        || program == "sudo" && any(&["-l"])
        || program == "find" && any(&["-perm"]) && any(&["4000", "2000", "u=s", "6000", "u+s"])
        || matches!(program, "cat" | "less" | "head" | "grep")
            && any(&[
                "/etc/passwd",
                "/etc/group",
                "/etc/os-release",
                "/etc/issue",
                "/proc/version",
                "/etc/crontab",
                "/etc/sudoers",
            ])
}
