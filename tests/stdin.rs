//! Standard input, seen by a reviewer before it runs: decided with its command, covered by a rule, or
//! asked about.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::{Result, ensure};
use expacti_harness::{Trial, trial, until};
use serde_json::Value;

/// The one command that waits, once this much of its standard input has come.
fn joined(t: &Trial, bytes: usize) -> Result<Value> {
    until("the standard input to come", || {
        let all = t.expacti(&["pending", "--json"])?.json()?;
        let found = all.as_array().and_then(|all| {
            all.iter().find(|item| item["input"]["came"]["bytes"] == bytes).cloned()
        });
        Ok(found)
    })
}

#[test]
fn one_allow_covers_a_command_and_its_script() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let marker = t.marker("m");
    let script = format!("{}\necho done\n", marker.touch());
    let run = t.wrap(&["ssh", "target", "bash"]).stdin(script.clone()).spawn()?;
    let item = joined(&t, script.len())?;
    assert_eq!(item["input"]["came"]["text"], script.as_str());
    assert_eq!(item["input"]["use"], "code");
    assert!(!marker.exists());
    let (id, digest) = (item["id"].as_str().unwrap(), &item["input"]["came"]["sha256"]);
    // Not what came: nothing is allowed.
    t.expacti(&["allow", id, "--input", "00000000"])?.expect_code(5)?;
    t.expacti(&["allow", id, "--input", digest.as_str().unwrap().get(..12).unwrap()])?
        .expect_code(0)?;
    run.wait()?.expect_stdout("done\n")?;
    assert_eq!(marker.count(), 1);
    let log = t.expacti(&["audit", "export"])?.out();
    let decision: Vec<&str> = log.lines().filter(|line| line.contains("\"decision\"")).collect();
    ensure!(decision.iter().any(|line| line.contains("echo done")), "not in the log: {log}");
    Ok(())
}

#[test]
fn what_is_on_standard_input_counts_for_rules_that_deny() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    t.expacti(&["rules", "add", "--deny", "--glob", "kubectl delete **"])?.expect_code(0)?;
    let script = format!("{}\nkubectl -n prod delete pod x\n", marker.touch());
    let run = t.wrap(&["ssh", "target", "bash"]).stdin(script).spawn()?;
    run.wait()?.expect_code(77)?;
    assert!(!marker.exists());
    Ok(())
}

#[test]
fn a_rule_covers_standard_input_only_if_it_says_so() -> Result<()> {
    let t = trial!()?;
    let file = t.dir().join("written");
    let command = format!("cat > {}", file.display());
    let data = "some text\n".repeat(1000);
    t.rule("--exact", &command)?;
    let run = t.wrap(&["ssh", "target", &command]).stdin(data.clone()).spawn()?;
    let item = t.wait_pending()?;
    assert_eq!(item.command, data);
    t.deny(&item.id, "not unseen")?;
    run.wait()?.expect_code(77)?;
    assert_ne!(fs::read_to_string(&file).unwrap_or_default(), data);
    t.expacti(&["rules", "add", "--exact", &command, "--stdin"])?.expect_code(0)?;
    t.wrap(&["ssh", "target", &command]).stdin(data.clone()).run()?.expect_code(0)?;
    assert_eq!(fs::read_to_string(&file)?, data);
    Ok(())
}

#[test]
fn a_rule_that_names_the_digest_of_a_script_lets_that_one_through() -> Result<()> {
    let t = trial!()?;
    let marker = t.marker("m");
    let script = format!("{}\n", marker.touch());
    let digest = expacti_harness::digest(script.as_bytes())?;
    t.expacti(&["rules", "add", "--exact", "bash -s", "--stdin-sha256", &digest])?
        .expect_code(0)?;
    t.wrap(&["ssh", "target", "bash -s"]).stdin(script).run()?.expect_code(0)?;
    assert_eq!(marker.count(), 1);
    let other = format!("{}\n:\n", marker.touch());
    let run = t.wrap(&["ssh", "target", "bash -s"]).stdin(other.clone()).spawn()?;
    let item = t.wait_pending()?;
    assert_eq!(item.command, other);
    t.deny(&item.id, "another script")?;
    run.wait()?.expect_code(77)?;
    assert_eq!(marker.count(), 1);
    Ok(())
}

#[test]
fn what_nothing_reads_is_not_asked_about() -> Result<()> {
    let t = trial!()?;
    t.rule("--exact", "uname")?;
    // A loop that reads a list offers the rest of it to every command.
    let script = "while read host; do ssh target uname; done";
    let outcome = t.wrap(&["sh", "-c", script]).stdin("web-1\nweb-2\nweb-3\n").run()?;
    outcome.expect_stdout("Linux\n")?;
    assert_eq!(t.pending()?.len(), 0);
    Ok(())
}

