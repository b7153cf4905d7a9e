//! The command line inside a real wrap, with a team's broker and an admin's token at hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Result, ensure};
use expacti_harness::{Team, trial};

#[test]
fn a_token_of_an_admin_decides_nothing_inside_a_wrap() -> Result<()> {
    let t = trial!()?;
    let team = Team::start(&t)?;
    let marker = t.marker("m");
    let run = team.ssh(&[], &[&marker.touch()])?.spawn()?;
    let held = t.wait_pending()?;
    let url = team.url();
    let token = t.dir().join("admin.token");
    fs::write(&token, team.token())?;
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600))?;
    let expacti = t.binary().display().to_string();
    let id = &held.id;
    let session = &held.session_id;
    let lines = [
        format!("allow {id}"),
        format!("deny {id} no"),
        "pending".to_owned(),
        "rules add --exact id".to_owned(),
        "rules remove rule_x".to_owned(),
        "rules cover rule_x --stdin".to_owned(),
        "policy add --type any --match x".to_owned(),
        "policy remove pol_x".to_owned(),
        "reviewer add eve".to_owned(),
        "agent remove bot".to_owned(),
        "target remove target".to_owned(),
        "taint clear target/root".to_owned(),
        format!("pause {session}"),
        format!("resume {session}"),
        format!("kill {session}"),
        "review".to_owned(),
    ];
    let mut script = String::new();
    for line in &lines {
        for with in [
            format!("env EXPACTI_TOKEN={} {expacti} --broker {url}", team.token()),
            format!("env EXPACTI_BROKER={url} {expacti} --token-file {}", token.display()),
        ] {
            script.push_str(&format!("{with} {line} 2>&1; echo \"status $? {line}\"\n"));
        }
    }
    // What keeps a listing from a wrapped program keeps everything else from it, too.
    let own = t.dir().join("own");
    for options in [&[][..], &["--path-only"]] {
        let outcome = t
            .wrap_with(options, &["sh", "-c", &script])
            .env("EXPACTI_HOME", &own)
            .env_remove("EXPACTI_BROKER")
            .run()?;
        let said = outcome.out();
        let all: Vec<_> = said.lines().filter(|l| l.starts_with("status ")).collect();
        ensure!(all.len() == 2 * lines.len(), "{}", outcome.describe());
        ensure!(all.iter().all(|l| l.starts_with("status 5 ")), "{}", outcome.describe());
        ensure!(said.matches("refused: inside a wrap").count() == all.len(), "{said}");
    }
    // Nothing of it happened; the same words do work outside.
    ensure!(t.wait_pending()?.id == *id && !marker.exists());
    ensure!(t.expacti(&["rules", "list", "--json"])?.json()? == serde_json::json!([]));
    t.launch(&["allow", id, "--broker", &url, "--token-file", &token.display().to_string()])
        .run()?
        .expect_code(0)?;
    run.wait()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    t.launch(&["down"]).env("EXPACTI_HOME", &own).run()?.expect_code(0)?;
    Ok(())
}
