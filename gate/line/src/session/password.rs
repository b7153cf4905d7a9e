//! What asks for a password: a program that is known to, with a prompt on the screen that is known to be
//! one. Only what is typed there is kept nowhere. Anything else that is typed without echo may be a
//! command, and is shown and kept like one: `stty -echo; sh` must not hide what follows.

use crate::remote::Probe;

/// How many lines the program in the foreground has got.
#[derive(Debug, Default)]
pub(super) struct Given {
    pid: Option<u32>,
    lines: u32,
}

impl Given {
    /// One more for this process.
    pub(super) fn count(&mut self, pid: Option<u32>) {
        if self.pid != pid {
            *self = Self { pid, lines: 0 };
        }
        self.lines = self.lines.saturating_add(1);
    }

    /// How many this process has got.
    pub(super) fn to(&self, pid: Option<u32>) -> u32 {
        if self.pid == pid { self.lines } else { 0 }
    }
}

/// Programs that ask for passwords.
struct Askers {
    names: &'static [&'static str],
    /// How many passwords one process may ask for. A program that also takes commands or passes lines on
    /// could be made to ask with its own prompt: one line of each process, at most.
    lines: u32,
    /// They may turn on single keys while they ask.
    keys: bool,
}

const ASKERS: &[Askers] = &[
    // They do nothing with a terminal but ask.
    Askers {
        names: &[
            "chsh",
            "cryptsetup",
            "doas",
            "kinit",
            "kpasswd",
            "login",
            "passwd",
            "pkexec",
            "ssh-add",
            "ssh-keygen",
            "su",
            "sudo",
        ],
        lines: 4,
        keys: true,
    },
    Askers {
        names: &[
            "7z",
            "7za",
            "curl",
            "docker",
            "gpg",
            "htpasswd",
            "keytool",
            "ldapadd",
            "ldapmodify",
            "ldappasswd",
            "ldapsearch",
            "mariadb",
            "mariadb-dump",
            "mongo",
            "mongosh",
            "mysql",
            "mysqldump",
            "openssl",
            "pg_dump",
            "pg_restore",
            "podman",
            "psql",
            "redis-cli",
            "rsync",
            "scp",
            "sftp",
            "smbclient",
            "ssh",
            "unzip",
            "valkey-cli",
            "wget",
            "zip",
        ],
        lines: 1,
        keys: false,
    },
];

/// Where programs lie that only the system's administrator can replace.
const SYSTEM: &[&str] =
    &["/bin/", "/nix/store/", "/sbin/", "/usr/bin/", "/usr/lib/", "/usr/libexec/", "/usr/sbin/"];

/// Whether the program that reads asks for a password. `given`: how many lines its process has got
/// already.
pub(super) fn asks_for_password(probe: &Probe, row: &[u8], given: u32) -> bool {
    let Some(asker) =
        name(probe).and_then(|name| ASKERS.iter().find(|askers| askers.names.contains(&name)))
    else {
        return false;
    };
    !probe.echo
        && probe.alone
        && (probe.canonical || asker.keys)
        && given < asker.lines
        && is_prompt(row)
}

/// The program, as far as it could not choose its name itself.
fn name(probe: &Probe) -> Option<&str> {
    match &probe.file {
        Some(file) => {
            let known = SYSTEM.iter().any(|directory| file.starts_with(directory));
            known.then(|| file.rsplit('/').next())?
        }
        // Only root's own programs hide their file and act as root for another user.
        None => {
            let raised = probe.euid == Some(0) && probe.uid.is_some_and(|uid| uid != 0);
            raised.then_some(probe.name.as_deref())?
        }
    }
}

/// Whether the row before the cursor is the prompt for a password.
fn is_prompt(row: &[u8]) -> bool {
    let row = String::from_utf8_lossy(row).to_lowercase();
    let asks =
        ["password", "passphrase", "pass phrase", "passwort", "passcode", "pin for", "(pin)"];
    row.trim_end().ends_with(':') && asks.iter().any(|word| row.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(file: Option<&str>) -> Probe {
        Probe {
            canonical: true,
            uid: Some(1000),
            euid: Some(1000),
            file: file.map(str::to_owned),
            alone: true,
            ..Probe::default()
        }
    }

    fn sudo() -> Probe {
        Probe { euid: Some(0), name: Some("sudo".to_owned()), ..probe(None) }
    }

    #[test]
    fn known_programs_ask_at_known_prompts() {
        for prompt in
            ["[sudo] password for bob: ", "Password:", "Passwort: ", "Enter passphrase for key:"]
        {
            assert!(asks_for_password(&sudo(), prompt.as_bytes(), 0), "{prompt}");
        }
        for file in ["/usr/bin/psql", "/usr/lib/postgresql/15/bin/psql", "/usr/bin/ssh", "/bin/su"]
        {
            assert!(asks_for_password(&probe(Some(file)), b"Password: ", 0), "{file}");
        }
        assert!(asks_for_password(&sudo(), b"Password: ", 3), "a password was wrong");
        assert!(
            asks_for_password(&Probe { canonical: false, ..sudo() }, b"Password: ", 0),
            "stars"
        );
    }

    #[test]
    fn nothing_else_hides_what_is_typed() {
        let prompt = b"Password: ";
        // What runs code, what a user could have made, and what is behind another program.
        for file in [
            "/usr/bin/dash",
            "/usr/bin/bash",
            "/usr/bin/python3.11",
            "/usr/bin/cat",
            "/tmp/sudo",
            "/home/bob/bin/psql",
            "/usr/local/bin/sudo",
            "/usr/bin/psql (deleted)",
        ] {
            assert!(!asks_for_password(&probe(Some(file)), prompt, 0), "{file}");
        }
        let named = Probe { name: Some("sudo".to_owned()), ..probe(None) };
        assert!(!asks_for_password(&named, prompt, 0), "a name of its own, without the rights");
        let root = Probe { uid: Some(0), ..sudo() };
        assert!(!asks_for_password(&root, prompt, 0), "root can name its programs as it likes");
        assert!(!asks_for_password(&Probe { alone: false, ..sudo() }, prompt, 0), "sudo sh");
        assert!(!asks_for_password(&Probe { echo: true, ..sudo() }, prompt, 0));
        for other in ["$ ", "# ", "token> ", "sh: ", "db=> ", "", "Password", "passwd> "] {
            assert!(!asks_for_password(&sudo(), other.as_bytes(), 0), "{other}");
        }
        let psql = probe(Some("/usr/bin/psql"));
        assert!(!asks_for_password(&psql, prompt, 1), "its own prompt may say that as well");
        assert!(!asks_for_password(&Probe { canonical: false, ..psql }, prompt, 0), "an editor");
        assert!(!asks_for_password(&sudo(), prompt, 4));
        assert!(!asks_for_password(&Probe::default(), prompt, 0));
    }
}
