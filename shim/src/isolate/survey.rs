//! Looks at this system and says what a wrapped program must not see, and what it may only read.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use expacti_protocol::home::Home;

use super::covers::{another_directory, leave_out_hidden, outermost, push, seen_again};
use super::places::{
    DEVICES, ENGINES, OWN, RUN, SECRETS, SPECIAL, STARTER_FILES, STARTERS, STARTERS_OF_DATA,
    is_broad, is_own_of_root,
};
use super::plan::{AREAS, Item, ItemKind, NOTHING, Plan, Step};
use super::secret_files::{copies, holds_only_keys, is_no_secret, linked, names_of};
use super::watch::{Mount, parse};
use super::writable::{is_changeable, is_writable, renamable_ancestors};
use super::{programs, sockets};
use crate::context::{CLIENT, EXPACTI};
use crate::error::WrapError;

/// How deep the directories below `~/.ssh` are looked at.
const MAX_DEPTH: usize = 4;

/// What the plan depends on.
pub(crate) struct Survey<'a> {
    /// The user's number.
    pub(crate) uid: u32,
    /// The user's home directories: that of the account, and `HOME`.
    pub(crate) homes: Vec<PathBuf>,
    /// expacti's own directories.
    pub(crate) own: &'a Home,
    /// This executable.
    pub(crate) expacti: &'a Path,
    /// The stock client.
    pub(crate) client: Option<PathBuf>,
    /// The wrap's directory.
    pub(crate) dir: &'a Path,
    /// `PATH`.
    pub(crate) path: OsString,
    /// The program.
    pub(crate) program: &'a Path,
    /// The working directory.
    pub(crate) cwd: PathBuf,
    /// `XDG_RUNTIME_DIR`.
    pub(crate) runtime: Option<PathBuf>,
    /// `GNUPGHOME`.
    pub(crate) gnupg: Option<PathBuf>,
    /// `XDG_CONFIG_HOME` and `XDG_DATA_HOME`.
    pub(crate) config: Option<PathBuf>,
    pub(crate) data: Option<PathBuf>,
    /// `TMPDIR`.
    pub(crate) tmpdir: Option<PathBuf>,
    /// `SSH_AUTH_SOCK`, `XAUTHORITY` and the like: further files that must not be seen.
    pub(crate) secrets: Vec<PathBuf>,
    /// The files of the ssh configuration.
    pub(crate) fixed: Vec<PathBuf>,
    /// `--with`: `docker`, `gpg`, or paths.
    pub(crate) with: &'a [String],
}

