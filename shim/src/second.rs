//! The second line, for where there are no namespaces: a block in the user's ssh configuration that
//! leads the stock client to the gate whenever it runs inside a wrap, by whatever path it was started.
//!
//! It is no boundary: a program can give `ssh` another configuration. `expacti setup --user` puts it in
//! place, after asking.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use expacti_protocol::ancestry;
use expacti_protocol::exit;
use expacti_protocol::home::{GATE_HOST_ALIAS, Home};
use expacti_protocol::uplink::WRAP_ENV;

use crate::context::{self, Context};
use crate::error::WrapError;
use crate::ssh_config::RESOLVING;
use crate::{canary, helper, notice};

/// How far up the tree of processes a wrap is looked for.
const MAX_DEPTH: usize = 1024;

/// The configuration file of the second line.
///
/// # Errors
/// When a path cannot be written in an ssh configuration.
pub fn ssh_config(expacti: &Path, home: &Home) -> Result<String, WrapError> {
    let expacti = word(expacti)?;
    let bases: Vec<String> =
        crate::shim_dir::bases(home).iter().map(|dir| word(dir)).collect::<Result<_, _>>()?;
    let bases = bases.join(" ");
    let known_hosts = word(&home.gate_known_hosts())?;
    let mark = canary::MARK;
    Ok(format!(
        "# Written by `expacti setup --user`; `expacti setup --user --undo` removes it.\n\
         # Inside a program run by `expacti wrap`, and only there, ssh leads to the gate.\n\
         Match exec \"{expacti} __inside {bases}\"\n\
         \x20 ProxyCommand {expacti} __proxy {mark} %n %h %p %r {bases}\n\
         \x20 ProxyUseFdpass yes\n\
         \x20 HostKeyAlias {GATE_HOST_ALIAS}\n\
         \x20 UserKnownHostsFile {known_hosts}\n\
         \x20 GlobalKnownHostsFile /dev/null\n\
         \x20 HostKeyAlgorithms ssh-ed25519\n\
         \x20 StrictHostKeyChecking yes\n\
         \x20 VerifyHostKeyDNS no\n\
         \x20 UpdateHostKeys no\n\
         \x20 CheckHostIP no\n\
         \x20 PubkeyAuthentication no\n\
         \x20 IdentityAgent none\n\
         \x20 ForwardAgent no\n\
         \x20 ForwardX11 no\n\
         \x20 ClearAllForwardings yes\n\
         \x20 ControlMaster no\n\
         \x20 ControlPath none\n\
         \x20 PermitLocalCommand no\n\
         Match all\n"
    ))
}

/// A path in a command line that a shell reads, inside a value of an ssh configuration.
fn word(path: &Path) -> Result<String, WrapError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@,=:".contains(c);
    path.to_str().filter(|text| text.chars().all(plain)).map(str::to_owned).ok_or_else(|| {
        WrapError::Usage(format!(
            "{path:?} cannot be named in an ssh configuration; move it to a plainer path"
        ))
    })
}

/// `expacti __inside BASES…`: ends with 0 when this process belongs to a wrap.
pub(crate) fn inside(bases: &[OsString]) -> u8 {
    match wrap_of_this_process(bases) {
        Some(_) if std::env::var_os(RESOLVING).is_none() => exit::OK,
        _ => exit::FAILED,
    }
}

/// `expacti __proxy MARK NAME HOST PORT USER BASES…`: the client's `ProxyCommand`.
pub(crate) fn proxy(args: &[OsString]) -> u8 {
    match connect(args) {
        Ok(status) => status,
        Err(e) => {
            notice::print(&e);
            e.exit_status()
        }
    }
}

fn connect(args: &[OsString]) -> Result<u8, WrapError> {
    let usage = || WrapError::Usage("__proxy is a helper of `expacti setup --user`".to_owned());
    let [_, name, host, port, user, bases @ ..] = args else { return Err(usage()) };
    let text = |word: &OsString| word.to_str().map(str::to_owned).ok_or_else(usage);
    let (name, host, port, user) = (text(name)?, text(host)?, text(port)?, text(user)?);
    let context = Context::load(&wrap_of_this_process(bases).ok_or(WrapError::WrapEnded)?)?;
    let mut options = vec!["-p".to_owned(), port, "-l".to_owned(), user];
    // The host that the client would go to, where an option and not the configuration says so.
    if host != name && hostname(context.ssh()?, &name).as_ref() != Some(&host) {
        options.extend(["-o".to_owned(), format!("HostName={host}")]);
    }
    options.push(name);
    let cwd = std::env::current_dir().map_err(WrapError::io("find the working directory"))?;
    let status_line = rustix::termios::isatty(std::io::stderr().as_fd());
    let (client, _) = helper::client(&context.dir, options, cwd, status_line)?;
    client.notes.iter().for_each(|note| notice::print(note));
    Ok(helper::uplink(&context.dir.join(helper::SOCKET), &client.ticket))
}

/// What the configuration says of a name.
fn hostname(ssh: &Path, name: &str) -> Option<String> {
    let output = Command::new(ssh)
        .args(["-G", "--", name])
        .env(RESOLVING, "1")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find_map(|line| line.strip_prefix("hostname ")).map(str::to_owned)
}

/// The description of the wrap that this process belongs to: by its environment, or by the processes
/// above it when the environment was cleaned.
fn wrap_of_this_process(bases: &[OsString]) -> Option<PathBuf> {
    let named = std::env::var(WRAP_ENV).ok().and_then(|pid| pid.parse().ok());
    if let Some(file) = named.and_then(|pid| description(pid, bases)) {
        return Some(file);
    }
    let mut pid = std::process::id();
    for _ in 0..MAX_DEPTH {
        if let Some(file) = description(pid, bases) {
            return Some(file);
        }
        pid = ancestry::stat(pid).ok()?.parent;
        if pid <= 1 {
            return None;
        }
    }
    None
}

fn description(pid: u32, bases: &[OsString]) -> Option<PathBuf> {
    let prefix = format!("{pid}-");
    bases.iter().find_map(|base| {
        let entries = std::fs::read_dir(base).ok()?;
        let of_wrap = |name: &std::ffi::OsStr| name.as_bytes().starts_with(prefix.as_bytes());
        let dir = entries.flatten().find(|entry| of_wrap(&entry.file_name()))?.path();
        Some(dir.join(context::FILE)).filter(|file| file.exists())
    })
}
