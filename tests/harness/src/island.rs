//! A machine within the machine: users, settings, data and processes of its own, over which nothing of the
//! real one changes. Its directories are copies on write, its processes end with the test.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{
    prerequisites,
    run::{Launch, Outcome, Run},
    until::until,
};

/// The directories that are its own.
const OWN: &str = "/etc /home /root /run /usr/local /var/lib";

/// Where the program under test is there.
const PROGRAM: &str = "/usr/local/bin/expacti";

/// Mounts, then waits until the test ends; the first process of a PID namespace takes all others with it.
const FIRST: &str = r#"
set -eu
mount -t tmpfs -o mode=755 island "$1"
mount -t tmpfs -o mode=1777 island /tmp
for dir in $3; do
    at="$1/$(echo "$dir" | tr / _)"
    mkdir -p "$at/upper" "$at/work"
    chmod --reference="$dir" "$at/upper"
    mount -t overlay -o "lowerdir=$dir,upperdir=$at/upper,workdir=$at/work" island "$dir"
done
rm -f /etc/.pwd.lock
mkdir -p /run/sshd /root/.none
touch "$4"
mount --bind "$2" "$4"
echo ready
exec cat
"#;

/// See the module.
#[derive(Debug)]
pub struct Island {
    holder: Child,
    /// Its end ends everything.
    _stdin: Option<ChildStdin>,
    first: i32,
    next_uid: u32,
    // Last, so that it is removed when everything else has stopped.
    dir: TempDir,
}

