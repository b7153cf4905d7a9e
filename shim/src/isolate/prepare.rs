//! Leaves in the wrap's directory what `__enter` and `__init` need.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use expacti_protocol::home::Home;
use tempfile::TempDir;

use super::enter::plan_file;
use super::plan::{NOTHING, Plan};
use super::sockets::has_only_sockets;
use super::startup::Startup;
use super::survey::Survey;
use crate::context::{CLIENT, EXPACTI};
use crate::error::WrapError;
use crate::executable::search_path;
use crate::fixed::directory;

/// What a wrapped program is not to find, beside what is found by looking.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Keys and sockets.
    pub(crate) secrets: Vec<PathBuf>,
    /// The same as patterns of `glob`.
    pub(crate) patterns: Vec<String>,
    /// Configurations of ssh.
    pub(crate) fixed: Vec<PathBuf>,
    /// `--with`.
    pub(crate) with: Vec<String>,
}

/// The namespaces of one wrap, ready to be entered.
#[derive(Debug)]
pub(crate) struct Isolate {
    pub(crate) dir: PathBuf,
    pub(crate) plan: Plan,
    pub(crate) keep: bool,
    /// What the program sees as `/tmp`.
    tmp: TempDir,
    /// What was in it from the start, outermost first.
    places: Vec<PathBuf>,
    startup: Startup,
}

/// How many changed files are named.
const NAMED: usize = 8;

/// Variables that lead to programs of the user's session, none of which can be reached inside.
pub(crate) const UNREACHABLE: &[&str] = &[
    "DBUS_SESSION_BUS_ADDRESS",
    "DISPLAY",
    "GNOME_KEYRING_CONTROL",
    "GPG_AGENT_INFO",
    "ICEAUTHORITY",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    "STY",
    "TMUX",
    "TMUX_PANE",
    "VSCODE_IPC_HOOK_CLI",
    "WAYLAND_DISPLAY",
    "WSL_INTEROP",
    "XAUTHORITY",
];

/// The message of clients that cannot be led through the gate.
const REFUSED: &str = "#!/bin/sh\n\
    case ${0##*/} in at*|batch|crontab|doas|newgrp|pkexec|run0|sg|su|sudo*)\n\
    echo \"expacti: ${0##*/} gets no rights inside a wrap; run it outside, or start the program with \
    expacti wrap --no-isolate\" >&2\n\
    exit 1;;\n\
    esac\n\
    echo \"expacti: ${0##*/} cannot be led through the gate; use ssh, scp or sftp\" >&2\n\
    exit 79\n";

/// The home directories of this user: that of the account, which ssh takes, and `HOME`.
pub(crate) fn homes() -> Vec<PathBuf> {
    let account = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    let mut homes: BTreeSet<PathBuf> = BTreeSet::new();
    homes.extend(account.map(|user| user.dir));
    homes.extend(std::env::var_os("HOME").map(PathBuf::from));
    let mut homes: Vec<PathBuf> = homes
        .into_iter()
        .filter(|dir| dir.is_absolute())
        .filter_map(|dir| std::fs::canonicalize(dir).ok())
        .filter(|dir| dir != Path::new("/"))
        .collect();
    homes.dedup();
    homes
}

/// Looks at the system, and leaves the plan.
pub(crate) fn prepare(
    dir: &Path,
    own: &Home,
    expacti: &Path,
    client: Option<&Path>,
    program: &Path,
    known: &Known,
    keep: bool,
) -> Result<Isolate, WrapError> {
    let write = |name: &str, text: &[u8], mode: u32| {
        let path = dir.join(name);
        std::fs::write(&path, text)
            .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)))
            .map_err(WrapError::io(format!("write {}", path.display())))
    };
    known.with.iter().try_for_each(|with| check_with(with))?;
    write(NOTHING, b"", 0)?;
    // What is mounted over these two stays what it is now, also when the file outside is replaced.
    for name in [EXPACTI, CLIENT] {
        write(name, b"", 0o500)?;
    }
    write("refused", REFUSED.as_bytes(), 0o755)?;
    let tmp = private_tmp()?;
    let var =
        |name: &str| std::env::var_os(name).filter(|v: &OsString| !v.is_empty()).map(PathBuf::from);
    let mut secrets = known.secrets.clone();
    secrets.extend(["SSH_AUTH_SOCK", "XAUTHORITY", "ICEAUTHORITY"].into_iter().filter_map(var));
    // What logs in by Kerberos.
    let kerberos = ["KRB5CCNAME", "KRB5_KTNAME", "KRB5_CLIENT_KTNAME"];
    secrets.extend(kerberos.into_iter().filter_map(var).filter_map(|name| kerberos_path(&name)));
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    for pattern in &known.patterns {
        secrets.extend(glob::glob(pattern).into_iter().flatten().flatten().filter(|p| !p.is_dir()));
        // What appears there later is not to be found either.
        let theirs =
            |dir: &PathBuf| has_only_sockets(dir) && !working_directory().starts_with(real(dir));
        secrets.extend(directory(pattern).filter(theirs));
    }
    let survey = Survey {
        uid: rustix::process::getuid().as_raw(),
        homes: homes(),
        own,
        expacti: &real(expacti),
        client: client.map(real),
        dir: &real(dir),
        path: search_path(),
        program: &real(program),
        cwd: working_directory(),
        runtime: var("XDG_RUNTIME_DIR"),
        gnupg: var("GNUPGHOME"),
        config: var("XDG_CONFIG_HOME"),
        data: var("XDG_DATA_HOME"),
        tmpdir: var("TMPDIR"),
        secrets,
        fixed: known.fixed.clone(),
        with: &known.with,
    };
    let startup = Startup::look(&survey.homes, &survey.cwd);
    let plan = survey.plan(&tmp.path().join("tmp"))?;
    let places = everything_below(&tmp.path().join("tmp"));
    let text = serde_json::to_vec(&plan)
        .map_err(|e| WrapError::Usage(format!("the mounts cannot be described: {e}")))?;
    write("plan.json", &text, 0o600)?;
    debug_assert_eq!(plan_file(dir), dir.join("plan.json"));
    Ok(Isolate { dir: dir.to_owned(), plan, keep, tmp, places, startup })
}

