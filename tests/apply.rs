//! A file of targets, agents, policies and rules, applied as one change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Result, ensure};
use expacti_harness::trial;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

#[test]
fn a_file_is_applied_whole_and_printed_again() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    t.expacti(&["reviewer", "add", "alice"])?.expect_code(0)?;
    let file = t.dir().join("team.toml");
    let name = file.display().to_string();
    let text = format!(
        "[[target]]\nname = \"web-1\"\naddress = \"deploy@127.0.0.1:2222\"\nhost_keys = [\"{KEY}\"]\n\
         tags = [\"production\"]\n\n[[agent]]\nname = \"claude\"\nkey = \"{KEY}\"\nowner = \"alice\"\n\n\
         [[policy]]\ntype = \"any\"\ngroup = [\"alice\"]\nmatch = \"reboot\"\n\n\
         [[rule]]\nexact = \"hostname\"\n\n[[rule]]\nglob = \"rm **\"\ndeny = true\n"
    );
    fs::write(&file, &text)?;
    let dry = t.expacti(&["apply", &name, "--dry-run"])?;
    dry.expect_code(0)?.expect_stderr("nothing was done")?;
    ensure!(dry.out().lines().count() == 5, "{}", dry.describe());
    ensure!(t.expacti(&["rules", "list", "--json"])?.json()? == serde_json::json!([]));
    t.expacti(&["apply", &name])?.expect_code(0)?;
    t.wrap(&["ssh", "target", "hostname"]).run()?.expect_code(0)?;
    t.wrap(&["ssh", "target", "rm -f nothing"]).run()?.expect_code(77)?;
    // What is printed is what there is.
    let printed = t.expacti(&["apply"])?.expect_code(0)?.out();
    fs::write(&file, &printed)?;
    t.expacti(&["apply", &name, "--prune"])?.expect_code(0)?.expect_stderr("as the file says")?;
    // Without the rule it goes; what the file has wrong, and one bad part, change nothing.
    let rules_only = "[[rule]]\nglob = \"rm **\"\ndeny = true\n";
    fs::write(&file, rules_only)?;
    t.expacti(&["apply", &name, "--prune"])?.expect_code(0)?;
    for bad in
        ["[[rule]]\nglobe = \"x\"\n", "[[agent]]\nname = \"x\"\nkey = \"x\"\nowner = \"zoe\"\n"]
    {
        fs::write(&file, bad)?;
        ensure!(t.expacti(&["apply", &name])?.code() != 0, "{bad}");
    }
    let left = t.expacti(&["rules", "list", "--json"])?.json()?;
    ensure!(left.as_array().unwrap().len() == 1, "{left}");
    ensure!(t.expacti(&["target", "list", "--json"])?.json()?.as_array().unwrap().len() == 1);
    Ok(())
}
