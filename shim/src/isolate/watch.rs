//! Looks from outside whether everything that was covered for a wrapped program still is: renaming a
//! file outside takes away what is mounted over it inside, and a mount outside can appear above.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::writable::is_writable;

/// The end of a process does not wake the poll.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// The same where moves cannot be watched.
const LOOK_SOON: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// One line of `/proc/PID/mountinfo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mount {
    id: u64,
    /// `major:minor` of the file system.
    device: String,
    /// Which part of the file system is mounted.
    root: PathBuf,
    /// Where.
    at: PathBuf,
    /// The directories that an overlay lays over each other.
    layers: Vec<PathBuf>,
}

impl Mount {
    /// Whether it is mounted below a directory, and not at it.
    pub(crate) fn is_below(&self, dir: &str) -> bool {
        self.at != Path::new(dir) && self.at.starts_with(dir)
    }
}

/// Reads `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`). Names are any bytes.
pub(crate) fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let mut words = line.split(|byte| *byte == b' ');
            let id = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
            let device = String::from_utf8_lossy(words.nth(1)?).into_owned();
            let (root, at) = (unescape(words.next()?), unescape(words.next()?));
            // The kind, the source and the options stand behind a hyphen.
            let mut behind = words.skip_while(|word| *word != b"-").skip(1);
            let layers = match behind.next() {
                Some(b"overlay") => layers(behind.nth(1).unwrap_or_default()),
                _ => Vec::new(),
            };
            Some(Mount { id, device, root, at, layers })
        })
        .collect()
}

/// The layers that the options of an overlay name, as far as their paths are absolute.
fn layers(options: &[u8]) -> Vec<PathBuf> {
    options
        .split(|byte| *byte == b',')
        .filter_map(|option| {
            let names: [&[u8]; 5] =
                [b"lowerdir=", b"lowerdir+=", b"datadir+=", b"upperdir=", b"workdir="];
            names.into_iter().find_map(|name| option.strip_prefix(name))
        })
        .flat_map(|dirs| dirs.split(|byte| *byte == b':'))
        .map(unescape)
        .filter(|dir| dir.is_absolute())
        .collect()
}

/// The kernel writes space, tab, newline and backslash as `\` and three octal digits.
fn unescape(text: &[u8]) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        if let (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) =
            (first, tail)
        {
            bytes.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
            rest = after;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    std::ffi::OsString::from_vec(bytes).into()
}

/// The mount that shows `path`: the last of several at one place is the one that is seen.
fn mount_of<'a>(mounts: &'a [Mount], path: &Path) -> Option<&'a Mount> {
    mounts.iter().filter(|m| path.starts_with(&m.at)).max_by_key(|m| m.at.components().count())
}

/// Where `path` can be found through an overlay, or below it in one of its layers.
pub(crate) fn overlaid(mounts: &[Mount], path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(own) = mount_of(mounts, path)
        && let Ok(below) = path.strip_prefix(&own.at)
    {
        let root = own.root.strip_prefix("/").unwrap_or(&own.root);
        found.extend(own.layers.iter().map(|layer| inside(&inside(layer, root), below)));
    }
    for mount in mounts {
        for layer in &mount.layers {
            let root = mount.root.strip_prefix("/").unwrap_or(&mount.root);
            if let Ok(below) = path.strip_prefix(inside(layer, root)) {
                found.push(inside(&mount.at, below));
            }
        }
    }
    found
}

/// Where else `path`, or something below it, can be found because its file system is mounted more than
/// once: by its path and by the other one.
pub(crate) fn aliases(mounts: &[Mount], path: &Path) -> Vec<(PathBuf, PathBuf)> {
    let Some(inner) = Inner::of(mounts, path) else { return Vec::new() };
    let found = mounts.iter().filter_map(|m| inner.by(m));
    let found = found.map(|(below, other)| (inside(path, &below), other));
    found.filter(|(path, other)| other != path).collect()
}

fn inside(dir: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { dir.to_owned() } else { dir.join(below) }
}

/// A place in a file system, whatever shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    device: String,
    path: PathBuf,
}

impl Inner {
    fn of(mounts: &[Mount], path: &Path) -> Option<Self> {
        let own = mount_of(mounts, path)?;
        let path = inside(&own.root, path.strip_prefix(&own.at).ok()?);
        Some(Self { device: own.device.clone(), path })
    }

