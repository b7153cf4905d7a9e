//! Looks from outside whether everything that was covered for a wrapped program still is: renaming a
//! file outside takes away what is mounted over it inside, and a mount outside can appear above.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The end of a process does not wake the poll.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

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
}

impl Mount {
    /// Whether it is mounted below a directory, and not at it.
    pub(crate) fn is_below(&self, dir: &str) -> bool {
        self.at != Path::new(dir) && self.at.starts_with(dir)
    }
}

/// Reads `/proc/PID/mountinfo` (`proc_pid_mountinfo(5)`).
pub(crate) fn parse(text: &str) -> Vec<Mount> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let id = words.next()?.parse().ok()?;
            let device = words.nth(1)?.to_owned();
            let (root, at) = (unescape(words.next()?), unescape(words.next()?));
            Some(Mount { id, device, root, at })
        })
        .collect()
}

/// The kernel writes space, tab, newline and backslash as `\` and three octal digits.
fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
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

/// Where else `path` can be found, because its file system is mounted more than once.
pub(crate) fn aliases(mounts: &[Mount], path: &Path) -> Vec<PathBuf> {
    // The last of several mounts at one place is the one that is seen.
    let Some(own) =
        mounts.iter().filter(|m| path.starts_with(&m.at)).max_by_key(|m| m.at.components().count())
    else {
        return Vec::new();
    };
    let Ok(below) = path.strip_prefix(&own.at) else { return Vec::new() };
    let inner = own.root.join(below);
    mounts
        .iter()
        .filter(|m| m.device == own.device)
        .filter_map(|m| Some(m.at.join(inner.strip_prefix(&m.root).ok()?)))
        .filter(|other| other != path)
        .collect()
}

/// What is wrong, if anything: a cover that is gone, or a mount that was not there at first and lies
/// above one.
pub(crate) fn fault(mounts: &[Mount], first: &BTreeSet<u64>, mask: &[PathBuf]) -> Option<String> {
    for at in mask {
        if !mounts.iter().any(|m| m.at == *at) {
            return Some(format!("what covered {} is gone", at.display()));
        }
    }
    let above = |m: &&Mount| !first.contains(&m.id) && mask.iter().any(|at| at.starts_with(&m.at));
    let new = mounts.iter().find(above)?;
    Some(format!("something was mounted on {}", new.at.display()))
}

/// The mounts that a process sees now, by an open `/proc/PID/mountinfo`.
fn mounts(mut file: &File) -> std::io::Result<Vec<Mount>> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_string(&mut text)?;
    Ok(parse(&text))
}

/// Looks at the mounts of one process.
#[derive(Debug)]
pub(crate) struct Watcher {
    file: File,
    mask: Vec<PathBuf>,
    first: BTreeSet<u64>,
}

impl Watcher {
    /// Looks for the first time.
    ///
    /// # Errors
    /// When the process cannot be looked at, or something is not covered as it must be.
    pub(crate) fn new(pid: u32, mask: Vec<PathBuf>) -> std::io::Result<Self> {
        let file = File::open(format!("/proc/{pid}/mountinfo"))?;
        let mounts = mounts(&file)?;
        let first: BTreeSet<u64> = mounts.iter().map(|m| m.id).collect();
        match fault(&mounts, &first, &mask) {
            Some(fault) => Err(std::io::Error::other(fault)),
            None => Ok(Self { file, mask, first }),
        }
    }

    /// Returns when something is wrong, and says what; also when it can no longer be told. For a process
    /// that has ended that does no harm.
    pub(crate) fn run(&self) -> String {
        loop {
            let Ok(mounts) = mounts(&self.file) else {
                return "the mounts can no longer be watched".to_owned();
            };
            if let Some(fault) = fault(&mounts, &self.first, &self.mask) {
                return fault;
            }
            // The kernel reports a change of the table as an exceptional condition.
            let mut fds = [PollFd::new(&self.file, PollFlags::PRI | PollFlags::ERR)];
            match poll(&mut fds, Some(&LOOK_AGAIN)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return "the mounts can no longer be watched".to_owned(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
        21 1 8:1 / / rw - ext4 /dev/a rw\n\
        22 21 8:2 / /home rw - ext4 /dev/b rw\n\
        23 21 8:2 /u /srv/a\\040b rw - ext4 /dev/b rw\n\
        24 21 0:5 / /home/u/.ssh ro - tmpfs tmpfs rw\n\
        garbled\n";

    #[test]
    fn a_file_system_mounted_twice_has_aliases() {
        let mounts = parse(TEXT);
        assert_eq!(mounts.len(), 4);
        let found = aliases(&mounts, Path::new("/home/u/.gnupg"));
        assert_eq!(found, [Path::new("/srv/a b/.gnupg")]);
        assert_eq!(aliases(&mounts, Path::new("/srv/a b/x")), [Path::new("/home/u/x")]);
        assert!(aliases(&mounts, Path::new("/etc")).is_empty());
    }

    #[test]
    fn a_cover_that_is_gone_or_covered_is_a_fault() {
        let mounts = parse(TEXT);
        let first: BTreeSet<u64> = mounts.iter().map(|m| m.id).collect();
        let mask = [PathBuf::from("/home/u/.ssh")];
        assert_eq!(fault(&mounts, &first, &mask), None);
        let gone: Vec<_> = mounts.iter().filter(|m| m.id != 24).cloned().collect();
        assert!(fault(&gone, &first, &mask).is_some_and(|f| f.contains("/home/u/.ssh")));
        let new = parse(&format!("{TEXT}25 22 8:3 / /home/u rw - ext4 /dev/c rw\n"));
        assert!(fault(&new, &first, &mask).is_some_and(|f| f.contains("/home/u")));
        let elsewhere = parse(&format!("{TEXT}25 22 8:3 / /mnt rw - ext4 /dev/c rw\n"));
        assert_eq!(fault(&elsewhere, &first, &mask), None);
    }
}
