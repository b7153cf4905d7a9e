//! A throw-away ordinary user with a real home, a real target and a login-like environment: the world
//! that `expacti wrap` is a boundary for. Root is none, so tests that run as root make one.
//! It must never outlive its test: the account, its processes and its directories go on drop, and
//! by the watchdog when the test's process dies.

use std::{
    ffi::OsString,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::{
    marker::Marker,
    prerequisites,
    process::{Process, owned_by, stop_all},
    run::{Launch, Outcome, Run},
    sshd::{Sshd, keygen, public_half},
    tmux::Tmux,
    trial::Pending,
    until::until,
    watchdog::Watchdog,
};

/// The `PATH` of a login on Debian.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Where expacti keeps its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// In the XDG directories: `EXPACTI_HOME` is unset.
    Xdg,
    /// All below `EXPACTI_HOME`, in the user's home.
    Home,
}

/// A user of this machine who exists for one test.
#[derive(Debug)]
struct Account {
    name: String,
    uid: u32,
    gid: u32,
    home: PathBuf,
}

impl Account {
    fn create() -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("xp{}n{number}", std::process::id());
        let home = PathBuf::from("/home").join(&name);
        // Another test may hold the lock of /etc/passwd at this moment.
        until("useradd to make a user", || {
            let output = Command::new("useradd")
                // No password, yet not locked: sshd lets in nobody whose account is locked.
                .args(["-m", "-s", "/bin/bash", "-p", "*", "-d"])
                .arg(&home)
                .arg(&name)
                .env("PATH", format!("{PATH}:/usr/sbin:/sbin"))
                .output()
                .context("failed to run useradd: is passwd installed?")?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(
                output.status.success() || said.contains("lock"),
                "useradd {name} failed: {said}"
            );
            Ok(output.status.success().then_some(()))
        })?;
        let known = fs::metadata(&home).with_context(|| format!("{} has no home", name))?;
        Ok(Self { name, uid: known.uid(), gid: known.gid(), home })
    }

    fn remove(&self) -> Result<()> {
        until("userdel to remove the user", || {
            let output = Command::new("userdel")
                .args(["-r", "-f", &self.name])
                .env("PATH", format!("{PATH}:/usr/sbin:/sbin"))
                .output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            Ok((output.status.success() || !said.contains("lock")).then_some(()))
        })?;
        ensure!(!self.home.exists(), "{} was not removed", self.home.display());
        Ok(())
    }

    /// Removes what it left in directories that every user may write to.
    fn remove_left(&self) -> Result<()> {
        for dir in ["/tmp", "/var/tmp", "/dev/shm"] {
            for entry in fs::read_dir(dir)?.flatten() {
                let Ok(known) = entry.metadata() else { continue };
                if known.uid() == self.uid && known.is_dir() {
                    fs::remove_dir_all(entry.path())?;
                } else if known.uid() == self.uid {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }

    fn run_dir(&self) -> PathBuf {
        PathBuf::from(format!("/run/user/{}", self.uid))
    }

    /// Gives it a file or directory.
    fn own(&self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("failed to give {} to {}", path.display(), self.name))
    }
}

/// One ordinary user's world: home, keys, a target that accepts them, and the binary under test.
#[derive(Debug)]
pub struct Ordinary {
    account: Account,
    layout: Layout,
    binary: PathBuf,
    sshd: Sshd,
    terminals: AtomicU32,
    watchdog: Watchdog,
    // Last, so that it is removed when everything else has stopped.
    dir: TempDir,
}

impl Ordinary {
    /// Makes the user and the target. `None`: this needs root, the skip is recorded, and the test is
    /// to return at once.
    ///
    /// # Errors
    /// When a part cannot be made.
    pub fn new(binary: impl AsRef<Path>, layout: Layout) -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            prerequisites::missing(
                "root, to make a throw-away user",
                "run the tests as root, best in a container",
            );
            return Ok(None);
        }
        // Not below /tmp, which is another one inside a wrap.
        let dir = tempfile::Builder::new().prefix("xp-").tempdir_in("/var/tmp")?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let account = Account::create()?;
        let made = Watchdog::for_account(dir.path(), &account.name, account.uid)
            .and_then(|watchdog| Self::furnish(&account, binary.as_ref(), dir.path(), watchdog));
        match made {
            Ok((watchdog, sshd, binary)) => {
                let terminals = AtomicU32::new(0);
                Ok(Some(Self { account, layout, binary, sshd, terminals, watchdog, dir }))
            }
            Err(error) => {
                account.remove()?;
                Err(error)
            }
        }
    }

    /// Fills home and directory; gives the watchdog back once nothing can fail any more.
    fn furnish(
        account: &Account,
        binary: &Path,
        dir: &Path,
        watchdog: Watchdog,
    ) -> Result<(Watchdog, Sshd, PathBuf)> {
        let run = account.run_dir();
        fs::create_dir_all(&run)?;
        fs::set_permissions(&run, fs::Permissions::from_mode(0o700))?;
        account.own(&run)?;
        // The build's directory need not be readable for the user.
        let copy = dir.join("expacti");
        if fs::hard_link(binary, &copy).is_err() {
            fs::copy(binary, &copy)?;
        }
        for name in ["target", "tmux"] {
            fs::create_dir(dir.join(name))?;
            account.own(&dir.join(name))?;
        }
        let ssh = account.home.join(".ssh");
        fs::create_dir(&ssh)?;
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o700))?;
        let key = ssh.join("id_ed25519");
        keygen(&key)?;
        let authorized = dir.join("authorized_keys");
        fs::write(&authorized, public_half(&key.with_extension("pub"))? + "\n")?;
        let sshd = Sshd::start(&dir.join("sshd"), &authorized, &[])?;
        let known = format!("[127.0.0.1]:{} {}\n", sshd.port(), sshd.host_key()?);
        fs::write(ssh.join("known_hosts"), known)?;
        let config = format!("Host target\n  HostName 127.0.0.1\n  Port {}\n", sshd.port());
        fs::write(ssh.join("config"), config)?;
        account.own(&ssh)?;
        for entry in fs::read_dir(&ssh)? {
            account.own(&entry?.path())?;
        }
        Ok((watchdog, sshd, copy))
    }

    /// The user's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.account.name
    }

    /// The user's id.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.account.uid
    }

    /// The user's home, as passwd has it.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.account.home
    }

    /// Gives the account another login shell.
    ///
    /// # Errors
    /// When usermod fails.
    pub fn set_login_shell(&self, shell: &str) -> Result<()> {
        // Another test may hold the lock of /etc/passwd at this moment.
        until("usermod to change the shell", || {
            let output = Command::new("usermod")
                .args(["-s", shell, &self.account.name])
                .env("PATH", format!("{PATH}:/usr/sbin:/sbin"))
                .output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success() || said.contains("lock"), "usermod failed: {said}");
            Ok(output.status.success().then_some(()))
        })
    }

    /// `XDG_RUNTIME_DIR`.
    #[must_use]
    pub fn run_dir(&self) -> PathBuf {
        self.account.run_dir()
    }

    /// The world's directory: the user may read it, and write below `target`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The binary under test, readable for the user.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// The target.
    #[must_use]
    pub fn sshd(&self) -> &Sshd {
        &self.sshd
    }

    /// A file on the target's side.
    #[must_use]
    pub fn marker(&self, name: &str) -> Marker {
        Marker::new(self.dir().join("target").join(name))
    }

    /// Writes a file of the user's below the home, with the directories above it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.home().join(name);
        let mut above: Vec<&Path> =
            path.ancestors().skip(1).take_while(|dir| *dir != self.home()).collect();
        above.reverse();
        for dir in above {
            if !dir.exists() {
                fs::create_dir(dir)?;
                self.account.own(dir)?;
            }
        }
        fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
        self.account.own(&path)?;
        Ok(path)
    }

    /// As [`Ordinary::write`], for a program.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_program(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.write(name, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(path)
    }

    /// Prepares any program as the user, in the home, with the environment of a login.
    #[must_use]
    pub fn launch(&self, argv: &[&str]) -> Launch {
        let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
        let (program, args) = argv
            .split_first()
            .map_or((OsString::from("true"), [].as_slice()), |(first, rest)| (first.clone(), rest));
        let launch = Launch::new(&program, args)
            .identity(self.account.uid, self.account.gid)
            .current_dir(self.home());
        self.environment()
            .into_iter()
            .fold(launch, |launch, (name, value)| launch.env(&name, value))
    }

    /// Runs any program as the user to its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end; its exit status is not looked at.
    pub fn run(&self, argv: &[&str]) -> Result<Outcome> {
        self.launch(argv).run()
    }

    /// Runs `expacti ARGS...` as the user to its end.
    ///
    /// # Errors
    /// As [`Ordinary::run`].
    pub fn expacti(&self, args: &[&str]) -> Result<Outcome> {
        let binary = self.binary.to_string_lossy();
        self.run(&[&[&*binary], args].concat())
    }

    /// Prepares `expacti wrap -- ARGV...` as the user.
    #[must_use]
    pub fn wrap(&self, argv: &[&str]) -> Launch {
        self.wrap_with(&[], argv)
    }

    /// Prepares `expacti wrap OPTIONS... -- ARGV...` as the user.
    #[must_use]
    pub fn wrap_with(&self, options: &[&str], argv: &[&str]) -> Launch {
        let binary = self.binary.to_string_lossy();
        self.launch(&[&[&*binary, "wrap"], options, &["--"], argv].concat())
    }

    /// Starts any program as the user in a terminal; the multiplexer is the user's too, but on a
    /// socket of the test.
    ///
    /// # Errors
    /// When tmux fails.
    pub fn terminal(&self, argv: &[&str], size: (u16, u16)) -> Result<Tmux> {
        let number = self.terminals.fetch_add(1, Ordering::Relaxed);
        let socket = self.dir().join("tmux").join(number.to_string());
        let argv: Vec<OsString> = argv.iter().map(OsString::from).collect();
        let identity = Some((self.account.uid, self.account.gid));
        Tmux::start(&socket, &self.environment(), &argv, size, identity)
    }

    /// What is held now; nothing where no broker runs.
    ///
    /// # Errors
    /// When `expacti pending` fails.
    pub fn pending(&self) -> Result<Vec<Pending>> {
        let outcome = self.expacti(&["pending", "--json"])?;
        if outcome.code() == 6 {
            return Ok(Vec::new());
        }
        serde_json::from_value(outcome.json()?)
            .with_context(|| format!("not a list of pending commands: {}", outcome.describe()))
    }

    /// Waits for a held command.
    ///
    /// # Errors
    /// When the program ends without one, or none comes within the deadline.
    pub fn wait_pending(&self, run: &mut Run) -> Result<Pending> {
        until("a pending command", || {
            let ended = !run.running()?;
            let held = self.pending()?.into_iter().next();
            if held.is_none() && ended {
                bail!("the program ended, and nothing was held");
            }
            Ok(held)
        })
    }

    /// Decides everything that is held in the same way until the program ends.
    ///
    /// # Errors
    /// When a decision is not accepted although the command is still held.
    pub fn decide_all(&self, run: &mut Run, verdict: &str) -> Result<()> {
        until("the program to end", || {
            for held in self.pending()? {
                // 5: it was withdrawn at this moment.
                let code = self.expacti(&[verdict, &held.id])?.code();
                ensure!([0, 4, 5].contains(&code), "expacti {verdict} ended with {code}");
            }
            Ok((!run.running()?).then_some(()))
        })
    }

    /// All processes of the user.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        owned_by(self.account.uid)
    }

    fn environment(&self) -> Vec<(String, OsString)> {
        let home = self.home().as_os_str().to_owned();
        let mut all = vec![
            ("HOME", home),
            ("USER", self.name().into()),
            ("LOGNAME", self.name().into()),
            ("SHELL", "/bin/bash".into()),
            ("PATH", PATH.into()),
            ("LANG", "C.UTF-8".into()),
            ("XDG_RUNTIME_DIR", self.run_dir().into()),
        ];
        if self.layout == Layout::Home {
            all.push(("EXPACTI_HOME", self.home().join("x").into()));
        }
        all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn stop(&mut self) -> Result<()> {
        if let Err(error) = self.expacti(&["down"]) {
            eprintln!("failed to run expacti down: {error:#}");
        }
        self.sshd.stop()?;
        until("the user's processes to end", || {
            stop_all(&self.processes())?;
            Ok(self.processes().is_empty().then_some(()))
        })?;
        fs::remove_dir_all(self.run_dir())?;
        self.account.remove_left()?;
        self.account.remove()
    }
}

