//! What the file system looks like inside a wrap: made outside, carried out inside, in order.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::path_text::one;

/// Directories that are another inside, but for what is brought back.
pub(crate) const AREAS: &[&str] = &["/tmp", "/run", "/dev", "/proc"];

/// The file of the wrap's directory that is mounted over files that must not be read.
pub(crate) const NOTHING: &str = "nothing";

/// What the file system looks like inside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// In this order.
    pub(crate) steps: Vec<Step>,
    /// The working directory, entered by its path once everything is in place.
    #[serde(with = "one")]
    pub(crate) cwd: PathBuf,
    /// Everything is read-only but what a step makes writable again: for root, who owns the files by
    /// which a system starts programs.
    pub(crate) read_only: bool,
}

/// One mount. Every source is opened before the first mount: a later one may hide it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Step {
    /// A new directory in memory, with these things in it.
    Directory {
        #[serde(with = "one")]
        at: PathBuf,
        mode: u32,
        read_only: bool,
        content: Vec<Item>,
    },
    /// A file or directory, with everything mounted below it, seen at another place (or at its own:
    /// whatever is mounted cannot be renamed or removed).
    Bind {
        #[serde(with = "one")]
        from: PathBuf,
        #[serde(with = "one")]
        at: PathBuf,
        read_only: bool,
    },
    /// The files of `with` in the place of those of the same name in the directory `at`.
    Overlay {
        #[serde(with = "one")]
        at: PathBuf,
        #[serde(with = "one")]
        with: PathBuf,
    },
    /// The processes of this wrap, and no other.
    Processes {
        #[serde(with = "one")]
        at: PathBuf,
    },
    /// The terminals of this wrap, and no other.
    Terminals {
        #[serde(with = "one")]
        at: PathBuf,
    },
    /// The mounts at and below `at`, read-only.
    ReadOnly {
        #[serde(with = "one")]
        at: PathBuf,
    },
}

/// Something in a new directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    /// Its path in the directory.
    #[serde(with = "one")]
    pub(crate) path: PathBuf,
    pub(crate) kind: ItemKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ItemKind {
    /// The file or directory `from`, with everything mounted below it.
    Bind {
        #[serde(with = "one")]
        from: PathBuf,
    },
    /// A copy of a file as it is now.
    Copy {
        #[serde(with = "one")]
        from: PathBuf,
    },
    Directory {
        mode: u32,
    },
    /// An empty file.
    Empty,
    Link {
        #[serde(with = "one")]
        to: PathBuf,
    },
}

impl Item {
    pub(crate) fn new(path: impl Into<PathBuf>, kind: ItemKind) -> Self {
        Self { path: path.into(), kind }
    }
}

impl Step {
    /// Where it is mounted.
    pub(crate) fn at(&self) -> &Path {
        match self {
            Self::Directory { at, .. }
            | Self::Bind { at, .. }
            | Self::Overlay { at, .. }
            | Self::Processes { at }
            | Self::Terminals { at }
            | Self::ReadOnly { at } => at,
        }
    }
}

/// Where the programs and settings of a system are: read-only when everything is, but for places of
/// the user's. Scripts write to the one device; `/dev` inside is another.
const SYSTEM: &[&str] =
    &["/bin", "/dev/null", "/etc", "/lib", "/lib32", "/lib64", "/opt", "/sbin", "/usr"];

impl Plan {
    /// The places at which something must stay mounted as long as the wrap lasts.
    pub(crate) fn mask(&self) -> Vec<PathBuf> {
        let mounts = self.steps.iter().filter(|s| !matches!(s, Step::ReadOnly { .. }));
        mounts.map(|step| step.at().to_owned()).collect()
    }

    /// The places of which nothing is seen that is there outside, but copies.
    pub(crate) fn hidden(&self) -> Vec<PathBuf> {
        let is_hidden = |step: &&Step| match step {
            Step::Directory { at, .. } => !AREAS.iter().any(|area| at == Path::new(area)),
            Step::Bind { from, .. } => from.ends_with(NOTHING),
            _ => false,
        };
        self.steps.iter().filter(is_hidden).map(|step| step.at().to_owned()).collect()
    }

    /// What the program can read but not change, or not even see.
    pub(crate) fn pinned(&self) -> Vec<PathBuf> {
        let is_pinned = |step: &&Step| match step {
            Step::Directory { read_only, .. } | Step::Bind { read_only, .. } => *read_only,
            Step::Overlay { .. } => true,
            Step::Processes { .. } | Step::Terminals { .. } | Step::ReadOnly { .. } => false,
        };
        let mut pinned: Vec<PathBuf> =
            self.steps.iter().filter(is_pinned).map(|step| step.at().to_owned()).collect();
        if self.read_only {
            pinned.extend(SYSTEM.iter().map(PathBuf::from));
        }
        pinned
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn plan(read_only: bool) -> Plan {
        let at = |path: &str| PathBuf::from(path);
        let bind = |path: &str, read_only| Step::Bind { from: at("/x"), at: at(path), read_only };
        let directory = |path: &str, read_only| Step::Directory {
            at: at(path),
            mode: 0o700,
            read_only,
            content: vec![],
        };
        let steps = vec![
            Step::Processes { at: at("/proc") },
            Step::ReadOnly { at: at("/sys/fs/cgroup") },
            Step::Terminals { at: at("/dev/pts") },
            bind("/tmp", false),
            bind("/home/key", true),
            directory("/run", false),
            directory("/home/.ssh", true),
            Step::Overlay { at: at("/usr/bin"), with: at("/over") },
        ];
        Plan { steps, cwd: at("/"), read_only }
    }

    #[test]
    fn everything_mounted_is_watched_and_only_what_is_read_only_is_relied_on() {
        let mask = plan(false).mask();
        let expected = ["/proc", "/dev/pts", "/tmp", "/home/key", "/run", "/home/.ssh", "/usr/bin"];
        assert_eq!(mask, expected.map(PathBuf::from));
        let pinned = plan(false).pinned();
        assert_eq!(pinned, ["/home/key", "/home/.ssh", "/usr/bin"].map(PathBuf::from));
        // For root all of the system is.
        let pinned = plan(true).pinned();
        assert!(["/etc", "/usr", "/home/key"].iter().all(|p| pinned.contains(&PathBuf::from(p))));
        assert!(!["/home", "/", "/tmp"].iter().any(|p| pinned.contains(&PathBuf::from(p))));
    }

    #[test]
    fn a_plan_is_the_same_when_it_was_written_and_read() -> Result<(), serde_json::Error> {
        let mut plan = plan(true);
        let kinds = [
            ItemKind::Bind { from: "/a".into() },
            ItemKind::Copy { from: std::ffi::OsStr::from_bytes(b"/a \xff b").into() },
            ItemKind::Directory { mode: 0o1777 },
            ItemKind::Empty,
            ItemKind::Link { to: "../x".into() },
        ];
        let content = kinds.map(|kind| Item::new("d/e", kind)).to_vec();
        plan.steps.push(Step::Directory { at: "/d".into(), mode: 0, read_only: true, content });
        let text = serde_json::to_vec(&plan)?;
        assert_eq!(serde_json::from_slice::<Plan>(&text)?, plan);
        Ok(())
    }
}