    /// Where a mount shows it, or what of it (a path below it).
    fn by(&self, mount: &Mount) -> Option<(PathBuf, PathBuf)> {
        if mount.device != self.device {
            return None;
        }
        if let Ok(below) = self.path.strip_prefix(&mount.root) {
            return Some((PathBuf::new(), inside(&mount.at, below)));
        }
        let below = mount.root.strip_prefix(&self.path).ok()?;
        Some((below.to_owned(), mount.at.clone()))
    }
}

/// What of a wrap is watched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watched {
    /// The places at which something must stay mounted.
    pub(crate) mask: Vec<PathBuf>,
    /// Those of them of which nothing must be seen.
    pub(crate) hidden: Vec<PathBuf>,
}

/// What is wrong, if anything: a cover that is gone, or a mount that was not there at first and lies
/// above one, or shows what is hidden (`inner`) at another place.
fn fault(
    mounts: &[Mount],
    first: &BTreeSet<u64>,
    mask: &[PathBuf],
    inner: &[Inner],
) -> Option<String> {
    for at in mask {
        if !mounts.iter().any(|m| m.at == *at) {
            return Some(format!("what covered {} is gone", at.display()));
        }
    }
    let new = || mounts.iter().filter(|m| !first.contains(&m.id));
    if let Some(above) = new().find(|m| mask.iter().any(|at| at.starts_with(&m.at))) {
        return Some(format!("something was mounted on {}", above.at.display()));
    }
    let (_, again) = new().find_map(|m| inner.iter().find_map(|inner| inner.by(m)))?;
    Some(format!("a mount shows what is hidden at {}", again.display()))
}

/// The mounts that a process sees now, by an open `/proc/PID/mountinfo`.
fn mounts(mut file: &File) -> std::io::Result<Vec<Mount>> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut text)?;
    Ok(parse(&text))
}

/// Looks at the mounts of one process.
#[derive(Debug)]
pub(crate) struct Watcher {
    file: File,
    mask: Vec<PathBuf>,
    inner: Vec<Inner>,
    first: BTreeSet<u64>,
    /// Tells when something is moved outside, and a cover with it: of that the table of mounts says
    /// nothing by itself.
    moves: Option<OwnedFd>,
}

impl Watcher {
    /// Looks for the first time.
    ///
    /// # Errors
    /// When the process cannot be looked at, or something is not covered as it must be.
    pub(crate) fn new(pid: u32, watched: Watched) -> std::io::Result<Self> {
        let file = File::open(format!("/proc/{pid}/mountinfo"))?;
        let Watched { mask, hidden } = watched;
        let moves = moves(&mask);
        let outside = parse(&std::fs::read("/proc/self/mountinfo")?);
        let inner: Vec<_> = hidden.iter().filter_map(|at| Inner::of(&outside, at)).collect();
        let mounts = mounts(&file)?;
        let first: BTreeSet<u64> = mounts.iter().map(|m| m.id).collect();
        match fault(&mounts, &first, &mask, &inner) {
            Some(fault) => Err(std::io::Error::other(fault)),
            None => Ok(Self { file, mask, inner, first, moves }),
        }
    }

    /// Returns when something is wrong, and says what; also when it can no longer be told. For a process
    /// that has ended that does no harm.
    pub(crate) fn run(&self) -> String {
        let patience = if self.moves.is_some() { &LOOK_AGAIN } else { &LOOK_SOON };
        loop {
            let Ok(mounts) = mounts(&self.file) else {
                return "the mounts can no longer be watched".to_owned();
            };
            if let Some(fault) = fault(&mounts, &self.first, &self.mask, &self.inner) {
                return fault;
            }
            // The kernel reports a change of the table as an exceptional condition.
            let mut fds = vec![PollFd::new(&self.file, PollFlags::PRI | PollFlags::ERR)];
            fds.extend(self.moves.as_ref().map(|moves| PollFd::new(moves, PollFlags::IN)));
            match poll(&mut fds, Some(patience)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return "the mounts can no longer be watched".to_owned(),
            }
            // What was moved does not matter: all is looked at.
            if let Some(moves) = &self.moves {
                let _ = rustix::io::read(moves, &mut [0; 64 << 10]);
            }
        }
    }
}

