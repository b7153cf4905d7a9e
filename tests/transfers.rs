//! Transfers of files through `wrap`, broker and gate: legacy scp, rsync, git, tar.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Result, ensure};
use expacti_harness::{Verdict, trial};

#[test]
fn legacy_scp_is_two_decisions_and_an_honest_answer() -> Result<()> {
    let t = trial!()?;
    let (file, to) = (t.dir().join("upload"), t.marker("site"));
    fs::write(&file, "content\n")?;
    fs::create_dir(to.path())?;
    let real = fs::canonicalize(to.path())?;
    let destination = format!("target:{}", to.path().display());
    let argv = ["scp", "-O", file.to_str().unwrap(), &destination];

    let run = t.wrap(&argv).spawn()?;
    let command = t.wait_pending()?;
    ensure!(command.command.starts_with("scp -t "), "{command:?}");
    let sentence = format!("scp upload into {}", to.path().display());
    assert_eq!(command.more["headline"], sentence.as_str());
    t.allow(&command.id)?;
    let held = t.wait_pending()?;
    assert_eq!(held.more["kind"], "file");
    ensure!(held.command.starts_with(&format!("sftp write {}/upload: 8 B", real.display())));
    assert_eq!(fs::read_dir(to.path())?.count(), 0);
    t.deny(&held.id, "not today")?;
    let outcome = run.wait()?;
    ensure!(outcome.code() != 0, "{}", outcome.describe());
    ensure!(outcome.err().contains("not today"), "{}", outcome.describe());
    assert_eq!(fs::read_dir(to.path())?.count(), 0);
    assert!(!t.entry_kinds(&held.id)?.contains(&"released".to_owned()));

    // A rule for the command is not one for what it brings; with one for both nobody is asked.
    let rule = |pattern: &str| t.rule("--glob", pattern);
    rule("scp -t **")?;
    let run = t.wrap(&argv).spawn()?;
    let held = t.wait_pending()?;
    assert_eq!(held.more["kind"], "file");
    t.allow(&held.id)?;
    run.wait()?.expect_code(0)?;
    assert_eq!(fs::read_to_string(to.path().join("upload"))?, "content\n");
    t.wait_entry(&held.id, "finished")?;

    rule(&format!("sftp write {}/*: **", real.display()))?;
    rule(&format!("sftp mkdir {}/*: **", real.display()))?;
    let tree = t.dir().join("tree");
    fs::create_dir_all(tree.join("sub"))?;
    for (name, text) in [("a", "1"), ("sub/b", "2")] {
        fs::write(tree.join(name), text)?;
    }
    let _reviewer = t.auto_reviewer(Verdict::Deny("outside".to_owned()));
    rule("scp -r -t **")?;
    let argv = ["scp", "-O", "-r", tree.to_str().unwrap(), &destination];
    t.wrap(&argv).run()?.expect_code(0)?;
    assert_eq!(fs::read_to_string(to.path().join("tree/sub/b"))?, "2");
    // What is guarded is not covered by a rule for its directory.
    fs::write(tree.join(".env"), "KEY=1")?;
    let outcome = t.wrap(&argv).run()?;
    ensure!(outcome.code() != 0, "{}", outcome.describe());
    assert!(!to.path().join("tree/.env").exists());
    Ok(())
}

#[test]
fn transfers_are_told_in_a_sentence() -> Result<()> {
    let t = trial!()?;
    let to = t.marker("there");
    fs::create_dir(to.path())?;
    let path = to.path().display().to_string();
    for (command, sentence) in [
        (format!("git-receive-pack '{path}/x.git'"), format!("git push to {path}/x.git")),
        (format!("git-upload-pack '{path}/x.git'"), format!("git fetch from {path}/x.git")),
        (format!("cd {path} && tar xzf -"), format!("tar: unpack standard input in {path}")),
        (
            format!("rsync --server -vlogDtpre.iLsfxCIvu --delete . {path}/"),
            format!("rsync upload to {path}/ (deletes files there that the sender does not have)"),
        ),
    ] {
        let run = t.wrap(&["ssh", "target", &command]).spawn()?;
        let held = t.wait_pending()?;
        assert_eq!(held.more["headline"], sentence.as_str());
        t.deny(&held.id, "only looking")?;
        run.wait()?.expect_code(77)?;
    }
    Ok(())
}
