//! Carries out a plan in the mount namespace of this process. When a step fails, the program does not
//! start.

use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change,
    move_mount, open_tree,
};

use super::plan::{Item, ItemKind, Plan, Step};
use super::secret_files::{MAX_COPY, holds_a_private_key};
use crate::error::WrapError;

/// The sources of a plan, opened before the first mount.
struct Sources {
    /// One for each use: attaching a tree takes it away.
    trees: HashMap<PathBuf, Vec<OwnedFd>>,
    files: HashMap<PathBuf, Vec<u8>>,
}

/// Carries out the plan and enters its working directory. Returns the places at which a whole
/// directory could not be replaced, only its files.
pub(crate) fn carry_out(plan: &Plan) -> Result<(), WrapError> {
    // What is mounted outside later still appears; nothing of this gets out.
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .map_err(WrapError::errno("separate the mounts of the program"))?;
    let mut sources = Sources::open(plan)?;
    let terminal = own_terminal().map(|path| tree(&path)).transpose()?;
    if plan.read_only {
        make_read_only(Path::new("/"))?;
    }
    for step in &plan.steps {
        carry_out_step(step, &mut sources)?;
    }
    if let Some(terminal) = terminal {
        attach(&terminal, Path::new("/dev/console"))?;
    }
    std::env::set_current_dir(&plan.cwd)
        .map_err(WrapError::io(format!("enter {}", plan.cwd.display())))
}

impl Sources {
    fn open(plan: &Plan) -> Result<Self, WrapError> {
        let mut sources = Self { trees: HashMap::new(), files: HashMap::new() };
        for step in &plan.steps {
            match step {
                Step::Bind { from, .. } => sources.add_tree(from)?,
                Step::Directory { content, .. } => {
                    for item in content {
                        sources.add_item(item)?;
                    }
                }
                Step::Overlay { .. }
                | Step::Processes { .. }
                | Step::Terminals { .. }
                | Step::ReadOnly { .. } => {}
            }
        }
        Ok(sources)
    }

    fn add_tree(&mut self, from: &Path) -> Result<(), WrapError> {
        self.trees.entry(from.to_owned()).or_default().push(tree(from)?);
        Ok(())
    }

    fn add_item(&mut self, item: &Item) -> Result<(), WrapError> {
        match &item.kind {
            ItemKind::Bind { from } => self.add_tree(from),
            ItemKind::Copy { from } => {
                let failed = || WrapError::io(format!("read {}", from.display()));
                let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
                let file = open_plainly(from, flags).map_err(|e| failed()(e.into()))?;
                let mut text = Vec::new();
                File::from(file).take(MAX_COPY).read_to_end(&mut text).map_err(failed())?;
                // It was looked at before; it may lead elsewhere by now.
                let text = if holds_a_private_key(&text) { Vec::new() } else { text };
                self.files.insert(from.clone(), text);
                Ok(())
            }
            ItemKind::Directory { .. } | ItemKind::Empty | ItemKind::Link { .. } => Ok(()),
        }
    }

    fn take_tree(&mut self, from: &Path) -> Result<OwnedFd, WrapError> {
        let tree = self.trees.get_mut(from).and_then(Vec::pop);
        tree.ok_or_else(|| WrapError::NotFound(from.to_owned()))
    }
}

fn carry_out_step(step: &Step, sources: &mut Sources) -> Result<(), WrapError> {
    match step {
        Step::Directory { at, mode, read_only, content } => {
            mount_memory(at, *mode)?;
            for item in content {
                place(at, item, sources)?;
            }
            if *read_only { make_read_only(at) } else { Ok(()) }
        }
        Step::Bind { from, at, read_only } => {
            attach(&sources.take_tree(from)?, at)?;
            if *read_only { make_read_only(at) } else { Ok(()) }
        }
        Step::Overlay { at, with } => overlay(at, with),
        Step::Processes { at } => mount(
            "proc",
            at,
            "proc",
            MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
            None,
        )
        .map_err(WrapError::errno(format!("mount {}", at.display()))),
        Step::Terminals { at } => mount(
            "devpts",
            at,
            "devpts",
            MountFlags::NOSUID | MountFlags::NOEXEC,
            Some(c"newinstance,ptmxmode=0666,mode=0620"),
        )
        .map_err(WrapError::errno(format!("mount {}", at.display()))),
        Step::ReadOnly { at } => make_read_only(at),
    }
}

