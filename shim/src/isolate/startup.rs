//! Files by which a program can leave something behind that runs outside later: they may be changed
//! inside, and the change is named when the wrap ends.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Below the home directory: read by shells, git, editors, interpreters and package managers when
/// they start.
const IN_HOME: &[&str] = &[
    ".bash_aliases",
    ".bash_login",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".cargo/config.toml",
    ".config/Code/User/settings.json",
    ".config/Code/User/tasks.json",
    ".config/autostart-scripts",
    ".config/fish/conf.d",
    ".config/fish/config.fish",
    ".config/git/config",
    ".config/nvim/init.lua",
    ".config/nvim/init.vim",
    ".config/plasma-workspace/env",
    ".envrc",
    ".forward",
    ".gdbinit",
    ".gitconfig",
    ".inputrc",
    ".k5login",
    ".kshrc",
    ".mailfilter",
    ".local/bin",
    ".npmrc",
    ".pam_environment",
    ".procmailrc",
    ".profile",
    ".pythonrc",
    ".rhosts",
    ".shosts",
    ".tmux.conf",
    ".vimrc",
    ".xinitrc",
    ".xprofile",
    ".xsessionrc",
    ".zlogin",
    ".zprofile",
    ".zshenv",
    ".zshrc",
    "bin",
];

/// Below the repository that holds the working directory.
const IN_REPOSITORY: &[&str] = &[
    ".envrc",
    ".git/config",
    ".git/config.worktree",
    ".git/hooks",
    ".gitattributes",
    ".vscode/settings.json",
    ".vscode/tasks.json",
];

/// How a file was: one that is not there is not in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    inode: u64,
    size: u64,
    /// Of the last change of the contents or the inode, which no program can set.
    changed: (i64, i64),
}

/// How these files were when the wrap began.
#[derive(Debug, Clone, Default)]
pub(crate) struct Startup {
    paths: Vec<PathBuf>,
    looks: BTreeMap<PathBuf, Look>,
}

impl Startup {
    /// Looks at the files of these homes, and of the repository around the working directory.
    pub(crate) fn look(homes: &[PathBuf], cwd: &Path) -> Self {
        let mut paths: Vec<PathBuf> = Vec::new();
        for home in homes {
            paths.extend(IN_HOME.iter().map(|name| home.join(name)));
        }
        if let Some(top) = cwd.ancestors().find(|dir| dir.join(".git").exists()) {
            paths.extend(IN_REPOSITORY.iter().map(|name| top.join(name)));
        }
        let looks = looks(&paths);
        Self { paths, looks }
    }

    /// Those that are new, gone or different.
    pub(crate) fn changed(&self) -> Vec<PathBuf> {
        let now = looks(&self.paths);
        let mut changed: Vec<PathBuf> = now
            .iter()
            .filter(|(path, look)| self.looks.get(*path) != Some(*look))
            .map(|(path, _)| path.clone())
            .collect();
        changed.extend(self.looks.keys().filter(|path| !now.contains_key(*path)).cloned());
        changed.sort();
        changed
    }
}

fn looks(paths: &[PathBuf]) -> BTreeMap<PathBuf, Look> {
    let mut looks = BTreeMap::new();
    for path in paths {
        let Ok(metadata) = std::fs::metadata(path) else { continue };
        if metadata.is_dir() {
            // Its entries: what is in it would be run by name.
            let Ok(entries) = std::fs::read_dir(path) else { continue };
            for entry in entries.flatten() {
                if let Ok(metadata) = std::fs::metadata(entry.path())
                    && metadata.is_file()
                {
                    looks.insert(entry.path(), look(&metadata));
                }
            }
        } else {
            looks.insert(path.clone(), look(&metadata));
        }
    }
    looks
}

fn look(metadata: &std::fs::Metadata) -> Look {
    Look {
        inode: metadata.ino(),
        size: metadata.size(),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_seen_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        for name in [".bashrc", ".profile", ".zshrc", "unrelated"] {
            std::fs::write(at(name), "a").unwrap();
        }
        std::fs::create_dir(at("bin")).unwrap();
        let before = Startup::look(&[home.path().to_owned()], Path::new("/"));
        assert!(before.changed().is_empty());
        std::fs::write(at(".bashrc"), "b").unwrap();
        std::fs::remove_file(at(".profile")).unwrap();
        std::fs::write(at(".vimrc"), "c").unwrap();
        std::fs::write(at("bin/ls"), "d").unwrap();
        std::fs::write(at("unrelated"), "e").unwrap();
        let expected: Vec<_> = [".bashrc", ".profile", ".vimrc", "bin/ls"].map(at).into();
        assert_eq!(before.changed(), expected);
    }
}