/// Watches the directories of these paths for what is moved out of them; none when the user has too many
/// watches already.
fn moves(mask: &[PathBuf]) -> Option<OwnedFd> {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    let moves = init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
    let uid = rustix::process::getuid().as_raw();
    let dirs: BTreeSet<&Path> = mask.iter().filter_map(|at| at.parent()).collect();
    for dir in dirs.into_iter().filter(|dir| is_writable(dir, uid)) {
        add_watch(&moves, dir, WatchFlags::MOVED_FROM | WatchFlags::ONLYDIR).ok()?;
    }
    Some(moves)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
        21 1 8:1 / / rw - ext4 /dev/a rw\n\
        22 21 8:2 / /home rw shared:3 - ext4 /dev/b rw\n\
        23 21 8:2 /u /srv/a\\040b rw - ext4 /dev/b rw\n\
        24 21 0:5 / /home/u/.ssh ro - tmpfs tmpfs rw\n\
        25 21 0:6 / /merged rw - overlay o rw,lowerdir=/x\\054y:/home/u,upperdir=/up,workdir=rel\n\
        garbled\n";

    #[test]
    fn a_file_system_mounted_twice_has_aliases() {
        let mounts = parse(TEXT.as_bytes());
        assert_eq!(mounts.len(), 5);
        let found = |path: &str| aliases(&mounts, Path::new(path));
        let pair = |path: &str, other: &str| (PathBuf::from(path), PathBuf::from(other));
        assert_eq!(found("/home/u/.gnupg"), [pair("/home/u/.gnupg", "/srv/a b/.gnupg")]);
        assert_eq!(found("/srv/a b/x"), [pair("/srv/a b/x", "/home/u/x")]);
        assert_eq!(found("/home"), [pair("/home/u", "/srv/a b")]);
        assert!(found("/etc").is_empty());
        // A name that is no text hides nothing.
        let odd = parse(&[b"26 21 8:9 / /\xff rw - ext4 c rw\n", TEXT.as_bytes()].concat());
        assert_eq!(odd.len(), 6);
    }

    #[test]
    fn an_overlay_shows_its_layers() {
        let mounts = parse(TEXT.as_bytes());
        let found = |path: &str| overlaid(&mounts, Path::new(path));
        assert_eq!(found("/home/u/key"), [Path::new("/merged/key")]);
        assert_eq!(found("/home/u"), [Path::new("/merged")]);
        let layers = ["/x,y/key", "/home/u/key", "/up/key"].map(PathBuf::from);
        assert_eq!(found("/merged/key"), layers);
        assert!(found("/home/other").is_empty());
    }

    #[test]
    fn a_cover_that_is_gone_or_covered_is_a_fault() {
        let mounts = parse(TEXT.as_bytes());
        let first: BTreeSet<u64> = mounts.iter().map(|m| m.id).collect();
        let mask = [PathBuf::from("/home/u/.ssh")];
        let inner = [Inner { device: "8:2".to_owned(), path: "/u/.ssh".into() }];
        let ask = |mounts: &[Mount]| fault(mounts, &first, &mask, &inner).unwrap_or_default();
        let with = |line: &str| parse(format!("{TEXT}{line}\n").as_bytes());
        assert_eq!(ask(&mounts), "");
        let gone: Vec<_> = mounts.iter().filter(|m| m.id != 24).cloned().collect();
        assert!(ask(&gone).contains("/home/u/.ssh"));
        assert!(ask(&with("30 22 8:3 / /home/u rw - ext4 /dev/c rw")).contains("/home/u"));
        // The same once more, from the top or from below it.
        assert!(ask(&with("30 22 8:2 / /mnt rw - ext4 /dev/b rw")).contains("/mnt/u/.ssh"));
        assert!(ask(&with("30 22 8:2 /u/.ssh /mnt rw - ext4 /dev/b rw")).contains("/mnt"));
        assert!(ask(&with("30 22 8:2 /u/.ssh/sub /mnt rw - ext4 /dev/b rw")).contains("/mnt"));
        for elsewhere in ["8:3 / /mnt", "8:2 /other /mnt", "8:2 /u/.sshx /mnt"] {
            let line = format!("30 22 {elsewhere} rw - ext4 /dev/c rw");
            assert_eq!(ask(&with(&line)), "", "{elsewhere}");
        }
    }
}
