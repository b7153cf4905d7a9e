//! `expacti demo`: everything in one terminal, and nothing of it stays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::Result;
use expacti_harness::{trial, until};

/// All paths below a directory.
fn tree(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut queue = vec![dir.to_owned()];
    while let Some(dir) = queue.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            found.insert(entry.path().display().to_string());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                queue.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn the_demo_runs_and_leaves_nothing() -> Result<()> {
    let t = trial!()?;
    // All of the demo's files go where the environment says temporary files go.
    let temporary = t.dir().join("tmp");
    fs::create_dir(&temporary)?;
    let before = (tree(&t.home()), tree(t.client().path()));
    let binary = t.binary().display().to_string();
    let script = format!("TMPDIR={} exec {binary} demo", temporary.display());
    let argv: Vec<_> = ["sh", "-c", &script].iter().map(Into::into).collect();
    let screen = t.terminal_argv(&argv, (120, 36))?;
    // The queue fills; a few decisions change what is on the screen.
    let mut last = screen.wait_until("the demo's first command", |text| {
        text.contains("MEDIUM")
            || text.contains("HIGH")
            || text.contains("CRITICAL")
            || text.contains("LOW")
    })?;
    for key in ["a", "a", "a"] {
        screen.keys(&[key])?;
        let old = last;
        last = screen.wait_until("the screen to change", |text| text != old)?;
    }
    screen.keys(&["q"])?;
    until("the demo to end", || {
        if screen.format("#{pane_dead}")? == "1" {
            return Ok(Some(()));
        }
        // Quitting with commands held may ask once more.
        if screen.capture()?.to_lowercase().contains("quit") {
            screen.keys(&["y"])?;
        }
        Ok(None)
    })?;
    assert_eq!(screen.wait_exit()?, 0);
    until("the demo's processes to end", || {
        let left = t.processes();
        Ok(left.iter().all(|process| process.program() == "tmux").then_some(()))
    })?;
    assert_eq!(tree(&temporary), BTreeSet::new());
    assert_eq!((tree(&t.home()), tree(t.client().path())), before);
    Ok(())
}
