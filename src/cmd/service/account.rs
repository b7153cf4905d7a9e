//! The user of the service, and what runs as that user.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use expacti_protocol::home::{Home, SERVICE_DATA};
use nix::unistd::User;

use crate::failure::Failure;
use crate::machine::SERVICE_USER;

/// The search path of what runs as root or as the service.
pub(super) const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// The user of the service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The user, if there is one.
///
/// # Errors
/// When there is a user of that name who is somebody else.
pub(super) fn find() -> Result<Option<Account>, Failure> {
    let user = User::from_name(SERVICE_USER)
        .map_err(|e| Failure::failed(format!("failed to look up the user {SERVICE_USER}: {e}")))?;
    let Some(user) = user else { return Ok(None) };
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    if uid == 0 || gid == 0 || user.dir != Path::new(SERVICE_DATA) {
        return Err(Failure::failed(format!(
            "there is a user {SERVICE_USER} already whose home is {}, not {SERVICE_DATA}: the service needs one \
             of its own; rename that one",
            user.dir.display()
        )));
    }
    Ok(Some(Account { uid, gid }))
}

/// Makes the user, if there is none.
pub(super) fn make() -> Result<Account, Failure> {
    if let Some(account) = find()? {
        return Ok(account);
    }
    let shell = ["/usr/sbin/nologin", "/sbin/nologin"].into_iter().find(|p| Path::new(p).exists());
    let shell = shell.unwrap_or("/bin/false");
    root(&[
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        SERVICE_DATA,
        "--shell",
        shell,
        SERVICE_USER,
    ])?;
    find()?.ok_or_else(|| Failure::failed(format!("useradd made no user {SERVICE_USER}")))
}

/// Takes the user away.
pub(super) fn remove() -> Result<(), Failure> {
    if find()?.is_some() {
        root(&["userdel", SERVICE_USER])?;
    }
    Ok(())
}

/// Runs a command of the system as root.
pub(super) fn root(words: &[&str]) -> Result<(), Failure> {
    let (program, args) =
        words.split_first().ok_or_else(|| Failure::failed("no command was given"))?;
    let output = Command::new(program)
        .args(args)
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| Failure::failed(format!("failed to run {program}: {e}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(Failure::failed(format!("`{}` failed: {}", words.join(" "), said.trim())))
}

/// What runs this program as the user of the service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Child<'a> {
    pub(super) account: &'a Account,
    pub(super) program: &'a Path,
    pub(super) home: &'a Home,
}

impl Child<'_> {
    /// Runs `expacti ARGS...` to its end, and returns what it prints.
    pub(super) fn run(&self, args: &[&str]) -> Result<String, Failure> {
        let [_, data, _] = self.home.dirs();
        let output = Command::new(self.program)
            .args(args)
            // Without the groups of root, too: this is what setting a user does.
            .uid(self.account.uid)
            .gid(self.account.gid)
            .current_dir("/")
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", data)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| {
                Failure::failed(format!("failed to run {}: {e}", self.program.display()))
            })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let _ = std::io::stderr().write_all(&output.stderr);
        Err(Failure::failed(format!(
            "`expacti {}` failed as the user {SERVICE_USER}",
            args.join(" ")
        )))
    }
}
