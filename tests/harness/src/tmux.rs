//! A program in a real terminal, by tmux on a socket of its own; must never meet the user's tmux.

use std::{
    ffi::OsString,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};

use crate::until::until;

/// A tmux server with one pane; killed on drop.
#[derive(Debug)]
pub struct Tmux {
    socket: PathBuf,
    identity: Option<(u32, u32)>,
}

impl Tmux {
    /// Starts `argv` with the given environment in a pane of `columns` x `rows`.
    /// The pane stays after the program's end, so that its last screen can be seen.
    /// With an `identity` (user and group) all of it is that user's, with no other environment.
    pub(crate) fn start(
        socket: &Path,
        environment: &[(String, OsString)],
        argv: &[OsString],
        (columns, rows): (u16, u16),
        identity: Option<(u32, u32)>,
    ) -> Result<Self> {
        let tmux = Self { socket: socket.to_owned(), identity };
        let mut command = tmux.command();
        command
            .args(["-f", "/dev/null", "new-session", "-d", "-x"])
            .arg(columns.to_string())
            .arg("-y")
            .arg(rows.to_string())
            .env("SHELL", "/bin/sh")
            .env("LC_ALL", "C.UTF-8");
        for (name, value) in environment {
            command.env(name, value);
        }
        // `remain-on-exit` must be set before the program can end: it starts when released.
        let gate = socket.with_extension("go");
        command
            .arg("sh")
            .arg("-c")
            .arg("until [ -e \"$0\" ]; do sleep 0.02; done; exec \"$@\"")
            .arg(&gate)
            .args(argv);
        let output = command.output().context("failed to run tmux: is it installed?")?;
        ensure!(
            output.status.success(),
            "tmux failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        tmux.run(&["set-option", "-g", "remain-on-exit", "on"])?;
        tmux.run(&["set-option", "-g", "history-limit", "5000"])?;
        std::fs::write(&gate, "")?;
        Ok(tmux)
    }

    /// Presses keys by tmux's names (`Enter`, `C-c`, `a`, `Up`).
    ///
    /// # Errors
    /// When tmux fails.
    pub fn keys(&self, keys: &[&str]) -> Result<()> {
        let mut args = vec!["send-keys"];
        args.extend(keys);
        self.run(&args).map(drop)
    }

    /// Types text literally.
    ///
    /// # Errors
    /// When tmux fails.
    pub fn type_text(&self, text: &str) -> Result<()> {
        self.run(&["send-keys", "-l", text]).map(drop)
    }

    /// What is on the screen.
    ///
    /// # Errors
    /// When tmux fails.
    pub fn capture(&self) -> Result<String> {
        self.run(&["capture-pane", "-p"])
    }

    /// Waits until the screen shows `text`; the failure carries the screen.
    ///
    /// # Errors
    /// When it does not within the deadline.
    pub fn wait_for(&self, text: &str) -> Result<String> {
        self.wait_until(&format!("{text:?} on the screen"), |screen| screen.contains(text))
    }

    /// Waits until `condition` holds of the screen; the failure carries the screen.
    ///
    /// # Errors
    /// When it does not within the deadline.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) -> Result<String> {
        until(what, || {
            let screen = self.capture()?;
            Ok(condition(&screen).then_some(screen))
        })
        .with_context(|| format!("the screen:\n{}", self.capture().unwrap_or_default()))
    }

    /// Changes the size.
    ///
    /// # Errors
    /// When tmux fails.
    pub fn resize(&self, columns: u16, rows: u16) -> Result<()> {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.run(&["resize-window", "-x", &columns, "-y", &rows]).map(drop)
    }

    /// Evaluates a tmux format of the pane, for example `#{pane_pid}`, `#{alternate_on}`.
    ///
    /// # Errors
    /// When tmux fails.
    pub fn format(&self, format: &str) -> Result<String> {
        Ok(self.run(&["display-message", "-p", format])?.trim_end().to_owned())
    }

    /// The process id of the program (of the shell when one was started).
    ///
    /// # Errors
    /// When tmux fails.
    pub fn pid(&self) -> Result<i32> {
        Ok(self.format("#{pane_pid}")?.parse()?)
    }

    /// Waits for the program's end and gives its exit status.
    ///
    /// # Errors
    /// When it does not end within the deadline.
    pub fn wait_exit(&self) -> Result<i32> {
        until("the program in the terminal to end", || {
            let state = self.format("#{pane_dead} #{pane_dead_status} #{pane_dead_signal}")?;
            let mut words = state.split(' ');
            if words.next() != Some("1") {
                return Ok(None);
            }
            // The pane is dead when its terminal closes; the status comes with SIGCHLD, maybe later.
            let status = words.next().unwrap_or_default().parse::<i32>();
            let signal = words.next().unwrap_or_default().parse::<i32>();
            let code = status.ok().or(signal.ok().map(|signal| 128 + signal));
            if code.is_none() {
                // tmux may miss the signal when the terminal closes first; a child of its own that
                // ends makes it look for all that ended.
                self.run(&["run-shell", "true"])?;
            }
            Ok(code)
        })
        .with_context(|| format!("the screen:\n{}", self.capture().unwrap_or_default()))
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        let output = self.output(args)?;
        ensure!(
            output.status.success(),
            "tmux {args:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn output(&self, args: &[&str]) -> Result<Output> {
        Ok(self.command().args(args).output()?)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        if let Some((uid, gid)) = self.identity {
            command.uid(uid).gid(gid).env_clear().current_dir("/");
        }
        command.arg("-S").arg(&self.socket).env_remove("TMUX");
        command
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.output(&["kill-server"]).ok();
    }
}
