//! `scp` and `sftp` through `wrap`, broker and gate, on a target whose SFTP server is OpenSSH's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Result, ensure};
use expacti_harness::{Verdict, digest, trial, until};

#[test]
fn an_upload_is_shown_before_it_happens() -> Result<()> {
    let t = trial!()?;
    let (file, copy) = (t.dir().join("upload"), t.marker("copy"));
    fs::write(&file, "new line\n")?;
    fs::write(copy.path(), "old line\n")?;
    let destination = format!("target:{}", copy.path().display());
    let argv = ["scp", file.to_str().unwrap(), &destination];

    let run = t.wrap(&argv).spawn()?;
    let held = t.wait_pending()?;
    assert_eq!(held.more["kind"], "file");
    let path = fs::canonicalize(copy.path())?;
    ensure!(held.command.starts_with(&format!("sftp write {}: 9 B", path.display())), "{held:?}");
    let preview = held.more["preview"].as_str().unwrap_or_default();
    ensure!(preview.contains("-old line\n+new line\n"), "{preview}");
    assert_eq!(fs::read_to_string(copy.path())?, "old line\n");
    t.deny(&held.id, "not this one")?;
    let outcome = run.wait()?;
    ensure!(outcome.code() != 0, "{}", outcome.describe());
    ensure!(outcome.err().contains("not this one"), "{}", outcome.describe());
    assert_eq!(fs::read_to_string(copy.path())?, "old line\n");
    assert!(!t.entry_kinds(&held.id)?.contains(&"released".to_owned()));

    let run = t.wrap(&argv).spawn()?;
    let held = t.wait_pending()?;
    t.allow(&held.id)?;
    run.wait()?.expect_code(0)?;
    assert_eq!(fs::read_to_string(copy.path())?, "new line\n");
    t.wait_entry(&held.id, "finished")?;
    let kinds = t.entry_kinds(&held.id)?;
    assert_eq!(kinds, ["command_submitted", "decision", "released", "finished"]);
    Ok(())
}

#[test]
fn reading_flows_and_secrets_do_not() -> Result<()> {
    let t = trial!()?;
    let _reviewer = t.auto_reviewer(Verdict::Deny("no".to_owned()));
    let plain = t.marker("plain");
    fs::write(plain.path(), "data")?;
    let local = t.dir().join("got");
    let source = format!("target:{}", plain.path().display());
    t.wrap(&["scp", &source, local.to_str().unwrap()]).run()?.expect_code(0)?;
    assert_eq!(fs::read_to_string(&local)?, "data");
    let reads = || -> Result<Vec<_>> {
        Ok(t.audit()?.into_iter().filter(|entry| entry.kind == "file_read").collect())
    };
    let read = until("the entry of the read", || Ok(reads()?.pop()))?;
    assert_eq!(read.more["path"], fs::canonicalize(plain.path())?.display().to_string());
    assert_eq!((&read.more["bytes"], &read.more["sha256"]), (&4.into(), &digest(b"data")?.into()));
    assert!(read.more["agent"].is_string() && read.more["target"] == "target");

    let secret = t.marker("id_ed25519");
    fs::write(secret.path(), "PRIVATE KEY")?;
    fs::remove_file(&local)?;
    let source = format!("target:{}", secret.path().display());
    let outcome = t.wrap(&["scp", &source, local.to_str().unwrap()]).run()?;
    ensure!(outcome.code() != 0, "{}", outcome.describe());
    assert!(!fs::read_to_string(&local).unwrap_or_default().contains("PRIVATE"));
    assert_eq!(reads()?.len(), 1, "what was denied was not read");
    Ok(())
}

#[test]
fn a_rule_for_a_directory_lets_a_tree_through() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let to = t.marker("site");
    fs::create_dir(to.path())?;
    let real = fs::canonicalize(to.path())?;
    for pattern in ["write", "mkdir", "utime", "chmod", "setstat"] {
        let pattern = format!("sftp {pattern} {}/*: **", real.display());
        t.expacti(&["rules", "add", "--glob", &pattern, "--ttl", "1h"])?.expect_code(0)?;
    }
    let from = t.dir().join("tree");
    fs::create_dir_all(from.join("sub"))?;
    for (name, text) in [("a", "1"), ("sub/b", "2")] {
        fs::write(from.join(name), text)?;
    }
    let _reviewer = t.auto_reviewer(Verdict::Deny("outside".to_owned()));
    let destination = format!("target:{}/", to.path().display());
    t.wrap(&["scp", "-r", from.to_str().unwrap(), &destination]).run()?.expect_code(0)?;
    assert_eq!(fs::read_to_string(to.path().join("tree/sub/b"))?, "2");
    let elsewhere = t.marker("elsewhere");
    let destination = format!("target:{}", elsewhere.path().display());
    let file = from.join("a");
    let outcome = t.wrap(&["scp", file.to_str().unwrap(), &destination]).run()?;
    ensure!(outcome.code() != 0, "{}", outcome.describe());
    assert!(!elsewhere.exists());
    Ok(())
}
