//! One test's private world: target, client home, expacti's own home; all of it gone on drop.
//! It must never let a process outlive it, whether the test passes, fails or panics.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::{
    client::{ClientHome, user},
    marker::Marker,
    prerequisites,
    process::{Process, stop_all, with_environment},
    reviewer::{AutoReviewer, Verdict},
    run::{Launch, Outcome},
    sshd::Sshd,
    tmux::Tmux,
    until::until,
    watchdog::Watchdog,
};

/// Marks every process of a trial, so that all of them can be found and ended by id.
const MARK: &str = "EXPACTI_TRIAL";

/// A held command as `expacti pending --json` shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct Pending {
    /// `cmd_...`
    pub id: String,
    /// `sess_...`
    pub session_id: String,
    /// The command's text.
    pub command: String,
    /// 0 to 100.
    pub risk_score: u8,
    /// All other fields.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// One line of the audit log.
#[derive(Debug, Clone, Deserialize)]
pub struct Entry {
    /// Its number.
    pub seq: u64,
    /// What happened.
    pub kind: String,
    /// The command it is about.
    #[serde(default)]
    pub command_id: Option<String>,
    /// The decision, where it is one.
    #[serde(default)]
    pub decision: Option<Value>,
    /// Who decided.
    #[serde(default)]
    pub decided_by: Option<String>,
    /// The exit status, in `finished`.
    #[serde(default)]
    pub exit_status: Option<i64>,
    /// All other fields.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// One test's private world.
#[derive(Debug)]
pub struct Trial {
    binary: PathBuf,
    sshd: Sshd,
    client: ClientHome,
    terminals: AtomicU32,
    watchdog: Watchdog,
    // Last, so that it is removed when everything else has stopped.
    dir: TempDir,
}

impl Trial {
    /// A fresh target, client and home for the given `expacti` binary. Nothing of expacti runs yet.
    ///
    /// # Errors
    /// When sshd or ssh is missing or does not start.
    pub fn new(binary: impl AsRef<Path>) -> Result<Self> {
        Self::with_sshd(binary, &[])
    }

    /// As [`Trial::new`], with further lines for the target's sshd_config.
    ///
    /// # Errors
    /// As [`Trial::new`].
    pub fn with_sshd(binary: impl AsRef<Path>, options: &[&str]) -> Result<Self> {
        let binary = fs::canonicalize(binary.as_ref())
            .with_context(|| format!("there is no binary at {}", binary.as_ref().display()))?;
        // A short name: Unix sockets lie below it and their paths end at 107 bytes.
        let dir = tempfile::Builder::new().prefix("xp-").tempdir()?;
        let watchdog = Watchdog::start(dir.path())?;
        let client = ClientHome::create(&dir.path().join("home"))?;
        let authorized = dir.path().join("authorized_keys");
        fs::write(&authorized, client.authorized_line()?)?;
        fs::create_dir(dir.path().join("target"))?;
        let sshd = Sshd::start(&dir.path().join("sshd"), &authorized, options)?;
        client.point_at(&sshd)?;
        fs::create_dir(dir.path().join("x"))?;
        Ok(Self { binary, sshd, client, terminals: AtomicU32::new(0), watchdog, dir })
    }

    /// The trial's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// `EXPACTI_HOME`.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.dir().join("x")
    }

    /// The target.
    #[must_use]
    pub fn sshd(&self) -> &Sshd {
        &self.sshd
    }

    /// The target, to stop it.
    pub fn sshd_mut(&mut self) -> &mut Sshd {
        &mut self.sshd
    }

    /// The agent's home.
    #[must_use]
    pub fn client(&self) -> &ClientHome {
        &self.client
    }

    /// The binary under test.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// A file on the target's side.
    #[must_use]
    pub fn marker(&self, name: &str) -> Marker {
        Marker::new(self.dir().join("target").join(name))
    }

