//! Private keys that a wrapped program would find: copies in places that nothing names. They are searched
//! for people to read of, not for each wrap.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::secret_files::holds_a_private_key;

/// How deep, how many files, and how much of each are looked at.
const DEEPEST: usize = 12;
const MOST_FILES: usize = 200_000;
const BEGINNING: u64 = 512;

/// The size of the smallest and the largest key in bytes.
const SIZES: std::ops::RangeInclusive<u64> = 64..=64 * 1024;

/// Searches `dirs` for private keys that are not below one of `hidden`. What cannot be read by the user
/// cannot be read by the program either.
pub(crate) fn keys(dirs: &[PathBuf], hidden: &[PathBuf]) -> Vec<PathBuf> {
    let mut search = Search { hidden, left: MOST_FILES, found: Vec::new() };
    dirs.iter().for_each(|dir| search.directory(dir, DEEPEST));
    search.found.sort();
    search.found.dedup();
    search.found
}

struct Search<'a> {
    hidden: &'a [PathBuf],
    left: usize,
    found: Vec<PathBuf>,
}

impl Search<'_> {
    fn directory(&mut self, dir: &Path, depth: usize) {
        let Ok(entries) = std::fs::read_dir(dir) else { return };
        for entry in entries.flatten() {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if self.hidden.iter().any(|hidden| path.starts_with(hidden)) {
                continue;
            }
            if kind.is_dir() && depth > 0 {
                self.directory(&path, depth - 1);
            } else if kind.is_file()
                && entry.metadata().is_ok_and(|known| SIZES.contains(&known.len()))
                && begins_as_a_key(&path)
            {
                self.found.push(path);
            }
        }
    }
}

fn begins_as_a_key(path: &Path) -> bool {
    let mut beginning = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning))
        .is_ok_and(|_| {
            // Programs that know keys hold these words, too, but not at their beginning.
            beginning.starts_with(b"-----BEGIN ") && holds_a_private_key(&beginning)
                || beginning.starts_with(b"PuTTY-User-Key-File-")
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_wherever_they_lie() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let key = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{}", "x".repeat(64));
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::create_dir(at(".ssh")).unwrap();
        for name in ["a/b/deploy", ".ssh/id_rsa"] {
            std::fs::write(at(name), &key).unwrap();
        }
        std::fs::write(at("a/key.ppk"), format!("PuTTY-User-Key-File-3: {key}")).unwrap();
        std::fs::write(at("a/program"), format!("#!/bin/sh\n# {key}")).unwrap();
        std::fs::write(
            at("a/public"),
            format!("-----BEGIN PUBLIC KEY-----\n{key}").replace("PRIVATE", "X"),
        )
        .unwrap();
        let found = keys(&[dir.path().to_owned()], &[at(".ssh")]);
        assert_eq!(found, [at("a/b/deploy"), at("a/key.ppk")]);
    }
}
