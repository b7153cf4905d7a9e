//! What keeps a wrapped program from deciding for itself, and code from passing for data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;

use anyhow::Result;
use expacti_harness::{Trial, Verdict, prerequisites, trial, until};
use serde_json::json;

/// Without isolation.
const PATH_ONLY: &[&str] = &["--path-only"];

/// Requires that a program for Python finds no socket of expacti where the wrap is isolated.
fn not_there(t: &Trial, program: &str) -> Result<()> {
    let outcome = t.wrap(&["python3", "-c", program]).run()?;
    outcome.expect_code(1)?.expect_no_stdout()?.expect_stderr("FileNotFoundError")?;
    Ok(())
}

/// The wrapped program's words for this binary.
fn expacti(t: &Trial) -> String {
    format!("'{}'", t.binary().display())
}

#[test]
fn options_with_values_do_not_hide_a_script() -> Result<()> {
    let t = trial!()?;
    for (number, shell) in ["bash -euo pipefail", "python3 -W ignore"].into_iter().enumerate() {
        let marker = t.marker(&format!("m{number}"));
        let script = match number {
            0 => format!("{}\n", marker.touch()),
            _ => format!("import os\nos.system({:?})\n", marker.touch()),
        };
        let run = t.wrap(&["ssh", "target", shell]).stdin(script.clone()).spawn()?;
        let command = t.wait_pending()?;
        assert_eq!(command.command, shell);
        t.allow(&command.id)?;
        let held = until("the script to be held", || {
            Ok(t.pending()?.into_iter().find(|item| item.command == script))
        })?;
        assert!(!marker.exists());
        t.deny(&held.id, "no")?;
        run.wait()?.expect_code(77)?;
        assert!(!marker.exists());
    }
    Ok(())
}

#[test]
fn a_wrap_is_known_after_the_broker_restarts_and_without_one() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let expacti = expacti(&t);
    let dir = t.dir().display().to_string();
    let step = |name: &str| {
        format!(
            "while [ ! -e '{dir}/{name}' ]; do sleep 0.02; done\n\
             env -u EXPACTI_WRAP {expacti} rules add --exact id; echo $? > '{dir}/{name}.new'\n\
             mv '{dir}/{name}.new' '{dir}/{name}.status'\n"
        )
    };
    let script = format!(": > '{dir}/begun'\n{}", ["stopped", "restarted"].map(step).concat());
    // A working directory below /tmp is seen inside and outside.
    let run = t.wrap(&["sh", "-c", &script]).current_dir(t.dir()).spawn()?;
    // A wrap that finds no broker starts one or fails: here it is to have begun.
    until("the wrapped program to begin", || Ok(t.dir().join("begun").exists().then_some(())))?;
    let attempt = |name: &str| -> Result<String> {
        fs::write(t.dir().join(name), "")?;
        let status = t.dir().join(format!("{name}.status"));
        until("the attempt to end", || Ok(fs::read_to_string(&status).ok()))
    };
    t.expacti(&["down"])?.expect_code(0)?;
    assert_eq!(attempt("stopped")?, "5\n");
    t.up()?;
    assert_eq!(attempt("restarted")?, "5\n");
    run.wait()?;
    assert_eq!(t.expacti(&["rules", "list", "--json"])?.json()?, json!([]));
    Ok(())
}

#[test]
fn a_wrapped_program_cannot_shut_reviewers_out() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let body = json!({"pid": std::process::id(), "agent": "x"}).to_string();
    let script = format!(
        "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect({:?})\nbody = {body:?}\n\
         s.sendall(('POST /v1/wraps HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\n'\n\
         'Connection: close\\r\\nContent-Length: %d\\r\\n\\r\\n' % len(body) + body).encode())\n\
         print(s.recv(4096).decode().split()[1])\n",
        t.home().join("broker.sock").display().to_string(),
    );
    t.wrap_with(PATH_ONLY, &["python3", "-c", &script]).run()?.expect_stdout("403\n")?;
    not_there(&t, &script)?;
    assert!(t.pending()?.is_empty());
    t.expacti(&["rules", "list"])?.expect_code(0)?;
    Ok(())
}

