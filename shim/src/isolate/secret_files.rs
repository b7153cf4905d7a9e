//! Which files hold secrets, and what of a directory of secrets is seen inside all the same.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::plan::{Item, ItemKind};

/// Size of the largest file of `~/.ssh` and `~/.gnupg` that is seen inside, in bytes.
pub(super) const MAX_COPY: u64 = 16 << 20;

/// Size of the largest key, in bytes.
pub(super) const MAX_KEY: u64 = 64 << 10;

/// Whether a directory holds nothing but keys, their public halves and certificates. `secrets` are keys by
/// what the configuration says.
pub(super) fn holds_only_keys(dir: &Path, secrets: &BTreeSet<PathBuf>) -> bool {
    /// More than that are no keys of a user's.
    const MOST: usize = 256;
    let Ok(entries) = std::fs::read_dir(dir) else { return false };
    let entries: Vec<_> = entries.take(MOST + 1).collect();
    let holds_key = |path: &Path| {
        std::fs::symlink_metadata(path).is_ok_and(|m| m.is_file() && m.len() <= MAX_KEY)
            && std::fs::read(path).is_ok_and(|text| holds_a_private_key(&text))
    };
    // A pattern of the configuration may fit other files, too.
    let mut has_key = false;
    let mut is_one = |path: &Path| {
        let holds_key = holds_key(path);
        has_key |= holds_key;
        holds_key
            || secrets.contains(path)
            || path.extension().is_some_and(|extension| extension == "pub")
    };
    entries.len() <= MOST
        && entries.into_iter().all(|entry| {
            entry.is_ok_and(|e| e.file_type().is_ok_and(|t| t.is_file()) && is_one(&e.path()))
        })
        && has_key
}

/// Whether a file of `~/.ssh` may be read inside, by its name and by what it holds. `known`: it lies in
/// the directory itself, or the configuration includes it.
pub(super) fn is_no_secret(path: &Path, known: bool) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let by_name = name.starts_with("known_hosts")
        || name.ends_with(".pub")
        || name.ends_with(".conf")
        || name == "config"
        || (known
            && !name.starts_with("id_")
            && matches!(name, "allowed_signers" | "authorized_keys"));
    by_name && std::fs::read(path).is_ok_and(|text| !holds_a_private_key(&text))
}

/// Whether a text holds a private key, by the line that each format begins with.
pub(crate) fn holds_a_private_key(text: &[u8]) -> bool {
    ["PRIVATE KEY-----", "PuTTY-User-Key-File-", "SSH PRIVATE KEY FILE FORMAT", "openssh-key-v1"]
        .iter()
        .any(|mark| text.windows(mark.len()).any(|w| w == mark.as_bytes()))
}

pub(super) fn copies(
    from: &Path,
    to: &Path,
    depth: usize,
    wanted: &dyn Fn(&Path, bool) -> bool,
    content: &mut Vec<Item>,
) {
    let Ok(entries) = std::fs::read_dir(from) else { return };
    for entry in entries.flatten() {
        let (path, inner) = (entry.path(), to.join(entry.file_name()));
        // Through links: they may lead to a configuration kept elsewhere.
        let Ok(metadata) = std::fs::metadata(&path) else { continue };
        if metadata.is_dir() && depth > 0 {
            content.push(Item::new(&inner, ItemKind::Directory { mode: 0o700 }));
            copies(&path, &inner, depth - 1, wanted, content);
        } else if metadata.is_file()
            && metadata.len() <= MAX_COPY
            && wanted(&path, to.as_os_str().is_empty())
        {
            // Where the link leads now: it is not followed again.
            let Ok(from) = std::fs::canonicalize(&path) else { continue };
            content.push(Item::new(inner, ItemKind::Copy { from }));
        }
    }
}

/// The files at and below `path` that have more than one name.
pub(super) fn linked(path: &Path, depth: usize, found: &mut BTreeSet<(u64, u64)>) {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return };
    if metadata.is_file() && metadata.nlink() > 1 {
        found.insert((metadata.dev(), metadata.ino()));
    } else if metadata.is_dir() && depth > 0 {
        let Ok(entries) = std::fs::read_dir(path) else { return };
        for entry in entries.flatten() {
            linked(&entry.path(), depth - 1, found);
        }
    }
}

/// Every name below `dir` of these files.
pub(super) fn names_of(
    dir: &Path,
    wanted: &BTreeSet<(u64, u64)>,
    depth: usize,
    found: &mut Vec<PathBuf>,
) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth > 0 {
            names_of(&entry.path(), wanted, depth - 1, found);
        } else if kind.is_file()
            && entry.metadata().is_ok_and(|m| wanted.contains(&(m.dev(), m.ino())))
        {
            found.push(entry.path());
        }
    }
}
