//! Nothing leaves the process tree of a wrap, and everything in it can be told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::process::{Child, Command, Stdio};

use expacti_protocol::ancestry::{is_inside_wrap, stat};
use expacti_protocol::uplink::WrapRegistration;
use rustix::process::{Pid, Signal, kill_process};
use support::{World, until};

/// A daemon that forks twice, leaves its session and cleans its environment, and notes its number
/// in the file `NAME`.
const DAEMON: &str = "env -i /bin/sh -c '\
    (setsid /bin/sh -c \"(echo \\$\\$ > $0; exec sleep 100) & \" ) & exit 0' NAME";

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pid_in(world: &World, name: &str) -> u32 {
    let path = world.path().join(name);
    until(&format!("{name} has started"), || {
        std::fs::read_to_string(&path).ok()?.trim().parse().ok()
    })
}

fn is_gone(pid: u32) -> bool {
    stat(pid).map_or(true, |stat| stat.state == 'Z')
}

#[test]
fn a_daemon_stays_below_and_ends_with_the_program() {
    let world = World::new();
    let script = format!(
        "{}; while ! test -e stop; do sleep 0.01; done; exit 8",
        DAEMON
            .replace("NAME", "daemon")
            .replace("echo \\$\\$", "echo \\$PPID \\$\\$ | cut -d\\\" \\\" -f2")
    );
    let mut child = Ended(
        world
            .wrap(&["sh", "-c", &script])
            .current_dir(world.path())
            .stdin(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let _ = pid_in(&world, "daemon");
    let wrap = child.0.id();
    let registered = [WrapRegistration { pid: wrap, ..WrapRegistration::default() }];
    // The sleeper has been handed to the wrap: its session's first processes are gone.
    let daemon = until("the daemon's parents are gone", || {
        std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let is_below = stat(pid).ok()?.parent == wrap;
            (line == b"sleep\x00100\0" && is_below).then_some(pid)
        })
    });
    assert_ne!(stat(daemon).unwrap().session, stat(wrap).unwrap().session);
    assert!(is_inside_wrap(daemon, &registered));
    // Without the registration nothing tells it: the marker is gone from its environment.
    assert!(!is_inside_wrap(daemon, &[]));
    assert!(is_inside_wrap(wrap, &registered));
    assert!(!is_inside_wrap(std::process::id(), &registered));
    std::fs::write(world.path().join("stop"), "").unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(8));
    assert!(is_gone(daemon));
}

#[test]
fn the_marker_tells_without_a_registration() {
    let unmarked =
        Ended(Command::new("sleep").arg("100").env_remove("EXPACTI_WRAP").spawn().unwrap());
    let marked = Ended(Command::new("sleep").arg("100").env("EXPACTI_WRAP", "1").spawn().unwrap());
    let below = Ended(
        Command::new("sh")
            .args(["-c", "env -u EXPACTI_WRAP sleep 100; :"])
            .env("EXPACTI_WRAP", "1")
            .spawn()
            .unwrap(),
    );
    assert!(!is_inside_wrap(unmarked.0.id(), &[]));
    // For a moment of `exec` the kernel shows an empty environment.
    until("the marker", || is_inside_wrap(marked.0.id(), &[]).then_some(()));
    let sleeper = until("the shell's child", || {
        std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let ready = std::fs::read(entry.path().join("comm")).ok()? == b"sleep\n";
            (ready && stat(pid).ok()?.parent == below.0.id()).then_some(pid)
        })
    });
    assert!(is_inside_wrap(sleeper, &[]));
    kill_process(Pid::from_raw(i32::try_from(sleeper).unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn the_program_dies_with_a_killed_wrap() {
    let world = World::new();
    let mut child = Ended(
        world
            .wrap(&["sh", "-c", "echo $$ > program; exec sleep 100"])
            .current_dir(world.path())
            .spawn()
            .unwrap(),
    );
    let program = pid_in(&world, "program");
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    until("the program is gone", || is_gone(program).then_some(()));
    // The next wrap clears away what that one left.
    let wraps = world.path().join("wraps");
    assert_eq!(std::fs::read_dir(&wraps).unwrap().count(), 1);
    assert!(world.wrap(&["true"]).status().unwrap().success());
    assert_eq!(std::fs::read_dir(&wraps).unwrap().count(), 0);
}

#[test]
fn a_wrap_in_a_wrap_still_reaches_the_gate() {
    let world = World::new();
    let inner =
        format!("{} --agent inner -- ssh -F none h 'echo in; exit 3'", support::shim().display());
    let output = world.wrap(&["sh", "-c", &inner]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "in\n", "{output:?}");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(world.registered.lock().unwrap().len(), 2);
    assert_eq!(world.headers.lock().unwrap()[0].agent, "inner");
}

#[test]
fn a_client_in_the_background_is_waited_for() {
    let world = World::new();
    let file = world.path().join("done");
    let command = format!("sleep 0.3; echo done > {}", file.display());
    let status = world
        .wrap(&["ssh", "-f", "-F", "none", "h", &command])
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "done\n");
}
