//! Starting a program and collecting what it says; must never block for ever nor leave it running.

use std::{
    ffi::{OsStr, OsString},
    io::{Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::{
    process::kill,
    until::{DEADLINE, until_for},
};

/// A program about to be started.
#[derive(Debug)]
pub struct Launch {
    command: Command,
    line: String,
    stdin: Input,
    limit: Duration,
}

#[derive(Debug)]
enum Input {
    Closed,
    Bytes(Vec<u8>),
    Open,
}

impl Launch {
    pub(crate) fn new(program: &OsStr, args: &[OsString]) -> Self {
        let mut command = Command::new(program);
        command.args(args);
        let mut line = program.to_string_lossy().into_owned();
        for arg in args {
            line.push(' ');
            line.push_str(&arg.to_string_lossy());
        }
        Self { command, line, stdin: Input::Closed, limit: DEADLINE }
    }

    /// A program of the test's own, with the test's environment.
    #[must_use]
    pub fn of(program: impl AsRef<OsStr>, args: &[OsString]) -> Self {
        Self::new(program.as_ref(), args)
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs it as this user, in no other group, and with an empty environment.
    #[must_use]
    pub(crate) fn identity(mut self, uid: u32, gid: u32) -> Self {
        self.command.uid(uid).gid(gid).env_clear();
        self
    }

    /// Runs it in this directory.
    #[must_use]
    pub fn current_dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Removes a variable.
    #[must_use]
    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Gives it these bytes on standard input, then end of file (default: end of file at once).
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Input::Bytes(bytes.into());
        self
    }

    /// Keeps standard input open until [`Run::close_stdin`].
    #[must_use]
    pub fn stdin_open(mut self) -> Self {
        self.stdin = Input::Open;
        self
    }

    /// How long [`Run::wait`] waits; past it the program is killed and the test fails.
    #[must_use]
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Starts it.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(mut self) -> Result<Run> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.command.stdin(match self.stdin {
            Input::Closed => Stdio::null(),
            Input::Bytes(_) | Input::Open => Stdio::piped(),
        });
        let mut child =
            self.command.spawn().with_context(|| format!("failed to start {}", self.line))?;
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let mut stdin = child.stdin.take();
        if let Input::Bytes(bytes) = self.stdin
            && let Some(mut pipe) = stdin.take()
        {
            // The reader may end early (denied, killed): that is no failure of the writer.
            thread::spawn(move || pipe.write_all(&bytes).ok());
        }
        Ok(Run { child, line: self.line, stdin, stdout, stderr, limit: self.limit })
    }

    /// Starts it and waits for its end.
    ///
    /// # Errors
    /// As [`Launch::spawn`] and [`Run::wait`].
    pub fn run(self) -> Result<Outcome> {
        self.spawn()?.wait()
    }
}

/// A program that runs; killed on drop.
#[derive(Debug)]
pub struct Run {
    child: Child,
    line: String,
    stdin: Option<ChildStdin>,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
    limit: Duration,
}

impl Run {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap_or(0)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(self.pid(), signal)
    }

    /// Writes to its standard input ([`Launch::stdin_open`]).
    ///
    /// # Errors
    /// When standard input was not kept open, or the program closed it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let pipe = self.stdin.as_mut().context("standard input is not open")?;
        pipe.write_all(bytes)?;
        pipe.flush()?;
        Ok(())
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// When the kernel cannot say.
    pub fn running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Waits for its end and for all of its output.
    ///
    /// # Errors
    /// When it does not end in time; it is killed then.
    pub fn wait(mut self) -> Result<Outcome> {
        self.stdin = None;
        let child = &mut self.child;
        let ended =
            until_for(self.limit, &format!("`{}` to end", self.line), || Ok(child.try_wait()?));
        if ended.is_err() {
            self.child.kill().ok();
            self.child.wait().ok();
        }
        let output = |handle: Option<JoinHandle<Vec<u8>>>| -> Vec<u8> {
            // A descendant may hold the pipe for ever after a kill: only a clean end waits for it.
            match handle {
                Some(handle) if ended.is_ok() => handle.join().unwrap_or_default(),
                Some(handle) if handle.is_finished() => handle.join().unwrap_or_default(),
                _ => Vec::new(),
            }
        };
        let stdout = output(self.stdout.take());
        let stderr = output(self.stderr.take());
        let status = ended.with_context(|| {
            format!(
                "it had written {:?} and {:?}",
                String::from_utf8_lossy(&stdout),
                String::from_utf8_lossy(&stderr)
            )
        })?;
        Ok(Outcome { line: self.line.clone(), status, stdout, stderr })
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> Option<JoinHandle<Vec<u8>>> {
    pipe.map(|mut pipe| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            pipe.read_to_end(&mut bytes).ok();
            bytes
        })
    })
}

/// How a program ended and what it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    line: String,
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// All of its standard error.
    pub stderr: Vec<u8>,
}

impl Outcome {
    /// The exit status as a shell has it: 128 + signal for a death by signal.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// Standard output as text.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Requires an exit status.
    ///
    /// # Errors
    /// When it is another one.
    pub fn expect_code(&self, code: i32) -> Result<&Self> {
        ensure!(self.code() == code, "expected exit status {code}: {}", self.describe());
        Ok(self)
    }

    /// Requires success and exactly this standard output.
    ///
    /// # Errors
    /// When either differs.
    pub fn expect_stdout(&self, text: &str) -> Result<&Self> {
        self.expect_code(0)?;
        ensure!(
            self.stdout == text.as_bytes(),
            "expected standard output {text:?}: {}",
            self.describe()
        );
        Ok(self)
    }

    /// Requires this text somewhere in standard error.
    ///
    /// # Errors
    /// When it is not there.
    pub fn expect_stderr(&self, text: &str) -> Result<&Self> {
        ensure!(
            self.err().contains(text),
            "expected {text:?} on standard error: {}",
            self.describe()
        );
        Ok(self)
    }

    /// Requires empty standard output.
    ///
    /// # Errors
    /// When there is any.
    pub fn expect_no_stdout(&self) -> Result<&Self> {
        ensure!(self.stdout.is_empty(), "expected no standard output: {}", self.describe());
        Ok(self)
    }

    /// Standard output as JSON.
    ///
    /// # Errors
    /// When it is not JSON or the program failed.
    pub fn json(&self) -> Result<serde_json::Value> {
        self.expect_code(0)?;
        serde_json::from_slice(&self.stdout)
            .with_context(|| format!("expected JSON: {}", self.describe()))
    }

    /// All of it, for a failure's message.
    #[must_use]
    pub fn describe(&self) -> String {
        let short = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            let head: String = text.chars().take(2000).collect();
            format!("{head:?} ({} bytes)", bytes.len())
        };
        format!(
            "`{}` ended with {}; standard output {}; standard error {}",
            self.line,
            self.code(),
            short(&self.stdout),
            short(&self.stderr)
        )
    }
}
