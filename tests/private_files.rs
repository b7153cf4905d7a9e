//! Files with secrets that others can read or write: nothing is done with them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Result;
use expacti_harness::{Outcome, trial};

fn mode(path: &Path, mode: u32) -> Result<()> {
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode))?)
}

fn names_the_cure(outcome: &Outcome, code: i32, path: &Path, mode: u32) -> Result<()> {
    outcome.expect_code(code)?.expect_no_stdout()?;
    for part in [
        path.display().to_string(),
        format!("(mode {mode:04o})"),
        format!("chmod 600 {}", path.display()),
    ] {
        anyhow::ensure!(outcome.err().contains(&part), "no {part:?} in {}", outcome.describe());
    }
    Ok(())
}

#[test]
fn a_token_that_others_can_read_is_not_shown_to_anybody() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let token = t.expacti(&["reviewer", "add", "alice", "--json"])?.json()?;
    let file = t.dir().join("alice.token");
    fs::write(&file, token["token"].as_str().unwrap())?;
    let name = file.display().to_string();
    for loose in [0o644, 0o640, 0o620, 0o604, 0o602] {
        mode(&file, loose)?;
        let outcome = t.expacti(&["pending", "--json", "--token-file", &name])?;
        names_the_cure(&outcome, 2, &file, loose)?;
    }
    for good in [0o600, 0o400] {
        mode(&file, good)?;
        t.expacti(&["pending", "--json", "--token-file", &name])?.expect_stdout("[]\n")?;
    }
    t.configure(&format!("token_file = {name:?}\n"))?;
    t.expacti(&["pending", "--json"])?.expect_stdout("[]\n")?;
    mode(&file, 0o640)?;
    names_the_cure(&t.expacti(&["pending", "--json"])?, 2, &file, 0o640)?;
    // A link to it is no better.
    let link = t.dir().join("link.token");
    std::os::unix::fs::symlink(&file, &link)?;
    let outcome = t.expacti(&["pending", "--token-file", &link.display().to_string()])?;
    outcome.expect_code(2)?.expect_no_stdout()?;
    Ok(())
}

#[test]
fn servers_do_not_start_on_keys_that_others_can_read() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    t.expacti(&["down"])?.expect_code(0)?;
    for name in ["gate_ed25519", "checkpoint_ed25519"] {
        let key = t.home().join("keys").join(name);
        mode(&key, 0o640)?;
        let outcome = t.expacti(&["up"])?;
        names_the_cure(&outcome, 1, &key, 0o640)?;
        mode(&key, 0o600)?;
    }
    t.up()?;
    let identity = t.dir().join("identity");
    fs::copy(t.client().key(), &identity)?;
    mode(&identity, 0o644)?;
    let shown = identity.display().to_string();
    let args = ["gate", "--listen", "127.0.0.1:0", "--identity", &shown];
    names_the_cure(&t.expacti(&args)?, 1, &identity, 0o644)?;
    let ca = t.home().join("keys/gate_host_ca_ed25519");
    mode(&ca, 0o604)?;
    names_the_cure(&t.expacti(&args)?, 1, &ca, 0o604)?;
    Ok(())
}