impl Survey<'_> {
    /// The plan. `private_tmp` is what the wrap's own `/tmp` is outside.
    ///
    /// # Errors
    /// When something cannot be looked at or held fast.
    pub(crate) fn plan(&self, private_tmp: &Path) -> Result<Plan, WrapError> {
        let own = self.own.dirs().into_iter().map(Path::to_owned);
        for dir in self.homes.iter().map(|home| home.join(".ssh")).chain(own) {
            refuse_replaceable(&dir, self.uid)?;
        }
        let mut steps = Vec::new();
        if self.uid == 0 {
            // The only places that stay writable: elsewhere, root owns what starts programs outside.
            let dirs = self.writable_for_root().into_iter();
            steps.extend(dirs.map(|at| Step::Bind { from: at.clone(), at, read_only: false }));
        }
        steps.push(Step::Processes { at: "/proc".into() });
        if self.uid == 0 {
            // Its settings are those of the whole machine.
            steps.push(Step::ReadOnly { at: "/proc".into() });
        }
        let (items, brought_back) = self.places(Path::new("/dev"));
        steps.push(self.devices(items));
        if self.uid == 0 {
            // Root owns the devices, and could change their modes for everybody. They can be written to.
            let devices = seen_devices().filter(|at| at != Path::new("/dev/hugepages"));
            steps.extend(devices.map(|at| Step::ReadOnly { at }));
        }
        steps.extend(brought_back);
        steps.push(Step::Terminals { at: "/dev/pts".into() });
        steps.extend(self.tmp(private_tmp)?);
        steps.extend(self.run()?);
        steps.extend(control_groups());
        let text = std::fs::read("/proc/self/mountinfo")
            .map_err(WrapError::io("read /proc/self/mountinfo"))?;
        let mounts = parse(&text);
        let mut covers = self.covers()?;
        self.cover_aliases(&mounts, &mut covers);
        leave_out_hidden(&mut covers);
        let mut fixed = self.read_only();
        let again: Vec<PathBuf> = fixed.iter().flat_map(|path| seen_again(&mounts, path)).collect();
        fixed.extend(again.into_iter().filter(|path| !self.is_replaced(path)));
        fixed.retain(|path| !covers.iter().any(|c| path.starts_with(c.at())));
        let mut ancestors: BTreeSet<PathBuf> = BTreeSet::new();
        for at in covers.iter().map(Step::at).chain(fixed.iter().map(PathBuf::as_path)) {
            ancestors.extend(renamable_ancestors(at, self.uid));
        }
        // A set of paths is sorted: what lies above comes before what lies below.
        for dir in ancestors {
            // Where everything is another, those outside would bring back what lies beside.
            let is_another =
                self.is_replaced(&dir) || covers.iter().any(|c| dir.starts_with(c.at()));
            if !is_another && dir != Path::new("/") {
                steps.push(Step::Bind { from: dir.clone(), at: dir, read_only: false });
            }
        }
        steps.extend(fixed.into_iter().map(|path| Step::Bind {
            from: path.clone(),
            at: path,
            read_only: true,
        }));
        covers.sort_by(|a, b| a.at().cmp(b.at()));
        steps.extend(covers);
        // Behind the covers, one of which may lie above it; before what is laid over others from it.
        let dir = self.dir.to_owned();
        steps.push(Step::Bind { from: dir.clone(), at: dir, read_only: true });
        let expacti = (Some(self.expacti.to_owned()), EXPACTI);
        for (from, name) in [expacti, (self.client.clone(), CLIENT)] {
            if let Some(from) = from {
                steps.push(Step::Bind { from, at: self.dir.join(name), read_only: true });
            }
        }
        let clients = programs::find(&self.path, &self.homes, self.uid);
        let (shim, message) = (self.dir.join("ssh"), self.dir.join("refused"));
        steps.extend(programs::steps(&clients, &shim, &message, self.dir, self.uid)?);
        Ok(Plan { steps, cwd: self.cwd.clone(), read_only: self.uid == 0 })
    }

    fn writable_for_root(&self) -> Vec<PathBuf> {
        let mut dirs = self.homes.clone();
        dirs.extend([self.cwd.clone(), PathBuf::from("/var/tmp")]);
        dirs.retain(|dir| dir.is_dir() && !is_broad(dir) || is_own_of_root(dir));
        outermost(dirs)
    }

    fn devices(&self, places: Vec<Item>) -> Step {
        let mut content: Vec<Item> = seen_devices()
            .filter_map(|from| Some((from.strip_prefix("/dev").ok()?.to_owned(), from)))
            .map(|(name, from)| Item::new(name, ItemKind::Bind { from }))
            .collect();
        for (name, to) in [
            ("fd", "/proc/self/fd"),
            ("stdin", "/proc/self/fd/0"),
            ("stdout", "/proc/self/fd/1"),
            ("stderr", "/proc/self/fd/2"),
            ("core", "/proc/kcore"),
            ("ptmx", "pts/ptmx"),
        ] {
            content.push(Item::new(name, ItemKind::Link { to: to.into() }));
        }
        if Path::new("/run/systemd/journal/dev-log").exists() {
            let to = "/run/systemd/journal/dev-log".into();
            content.push(Item::new("log", ItemKind::Link { to }));
        }
        content.push(Item::new("shm", ItemKind::Directory { mode: 0o1777 }));
        content.push(Item::new("pts", ItemKind::Directory { mode: 0o755 }));
        content.extend(places);
        // The terminal of the wrap is mounted over it.
        content.push(Item::new("console", ItemKind::Empty));
        Step::Directory { at: "/dev".into(), mode: 0o755, read_only: false, content }
    }

    /// A `/tmp` of the wrap's own, with those of the user's directories in it that the program needs.
    fn tmp(&self, private: &Path) -> Result<Vec<Step>, WrapError> {
        let tmp = canonical(Path::new("/tmp"))?;
        let mut steps =
            vec![Step::Bind { from: private.to_owned(), at: tmp.clone(), read_only: false }];
        if let Some(dir) = self.tmpdir.as_deref().and_then(|dir| dir.strip_prefix(&tmp).ok()) {
            make_dirs(&private.join(dir))?;
        }
        for path in self.brought_back(&tmp) {
            let inner = private.join(path.strip_prefix(&tmp).unwrap_or(&path));
            if path.is_dir() {
                make_dirs(&inner)?;
            } else {
                inner.parent().map_or(Ok(()), make_dirs)?;
                std::fs::write(&inner, b"")
                    .map_err(WrapError::io(format!("write {}", inner.display())))?;
            }
            steps.push(Step::Bind { from: path.clone(), at: path, read_only: false });
        }
        Ok(steps)
    }

    /// What the program must find where it is, although everything around it is replaced.
    fn brought_back(&self, area: &Path) -> Vec<PathBuf> {
        let session = PathBuf::from(format!("/run/user/{}", self.uid));
        let is_special = |path: &Path| {
            path == area
                || path == session
                || self.runtime.as_deref() == Some(path)
                || SPECIAL.iter().any(|special| path == Path::new(special))
        };
        let mut paths = self.needed();
        paths.retain(|path| path.starts_with(area) && !is_special(path));
        paths
    }

    /// Whether something is not to be seen inside, because the directory it is in is another there.
    fn is_replaced(&self, path: &Path) -> bool {
        AREAS.iter().filter_map(|area| std::fs::canonicalize(area).ok()).any(|area| {
            path.starts_with(&area) && !self.brought_back(&area).iter().any(|p| path.starts_with(p))
        })
    }

    /// The places in a new directory for what is brought back there.
    fn places(&self, area: &Path) -> (Vec<Item>, Vec<Step>) {
        let (mut items, mut steps) = (Vec::new(), Vec::new());
        for path in self.brought_back(area) {
            let Ok(inner) = path.strip_prefix(area) else { continue };
            let kind = match path.is_dir() {
                true => ItemKind::Directory { mode: 0o700 },
                false => ItemKind::Empty,
            };
            items.push(Item::new(inner, kind));
            // The wrap's own directory is mounted last.
            if path != self.dir {
                steps.push(Step::Bind { from: path.clone(), at: path, read_only: false });
            }
        }
        (items, steps)
    }

    /// The directories and files that the program must find where they are.
    fn all_needed(&self) -> Vec<PathBuf> {
        let mut needed: Vec<PathBuf> = self.homes.clone();
        needed.push(self.cwd.clone());
        needed.push(self.program.to_owned());
        needed.push(self.dir.to_owned());
        needed.push(self.expacti.to_owned());
        // Those in /run are shown with the rest of it.
        needed.extend(self.with_paths().into_iter().filter(|path| !path.starts_with("/run")));
        needed.retain(|path| path.exists());
        needed
    }

    /// The same without those that lie in another.
    fn needed(&self) -> Vec<PathBuf> {
        outermost(self.all_needed())
    }

    /// A `/run` with nothing of the user's session in it, and a new runtime directory.
    fn run(&self) -> Result<Vec<Step>, WrapError> {
        let mut steps = Vec::new();
        let run = Path::new("/run");
        let mut shown: Vec<PathBuf> = RUN.iter().map(|name| run.join(name)).collect();
        shown.extend(self.with_paths().into_iter().filter(|path| path.starts_with(run)));
        let mut content = Vec::new();
        for path in shown {
            let Ok(inner) = path.strip_prefix(run) else { continue };
            match std::fs::symlink_metadata(&path) {
                Ok(m) if m.is_symlink() => {
                    if let Ok(to) = std::fs::read_link(&path) {
                        content.push(Item::new(inner, ItemKind::Link { to }));
                    }
                }
                Ok(_) => content.push(Item::new(inner, ItemKind::Bind { from: path.clone() })),
                Err(_) => {}
            }
        }
        content.push(Item::new("lock", ItemKind::Directory { mode: 0o1777 }));
        if let Ok(to) = std::fs::read_link(run.join("shm")) {
            content.push(Item::new("shm", ItemKind::Link { to }));
        }
        content.push(Item::new("user", ItemKind::Directory { mode: 0o755 }));
        content.push(Item::new(format!("user/{}", self.uid), ItemKind::Directory { mode: 0o700 }));
        // What is covered in it, and what lies in that, must be there.
        let own = self.own.dirs().into_iter().chain(self.own.service());
        for dir in own.filter_map(|dir| std::fs::canonicalize(dir).ok()) {
            if let Ok(inner) = dir.strip_prefix(run) {
                content.push(Item::new(inner, ItemKind::Directory { mode: 0o700 }));
            }
        }
        let (items, brought_back) = self.places(run);
        content.extend(items);
        if run.is_dir() {
            steps.push(Step::Directory { at: run.into(), mode: 0o755, read_only: false, content });
            steps.extend(brought_back);
        }
        Ok(steps)
    }

    /// The directory of the session's sockets, where it is not in `/run`.
    fn session_directory(&self) -> Option<Step> {
        let at = std::fs::canonicalize(self.runtime.as_deref()?).ok()?;
        if self.is_replaced(&at) || is_broad(&at) || self.homes.contains(&at) {
            return None;
        }
        let content = inner_dir(&at, self.dir);
        Some(Step::Directory { at, mode: 0o700, read_only: false, content })
    }

    fn with_paths(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        for with in self.with {
            match with.as_str() {
                "docker" => paths.extend(ENGINES.iter().map(PathBuf::from)),
                "gpg" | "proxy-commands" => {}
                path => paths.push(PathBuf::from(path)),
            }
        }
        paths
    }

    fn is_let_in(&self, path: &Path) -> bool {
        self.with_paths().iter().any(|with| path.starts_with(with))
    }

    /// What must not be seen.
    fn covers(&self) -> Result<Vec<Step>, WrapError> {
        let mut covers: Vec<Step> = Vec::new();
        covers.extend(self.session_directory());
        for home in &self.homes {
            covers.extend(self.ssh_directory(home)?);
            covers.extend(self.gnupg_directory(&home.join(".gnupg")));
            for path in SECRETS.iter().map(|name| home.join(name)) {
                if !self.is_let_in(&path) {
                    self.hide(&mut covers, &path);
                }
            }
            for dir in OWN.iter().filter_map(|name| std::fs::canonicalize(home.join(name)).ok()) {
                if !self.is_let_in(&dir) && dir.is_dir() && self.may_hide_whole(&dir) {
                    push(&mut covers, another_directory(dir));
                }
            }
        }
        let mut own: Vec<PathBuf> = self.own.dirs().map(Path::to_owned).into();
        own.extend(self.own.service().map(Path::to_owned));
        for home in &self.homes {
            // Those of an installation that is not this wrap's.
            own.extend([".config/expacti", ".local/share/expacti"].map(|dir| home.join(dir)));
        }
        for dir in own {
            if let Ok(dir) = std::fs::canonicalize(dir) {
                let mut content = inner_dir(&dir, self.dir);
                content.push(Item::new(INSIDE, ItemKind::Empty));
                push(
                    &mut covers,
                    Step::Directory { at: dir, mode: 0o700, read_only: true, content },
                );
            }
        }
        if let Some(dir) = &self.gnupg
            && let Some(step) = self.gnupg_directory(dir)
        {
            push(&mut covers, step);
        }
        let secrets: BTreeSet<PathBuf> =
            self.secrets.iter().filter_map(|path| std::fs::canonicalize(path).ok()).collect();
        for path in &secrets {
            match path
                .parent()
                .filter(|dir| self.may_hide_whole(dir) && holds_only_keys(dir, &secrets))
            {
                // As a whole: also when a key is replaced outside.
                Some(dir) => {
                    let mut content = Vec::new();
                    copies(dir, Path::new(""), 0, &is_no_secret, &mut content);
                    let at = dir.to_owned();
                    push(
                        &mut covers,
                        Step::Directory { at, mode: 0o700, read_only: true, content },
                    );
                }
                None => self.hide(&mut covers, path),
            }
        }
        let is_covered = |path: &Path| {
            covers.iter().any(|c| path.starts_with(c.at()))
                || self.is_replaced(path)
                || path.starts_with(self.dir)
        };
        let all = sockets::all(&self.searched()).map_err(WrapError::io("look for sockets"))?;
        let found = sockets::reachable(all, &is_covered);
        for path in found.into_iter().filter(|path| !self.is_let_in(path)) {
            let dir = path.parent().unwrap_or(Path::new("/"));
            // The directory of another broker of the user's.
            let is_broker = dir.join("gate_known_hosts").exists();
            match self.may_hide_whole(dir) {
                true if is_broker => self.hide(&mut covers, dir),
                true if sockets::has_only_sockets(dir) => {
                    push(&mut covers, another_directory(dir.to_owned()));
                }
                _ => self.hide(&mut covers, &path),
            }
        }
        Ok(covers)
    }

    /// Whether nothing that the program needs is in a directory.
    fn may_hide_whole(&self, dir: &Path) -> bool {
        !is_broad(dir)
            && !self.is_replaced(dir)
            && !self.all_needed().iter().any(|n| n.starts_with(dir))
    }

    /// Where things are looked for whose path nobody tells, outermost first.
    fn searched(&self) -> Vec<PathBuf> {
        let mut dirs = self.homes.clone();
        dirs.extend([self.cwd.clone(), PathBuf::from("/var/tmp")]);
        dirs.retain(|dir| !is_broad(dir) || is_own_of_root(dir));
        outermost(dirs)
    }

    /// Puts nothing in the place of a file or directory.
    fn hide(&self, covers: &mut Vec<Step>, path: &Path) {
        let Ok(at) = std::fs::canonicalize(path) else { return };
        if self.is_replaced(&at) || is_broad(&at) || self.homes.contains(&at) {
            return;
        }
        if at.is_dir() {
            push(covers, Step::Directory { at, mode: 0o500, read_only: true, content: Vec::new() });
        } else {
            let from = self.dir.join(NOTHING);
            push(covers, Step::Bind { from, at, read_only: true });
        }
    }

    /// `~/.ssh` with copies of what is no secret, as it is now. It is made where there is none, so that
    /// no one inside can make one that is read outside.
    fn ssh_directory(&self, home: &Path) -> Result<Option<Step>, WrapError> {
        let path = home.join(".ssh");
        if !path.exists() {
            use std::os::unix::fs::DirBuilderExt as _;
            if !is_writable(home, self.uid) {
                return Ok(None);
            }
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&path)
                .map_err(WrapError::io(format!("create {}", path.display())))?;
        }
        let at = canonical(&path)?;
        let mut content = Vec::new();
        let is_wanted = |path: &Path, top: bool| {
            is_no_secret(path, top || self.fixed.iter().any(|fixed| fixed == path))
        };
        copies(&at, Path::new(""), MAX_DEPTH, &is_wanted, &mut content);
        Ok(Some(Step::Directory { at, mode: 0o700, read_only: true, content }))
    }

    /// `~/.gnupg` with what is needed to check signatures, unless the agent may be used.
    fn gnupg_directory(&self, dir: &Path) -> Option<Step> {
        if self.with.iter().any(|with| with == "gpg") {
            return None;
        }
        let at = std::fs::canonicalize(dir).ok().filter(|at| !self.is_replaced(at))?;
        let mut content = Vec::new();
        let is_public = |path: &Path, _: bool| {
            matches!(
                path.file_name().and_then(OsStr::to_str),
                Some(
                    "pubring.kbx"
                        | "pubring.gpg"
                        | "pubring.db"
                        | "trustdb.gpg"
                        | "gpg.conf"
                        | "dirmngr.conf"
                        | "common.conf"
                        | "tofu.db"
                )
            )
        };
        copies(&at, Path::new(""), MAX_DEPTH, &is_public, &mut content);
        Some(Step::Directory { at, mode: 0o700, read_only: true, content })
    }

    /// What may be read but not changed.
    fn read_only(&self) -> Vec<PathBuf> {
        let mut fixed: BTreeSet<PathBuf> = BTreeSet::new();
        let below = |dir: &Path, names: &[&str]| -> Vec<PathBuf> {
            names.iter().map(|name| dir.join(name)).collect()
        };
        let mut starters = Vec::new();
        for home in &self.homes {
            starters.extend(below(&home.join(".config"), STARTERS));
            starters.extend(below(&home.join(".local/share"), STARTERS_OF_DATA));
            let files = STARTER_FILES.iter().map(|name| home.join(name));
            fixed.extend(files.filter_map(|path| std::fs::canonicalize(path).ok()));
        }
        starters.extend(self.config.iter().flat_map(|dir| below(dir, STARTERS)));
        starters.extend(self.data.iter().flat_map(|dir| below(dir, STARTERS_OF_DATA)));
        for path in starters {
            // Where there is none, one is made: what is not there cannot be held fast.
            if !path.exists()
                && self.homes.iter().any(|h| path.starts_with(h) && is_writable(h, self.uid))
            {
                let _ = std::fs::create_dir_all(&path);
            }
            fixed.extend(std::fs::canonicalize(path).ok());
        }
        // What the user's next ssh reads. A pattern stands for its directory, where files can be added.
        for path in &self.fixed {
            let dir = path.parent().filter(|_| path.ends_with("*"));
            let Ok(path) = std::fs::canonicalize(dir.unwrap_or(path)) else { continue };
            if path.is_file() || self.may_hide_whole(&path) {
                fixed.insert(path);
            }
        }
        fixed.extend(std::fs::canonicalize(self.expacti).ok());
        fixed.into_iter().filter(|path| is_changeable(path, self.uid)).collect()
    }

    /// Covers everything once more where the same file system is mounted a second time, and every
    /// further name of a covered file.
    fn cover_aliases(&self, mounts: &[Mount], covers: &mut Vec<Step>) {
        let known: Vec<PathBuf> = covers.iter().map(|c| c.at().to_owned()).collect();
        for path in known {
            for other in seen_again(mounts, &path) {
                self.hide(covers, &other);
            }
        }
        self.cover_links(covers);
    }

    /// Further names (hard links) of secret files, where things are looked for.
    fn cover_links(&self, covers: &mut Vec<Step>) {
        let mut wanted: BTreeSet<(u64, u64)> = BTreeSet::new();
        for cover in covers.iter() {
            linked(cover.at(), MAX_DEPTH, &mut wanted);
        }
        if wanted.is_empty() {
            return;
        }
        for dir in self.searched() {
            let mut found = Vec::new();
            names_of(&dir, &wanted, 16, &mut found);
            for path in found {
                if !covers.iter().any(|c| path.starts_with(c.at())) {
                    self.hide(covers, &path);
                }
            }
        }
    }
}