impl Drop for Ordinary {
    fn drop(&mut self) {
        // The test runner shows this only for a test that failed.
        eprintln!("--- processes of {}", self.name());
        for process in self.processes() {
            eprintln!("{} {}", process.pid, process.argv.join(" "));
        }
        eprintln!("--- the target\n{}", self.sshd.log());
        if let Err(error) = self.stop() {
            // The watchdog does it then.
            eprintln!("failed to remove the user {}: {error:#}", self.name());
            return;
        }
        self.watchdog.dismiss();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod tests {
    use super::*;

    fn known(name: &str) -> bool {
        Command::new("id").arg(name).output().unwrap().status.success()
    }

    #[test]
    fn the_world_goes_with_its_test() {
        let Some(world) = Ordinary::new("/bin/true", Layout::Xdg).unwrap() else { return };
        let (name, home, run) = (world.name().to_owned(), world.home().to_owned(), world.run_dir());
        let script = "id -un; touch ~/file /tmp/$USER; stat -c %U ~/file; ssh target 'id -un'";
        let outcome = world.run(&["sh", "-c", script]).unwrap();
        outcome.expect_stdout(&format!("{name}\n{name}\n{name}\n")).unwrap();
        let left = world.launch(&["sleep", "300"]).spawn().unwrap();
        let pid = left.pid();
        drop(world);
        drop(left);
        assert!(!known(&name));
        assert!(![home, run, format!("/tmp/{name}").into()].iter().any(|path| path.exists()));
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn what_a_dead_test_left_of_a_user_is_removed() {
        if !rustix::process::geteuid().is_root() {
            prerequisites::missing("root", "run the tests as root, best in a container");
            return;
        }
        let dir = tempfile::Builder::new().prefix("xp-").tempdir_in("/var/tmp").unwrap().keep();
        let account = Account::create().unwrap();
        fs::create_dir_all(account.run_dir()).unwrap();
        let mut left = Launch::new("sleep".as_ref(), &["300".into()])
            .identity(account.uid, account.gid)
            .spawn()
            .unwrap();
        let watchdog = Watchdog::for_account(&dir, &account.name, account.uid).unwrap();
        watchdog.bark();
        assert!(!left.running().unwrap());
        assert!(!known(&account.name));
        assert!(![dir, account.home.clone(), account.run_dir()].iter().any(|path| path.exists()));
    }
}