fn place(dir: &Path, item: &Item, sources: &mut Sources) -> Result<(), WrapError> {
    let at = dir.join(&item.path);
    let failed = || WrapError::io(format!("create {}", at.display()));
    if let Some(parent) = at.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(parent).map_err(failed())?;
    }
    match &item.kind {
        ItemKind::Bind { from } => {
            // Its own path may be covered by now.
            let tree = sources.take_tree(from)?;
            if is_directory(&tree) {
                std::fs::create_dir_all(&at).map_err(failed())?;
            } else {
                File::create(&at).map_err(failed())?;
            }
            attach(&tree, &at)
        }
        ItemKind::Copy { from } => {
            let text = sources.files.get(from).map(Vec::as_slice).unwrap_or_default();
            File::options()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&at)
                .and_then(|mut file| file.write_all(text))
                .map_err(failed())
        }
        ItemKind::Directory { mode } => {
            std::fs::DirBuilder::new().recursive(true).create(&at).map_err(failed())?;
            std::fs::set_permissions(&at, std::fs::Permissions::from_mode(*mode)).map_err(failed())
        }
        ItemKind::Empty => File::create(&at).map(drop).map_err(failed()),
        ItemKind::Link { to } => std::os::unix::fs::symlink(to, &at).map_err(failed()),
    }
}

fn mount_memory(at: &Path, mode: u32) -> Result<(), WrapError> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    let options = CString::new(format!("mode={mode:o}")).unwrap_or_default();
    mount("tmpfs", at, "tmpfs", flags, Some(options.as_c_str()))
        .map_err(WrapError::errno(format!("cover {}", at.display())))
}

/// A detached copy of the mounts at and below `path`.
fn tree(path: &Path) -> Result<OwnedFd, WrapError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE
        | OpenTreeFlags::AT_EMPTY_PATH;
    let failed = || WrapError::errno(format!("open {}", path.display()));
    let fd = open_plainly(path, OFlags::PATH | OFlags::CLOEXEC).map_err(failed())?;
    open_tree(&fd, c"", flags).map_err(failed())
}

/// Opens a path that had no symbolic link in it when it was looked at. If it has one now, somebody put it
/// there in between, to have something else shown.
fn open_plainly(path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(CWD, path, flags, Mode::empty(), resolve)
}

fn attach(tree: &OwnedFd, at: &Path) -> Result<(), WrapError> {
    move_mount(tree, c"", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .map_err(WrapError::errno(format!("mount {}", at.display())))
}

fn is_directory(fd: &OwnedFd) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| {
        rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::Directory
    })
}

fn make_read_only(at: &Path) -> Result<(), WrapError> {
    let what = || format!("make {} read-only", at.display());
    let mount = rustix::fs::open(at, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(WrapError::errno(what()))?;
    expacti_kernel::set_read_only(mount.as_fd()).map_err(WrapError::io(what()))
}

/// Lays a directory over another; where the kernel cannot, mounts each of its files over the other's.
fn overlay(at: &Path, with: &Path) -> Result<(), WrapError> {
    let mut options = b"userxattr,lowerdir=".to_vec();
    options.extend_from_slice(with.as_os_str().as_bytes());
    options.push(b':');
    options.extend_from_slice(at.as_os_str().as_bytes());
    let options = CString::new(options).map_err(|e| WrapError::Usage(e.to_string()))?;
    let options: &CStr = &options;
    if mount("overlay", at, "overlay", MountFlags::RDONLY, Some(options)).is_ok() {
        return Ok(());
    }
    // Mounted on itself, so that there is something to watch at this place.
    attach(&tree(at)?, at)?;
    let failed = || WrapError::io(format!("read {}", with.display()));
    for entry in std::fs::read_dir(with).map_err(failed())? {
        let name = entry.map_err(failed())?.file_name();
        let (from, at) = (with.join(&name), at.join(&name));
        attach(&tree(&from)?, &at)?;
        make_read_only(&at)?;
    }
    Ok(())
}

/// The terminal of this process, by its path outside.
fn own_terminal() -> Option<PathBuf> {
    let (input, output, error) = (std::io::stdin(), std::io::stdout(), std::io::stderr());
    let streams = [input.as_fd(), output.as_fd(), error.as_fd()];
    let name = streams.into_iter().find_map(|fd| rustix::termios::ttyname(fd, Vec::new()).ok())?;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(name.as_bytes())))
}