#[test]
fn a_rule_covers_a_terminal_only_if_it_says_so() -> Result<()> {
    let t = trial!()?;
    if !t.has_terminals()? {
        return Ok(());
    }
    t.rule("--exact", "tty")?;
    let run = t.wrap(&["ssh", "-tt", "target", "tty"]).spawn()?;
    let item = t.wait_pending()?;
    t.deny(&item.id, "no terminal")?;
    run.wait()?.expect_code(77)?;
    t.expacti(&["rules", "add", "--exact", "tty", "--terminal"])?.expect_code(0)?;
    let outcome = t.wrap(&["ssh", "-tt", "target", "tty"]).run()?;
    outcome.expect_code(0)?;
    ensure!(outcome.out().contains("/dev/pts/"), "no terminal: {}", outcome.describe());
    Ok(())
}

#[test]
fn a_large_file_flows_under_a_grant() -> Result<()> {
    let t = trial!()?;
    let file = t.dir().join("written");
    let command = format!("cat > {}", file.display());
    let data = vec![b'x'; 3 << 20];
    let run = t.wrap(&["ssh", "target", &command]).stdin(data.clone()).spawn()?;
    let item = t.wait_pending()?;
    t.expacti(&["allow", &item.id, "--input-grant", "5m", "--input-bytes", "8M"])?
        .expect_code(0)?;
    run.wait()?.expect_code(0)?;
    ensure!(fs::read(&file)? == data, "the bytes differ");
    // What may be run is never granted.
    let run = t.wrap(&["ssh", "target", "bash"]).stdin("true\n").spawn()?;
    let item = t.wait_pending()?;
    t.expacti(&["allow", &item.id, "--input-grant", "5m"])?.expect_code(1)?;
    t.deny(&item.id, "no")?;
    run.wait()?.expect_code(77)?;
    Ok(())
}

/// What becomes a file is shown with how that file is different then.
#[test]
fn a_file_that_is_written_is_compared_with_what_is_there() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let file = t.dir().join("app.conf");
    fs::write(&file, "port = 80\nhost = a\nuser = www\n")?;
    let new = "port = 80\nhost = b\nuser = www\n";
    for (command, expected) in [
        (format!("cat > {}", file.display()), "-host = a\n+host = b\n"),
        (format!("tee -a {} >/dev/null", file.display()), "+port = 80\n+host = b\n+user = www\n"),
        (format!("cat > {}.new", file.display()), "does not exist yet"),
    ] {
        let run = t.wrap(&["ssh", "target", &command]).stdin(new).spawn()?;
        let item = joined(&t, new.len())?;
        let compared = item["input"]["came"]["compared"].as_str().unwrap_or_default();
        ensure!(compared.contains(expected), "{command}: {compared:?}");
        assert_eq!(item["input"]["came"]["text"], new);
        t.deny(item["id"].as_str().unwrap(), "only looked at")?;
        run.wait()?.expect_code(77)?;
    }
    // A secret place is not read for it.
    let secret = t.dir().join(".env");
    fs::write(&secret, "A=old\n")?;
    let command = format!("cat > {}", secret.display());
    let run = t.wrap(&["ssh", "target", &command]).stdin("A=new\n").spawn()?;
    let item = joined(&t, 6)?;
    assert_eq!(item["input"]["came"]["compared"], Value::Null);
    t.deny(item["id"].as_str().unwrap(), "only looked at")?;
    run.wait()?.expect_code(77)?;
    Ok(())
}

/// A command that is cut in two is one command for a rule that denies.
#[test]
fn a_command_over_two_items_meets_a_rule_that_denies() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let marker = t.marker("m");
    t.expacti(&["rules", "add", "--deny", "--glob", "kubectl delete **"])?.expect_code(0)?;
    let mut run = t.wrap(&["ssh", "target", "bash"]).stdin_open().spawn()?;
    run.write(b"kubectl \\\n")?;
    let item = joined(&t, "kubectl \\\n".len())?;
    let (id, digest) = (&item["id"], &item["input"]["came"]["sha256"]);
    t.expacti(&["allow", id.as_str().unwrap(), "--input", digest.as_str().unwrap()])?
        .expect_code(0)?;
    run.write(format!("delete ns prod; {}\n", marker.touch()).as_bytes())?;
    run.close_stdin();
    run.wait()?;
    assert!(!marker.exists(), "the second half ran");
    let log = t.expacti(&["audit", "export"])?.out();
    ensure!(log.contains("denied by rule"), "not denied: {log}");
    Ok(())
}
