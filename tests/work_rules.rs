//! Rules for working in a directory, and accounts that may have changed: on a real target, with what
//! happened there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Context, Result, ensure};
use expacti_harness::{Entry, Ordinary, Outcome, ordinary};

/// Runs a command on the target, wrapped.
fn run(t: &Ordinary, command: &str) -> Result<Outcome> {
    t.wrap(&["ssh", "target", command]).run()
}

/// Requires that a command is held; denies it, and returns why it was held.
fn held(t: &Ordinary, command: &str) -> Result<String> {
    let mut run = t.wrap(&["ssh", "target", command]).spawn()?;
    let pending = t.wait_pending(&mut run).with_context(|| format!("{command:?} is to be held"))?;
    t.decide_all(&mut run, "deny")?;
    run.wait()?.expect_code(77)?;
    Ok(pending.more["rule_why"].as_str().unwrap_or_default().to_owned())
}

/// Requires that a command is held, and allows it with these options.
fn allowed(t: &Ordinary, command: &str, options: &[&str]) -> Result<()> {
    let mut run = t.wrap(&["ssh", "target", command]).spawn()?;
    let pending = t.wait_pending(&mut run).with_context(|| format!("{command:?} is to be held"))?;
    let mut args = vec!["allow", pending.id.as_str()];
    args.extend(options);
    t.expacti(&args)?.expect_code(0)?;
    run.wait()?.expect_code(0).map(drop)
}

fn log(t: &Ordinary) -> Result<Vec<Entry>> {
    let exported = t.expacti(&["audit", "export"])?;
    exported.expect_code(0)?;
    exported.out().lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn count(log: &[Entry], kind: &str) -> usize {
    log.iter().filter(|entry| entry.kind == kind).count()
}

#[test]
fn work_beneath_a_directory_needs_nobody_and_a_link_out_of_it_ends_it() -> Result<()> {
    let t = ordinary!();
    let made = "mkdir -p ~/work/sub ~/other/d && ln -s ~/other ~/work/out && ln -s sub ~/work/in && \
                echo old > ~/other/file && ln -s ~/other/file ~/work/outfile && \
                ln -s ~/other/new ~/work/dangling";
    t.run(&["/bin/sh", "-c", made])?.expect_code(0)?;
    t.expacti(&["up"])?.expect_code(0)?;
    let added = t.expacti(&["rules", "add", "--work", "~/work", "--json"])?;
    added.expect_code(0)?;
    ensure!(added.json()?["expires_at"].is_i64(), "it has an end: {}", added.describe());
    let home = t.home();
    let read = |path: &str| fs::read_to_string(home.join(path));

    for (command, path, content) in [
        ("mkdir ~/work/new && echo hello | tee ~/work/new/a", "work/new/a", "hello\n"),
        ("cd ~/work && cat > f <<'E'\n$(id) `id` rm -rf /\nE\n", "work/f", "$(id) `id` rm -rf /\n"),
        ("cp ~/other/file ~/work/copy", "work/copy", "old\n"),
        ("cd ~/work && mv copy sub/moved", "work/sub/moved", "old\n"),
        ("echo x > ~/work/in/through-a-link", "work/sub/through-a-link", "x\n"),
        ("sed -i 's/hello/bye/' ~/work/new/a", "work/new/a", "bye\n"),
        ("head -n 1 ~/other/file > ~/work/h", "work/h", "old\n"),
    ] {
        run(&t, command)?.expect_code(0).with_context(|| command.to_owned())?;
        assert_eq!(read(path)?, content, "{command}");
    }
    run(&t, "rm ~/work/new/a && rmdir ~/work/new")?.expect_code(0)?;
    assert!(!home.join("work/new").exists());
    let before = log(&t)?;
    assert_eq!(count(&before, "released"), 8);

    // Where a link leads out of it, the line is denied, and nothing happens.
    for command in [
        "touch ~/work/out/x",
        "echo new > ~/work/outfile",
        "echo new > ~/work/dangling",
        "cp ~/other/file ~/work/out",
        "mv ~/work/f ~/work/out/f",
        "rm ~/work/out/file",
        "cd ~/work/out && touch x",
        "mkdir -p ~/work/out/a/b",
    ] {
        let outcome = run(&t, command)?;
        outcome.expect_code(77).with_context(|| command.to_owned())?;
        ensure!(outcome.err().contains("lead"), "{command}: {}", outcome.describe());
    }
    assert_eq!(read("other/file")?, "old\n");
    let mut names: Vec<_> = fs::read_dir(home.join("other"))?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    names.sort();
    assert_eq!(names, ["d", "file"]);
    let after = log(&t)?;
    assert_eq!(count(&after, "released"), 8, "none of them was released");
    assert_eq!(count(&after, "withdrawn"), 8);
    let last = after.iter().rfind(|entry| entry.kind == "withdrawn").unwrap();
    ensure!(last.more["comment"].as_str().unwrap().contains("leads out of"), "{last:?}");

    // Elsewhere, and whatever is not on the line, a person is asked.
    for command in ["touch ~/other/x", "touch ~/work/../other/x", "ln -s /etc ~/work/etc"] {
        held(&t, command)?;
    }
    let mut unseen = t.wrap(&["ssh", "target", "cat > ~/work/g"]).stdin("secret\n").spawn()?;
    t.wait_pending(&mut unseen)?;
    t.decide_all(&mut unseen, "deny")?;
    unseen.wait()?.expect_code(77)?;
    assert!(!home.join("work/g").exists());
    Ok(())
}

#[test]
fn an_approved_line_that_may_change_the_account_is_remembered() -> Result<()> {
    let t = ordinary!();
    t.expacti(&["up"])?.expect_code(0)?;
    t.expacti(&["rules", "defaults"])?.expect_code(0)?;
    let (looks, changes) = ("ls -d /usr", "echo 'alias x=y' >> ~/.bash_aliases");
    run(&t, looks)?.expect_code(0)?;
    allowed(&t, changes, &[])?;
    let why = held(&t, looks)?;
    ensure!(why.contains("asked because cmd_"), "{why}");
    // On every connection, and after a restart.
    t.expacti(&["down"])?.expect_code(0)?;
    t.expacti(&["up"])?.expect_code(0)?;
    held(&t, looks)?;
    let listed = t.expacti(&["taint", "list", "--json"])?.json()?;
    assert_eq!(listed[0]["target"], "target");
    assert_eq!(listed[0]["in_force"], true);
    t.expacti(&["taint", "clear", "elsewhere"])?.expect_code(4)?;
    t.expacti(&["taint", "clear", "target"])?.expect_code(0)?;
    run(&t, looks)?.expect_code(0)?;

    // One allow can say that the account goes on being trusted.
    allowed(&t, changes, &["--trust"])?;
    run(&t, looks)?.expect_code(0)?;
    allowed(&t, changes, &[])?;
    allowed(&t, looks, &["--trust"])?;
    run(&t, looks)?.expect_code(0)?;
    let log = log(&t)?;
    assert_eq!((count(&log, "tainted"), count(&log, "taint_cleared")), (2, 2));
    Ok(())
}