#[test]
fn what_the_gate_starts_for_an_agent_may_not_administer() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let (said, proxy) = (t.dir().join("said"), t.dir().join("proxy"));
    let script = format!(
        "env -u EXPACTI_WRAP {} rules add --exact id > '{1}.new' 2>&1; echo $? >> '{1}.new'; \
         mv '{1}.new' '{1}'\n",
        expacti(&t),
        said.display(),
    );
    fs::write(&proxy, script)?;
    let config = fs::read_to_string(t.client().config())?;
    let host = format!("Host admin\n ProxyCommand /bin/sh {}\n", proxy.display());
    fs::write(t.client().config(), format!("{host}{config}"))?;
    let connect = ["sh", "-c", "ssh admin true"];
    t.wrap_with(PATH_ONLY, &connect).run()?.expect_code(255)?;
    let answer = fs::read_to_string(&said)?;
    assert!(answer.ends_with("\n5\n"), "{answer}");
    // Where the wrap is isolated the gate starts nothing that could be changed from inside.
    fs::remove_file(&said)?;
    t.wrap(&connect).run()?.expect_code(5)?.expect_stderr("could change it")?;
    assert!(!said.exists());
    assert_eq!(t.expacti(&["rules", "list", "--json"])?.json()?, json!([]));
    Ok(())
}

/// A line to the gate that names a target; prints the gate's answer.
fn by_hand(t: &Trial, token: &str, route: &serde_json::Value) -> String {
    let header =
        json!({"protocol": 1, "token": token, "agent": "x", "program": ["x"], "route": route});
    format!(
        "import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect({:?})\n\
         s.sendall({:?}.encode() + b'\\n')\nprint(s.makefile().readline())\n",
        t.home().join("gate.sock").display().to_string(),
        header.to_string(),
    )
}

#[test]
fn a_line_by_hand_names_no_target_from_inside_or_outside() -> Result<()> {
    let t = trial!()?;
    t.up()?;
    let marker = t.marker("m");
    let known = fs::read_to_string(t.client().known_hosts())?;
    let target = json!({
        "alias": "x", "host": "127.0.0.1", "port": t.sshd().port(), "user": "x",
        "known_hosts_files": [], "known_hosts_add": t.client().known_hosts(),
        "host_key_checking": "accept-new", "host_key_alias": "* ssh-ed25519 AAAA",
    });
    let mut transport = target.clone();
    transport["transport"] = json!(["/bin/sh", "-c", marker.touch()]);
    for token in ["", "0000"] {
        for route in [&target, &transport] {
            let script = by_hand(&t, token, route);
            for outcome in [
                t.wrap_with(PATH_ONLY, &["python3", "-c", &script]).run()?,
                t.direct(&["python3", "-c", &script]).run()?,
            ] {
                assert!(outcome.out().contains("\"ok\":false"), "{}", outcome.describe());
                assert!(outcome.out().contains("expacti wrap"), "{}", outcome.describe());
            }
            not_there(&t, &script)?;
        }
    }
    // What began to be followed would show by the time that an honest connection has ended.
    let _reviewer = t.auto_reviewer(Verdict::Allow);
    t.wrap(&["sh", "-c", "ssh target 'echo fine'"]).run()?.expect_stdout("fine\n")?;
    assert!(!marker.exists());
    assert_eq!(fs::read_to_string(t.client().known_hosts())?, known);
    Ok(())
}

#[test]
fn a_wrapped_root_changes_no_device_for_others() -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if !rustix::process::geteuid().is_root() {
        prerequisites::missing("root", "run the tests as root, best in a container");
        return Ok(());
    }
    let t = trial!()?;
    let look = || fs::metadata("/dev/full").map(|known| known.permissions());
    let before = look()?;
    let script = "chmod 600 /dev/full; echo text >/dev/null && head -c 3 /dev/zero | wc -c; \
                  : >/dev/full && echo opened";
    let outcome = t.wrap(&["sh", "-c", script]).run();
    let after = look()?;
    fs::set_permissions("/dev/full", before.clone())?;
    outcome?.expect_stdout("3\nopened\n")?;
    assert_eq!(format!("{:o}", after.mode()), format!("{:o}", before.mode()));
    Ok(())
}