    /// Writes expacti's configuration file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configure(&self, toml: &str) -> Result<()> {
        fs::write(self.home().join("config.toml"), toml)?;
        Ok(())
    }

    /// Prepares `expacti ARGS...`.
    #[must_use]
    pub fn launch(&self, args: &[&str]) -> Launch {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        self.launch_raw(&args)
    }

    /// As [`Trial::launch`], for arguments that are not text.
    #[must_use]
    pub fn launch_raw(&self, args: &[OsString]) -> Launch {
        self.with_env(Launch::new(self.binary.as_os_str(), args))
    }

    /// Runs `expacti ARGS...` to its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end; its exit status is not looked at.
    pub fn expacti(&self, args: &[&str]) -> Result<Outcome> {
        self.launch(args).run()
    }

    /// Prepares `expacti wrap -- ARGV...`, with the trial's ssh configuration.
    #[must_use]
    pub fn wrap(&self, argv: &[&str]) -> Launch {
        self.wrap_with(&[], argv)
    }

    /// As [`Trial::wrap`], with options of `wrap`.
    #[must_use]
    pub fn wrap_with(&self, options: &[&str], argv: &[&str]) -> Launch {
        let mut args: Vec<OsString> =
            vec!["wrap".into(), "--ssh-config".into(), self.client.config().into()];
        args.extend(options.iter().map(OsString::from));
        args.push("--".into());
        args.extend(argv.iter().map(OsString::from));
        self.launch_raw(&args)
    }

    /// Prepares the same program without expacti, to compare with.
    #[must_use]
    pub fn direct(&self, argv: &[&str]) -> Launch {
        let argv = self.argv(argv);
        let (program, args) = argv
            .split_first()
            .map_or((OsString::from("true"), [].as_slice()), |(first, rest)| (first.clone(), rest));
        self.with_env(Launch::new(&program, args))
    }

    /// Prepares `ssh ARGS...` without expacti.
    #[must_use]
    pub fn direct_ssh(&self, args: &[&str]) -> Launch {
        let mut argv = vec!["ssh"];
        argv.extend(args);
        self.direct(&argv)
    }

    /// Whether the target can give terminals at all: an sshd that is not root needs a `/dev/pts` that
    /// is mounted with `gid=tty`, which containers may lack. When it cannot, the test is to return at
    /// once: the skip is recorded, and fails in CI.
    ///
    /// # Errors
    /// When ssh cannot be run.
    pub fn has_terminals(&self) -> Result<bool> {
        let has = self.direct_ssh(&["-tt", "target", "true"]).run()?.code() == 0;
        if !has {
            prerequisites::missing(
                "a terminal from sshd for this user",
                "mount -o remount,gid=5,mode=620 /dev/pts",
            );
        }
        Ok(has)
    }

    /// Prepares `ssh ARGS...` straight to the local gate, without `wrap`: a stock client that may
    /// use ControlMaster. `dial` is the ProxyCommand that knows the gate's socket. Needs [`Self::up`].
    ///
    /// # Errors
    /// When the user's name cannot be found out.
    pub fn gate_ssh(&self, dial: &str, args: &[&str]) -> Result<Launch> {
        let home = self.home();
        let proxy = format!(
            "ProxyCommand=python3 {dial} {} 127.0.0.1 {} {} {} {}",
            home.join("gate.sock").display(),
            self.sshd.port(),
            user()?,
            self.client.key().display(),
            self.client.known_hosts().display(),
        );
        let known = format!("UserKnownHostsFile={}", home.join("gate_known_hosts").display());
        let mut argv = vec!["ssh", "-o", &proxy, "-o", &known];
        let options =
            ["ProxyUseFdpass=yes", "HostKeyAlias=expacti-gate", "PubkeyAuthentication=no"];
        for option in options {
            argv.extend(["-o", option]);
        }
        argv.extend(args);
        Ok(self.direct(&argv))
    }

    /// Starts `expacti ARGS...` in a terminal.
    ///
    /// # Errors
    /// When tmux fails.
    pub fn terminal(&self, args: &[&str], size: (u16, u16)) -> Result<Tmux> {
        let mut argv = vec![self.binary.clone().into_os_string()];
        argv.extend(args.iter().map(OsString::from));
        self.terminal_argv(&argv, size)
    }

    /// Starts any program in a terminal, with the trial's environment.
    ///
    /// # Errors
    /// When tmux fails.
    pub fn terminal_argv(&self, argv: &[OsString], size: (u16, u16)) -> Result<Tmux> {
        let number = self.terminals.fetch_add(1, Ordering::Relaxed);
        let socket = self.dir().join(format!("tmux{number}"));
        Tmux::start(&socket, &self.environment(), argv, size, None)
    }

    /// A program's argv with the trial's `-F` after ssh, scp and sftp.
    #[must_use]
    pub fn argv(&self, argv: &[&str]) -> Vec<OsString> {
        let mut words: Vec<OsString> = Vec::new();
        for (index, word) in argv.iter().enumerate() {
            words.push(word.into());
            if index == 0 && ["ssh", "scp", "sftp"].contains(word) {
                words.push("-F".into());
                words.push(self.client.config().into());
            }
        }
        words
    }

    /// What is held now.
    ///
    /// # Errors
    /// When `expacti pending` fails; an unreachable broker (6) counts as nothing held.
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
    /// When none comes within the deadline.
    pub fn wait_pending(&self) -> Result<Pending> {
        until("a pending command", || Ok(self.pending()?.into_iter().next()))
    }

    /// Waits for as many held commands.
    ///
    /// # Errors
    /// When they do not come within the deadline.
    pub fn wait_pending_count(&self, count: usize) -> Result<Vec<Pending>> {
        until(&format!("{count} pending commands"), || {
            let list = self.pending()?;
            Ok((list.len() == count).then_some(list))
        })
    }

    /// Allows; requires success.
    ///
    /// # Errors
    /// When the decision is not accepted.
    pub fn allow(&self, id: &str) -> Result<()> {
        self.expacti(&["allow", id])?.expect_code(0).map(drop)
    }

    /// Denies with a comment; requires success.
    ///
    /// # Errors
    /// When the decision is not accepted.
    pub fn deny(&self, id: &str, comment: &str) -> Result<()> {
        self.expacti(&["deny", id, comment])?.expect_code(0).map(drop)
    }

    /// Starts a reviewer that decides everything in the same way.
    #[must_use]
    pub fn auto_reviewer(&self, verdict: Verdict) -> AutoReviewer {
        let binary = self.binary.clone();
        let environment = self.environment();
        AutoReviewer::start(verdict, move |args| {
            let output = Command::new(&binary)
                .args(args)
                .env_remove("SSH_AUTH_SOCK")
                .envs(environment.iter().map(|(name, value)| (name, value)))
                .output();
            output.map_or((-1, Vec::new()), |output| {
                (output.status.code().unwrap_or(-1), output.stdout)
            })
        })
    }

    /// Adds a rule (`how` is `--exact`, `--glob` or `--regex`).
    ///
    /// # Errors
    /// When it is refused.
    pub fn rule(&self, how: &str, pattern: &str) -> Result<Value> {
        self.up()?;
        self.expacti(&["rules", "add", how, pattern, "--ttl", "1d", "--json"])?.json()
    }

    /// Starts broker and gate and waits until they are ready.
    ///
    /// # Errors
    /// When they do not come up.
    pub fn up(&self) -> Result<()> {
        self.expacti(&["up"])?.expect_code(0).map(drop)
    }

    /// The audit log as exported, byte for byte.
    ///
    /// # Errors
    /// When the export fails.
    pub fn export(&self) -> Result<Vec<u8>> {
        let outcome = self.expacti(&["audit", "export"])?;
        outcome.expect_code(0)?;
        Ok(outcome.stdout)
    }

    /// The audit log.
    ///
    /// # Errors
    /// When the export fails or a line is not an entry.
    pub fn audit(&self) -> Result<Vec<Entry>> {
        String::from_utf8(self.export()?)?
            .lines()
            .map(|line| {
                serde_json::from_str(line).with_context(|| format!("not an audit entry: {line}"))
            })
            .collect()
    }

    /// The kinds of the audit entries of one command, in order.
    ///
    /// # Errors
    /// As [`Trial::audit`].
    pub fn entry_kinds(&self, id: &str) -> Result<Vec<String>> {
        Ok(self
            .audit()?
            .into_iter()
            .filter(|entry| entry.command_id.as_deref() == Some(id))
            .map(|entry| entry.kind)
            .collect())
    }

    /// Waits until a command's audit entries include `kind`.
    ///
    /// # Errors
    /// When it does not come within the deadline.
    pub fn wait_entry(&self, id: &str, kind: &str) -> Result<Entry> {
        until(&format!("the audit entry {kind} of {id}"), || {
            Ok(self
                .audit()?
                .into_iter()
                .find(|entry| entry.kind == kind && entry.command_id.as_deref() == Some(id)))
        })
    }

    /// The trial's processes: everything expacti started, and the agent's programs.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        with_environment(MARK, &self.mark())
    }

    /// The broker and gate in the background: processes of the binary that run no other command.
    #[must_use]
    pub fn daemons(&self) -> Vec<Process> {
        let name = self.binary.file_name().unwrap_or_default();
        self.processes()
            .into_iter()
            .filter(|process| OsStr::new(process.program()) == name)
            .filter(|process| {
                let command = process.argv.get(1).map_or("", String::as_str);
                ["up", "broker", "gate", "daemon", "serve"].contains(&command)
                    || command.starts_with("__")
            })
            .collect()
    }

    /// The environment of everything in this trial.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, OsString)> {
        let home = self.client.path();
        [
            (MARK, OsString::from(self.mark())),
            ("EXPACTI_HOME", self.home().into()),
            ("HOME", home.into()),
            ("XDG_RUNTIME_DIR", home.join("run").into()),
            // No desktop of the machine hears of a test.
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
    }

    /// Stops everything of expacti: politely, then by id.
    ///
    /// # Errors
    /// When a process survives.
    pub fn stop(&self) -> Result<()> {
        if self.daemons().iter().any(Process::alive) {
            let down = Command::new("timeout")
                .arg("10")
                .arg(&self.binary)
                .arg("down")
                .envs(self.environment())
                .output();
            if let Err(error) = down {
                eprintln!("failed to run expacti down: {error}");
            }
        }
        let rest = self.processes();
        stop_all(&rest)?;
        let later = self.processes();
        ensure!(later.is_empty(), "these processes survived: {later:?}");
        Ok(())
    }

    fn with_env(&self, launch: Launch) -> Launch {
        self.environment()
            .into_iter()
            .fold(launch, |launch, (name, value)| launch.env(&name, value))
            .env_remove("SSH_AUTH_SOCK")
            .env_remove("EXPACTI_BROKER")
            .env_remove("EXPACTI_TOKEN")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
    }

    fn mark(&self) -> String {
        self.dir().display().to_string()
    }

    fn report(&self) {
        eprintln!("--- processes of the trial");
        for process in self.processes() {
            eprintln!("{} {}", process.pid, process.argv.join(" "));
        }
        for file in logs(self.dir()) {
            let text = fs::read(&file).unwrap_or_default();
            eprintln!("--- {}\n{}", file.display(), tail(&String::from_utf8_lossy(&text)));
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // The test runner shows this only for a test that failed.
        self.report();
        if let Err(error) = self.stop() {
            eprintln!("failed to stop the trial: {error:#}");
        }
        if let Err(error) = self.sshd.stop() {
            eprintln!("failed to stop the target: {error:#}");
        }
        self.watchdog.dismiss();
    }
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(60);
    lines.get(from..).unwrap_or_default().join("\n")
}

fn logs(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut queue = vec![dir.to_owned()];
    while let Some(dir) = queue.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => queue.push(path),
                Ok(kind) if kind.is_file() && path.extension() == Some(OsStr::new("log")) => {
                    found.push(path);
                }
                _ => {}
            }
        }
    }
    found
}
