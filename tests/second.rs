//! The second line of a wrap, for where there are no namespaces: the canary, and what `expacti setup
//! --user` puts into the user's ssh configuration.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::{fs, path::Path, process::Command};

use anyhow::{Result, ensure};
use expacti_harness::{Ordinary, ordinary};

/// Without namespaces, but not without a line that holds.
const NO_NAMESPACES: &[&str] = &["--no-isolate"];

fn set_up(t: &Ordinary) -> Result<()> {
    t.expacti(&["setup", "--user", "--yes"])?.expect_code(0)?;
    Ok(())
}

/// Requires that no program starts, because of `way`.
fn does_not_start(t: &Ordinary, way: &str) -> Result<()> {
    let outcome = t.wrap_with(NO_NAMESPACES, &["echo", "started"]).run()?;
    outcome
        .expect_code(5)?
        .expect_no_stdout()?
        .expect_stderr(way)?
        .expect_stderr("setup --user")?;
    Ok(())
}

#[test]
fn a_program_starts_only_where_its_ways_lead_to_the_gate() -> Result<()> {
    let t = ordinary!();
    does_not_start(&t, "a clean environment (env -i)")?;
    does_not_start(&t, "/usr/bin/ssh by its path")?;
    set_up(&t)?;
    for (n, way) in
        ["ssh", "env -i /usr/bin/ssh", "setsid -w bash -lc 'ssh \"$@\"' x"].iter().enumerate()
    {
        let marker = t.marker(&format!("m{n}"));
        let script = format!("{way} target 'touch {}'", marker.path().display());
        let mut run = t.wrap_with(NO_NAMESPACES, &["bash", "-c", &script]).spawn()?;
        t.wait_pending(&mut run)?;
        let shown = t.expacti(&["pending"])?.out();
        ensure!(shown.contains("(not isolated)"), "{shown}");
        ensure!(!marker.exists(), "{way} ran before it was decided");
        t.decide_all(&mut run, "deny")?;
        run.wait()?.expect_code(77)?;
        ensure!(!marker.exists(), "{way} was denied and ran");
    }
    // Outside nothing has changed.
    t.run(&["ssh", "target", "echo", "direct"])?.expect_stdout("direct\n")?;
    Ok(())
}

#[test]
fn start_up_files_that_lead_past_the_gate() -> Result<()> {
    let t = ordinary!();
    set_up(&t)?;
    let past = "ssh() { /usr/bin/ssh -F none \"$@\"; }\n";
    t.write(".bash_profile", past)?;
    does_not_start(&t, "a login shell (/bin/bash -lc)")?;
    fs::remove_file(t.home().join(".bash_profile"))?;
    t.wrap_with(NO_NAMESPACES, &["echo", "started"]).run()?.expect_stdout("started\n")?;
    if !Path::new("/usr/bin/zsh").exists() {
        return Ok(());
    }
    // The shell of the account, which SHELL does not name here.
    let changed = Command::new("usermod").args(["-s", "/usr/bin/zsh", t.name()]).status()?;
    ensure!(changed.success(), "usermod failed");
    t.write(".zshenv", past)?;
    does_not_start(&t, "a login shell (/usr/bin/zsh -lc)")?;
    Ok(())
}

#[test]
fn what_was_set_up_is_undone() -> Result<()> {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let t = ordinary!();
    let config = t.home().join(".ssh/config");
    let usual = fs::read(&config)?;
    let undo = || t.expacti(&["setup", "--user", "--undo"])?.expect_code(0).map(drop);
    for text in [
        &usual[..],
        b"",
        b"Host a\n  User b",
        b"Host a\r\n  User b\r\n",
        b"# caf\xe9\nHost a\n",
        b"Host a\n  Port 1\nMatch all\n",
    ] {
        fs::write(&config, text)?;
        fs::set_permissions(&config, fs::Permissions::from_mode(0o444))?;
        set_up(&t)?;
        set_up(&t)?;
        let with = fs::read(&config)?;
        ensure!(with.ends_with(text) && with.len() > text.len(), "it was not put there");
        undo()?;
        ensure!(fs::read(&config)? == text, "{} is another", text.escape_ascii());
        ensure!(
            fs::metadata(&config)?.permissions().mode() & 0o777 == 0o444,
            "the mode is another"
        );
        fs::set_permissions(&config, fs::Permissions::from_mode(0o644))?;
    }
    fs::remove_file(&config)?;
    set_up(&t)?;
    undo()?;
    ensure!(!config.exists(), "there was no file before");
    // A link stays one; what one to nothing means cannot be told.
    let real = t.write("config", "Host a\n")?;
    symlink(&real, &config)?;
    set_up(&t)?;
    undo()?;
    ensure!(config.is_symlink() && fs::read(&real)? == b"Host a\n", "the link is gone");
    fs::remove_file(&real)?;
    t.expacti(&["setup", "--user", "--yes"])?.expect_code(1)?;
    ensure!(config.is_symlink() && !real.exists(), "the link is gone");
    Ok(())
}
