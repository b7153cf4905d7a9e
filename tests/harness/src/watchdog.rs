//! Ends what a trial left running when the test's own process was killed and could not.
//! It must never signal a process that does not carry this trial's mark.

use std::{
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};

/// Waits for its standard input: `done` means that the test cleaned up, its end that it died.
const SCRIPT: &str = r#"
read -r word && [ "$word" = done ] && exit
for round in 1 2 3; do
    for file in $(grep -lzxF -e "EXPACTI_TRIAL=$0" -e "EXPACTI_TARGET=$0/sshd" \
        /proc/[0-9]*/environ 2>/dev/null); do
        pid=${file#/proc/}
        kill -9 "${pid%/environ}"
    done
done
pid=$(cat "$0/sshd/sshd.pid") && grep -qF "$0/sshd/" "/proc/$pid/cmdline" && kill "$pid"
rm -rf "$0"
"#;

/// The same for a throw-away user: directory, name and id. Every process of that id is the test's.
const ACCOUNT: &str = r#"
read -r word && [ "$word" = done ] && exit
PATH=$PATH:/usr/sbin:/sbin
for round in 1 2 3; do
    for pid in $(ps -e -o pid= -o uid= | awk -v uid="$2" '$2 == uid { print $1 }'); do
        kill -9 "$pid"
    done
done
pid=$(cat "$0/sshd/sshd.pid") && grep -qF "$0/sshd/" "/proc/$pid/cmdline" && kill "$pid"
until userdel -rf "$1" || ! id "$1"; do sleep 0.1; done
find /tmp /var/tmp /dev/shm -mindepth 1 -maxdepth 1 -uid "$2" -exec rm -rf {} +
rm -rf "/run/user/$2" "$0"
"#;

/// A shell that outlives the test's process; dismissed by the trial's own drop.
#[derive(Debug)]
pub(crate) struct Watchdog {
    child: Child,
}

impl Watchdog {
    /// Starts it for the trial in `dir`, out of reach of signals to the test's process group.
    pub(crate) fn start(dir: &Path) -> Result<Self> {
        Self::run(SCRIPT, dir, &[])
    }

    /// Starts it for a throw-away user whose world is in `dir`.
    pub(crate) fn for_account(dir: &Path, name: &str, uid: u32) -> Result<Self> {
        Self::run(ACCOUNT, dir, &[name, &uid.to_string()])
    }

    fn run(script: &str, dir: &Path, more: &[&str]) -> Result<Self> {
        let child = Command::new("sh")
            .arg("-c")
            .arg(script)
            .arg(dir)
            .args(more)
            .current_dir("/")
            .env_remove("EXPACTI_TRIAL")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("failed to start the watchdog")?;
        Ok(Self { child })
    }

    /// What happens when the test's process dies, for a test of that.
    #[cfg(test)]
    pub(crate) fn bark(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().ok();
    }

    /// Everything is stopped: the watchdog has nothing to do.
    pub(crate) fn dismiss(&mut self) {
        if let Some(mut pipe) = self.child.stdin.take() {
            pipe.write_all(b"done\n").ok();
        }
        self.child.wait().ok();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::{process::with_environment, until::until};

    #[test]
    fn what_a_dead_test_left_is_ended_and_removed() {
        let dir = tempfile::tempdir().unwrap().keep();
        let mark = dir.display().to_string();
        let mut left =
            Command::new("sleep").arg("300").env("EXPACTI_TRIAL", &mark).spawn().unwrap();
        let watchdog = Watchdog::start(&dir).unwrap();
        until("the sleep to run", || {
            Ok((with_environment("EXPACTI_TRIAL", &mark).len() == 1).then_some(()))
        })
        .unwrap();
        // The end of the pipe without a word is what the death of the test's process looks like.
        watchdog.bark();
        assert!(!left.wait().unwrap().success());
        assert!(!dir.exists());
    }

    #[test]
    fn a_dismissed_watchdog_touches_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().display().to_string();
        let mut mine =
            Command::new("sleep").arg("300").env("EXPACTI_TRIAL", &mark).spawn().unwrap();
        Watchdog::start(dir.path()).unwrap().dismiss();
        assert!(mine.try_wait().unwrap().is_none());
        assert!(dir.path().exists());
        mine.kill().unwrap();
        mine.wait().unwrap();
    }
}
