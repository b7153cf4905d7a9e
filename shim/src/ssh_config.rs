//! Asks the stock client for the configuration of one host (`ssh -G`), and reads the answer. It
//! connects to nothing.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::{ResolveError, WrapError};

/// Set for the clients that expacti itself starts: those must see the user's own configuration, without
/// the block that leads a wrapped program's clients to the gate.
pub(crate) const RESOLVING: &str = "EXPACTI_RESOLVING";

/// What resolving depends on, besides the command line.
pub(crate) struct ResolveEnv<'a> {
    /// The stock client.
    pub(crate) ssh: &'a Path,
    /// The wrap's directory.
    pub(crate) dir: &'a Path,
    /// The process of `expacti wrap`.
    pub(crate) wrap_pid: u32,
    /// Reads the environment.
    pub(crate) var: &'a dyn Fn(&str) -> Option<String>,
    /// The working directory, for relative paths.
    pub(crate) cwd: &'a Path,
    /// The environment of what the configuration runs for a wrapped program; none for the user's own
    /// command line, which has that of this process.
    pub(crate) fixed: Option<&'a [(String, OsString)]>,
}

/// What the client's configuration says of one host.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    keywords: HashMap<String, Vec<String>>,
}

impl Settings {
    /// Reads the output of `ssh -G`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut keywords: HashMap<String, Vec<String>> = HashMap::new();
        for line in text.lines() {
            let (key, value) = line.split_once(' ').unwrap_or((line, ""));
            keywords.entry(key.to_ascii_lowercase()).or_default().push(value.to_owned());
        }
        Self { keywords }
    }

    /// Every value of a keyword.
    pub(crate) fn values(&self, key: &str) -> &[String] {
        self.keywords.get(key).map_or(&[], Vec::as_slice)
    }

    /// The value of a keyword, unless it is empty or `none`.
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        let value = self.values(key).first().map(String::as_str)?;
        (!value.is_empty() && !value.eq_ignore_ascii_case("none")).then_some(value)
    }

    /// Whether this client knows a keyword (and prints it).
    pub(crate) fn has(&self, key: &str) -> bool {
        self.keywords.contains_key(key)
    }

    /// Whether a keyword is switched on.
    pub(crate) fn is_yes(&self, key: &str) -> bool {
        matches!(self.value(key), Some("yes" | "true"))
    }
}

/// Starts the client with `args`; [`answer`] waits for it.
pub(crate) fn ask(env: &ResolveEnv<'_>, args: &[&OsStr]) -> Result<Child, WrapError> {
    let mut command = Command::new(env.ssh);
    if let Some(environment) = env.fixed {
        command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    }
    command.env(RESOLVING, "1");
    command
        .args(args)
        .current_dir(env.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(WrapError::io(format!("run {} -G", env.ssh.display())))
}

/// What the client prints.
pub(crate) fn answer(mut child: Child) -> Result<String, WrapError> {
    // The answer is a few kilobytes and the errors fit in a pipe: no deadlock.
    let read = |pipe: Option<&mut dyn std::io::Read>| -> Result<String, WrapError> {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            pipe.take(1 << 20)
                .read_to_end(&mut bytes)
                .map_err(WrapError::io("read what ssh -G says"))?;
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let out = read(child.stdout.as_mut().map(|p| p as &mut dyn std::io::Read))?;
    let err = read(child.stderr.as_mut().map(|p| p as &mut dyn std::io::Read))?;
    let status = child.wait().map_err(WrapError::io("wait for ssh -G"))?;
    if !status.success() {
        let why = err.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>();
        return Err(ResolveError::Ssh(why.join("; ")).into());
    }
    Ok(out)
}
