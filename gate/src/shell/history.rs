//! The lines typed at interactive shells, kept from one session to the next in a file for each
//! agent and target that only the gate's user can read. It must never hold a line with a secret in
//! it.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use expacti_line::editor::{History, MAX_BYTES, MAX_LINES};

/// The file that keeps the lines of one agent on one target.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    path: Option<PathBuf>,
}

impl Store {
    /// In this directory; without one nothing is kept.
    pub(crate) fn new(directory: Option<&Path>, agent: &str, target: &str) -> Self {
        let name = expacti_protocol::digest::Digest::of(format!("{agent}\0{target}").as_bytes());
        Self { path: directory.map(|dir| dir.join(format!("{name}.jsonl"))) }
    }

    /// The lines of earlier sessions. A file that cannot be read is an empty history.
    pub(crate) fn load(&self) -> History {
        History::with_lines(self.lines())
    }

    fn lines(&self) -> Vec<String> {
        let Some(path) = &self.path else { return Vec::new() };
        let too_long = |meta: &std::fs::Metadata| meta.len() > 8 * MAX_BYTES as u64;
        match std::fs::metadata(path) {
            Ok(meta) if !too_long(&meta) => {}
            _ => return Vec::new(),
        }
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Saves the lines after the first `known`, after what other sessions have saved meanwhile.
    pub(crate) fn save(&self, history: &History, known: usize) {
        let Some(path) = &self.path else { return };
        let new: Vec<&str> = history
            .lines()
            .skip(known)
            .filter(|line| !expacti_engine::mask_secrets(line.as_bytes()).masked)
            .collect();
        if new.is_empty() {
            return;
        }
        if let Err(error) = write(path, &self.lines(), &new) {
            tracing::warn!(%error, path = %path.display(), "the history of a shell is not kept");
        }
    }
}

fn write(path: &Path, old: &[String], new: &[&str]) -> std::io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let room = MAX_LINES.saturating_sub(new.len());
    let old = old.iter().skip(old.len().saturating_sub(room)).map(String::as_str);
    let temporary = path.with_extension(format!("{}.new", uuid_like()));
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    let written = old.chain(new.iter().copied()).try_for_each(|line| {
        let line = serde_json::to_string(line)?;
        writeln!(file, "{line}")
    });
    match written.and_then(|()| std::fs::rename(&temporary, path)) {
        Ok(()) => Ok(()),
        Err(error) => {
            std::fs::remove_file(&temporary).ok();
            Err(error)
        }
    }
}

/// A name that no other session uses at this moment.
fn uuid_like() -> String {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok();
    hex::encode(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_for_the_same_agent_and_target_only() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(Some(dir.path()), "fixbot", "web-1");
        let mut history = store.load();
        history.push("ls -l");
        history.push("for i in 1\ndo echo $i\ndone");
        history.push("mysql --password=hunter2 shop");
        store.save(&history, 0);
        let again = store.load();
        assert_eq!(again.lines().collect::<Vec<_>>(), ["ls -l", "for i in 1\ndo echo $i\ndone"]);
        assert!(Store::new(Some(dir.path()), "fixbot", "web-2").load().is_empty());
        assert!(Store::new(None, "fixbot", "web-1").load().is_empty());

        // Another session at the same time: nothing of either is lost.
        let (mut a, mut b) = (store.load(), store.load());
        a.push("from a");
        b.push("from b");
        store.save(&a, 2);
        store.save(&b, 2);
        let lines: Vec<_> = store.load().lines().map(str::to_owned).collect();
        assert!(lines.ends_with(&["from a".to_owned(), "from b".to_owned()]), "{lines:?}");
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::read_dir(dir.path())
                .unwrap()
                .next()
                .unwrap()
                .unwrap()
                .metadata()
                .unwrap()
                .permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_broken_file_is_an_empty_history() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(Some(dir.path()), "a", "t");
        std::fs::write(store.path.as_ref().unwrap(), b"\xff\x00{garbage\n\"ok\"\n").unwrap();
        assert!(store.load().is_empty());
        std::fs::write(store.path.as_ref().unwrap(), b"{garbage\n\"ok\"\n").unwrap();
        assert_eq!(store.load().lines().collect::<Vec<_>>(), ["ok"]);
    }
}