impl Island {
    /// Makes one. `None`: this needs root, the skip is recorded, and the test is to return at once.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(binary: impl AsRef<Path>) -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            prerequisites::missing(
                "root, to make users and namespaces",
                "run the tests as root, best in a container",
            );
            return Ok(None);
        }
        let dir = tempfile::Builder::new().prefix("xp-island-").tempdir_in("/var/tmp")?;
        let mut holder = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["--propagation", "private", "sh", "-c", FIRST, "sh"])
            .args([dir.path(), binary.as_ref()])
            .args([OWN, PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to run unshare: is util-linux installed?")?;
        let stdin = holder.stdin.take();
        let mut line = String::new();
        if let Some(stdout) = holder.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        if line != "ready\n" {
            let said = holder.wait_with_output()?;
            let said = String::from_utf8_lossy(&said.stderr).trim().to_owned();
            prerequisites::missing(
                format!("mounts and namespaces of root ({said})"),
                "run the tests as root of a whole machine, or in a privileged container",
            );
            return Ok(None);
        }
        let pid = i32::try_from(holder.id())?;
        let first = until("the first process of the island", || {
            Ok(crate::process::descendants(pid).first().map(|process| process.pid))
        })?;
        // Other tests make users of the real machine, whose processes are ended by their number.
        let next_uid = 200_000 + (std::process::id() % 1_000_000) * 16;
        Ok(Some(Self { holder, _stdin: stdin, first, next_uid, dir }))
    }

    /// A file of the island, as the test reaches it.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.first))
    }

    /// Makes a user with a home.
    ///
    /// # Errors
    /// When useradd fails.
    pub fn user(&mut self, name: &str) -> Result<()> {
        let uid = self.next_uid.to_string();
        self.next_uid += 1;
        // No password, yet not locked: sshd lets in nobody whose account is locked.
        let args = ["useradd", "-m", "-u", &uid, "-s", "/bin/bash", "-p", "*", name];
        self.root(&args).run()?.expect_code(0).map(drop)
    }

    /// Prepares a program as root.
    #[must_use]
    pub fn root(&self, argv: &[&str]) -> Launch {
        let env = ["env", "-i", "HOME=/root", "USER=root", "LANG=C.UTF-8"];
        let path = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];
        self.enter(&[&env[..], &path, argv].concat())
    }

    /// Prepares a program as a user, in the home, with the environment of a login.
    #[must_use]
    pub fn user_runs(&self, name: &str, argv: &[&str]) -> Launch {
        let (user, group) = (format!("--reuid={name}"), format!("--regid={name}"));
        let identity = ["setpriv", &user, &group, "--init-groups", "--inh-caps=-all"];
        let home = format!("HOME=/home/{name}");
        let names = [format!("USER={name}"), format!("LOGNAME={name}")];
        let env = ["env", "-i", "-C", home.trim_start_matches("HOME="), &home];
        let names = [names[0].as_str(), names[1].as_str(), "SHELL=/bin/bash", "LANG=C.UTF-8"];
        let path = ["PATH=/usr/local/bin:/usr/bin:/bin"];
        self.enter(&[&identity[..], &env, &names, &path, argv].concat())
    }

    /// Runs `expacti ARGS...` as root to its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end.
    pub fn root_expacti(&self, args: &[&str]) -> Result<Outcome> {
        self.root(&[&[PROGRAM], args].concat()).run()
    }

    /// Runs `expacti ARGS...` as a user to its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end.
    pub fn expacti(&self, name: &str, args: &[&str]) -> Result<Outcome> {
        self.user_runs(name, &[&[PROGRAM], args].concat()).run()
    }

    /// Starts an sshd there for the users of the island, on a free port of 127.0.0.1; it ends with the island.
    /// Returns its port and its host key.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn sshd(&self) -> Result<(u16, String)> {
        let made =
            self.root(&["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", "/root/host_key"]);
        made.run()?.expect_code(0)?;
        for _ in 0..20 {
            let free = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let config = format!(
                "Port {free}\nListenAddress 127.0.0.1\nHostKey /root/host_key\nPidFile /root/sshd.pid\nUsePAM no\n\
                 Subsystem sftp internal-sftp\nSetEnv SHLVL=1\n"
            );
            std::fs::write(self.path("/root/sshd_config"), config)?;
            let sshd = crate::prerequisites::command("sshd").unwrap_or("/usr/sbin/sshd".into());
            let sshd = sshd.to_string_lossy().into_owned();
            // It returns when it listens, or cannot.
            let args = [&*sshd, "-f", "/root/sshd_config", "-E", "/root/sshd.log"];
            if self.root(&args).run()?.code() == 0 {
                let public = std::fs::read_to_string(self.path("/root/host_key.pub"))?;
                let words: Vec<&str> = public.split_whitespace().take(2).collect();
                return Ok((free, words.join(" ")));
            }
        }
        bail!("sshd found no free port in 20 attempts");
    }

    /// Puts a line into the authorized_keys of a user.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn authorize(&self, name: &str, line: &str) -> Result<()> {
        let script = "umask 077; mkdir -p .ssh; cat >> .ssh/authorized_keys";
        let run = self.user_runs(name, &["sh", "-c", script]).stdin(format!("{}\n", line.trim()));
        run.run()?.expect_code(0).map(drop)
    }

    /// Makes a key without a passphrase in the home of a user; its path.
    ///
    /// # Errors
    /// When ssh-keygen fails.
    pub fn key(&self, name: &str, file: &str) -> Result<String> {
        let path = format!("/home/{name}/{file}");
        let args = ["ssh-keygen", "-q", "-N", "", "-t", "ed25519", "-f", &path];
        self.user_runs(name, &args).run()?.expect_code(0)?;
        Ok(path)
    }

    /// Everything that is another in directories of the island than on the real machine, by name, with owner and
    /// mode.
    ///
    /// # Errors
    /// When it cannot be listed.
    pub fn changes(&self, dirs: &[&str]) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for dir in dirs {
            let upper = self.dir.path().join(dir.replace('/', "_")).join("upper");
            let upper = upper.to_string_lossy().into_owned();
            let format = format!("{dir}/%P %U:%G %m %y\\n");
            let args = ["find", &*upper, "-mindepth", "1", "-printf", &format];
            let found = self.root(&args).run()?;
            ensure!(found.code() == 0, "{}", found.describe());
            lines.extend(found.out().lines().map(str::to_owned));
        }
        lines.sort();
        Ok(lines)
    }

    /// Starts a shell script as root that goes on running.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn service(&self, script: &str) -> Result<Run> {
        self.root(&["sh", "-ec", script]).spawn()
    }

    fn enter(&self, argv: &[&str]) -> Launch {
        let target = format!("--target={}", self.first);
        let all = [&[&*target, "--mount", "--pid", "--"], argv].concat();
        let args: Vec<OsString> = all.iter().map(OsString::from).collect();
        Launch::of("nsenter", &args).current_dir(Path::new("/"))
    }
}

impl Drop for Island {
    fn drop(&mut self) {
        self.holder.kill().ok();
        self.holder.wait().ok();
    }
}