/// The file in expacti's covered directories by which a process knows that it is inside.
pub(crate) const INSIDE: &str = "INSIDE";

fn inner_dir(outer: &Path, dir: &Path) -> Vec<Item> {
    match dir.strip_prefix(outer) {
        Ok(inner) => vec![Item::new(inner, ItemKind::Directory { mode: 0o700 })],
        Err(_) => Vec::new(),
    }
}

/// The devices that are seen inside and are there.
fn seen_devices() -> impl Iterator<Item = PathBuf> {
    DEVICES.iter().map(|name| Path::new("/dev").join(name)).filter(|path| path.exists())
}

fn control_groups() -> Vec<Step> {
    // A delegated group can be told to stop or kill what is outside.
    let at = PathBuf::from("/sys/fs/cgroup");
    if at.is_dir() { vec![Step::ReadOnly { at }] } else { Vec::new() }
}

/// A symbolic link cannot be held fast: a program that may write where it stands could put another
/// directory in its place, which would then be read outside.
fn refuse_replaceable(path: &Path, uid: u32) -> Result<(), WrapError> {
    for part in path.ancestors() {
        let is_link = std::fs::symlink_metadata(part).is_ok_and(|m| m.is_symlink());
        if is_link && part.parent().is_some_and(|parent| is_changeable(parent, uid)) {
            return Err(WrapError::Usage(format!(
                "the program cannot be isolated: {} is a symbolic link, which it could replace; put \
                 the directory itself there (or bind-mount it), or use --no-isolate",
                part.display()
            )));
        }
    }
    Ok(())
}

fn canonical(path: &Path) -> Result<PathBuf, WrapError> {
    std::fs::canonicalize(path).map_err(WrapError::io(format!("find {}", path.display())))
}

fn make_dirs(dir: &Path) -> Result<(), WrapError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(WrapError::io(format!("create {}", dir.display())))
}

#[cfg(test)]
mod tests;