/// The file or directory of `TYPE:PATH`; none for what is kept elsewhere.
fn kerberos_path(name: &Path) -> Option<PathBuf> {
    let name = name.to_str()?;
    let path = match name.split_once(':') {
        Some(("FILE" | "WRFILE" | "DIR", path)) => path.trim_start_matches(':'),
        Some(_) => return None,
        None => name,
    };
    Some(path.into())
}

/// What `--with` may name: nothing that would bring the keys back, and nothing without effect.
fn check_with(with: &str) -> Result<(), WrapError> {
    if matches!(with, "docker" | "gpg" | "proxy-commands") {
        return Ok(());
    }
    let path = Path::new(with);
    let wrong = |why: &str| Err(WrapError::Usage(format!("--with {with}: {why}")));
    if !path.is_absolute() {
        return wrong("name docker, gpg, proxy-commands, or an absolute path");
    }
    let Ok(real) = std::fs::canonicalize(path) else { return wrong("there is no such path") };
    let holds_keys = |home: &PathBuf| {
        let ssh = home.join(".ssh");
        ssh.starts_with(&real) || real.starts_with(&ssh)
    };
    if homes().iter().any(holds_keys) {
        return wrong("it would show your keys; name something smaller");
    }
    Ok(())
}

/// The working directory; the root directory when it is gone or will not be there.
fn working_directory() -> PathBuf {
    let is_lasting = |dir: &PathBuf| !dir.starts_with("/proc");
    std::env::current_dir().ok().filter(is_lasting).unwrap_or_else(|| {
        crate::notice::print(&"the working directory is not there inside; the program begins in /");
        "/".into()
    })
}

/// Every file and directory below `dir`, outermost first.
fn everything_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        found.push(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(everything_below(&entry.path()));
        }
    }
    found
}

/// Removes a file or an empty directory below `dir`, unless a link leads to it: the program could have put
/// one there.
fn remove(dir: &Path, place: &Path) {
    use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, open, openat2, unlinkat};
    let (Ok(below), Some(name)) = (place.strip_prefix(dir), place.file_name()) else { return };
    let parent = below.parent().filter(|parent| !parent.as_os_str().is_empty());
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::BENEATH;
    let parent = open(dir, flags, Mode::empty()).and_then(|top| {
        openat2(top, parent.unwrap_or(Path::new(".")), flags, Mode::empty(), resolve)
    });
    if let Ok(parent) = parent
        && unlinkat(&parent, name, AtFlags::empty()).is_err()
    {
        let _ = unlinkat(&parent, name, AtFlags::REMOVEDIR);
    }
}

/// A directory in `/tmp` that only this user can enter, with the program's `/tmp` in it.
fn private_tmp() -> Result<TempDir, WrapError> {
    let failed = || WrapError::io("make a /tmp for the program");
    let outer = tempfile::Builder::new()
        .prefix("expacti-tmp-")
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir_in("/tmp")
        .map_err(failed())?;
    let inner = outer.path().join("tmp");
    std::fs::DirBuilder::new().mode(0o700).create(&inner).map_err(failed())?;
    // As every program expects it; others cannot reach it.
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o1777)).map_err(failed())?;
    Ok(outer)
}

impl Isolate {
    /// Says what the program left behind: in its `/tmp`, which is kept unless it is empty, and in
    /// files that run when the user starts something.
    pub(crate) fn settle(self) {
        let changed = self.startup.changed();
        if !changed.is_empty() {
            let shown: Vec<String> =
                changed.iter().take(NAMED).map(|path| path.display().to_string()).collect();
            let more = changed.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            crate::notice::print(&expacti_protocol::one_line(&format!(
                "changed while the program ran, and read when you start a program: {}{more}; look \
                 at them first",
                shown.join(", ")
            )));
        }
        let inner = self.tmp.path().join("tmp");
        // What stood there only for something to be mounted on it.
        self.places.iter().rev().for_each(|place| remove(&inner, place));
        let left = std::fs::read_dir(&inner).map_or(0, Iterator::count);
        if left > 0 {
            let kept = self.tmp.keep().join("tmp");
            crate::notice::print(&format!(
                "what the program left in /tmp is in {}",
                kept.display()
            ));
        }
    }
}
