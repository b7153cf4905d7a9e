//! Sets of covers: which of them stand for others, and where else what they cover is seen.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::plan::{ItemKind, Step};
use super::watch::{Mount, aliases, overlaid};

/// Where else a file or directory is seen: by another mount, or through an overlay.
pub(super) fn seen_again(mounts: &[Mount], path: &Path) -> Vec<PathBuf> {
    let id = |path: &Path| std::fs::symlink_metadata(path).map(|m| (m.dev(), m.ino())).ok();
    // Something else may be mounted over it.
    let is_same = |path: &Path, other: &Path| id(path).is_some_and(|own| id(other) == Some(own));
    let found = aliases(mounts, path).into_iter();
    let mut again: Vec<PathBuf> =
        found.filter(|(path, other)| is_same(path, other)).map(|(_, other)| other).collect();
    // There it has another number.
    again.extend(overlaid(mounts, path).into_iter().filter(|other| id(other).is_some()));
    again.iter_mut().for_each(|other| {
        if let Ok(real) = std::fs::canonicalize(&*other) {
            *other = real;
        }
    });
    again
}

/// Of these paths those that are in no other, sorted.
pub(super) fn outermost(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    paths.dedup();
    let mut outermost: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !outermost.iter().any(|outer| path.starts_with(outer)) {
            outermost.push(path);
        }
    }
    outermost
}

/// Leaves out the copies of files in other directories that are covered: what a link leads to may have been
/// chosen inside a wrap.
pub(super) fn leave_out_hidden(covers: &mut [Step]) {
    let places: Vec<PathBuf> = covers.iter().map(|cover| cover.at().to_owned()).collect();
    for cover in covers {
        let Step::Directory { at, content, .. } = cover else { continue };
        content.retain(|item| match &item.kind {
            ItemKind::Copy { from } => {
                from.starts_with(&*at) || !places.iter().any(|place| from.starts_with(place))
            }
            _ => true,
        });
    }
}

/// A directory of the program's own, which it can use in the place of the one outside.
pub(super) fn another_directory(at: PathBuf) -> Step {
    Step::Directory { at, mode: 0o700, read_only: false, content: Vec::new() }
}

/// Adds a cover unless something above it is covered, and drops those below it.
pub(super) fn push(covers: &mut Vec<Step>, step: Step) {
    if covers.iter().any(|c| step.at().starts_with(c.at())) {
        return;
    }
    covers.retain(|c| !c.at().starts_with(step.at()));
    covers.push(step);
}
